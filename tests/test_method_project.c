/* Pictures against scikit-learn and numpy (tools/truth/project.py), and every refusal. */
#include "method_run.h"
#include "truth_numbers.h"

static truth_numbers truth_of(const char *set, const char *what) {
    char name[96];
    snprintf(name, sizeof name, "%s.%s", set, what);
    return truth_read("project.txt", name);
}

/* `room`: of the largest coordinate; the truth's rows begin at `first`. */
static void compare(const method_run *r, const char *set, size_t first, double room) {
    static const char *const axes[] = { "x", "y", "z" };
    const sonde_table *c = run_table(r, "components"), *t = run_table(r, "points");
    const truth_numbers variance = truth_of(set, "variance"), share = truth_of(set, "share"), y = truth_of(set, "y");
    for (size_t i = 0; i < 3; i++) {
        CHECK_EQ(run_int(c, i, "component"), (int64_t)i + 1);
        CHECK_NEAR(run_float(c, i, "variance") / variance.at[i], 1, room);
        CHECK_NEAR(run_float(c, i, "share") / share.at[i], 1, room);
    }
    double most = 0;
    for (size_t i = 0; i < y.n; i++) most = fmax(most, fabs(y.at[i]));
    for (size_t i = 0; i < y.n; i++) CHECK_NEAR(run_float(t, first + i / 3, axes[i % 3]), y.at[i], room * most);
    free(variance.at);
    free(share.at);
    free(y.at);
}

static void components_equal_numpy(void) {
    method_run *r = run_open(NULL);
    RUN_OK(r, "project", "vocabulary", "yes", "dims", "3", NULL);
    CHECK_STR(run_columns(run_table(r, "points")), "id token padded x y z norm");
    CHECK_EQ(run_rows(run_table(r, "points")), DEMO_VOCAB);
    compare(r, "vocabulary", 1486, 1e-6);
    RUN_OK(r, "project", "unembedding", "yes", "dims", "3", NULL);      /* tied */
    compare(r, "vocabulary", 1486, 1e-6);
    RUN_OK(r, "project", "vocabulary", "yes", "rows", "100-399", "dims", "3", NULL);
    CHECK_EQ(run_int(run_table(r, "points"), 299, "id"), 399);
    CHECK_EQ(run_token(run_table(r, "points"), 299, "token"), 399);
    compare(r, "part", 0, 1e-6);
    RUN_OK(r, "project", "positions", "yes", "dims", "3", NULL);        /* fewer points than dimensions */
    CHECK_STR(run_columns(run_table(r, "points")), "position x y z norm");
    compare(r, "positions", 0, 1e-6);
    run_close(r);
}

static void a_prompt_at_its_layers(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    RUN_OK(r, "project", "layers", "0,3", "dims", "3", NULL);
    const sonde_table *t = run_table(r, "points");
    CHECK_STR(run_columns(t), "layer site position token x y z state");
    CHECK_EQ(run_rows(t), 28);
    CHECK_EQ(run_int(t, 14, "layer"), 3);
    CHECK_EQ(run_int(t, 15, "position"), 1);
    CHECK_EQ(run_token(t, 15, "token"), r->prompt[0].tokens.id[1]);
    compare(r, "prompt", 0, 2e-5);
    RUN_OK(r, "project", "site", "attn.hook_z[:,2]", NULL);
    CHECK_STR(run_text(run_table(r, "points"), 0, "site"), "blocks.0.attn.hook_z");
    RUN_OK(r, "project", "site", "hook_embed", NULL);
    CHECK_EQ(run_rows(run_table(r, "points")), 14);
    CHECK(run_null(run_table(r, "points"), 0, "layer"));
    run_close(r);
}

static void edits_move_the_points(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    run_edit(r, "zero:blocks.2.hook_resid_post");
    RUN_OK(r, "project", "layers", "2", NULL);
    for (size_t i = 0; i < 14; i++) CHECK_NEAR(run_float(run_table(r, "points"), i, "x"), 0, 0);
    CHECK(run_null(run_table(r, "components"), 0, "share"));
    run_close(r);
}

