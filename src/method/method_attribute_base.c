/* b: what the site has where the token embeddings are those of tokens that are not there. */
#include "method_attribute.h"
#include "room.h"
#include <inttypes.h>
#include <stdio.h>

/* ---- one row for any token ---- */

static void keep_row(void *user, int64_t i, const float *row) {
    attribution *a = user;
    (void)i;
    memcpy(a->baseline, row, (size_t)a->wide * sizeof *row);
}

typedef struct { attribution *a; double *sum; } vocabulary_run;

static void see_row(void *user, int64_t i, const float *row) {
    const vocabulary_run *r = user;
    for (int64_t j = 0; j < r->a->wide; j++) r->sum[j] += (double)row[j];
    if (r->a->vocabulary) memcpy(r->a->vocabulary + i * r->a->wide, row, (size_t)r->a->wide * sizeof *row);
}

static sonde_status read_vocabulary(attribution *a, bool mean, sonde_error *err) {
    int32_t *ids = ROOM(int32_t, a->v);
    vocabulary_run r = { a, ROOM(double, a->wide) };
    for (int32_t i = 0; i < a->v; i++) ids[i] = i;
    const sonde_status s = attribute_embeddings(a, ids, a->v, see_row, &r, err);
    for (int64_t j = 0; j < a->wide && mean; j++) a->baseline[j] = (float)(r.sum[j] / (double)a->v);
    free(ids);
    free(r.sum);
    return s;
}

static sonde_status baseline_token(const attribution *a, const char *text, int32_t *out, sonde_error *err) {
    char *end;
    if (text[0] != '#') {
        const sonde_status s = sonde_token_single(a->cx->model, text, strlen(text), out, err);
        return s == SONDE_OK ? s : sonde_fail_at(err, s, "baseline");
    }
    const long id = strtol(text + 1, &end, 10);
    SONDE_FAIL_IF(end == text + 1 || *end || id < 0 || id >= a->v, err, SONDE_USAGE, "baseline: found \"%.40s\", expected #0 to #%" PRId64,
                  text, a->v - 1);
    *out = (int32_t)id;
    return SONDE_OK;
}

static sonde_status baseline_pad(attribution *a, sonde_error *err) {
    a->baseline_id = sonde_model_describe(a->cx->model)->pad;
    SONDE_FAIL_IF(a->baseline_id < 0, err, SONDE_USAGE,
                  "baseline: the model has no padding token, expected zero, mean, the text of a token, or #ID");
    return SONDE_OK;
}

sonde_status attribute_baseline(attribution *a, const char *text, sonde_error *err) {
    if (!*text) text = a->kind == ANSWERS_NEXT ? "zero" : "pad";
    const bool mean = !strcmp(text, "mean"), pad = !strcmp(text, "pad"), token = !mean && !pad && strcmp(text, "zero") != 0;
    a->baseline = ROOM(float, a->wide);
    a->baseline_id = -1;
    if (pad) SONDE_TRY(baseline_pad(a, err));
    a->keeps_frame = pad;
    if (token) SONDE_TRY(baseline_token(a, text, &a->baseline_id, err));
    if (a->cx->dry_run) return SONDE_OK;
    if (a->asked[WAY_DISCRETISED]) a->vocabulary = ROOM(float, a->v * a->wide);
    if (mean || a->vocabulary) SONDE_TRY(read_vocabulary(a, mean, err));
    return a->baseline_id >= 0 ? attribute_embeddings(a, &a->baseline_id, 1, keep_row, a, err) : SONDE_OK;
}

/* ---- at every position of the site ---- */

static sonde_status take_base(const sonde_answer *x, void *user, sonde_error *err) {
    (void)err;
    const attribution *a = user;
    memcpy(a->b + x->first * a->d, x->value.data, (size_t)(x->value.dim[0] * a->d) * sizeof(float));
    return SONDE_OK;
}

sonde_status attribute_make_base(attribution *a, sonde_error *err) {
    float *row = ROOM(float, a->n * a->wide);
    for (int64_t t = 0; t < a->n; t++)
        memcpy(row + t * a->wide, a->keeps_frame && attribute_in_frame(a, a->tokens[t]) ? a->embedded + t * a->wide : a->baseline,
               (size_t)a->wide * sizeof *row);
    if (!strcmp(a->site, "hook_embed")) {
        memcpy(a->b, row, (size_t)(a->n * a->wide) * sizeof *row);
        free(row);
        return SONDE_OK;
    }
    char text[64];
    sonde_edit *set = NULL;
    snprintf(text, sizeof text, "set:hook_embed[0:%" PRId64 "]=value/0", a->n);
    sonde_status s = sonde_edit_of_values(&set, a->cx->model, text, (sonde_values){ row, 2, { a->n, a->wide } }, err);
    if (s == SONDE_OK)
        s = attribute_look_at(a, &(attribute_look){ .site = a->site, .edit = &set, .n_edits = 1, .fn = take_base, .user = a }, err);
    sonde_edit_free(set);
    free(row);
    return s;
}
