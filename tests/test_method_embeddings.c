/* Statistics, neighbours and analogies against numpy's (tools/truth/embeddings.py), and the edges of the rows shown. */
#define _GNU_SOURCE
#include "method_run.h"
#include "tiny_model.h"
#include "truth_numbers.h"

static void compare_statistics(method_run *r, const char *of) {
    static const char *const columns[] = { "min", "max", "mean", "sd", "quantile_0.001", "quantile_0.999", "range" };
    char name[64];
    snprintf(name, sizeof name, "%s.statistics", of);
    const truth_numbers t = truth_read("embeddings.txt", name);
    for (size_t i = 0; i < 7; i++) CHECK_NEAR(run_float(run_table(r, "statistics"), 0, columns[i]), t.at[i], 1e-14);
    free(t.at);
}

static void compare_dimensions(method_run *r, const char *of) {
    static const char *const columns[] = { "mean", "sd", "skew", "excess_kurtosis" };
    const sonde_table *t = run_table(r, "dimensions");
    for (int c = 0; c < 4; c++) {
        char name[64];
        snprintf(name, sizeof name, "%s.%s", of, columns[c]);
        const truth_numbers want = truth_read("embeddings.txt", name);
        CHECK_EQ(run_rows(t), (int64_t)want.n);
        for (size_t k = 0; k < want.n; k++) CHECK_NEAR(run_float(t, k, columns[c]), want.at[k], 1e-11);
        free(want.at);
    }
}

/* The last five rows are those of the truth. */
static void compare_rows(method_run *r, const char *of) {
    const sonde_table *t = run_table(r, "tokens");
    const sonde_array *m = result_array(r->out, "matrix"), *v = result_array(r->out, "values");
    char name[64];
    snprintf(name, sizeof name, "%s.norm", of);
    const truth_numbers norm = truth_read("embeddings.txt", name);
    snprintf(name, sizeof name, "%s.matrix", of);
    const truth_numbers pixel = truth_read("embeddings.txt", name);
    const size_t first = t->rows - 5, d = (size_t)m->dim[1];
    CHECK_EQ(m->dim[0], (int64_t)t->rows);
    for (size_t i = 0; i < 5; i++) {
        double mean = 0;
        for (size_t k = 0; k < d; k++) mean += (double)v->data[(first + i) * d + k] / (double)d;
        CHECK_NEAR(run_float(t, first + i, "norm"), norm.at[i], 1e-13);
        CHECK_NEAR(run_float(t, first + i, "mean"), mean, 1e-14);
        for (size_t k = 0; k < 7; k++) CHECK_NEAR((double)m->data[(first + i) * d + k], pixel.at[i * 7 + k], 1e-7);
    }
    free(norm.at);
    free(pixel.at);
}

static void tables_equal_numpy(void) {
    static const struct { const char *of, *model; int64_t rows, width; } cases[] = {
        { "embed", NULL, DEMO_VOCAB, DEMO_WIDTH },
        { "pos", NULL, DEMO_CONTEXT, DEMO_WIDTH },
        { "unembed", SONDE_SOURCE_DIR "/tests/golden/limit", 120, 18 },
    };
    for (int i = 0; i < 3; i++) {
        method_run *r = run_open(cases[i].model);
        RUN_OK(r, "embeddings", "of", cases[i].of, "rows", "10000", NULL);
        CHECK_EQ(run_int(run_table(r, "statistics"), 0, "rows"), cases[i].rows);
        CHECK_EQ(run_int(run_table(r, "statistics"), 0, "width"), cases[i].width);
        CHECK_EQ(run_int(run_table(r, "statistics"), 0, "not_finite"), 0);
        compare_statistics(r, cases[i].of);
        compare_dimensions(r, cases[i].of);
        compare_rows(r, cases[i].of);
        run_close(r);
    }
}

