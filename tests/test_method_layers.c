/* eval and layers against transformers in float64 (tools/truth/layers.py), and what must not change anything. */
#include "method_run.h"
#include "truth.h"
#include <math.h>

enum { DOCUMENTS = 6 };

static const struct { const char *column, *key; } figures[] = {
    { "kl_nats", "kl" }, { "same", "same" }, { "accuracy_after", "right" }, { "loss_after", "loss" }, { "entropy_after", "entropy" },
};
enum { FIGURES = sizeof figures / sizeof *figures };

/* Means over all predictions, from the means of each document. */
static double over_documents(const json *all, const char *way, size_t slot, const char *key) {
    double sum = 0, n = 0;
    for (size_t i = 0; i < DOCUMENTS; i++) {
        const json *d = truth_at(all, i);
        const double rows = truth_number(d, "tokens") - 1;
        sum += rows * truth_number(slot == SIZE_MAX ? truth_of(d, way) : truth_at(truth_of(d, way), slot), key);
        n += rows;
    }
    return sum / n;
}

static void compare_rows(method_run *r, const json *all, const char *way, size_t first, size_t n) {
    const sonde_table *t = run_table(r, "layers");
    for (size_t i = 0; i < n; i++)
        for (size_t f = 0; f < FIGURES; f++)
            CHECK_NEAR(run_float(t, first + i, figures[f].column), over_documents(all, way, i, figures[f].key), 2e-5);
}

static void ways_equal_transformers(void) {
    const truth t = truth_open("layers");
    method_run *r = run_open(NULL);
    run_held_out(r, DOCUMENTS);
    RUN_OK(r, "layers", "do", "swap,skip,repeat", NULL);
    compare_rows(r, t.all, "swap", 0, 3);
    compare_rows(r, t.all, "skip", 3, 4);
    compare_rows(r, t.all, "repeat", 7, 4);
    CHECK_NEAR(run_float(run_table(r, "layers"), 0, "loss_before"), over_documents(t.all, "model", SIZE_MAX, "loss"), 1e-5);
    RUN_OK(r, "layers", "do", "swap,skip", "window", "2", NULL);
    CHECK_EQ(run_rows(run_table(r, "layers")), 1 + 3);
    compare_rows(r, t.all, "swap2", 0, 1);
    compare_rows(r, t.all, "skip2", 1, 3);
    CHECK_EQ(run_int(run_table(r, "layers"), 0, "last"), 3);
    run_close(r);
    truth_close(t);
}

static void eval_equals_transformers(void) {
    const truth t = truth_open("layers");
    method_run *r = run_open(NULL);
    run_held_out(r, DOCUMENTS);
    run_edit(r, "skip:blocks.1");
    RUN_OK(r, "eval", NULL);
    const sonde_table *s = run_table(r, "summary");
    CHECK_NEAR(run_float(s, 0, "loss"), over_documents(t.all, "model", SIZE_MAX, "loss"), 1e-5);
    CHECK_NEAR(run_float(s, 0, "accuracy"), over_documents(t.all, "model", SIZE_MAX, "right"), 1e-12);
    CHECK_NEAR(run_float(s, 1, "loss"), over_documents(t.all, "skip", 1, "loss"), 1e-5);
    CHECK_NEAR(run_float(s, 1, "kl_nats"), over_documents(t.all, "skip", 1, "kl"), 1e-5);
    CHECK_NEAR(run_float(s, 1, "same"), over_documents(t.all, "skip", 1, "same"), 1e-12);
    CHECK_NEAR(run_float(s, 0, "perplexity"), exp(run_float(s, 0, "loss")), 1e-9);
    CHECK_EQ(run_rows(run_table(r, "documents")), DOCUMENTS);
    /* the standard error, from the documents' own means */
    double se = 0, n = 0;
    for (size_t i = 0; i < DOCUMENTS; i++) n += truth_number(truth_at(t.all, i), "tokens") - 1;
    for (size_t i = 0; i < DOCUMENTS; i++) {
        const double rows = truth_number(truth_at(t.all, i), "tokens") - 1;
        const double off = rows * (truth_number(truth_of(truth_at(t.all, i), "model"), "loss") - run_float(s, 0, "loss"));
        se += off * off;
    }
    CHECK_NEAR(run_float(s, 0, "loss_se"), sqrt(se * DOCUMENTS / (DOCUMENTS - 1)) / n, 1e-5);
    run_close(r);
    truth_close(t);
}

/* Swapped twice, repeated never: the model itself, in every bit. */
static void no_change_is_none(void) {
    method_run *r = run_open(NULL);
    run_held_out(r, 2);
    run_edit(r, "swap:blocks.1,blocks.2");
    RUN_OK(r, "layers", "do", "swap", "layers", "1", "predictions", "true", NULL);
    run_close(r);
    r = run_open(NULL);
    run_held_out(r, 2);
    run_edit(r, "swap:blocks.1,blocks.2");
    run_edit(r, "swap:blocks.1,blocks.2");
    RUN_OK(r, "eval", NULL);
    CHECK(run_float(run_table(r, "summary"), 1, "kl_nats") == 0);
    CHECK(run_float(run_table(r, "summary"), 1, "same") == 1);
    CHECK(run_float(run_table(r, "summary"), 1, "loss") == run_float(run_table(r, "summary"), 0, "loss"));
    run_close(r);
}

