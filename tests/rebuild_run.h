/* rebuild_run.h - `rebuild` on a golden model with its capture's tokens, and what it left read back. */
#ifndef REBUILD_RUN_H
#define REBUILD_RUN_H
#include "method_run.h"
#include "method/method_rebuild.h"
#include "scratch.h"
#include <math.h>

#define GOLDEN SONDE_SOURCE_DIR "/tests/golden/"

/* ---- prompts of a capture ---- */

static inline void ids_of(method_run *r, const sonde_array_file *f, const char *tensor, sonde_tokens *t) {
    const size_t at = sonde_array_file_find(f, tensor);
    sonde_tokens_free(t);
    *t = (sonde_tokens){ 0 };
    if (at == SIZE_MAX) return;
    const int64_t n = sonde_array_file_spec(f, at)->dim[0];
    int64_t *wide = calloc((size_t)n, sizeof *wide);
    *t = (sonde_tokens){ .n = n, .id = calloc((size_t)n, sizeof *t->id) };
    if (sonde_array_read_int(f, at, 0, n, wide, &r->err)) FAIL_("%s", r->err.message);
    for (int64_t i = 0; i < n; i++) t->id[i] = (int32_t)wide[i];
    free(wide);
}

static inline void tokens_of(method_run *r, const char *capture, const char *tensor) {
    sonde_array_file *f;
    if (sonde_array_file_open(&f, capture, &r->err)) FAIL_("%s", r->err.message);
    ids_of(r, f, tensor, &r->prompt[0].tokens);
    ids_of(r, f, "target", &r->prompt[0].target);
    r->cx.n_prompts = 1;
    sonde_array_file_close(f);
}

static inline method_run *open_golden(const char *model, const char *capture) {
    method_run *r = run_open(model);
    tokens_of(r, capture, "tokens");
    return r;
}

static inline size_t stage_of(const sonde_table *t, const char *title) {
    for (size_t i = 0; i < t->rows; i++)
        if (!strcmp(run_text(t, i, "title"), title)) return i;
    FAIL_("no stage %s", title);
}

/* max(1, max |value|) of the stage in row i; stages of tokens have no numbers. */
static inline double size_of(const method_run *r, size_t i) {
    const sonde_table *t = run_table(r, "numbers"), *stages = run_table(r, "stages");
    size_t at = 0;
    while (run_int(t, at, "stage") != run_int(stages, i, "stage")) at++;
    return fmax(1, fmax(fabs(run_float(t, at, "min")), fabs(run_float(t, at, "max"))));
}

static inline bool is_ok(const sonde_table *t, size_t i) { return table_at(t, i, run_column(t, "ok")).b; }

/* ---- official captures ---- */

static inline void check_model(const char *name, const char *model) {
    char capture[400];
    snprintf(capture, sizeof capture, GOLDEN "%s/plain.safetensors", name);
    method_run *r = open_golden(model, capture);
    RUN_OK(r, "rebuild", "against", capture, NULL);
    const sonde_table *t = run_table(r, "stages");
    for (size_t i = 0; i < t->rows; i++) {
        CHECK_EQ(run_int(t, i, "stage"), (long long)i + 1);
        CHECK(is_ok(t, i));
        if (!strcmp(run_text(t, i, "operation"), "tokenize")) continue;
        const double size = size_of(r, i);
        CHECK(run_float(t, i, "recomputed_max_diff") <= 2e-6 * size);
        CHECK(run_float(t, i, "against_max_diff") <= 1e-5 * size);
        CHECK(run_float(t, i, "against_mean_diff") <= run_float(t, i, "against_max_diff"));
        CHECK(run_float(t, i, "cosine") > 0.99999);
        CHECK(run_float(t, i, "alone_max_diff") <= 1e-5 * size);
    }
    CHECK_STR(run_text(t, 0, "title"), "tokens");
    CHECK_STR(run_text(t, 1, "title"), "token embedding");
    run_close(r);
}

/* ---- what was exported ---- */

static inline float *npy(const char *path, int64_t n) {
    sonde_array_file *f;
    sonde_error err = { 0 };
    if (sonde_array_file_open(&f, path, &err)) FAIL_("%s", err.message);
    CHECK_EQ(agree_items(sonde_array_file_spec(f, 0)), n);
    float *x = calloc((size_t)n, sizeof *x);
    CHECK_EQ(sonde_array_read(f, 0, 0, n, x, &err), SONDE_OK);
    sonde_array_file_close(f);
    return x;
}

static inline void check_weights(method_run *r, const char *folder) {
    for (size_t i = 0; i < sonde_model_weights(r->model); i++) {
        sonde_weight_info w;
        char    path[900];
        int64_t n = 1;
        sonde_model_weight(r->model, i, &w);
        for (int k = 0; k < w.rank; k++) n *= w.dim[k];
        float *want = calloc((size_t)n, sizeof *want);
        CHECK_EQ(sonde_model_weight_read(r->model, i, want, &r->err), SONDE_OK);
        snprintf(path, sizeof path, "%s/weights/%s.npy", folder, w.name);
        float *is = npy(path, n);
        CHECK(!memcmp(want, is, (size_t)n * sizeof *is));
        free(want);
        free(is);
    }
}

/* A folder in a folder is more than scratch_end takes away. */
static inline void drop_export(const char *folder) {
    static const char *const part[] = { "weights", "stages", "." };
    char path[900];
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, part[i]);
        scratch_empty(path, 0);
    }
    rmdir(folder);
}
#endif
