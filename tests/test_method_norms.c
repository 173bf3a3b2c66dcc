/* norms against transformers in float64 (tools/truth/norms.py), and writes that are known because they were edited. */
#include "method_run.h"
#include "truth.h"
#include <math.h>

enum { DOCUMENTS = 6, LAYERS = 4 };

static const struct { const char *name, *se; } figures[] = {
    { "pre_norm", "pre_se" }, { "post_norm", "post_se" }, { "attn_norm", "attn_se" }, { "mlp_norm", "mlp_se" },
    { "attn_ratio", "attn_ratio_se" }, { "mlp_ratio", "mlp_ratio_se" }, { "attn_cosine", "attn_cosine_se" },
    { "mlp_cosine", "mlp_cosine_se" },
};
enum { FIGURES = sizeof figures / sizeof *figures };

/* from: 0 or 1 */
static void compare(method_run *r, const json *all, size_t from) {
    const sonde_table *t = run_table(r, "layers");
    CHECK_EQ(run_rows(t), LAYERS);
    for (size_t l = 0; l < LAYERS; l++)
        for (size_t f = 0; f < FIGURES; f++) {
            double sum[DOCUMENTS], n[DOCUMENTS], s = 0, rows = 0, squares = 0;
            for (size_t i = 0; i < DOCUMENTS; i++) {
                const json *d = truth_at(all, i);
                sum[i] = truth_item(truth_of(truth_at(truth_of(d, "layers"), l), figures[f].name), from);
                n[i] = truth_number(d, "tokens") - (double)from;
                s += sum[i];
                rows += n[i];
            }
            for (size_t i = 0; i < DOCUMENTS; i++) squares += (sum[i] - s / rows * n[i]) * (sum[i] - s / rows * n[i]);
            const double want = s / rows, se = sqrt(squares * DOCUMENTS / (DOCUMENTS - 1)) / rows;
            CHECK_NEAR(run_float(t, l, figures[f].name), want, 2e-6 * fmax(1, fabs(want)));
            CHECK_NEAR(run_float(t, l, figures[f].se), se, 2e-6 * fmax(1, se));
            CHECK_EQ(run_int(t, l, "tokens"), (int64_t)rows);
        }
}

static void figures_equal_transformers(void) {
    const truth t = truth_open("norms");
    method_run *r = run_open(NULL);
    run_held_out(r, DOCUMENTS);
    RUN_OK(r, "norms", NULL);
    compare(r, t.all, 0);
    CHECK_EQ(run_rows(run_table(r, "curves")), LAYERS * FIGURES);
    RUN_OK(r, "norms", "from", "1", NULL);
    compare(r, t.all, 1);
    run_close(r);
    truth_close(t);
}

static void edits_reach_the_writes(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    RUN_OK(r, "norms", NULL);
    const double attn = run_float(run_table(r, "layers"), 3, "attn_norm");
    const double cosine = run_float(run_table(r, "layers"), 3, "attn_cosine");
    CHECK(run_null(run_table(r, "layers"), 0, "mlp_se"));
    CHECK_EQ(run_int(run_table(r, "layers"), 0, "tokens"), 14);
    run_edit(r, "scale:blocks.3.hook_attn_out=-2");
    run_edit(r, "zero:blocks.3.hook_mlp_out");
    RUN_OK(r, "norms", "layers", "3", NULL);
    const sonde_table *t = run_table(r, "layers");
    CHECK_EQ(run_rows(t), 1);
    CHECK_NEAR(run_float(t, 0, "attn_norm"), 2 * attn, 1e-9);
    CHECK_NEAR(run_float(t, 0, "attn_cosine"), -cosine, 1e-12);
    CHECK(run_float(t, 0, "mlp_norm") == 0 && run_float(t, 0, "mlp_ratio") == 0 && run_null(t, 0, "mlp_cosine"));
    CHECK_NEAR(run_float(t, 0, "depth"), 1, 1e-12);
    run_close(r);
}

static void plans_are_followed(void) {
    method_run *r = run_open(NULL);
    run_held_out(r, 2);
    run_edit(r, "skip:blocks.1");
    run_edit(r, "repeat:blocks.2=2");
    run_edit(r, "skip:blocks.3.mlp");
    RUN_OK(r, "norms", NULL);
    const sonde_table *t = run_table(r, "layers");
    CHECK_EQ(run_rows(t), 4);
    CHECK_STR(run_text(t, 2, "block"), "2r1");
    CHECK_EQ(run_int(t, 2, "layer"), 2);
    CHECK_NEAR(run_float(t, 2, "depth"), 2 / 3.0, 1e-12);
    CHECK(run_float(t, 1, "post_norm") == run_float(t, 2, "pre_norm"));
    CHECK(run_null(t, 3, "mlp_norm") && !run_null(t, 3, "attn_norm"));
    CHECK_EQ(run_method(r, "norms", "layers", "1", NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "skipped");
    run_close(r);
}

static void what_cannot_be_is_said(void) {
    method_run *r = run_open(NULL);
    run_held_out(r, 2);
    CHECK_EQ(run_method(r, "norms", "from", "96", NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "from: 96, and no document is longer");
    CHECK_EQ(run_method(r, "norms", "from", "-1", NULL), SONDE_USAGE);
    CHECK_EQ(run_method(r, "norms", "layers", "4", NULL), SONDE_USAGE);
    r->cx.dry_run = true;
    RUN_OK(r, "norms", NULL);
    CHECK_EQ(run_int(run_table(r, "cost"), 0, "runs"), 2);
    run_close(r);
}

#define TESTS(T) T(figures_equal_transformers) T(edits_reach_the_writes) T(plans_are_followed) T(what_cannot_be_is_said)
TEST_MAIN(TESTS)
