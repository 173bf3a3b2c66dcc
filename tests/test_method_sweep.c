/* sweep, ablate and patch: every cell against a run of its own, in every bit; closed forms on the induction model. */
#include "method_run.h"

enum { N = 14 };
#define OTHER "When Mary and John went to the store, Mary gave a drink to"
#define METRIC "metric", DEMO_METRIC

static sonde_status take(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    *(float *)user = a->value.data[0];
    return SONDE_OK;
}

/* The metric of one run with the method run's edits and this one (NULL: none). */
static float alone(method_run *r, const char *metric, const char *edit) {
    float out = NAN;
    sonde_metric *m;
    const sonde_edit *list[RUN_EDITS + 1];
    sonde_edit *own = NULL;
    if (sonde_metric_parse(&m, r->model, metric, NULL, NULL, &r->err)) FAIL_("%s", r->err.message);
    if (edit && sonde_edit_parse(&own, r->model, edit, NULL, &r->err)) FAIL_("%s", r->err.message);
    for (size_t i = 0; i < r->cx.n_edits; i++) list[i] = r->edit[i];
    list[r->cx.n_edits] = own;
    const sonde_prompt  p = { .tokens = r->prompt[0].tokens.id, .n = r->prompt[0].tokens.n };
    const sonde_variant v = { 0, list, r->cx.n_edits + (edit != NULL) };
    const sonde_want    w = { .kind = SONDE_WANT_METRIC, .metric = m };
    const sonde_batch   b = { .bases = &p, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = &w, .n_wants = 1,
                              .runs = r->cx.runs, .n_runs = r->cx.n_runs };
    if (sonde_variants_run(r->cx.session, &b, take, &out, &r->err)) FAIL_("%s", r->err.message);
    sonde_metric_free(m);
    sonde_edit_free(own);
    return out;
}

static bool same_bits(double got, float want) {
    const float is = (float)got;
    return memcmp(&is, &want, sizeof is) == 0;
}

static void columns_and_runs(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    RUN_OK(r, "ablate", METRIC, NULL);
    const sonde_table *t = run_table(r, "cells");
    CHECK_STR(run_columns(t), "site layer head metric change share");
    CHECK_EQ(run_rows(t), 20);
    CHECK_STR(run_columns(run_table(r, "runs")), "A B");
    const float a = alone(r, DEMO_METRIC, NULL);
    CHECK(same_bits(run_float(run_table(r, "runs"), 0, "A"), a));
    CHECK(run_null(run_table(r, "runs"), 0, "B"));
    for (size_t i = 0; i < t->rows; i++) {
        char edit[128];
        snprintf(edit, sizeof edit, "zero:blocks.%zu.attn.hook_z[:,%zu]", i / 5, i % 5);
        CHECK(same_bits(run_float(t, i, "metric"), alone(r, DEMO_METRIC, edit)));
        CHECK(run_float(t, i, "change") == run_float(t, i, "metric") - (double)a);
        CHECK(run_null(t, i, "share"));
    }
    run_close(r);
}

static void the_array_is_layer_by_letter(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    RUN_OK(r, "sweep", "over", "blocks.1-2.hook_resid_pre[t]", "do", "scale=2", METRIC, NULL);
    const sonde_table *t = run_table(r, "cells");
    const sonde_array *a = result_array(r->out, "metric");
    CHECK_STR(run_columns(t), "site layer position metric change share");
    CHECK(a->rank == 2 && a->dim[0] == 2 && a->dim[1] == N && !strcmp(a->axis[0], "layer") && !strcmp(a->axis[1], "position"));
    CHECK_STR(a->labels[0].at[0].token.bytes, "1");
    for (size_t i = 0; i < t->rows; i++) {
        char edit[128];
        snprintf(edit, sizeof edit, "scale:blocks.%zu.hook_resid_pre[%zu]=2", 1 + i / N, i % N);
        CHECK(same_bits(run_float(t, i, "metric"), alone(r, DEMO_METRIC, edit)));
        CHECK(same_bits((double)a->data[i], (float)run_float(t, i, "metric")));
    }
    run_close(r);
}

