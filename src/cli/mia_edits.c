/* Heads and rows that are changed, as edits. */
#include "mia.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>

/* ---- heads: LAYER * HEADS + HEAD, or LAYER.HEAD ---- */

typedef struct { const mia *m; bool *zero; } heads;

static sonde_status fail_head(const mia *m, const char *flag, const char *text, sonde_error *err) {
    const long long layers = m->info->layers, n = m->info->heads;
    return sonde_fail(err, SONDE_USAGE, "%s: \"%s\", expected LAYER*%lld+HEAD from 0 to %lld or LAYER.HEAD from 0.0 to %lld.%lld, "
                      "or ranges of them as 0-8 (%lld layers of %lld heads)", flag, name_shown(text).text, n,
                      layers * n - 1, layers - 1, n - 1, layers, n);
}

static bool read_digits(const char **at, int64_t *out) {
    int64_t n = 0;
    const char *first = *at;
    for (; **at >= '0' && **at <= '9'; ++*at) n = n > INT32_MAX ? n : 10 * n + (**at - '0');
    *out = n;
    return *at > first;
}

/* One head at *at; false: there is none, or the model does not have it. */
static bool read_head(const mia *m, const char **at, int64_t *out) {
    int64_t n, head;
    if (!read_digits(at, &n)) return false;
    if (**at == '.') {
        ++*at;
        if (!read_digits(at, &head) || head >= m->info->heads || n >= m->info->layers) return false;
        n = n * m->info->heads + head;
    }
    *out = n;
    return n < m->info->layers * m->info->heads;
}

static sonde_status ablate(heads *h, const char *text, sonde_error *err) {
    for (const char *at = text; ; at++) {
        int64_t first, last;
        if (!read_head(h->m, &at, &first)) return fail_head(h->m, "ablate", text, err);
        last = first;
        if (*at == '-') {
            at++;
            if (!read_head(h->m, &at, &last) || last < first) return fail_head(h->m, "ablate", text, err);
        }
        for (int64_t i = first; i <= last; i++) h->zero[i] = true;
        if (!*at) return SONDE_OK;
        if (*at != ',') return fail_head(h->m, "ablate", text, err);
    }
}

/* Of a layer that is named, the heads that are named stay. */
static sonde_status select_heads(heads *h, const value *v, sonde_error *err) {
    const sonde_model_info *info = h->m->info;
    bool *keep = arena_new_array(h->m->c->memory, bool, (size_t)(info->layers * info->heads));
    bool *named = arena_new_array(h->m->c->memory, bool, (size_t)info->layers);
    for (size_t i = 0; i < v->n; i += SELECT_WORDS) {
        int64_t layer, head;
        SONDE_TRY(mia_number("select", v->list[i], &layer, err));
        SONDE_TRY(mia_number("select", v->list[i + 1], &head, err));
        SONDE_FAIL_IF(layer >= info->layers || head >= info->heads, err, SONDE_USAGE,
                      "select: layer %lld head %lld, the model has layers 0 to %lld and heads 0 to %lld", (long long)layer,
                      (long long)head, (long long)info->layers - 1, (long long)info->heads - 1);
        named[layer] = keep[layer * info->heads + head] = true;
    }
    for (int64_t i = 0; i < info->layers * info->heads; i++)
        if (named[i / info->heads] && !keep[i]) h->zero[i] = true;
    return SONDE_OK;
}

static void make_room(mia *m, size_t more) {
    m->edit = arena_grow(m->c->memory, m->edit, (m->n_edits + more) * sizeof *m->edit);
    m->note = arena_grow(m->c->memory, m->note, (m->n_edits + more) * sizeof *m->note);
}

/* One edit a layer: patterns of those heads are 0, of the prompt's rows and of generated ones. */
static sonde_status zero_heads(mia *m, const bool *zero, sonde_error *err) {
    const int64_t n = m->info->heads;
    for (int64_t l = 0; l < m->info->layers; l++) {
        const char *list = "";
        for (int64_t h = 0; h < n; h++)
            if (zero[l * n + h]) list = arena_printf(m->c->memory, "%s%s%lld", list, *list ? "," : "", (long long)h);
        if (!*list) continue;
        const bool many = strchr(list, ',') != NULL;
        const char *text = arena_printf(m->c->memory, "zero:blocks.%lld.attn.hook_pattern[%s%s%s]", (long long)l,
                                        many ? "{" : "", list, many ? "}" : "");
        SONDE_TRY(sonde_edit_parse(&m->edit[m->n_edits], m->o->model, text, NULL, err));
        m->note[m->n_edits++] = NULL;
    }
    return SONDE_OK;
}

