/* The list of operations against the architecture: counts, costs and sites by hand. */
#include "method_run.h"

enum { N = 14, D = DEMO_WIDTH, F = 640, H = 5, E = 32, V = DEMO_VOCAB, LAYERS = 4 };

static void the_demo_model_by_hand(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, DEMO_PROMPT);
    RUN_OK(r, "graph", NULL);
    const sonde_table *t = run_table(r, "operations");
    CHECK_STR(run_columns(t), "id stack block operation site weight bias reads in out flops bytes");
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

/* ---- encoder-decoders ---- */

/* Sizes of families/t5; positions of its two stacks. */
enum { OF_TEXT = 7, OF_TARGET = 3, T5_D = 16, T5_F = 22, T5_HE = 3 * 5, T5_V = 40, ENCODER = 2, DECODER = 3 };

static method_run *open_t5(void) {
    static int32_t target[OF_TARGET] = { 0, 9, 11 };
    method_run *r = run_open(SONDE_SOURCE_DIR "/tests/golden/families/t5");
    r->cx.n_prompts = 1;
    r->prompt[0] = (method_prompt){ .tokens = { .n = OF_TEXT, .id = calloc(OF_TEXT, sizeof(int32_t)) } };
    r->prompt[0].target = (sonde_tokens){ .n = OF_TARGET, .id = memcpy(calloc(OF_TARGET, sizeof *target), target, sizeof target) };
    return r;
}

static double sum_of(const sonde_table *t, const char *op, const char *stack) {
    double sum = 0;
    for (size_t i = 0; i < t->rows; i++)
        if (!strcmp(run_text(t, i, "operation"), op) && !strcmp(run_text(t, i, "stack"), stack))
            sum += run_float(t, i, "flops");
    return sum;
}

static long count_of(const sonde_table *t, const char *op) {
    long n = 0;
    for (size_t i = 0; i < t->rows; i++) n += !strcmp(run_text(t, i, "operation"), op);
    return n;
}

/* Keys and values of cross-attention are the encoder's positions, made in the decoder's blocks. */
static void two_stacks_by_hand(void) {
    method_run *r = open_t5();
    RUN_OK(r, "graph", NULL);
    const sonde_table *t = run_table(r, "operations");
    const double in_encoder = OF_TEXT * ENCODER * (4.0 * T5_D * T5_HE + 2.0 * T5_D * T5_F),
                 in_decoder = OF_TARGET * DECODER * (6.0 * T5_D * T5_HE + 2.0 * T5_D * T5_F) +
                              OF_TEXT * DECODER * 2.0 * T5_D * T5_HE;
    CHECK_NEAR(sum_of(t, "linear", "encoder"), 2 * in_encoder, 0.5);
    CHECK_NEAR(sum_of(t, "linear", "decoder"), 2 * (in_decoder + OF_TARGET * T5_D * T5_V), 0.5);
    CHECK_NEAR(sum_of(t, "scores", "encoder"), 2.0 * ENCODER * T5_HE * OF_TEXT * OF_TEXT, 0.5);
    CHECK_NEAR(sum_of(t, "mix", "decoder"), 2.0 * DECODER * T5_HE * (OF_TARGET * OF_TARGET + OF_TARGET * OF_TEXT), 0.5);
    CHECK_EQ(count_of(t, "relative_bias"), 2);
    CHECK_EQ(count_of(t, "scores"), ENCODER + 2 * DECODER);
    run_close(r);
}

