/* What must hold of attributions whatever the model: completeness, closed forms, steps, targets, errors; the rules of
 * quadrature and of ranks against numpy and scipy (tests/truth/rules.h). */
#include "method/quadrature.h"
#include "method/rank_agreement.h"
#include "method_run.h"
#include "truth/rules.h"
#include <time.h>

#define SHORT_PROMPT "The hat is red and the cup"

static method_run *open_demo(const char *prompt) {
    method_run *r = run_open(NULL);
    run_prompt(r, prompt);
    return r;
}

/* ---- rules ---- */

static double seconds(void) {
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void gauss_and_legendre(void) {
    static const struct { int64_t n; const double *at, *weight; } rules[] = {
        { 1, legendre_at_1, legendre_weight_1 }, { 2, legendre_at_2, legendre_weight_2 },
        { 5, legendre_at_5, legendre_weight_5 }, { 50, legendre_at_50, legendre_weight_50 },
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        double at[50], weight[50];
        quadrature_gauss_legendre(rules[i].n, at, weight);
        for (int64_t k = 0; k < rules[i].n; k++) {
            CHECK_NEAR(at[k], rules[i].at[k], 1e-15);
            CHECK_NEAR(weight[k], rules[i].weight[k], 2e-15);       /* numpy's own error at 50 points: 1.4e-15 */
        }
    }
    double at[5], weight[5], sum = 0;
    quadrature_gauss_legendre(5, at, weight);
    for (int k = 0; k < 5; k++) sum += weight[k] * pow(at[k], 9);
    CHECK_NEAR(sum, 0.1, 1e-15);
    static double many[3000], share[3000];              /* as many turns for each node as it needs, and no more */
    const double start = seconds();
    quadrature_gauss_legendre(3000, many, share);
    CHECK(seconds() - start < 10);
    for (int k = 0; k < 3000; k++) sum += share[k] * exp(many[k]);
    CHECK_NEAR(sum, 0.1 + exp(1) - 1, 1e-13);
}

static void trapezoids(void) {
    double at[7], weight[7];
    quadrature_trapezoid(7, at, weight);
    for (int k = 0; k < 7; k++) {
        CHECK_NEAR(at[k], trapezoid_at_7[k], 1e-15);
        CHECK_NEAR(weight[k], trapezoid_weight_7[k], 1e-15);
    }
}

static void ranks(void) {
    static const double *const list[] = { list_0, list_1, list_2, list_3 };
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            CHECK_NEAR(rank_spearman(list[i], list[j], 9), list_spearman[i * 4 + j], 1e-14);
            CHECK_NEAR(rank_kendall(list[i], list[j], 9), list_kendall[i * 4 + j], 1e-14);
        }
    const double same[] = { 1, 1, 1 }, up[] = { 1, 2, 3 };
    CHECK(isnan(rank_spearman(same, up, 3)) && isnan(rank_kendall(same, up, 3)));
    CHECK(isnan(rank_spearman(up, up, 1)) && isnan(rank_kendall(up, up, 1)));
}

/* ---- what holds of every answer ---- */

static double sum_of(const method_run *r, const char *column) {
    const sonde_table *t = run_table(r, "tokens");
    double sum = 0;
    for (size_t i = 0; i < t->rows; i++) sum += run_float(t, i, column);
    return sum;
}

static void check_completeness(const method_run *r, bool one_by_one) {
    const sonde_table *c = run_table(r, "completeness"), *t = run_table(r, "tokens"), *f = run_table(r, "metric");
    CHECK_EQ(run_rows(c), one_by_one ? 7 : 1);
    CHECK(sonde_result_note_at(r->out, 0) == NULL);
    for (size_t i = 0; i < c->rows; i++) {
        const double whole = run_float(c, i, "f_x") - run_float(c, i, "f_baseline");
        CHECK(run_null(c, i, "position") == !one_by_one);
        CHECK(run_float(c, i, "f_x") == run_float(f, 0, "f_x"));
        CHECK_NEAR(run_float(c, i, "gap"), run_float(c, i, "sum") - whole, 1e-12);
        CHECK_NEAR(run_float(c, i, "sum"), one_by_one ? run_float(t, i, "score") : sum_of(r, "score"), 1e-9);
        CHECK(fabs(run_float(c, i, "gap")) <= 0.01 * fabs(whole));
        CHECK(run_null(c, i, "gap_share") == (whole == 0));
        if (whole != 0) CHECK_NEAR(run_float(c, i, "gap_share"), run_float(c, i, "gap") / fabs(whole), 1e-12);
    }
}

