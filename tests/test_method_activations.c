/* Sizes of activations against torch's hooks (tools/truth/activations.py), and what is refused. */
#include "method_run.h"
#include "truth_numbers.h"

static truth_numbers truth_of(const char *kind, const char *what) {
    char name[96];
    snprintf(name, sizeof name, "%s.%s", kind, what);
    return truth_read("activations.txt", name);
}

static double room_for(double x) { return 2e-5 * fmax(1, fabs(x)); }

static void compare_column(const method_run *r, const char *kind, const char *column) {
    const sonde_table *t = run_table(r, "tokens_layers");
    const truth_numbers want = truth_of(kind, column);
    CHECK_EQ(run_rows(t), (int64_t)want.n);
    for (size_t i = 0; i < want.n; i++) CHECK_NEAR(run_float(t, i, column), want.at[i], room_for(want.at[i]));
    free(want.at);
}

static void compare_top(const method_run *r, const char *kind, const char *unit) {
    const sonde_table *t = run_table(r, "top");
    const truth_numbers ids = truth_of(kind, "top"), values = truth_of(kind, "top_values");
    CHECK_EQ(run_rows(t), (int64_t)ids.n);
    for (size_t i = 0; i < ids.n; i++) {
        CHECK_EQ(run_int(t, i, unit), (int64_t)ids.at[i]);
        CHECK_NEAR(run_float(t, i, "value"), values.at[i], room_for(values.at[i]));
        CHECK_EQ(run_int(t, i, "rank"), (int64_t)i % 5 + 1);
        CHECK_EQ(run_int(t, i, "position"), 13);
    }
    free(ids.at);
    free(values.at);
}

static const struct { const char *site, *kind, *unit; } sites[] = {
    { "hook_resid_post", "resid_post", "dim" }, { "mlp.hook_post", "mlp_post", "neuron" },
    { "attn.hook_z[:,2]", "z", "unit" }, { "hook_embed", "embed", "dim" },
};

static void compare_all(method_run *r, const char *end) {
    static const char *const columns[] = { "mean", "norm", "max", "share_above_0" };
    for (size_t i = 0; i < sizeof sites / sizeof *sites; i++) {
        char kind[64];
        snprintf(kind, sizeof kind, "%s%s", sites[i].kind, end);
        RUN_OK(r, "activations", "site", sites[i].site, NULL);
        for (int c = 0; c < 4; c++) compare_column(r, kind, columns[c]);
        compare_top(r, kind, sites[i].unit);
    }
}

static void sizes_equal_torch(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    compare_all(r, "");
    run_edit(r, "zero:blocks.2.attn.hook_z[:,1]");
    compare_all(r, ".edited");
    run_close(r);
}

static void one_unit_over_the_tokens(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    RUN_OK(r, "activations", "site", "mlp.hook_post", "unit", "3.17", NULL);
    const sonde_table *t = run_table(r, "unit");
    const truth_numbers want = truth_of("mlp_post", "unit");
    CHECK_STR(run_columns(t), "layer site position token neuron value");
    CHECK_EQ(run_rows(t), 14);
    for (size_t i = 0; i < want.n; i++) {
        CHECK_NEAR(run_float(t, i, "value"), want.at[i], room_for(want.at[i]));
        CHECK_EQ(run_int(t, i, "position"), (int64_t)i);
        CHECK_EQ(run_token(t, i, "token"), r->prompt[0].tokens.id[i]);
    }
    RUN_OK(r, "activations", "unit", "0.3", NULL);
    CHECK_STR(run_columns(run_table(r, "unit")), "layer site position token dim value");
    RUN_OK(r, "activations", "site", "hook_embed", "unit", "3", NULL);
    CHECK(run_null(run_table(r, "unit"), 0, "layer"));
    free(want.at);
    run_close(r);
}