/* Not above scikit-learn's end by more than a twentieth. */
static void divergence_is_as_low_as_the_librarys(void) {
    static const char *const perplexities[] = { "5", "20" };
    method_run *r = run_open(NULL);
    for (int i = 0; i < 2; i++) {
        char set[32];
        snprintf(set, sizeof set, "tsne.positions.%s", perplexities[i]);
        const truth_numbers kl = truth_read("project.txt", set);
        RUN_OK(r, "project", "positions", "yes", "by", "tsne", "perplexity", perplexities[i], NULL);
        const sonde_table *t = run_table(r, "tsne"), *steps = run_table(r, "kl");
        CHECK(run_float(t, 0, "kl_nats") <= kl.at[0] * 1.05);
        CHECK(run_float(t, 0, "kl_nats") > 0.1);
        CHECK_EQ(run_int(t, 0, "iterations"), 1000);
        CHECK_NEAR(run_float(t, 0, "learning_rate"), 8, 0);
        CHECK_EQ(run_rows(steps), 20);
        CHECK_NEAR(run_float(steps, 19, "kl_nats"), run_float(t, 0, "kl_nats"), 0);
        CHECK_EQ(r->progress, 1000);
        free(kl.at);
    }
    run_close(r);
}

static double first_place(method_run *r, const char *start, uint64_t seed) {
    r->cx.seed = seed;
    RUN_OK(r, "project", "positions", "yes", "by", "tsne", "start", start, "iterations", "300", NULL);
    return run_float(run_table(r, "points"), 0, "x");
}

static void the_seed_alone_draws(void) {
    method_run *r = run_open(NULL);
    const double random = first_place(r, "random", 1), pca = first_place(r, "pca", 1);
    CHECK(first_place(r, "random", 1) == random);
    CHECK(first_place(r, "random", 2) != random);
    CHECK(first_place(r, "pca", 2) == pca && pca != random);
    CHECK_NEAR(run_float(run_table(r, "tsne"), 0, "perplexity"), 30, 0);
    RUN_OK(r, "project", "positions", "yes", "rows", "0-9", "by", "tsne", NULL);
    CHECK_NEAR(run_float(run_table(r, "tsne"), 0, "perplexity"), 3, 0);
    run_close(r);
}

static void points_all_the_same_are_drawn_apart(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    run_edit(r, "zero:blocks.2.hook_resid_post");
    RUN_OK(r, "project", "layers", "2", "by", "tsne", NULL);
    CHECK_STR(run_text(run_table(r, "tsne"), 0, "start"), "random");
    CHECK(isfinite(run_float(run_table(r, "points"), 3, "x")));
    run_close(r);
}

static bool stop_now(void *user) {
    int *left = user;
    return --*left <= 0;
}

static void an_interruption_keeps_what_is_done(void) {
    method_run *r = run_open(NULL);
    int left = 160;
    sonde_session_stop_when(r->cx.session, stop_now, &left);
    CHECK_EQ(run_method(r, "project", "positions", "yes", "by", "tsne", NULL), SONDE_CANCELLED);
    const int64_t done = run_int(run_table(r, "tsne"), 0, "iterations");
    CHECK(done > 10 && done < 160);
    left = 50;                                              /* among the distances */
    CHECK_EQ(run_method(r, "project", "positions", "yes", "by", "tsne", NULL), SONDE_CANCELLED);
    CHECK(result_table(r->out, "points") == NULL);
    left = 1;
    CHECK_EQ(run_method(r, "project", "vocabulary", "yes", NULL), SONDE_CANCELLED);
    CHECK(result_table(r->out, "points") == NULL);
    run_close(r);
}