static void scores_sum_to_the_difference(void) {
    static const struct { const char *method, *baseline, *steps, *rule; } cases[] = {
        { "ig", "zero", "50", "gauss-legendre" }, { "ig", "mean", "50", "trapezoid" }, { "ig", " the", "50", "trapezoid" },
        { "ig", "#0", "50", "gauss-legendre" }, { "discretised", "zero", "50", "gauss-legendre" },
        { "discretised", " the", "50", "gauss-legendre" }, { "discretised", "mean", "100", "trapezoid" },
        { "sequential-ig", "zero", "20", "gauss-legendre" }, { "sequential-ig", " the", "50", "trapezoid" },
    };
    method_run *r = open_demo(SHORT_PROMPT);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        RUN_OK(r, "attribute", "method", cases[i].method, "baseline", cases[i].baseline, "steps", cases[i].steps, "rule",
               cases[i].rule, NULL);
        check_completeness(r, cases[i].method[0] == 's');
    }
    run_close(r);
}

static void a_gap_is_said(void) {
    method_run *r = open_demo(DEMO_PROMPT);
    RUN_OK(r, "attribute", "steps", "5", NULL);
    CHECK_NEAR(run_float(run_table(r, "completeness"), 0, "gap_share"), -0.0339, 1e-3);
    CHECK(sonde_result_note_at(r->out, 0) != NULL);
    CHECK_STR(sonde_result_note_at(r->out, 0),
              "ig: the sum misses F(x) - F(baseline) by 3.4 % (table completeness): take more --steps, or another --baseline");
    RUN_OK(r, "attribute", "method", "sequential-ig", "steps", "1", NULL);
    CHECK(sonde_result_note_at(r->out, 0) != NULL);
    CHECK(strstr(sonde_result_note_at(r->out, 0), " % at position "));
    CHECK(sonde_result_note_at(r->out, 1) == NULL);
    run_close(r);
}

/* The " the" at position 5 is the baseline: nothing moves there, in any of the methods that replace tokens or draw paths. */
static void the_baseline_s_own_token_is_nothing(void) {
    static const char *const methods[] = { "ig", "sequential-ig", "discretised", "occlusion" };
    method_run *r = open_demo(SHORT_PROMPT);
    for (int m = 0; m < 4; m++) {
        RUN_OK(r, "attribute", "method", methods[m], "baseline", " the", "steps", "10", NULL);
        for (size_t i = 0; i < 7; i++) CHECK((run_float(run_table(r, "tokens"), i, "score") == 0) == (i == 5));
    }
    run_close(r);
}

static void shapley_values_are_efficient(void) {
    method_run *r = open_demo(DEMO_PROMPT);
    RUN_OK(r, "attribute", "method", "kernel-shap", "samples", "200", NULL);
    const sonde_table *c = run_table(r, "completeness");
    CHECK_NEAR(run_float(c, 0, "sum"), run_float(c, 0, "f_x") - run_float(c, 0, "f_baseline"), 1e-6);
    const double drawn = run_float(run_table(r, "tokens"), 1, "score");
    r->cx.seed = 1;
    RUN_OK(r, "attribute", "method", "kernel-shap", "samples", "200", NULL);
    CHECK(run_float(run_table(r, "tokens"), 1, "score") != drawn);
    CHECK_EQ(run_method(r, "attribute", "method", "kernel-shap", "samples", "4", NULL), SONDE_USAGE);
    CHECK_STR(r->err.message, "kernel-shap: samples: 4 do not determine the values of 14 tokens, expected more");
    run_close(r);
    r = open_demo(" the");
    RUN_OK(r, "attribute", "method", "kernel-shap", NULL);
    CHECK_NEAR(run_float(run_table(r, "tokens"), 0, "score"),
               run_float(run_table(r, "metric"), 0, "f_x") - run_float(run_table(r, "metric"), 0, "f_baseline"), 0);
    run_close(r);
}

