/* One GGUF of several, with its splits. */
#include "hub_parts.h"
#include "base/gguf_name.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_SHOWN = 600 };

typedef struct { gguf_group *group; const char **path; size_t n; } choice;

static sonde_status fail_choice(const hub *h, const choice *c, arena *brief, sonde_error *err) {
    const char *list = "";
    size_t told = 0;
    for (; told < c->n && strlen(list) < MOST_SHOWN; told++)
        list = arena_printf(brief, "%s%s:%s", list, told ? " " : "", name_shown(c->group[told].label).text);
    const char *more = told < c->n ? arena_printf(brief, " and %zu more", c->n - told) : "";
    const char *found = h->name.tag ? arena_printf(brief, ":%s", h->name.tag) : "no choice";
    return sonde_fail(err, SONDE_USAGE, "%s: %s, expected one of its %zu GGUF models behind the name: %s%s", h->name.id,
                      found, c->n, list, more);
}

static sonde_status choose(hub *h, choice *c, arena *brief, sonde_error *err) {
    size_t which = 0;
    for (size_t i = 0; i < h->n; i++) c->path[i] = h->file[i].path;
    c->n = gguf_groups(c->path, h->n, brief, c->group);
    SONDE_FAIL_IF(c->n == 0, err, SONDE_NOT_FOUND, "%s: holds no GGUF model", h->name.id);
    const size_t meant = h->name.tag ? gguf_meant(c->group, c->n, h->name.tag, &which) : c->n;
    if (meant != 1) return fail_choice(h, c, brief, err);
    for (size_t i = 0; i < h->n; i++)
        if (gguf_is_of(h->file[i].path, &c->group[which])) h->file[i].chosen = true;
    return SONDE_OK;
}

sonde_status hub_choose_gguf(hub *h, sonde_error *err) {
    arena *brief = arena_new();
    choice c = { .group = calloc(h->n + 1, sizeof *c.group), .path = calloc(h->n + 1, sizeof *c.path) };
    if (!c.group || !c.path) abort();
    const sonde_status s = choose(h, &c, brief, err);
    free(c.group);
    free(c.path);
    arena_free(brief);
    return s;
}
