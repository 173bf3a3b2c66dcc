/* The reference: another program's values of the same tokens, site by site (interface.md 7). */
#include "method_rebuild.h"
#include "room.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static const int32_t *official_tokens(const rebuild *r, bool target, int64_t *n) {
    if (!target) {
        *n = r->reference.n;
        return r->reference.tokens;
    }
    const sonde_prompt p = replay_prompt(&r->reference);
    return context_rows(r->cx, &p, n);
}

static bool same_tokens(const rebuild *r, bool target) {
    int64_t n, other;
    const int32_t *here = rebuild_tokens(r, target, &n), *there = official_tokens(r, target, &other);
    return n == other && !memcmp(here, there, (size_t)n * sizeof *here);
}

static bool same_run(const rebuild *r) { return same_tokens(r, false) && same_tokens(r, true); }

/* The run of the file that has these tokens, else its first one. */
static sonde_status find_run(rebuild *r, sonde_error *err) {
    char prefix[24];
    SONDE_FAIL_IF(!replay_prefix(r->file, 0, prefix), err, SONDE_FORMAT,
                  "no tensor \"tokens\" (or \"0/tokens\") in the file");
    for (size_t i = 0; replay_prefix(r->file, i, prefix); i++) {
        if (i) replay_close(&r->reference);
        SONDE_TRY(replay_open(&r->reference, r->cx->model, r->file, prefix, err));
        if (same_run(r)) return SONDE_OK;
    }
    replay_close(&r->reference);
    replay_prefix(r->file, 0, prefix);
    return replay_open(&r->reference, r->cx->model, r->file, prefix, err);
}

/* A tensor of the reference at a name of this operation; SIZE_MAX past the last name. */
static bool tensor_of(const rebuild *r, const rebuild_stage *s, size_t k, size_t *which) {
    char name[200], whole[240];
    if (s->op < 0 || !rebuild_site(r->op[s->op].told.site, k, name, sizeof name)) return false;
    snprintf(whole, sizeof whole, "%s%s", r->reference.prefix, name);
    *which = sonde_array_file_find(r->file, whole);
    return true;
}

static bool has_any(const rebuild *r) {
    size_t which;
    for (size_t i = 0; i < r->n_stages; i++) {
        if (r->stage[i].shown && r->stage[i].op < 0) return true;
        for (size_t k = 0; r->stage[i].shown && tensor_of(r, &r->stage[i], k, &which); k++)
            if (which != SIZE_MAX) return true;
    }
    return false;
}

sonde_status rebuild_reference_open(rebuild *r, const value *args, sonde_result *out, sonde_error *err) {
    if (!*args[REBUILD_AGAINST].text) return SONDE_OK;
    SONDE_TRY(sonde_array_file_open(&r->file, args[REBUILD_AGAINST].text, err));
    SONDE_TRY(find_run(r, err));
    SONDE_FAIL_IF(r->reference.n_edits, err, SONDE_UNSUPPORTED, "against: the reference is of a run with edits, rebuild "
                  "walks through the plain run; `sonde verify` runs the edits too");
    SONDE_FAIL_IF(!has_any(r), err, SONDE_FORMAT,
                  "against: the reference has no value of these stages, nothing would be compared");
    if (same_run(r) && r->reference.types) r->prompt.types = r->reference.types;
    const char *maker = sonde_array_file_note(r->file, "sonde");
    if (maker && strcmp(maker, "reference") != 0)
        sonde_result_note(out, "the reference was written by sonde itself: it can say that two runs agree, not that they "
                          "are right");
    replay_warn(&r->reference, r->cx->model, out);
    return SONDE_OK;
}

double *rebuild_official(const rebuild *r, int op) {
    const rebuild_value *v = &r->op[op].value;
    char   name[200], whole[240];
    size_t which = SIZE_MAX;
    if (!r->file || r->reference.position) return NULL;
    for (size_t k = 0; which == SIZE_MAX && rebuild_site(r->op[op].told.site, k, name, sizeof name); k++) {
        snprintf(whole, sizeof whole, "%s%s", r->reference.prefix, name);
        which = sonde_array_file_find(r->file, whole);
    }
    if (which == SIZE_MAX) return NULL;
    const sonde_array_spec *spec = sonde_array_file_spec(r->file, which);
    bool same = spec->rank == v->rank;
    for (int i = 0; i < v->rank && same; i++) same = spec->dim[i] == v->dim[i];
    float  *data = ROOM(float, v->items);
    double *x = ROOM(double, v->items);
    same = same && sonde_array_read(r->file, which, 0, v->items, data, NULL) == SONDE_OK;
    for (int64_t i = 0; i < v->items && same; i++) x[i] = agree_item(data[i]);
    free(data);
    if (same) return x;
    free(x);
    return NULL;
}

static const rebuild_compared NOTHING = { .ok = true, .worst = (double)NAN, .mean = (double)NAN, .cosine = (double)NAN };

rebuild_compared rebuild_compare_tokens(const rebuild *r, bool target) {
    rebuild_compared c = NOTHING;
    c.found = r->file != NULL;
    if (c.found) c.ok = same_tokens(r, target);
    return c;
}

static sonde_status compare_tensor(const rebuild *r, const rebuild_value *v, size_t which, rebuild_compared *out,
                                   sonde_error *err) {
    const replay *x = &r->reference;
    int64_t       here, there;
    agreement a = agree_new(r->file, which, false);
    sonde_view view = { .axes = v->axes, .rank = v->rank, .data = v->data };
    int64_t   *row_of = ROOM(int64_t, x->n);
    memcpy(view.dim, v->dim, sizeof view.dim);
    for (int64_t i = 0; i < x->n; i++) row_of[i] = -1;
    for (int64_t i = 0; i < x->n_position; i++) row_of[x->position[i]] = i;
    a.row_of = x->position ? row_of : NULL;
    rebuild_tokens(r, v->of_target, &here);
    official_tokens(r, v->of_target, &there);
    a.rows = x->position ? x->n_position : there;
    sonde_status s = SONDE_OK;
    if (here == there) s = agree_view(&a, &view, 0, err);
    else a.other_shape = true;
    free(row_of);
    SONDE_TRY(s);
    const bool compared = a.count && !a.other_shape, holds = agree_holds(&a);
    if (out->found && holds && !(compared && a.worst > out->worst)) return SONDE_OK;   /* the worst of several names */
    out->found = true;
    out->ok &= holds;
    out->worst = compared ? a.worst : (double)NAN;
    out->mean = compared && a.finite ? a.sum / (double)a.finite : (double)NAN;
    out->cosine = compared ? agree_cosine(&a) : (double)NAN;
    out->allowed = agree_allowed(&a);
    return SONDE_OK;
}

sonde_status rebuild_compare(const rebuild *r, const rebuild_stage *s, rebuild_compared *out, sonde_error *err) {
    size_t which;
    *out = NOTHING;
    for (size_t k = 0; r->file && tensor_of(r, s, k, &which); k++)
        if (which != SIZE_MAX) SONDE_TRY(compare_tensor(r, &r->op[s->op].value, which, out, err));
    return SONDE_OK;
}