/* Draws in pairs converge to the values of all sets: 12 tokens, the last of which F does not see. */
static void drawn_sets_come_near(void) {
    method_run *r = open_demo("The hat is red and the cup is blue. The hat");
    RUN_OK(r, "attribute", "method", "kernel-shap", "samples", "1200", "position", "6", NULL);
    const sonde_table *t = run_table(r, "tokens");
    CHECK(t->rows > 11);
    double far[7];
    for (size_t i = 0; i < 7; i++) far[i] = run_float(t, i, "score");
    for (size_t i = 7; i < t->rows; i++) CHECK_NEAR(run_float(t, i, "score"), 0, 1);
    run_close(r);
    r = open_demo(SHORT_PROMPT);
    RUN_OK(r, "attribute", "method", "kernel-shap", NULL);
    for (size_t i = 0; i < 7; i++) CHECK_NEAR(run_float(run_table(r, "tokens"), i, "score"), far[i], 1);
    run_close(r);
}

/* With every block left out and the norm's scale held at 1, a logit is linear in the last embedding: all methods agree. */
static void linear_models_have_one_answer(void) {
    static const char *const methods[] = { "ig", "sequential-ig", "discretised", "gradient", "occlusion", "kernel-shap" };
    method_run *r = open_demo(SHORT_PROMPT);
    run_edit(r, "skip:blocks.0-3");
    run_edit(r, "set:ln_final.hook_scale=1");
    double first = 0;
    for (int m = 0; m < 6; m++) {
        RUN_OK(r, "attribute", "method", methods[m], NULL);
        const sonde_table *t = run_table(r, "tokens"), *f = run_table(r, "metric");
        const double whole = run_float(f, 0, "f_x") - run_float(f, 0, "f_baseline");
        CHECK(fabs(whole) > 0.1);
        for (size_t i = 0; i < 6; i++) CHECK_NEAR(run_float(t, i, "score"), 0, 1e-5);
        CHECK_NEAR(run_float(t, 6, "score"), whole, 1e-5 * fabs(whole));
        if (m) CHECK_NEAR(run_float(t, 6, "score"), first, 1e-5 * fabs(whole));
        first = run_float(t, 6, "score");
    }
    run_close(r);
}

static void later_tokens_add_nothing(void) {
    method_run *r = open_demo(SHORT_PROMPT);
    RUN_OK(r, "attribute", "method", "ig,gradient,occlusion,rollout,value-zeroing", "position", "2", NULL);
    const sonde_table *t = run_table(r, "tokens");
    for (size_t i = 0; i < t->rows; i++)
        if (run_int(t, i, "position") > 2) CHECK(run_float(t, i, "score") == 0);
    CHECK_EQ(run_int(run_table(r, "target"), 0, "position"), 2);
    run_close(r);
}

static void shares(void) {
    method_run *r = open_demo(SHORT_PROMPT);
    const sonde_table *t;
    double l1 = 0, l2 = 0;
    RUN_OK(r, "attribute", "normalise", "none", NULL);
    t = run_table(r, "tokens");
    for (size_t i = 0; i < 7; i++) {
        CHECK(run_float(t, i, "share") == run_float(t, i, "score"));
        l1 += fabs(run_float(t, i, "score"));
        l2 += run_float(t, i, "score") * run_float(t, i, "score");
    }
    RUN_OK(r, "attribute", "normalise", "sum", NULL);
    t = run_table(r, "tokens");
    for (size_t i = 0; i < 7; i++) CHECK_NEAR(run_float(t, i, "share"), run_float(t, i, "score") / l1, 1e-12);
    RUN_OK(r, "attribute", NULL);
    t = run_table(r, "tokens");
    for (size_t i = 0; i < 7; i++) CHECK_NEAR(run_float(t, i, "share"), run_float(t, i, "score") / sqrt(l2), 1e-12);
    RUN_OK(r, "attribute", "metric", "2", NULL);           /* nothing moves it */
    for (size_t i = 0; i < 7; i++) CHECK(run_null(run_table(r, "tokens"), i, "share"));
    CHECK(run_null(run_table(r, "completeness"), 0, "gap_share"));
    run_close(r);
}

