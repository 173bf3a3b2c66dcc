/* cka against whole matrices of samples in numpy (tools/truth/cka.py), and what the measure must not see. */
#include "method/cka.h"
#include "method_run.h"
#include "truth.h"
#include <math.h>

enum { LAYERS = 4 };

static void compare(const sonde_result *out, const json *want) {
    const sonde_array *a = result_array(out, "cka");
    CHECK(a && a->rank == 2 && a->dim[0] == LAYERS && a->dim[1] == LAYERS);
    for (size_t i = 0; i < LAYERS; i++)
        for (size_t k = 0; k < LAYERS; k++)
            CHECK_NEAR((double)a->data[i * LAYERS + k], truth_item(truth_at(want, i), k), 1e-6);
}

static void last_tokens_equal_numpy(void) {
    const truth t = truth_open("cka");
    method_run *r = run_open(NULL);
    run_held_out(r, 12);
    RUN_OK(r, "cka", NULL);
    compare(r->out, truth_of(t.all, "last"));
    const sonde_table *pairs = run_table(r, "layers");
    CHECK_EQ(run_rows(pairs), 6);
    CHECK_STR(run_text(pairs, 3, "site_a"), "blocks.1.hook_resid_post");
    CHECK_EQ(run_int(pairs, 3, "layer_b"), 2);
    CHECK_NEAR(run_float(pairs, 3, "cka"), truth_item(truth_at(truth_of(t.all, "last"), 1), 2), 1e-6);
    run_close(r);
    truth_close(t);
}

static void all_tokens_equal_numpy(void) {
    const truth t = truth_open("cka");
    method_run *r = run_open(NULL);
    run_held_out(r, 4);
    RUN_OK(r, "cka", "at", "all", NULL);
    compare(r->out, truth_of(t.all, "all"));
    run_close(r);
    truth_close(t);
}

/* ---- the measure alone ---- */

enum { N = 40, WIDTH = 3 };

static void no_progress(void *user, const char *what, int64_t done, int64_t all) {
    (void)user, (void)what, (void)done, (void)all;
}

static const sonde_context quiet = { .progress = no_progress };

static void draw(double *x, uint64_t stream) {
    for (uint64_t i = 0; i < N * WIDTH; i++) x[i] = sonde_random_unit(3, stream, i) - 0.5;
}

static double alignment(const double *a, const double *b) {
    double x[N * WIDTH], y[N * WIDTH], out[4];
    memcpy(x, a, sizeof x);
    memcpy(y, b, sizeof y);
    CHECK_EQ(cka_matrix(&quiet, (cka_view[]){ { x, WIDTH }, { y, WIDTH } }, 2, N, out, NULL), SONDE_OK);
    CHECK(out[1] == out[2] || (isnan(out[1]) && isnan(out[2])));
    return out[1];
}

static void small_samples_equal_numpy(void) {
    const truth t = truth_open("cka");
    const json *views = truth_of(truth_of(t.all, "small"), "views"), *want = truth_of(truth_of(t.all, "small"), "cka");
    double   x[3][6 * 3], out[9];
    cka_view view[3];
    for (size_t v = 0; v < 3; v++) {
        const size_t width = truth_at(truth_at(views, v), 0)->len;
        view[v] = (cka_view){ x[v], (int64_t)width };
        for (size_t i = 0; i < 6; i++)
            for (size_t c = 0; c < width; c++) x[v][i * width + c] = truth_item(truth_at(truth_at(views, v), i), c);
    }
    CHECK_EQ(cka_matrix(&quiet, view, 3, 6, out, NULL), SONDE_OK);
    for (size_t i = 0; i < 9; i++) CHECK_NEAR(out[i], truth_item(truth_at(want, i / 3), i % 3), 1e-8);
    truth_close(t);
}

/* Turned, scaled and moved: the same. Stretched along one axis: not. */
static void turning_and_scaling_is_not_seen(void) {
    double a[N * WIDTH], b[N * WIDTH];
    draw(a, 0);
    CHECK_NEAR(alignment(a, a), 1, 1e-12);
    const double c = cos(0.7), s = sin(0.7);
    for (size_t i = 0; i < N; i++) {
        const double *p = a + i * WIDTH;
        b[i * WIDTH] = 5 * (c * p[0] - s * p[1]) + 100;
        b[i * WIDTH + 1] = 5 * (s * p[0] + c * p[1]) - 7;
        b[i * WIDTH + 2] = -5 * p[2];
    }
    CHECK_NEAR(alignment(a, b), 1, 1e-12);
    for (size_t i = 0; i < N; i++) b[i * WIDTH] *= 4;
    CHECK(alignment(a, b) < 0.95);
}