/* 5 heads by (t, s) with s <= t; fewer where a part is fixed. */
static void masked_cells_do_not_exist(void) {
    static const struct { const char *index; int64_t cells; } cases[] = {
        { "[0,t,s]", N * (N + 1) / 2 }, { "[h,2,s]", 5 * 3 }, { "[1,-1,s]", N },
        { "[1,t,3]", N - 3 }, { "[1,{2,5},s]", 6 }, { "[1,1:4,s]", 4 }, { "[1,t,-2:14]", 2 }, { "[0,t,:]", N },
        { "[0,\" John\",s]", 10 }, { "[0,t,\" John\"]", 11 }, { "[h]", 5 }, { "[h,t]", 5 * N },
    };
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char over[96];
        snprintf(over, sizeof over, "blocks.3.attn.hook_pattern%s", cases[i].index);
        RUN_OK(r, "sweep", "over", over, "do", "zero", "metric", "logit(\" Mary\")", NULL);
        const sonde_table *t = run_table(r, "cells");
        if (run_rows(t) != cases[i].cells) FAIL_("%s: %lld cells, expected %lld", over, (long long)run_rows(t), (long long)cases[i].cells);
        for (size_t k = 0; k < t->rows; k++) CHECK(!run_null(t, k, "metric"));
    }
    run_close(r);
}

static void four_axes(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, "When Mary and John");
    RUN_OK(r, "sweep", "over", "blocks.2-3.attn.hook_pattern[h,t,s]", "do", "zero", METRIC, NULL);
    const sonde_array *a = result_array(r->out, "metric");
    CHECK(a->rank == 4 && a->dim[0] == 2 && a->dim[1] == 5 && a->dim[2] == 4 && a->dim[3] == 4);
    CHECK_STR(a->axis[3], "key");
    CHECK(array_missing(a, 1) && !array_missing(a, 0) && !array_missing(a, 4) && !array_missing(a, 5));
    CHECK_EQ(run_rows(run_table(r, "cells")), 2 * 5 * 10);
    CHECK_STR(run_columns(run_table(r, "cells")), "site layer position key head metric change share");
    run_close(r);
}

static void without_an_index(void) {
    static const struct { const char *site, *columns; int64_t cells; } cases[] = {
        { "attn.hook_z", "site layer head metric change share", 20 }, { "attn.hook_k", "site layer kv_head metric change share", 20 },
        { "attn.hook_pattern", "site layer head metric change share", 20 }, { "hook_mlp_out", "site layer position metric change share", 4 * N },
        { "mlp.hook_post", "site layer position metric change share", 4 * N }, { "hook_embed", "site layer position metric change share", N },
    };
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        RUN_OK(r, "sweep", "over", cases[i].site, "do", "zero", METRIC, NULL);
        CHECK_STR(run_columns(run_table(r, "cells")), cases[i].columns);
        CHECK_EQ(run_rows(run_table(r, "cells")), cases[i].cells);
    }
    CHECK(run_null(run_table(r, "cells"), 0, "layer"));
    run_close(r);
}

static void letters_of_every_axis(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, "When Mary and");
    RUN_OK(r, "sweep", "over", "blocks.3.mlp.hook_post[-1,f]", "do", "zero", METRIC, NULL);
    CHECK_STR(run_columns(run_table(r, "cells")), "site layer neuron metric change share");
    CHECK_EQ(run_rows(run_table(r, "cells")), 640);
    CHECK(same_bits(run_float(run_table(r, "cells"), 637, "metric"), alone(r, DEMO_METRIC, "zero:blocks.3.mlp.hook_post[-1,637]")));
    RUN_OK(r, "sweep", "over", "blocks.3.attn.hook_z[-1,2,e]", "do", "set=1", METRIC, NULL);
    CHECK_STR(run_columns(run_table(r, "cells")), "site layer unit metric change share");
    RUN_OK(r, "sweep", "over", "blocks.3.hook_resid_pre[-1,d]", "do", "add=1", METRIC, NULL);
    CHECK_STR(run_columns(run_table(r, "cells")), "site layer dim metric change share");
    CHECK(same_bits(run_float(run_table(r, "cells"), 100, "metric"), alone(r, DEMO_METRIC, "add:blocks.3.hook_resid_pre[-1,100]=1")));
    RUN_OK(r, "sweep", "over", "hook_attn_out,blocks.2.attn.hook_z[:,h],unembed.hook_in[:]", "do", "mean", METRIC, NULL);
    CHECK_STR(run_columns(run_table(r, "cells")), "site layer position head metric change share");
    CHECK_EQ(run_rows(run_table(r, "cells")), 4 * 3 + 5 + 1);
    CHECK_STR(result_array(r->out, "metric")->axis[0], "cell");
    CHECK(run_null(run_table(r, "cells"), 4 * 3 + 5, "head") && run_null(run_table(r, "cells"), 4 * 3, "position"));
    run_close(r);
}