static void rows_are_those_asked_for(void) {
    method_run *r = run_open(NULL);
    RUN_OK(r, "embeddings", NULL);
    const sonde_table *t = run_table(r, "tokens");
    CHECK_STR(run_columns(t), "id token padded norm mean");
    CHECK_EQ(run_rows(t), 1000);
    RUN_OK(r, "embeddings", "first", "1490", NULL);
    t = run_table(r, "tokens");
    CHECK_EQ(run_rows(t), 6);
    CHECK_EQ(run_int(t, 5, "id"), 1495);
    CHECK_EQ(run_token(t, 5, "token"), 1495);
    CHECK_EQ(run_method(r, "embeddings", "first", "1496", NULL), SONDE_USAGE);
    CHECK_STR(r->err.message, "first: 1496, expected 0 to 1495");
    CHECK_EQ(run_method(r, "embeddings", "rows", "0", NULL), SONDE_USAGE);
    RUN_OK(r, "embeddings", "of", "pos", "first", "95", NULL);
    CHECK_STR(run_columns(run_table(r, "tokens")), "position norm mean");
    CHECK_EQ(run_int(run_table(r, "tokens"), 0, "position"), 95);
    run_close(r);
}

static void compare_near(method_run *r, const char *of, const char *by, const char *column) {
    char name[64];
    snprintf(name, sizeof name, "%s.%s.rows", of, by);
    const truth_numbers rows = truth_read("embeddings.txt", name);
    snprintf(name, sizeof name, "%s.%s.values", of, by);
    const truth_numbers values = truth_read("embeddings.txt", name);
    const sonde_table *t = run_table(r, "neighbours");
    CHECK_EQ(run_rows(t), 6);
    for (size_t i = 0; i < 6; i++) {
        CHECK_EQ(run_int(t, i, column), (int64_t)rows.at[i]);
        CHECK_NEAR(run_float(t, i, "value"), values.at[i], 1e-13);
        CHECK_EQ(run_int(t, i, "rank"), (int64_t)i + 1);
    }
    free(rows.at);
    free(values.at);
}

static void neighbours_equal_numpy(void) {
    static const char *const by[] = { "cosine", "euclid", "dot" };
    method_run *r = run_open(NULL);
    r->cx.top = 6;
    for (int i = 0; i < 3; i++) {
        RUN_OK(r, "embeddings", "near", " red", "by", by[i], NULL);
        compare_near(r, "near", by[i], "id");
        RUN_OK(r, "embeddings", "near", "\" red\"", "by", by[i], NULL);
        compare_near(r, "near", by[i], "id");
        CHECK(strstr(sonde_result_note_at(r->out, 0), "left out"));
        RUN_OK(r, "embeddings", "analogy", "\" red\" - \" Mary\" + \" John\"", "by", by[i], NULL);
        compare_near(r, "analogy", by[i], "id");
        CHECK(strstr(sonde_result_note_at(r->out, 0), "the three inputs"));
        RUN_OK(r, "embeddings", "of", "pos", "near", "4", "by", by[i], NULL);
        compare_near(r, "position", by[i], "position");
    }
    int32_t id;
    char text[64];
    CHECK_EQ(sonde_token_single(r->model, " red", 4, &id, NULL), SONDE_OK);
    snprintf(text, sizeof text, "#%d", (int)id);
    RUN_OK(r, "embeddings", "near", text, NULL);
    compare_near(r, "near", "cosine", "id");
    run_close(r);
}