/* ---- several methods, several steps, other targets ---- */

static void methods_beside_each_other(void) {
    method_run *r = open_demo(SHORT_PROMPT);
    RUN_OK(r, "attribute", "method", "all", "samples", "100", "steps", "10", NULL);
    const sonde_table *t = run_table(r, "tokens"), *g = run_table(r, "agreement");
    CHECK_STR(run_columns(t), "method position token score share norm sum times_input");
    CHECK_EQ(run_rows(t), 9 * 7);
    CHECK_EQ(run_rows(g), 36);
    double of[9][7];
    for (size_t i = 0; i < t->rows; i++) of[i / 7][i % 7] = run_float(t, i, "score");
    for (size_t i = 0, row = 0; i < 9; i++)
        for (size_t j = i + 1; j < 9; j++, row++) {
            CHECK_STR(run_text(g, row, "a"), run_text(t, i * 7, "method"));
            CHECK_STR(run_text(g, row, "b"), run_text(t, j * 7, "method"));
            CHECK_NEAR(run_float(g, row, "spearman"), rank_spearman(of[i], of[j], 7), 0);
            CHECK_NEAR(run_float(g, row, "kendall"), rank_kendall(of[i], of[j], 7), 0);
        }
    CHECK(run_null(t, 0, "norm") && !run_null(t, 21, "norm"));
    const sonde_array *a = result_array(r->out, "spearman");
    CHECK(a && a->rank == 2 && a->dim[0] == 9 && a->data[0] == 1);
    CHECK_NEAR((double)a->data[1], run_float(g, 0, "spearman"), 1e-7);
    run_close(r);
}

static void steps_follow_the_model(void) {
    method_run *r = open_demo("The capital of Japan");
    RUN_OK(r, "attribute", "n", "3", "method", "ig,value-zeroing,rollout", NULL);
    const sonde_table *t = run_table(r, "tokens"), *y = run_table(r, "target");
    const int64_t n = r->prompt[0].tokens.n;
    CHECK_EQ(run_rows(t), 3 * (n + n + 1 + n + 2));
    CHECK_EQ(run_rows(y), 3);
    CHECK(result_array(r->out, "rollout") == NULL);
    double last[32];
    int32_t ids[32];
    int64_t found = 0;
    for (size_t i = 0; i < t->rows; i++) {
        if (run_int(t, i, "step") != 2 || strcmp(run_text(t, i, "method"), "ig") != 0) continue;
        ids[found] = run_token(t, i, "token");
        last[found++] = run_float(t, i, "score");
    }
    CHECK_EQ(found, n + 2);
    CHECK_EQ(ids[n], run_token(y, 0, "token"));
    CHECK_EQ(ids[n + 1], run_token(y, 1, "token"));
    sonde_tokens was = r->prompt[0].tokens;
    r->prompt[0].tokens = (sonde_tokens){ .n = n + 2, .id = ids };          /* the same as a prompt of its own */
    RUN_OK(r, "attribute", NULL);
    for (size_t i = 0; i < (size_t)found; i++) CHECK(run_float(run_table(r, "tokens"), i, "score") == last[i]);
    r->prompt[0].tokens = was;
    run_close(r);
}

