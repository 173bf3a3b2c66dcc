/* The list of operations against the architecture: counts, costs and sites by hand. */
#include "method_run.h"

enum { N = 14, D = DEMO_WIDTH, F = 640, H = 5, E = 32, V = DEMO_VOCAB, LAYERS = 4 };

static void the_demo_model_by_hand(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    RUN_OK(r, "graph", NULL);
    const sonde_table *t = run_table(r, "operations");
    CHECK_STR(run_columns(t), "id block operation site weight bias reads in out flops bytes");
    CHECK_EQ(run_rows(t), 3 + 18 * LAYERS + 4);
    double products = 0, attention = 0, flops = 0;
    for (size_t i = 0; i < t->rows; i++) {
        const char *op = run_text(t, i, "operation");
        CHECK_EQ(run_int(t, i, "id"), (long long)i);
        if (!strcmp(op, "linear")) products += run_float(t, i, "flops");
        if (!strcmp(op, "scores") || !strcmp(op, "mix")) attention += run_float(t, i, "flops");
        flops += run_float(t, i, "flops");
    }
    CHECK_NEAR(attention, 2.0 * 2 * LAYERS * H * N * N * E, 0.5);
    CHECK_NEAR(products, 2.0 * N * (LAYERS * (4.0 * D * H * E + 2.0 * D * F) + D * V), 0.5);
    CHECK_NEAR(run_float(run_table(r, "total"), 0, "flops"), flops, 0.5);
    run_close(r);
}

static size_t find(const sonde_table *t, const char *site) {
    for (size_t i = 0; i < t->rows; i++)
        if (!run_null(t, i, "site") && !strcmp(run_text(t, i, "site"), site)) return i;
    FAIL_("no operation makes %s", site);
}

static void rows_name_sites_weights_and_inputs(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    RUN_OK(r, "graph", NULL);
    const sonde_table *t = run_table(r, "operations");
    const size_t q = find(t, "blocks.2.attn.hook_q"), pattern = find(t, "blocks.2.attn.hook_pattern"),
                 scores = find(t, "blocks.2.attn.hook_attn_scores"), z = find(t, "blocks.2.attn.hook_z"),
                 out = find(t, "blocks.2.hook_attn_out");
    CHECK_STR(run_text(t, q, "weight"), "blocks.2.attn.W_Q");
    CHECK_STR(run_text(t, q, "bias"), "blocks.2.attn.b_Q");
    CHECK_STR(run_text(t, q, "in"), "14 160");
    CHECK_STR(run_text(t, q, "out"), "14 5 32");
    CHECK_STR(run_text(t, pattern, "operation"), "softmax");
    CHECK_EQ(run_int(t, pattern, "id"), run_int(t, scores, "id") + 1);
    CHECK_EQ(run_int(t, z, "id"), run_int(t, scores, "id") + 2);
    CHECK_STR(run_text(t, scores, "out"), "5 14 14");
    CHECK_EQ(atol(run_text(t, out, "reads")), run_int(t, z, "id"));
    CHECK(run_null(t, find(t, "hook_embed"), "block"));
    CHECK_STR(run_text(t, find(t, "hook_embed"), "weight"), "embed.W_E");
    find(t, "blocks.0.hook_resid_pre");
    find(t, "blocks.0.hook_resid_post, blocks.1.hook_resid_pre");
    find(t, "ln_final.hook_out, unembed.hook_in");
    find(t, "unembed.hook_out");
    run_close(r);
}

/* Every id that is read stands above; everything but the answer is read by somebody. */
static void reads_make_a_graph(void) {
    method_run *r = run_open("induction");
    run_prompt(r, " red cat");
    RUN_OK(r, "graph", NULL);
    const sonde_table *t = run_table(r, "operations");
    bool *read = calloc(t->rows, sizeof *read);
    for (size_t i = 0; i < t->rows; i++) {
        const char *at = run_text(t, i, "reads");
        while (*at) {
            char *end;
            const long id = strtol(at, &end, 10);
            CHECK(id >= 0 && id < (long)i);
            read[id] = true;
            at = *end ? end + 1 : end;
        }
    }
    for (size_t i = 0; i + 1 < t->rows; i++) CHECK(read[i]);
    CHECK(!read[t->rows - 1]);
    free(read);
    run_close(r);
}

static void plans_and_edits_change_it(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    run_edit(r, "skip:blocks.1");
    run_edit(r, "skip:blocks.2.attn");
    run_edit(r, "repeat:blocks.3=2");
    RUN_OK(r, "graph", NULL);
    const sonde_table *t = run_table(r, "operations");
    CHECK_EQ(run_rows(t), 3 + 18 + 7 + 18 + 18 + 4);
    find(t, "blocks.3r1.attn.hook_z");
    run_edit(r, "zero:blocks.0.attn.hook_result[:,1]");
    RUN_OK(r, "graph", NULL);
    CHECK_EQ(run_rows(run_table(r, "operations")), 3 + 18 + 3 + 7 + 18 + 18 + 4);
    find(run_table(r, "operations"), "blocks.0.attn.hook_result");
    run_close(r);
}

#define TESTS(T) \
    T(the_demo_model_by_hand) T(rows_name_sites_weights_and_inputs) T(reads_make_a_graph) T(plans_and_edits_change_it)
TEST_MAIN(TESTS)