static void what_cannot_be_asked(void) {
    static const struct { const char *name, *text, *says; } bad[] = {
        { "near", "hjk", "near: \"hjk\" is 3 tokens: \"h\" \"j\" \"k\", expected exactly one" },
        { "near", "\" red\" x", "near: \" x\" stands behind the token" },
        { "near", "#1496", "near: #1496 is no token, expected #0 to #1495" },
        { "near", "", "near: \"\" is 0 tokens, expected exactly one" },
        { "analogy", "\" red\" - hjk + a", "analogy: \"hjk\" is 3 tokens: \"h\" \"j\" \"k\", expected exactly one" },
        { "analogy", "a - b", "analogy: expected \"a - b + c\", found \"\" where + stands" },
        { "analogy", "a + b - c", "analogy: expected \"a - b + c\", found \"+ b - c\" where - stands" },
        { "analogy", "a - b +", "analogy: \"a - b +\" ends early, expected \"a - b + c\"" },
        { "analogy", "a - b + c d", "analogy: \"d\" stands behind a - b + c" },
        { "of", "x", "of: \"x\", expected embed, pos or unembed" },
        { "by", "dot", "by: it is of --near and --analogy, expected one of them" },
    };
    method_run *r = run_open(NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_EQ(run_method(r, "embeddings", bad[i].name, bad[i].text, NULL), SONDE_USAGE);
        CHECK_STR(r->err.message, bad[i].says);
    }
    CHECK_EQ(run_method(r, "embeddings", "near", "a", "by", "x", NULL), SONDE_USAGE);
    CHECK_STR(r->err.message, "by: \"x\", expected cosine, euclid or dot");
    CHECK_EQ(run_method(r, "embeddings", "near", "a", "analogy", "a - b + c", NULL), SONDE_USAGE);
    CHECK_EQ(run_method(r, "embeddings", "of", "pos", "near", "96", NULL), SONDE_USAGE);
    CHECK_STR(r->err.message, "near: \"96\" is no position, expected 0 to 95");
    run_close(r);
}

/* Eleven rows, a tokenizer of eight tokens. */
static void padded_rows_are_flagged(void) {
    tiny_model tiny = tiny_new("padded", "");
    tiny_save(&tiny);
    tiny_save_tokenizer("padded", "null");
    method_run *r = run_open("./padded");
    RUN_OK(r, "embeddings", NULL);
    const sonde_table *t = run_table(r, "tokens");
    CHECK_EQ(run_rows(t), 11);
    for (size_t i = 0; i < 11; i++) CHECK_EQ(table_at(t, i, run_column(t, "padded")).b, i >= 8);
    CHECK_EQ(run_int(run_table(r, "statistics"), 0, "padded"), 3);
    CHECK(strstr(sonde_result_note_at(r->out, 0), "3 of 11 rows belong to no token"));
    run_close(r);
}

static void one_value_has_no_shape(void) {
    tiny_model tiny = tiny_new("flat", "");            /* one token */
    tiny.config = tiny_config("\"vocab_size\": 1,");
    tiny.tensor[0].dim[0] = 1;
    tiny_save(&tiny);
    method_run *r = run_open("./flat");
    RUN_OK(r, "embeddings", NULL);
    const sonde_table *t = run_table(r, "dimensions");
    CHECK(run_null(t, 0, "skew") && run_null(t, 0, "excess_kurtosis"));
    CHECK_NEAR(run_float(t, 0, "sd"), 0, 0);
    run_close(r);
}

static void weights_that_are_no_numbers_are_counted(void) {
    tiny_model tiny = tiny_new("broken", "");
    tiny_find(&tiny, "wte.weight")->change = (float)NAN;
    tiny_save(&tiny);
    method_run *r = run_open("./broken");
    RUN_OK(r, "embeddings", NULL);
    const sonde_table *t = run_table(r, "statistics");
    CHECK_EQ(run_int(t, 0, "not_finite"), 1);
    CHECK(isnan(run_float(t, 0, "mean")) && isnan(run_float(t, 0, "quantile_0.001")));
    run_close(r);
}

static void a_dry_run_reads_nothing(void) {
    method_run *r = run_open(NULL);
    r->cx.dry_run = true;
    RUN_OK(r, "embeddings", NULL);
    CHECK_EQ(run_int(run_table(r, "cost"), 0, "rows"), DEMO_VOCAB);
    RUN_OK(r, "embeddings", "near", " red", NULL);
    CHECK(result_table(r->out, "neighbours") == NULL);
    CHECK_EQ(r->progress, 0);
    run_close(r);
}

#define TESTS(T) \
    T(tables_equal_numpy) T(rows_are_those_asked_for) T(neighbours_equal_numpy) T(what_cannot_be_asked) \
    T(padded_rows_are_flagged) T(one_value_has_no_shape) T(weights_that_are_no_numbers_are_counted) \
    T(a_dry_run_reads_nothing)
TEST_MAIN(TESTS)