/* -1 of an edit is the prompt's last token, whatever was appended. */
static void edits_count_from_the_prompt_s_end(void) {
    method_run *r = open_demo("The capital of Japan");
    const int64_t n = r->prompt[0].tokens.n;
    int32_t ids[32];
    run_edit(r, "scale:hook_embed[-1]=3");
    RUN_OK(r, "attribute", "n", "2", NULL);
    const double f = run_float(run_table(r, "metric"), 1, "f_x"), score = run_float(run_table(r, "tokens"), (size_t)(n + n - 1), "score");
    memcpy(ids, r->prompt[0].tokens.id, (size_t)n * sizeof *ids);
    ids[n] = run_token(run_table(r, "target"), 0, "token");
    sonde_tokens was = r->prompt[0].tokens;
    r->prompt[0].tokens = (sonde_tokens){ .n = n + 1, .id = ids };
    sonde_edit_free(r->edit[0]);
    r->cx.n_edits = 0;
    char text[64];
    snprintf(text, sizeof text, "scale:hook_embed[%d]=3", (int)n - 1);
    run_edit(r, text);
    RUN_OK(r, "attribute", NULL);
    CHECK(run_float(run_table(r, "metric"), 0, "f_x") == f);
    CHECK(run_float(run_table(r, "tokens"), (size_t)n - 1, "score") == score);
    r->prompt[0].tokens = was;
    run_close(r);
}

static void a_continuation_is_explained(void) {
    method_run *r = open_demo("The capital of Japan is");
    const int64_t n = r->prompt[0].tokens.n;
    RUN_OK(r, "attribute", "target-text", " Tokyo and Mary", NULL);
    const sonde_table *t = run_table(r, "tokens"), *y = run_table(r, "target"), *m = run_table(r, "metric");
    CHECK_EQ(run_rows(y), 3);
    CHECK_EQ(run_rows(t), n + 2);
    CHECK_EQ(run_token(t, (size_t)n, "token"), run_token(y, 0, "token"));
    double sum = 0;
    static const char *const words[] = { " Tokyo", " and", " Mary" };
    for (size_t i = 0; i < 3; i++) {
        int32_t id;
        CHECK_EQ(sonde_token_single(r->model, words[i], strlen(words[i]), &id, &r->err), SONDE_OK);
        CHECK_EQ(run_token(y, i, "token"), id);
        CHECK_EQ(run_int(y, i, "position"), n - 1 + (int64_t)i);
        sum += log(run_float(y, i, "prob"));
    }
    CHECK_NEAR(run_float(m, 0, "f_x"), sum, 1e-6);
    CHECK(fabs(run_float(t, (size_t)n, "score")) > 0);
    CHECK(fabs(run_float(run_table(r, "completeness"), 0, "gap_share")) < 0.01);
    RUN_OK(r, "attribute", "target-text", " Tokyo", NULL);
    CHECK_EQ(run_rows(run_table(r, "tokens")), n);
    CHECK(strncmp(run_text(run_table(r, "metric"), 0, "metric"), "logprob(#", 9) == 0);
    run_close(r);
}

/* Blocks that run twice, in part, or not at all. */
static void plans_of_execution(void) {
    method_run *r = open_demo(SHORT_PROMPT);
    run_edit(r, "skip:blocks.0.attn");
    run_edit(r, "repeat:blocks.2=2");
    RUN_OK(r, "attribute", "method", "value-zeroing,rollout,ig", NULL);
    const sonde_table *z = run_table(r, "zeroing");
    CHECK_EQ(run_rows(z), 4 * 7);
    CHECK_STR(run_text(z, 0, "site"), "blocks.1.hook_resid_post");
    CHECK_STR(run_text(z, 14, "site"), "blocks.2r1.hook_resid_post");
    CHECK_EQ(run_int(z, 14, "layer"), 2);
    CHECK_EQ(result_array(r->out, "rollout")->dim[0], 4);
    run_close(r);
    r = open_demo(SHORT_PROMPT);
    run_edit(r, "skip:blocks.0-3");
    CHECK_EQ(run_method(r, "attribute", "method", "rollout", NULL), SONDE_USAGE);
    CHECK_STR(r->err.message, "method: value-zeroing and rollout need attention, that of every block is skipped");
    run_close(r);
}

