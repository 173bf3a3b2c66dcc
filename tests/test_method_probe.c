/* probe against scikit-learn on transformers in float64 (tools/truth/probe.py). */
#include "method_run.h"
#include "truth.h"

typedef struct { truth t; method_run *r; char each[16], k[16]; } setting;

static setting setting_open(void) {
    setting s = { truth_open("probe"), run_open(NULL), "", "" };
    run_held_out(s.r, (size_t)truth_number(s.t.all, "documents"));
    s.r->cx.seed = (uint64_t)truth_number(s.t.all, "seed");
    snprintf(s.each, sizeof s.each, "%d", (int)truth_number(s.t.all, "each"));
    snprintf(s.k, sizeof s.k, "%d", (int)truth_number(s.t.all, "k"));
    return s;
}

static void setting_close(setting *s) {
    run_close(s->r);
    truth_close(s->t);
}

/* Scores that float32 does not tell apart may stand either way: of one neuron, which is off at many positions, a good part
 * of the pairs, of more hardly any. */
static void check_area(double area, const json *want, double band) {
    CHECK(area >= truth_item(truth_of(want, "auc"), 0) - 1e-12 && area <= truth_item(truth_of(want, "auc"), 1) + 1e-12);
    CHECK(truth_item(truth_of(want, "auc"), 1) - truth_item(truth_of(want, "auc"), 0) < band);
}

static void compare_baseline(const setting *s) {
    static const char *const counts[] = { "n_train", "n_validation", "n_test" };
    const sonde_table *b = run_table(s->r, "baseline");
    int64_t all = 0;
    for (size_t i = 0; i < 3; i++) {
        CHECK_EQ(run_int(b, 0, counts[i]), (int64_t)truth_item(truth_of(s->t.all, "n"), i));
        all += run_int(b, 0, counts[i]);
    }
    CHECK_EQ(run_int(b, 0, "positives"), all / 2);
    CHECK_NEAR(run_float(b, 0, "accuracy"), truth_number(s->t.all, "model"), 1e-12);
    CHECK_STR(run_text(b, 0, "class"), "start_capital");
}

static void neurons_equal_scikit_learn(void) {
    setting s = setting_open();
    method_run *r = s.r;
    RUN_OK(r, "probe", "each", s.each, "k", s.k, NULL);
    const sonde_table *p = run_table(r, "probes"), *e = run_table(r, "ensembles");
    const size_t k = (size_t)truth_number(s.t.all, "k");
    CHECK_STR(run_columns(p), "rank layer neuron kind score weight bias mean sd validation_accuracy accuracy low high auc");
    CHECK_EQ(run_rows(p), (int64_t)k);
    CHECK_EQ(run_rows(e), 2 * (int64_t)k);
    for (size_t i = 0; i < k; i++) {
        const json *want = truth_at(truth_of(s.t.all, "neurons"), (size_t)truth_item(truth_of(s.t.all, "order"), i));
        CHECK_EQ(run_int(p, i, "layer"), (int64_t)truth_number(want, "layer"));
        CHECK_EQ(run_int(p, i, "neuron"), (int64_t)truth_number(want, "neuron"));
        CHECK_NEAR(run_float(p, i, "score"), truth_number(want, "score"), 1e-5);
        CHECK_STR(run_text(p, i, "kind"), truth_number(want, "score") > 0 ? "prediction" : "suppression");
        CHECK_NEAR(run_float(p, i, "weight"), truth_item(truth_of(want, "w"), 0), 1e-4);
        CHECK_NEAR(run_float(p, i, "bias"), truth_number(want, "b"), 1e-4);
        CHECK_NEAR(run_float(p, i, "validation_accuracy"), truth_number(want, "validation"), 1e-12);
        CHECK_NEAR(run_float(p, i, "accuracy"), truth_number(want, "accuracy"), 1e-12);
        check_area(run_float(p, i, "auc"), want, .3);
        CHECK_EQ(run_int(p, i, "rank"), (int64_t)i + 1);
        const json *both = truth_at(truth_of(s.t.all, "ensembles"), i);
        CHECK_EQ(run_int(e, i, "k"), (int64_t)i + 1);
        CHECK_NEAR(run_float(e, i, "accuracy"), truth_number(both, "accuracy"), 1e-12);
        check_area(run_float(e, i, "auc"), both, i ? .02 : .3);
    }
    CHECK_STR(run_text(e, k, "by"), "model");
    CHECK_NEAR(run_float(e, 2 * k - 1, "accuracy"), truth_number(s.t.all, "model"), 1e-12);
    compare_baseline(&s);
    setting_close(&s);
}

