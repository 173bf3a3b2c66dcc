/* direction against numpy on transformers in float64 (tools/truth/direction.py), and what steering with it does. */
#include "method_run.h"
#include "truth.h"

enum { N_POS = 5, N_NEG = 4 };

static void join(const json *list, char *out, size_t room) {
    size_t n = 0;
    for (size_t i = 0; i < list->len; i++) {
        const char *text;
        size_t len;
        CHECK(json_string(truth_at(list, i), &text, &len));
        n += (size_t)snprintf(out + n, room - n, "%s\n", text);
    }
}

typedef struct { truth t; char pos[512], neg[512]; } lists;

static lists lists_open(void) {
    lists l = { .t = truth_open("direction") };
    join(truth_of(l.t.all, "pos"), l.pos, sizeof l.pos);
    join(truth_of(l.t.all, "neg"), l.neg, sizeof l.neg);
    return l;
}

static void compare_site(method_run *r, size_t i, const json *want) {
    static const char *const columns[] = { "norm", "cosine", "d_prime", "auc", "accuracy", "accuracy_left_out" };
    const sonde_table *t = run_table(r, "directions"), *p = run_table(r, "prompts");
    for (size_t c = 0; c < sizeof columns / sizeof *columns; c++)
        CHECK_NEAR(run_float(t, i, columns[c]), truth_number(want, columns[c]), 1e-4 * (1 + truth_number(want, columns[c])));
    for (size_t k = 0; k < N_POS + N_NEG; k++) {
        const size_t row = i * (N_POS + N_NEG) + k;
        CHECK_NEAR(run_float(p, row, "projection"), truth_item(truth_of(want, "projection"), k), 2e-4);
        CHECK_STR(run_text(p, row, "side"), k < N_POS ? "pos" : "neg");
        CHECK_EQ(run_int(p, row, "prompt"), (int64_t)(k < N_POS ? k : k - N_POS));
    }
    const sonde_array *a = result_array(r->out, "direction");
    const size_t width = truth_of(want, "direction")->len;
    for (size_t k = 0; k < width; k++) CHECK_NEAR(a->data[i * width + k], truth_item(truth_of(want, "direction"), k), 1e-4);
}

static void every_layer_equals_numpy(void) {
    lists l = lists_open();
    method_run *r = run_open(NULL);
    RUN_OK(r, "direction", "pos", l.pos, "neg", l.neg, NULL);
    CHECK_EQ(run_rows(run_table(r, "directions")), 4);
    CHECK_STR(run_columns(run_table(r, "directions")), "site layer norm cosine d_prime auc accuracy accuracy_left_out n_pos n_neg");
    for (size_t i = 0; i < 4; i++) compare_site(r, i, truth_at(truth_of(l.t.all, "last"), i));
    const sonde_array *a = result_array(r->out, "direction");
    CHECK(a->rank == 2 && a->dim[0] == 4 && a->dim[1] == DEMO_WIDTH);
    CHECK_EQ(run_int(run_table(r, "directions"), 3, "layer"), 3);
    CHECK_EQ(run_int(run_table(r, "directions"), 3, "n_neg"), N_NEG);
    CHECK_EQ(r->progress, N_POS + N_NEG);
    run_close(r);
    truth_close(l.t);
}

/* A site of three axes, all positions; one site has no axis of sites. */
static void means_over_positions(void) {
    lists l = lists_open();
    method_run *r = run_open(NULL);
    RUN_OK(r, "direction", "pos", l.pos, "neg", l.neg, "site", "blocks.1.attn.hook_z", "at", "all", NULL);
    compare_site(r, 0, truth_of(l.t.all, "z"));
    const sonde_array *a = result_array(r->out, "direction");
    CHECK(a->rank == 2 && a->dim[0] == 5 && a->dim[1] == 32);
    CHECK_STR(a->axis[0], "h");
    RUN_OK(r, "direction", "pos", l.pos, "neg", l.neg, "site", "blocks.2.hook_resid_post", "at", "-1", "normalise", "true", NULL);
    const json *want = truth_at(truth_of(l.t.all, "last"), 2);
    for (size_t k = 0; k < DEMO_WIDTH; k++)
        CHECK_NEAR(result_array(r->out, "direction")->data[k], truth_item(truth_of(want, "direction"), k) / truth_number(want, "norm"), 1e-5);
    CHECK_NEAR(run_float(run_table(r, "directions"), 0, "norm"), truth_number(want, "norm"), 1e-3);
    run_close(r);
    truth_close(l.t);
}

