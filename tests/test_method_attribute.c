/* Attributions against torch, transformers and scikit-learn (tools/truth/attribute.py, tests/truth/attribute.safetensors). */
#include "method_run.h"

#define SHORT_PROMPT "The hat is red and the cup"
#define TINY_METRIC  "logit(#11)-logit(#40)+2*logit(#8,3)"

typedef struct { float *x; int64_t n; } truth;

static truth truth_of(const char *name) {
    sonde_array_file *f;
    sonde_error err = { 0 };
    if (sonde_array_file_open(&f, SONDE_SOURCE_DIR "/tests/truth/attribute.safetensors", &err)) FAIL_("%s", err.message);
    const size_t at = sonde_array_file_find(f, name);
    if (at == SIZE_MAX) FAIL_("no truth %s", name);
    const sonde_array_spec *s = sonde_array_file_spec(f, at);
    truth t = { NULL, 1 };
    for (int i = 0; i < s->rank; i++) t.n *= s->dim[i];
    t.x = calloc((size_t)t.n, sizeof *t.x);
    if (!t.x || sonde_array_read(f, at, 0, t.n, t.x, &err)) FAIL_("%s", err.message);
    sonde_array_file_close(f);
    return t;
}

/* Beside the largest of them: a score may be near 0. */
static void check_values(const char *name, const double *got, int64_t n, double tolerance) {
    truth t = truth_of(name);
    double most = 0;
    CHECK_EQ(n, t.n);
    for (int64_t i = 0; i < n; i++) most = fmax(most, fabs((double)t.x[i]));
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(got[i] - (double)t.x[i]) <= tolerance * most))
            FAIL_("%s[%d] is %.9g, expected %.9g", name, (int)i, got[i], (double)t.x[i]);
    free(t.x);
}

static void check_column(const method_run *r, const char *column, const char *name, double tolerance) {
    const sonde_table *t = run_table(r, "tokens");
    double got[64];
    for (size_t i = 0; i < t->rows; i++) got[i] = run_float(t, i, column);
    check_values(name, got, (int64_t)t->rows, tolerance);
}

static void check_array(const method_run *r, const char *array, const char *name, double tolerance) {
    const sonde_array *a = result_array(r->out, array);
    double got[4096];
    int64_t n = 1;
    CHECK(a && a->rank == 3);
    CHECK_STR(a->axis[0], "layer");
    for (int i = 0; i < 3; i++) n *= a->dim[i];
    for (int64_t i = 0; i < n; i++) got[i] = (double)a->data[i];
    check_values(name, got, n, tolerance);
}

/* F(x) and F(baseline) of the tables. */
static void check_ends(const method_run *r, const char *name) {
    const sonde_table *t = run_table(r, "metric");
    check_values(name, (double[]){ run_float(t, 0, "f_x"), run_float(t, 0, "f_baseline") }, 2, 1e-5);
}

static method_run *open_demo(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    return r;
}

static method_run *open_tiny(void) {
    method_run *r = run_open(SONDE_SOURCE_DIR "/tests/golden/three");
    truth t = truth_of("three/tokens");
    int32_t *ids = calloc((size_t)t.n, sizeof *ids);
    for (int64_t i = 0; i < t.n; i++) ids[i] = (int32_t)t.x[i];
    r->prompt[0] = (method_prompt){ .tokens = { .n = t.n, .id = ids } };
    r->cx.n_prompts = 1;
    free(t.x);
    return r;
}

static void integrated_gradients(void) {
    method_run *r = open_demo();
    RUN_OK(r, "attribute", NULL);
    CHECK_STR(run_columns(run_table(r, "tokens")), "position token score share");
    check_column(r, "score", "demo/ig", 1e-5);
    check_ends(r, "demo/ends");
    RUN_OK(r, "attribute", "rule", "trapezoid", NULL);
    check_column(r, "score", "demo/ig-trapezoid", 1e-5);
    RUN_OK(r, "attribute", "baseline", "mean", NULL);
    check_column(r, "score", "demo/mean", 1e-4);
    RUN_OK(r, "attribute", "baseline", " the", NULL);
    check_column(r, "score", "demo/token", 1e-5);
    run_close(r);
}

static void one_after_the_other(void) {
    method_run *r = open_demo();
    RUN_OK(r, "attribute", "method", "sequential-ig", "steps", "20", NULL);
    check_column(r, "score", "demo/sequential", 1e-5);
    run_close(r);
}

static void through_real_embeddings(void) {
    method_run *r = open_demo();
    RUN_OK(r, "attribute", "method", "discretised", NULL);
    check_column(r, "score", "demo/discretised", 1e-5);
    RUN_OK(r, "attribute", "method", "discretised", "baseline", " the", "steps", "60", "anchors", "4", "neighbours", "20", NULL);
    check_column(r, "score", "demo/discretised-token", 1e-5);
    run_close(r);
}

static void gradients(void) {
    method_run *r = open_demo();
    RUN_OK(r, "attribute", "method", "gradient", NULL);
    CHECK_STR(run_columns(run_table(r, "tokens")), "position token score share norm sum times_input");
    check_column(r, "norm", "demo/norm", 1e-5);
    check_column(r, "times_input", "demo/times_input", 1e-5);
    check_column(r, "score", "demo/times_input", 1e-5);
    for (size_t i = 0; i < 14; i++) CHECK_NEAR(run_float(run_table(r, "tokens"), i, "sum"), 0, 1e-4);
    run_close(r);
}