/* Unbiased: over many draws the mean of what has nothing in common is 0, some are below. */
static void strangers_are_at_zero(void) {
    double a[N * WIDTH], b[N * WIDTH], sum = 0;
    int below = 0;
    for (uint64_t k = 0; k < 300; k++) {
        draw(a, 2 * k);
        draw(b, 2 * k + 1);
        const double v = alignment(a, b);
        sum += v;
        below += v < 0;
    }
    CHECK_NEAR(sum / 300, 0, 0.01);
    CHECK(below > 100);
    for (int k = 1; k < 50; k++) {          /* what does not vary has no alignment, whatever its mean rounds to */
        for (size_t i = 0; i < N * WIDTH; i++) b[i] = k / 7.0;
        CHECK(isnan(alignment(a, b)));
    }
}

/* A model whose blocks 2 and 3 write nothing sees the same behind 1, 2 and 3. */
static void layers_without_writes_are_the_same(void) {
    method_run *r = run_open(NULL);
    run_held_out(r, 8);
    run_edit(r, "zero:blocks.2-3.hook_attn_out");
    run_edit(r, "zero:blocks.2-3.hook_mlp_out");
    RUN_OK(r, "cka", NULL);
    const sonde_table *t = run_table(r, "layers");
    CHECK_NEAR(run_float(t, 3, "cka"), 1, 1e-12);
    CHECK_NEAR(run_float(t, 5, "cka"), 1, 1e-12);
    CHECK(run_float(t, 0, "cka") < 0.9999);
    RUN_OK(r, "cka", "site", "hook_mlp_out", NULL);
    t = run_table(r, "layers");
    CHECK(run_null(t, 5, "cka") && run_null(t, 1, "cka") && !run_null(t, 0, "cka"));
    run_close(r);
}

static bool stop_in_samples(void *user) { return *(int *)user > 0; }
static void see_samples(void *user, const char *what, int64_t done, int64_t all) {
    (void)done, (void)all;
    *(int *)user += !strcmp(what, "samples");
}

/* The matrix is the long part where there are many samples. */
static void an_interruption_ends_the_matrix(void) {
    int seen = 0;
    method_run *r = run_open(NULL);
    run_held_out(r, 6);
    r->cx.progress = see_samples;
    r->cx.progress_user = &seen;
    sonde_session_stop_when(r->cx.session, stop_in_samples, &seen);
    CHECK_EQ(run_method(r, "cka", NULL), SONDE_CANCELLED);
    CHECK(seen > 0 && seen < 6 && result_table(r->out, "layers") == NULL);
    run_close(r);
}

static void what_cannot_be_is_said(void) {
    method_run *r = run_open(NULL);
    run_held_out(r, 3);
    CHECK_EQ(run_method(r, "cka", NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "3 documents, expected at least 4");
    CHECK_EQ(run_method(r, "cka", "at", "first", NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "at: \"first\", expected last or all");
    run_held_out(r, 1);
    CHECK_EQ(run_method(r, "cka", "site", "hook_pattern", NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "expected a site with t in front");
    CHECK_EQ(run_method(r, "cka", "site", "hook_nothing", NULL), SONDE_USAGE);
    CHECK_EQ(run_method(r, "cka", "site", "hook_embed", NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "site: hook_embed is one site");
    RUN_OK(r, "cka", "site", "attn.hook_z", NULL);
    CHECK_EQ(run_rows(run_table(r, "layers")), 6);
    r->cx.dry_run = true;
    RUN_OK(r, "cka", NULL);
    CHECK_EQ(run_int(run_table(r, "cost"), 0, "runs"), 4);
    run_close(r);
}

#define TESTS(T) \
    T(last_tokens_equal_numpy) T(all_tokens_equal_numpy) T(small_samples_equal_numpy) T(turning_and_scaling_is_not_seen) \
    T(strangers_are_at_zero) T(layers_without_writes_are_the_same) T(an_interruption_ends_the_matrix) T(what_cannot_be_is_said)
TEST_MAIN(TESTS)
