/* A result read back from its JSON is the same result, and a broken one is refused. */
#include "test.h"
#include "sonde/random.h"
#include "sonde/result.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct { char *at; size_t n; } text;

static sonde_status keep(void *user, const char *bytes, size_t n, sonde_error *err) {
    (void)err;
    text *t = user;
    t->at = realloc(t->at, t->n + n + 1);
    if (!t->at) abort();
    memcpy(t->at + t->n, bytes, n);
    t->n += n;
    t->at[t->n] = 0;
    return SONDE_OK;
}

static text json_of(const sonde_result *r) {
    text t = { 0 };
    sonde_error err;
    CHECK_EQ(sonde_result_json(r, keep, &t, &err), SONDE_OK);
    return t;
}

static sonde_token token(int32_t id, const char *bytes, size_t len) { return (sonde_token){ id, bytes, len }; }

static void fill_table(sonde_result *r) {
    static const char *const names[] = { "i", "f", "t", "k", "b" };
    sonde_table *t = sonde_result_table(r, "cells");
    for (int c = 0; c < 5; c++) sonde_table_column(t, names[c], (sonde_column_type)c, c == 1 ? "nat" : "");
    static const double values[] = { 0.1f, -0.0, INFINITY, -INFINITY, NAN, 1e-45, 3.4e38 };
    for (int i = 0; i < 7; i++) {
        sonde_table_row(t);
        sonde_cell_int(t, i ? INT64_MAX - i : INT64_MIN);
        sonde_cell_float(t, values[i]);
        sonde_cell_text(t, i % 2 ? NULL : "a \"text\" with \xe2\x80\xae and \n");
        sonde_cell_token(t, token(i, "\xff\x00 x", 4));
        if (i == 3) sonde_cell_null(t);
        else sonde_cell_bool(t, i & 1);
    }
}

static sonde_result *everything(void) {
    sonde_result *r = sonde_result_new();
    sonde_result_method(r, "test");
    sonde_result_model(r, "demo", "gpt2", "0123456789abcdef");
    sonde_result_param(r, "top", "5");
    sonde_result_param(r, "run", "B=x");
    sonde_result_param(r, "run", "C=y");
    sonde_result_edit(r, "zero:blocks.0.hook_resid_post");
    const size_t p = sonde_result_prompt(r, "caf\xc3\xa9", 5);
    sonde_result_prompt_token(r, p, token(7, "caf", 3), 0, 3);
    sonde_result_prompt_token(r, p, token(8, "", 0), -1, -1);
    const sonde_token other = token(9, " z", 2);
    const double prob = .25;
    sonde_result_generated(r, p, &(sonde_written){ token(3, " y", 2), .5, &other, &prob, 1 });
    sonde_result_generated_text(r, p, " y", 2);
    fill_table(r);
    sonde_array *a = sonde_result_array(r, "pattern", "t s", (const int64_t[]){ 2, 3 });
    for (int i = 0; i < 6; i++) sonde_array_data(a)[i] = i == 4 ? NAN : (float)i / 3;
    sonde_array_missing(a, 2);
    sonde_array_label_token(a, 0, token(1, "q", 1));
    sonde_array_label_token(a, 0, token(2, "r", 1));
    for (int i = 0; i < 3; i++) sonde_array_label_text(a, 1, "label");
    for (int kind = SONDE_VIEW_HEATMAP; kind <= SONDE_VIEW_ARCHITECTURE; kind++)
        sonde_result_view(r, (sonde_drawing){ .kind = (sonde_view_kind)kind, .of = "cells", .x = "i", .y = "k", .value = "f", .z = "f",
                                              .low = "f", .high = "f", .label = "t", .panel = "b", .title = "T",
                                              .own_scale = kind & 1, .logarithmic = kind & 2, .root = kind & 4 });
    return r;
}

static void what_was_written_reads_back(void) {
    sonde_result *r = everything(), *again = sonde_result_new();
    sonde_error   err;
    text first = json_of(r);
    if (sonde_result_read(again, first.at, first.n, &err)) FAIL_("%s", err.message);
    text second = json_of(again);
    CHECK_STR(second.at, first.at);
    CHECK(strstr(first.at, "architecture") != NULL);
    free(first.at);
    free(second.at);
    sonde_result_free(r);
    sonde_result_free(again);
}

static void refused(const char *json, const char *because) {
    sonde_result *r = sonde_result_new();
    sonde_error   err;
    CHECK(sonde_result_read(r, json, strlen(json), &err) != SONDE_OK);
    CHECK_HAS(err.message, because);
    sonde_result_free(r);
}

static void what_is_no_result_is_refused(void) {
#define HEAD "{\"sonde\":\"0\",\"method\":\"m\",\"prompts\":[],"
    refused("[1]", "sonde");
    refused("{\"sonde\":\"0\"}", "method");
    refused("{\"sonde\":\"0\",\"method\":\"m\"}", "prompts");
    refused("{\"sonde\":\"0\",\"method\":\"m\",\"params\":[\"a\"],\"prompts\":[]}", "params is no object");
    refused(HEAD "\"tables\":[{\"name\":\"t\",\"columns\":[{\"name\":\"a\",\"type\":\"int\"}],\"rows\":[[1,2]]}]}", "2 cells, expected 1");
    refused(HEAD "\"tables\":[{\"name\":\"t\",\"columns\":[{\"name\":\"a\",\"type\":\"int\"}],\"rows\":[[1.5]]}]}", "type");
    refused(HEAD "\"tables\":[{\"name\":\"t\",\"columns\":[{\"name\":\"a\",\"type\":\"what\"}],\"rows\":[]}]}", "known type");
    refused(HEAD "\"tables\":[],\"arrays\":[{\"name\":\"a\",\"axes\":[\"t\"],\"shape\":[3],\"data\":[1,2]}]}", "2 numbers");
    refused(HEAD "\"tables\":[],\"arrays\":[{\"name\":\"a\",\"axes\":[\"t\",\"s\"],\"shape\":[4294967296,4294967296],\"data\":[]}]}", "2^31");
    refused(HEAD "\"tables\":[],\"arrays\":[{\"name\":\"a\",\"axes\":[\"t\"],\"shape\":[3],\"file\":\"x.npy\"}]}", "file");
    refused(HEAD "\"tables\":[],\"arrays\":[],\"views\":[{\"kind\":\"pie\",\"of\":\"t\"}]}", "kind");
}

/* Bytes changed at random: never a crash, and what is accepted can be written again. */
static void broken_bytes_do_no_harm(void) {
    sonde_result *r = everything();
    text json = json_of(r);
    char *broken = malloc(json.n);
    if (!broken) abort();
    for (uint64_t i = 0; i < 3000; i++) {
        memcpy(broken, json.at, json.n);
        for (uint64_t k = 0; k < 1 + i % 3; k++)
            broken[sonde_random_below(1, i, 2 * k, (int64_t)json.n)] = (char)sonde_random_below(1, i, 2 * k + 1, 128);
        sonde_result *again = sonde_result_new();
        sonde_error err;
        if (sonde_result_read(again, broken, i % 5 ? json.n : (size_t)sonde_random_below(2, i, 0, (int64_t)json.n), &err) == SONDE_OK)
            free(json_of(again).at);
        sonde_result_free(again);
    }
    free(broken);
    free(json.at);
    sonde_result_free(r);
}

#define TESTS(X) X(what_was_written_reads_back) X(what_is_no_result_is_refused) X(broken_bytes_do_no_harm)
TEST_MAIN(TESTS)