static void edits_may_read_another_run(void) {
    method_run *r = open_demo(DEMO_PROMPT);
    run_named(r, "B", "When Mary and John went to the store, Mary gave a drink to");
    run_edit(r, "patch:hook_embed[9]=B");
    RUN_OK(r, "attribute", NULL);
    const double patched = run_float(run_table(r, "tokens"), 9, "score"), f = run_float(run_table(r, "metric"), 0, "f_x");
    run_close(r);
    r = open_demo("When Mary and John went to the store, Mary gave a drink to");
    RUN_OK(r, "attribute", NULL);
    CHECK(run_float(run_table(r, "tokens"), 9, "score") == patched);
    CHECK(run_float(run_table(r, "metric"), 0, "f_x") == f);
    run_close(r);
}

/* ---- errors, --dry-run, interruption ---- */

static void what_is_refused(void) {
    static const struct { const char *key, *value, *key2, *value2, *why; } bad[] = {
        { "method", "ig,magic", "n", "1", "method: found \"magic\", expected ig, sequential-ig, discretised, gradient, occlusion, "
                                          "value-zeroing, rollout, lime, kernel-shap, conductance, or all" },
        { "method", "ig,", "n", "1", "method: found \"\", expected ig, sequential-ig, discretised, gradient, occlusion, "
                                     "value-zeroing, rollout, lime, kernel-shap, conductance, or all" },
        { "rule", "simpson", "n", "1", "rule: found \"simpson\", expected one of gauss-legendre, trapezoid" },
        { "normalise", "max", "n", "1", "normalise: found \"max\", expected one of none, l2, sum" },
        { "rule", "trapezoid", "steps", "1", "steps: 1, the trapezoid rule needs 2 or more" },
        { "steps", "10001", "n", "1", "steps: 10001, the rule gauss-legendre takes 10000 at most, trapezoid more" },
        { "metric", "loss", "target-text", " a", "metric and target-text: expected one of them, each says what is explained" },
        { "n", "2", "target-text", " a", "n and target-text: expected one of them, n writes the model's own continuation" },
        { "n", "2", "position", "3", "n and position: expected one of them, n asks for the last position of every step" },
        { "n", "91", "method", "ig", "97 positions are needed, the context holds 96" },
        { "position", "7", "n", "1", "position: 7 is outside 0..6 (or -7..-1 from the end)" },
        { "position", "-8", "n", "1", "position: -8 is outside 0..6 (or -7..-1 from the end)" },
        { "method", "occlusion", "window", "8", "window: 8 tokens, the prompt has 7" },
        { "baseline", "#1496", "n", "1", "baseline: found \"#1496\", expected #0 to #1495" },
        { "baseline", "#", "n", "1", "baseline: found \"#\", expected #0 to #1495" },
        { "baseline", "#3x", "n", "1", "baseline: found \"#3x\", expected #0 to #1495" },
        { "steps", "0", "n", "1", "steps: 0 is outside 1..100000" },
        { "samples", "1", "n", "1", "samples: 1 is outside 2..10000000" },
        { "window", "0", "n", "1", "window: 0 is outside 1..1000000" },
        { "anchors", "0", "n", "1", "anchors: 0 is outside 1..1000" },
        { "neighbours", "0", "n", "1", "neighbours: 0 is outside 1..100000" },
        { "n", "0", "steps", "1", "n: 0 is outside 1..1000000" },
        { "metric", "rank(\" Mary\")", "n", "1", "ig: metric: rank has no gradient, expected a metric without it" },
    };
    method_run *r = open_demo(SHORT_PROMPT);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_EQ(run_method(r, "attribute", bad[i].key, bad[i].value, bad[i].key2, bad[i].value2, NULL), SONDE_USAGE);
        CHECK_STR(r->err.message, bad[i].why);
    }
    CHECK_EQ(run_method(r, "attribute", "baseline", " Mary and", NULL), SONDE_USAGE);
    CHECK(strncmp(r->err.message, "baseline: ", 10) == 0);
    run_close(r);
}