static void layers_and_positions_are_chosen(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    r->cx.top = 2;
    RUN_OK(r, "activations", "layers", "-1,1", "position", "3", NULL);
    const sonde_table *t = run_table(r, "tokens_layers"), *top = run_table(r, "top");
    CHECK_STR(run_columns(t), "layer site position token mean norm max share_above_0 state");
    CHECK_EQ(run_rows(t), 28);
    CHECK_EQ(run_int(t, 0, "layer"), 1);
    CHECK_EQ(run_int(t, 27, "layer"), 3);
    CHECK_EQ(run_rows(top), 4);
    CHECK_EQ(run_int(top, 0, "position"), 3);
    run_close(r);
}

static void a_block_that_runs_twice_is_two_states(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, "When Mary");
    run_edit(r, "repeat:blocks.1=2");
    RUN_OK(r, "activations", NULL);
    const sonde_table *t = run_table(r, "tokens_layers");
    CHECK_EQ(run_rows(t), 10);
    CHECK_STR(run_text(t, 2, "state"), "1");
    CHECK_STR(run_text(t, 4, "state"), "1r1");
    CHECK_EQ(run_int(t, 4, "layer"), 1);
    run_close(r);
}

static void what_is_refused(void) {
    static const struct { const char *name, *text, *says; } bad[] = {
        { "site", "hook_z", "site: blocks.0.attn.hook_z has heads, expected one of them as in hook_z[:,0]" },
        { "site", "hook_z[:,5]", "site: head 5 of blocks.0.attn.hook_z, expected 0 to 4" },
        { "site", "hook_z[3]", "site: index \"[3]\", expected [:,HEAD]" },
        { "site", "hook_resid_pre[:,1]", "site: blocks.0.hook_resid_pre has no heads, expected no index" },
        { "site", "hook_pattern",
          "site: blocks.0.attn.hook_pattern has axes h t s, expected t d, t f or, with [:,HEAD], t h e" },
        { "site", "ln1.hook_scale",
          "site: blocks.0.ln1.hook_scale has axes t 1, expected t d, t f or, with [:,HEAD], t h e" },
        { "site", "hook_resid_pre,hook_resid_post",
          "site: blocks.0.hook_resid_pre and blocks.0.hook_resid_post are two kinds, expected one" },
        { "position", "14", "position: 14, expected -14 to 13" },
        { "position", "-15", "position: -15, expected -14 to 13" },
        { "unit", "3", "unit: \"3\", expected LAYER.NUMBER as in 2.17" },
        { "unit", "3.160", "unit: dim 160, expected 0 to 159" },
        { "unit", "4.1", "unit: layer 4 is not among those shown" },
        { "unit", "1.2x", "unit: \"1.2x\", expected LAYER.NUMBER as in 2.17" },
        { "layers", "4", "layers: 4 is outside 0..3 (or -4..-1 from the end)" },
    };
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_EQ(run_method(r, "activations", bad[i].name, bad[i].text, NULL), SONDE_USAGE);
        CHECK_STR(r->err.message, bad[i].says);
    }
    run_edit(r, "skip:blocks.1.mlp");
    CHECK_EQ(run_method(r, "activations", "site", "mlp.hook_post", "layers", "1", NULL), SONDE_USAGE);
    CHECK_STR(r->err.message, "layers: none of 1 has mlp.hook_post in this run");
    run_close(r);
}

static void a_dry_run_runs_nothing(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    r->cx.dry_run = true;
    RUN_OK(r, "activations", "site", "mlp.hook_post", "layers", "1,3", NULL);
    CHECK_EQ(run_rows(run_table(r, "sites")), 2);
    CHECK_STR(run_text(run_table(r, "sites"), 1, "site"), "blocks.3.mlp.hook_post");
    CHECK_STR(run_text(run_table(r, "sites"), 1, "shape"), "14 640");
    CHECK_EQ(run_int(run_table(r, "cost"), 0, "runs"), 1);
    CHECK(result_table(r->out, "top") == NULL);
    run_close(r);
}

#define TESTS(T) \
    T(sizes_equal_torch) T(one_unit_over_the_tokens) T(layers_and_positions_are_chosen) \
    T(a_block_that_runs_twice_is_two_states) T(what_is_refused) T(a_dry_run_runs_nothing)
TEST_MAIN(TESTS)