static void patching_finds_the_difference(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    run_named(r, "B", OTHER);
    RUN_OK(r, "patch", METRIC, NULL);
    const sonde_table *t = run_table(r, "cells"), *runs = run_table(r, "runs");
    CHECK_EQ(run_rows(t), 4 * N);
    const double a = run_float(runs, 0, "A"), b = run_float(runs, 0, "B");
    for (size_t i = 0; i < t->rows; i++) {
        char edit[128];
        snprintf(edit, sizeof edit, "patch:blocks.%zu.hook_resid_pre[%zu]=B", i / N, i % N);
        CHECK(same_bits(run_float(t, i, "metric"), alone(r, DEMO_METRIC, edit)));
        CHECK_NEAR(run_float(t, i, "share"), (run_float(t, i, "metric") - a) / (b - a), 1e-15);
        /* in front of the first block only the one token that differs matters, and it is everything */
        if (i < N) CHECK(run_float(t, i, "share") == (i == 9 ? 1 : 0));
    }
    RUN_OK(r, "sweep", "over", "hook_resid_pre[t]", "do", "patch=B", METRIC, NULL);
    CHECK_EQ(run_rows(run_table(r, "cells")), 4 * N);
    run_close(r);
}

static void run_b_may_be_shorter(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    run_named(r, "B", "When John and Mary went");
    RUN_OK(r, "patch", METRIC, NULL);
    CHECK_EQ(run_rows(run_table(r, "cells")), 4 * 5);
    CHECK_EQ(run_int(run_table(r, "cells"), 4, "position"), 4);
    CHECK(array_missing(result_array(r->out, "metric"), 5));
    CHECK_EQ(run_method(r, "patch", "over", "attn.hook_z[:,h]", METRIC, NULL), SONDE_USAGE);
    RUN_OK(r, "patch", "over", "blocks.1.attn.hook_pattern[0,t,s]", METRIC, NULL);
    CHECK_EQ(run_rows(run_table(r, "cells")), 15);
    RUN_OK(r, "patch", "metric", "kl(A)", NULL);             /* B cannot be put on A's positions: no share */
    CHECK(run_null(run_table(r, "cells"), 0, "share"));
    run_close(r);
}

static void metrics_that_read_run_a(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    run_named(r, "B", OTHER);
    RUN_OK(r, "patch", "metric", "kl(A)", NULL);
    CHECK(run_float(run_table(r, "runs"), 0, "A") == 0);
    CHECK(run_float(run_table(r, "runs"), 0, "B") > 1);
    CHECK(run_float(run_table(r, "cells"), 9, "share") == 1);
    RUN_OK(r, "patch", "metric", "logit(argmax)", NULL);
    CHECK(run_float(run_table(r, "cells"), 9, "share") == 1);
    run_close(r);
}

static void edits_given_hold_in_every_cell(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    run_edit(r, "zero:blocks.3.attn.hook_z[:,0]");
    RUN_OK(r, "ablate", "mean", "yes", METRIC, NULL);
    CHECK(same_bits(run_float(run_table(r, "runs"), 0, "A"), alone(r, DEMO_METRIC, NULL)));
    CHECK(same_bits(run_float(run_table(r, "cells"), 7, "metric"), alone(r, DEMO_METRIC, "mean:blocks.1.attn.hook_z[:,2]")));
    run_close(r);
}

typedef struct { int asked, most; } patience;
static bool stop(void *user) { return ++((patience *)user)->asked > ((patience *)user)->most; }

static void an_interruption_keeps_what_is_done(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    patience p = { .most = 25 };
    sonde_session_stop_when(r->cx.session, stop, &p);
    CHECK_EQ(run_method(r, "sweep", "over", "mlp.hook_post[-1,f]", "do", "zero", METRIC, NULL), SONDE_CANCELLED);
    const sonde_table *t = run_table(r, "cells");
    CHECK_EQ(run_rows(t), 2560);
    size_t done = 0;
    while (done < 2560 && !run_null(t, done, "metric")) done++;
    CHECK(done > 0 && done < 2560);
    for (size_t i = done; i < 2560; i++) CHECK(run_null(t, i, "metric") && run_null(t, i, "change"));
    CHECK(array_missing(result_array(r->out, "metric"), 2559) && !array_missing(result_array(r->out, "metric"), 0));
    CHECK_EQ(r->progress, (long long)done);
    run_close(r);
}