static void a_dry_run_counts(void) {
    static const struct { const char *method; int64_t runs; } cases[] = {
        { "ig", 2 + 12 }, { "sequential-ig", 2 + 7 * 13 }, { "discretised", 2 + 20 }, { "gradient", 3 }, { "occlusion", 9 },
        { "value-zeroing", 2 + 4 * 8 }, { "rollout", 6 }, { "lime", 22 }, { "kernel-shap", 2 + 126 },
    };
    method_run *r = open_demo(SHORT_PROMPT);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        r->cx.dry_run = true;
        RUN_OK(r, "attribute", "method", cases[i].method, "steps", "12", "samples", "20", NULL);
        CHECK_EQ(run_int(run_table(r, "cost"), 0, "runs"), cases[i].runs);
        CHECK(run_float(run_table(r, "cost"), 0, "flops") > 0);
        CHECK(result_table(r->out, "tokens") == NULL);
        r->cx.dry_run = false;
        RUN_OK(r, "attribute", "method", cases[i].method, "steps", "12", "samples", "20", NULL);
        CHECK_EQ(r->progress, cases[i].runs);
    }
    r->cx.dry_run = true;
    RUN_OK(r, "attribute", "n", "3", NULL);
    CHECK_EQ(run_int(run_table(r, "cost"), 0, "runs"), 3 * 52);
    CHECK_EQ(run_method(r, "attribute", "baseline", "#-1", NULL), SONDE_USAGE);
    run_close(r);
}

static bool stop_now(void *user) { return ((method_run *)user)->progress > 60; }

static void an_interrupted_run_keeps_what_is_done(void) {
    method_run *r = open_demo(SHORT_PROMPT);
    sonde_session_stop_when(r->cx.session, stop_now, r);
    CHECK_EQ(run_method(r, "attribute", "method", "ig,sequential-ig", NULL), SONDE_CANCELLED);
    const sonde_table *t = run_table(r, "tokens");
    CHECK_EQ(run_rows(t), 7);
    CHECK_STR(run_text(t, 0, "method"), "ig");
    CHECK_EQ(run_rows(run_table(r, "completeness")), 1);
    CHECK_EQ(run_rows(run_table(r, "agreement")), 0);
    run_close(r);
}

/* One token is a continuation too: F is its log-probability, not its logit. */
static void a_continuation_of_one_token(void) {
    method_run *r = run_open(NULL);
    const method_prompt *p = run_prompt(r, DEMO_PROMPT);
    RUN_OK(r, "attribute", "target-text", " Mary", NULL);
    run_values v = run_site(r, (sonde_prompt){ .tokens = p->tokens.id, .n = p->tokens.n }, false, NULL);
    int32_t mary;
    CHECK_EQ(sonde_token_single(r->model, " Mary", 5, &mary, &r->err), SONDE_OK);
    const double f = log(sonde_logits_prob(v.data + (p->tokens.n - 1) * DEMO_VOCAB, DEMO_VOCAB, mary));
    CHECK_NEAR(run_float(run_table(r, "completeness"), 0, "f_x"), f, 1e-6);
    free(v.data);
    run_close(r);
}

#define TESTS(T) \
    T(a_continuation_of_one_token) \
    T(gauss_and_legendre) T(trapezoids) T(ranks) T(scores_sum_to_the_difference) T(a_gap_is_said) \
    T(the_baseline_s_own_token_is_nothing) T(shapley_values_are_efficient) T(drawn_sets_come_near) T(linear_models_have_one_answer) \
    T(later_tokens_add_nothing) T(shares) T(methods_beside_each_other) T(steps_follow_the_model) \
    T(edits_count_from_the_prompt_s_end) T(a_continuation_is_explained) \
    T(plans_of_execution) T(edits_may_read_another_run) T(what_is_refused) T(a_dry_run_counts) \
    T(an_interrupted_run_keeps_what_is_done)
TEST_MAIN(TESTS)