/* A row's loss is that of the token that stands behind its own, and so are its entropy and its KL. */
static void predictions_are_aligned(void) {
    method_run *r = run_open(NULL);
    run_held_out(r, 2);
    RUN_OK(r, "layers", "do", "skip", "layers", "2", "predictions", "true", NULL);
    const sonde_table *t = run_table(r, "predictions");
    const sonde_prompt p = { .tokens = r->document[1].tokens.id, .n = r->document[1].tokens.n };
    const int64_t first = r->document[0].tokens.n - 1;
    CHECK_EQ(run_rows(t), first + p.n - 1);
    run_edit(r, "skip:blocks.2");
    run_values before = run_site(r, p, false, NULL), after = run_site(r, p, true, NULL);
    for (int64_t i = 0; i < p.n - 1; i += 7) {
        const size_t row = (size_t)(first + i);
        const float *b = before.data + i * DEMO_VOCAB, *a = after.data + i * DEMO_VOCAB;
        CHECK_EQ(run_int(t, row, "document"), 1);
        CHECK_EQ(run_int(t, row, "position"), i);
        CHECK_EQ(run_token(t, row, "token"), p.tokens[i]);
        CHECK_EQ(run_token(t, row, "next"), p.tokens[i + 1]);
        CHECK_NEAR(run_float(t, row, "loss_before"), -log(sonde_logits_prob(b, DEMO_VOCAB, p.tokens[i + 1])), 1e-12);
        CHECK_NEAR(run_float(t, row, "loss_after"), -log(sonde_logits_prob(a, DEMO_VOCAB, p.tokens[i + 1])), 1e-12);
        CHECK_NEAR(run_float(t, row, "kl_nats"), sonde_logits_kl(b, a, DEMO_VOCAB), 1e-12);
        CHECK_EQ(run_token(t, row, "best_after"), sonde_logits_stats(a, DEMO_VOCAB).argmax);
    }
    free(before.data);
    free(after.data);
    run_close(r);
}

static void orders_of_ones_own(void) {
    const truth t = truth_open("layers");
    method_run *r = run_open(NULL);
    run_held_out(r, DOCUMENTS);
    RUN_OK(r, "layers", "do", "order", "order", "3,2,1,0", NULL);
    compare_rows(r, t.all, "order", 0, 1);
    CHECK(run_null(run_table(r, "layers"), 0, "slot"));
    run_close(r);
    truth_close(t);
}

static void what_cannot_be_is_said(void) {
    method_run *r = run_open(NULL);
    run_held_out(r, 1);
    CHECK_EQ(run_method(r, "layers", "do", "shuffle", NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "shuffle");
    CHECK_EQ(run_method(r, "layers", "do", "order", NULL), SONDE_USAGE);
    CHECK_EQ(run_method(r, "layers", "do", "skip", "window", "5", NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "5");
    CHECK_EQ(run_method(r, "layers", "do", "swap", "layers", "3", NULL), SONDE_USAGE);
    CHECK_EQ(run_method(r, "layers", "times", "3", NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "times: it is of --do repeat, found --do swap,skip");
    CHECK_EQ(run_method(r, "layers", "do", "swap", "part", "attn", NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "part: it is of --do skip");
    CHECK_EQ(run_method(r, "layers", "do", "skip", "part", "norm", NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "norm");
    run_close(r);
    r = run_open(NULL);
    run_document(r, " a", 2);
    r->document[0].tokens.n = 1;
    CHECK_EQ(run_method(r, "eval", NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "two tokens");
    run_close(r);
}

/* A document that predicts nothing is no document: one that does says nothing about scatter. */
static void one_document_has_no_error(void) {
    method_run *r = run_open(NULL);
    run_held_out(r, 1);
    run_document(r, " a", 2);
    r->document[1].tokens.n = 1;
    RUN_OK(r, "eval", NULL);
    CHECK(run_null(run_table(r, "summary"), 0, "loss_se"));
    CHECK(run_null(run_table(r, "documents"), 1, "loss"));
    CHECK_EQ(run_int(run_table(r, "summary"), 0, "documents"), 1);
    RUN_OK(r, "layers", "do", "skip", NULL);
    CHECK(run_null(run_table(r, "layers"), 0, "kl_se"));
    run_close(r);
}

#define TESTS(X) \
    X(ways_equal_transformers) X(eval_equals_transformers) X(no_change_is_none) X(predictions_are_aligned) \
    X(orders_of_ones_own) X(what_cannot_be_is_said) X(one_document_has_no_error)
TEST_MAIN(TESTS)