static void several_prompts_have_a_mean(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    run_prompt(r, "When Mary and John went");
    run_prompt(r, DEMO_PROMPT);
    for (int i = 0; i < 3; i++) r->prompt[i].answer = " Mary", r->prompt[i].wrong = " John";
    RUN_OK(r, "sweep", "over", "hook_mlp_out[t]", "do", "zero", NULL);       /* logit(answer)-logit(wrong) */
    const sonde_table *t = run_table(r, "cells"), *m = run_table(r, "mean");
    CHECK_STR(run_columns(t), "prompt site layer position metric change share");
    CHECK_STR(run_columns(m), "site layer position metric change share n sd sd_change");
    CHECK_EQ(run_rows(t), 4 * (N + 5 + N));
    CHECK_EQ(run_rows(m), 4 * N);
    CHECK_EQ(run_rows(run_table(r, "runs")), 3);
    const sonde_array *a = result_array(r->out, "metric");
    CHECK(a->rank == 3 && a->dim[0] == 3 && !strcmp(a->axis[0], "prompt"));
    const double x = run_float(t, 2, "metric"), y = run_float(t, 4 * N + 2, "metric"), mean = (2 * x + y) / 3;
    CHECK_EQ(run_int(t, 4 * N + 2, "prompt"), 1);
    CHECK_EQ(run_int(m, 2, "n"), 3);
    CHECK_NEAR(run_float(m, 2, "metric"), mean, 1e-12);
    CHECK_NEAR(run_float(m, 2, "sd"), sqrt((2 * (x - mean) * (x - mean) + (y - mean) * (y - mean)) / 2), 1e-12);
    CHECK_EQ(run_int(m, 10, "n"), 2);
    CHECK(run_float(m, 10, "sd") == 0);
    CHECK(same_bits(run_float(t, 2, "metric"), alone(r, DEMO_METRIC, "zero:blocks.0.hook_mlp_out[2]")));
    run_close(r);
}

static void prompts_bring_their_own_b(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT)->b = OTHER;
    run_prompt(r, OTHER)->b = DEMO_PROMPT;
    RUN_OK(r, "patch", METRIC, NULL);
    const sonde_table *t = run_table(r, "runs");
    CHECK(run_float(t, 0, "A") == run_float(t, 1, "B") && run_float(t, 0, "B") == run_float(t, 1, "A"));
    CHECK(run_float(run_table(r, "mean"), 9, "share") == 1);
    run_close(r);
}

static void a_dry_run_lists_the_edits(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    r->cx.dry_run = true;
    RUN_OK(r, "sweep", "over", "blocks.1.attn.hook_pattern[h,-1,s]", "do", "set=0.5", METRIC, NULL);
    const sonde_table *t = run_table(r, "cells");
    CHECK_EQ(run_rows(t), 5 * N);
    CHECK_STR(run_text(t, N + 2, "edit"), "set:blocks.1.attn.hook_pattern[1,-1,2]=0.5");
    CHECK_EQ(run_int(run_table(r, "cost"), 0, "runs"), 5 * N);
    CHECK(run_float(run_table(r, "cost"), 0, "flops") > 1e8);
    CHECK(result_table(r->out, "runs") == NULL);
    run_close(r);
}

static void what_is_wrong_is_said(void) {
    static const struct { const char *over, *op, *metric, *says; } cases[] = {
        { "hook_resid_pre[t]", "zero", "", "metric is required" },
        { "hook_resid_pre[h]", "zero", "loss", "axis 0 of blocks.0.hook_resid_pre is t" },
        { "hook_resid_pre[t,d,e]", "zero", "loss", "3 parts" },
        { "hook_resid_pre[t", "zero", "loss", "expected ]" },
        { "hook_resid_pre[t,]", "zero", "loss", "empty part" },
        { "hook_residpre", "zero", "loss", "hook_resid" },
        { "hook_resid_pre[t]", "zap", "loss", "no such operation" },
        { "hook_resid_pre[t]", "scale", "loss", "scale takes" },
        { "attn.hook_pattern", "mean", "loss", "without an s axis" },
        { "hook_resid_pre[t]", "patch=C", "loss", "there is no run C" },
        { "hook_resid_pre[t]", "zero", "lots", "metric" },
    };
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_EQ(run_method(r, "sweep", "over", cases[i].over, "do", cases[i].op, "metric", cases[i].metric, NULL), SONDE_USAGE);
        if (!strstr(r->err.message, cases[i].says)) FAIL_("\"%s\" does not say \"%s\"", r->err.message, cases[i].says);
    }
    CHECK_EQ(run_method(r, "sweep", "over", "hook_z", NULL), SONDE_USAGE);
    CHECK_EQ(run_method(r, "patch", METRIC, NULL), SONDE_USAGE);
    run_close(r);
}

