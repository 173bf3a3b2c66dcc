/* Names of tensors into sites. */
#include "mia.h"
#include "base/text.h"
#include "sonde/site.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct { arena *memory; mia_sites *to; size_t room; } gathering;

static sonde_status gather(const sonde_site *s, void *user, sonde_error *err) {
    gathering *g = user;
    (void)err;
    if (g->to->n == g->room) {
        g->room = 2 * g->room + 8;
        g->to->at = arena_grow(g->memory, g->to->at, g->room * sizeof *g->to->at);
    }
    mia_value *v = &g->to->at[g->to->n++];
    const char *name = arena_printf(g->memory, "%s", s->name);
    *v = (mia_value){ .name = name, .graph_name = s->graph_name ? arena_printf(g->memory, "%s", s->graph_name) : name,
                      .axes = arena_printf(g->memory, "%s", s->axes), .rank = s->rank, .n = 1 };
    for (int i = 0; i < s->rank; i++) {
        v->dim[i] = s->dim[i];
        v->n *= s->dim[i];
    }
    return SONDE_OK;
}

sonde_status mia_sites_of(const mia *m, const char *flag, const char *name, mia_sites *out, sonde_error *err) {
    gathering g = { .memory = m->c->memory, .to = out };
    *out = (mia_sites){ 0 };
    const sonde_site_query q = { .pattern = name, .n = m->prompt.n };
    const sonde_status s = sonde_sites(m->o->model, &q, gather, &g, err);
    return s == SONDE_OK ? s : sonde_fail_at(err, s, "%s", flag);
}

int64_t mia_row_size(const mia_value *v) {
    int64_t n = 1;
    for (int i = 1; i < v->rank; i++) n *= v->dim[i];
    return n;
}

sonde_status mia_number(const char *flag, const char *text, int64_t *out, sonde_error *err) {
    char *end;
    errno = 0;
    const long long n = strtoll(text, &end, 10);
    SONDE_FAIL_IF(*end || end == text || errno || n < 0 || n > INT32_MAX, err, SONDE_USAGE,
                  "%s: \"%s\", expected a number from 0 on", flag, name_shown(text).text);
    *out = n;
    return SONDE_OK;
}
