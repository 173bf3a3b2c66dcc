/* The four curves: KL against transformers (tools/truth/layers.py), attention against direct loops, neurons against the
 * table of neurons, which numpy holds. */
#include "method_run.h"
#include "truth.h"

enum { DOCUMENTS = 6, OFFSETS = 3 };

static void skipping_equals_transformers(void) {
    const truth t = truth_open("layers");
    method_run *r = run_open(NULL);
    run_held_out(r, DOCUMENTS);
    RUN_OK(r, "stages", NULL);
    const sonde_table *layers = run_table(r, "layers");
    CHECK_EQ(run_rows(layers), 4);
    for (size_t l = 0; l < 4; l++) {
        double sum = 0, n = 0;
        for (size_t i = 0; i < DOCUMENTS; i++) {
            const json  *d = truth_at(t.all, i);
            const double rows = truth_number(d, "tokens") - 1;
            sum += rows * truth_number(truth_at(truth_of(d, "skip"), l), "kl");
            n += rows;
        }
        CHECK_NEAR(run_float(layers, l, "kl_nats"), sum / n, 2e-5);
        CHECK_NEAR(run_float(layers, l, "depth"), (double)l / 3, 1e-12);
    }
    run_close(r);
    truth_close(t);
}

static void attention_to_the_tokens_before(void) {
    method_run *r = run_open(NULL);
    run_held_out(r, 2);
    RUN_OK(r, "stages", "offsets", "3", NULL);
    for (int l = 0; l < 4; l++) {
        double sum = 0, rows = 0;
        char   site[64];
        snprintf(site, sizeof site, "blocks.%d.attn.hook_pattern", l);
        for (int d = 0; d < 2; d++) {
            const sonde_prompt p = { .tokens = r->document[d].tokens.id, .n = r->document[d].tokens.n };
            run_values v = run_site(r, p, false, site);
            for (int64_t i = OFFSETS; i < p.n; i++, rows++)
                for (int64_t h = 0; h < 5; h++)
                    for (int64_t k = 1; k <= OFFSETS; k++) sum += (double)v.data[(h * p.n + i) * p.n + i - k] / 5;
            free(v.data);
        }
        CHECK_NEAR(run_float(run_table(r, "layers"), (size_t)l, "close"), sum / rows, 1e-12);
    }
    run_close(r);
}

static void neurons_are_those_of_the_table(void) {
    method_run *r = run_open(NULL), *other = run_open(NULL);
    run_held_out(r, 1);
    RUN_OK(r, "stages", "kurtosis", "3.5", NULL);
    RUN_OK(other, "neurons", "kurtosis", "3.5", "variance", "1", NULL);
    const sonde_table *stages = run_table(r, "layers"), *table = run_table(other, "neurons");
    int64_t count[4][2] = { { 0 } };
    for (size_t i = 0; i < table->rows; i++) {
        const int64_t l = run_int(table, i, "layer");
        if (run_float(table, i, "kurtosis") > 3.5) count[l][run_float(table, i, "skew") < 0]++;
    }
    int64_t all = 0;
    for (size_t l = 0; l < 4; l++) {
        CHECK_EQ(run_int(stages, l, "prediction"), count[l][0]);
        CHECK_EQ(run_int(stages, l, "suppression"), count[l][1]);
        all += count[l][0] + count[l][1];
    }
    CHECK(all > 10);
    run_close(r);
    run_close(other);
}

static void every_curve_reaches_one(void) {
    method_run *r = run_open(NULL);
    run_held_out(r, 3);
    RUN_OK(r, "stages", "kurtosis", "3.5", NULL);
    const sonde_table *t = run_table(r, "curves");
    CHECK_EQ(run_rows(t), 16);
    for (size_t c = 0; c < 4; c++) {
        double most = 0;
        for (size_t l = 0; l < 4; l++) {
            const size_t row = 4 * c + l;
            most = fmax(most, run_float(t, row, "share"));
            CHECK(run_float(t, row, "low") <= run_float(t, row, "share") && run_float(t, row, "share") <= run_float(t, row, "high"));
        }
        CHECK_NEAR(most, 1, 0);
    }
    CHECK_EQ((int)r->out->views.n, 1);
    run_close(r);
}

static void what_cannot_be_is_said(void) {
    method_run *r = run_open(NULL);
    run_document(r, " a", 2);
    r->document[0].tokens.n = 1;
    CHECK_EQ(run_method(r, "stages", NULL), SONDE_USAGE);
    CHECK_HAS(r->err.message, "two tokens");
    CHECK_EQ(run_method(r, "stages", "offsets", "0", NULL), SONDE_USAGE);
    r->cx.dry_run = true;
    RUN_OK(r, "stages", NULL);
    CHECK_EQ(run_int(run_table(r, "cost"), 0, "runs"), 6);
    run_close(r);
}

#define TESTS(X) \
    X(skipping_equals_transformers) X(attention_to_the_tokens_before) X(neurons_are_those_of_the_table) \
    X(every_curve_reaches_one) X(what_cannot_be_is_said)
TEST_MAIN(TESTS)