/* The truth's edit, under which a gradient's sum is not 0. */
static void edits_hold_while_attributing(void) {
    method_run *r = open_demo();
    run_edit(r, "scale:blocks.0.hook_resid_pre[:,0:80]=2");
    RUN_OK(r, "attribute", "method", "gradient", NULL);
    check_column(r, "norm", "edited/norm", 1e-5);
    check_column(r, "sum", "edited/sum", 1e-5);
    check_column(r, "times_input", "edited/times_input", 1e-5);
    RUN_OK(r, "attribute", NULL);
    check_column(r, "score", "edited/ig", 1e-5);
    run_close(r);
}

static void tokens_left_out(void) {
    method_run *r = open_demo();
    RUN_OK(r, "attribute", "method", "occlusion", NULL);
    check_column(r, "score", "demo/occlusion", 1e-5);
    RUN_OK(r, "attribute", "method", "occlusion", "window", "3", NULL);
    check_column(r, "score", "demo/occlusion-3", 1e-5);
    run_close(r);
}

static void attention_alone(void) {
    method_run *r = open_demo();
    RUN_OK(r, "attribute", "method", "value-zeroing,rollout", NULL);
    check_array(r, "rollout", "demo/rollout", 1e-5);
    check_array(r, "value_zeroing", "demo/value_zeroing", 1e-5);
    check_array(r, "value_zeroing_rollout", "demo/value_zeroing_rollout", 1e-4);
    const sonde_table *t = run_table(r, "tokens"), *z = run_table(r, "zeroing");
    const sonde_array *rolled = result_array(r->out, "rollout"), *moved = result_array(r->out, "value_zeroing");
    for (size_t i = 0; i < 14; i++) CHECK_NEAR(run_float(t, 14 + i, "score"), (double)rolled->data[(3 * 14 + 13) * 14 + (int64_t)i], 1e-7);
    CHECK_EQ(run_rows(z), 4 * 14);
    CHECK_STR(run_text(z, 14, "site"), "blocks.1.hook_resid_post");
    for (size_t i = 0; i < 14; i++) CHECK_NEAR(run_float(z, 28 + i, "distance"), (double)moved->data[(2 * 14 + 13) * 14 + (int64_t)i], 0);
    RUN_OK(r, "attribute", "method", "rollout", "position", "4", NULL);
    rolled = result_array(r->out, "rollout");
    for (size_t i = 0; i < 14; i++)
        CHECK_NEAR(run_float(run_table(r, "tokens"), i, "score"), (double)rolled->data[(3 * 14 + 4) * 14 + (int64_t)i], 1e-7);
    run_close(r);
}

static void a_surrogate(void) {
    method_run *r = open_demo();
    r->cx.seed = 3;
    RUN_OK(r, "attribute", "method", "lime", "samples", "300", NULL);
    check_column(r, "score", "demo/lime", 1e-5);
    const sonde_table *t = run_table(r, "fit");
    check_values("demo/lime-fit", (double[]){ run_float(t, 0, "intercept"), run_float(t, 0, "r2") }, 2, 1e-5);
    run_close(r);
}

static void shapley_values(void) {
    method_run *r = open_demo();
    r->cx.seed = 3;
    RUN_OK(r, "attribute", "method", "kernel-shap", "samples", "201", NULL);
    check_column(r, "score", "demo/shap-drawn", 1e-5);
    run_close(r);
    r = run_open(NULL);
    run_prompt(r, SHORT_PROMPT);
    RUN_OK(r, "attribute", "method", "kernel-shap", NULL);
    check_column(r, "score", "short/shapley", 1e-5);
    check_ends(r, "short/ends");
    run_close(r);
}

/* Another model, another baseline, a metric of three terms at two positions. */
static void a_tiny_model(void) {
    static const struct { const char *method, *rule, *steps, *column, *truth; } cases[] = {
        { "ig", "gauss-legendre", "50", "score", "three/ig" },
        { "ig", "trapezoid", "21", "score", "three/ig-trapezoid" },
        { "sequential-ig", "trapezoid", "21", "score", "three/sequential" },
        { "gradient", "trapezoid", "21", "norm", "three/norm" },
        { "gradient", "trapezoid", "21", "times_input", "three/times_input" },
        { "occlusion", "trapezoid", "21", "score", "three/occlusion" },
        { "kernel-shap", "trapezoid", "21", "score", "three/shapley" },
    };
    method_run *r = open_tiny();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        RUN_OK(r, "attribute", "method", cases[i].method, "rule", cases[i].rule, "steps", cases[i].steps, "baseline", "#5", "window",
               "2", "metric", TINY_METRIC, NULL);
        check_column(r, cases[i].column, cases[i].truth, 1e-5);
        check_ends(r, "three/ends");
    }
    RUN_OK(r, "attribute", "method", "value-zeroing,rollout", NULL);
    check_array(r, "rollout", "three/rollout", 1e-5);
    check_array(r, "value_zeroing", "three/value_zeroing", 1e-5);
    run_close(r);
}

#define TESTS(T) \
    T(integrated_gradients) T(one_after_the_other) T(through_real_embeddings) T(gradients) T(edits_hold_while_attributing) \
    T(tokens_left_out) T(attention_alone) T(a_surrogate) T(shapley_values) T(a_tiny_model)
TEST_MAIN(TESTS)