static void sites_equal_scikit_learn(void) {
    setting s = setting_open();
    method_run *r = s.r;
    RUN_OK(r, "probe", "each", s.each, "site", "hook_resid_post", NULL);
    const sonde_table *t = run_table(r, "layers");
    CHECK_STR(run_columns(t), "site layer depth train_accuracy validation_accuracy accuracy low high auc");
    CHECK_EQ(run_rows(t), 4);
    for (size_t i = 0; i < 4; i++) {
        const json *want = truth_at(truth_of(s.t.all, "layers"), i);
        CHECK_NEAR(run_float(t, i, "train_accuracy"), truth_number(want, "train"), 1e-12);
        CHECK_NEAR(run_float(t, i, "validation_accuracy"), truth_number(want, "validation"), 1e-12);
        CHECK_NEAR(run_float(t, i, "accuracy"), truth_number(want, "accuracy"), 1e-12);
        check_area(run_float(t, i, "auc"), want, 1e-3);
        CHECK_NEAR(run_float(t, i, "depth"), (double)i / 3, 1e-15);
    }
    compare_baseline(&s);
    RUN_OK(r, "probe", "each", s.each, "site", "hook_resid_post", "layers", "2", NULL);
    CHECK_EQ(run_rows(run_table(r, "layers")), 1);
    check_area(run_float(run_table(r, "layers"), 0, "auc"), truth_at(truth_of(s.t.all, "layers"), 2), 1e-3);
    setting_close(&s);
}

/* The neurons of a list are those that would have been found, with the same fits. */
static void named_neurons(void) {
    setting s = setting_open();
    method_run *r = s.r;
    const json *want = truth_at(truth_of(s.t.all, "neurons"), 1);
    char name[64];
    snprintf(name, sizeof name, "0.5,%d.%d", (int)truth_number(want, "layer"), (int)truth_number(want, "neuron"));
    RUN_OK(r, "probe", "each", s.each, "neurons", name, NULL);
    const sonde_table *p = run_table(r, "probes");
    CHECK_EQ(run_rows(p), 2);
    const size_t row = run_int(p, 0, "layer") == 0 && run_int(p, 0, "neuron") == 5;
    CHECK_NEAR(run_float(p, row, "weight"), truth_item(truth_of(want, "w"), 0), 1e-4);
    setting_close(&s);
}

/* What an edit sets for everybody tells nothing: the weight is 0. */
static void edits_reach_the_values(void) {
    setting s = setting_open();
    method_run *r = s.r;
    run_edit(r, "set:blocks.3.mlp.hook_post=1");
    RUN_OK(r, "probe", "neurons", "3.10", NULL);
    CHECK(run_float(run_table(r, "probes"), 0, "weight") == 0);
    CHECK(run_float(run_table(r, "probes"), 0, "auc") == 0.5);
    setting_close(&s);
}

static void a_dry_run_runs_nothing(void) {
    setting s = setting_open();
    method_run *r = s.r;
    r->cx.dry_run = true;
    RUN_OK(r, "probe", "neurons", "3.10,1.2", NULL);
    CHECK_STR(run_text(run_table(r, "sites"), 0, "site"), "blocks.1.mlp.hook_post");
    CHECK_EQ(run_rows(run_table(r, "sites")), 2);
    CHECK(run_int(run_table(r, "cost"), 0, "runs") > 30);
    CHECK(r->cx.dry_run && result_table(r->out, "probes") == NULL);
    setting_close(&s);
}

static bool stop_at_probes(void *user) { return *(int *)user > 0; }
static void see_probes(void *user, const char *what, int64_t done, int64_t all) {
    (void)done, (void)all;
    *(int *)user += !strcmp(what, "probes");
}

static void an_interruption_ends_the_probes(void) {
    int seen = 0;
    setting s = setting_open();
    s.r->cx.progress = see_probes;
    s.r->cx.progress_user = &seen;
    sonde_session_stop_when(s.r->cx.session, stop_at_probes, &seen);
    CHECK_EQ(run_method(s.r, "probe", "neurons", "3.10,1.2,0.5,0.6", NULL), SONDE_CANCELLED);
    CHECK(seen > 0 && seen < 4);
    setting_close(&s);
}

static void what_cannot_be_is_said(void) {
    static const struct { const char *name, *value, *why; } bad[] = {
        { "class", "end_w_foo", "\"end_w_foo\" is none" }, { "neurons", "3", "expected a list as in" },
        { "neurons", "3.10,3.10", "3.10 is no neuron" },   { "neurons", "3.640", "3.640 is no neuron" },
        { "neurons", "3.10x", "expected a list" },         { "site", "hook_pattern", "expected t" },
        { "k", "0", "k: 0 is outside" },                   { "each", "-1", "each: -1 is outside" },
        { "c", "0", "c: 0 is outside" },                   { "layers", "4", "layers: 4 is outside" },
    };
    method_run *r = run_open(NULL);
    run_held_out(r, 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_EQ(run_method(r, "probe", bad[i].name, bad[i].value, NULL), SONDE_USAGE);
        CHECK_HAS(r->err.message, bad[i].why);
    }
    CHECK_EQ(run_method(r, "probe", "site", "hook_resid_post", "neurons", "0.1", NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "site and neurons");
    CHECK_EQ(run_method(r, "probe", "site", "unembed.hook_in", "layers", "1", NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "none is in the layers chosen");
    CHECK_EQ(run_method(r, "probe", NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "expected more documents");
    run_close(r);
}

#define TESTS(X) \
    X(neurons_equal_scikit_learn) X(sites_equal_scikit_learn) X(named_neurons) X(edits_reach_the_values) X(a_dry_run_runs_nothing) \
    X(what_cannot_be_is_said) X(an_interruption_ends_the_probes)
TEST_MAIN(TESTS)