/* " red cat river key red cat": without 0.0 nobody knows the token before, without 1.0 nobody writes the answer. */
static void closed_form_on_the_induction_model(void) {
    method_run *r = run_open("induction");
    run_prompt(r, " red cat river key red cat");
    RUN_OK(r, "ablate", "metric", "rank(\" river\")", NULL);
    const sonde_table *t = run_table(r, "cells");
    CHECK_EQ(run_rows(t), 4);
    CHECK(run_float(run_table(r, "runs"), 0, "A") == 1);
    CHECK(run_float(t, 0, "metric") > 1);
    CHECK(run_float(t, 1, "change") == 0);
    CHECK(run_float(t, 2, "metric") > 1);
    CHECK(run_float(t, 3, "change") == 0);
    RUN_OK(r, "ablate", "over", "blocks.1.attn.hook_pattern[0,-1,s]", "metric", "rank(\" river\")", NULL);
    t = run_table(r, "cells");
    for (size_t i = 0; i < 6; i++) CHECK((run_float(t, i, "metric") > 1) == (i == 2));   /* it reads position 2 alone */
    run_close(r);
}

/* A small enough edit does what the gradient says; truth is the run itself. */
static void gradients_foretell_small_edits(void) {
    static const char *const over[] = { "hook_resid_mid[t]", "attn.hook_z[:,h]", "blocks.3.mlp.hook_post[-1,f]", "blocks.1-3.attn.hook_pattern[h,-1,s]",
                                        "attn.hook_k[\" John\",g]" };
    for (size_t i = 0; i < sizeof over / sizeof *over; i++) {
        method_run *r = run_open(NULL);
        run_prompt(r, DEMO_PROMPT);
        run_edit(r, "zero:blocks.0.attn.hook_z[:,4]");
        RUN_OK(r, "sweep", "over", over[i], "do", "scale=1.002", "metric", DEMO_METRIC, "approx", "gradient", NULL);
        const sonde_table *t = run_table(r, "agreement");
        CHECK_NEAR(run_float(t, 0, "slope"), 1, .03);
        CHECK(run_float(t, 0, "pearson") > .999);
        CHECK(run_float(t, 0, "mean_abs_change") > 1e-6);
        run_close(r);
    }
}

/* The metric is linear in the logits, and so is what is put into them: both are the same number. */
static void gradients_are_exact_where_all_is_linear(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    run_named(r, "B", "When Mary and John went to the store, Mary gave a drink to");
    RUN_OK(r, "patch", "over", "unembed.hook_out[t]", "metric", DEMO_METRIC, "approx", "gradient", NULL);
    const sonde_table *t = run_table(r, "cells");
    const size_t last = t->rows - 1;
    for (size_t i = 0; i < last; i++) CHECK(run_float(t, i, "approx") == 0);
    CHECK_NEAR(run_float(t, last, "approx"), run_float(t, last, "change"), 1e-4);
    CHECK(fabs(run_float(t, last, "change")) > 10);
    CHECK_EQ(run_method(r, "patch", "approx", "hessian", "metric", DEMO_METRIC, NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "hessian");
    run_close(r);
}

#define TESTS(T) T(gradients_foretell_small_edits) T(gradients_are_exact_where_all_is_linear) \
    T(columns_and_runs) T(the_array_is_layer_by_letter) T(masked_cells_do_not_exist) T(four_axes) T(without_an_index) T(letters_of_every_axis) \
    T(patching_finds_the_difference) T(run_b_may_be_shorter) T(metrics_that_read_run_a) T(edits_given_hold_in_every_cell) \
    T(an_interruption_keeps_what_is_done) T(several_prompts_have_a_mean) T(prompts_bring_their_own_b) \
    T(a_dry_run_lists_the_edits) T(what_is_wrong_is_said) T(closed_form_on_the_induction_model)
TEST_MAIN(TESTS)