static void rows_of_two_stacks_name_what_they_read(void) {
    method_run *r = open_t5();
    RUN_OK(r, "graph", NULL);
    const sonde_table *t = run_table(r, "operations");
    const size_t end = find(t, "encoder_final_ln.hook_out"), q = find(t, "decoder.1.cross_attn.hook_q"),
                 k = find(t, "decoder.1.cross_attn.hook_k"), v = find(t, "decoder.1.cross_attn.hook_v"),
                 scores = find(t, "decoder.1.cross_attn.hook_attn_scores"), mid = find(t, "decoder.1.hook_resid_mid"),
                 own = find(t, "decoder.1.attn.hook_attn_scores"), bias = find(t, "decoder.0.attn.rel_pos_hook");
    char want[60];
    CHECK(end < find(t, "decoder.hook_embed, decoder.0.hook_resid_pre"));
    CHECK(mid < q && q < k && k < v && v + 1 == scores);
    CHECK_EQ(atol(run_text(t, k, "reads")), (long long)end);
    CHECK_EQ(atol(run_text(t, v, "reads")), (long long)end);
    snprintf(want, sizeof want, "%zu %zu", q, k);
    CHECK_STR(run_text(t, scores, "reads"), want);
    CHECK_STR(run_text(t, scores, "in"), "3 3 5, 7 3 5");
    CHECK_STR(run_text(t, scores, "out"), "3 3 7");
    snprintf(want, sizeof want, "%zu %zu %zu", find(t, "decoder.1.attn.hook_q"), find(t, "decoder.1.attn.hook_k"), bias);
    CHECK_STR(run_text(t, own, "reads"), want);
    CHECK_STR(run_text(t, bias, "weight"), "decoder.0.attn.rel_pos_bias");
    CHECK_STR(run_text(t, bias, "out"), "3 3 3");
    CHECK_STR(run_text(t, q, "stack"), "decoder");
    CHECK_STR(run_text(t, q, "weight"), "decoder.1.cross_attn.W_Q");
    CHECK_EQ(run_int(t, q, "block"), 1);
    CHECK_STR(run_text(t, end, "stack"), "encoder");
    CHECK(run_null(t, end, "block"));
    CHECK_STR(run_text(t, end, "weight"), "encoder_final_ln.w");
    CHECK_STR(run_text(t, find(t, "hook_embed, encoder.0.hook_resid_pre"), "weight"), "embed.W_E");
    run_close(r);
}

static void plans_of_two_stacks_change_it(void) {
    method_run *r = open_t5();
    RUN_OK(r, "graph", NULL);
    const int64_t all = run_rows(run_table(r, "operations"));
    run_edit(r, "skip:decoder.0.cross_attn");   /* a norm of 3, q k v, 3 of attention, a product, a sum */
    RUN_OK(r, "graph", NULL);
    CHECK_EQ(run_rows(run_table(r, "operations")), all - 11);
    run_edit(r, "zero:decoder.1.cross_attn.hook_result[:,1]");
    RUN_OK(r, "graph", NULL);
    CHECK_EQ(run_rows(run_table(r, "operations")), all - 11 + 3);
    run_edit(r, "skip:encoder.0.attn");         /* the bias stays without its site: block 1 reads it */
    RUN_OK(r, "graph", NULL);
    CHECK_EQ(run_rows(run_table(r, "operations")), all - 11 + 3 - 11);
    CHECK_EQ(count_of(run_table(r, "operations"), "relative_bias"), 2);
    run_close(r);
}

static sonde_status pass_over(const sonde_operation *o, void *user, sonde_error *err) {
    (void)o, (void)user, (void)err;
    return SONDE_OK;
}

static void a_decoder_needs_positions_of_its_own(void) {
    method_run *r = open_t5();
    const sonde_graph_query none = { .n = OF_TEXT };
    CHECK_EQ(sonde_graph(r->model, none, pass_over, NULL, &r->err), SONDE_USAGE);
    CHECK(strstr(r->err.message, "0 positions of the target"));
    run_close(r);
}

#define TESTS(T) \
    T(the_demo_model_by_hand) T(rows_name_sites_weights_and_inputs) T(reads_make_a_graph) T(plans_and_edits_change_it) \
    T(two_stacks_by_hand) T(rows_of_two_stacks_name_what_they_read) T(plans_of_two_stacks_change_it) \
    T(a_decoder_needs_positions_of_its_own)
TEST_MAIN(TESTS)