/* ---- rows ---- */

typedef struct { const char *flag, *name, *path[2]; int paths; int64_t from, to; } patch;

static sonde_status check_site(const mia *m, const patch *p, const mia_value *v, sonde_error *err) {
    SONDE_FAIL_IF(v->rank < 2 || v->axes[0] != 't', err, SONDE_USAGE,
                  "%s: %s has no row for each token (its axes are %s), expected a value such as l_out-0", p->flag, v->graph_name,
                  v->axes);
    SONDE_FAIL_IF(p->to >= m->prompt.n, err, SONDE_USAGE, "%s: row %lld of %s, the prompt has %lld tokens", p->flag,
                  (long long)p->to, v->graph_name, (long long)m->prompt.n);
    return SONDE_OK;
}

static sonde_status patch_site(mia *m, const patch *p, const mia_value *v, sonde_error *err) {
    SONDE_TRY(check_site(m, p, v, err));
    const int64_t width = mia_row_size(v);
    float *row = arena_new_array(m->c->memory, float, (size_t)width), *other = arena_new_array(m->c->memory, float, (size_t)width);
    SONDE_TRY(mia_row_read(m, (mia_row){ p->flag, p->path[0], v, p->from }, row, err));
    if (p->paths == 2) {
        SONDE_TRY(mia_row_read(m, (mia_row){ p->flag, p->path[1], v, p->from }, other, err));
        for (int64_t i = 0; i < width; i++) row[i] = (float)(((double)row[i] + (double)other[i]) / 2);
    }
    sonde_values values = { .data = row, .rank = v->rank - 1 };
    for (int i = 1; i < v->rank; i++) values.dim[i - 1] = v->dim[i];
    const char *text = arena_printf(m->c->memory, "set:%s[%lld]=value/0", v->name, (long long)p->to);
    SONDE_TRY(sonde_edit_of_values(&m->edit[m->n_edits], m->o->model, text, values, err));
    const char *other_file = p->paths == 2 ? arena_printf(m->c->memory, " and of %s, their mean", p->path[1]) : "";
    m->note[m->n_edits++] = arena_printf(m->c->memory, "row %lld of %s%s", (long long)p->from, p->path[0], other_file);
    return SONDE_OK;
}

static sonde_status read_patch(mia *m, const value *v, size_t at, int paths, patch *out, sonde_error *err) {
    const char *const *word = v->list + at;
    *out = (patch){ .flag = paths == 2 ? "patch-avg" : "patch", .name = word[0], .path = { word[1], word[paths] }, .paths = paths };
    SONDE_TRY(mia_number(out->flag, word[paths + 1], &out->from, err));
    SONDE_TRY(mia_number(out->flag, word[paths + 2], &out->to, err));
    mia_sites sites;
    SONDE_TRY(mia_sites_of(m, out->flag, out->name, &sites, err));
    make_room(m, sites.n);
    for (size_t i = 0; i < sites.n; i++) SONDE_TRY(patch_site(m, out, &sites.at[i], err));
    return SONDE_OK;
}

static sonde_status patch_rows(mia *m, sonde_error *err) {
    const value *one = &m->c->args[MIA_PATCH], *two = &m->c->args[MIA_PATCH_AVG];
    patch p;
    for (size_t i = 0; i < one->n; i += PATCH_WORDS) SONDE_TRY(read_patch(m, one, i, 1, &p, err));
    for (size_t i = 0; i < two->n; i += PATCH_AVG_WORDS) SONDE_TRY(read_patch(m, two, i, 2, &p, err));
    return SONDE_OK;
}

sonde_status mia_edits(mia *m, sonde_error *err) {
    const value *list = &m->c->args[MIA_ABLATE];
    heads h = { m, arena_new_array(m->c->memory, bool, (size_t)(m->info->layers * m->info->heads)) };
    make_room(m, (size_t)m->info->layers);
    for (size_t i = 0; i < list->n; i++) SONDE_TRY(ablate(&h, list->list[i], err));
    SONDE_TRY(select_heads(&h, &m->c->args[MIA_SELECT], err));
    SONDE_TRY(zero_heads(m, h.zero, err));
    return patch_rows(m, err);
}
