/* wic against scikit-learn on transformers in float64 (tools/truth/wic.py), and the files it reads. */
#include "method_run.h"
#include "truth.h"

/* The first n pairs that come with the embedded model; freed by the caller. */
static char *first_pairs(size_t n) {
    size_t      size;
    const char *text = sonde_demo_pairs(&size), *end = text;
    while (n--) end = strchr(end, '\n') + 1;
    char *out = calloc((size_t)(end - text) + 1, 1);
    if (!out) abort();
    memcpy(out, text, (size_t)(end - text));
    return out;
}

static void compare_place(method_run *r, size_t p, const json *want, const char *feature) {
    const sonde_table *t = run_table(r, "layers");
    const sonde_array *score = result_array(r->out, "score");
    const json *probe = truth_of(want, feature);
    const size_t n = truth_of(probe, "score")->len;
    for (size_t i = 0; i < n; i++) {
        const double expected = truth_item(truth_of(probe, "score"), i);
        CHECK_NEAR(score->data[p * n + i], expected, 1e-3 * (1 + (expected < 0 ? -expected : expected)));
    }
    CHECK_NEAR(run_float(t, 2 * p, "accuracy"), truth_number(probe, "accuracy"), 1e-12);
    CHECK_NEAR(run_float(t, 2 * p, "train_accuracy"), truth_number(probe, "train"), 1e-12);
    CHECK_NEAR(run_float(t, 2 * p, "auc"), truth_number(probe, "auc"), 1e-3);
    CHECK_NEAR(run_float(t, 2 * p + 1, "accuracy"), truth_number(want, "cosine_accuracy"), 1e-12);
    CHECK_NEAR(run_float(t, 2 * p + 1, "auc"), truth_number(want, "cosine_auc"), 1e-3);
    CHECK(run_null(t, 2 * p + 1, "train_accuracy"));
    CHECK_NEAR(run_float(t, 2 * p, "depth"), (double)p / 4, 1e-15);
}

static void probes_equal_scikit_learn(void) {
    const truth t = truth_open("wic");
    char *pairs = first_pairs((size_t)truth_number(t.all, "pairs"));
    static const char *const features[] = { "both", "difference" };
    for (int f = 0; f < 2; f++) {
        method_run *r = run_open(NULL);
        r->cx.seed = (uint64_t)truth_number(t.all, "seed");
        RUN_OK(r, "wic", "pairs", pairs, "feature", features[f], NULL);
        CHECK_STR(run_columns(run_table(r, "layers")), "site layer depth by accuracy low high auc train_accuracy");
        const sonde_array *fold = result_array(r->out, "fold");
        CHECK_EQ(fold->dim[0], (int64_t)truth_number(t.all, "pairs"));
        for (size_t i = 0; i < (size_t)fold->dim[0]; i++) CHECK(fold->data[i] == (float)truth_item(truth_of(t.all, "fold"), i));
        for (size_t i = 0; i < 5; i++) compare_place(r, i, truth_at(truth_of(t.all, "places"), i), features[f]);
        run_close(r);
    }
    free(pairs);
    truth_close(t);
}

/* Nothing of the word's context is in its embedding, and the values that an edit sets are alike in all pairs. */
static void edits_reach_the_states(void) {
    char *pairs = first_pairs(40);
    method_run *r = run_open(NULL);
    run_edit(r, "set:blocks.1.hook_resid_post=1");
    RUN_OK(r, "wic", "pairs", pairs, "site", "hook_resid_post", "feature", "product", NULL);
    const sonde_array *score = result_array(r->out, "score"), *fold = result_array(r->out, "fold");
    for (size_t i = 1; i < 40; i++)
        if (fold->data[i] == fold->data[0]) CHECK(score->data[40 + i] == score->data[40]);
    CHECK(score->data[0] != score->data[1]);
    run_close(r);
    free(pairs);
}

static void a_dry_run_runs_nothing(void) {
    char *pairs = first_pairs(6);
    method_run *r = run_open(NULL);
    r->cx.dry_run = true;
    RUN_OK(r, "wic", "pairs", pairs, "site", "hook_z", NULL);
    CHECK_EQ(run_int(run_table(r, "cost"), 0, "runs"), 12);
    CHECK_EQ(run_rows(run_table(r, "sites")), 4);
    run_close(r);
    free(pairs);
}