static void what_is_refused(void) {
    static const struct { const char *given[6], *says; } bad[] = {
        { { "vocabulary", "yes", "positions", "yes" },
          "expected one of a prompt, --vocabulary, --positions and --unembedding" },
        { { "dims", "2" }, "no points, expected a prompt, --vocabulary, --positions or --unembedding" },
        { { "vocabulary", "yes", "layers", "1" },
          "site, layers and edits belong to a prompt, expected none of them beside a table" },
        { { "vocabulary", "yes", "rows", "1496" }, "rows: 1496 is outside 0..1495 (or -1496..-1 from the end)" },
        { { "vocabulary", "yes", "rows", "7" }, "1 point, expected at least 2 to lie apart" },
        { { "vocabulary", "yes", "by", "umap" }, "by: \"umap\", expected pca or tsne" },
        { { "vocabulary", "yes", "start", "x" }, "start: \"x\", expected pca or random" },
        { { "vocabulary", "yes", "perplexity", "5" }, "perplexity, iterations and start belong to --by tsne" },
        { { "vocabulary", "yes", "dims", "4" }, "dims: 4 is outside 2..3" },
        { { "positions", "yes", "by", "tsne", "perplexity", "31.7" },
          "perplexity: 31.7, expected at most 31.6667 ((n - 1)/3 of 96 points)" },
        { { "positions", "yes", "by", "tsne", "rows", "0-2" }, "tsne of 3 points, expected at least 4" },
    };
    method_run *r = run_open(NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *const *g = bad[i].given;
        CHECK_EQ(run_method(r, "project", g[0], g[1], g[2], g[3], g[4], g[5], NULL), SONDE_USAGE);
        CHECK_STR(r->err.message, bad[i].says);
    }
    run_prompt(r, DEMO_PROMPT);
    CHECK_EQ(run_method(r, "project", "rows", "1", NULL), SONDE_USAGE);
    CHECK_STR(r->err.message, "rows: it is of a table, expected none beside a prompt");
    CHECK_EQ(run_method(r, "project", "vocabulary", "yes", NULL), SONDE_USAGE);
    run_close(r);
}

static void too_many_points_for_tsne(void) {
    enum { N = 90 };
    method_run *r = run_open(NULL);
    char text[N * 4 + 1];
    for (int i = 0; i < N; i++) memcpy(text + i * 4, " the", 5);
    run_prompt(r, text);
    run_edit(r, "repeat:blocks.0-3=14");                            /* 56 states of 90 tokens */
    CHECK_EQ(run_method(r, "project", "by", "tsne", NULL), SONDE_USAGE);
    CHECK_STR(r->err.message, "tsne of 5040 points, expected at most 5000: choose --layers, or --by pca");
    RUN_OK(r, "project", NULL);
    run_close(r);
}

static void a_dry_run_runs_nothing(void) {
    method_run *r = run_open(NULL);
    r->cx.dry_run = true;
    RUN_OK(r, "project", "vocabulary", "yes", "by", "tsne", NULL);
    CHECK_EQ(run_int(run_table(r, "cost"), 0, "rows"), DEMO_VOCAB);
    run_prompt(r, DEMO_PROMPT);
    RUN_OK(r, "project", "layers", "1", NULL);
    CHECK_STR(run_text(run_table(r, "sites"), 0, "site"), "blocks.1.hook_resid_post");
    CHECK_EQ(run_int(run_table(r, "cost"), 0, "runs"), 1);
    CHECK(result_table(r->out, "points") == NULL);
    run_close(r);
}

#define TESTS(T) \
    T(components_equal_numpy) T(a_prompt_at_its_layers) T(edits_move_the_points) T(divergence_is_as_low_as_the_librarys) \
    T(the_seed_alone_draws) T(points_all_the_same_are_drawn_apart) T(an_interruption_keeps_what_is_done) T(what_is_refused) \
    T(too_many_points_for_tsne) T(a_dry_run_runs_nothing)
TEST_MAIN(TESTS)