/* The direction from he to she, added at the last position, makes the model say she; taken away, he. */
static void it_steers(void) {
    static const char she[] = "Mary was tired when\nAnna was late when\nEmma was happy when\nJulia was cold when\n";
    static const char he[] = "John was tired when\nTom was late when\nPeter was happy when\nDavid was cold when\n";
    static const struct { const char *prompt, *edit; } cases[] = {
        { "Adam was cold when", "add:blocks.1.hook_resid_post[-1]=2*value/0" },
        { "Ruth was cold when", "add:blocks.1.hook_resid_post[-1]=-2*value/0" },
    };
    int32_t word[2];
    method_run *r = run_open(NULL);
    CHECK(!sonde_token_single(r->model, " she", 4, &word[0], NULL) && !sonde_token_single(r->model, " he", 3, &word[1], NULL));
    RUN_OK(r, "direction", "pos", she, "neg", he, "site", "blocks.1.hook_resid_post", NULL);
    const float *d = result_array(r->out, "direction")->data;
    for (int i = 0; i < 2; i++) {
        const sonde_values v = { d, 1, { DEMO_WIDTH } };
        sonde_tokens t;
        CHECK(!sonde_tokenize(r->model, cases[i].prompt, strlen(cases[i].prompt), r->cx.tokenize, &t, NULL));
        const sonde_prompt p = { .tokens = t.id, .n = t.n };
        run_values plain = run_site(r, p, false, NULL);
        CHECK(!sonde_edit_of_values(&r->edit[0], r->model, cases[i].edit, v, &r->err));
        r->cx.n_edits = 1;
        run_values steered = run_site(r, p, true, NULL);
        CHECK_EQ(sonde_logits_stats(plain.data + (t.n - 1) * DEMO_VOCAB, DEMO_VOCAB).argmax, word[!i]);
        CHECK_EQ(sonde_logits_stats(steered.data + (t.n - 1) * DEMO_VOCAB, DEMO_VOCAB).argmax, word[i]);
        free(plain.data);
        free(steered.data);
        sonde_edit_free(r->edit[0]);
        r->cx.n_edits = 0;
        sonde_tokens_free(&t);
    }
    run_close(r);
}

static void edits_reach_the_values(void) {
    method_run *r = run_open(NULL);
    run_edit(r, "set:blocks.2.hook_resid_post=3");
    RUN_OK(r, "direction", "pos", " a", "neg", " the", "site", "blocks.2.hook_resid_post", NULL);
    CHECK(run_float(run_table(r, "directions"), 0, "norm") == 0);
    CHECK(run_null(run_table(r, "directions"), 0, "d_prime") && run_null(run_table(r, "directions"), 0, "accuracy_left_out"));
    run_close(r);
}

static void a_dry_run_runs_nothing(void) {
    method_run *r = run_open(NULL);
    r->cx.dry_run = true;
    RUN_OK(r, "direction", "pos", "Mary had a key", "neg", "Tom\nAnna", NULL);
    CHECK_EQ(run_int(run_table(r, "cost"), 0, "runs"), 3);
    CHECK_STR(run_text(run_table(r, "sites"), 3, "shape"), "4 160");
    CHECK(result_array(r->out, "direction") == NULL);
    run_close(r);
}

static void what_cannot_be_is_said(void) {
    method_run *r = run_open(NULL);
    CHECK_EQ(run_method(r, "direction", "pos", "Mary", NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "neg is required");
    CHECK_EQ(run_method(r, "direction", "pos", "Mary", "neg", "Tom", "site", "hook_pattern", NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "\"h t s\", expected t");
    CHECK_EQ(run_method(r, "direction", "pos", "Mary", "neg", "Tom", "site", "blocks.0.{attn.hook_z,hook_mlp_out}", NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "another shape than blocks.0.attn.hook_z");
    CHECK_EQ(run_method(r, "direction", "pos", "Mary was", "neg", "Tom\nMary had a key", "at", "3", NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "pos: prompt 0: at: 3 is outside 0..1");
    CHECK_EQ(run_method(r, "direction", "pos", "Mary", "neg", "Tom", "at", "first", NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "first");
    CHECK_EQ(run_method(r, "direction", "pos", "Mary", "neg", "Tom", "site", "hook_foo", NULL), SONDE_USAGE);
    run_close(r);
}

#define TESTS(X) \
    X(every_layer_equals_numpy) X(means_over_positions) X(it_steers) X(edits_reach_the_values) X(a_dry_run_runs_nothing) \
    X(what_cannot_be_is_said)
TEST_MAIN(TESTS)