static void places_of_the_word(void) {
    static const char lines[] = "{\"a\": \"the key\", \"b\": \"a key is\", \"word\": \"key\", \"same\": true}\n\n"
                                "{\"a\": \"x y\", \"b\": \"zz\", \"a_start\": 2, \"a_end\": 3, \"b_start\": 0, \"b_end\": 1, \"same\": false,"
                                " \"group\": \"one\"}";
    sonde_pairs *p;
    sonde_error  err;
    CHECK_EQ(sonde_pairs_read(&p, lines, sizeof lines - 1, &err), SONDE_OK);
    const sonde_pair *one = sonde_pairs_at(p, 0), *two = sonde_pairs_at(p, 1);
    CHECK(one->use[0].start == 4 && one->use[0].end == 7 && one->use[1].start == 2 && one->same);
    CHECK(one->group_len == 3 && !memcmp(one->group, "key", 3));
    CHECK(two->use[0].start == 2 && two->use[1].end == 1 && !two->same && two->group_len == 3);
    CHECK(sonde_pairs_at(p, 2) == NULL);
    sonde_pairs_free(p);
}

static void broken_files(void) {
    static const struct { const char *line, *why; } bad[] = {
        { "{", "line 1" },
        { "[]", "is no object" },
        { "{\"b\": \"x\", \"word\": \"x\", \"same\": true}", "has no a" },
        { "{\"a\": 3, \"b\": \"x\", \"word\": \"x\", \"same\": true}", "a is no text" },
        { "{\"a\": \"x\", \"b\": \"x\", \"same\": true}", "has neither word nor a_start" },
        { "{\"a\": \"x\", \"b\": \"x x\", \"word\": \"x\", \"same\": true}", "b holds \"x\" 2 times" },
        { "{\"a\": \"x\", \"b\": \"x\", \"word\": \"x\"}", "same is missing" },
        { "{\"a\": \"x\", \"b\": \"x\", \"word\": \"x\", \"same\": true, \"a_start\": 0, \"a_end\": 2}", "no part of a, which has 1" },
        { "{\"a\": \"x\", \"b\": \"x\", \"word\": \"x\", \"same\": true, \"a_start\": 0}", "no part of a" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        sonde_pairs *p = NULL;
        sonde_error  err;
        CHECK_EQ(sonde_pairs_read(&p, bad[i].line, strlen(bad[i].line), &err), SONDE_FORMAT);
        CHECK_HAS(err.message, bad[i].why);
        CHECK(p == NULL);
    }
}

static bool stop_at_probes(void *user) { return *(int *)user > 0; }
static void see_probes(void *user, const char *what, int64_t done, int64_t all) {
    (void)done, (void)all;
    *(int *)user += !strcmp(what, "probes");
}

static void an_interruption_ends_the_probes(void) {
    int   seen = 0;
    char *pairs = first_pairs(12);
    method_run *r = run_open(NULL);
    r->cx.progress = see_probes;
    r->cx.progress_user = &seen;
    sonde_session_stop_when(r->cx.session, stop_at_probes, &seen);
    CHECK_EQ(run_method(r, "wic", "pairs", pairs, NULL), SONDE_CANCELLED);
    CHECK(seen > 0 && seen < 5);
    run_close(r);
    free(pairs);
}

static void what_cannot_be_is_said(void) {
    char *pairs = first_pairs(8), *few = first_pairs(4);
    method_run *r = run_open(NULL);
    CHECK_EQ(run_method(r, "wic", NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "pairs is required");
    CHECK_EQ(run_method(r, "wic", "pairs", pairs, "feature", "sum", NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "\"sum\", expected difference");
    CHECK_EQ(run_method(r, "wic", "pairs", few, NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "4 groups, expected as many as folds (5)");
    CHECK_EQ(run_method(r, "wic", "pairs", pairs, "folds", "1", NULL), SONDE_USAGE);
    CHECK_EQ(run_method(r, "wic", "pairs", pairs, "c", "0", NULL), SONDE_USAGE);
    CHECK_EQ(run_method(r, "wic", "pairs", pairs, "site", "hook_pattern", NULL), SONDE_USAGE);
    static const char alike[] = "{\"a\": \"the key\", \"b\": \"a key\", \"word\": \"key\", \"same\": true}\n"
                                "{\"a\": \"the cat\", \"b\": \"a cat\", \"word\": \"cat\", \"same\": true}\n";
    CHECK_EQ(run_method(r, "wic", "pairs", alike, "folds", "2", NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "fold 0: the examples to learn from have 1 yes and 0 no");
    run_close(r);
    free(pairs);
    free(few);
}

#define TESTS(X) \
    X(probes_equal_scikit_learn) X(edits_reach_the_states) X(a_dry_run_runs_nothing) X(places_of_the_word) X(broken_files) \
    X(what_cannot_be_is_said) X(an_interruption_ends_the_probes)
TEST_MAIN(TESTS)
