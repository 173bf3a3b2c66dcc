#include "test_result.h"
#include "sonde/model.h"
#include "sonde/version.h"
#include "base/arena.h"
#include "base/json.h"
#include "result/digits.h"

static kept k;

static const char *json_of(const sonde_result *r) {
    sonde_error err;
    k.n = 0;
    CHECK_EQ(sonde_result_json(r, keep, &k, &err), SONDE_OK);
    return k.text;
}

static const char *csv_of(const sonde_result *r) {
    sonde_error err;
    k.n = 0;
    CHECK_EQ(sonde_result_csv(r, keep, &k, &err), SONDE_OK);
    return k.text;
}

static const char *plain_of(const sonde_result *r) {
    sonde_error err;
    k.n = 0;
    CHECK_EQ(sonde_result_text(r, (sonde_text_style){ 0 }, keep, &k, &err), SONDE_OK);
    return k.text;
}

/* One of everything that a table can hold. */
static sonde_result *small(void) {
    sonde_result *r = sonde_result_new();
    sonde_table *t = sonde_result_table(r, "cells");
    sonde_table_column(t, "layer", SONDE_INT, "");
    sonde_table_column(t, "prob", SONDE_FLOAT, "1");
    sonde_table_column(t, "site", SONDE_TEXT, "");
    sonde_table_column(t, "token", SONDE_TOKEN, NULL);
    sonde_table_column(t, "ok", SONDE_BOOL, "");
    sonde_table_row(t);
    sonde_cell_int(t, -3);
    sonde_cell_float(t, 0.1f);
    sonde_cell_text(t, "a,\"b\"\n");
    sonde_cell_token(t, token(7, " \"cat\n"));
    sonde_cell_bool(t, true);
    sonde_table_row(t);
    sonde_cell_null(t);
    sonde_cell_float(t, NAN);
    sonde_cell_text(t, NULL);
    sonde_cell_null(t);
    sonde_table_row(t);
    sonde_cell_int(t, INT64_MIN);
    sonde_cell_float(t, 0.1);
    sonde_cell_text(t, "");
    sonde_cell_token(t, token(8, "\xff"));
    sonde_cell_bool(t, false);
    return r;
}

static void json_has_every_key_in_order(void) {
    sonde_result *r = sonde_result_new();
    CHECK_STR(json_of(r), "{\"sonde\":\"" SONDE_VERSION "\",\n\"method\":null,\n\"params\":{},\n\"model\":null,\n"
                          "\"prompts\":[],\n\"edits\":[],\n\"tables\":[],\n\"arrays\":[],\n\"views\":[]}\n");
    sonde_result_free(r);
    sonde_result_free(NULL);
    CHECK_STR(sonde_version(), SONDE_VERSION);
}

static void json_of_head_and_prompts(void) {
    sonde_result *r = sonde_result_new();
    sonde_result_method(r, "generate");
    sonde_result_model(r, "demo", "gpt2", "0123456789abcdef");
    sonde_result_param(r, "top", "2");
    sonde_result_param(r, "run", "B=x");
    sonde_result_param(r, "run", "C=y");
    sonde_result_edit(r, "zero:blocks.0.attn.hook_z[5,3]");
    sonde_result_note(r, "never in JSON");
    const size_t p = sonde_result_prompt(r, "a\0b", 3);
    sonde_result_prompt_token(r, p, (sonde_token){ 1, "a\0b", 3 }, 0, 3);
    sonde_result_prompt_token(r, p, token(2, "\xe2\x82"), -1, -1);
    const sonde_token others[] = { token(5, "x"), token(6, "y") };
    const double probs[] = { 0.5, 0.25 };
    sonde_result_generated(r, p, &(sonde_written){ others[0], 0.5, others, probs, 2 });
    sonde_result_generated_text(r, p, "x", 1);
    CHECK_STR(json_of(r),
        "{\"sonde\":\"" SONDE_VERSION "\",\n\"method\":\"generate\",\n"
        "\"params\":{\"top\":\"2\",\"run\":[\"B=x\",\"C=y\"]},\n"
        "\"model\":{\"name\":\"demo\",\"family\":\"gpt2\",\"hash\":\"0123456789abcdef\"},\n"
        "\"prompts\":[\n{\"text\":\"a\\u0000b\",\"tokens\":["
        "{\"id\":1,\"text\":\"a\\u0000b\",\"bytes\":\"610062\",\"start\":0,\"end\":3},"
        "{\"id\":2,\"text\":\"\xef\xbf\xbd\xef\xbf\xbd\",\"bytes\":\"e282\"}],"
        "\"generated\":[{\"id\":5,\"text\":\"x\",\"bytes\":\"78\",\"prob\":0.5,\"alternatives\":["
        "{\"id\":5,\"text\":\"x\",\"bytes\":\"78\",\"prob\":0.5},{\"id\":6,\"text\":\"y\",\"bytes\":\"79\",\"prob\":0.25}]}],"
        "\"completion\":\"x\"}],\n"
        "\"edits\":[\"zero:blocks.0.attn.hook_z[5,3]\"],\n\"tables\":[],\n\"arrays\":[],\n\"views\":[]}\n");
    CHECK_STR(sonde_result_note_at(r, 0), "never in JSON");
    CHECK(!sonde_result_note_at(r, 1));
    sonde_result_free(r);
}

/* The model is asked for its hash when that is written, whoever else has closed it. */
static void json_of_a_model(void) {
    sonde_result *r = sonde_result_new();
    sonde_model  *m = NULL;
    char          want[160];
    CHECK_EQ(sonde_model_open(&m, NULL, NULL, NULL), SONDE_OK);
    sonde_result_model(r, "other", "gpt2", "0123456789abcdef");
    sonde_result_model_of(r, m);
    snprintf(want, sizeof want, "\"model\":{\"name\":\"demo\",\"family\":\"gpt2\",\"hash\":\"%s\"}", sonde_model_hash(m));
    sonde_model_close(m);
    CHECK(strstr(json_of(r), want));
    sonde_result_model(r, "other", "gpt2", "0123456789abcdef");
    CHECK(strstr(json_of(r), "\"hash\":\"0123456789abcdef\""));
    sonde_result_free(r);
}

static void json_of_a_table(void) {
    sonde_result *r = small();
    sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_TOKEN_GRID, .of = "cells", .x = "layer", .value = "token", .title = "T" });
    CHECK(strstr(json_of(r),
        "\"tables\":[\n{\"name\":\"cells\",\"columns\":[{\"name\":\"layer\",\"type\":\"int\",\"unit\":\"\"},"
        "{\"name\":\"prob\",\"type\":\"float\",\"unit\":\"1\"},{\"name\":\"site\",\"type\":\"text\",\"unit\":\"\"},"
        "{\"name\":\"token\",\"type\":\"token\",\"unit\":\"\"},{\"name\":\"ok\",\"type\":\"bool\",\"unit\":\"\"}],\"rows\":[\n"
        "[-3,0.100000001,\"a,\\\"b\\\"\\n\",{\"id\":7,\"text\":\" \\\"cat\\n\",\"bytes\":\"20226361740a\"},true],\n"
        "[null,\"NaN\",null,null,null],\n"
        "[-9223372036854775808,0.1,\"\",{\"id\":8,\"text\":\"\xef\xbf\xbd\",\"bytes\":\"ff\"},false]]}],\n"));
    CHECK(strstr(k.text, "\"views\":[\n{\"kind\":\"token_grid\",\"of\":\"cells\",\"x\":\"layer\",\"y\":null,"
                         "\"value\":\"token\",\"title\":\"T\"}]}\n"));
    sonde_result_free(r);
}

static void json_of_an_array(void) {
    sonde_result *r = sonde_result_new();
    sonde_array *a = sonde_result_array(r, "pattern", " layer  t ", (const int64_t[]){ 2, 3 });
    float *x = sonde_array_data(a);
    x[1] = INFINITY;
    x[2] = -INFINITY;
    x[3] = NAN;
    x[4] = -0.0f;
    sonde_array_missing(a, 5);
    sonde_array_label_text(a, 0, "one");
    sonde_array_label_token(a, 1, token(3, "\n"));
    sonde_result_array(r, "scalar", "", NULL);
    sonde_result_array(r, "empty", "t", (const int64_t[]){ 0 });
    CHECK(strstr(json_of(r), "\"arrays\":[\n{\"name\":\"pattern\",\"axes\":[\"layer\",\"t\"],\"shape\":[2,3],"
        "\"labels\":{\"layer\":[\"one\"],\"t\":[{\"id\":3,\"text\":\"\\n\",\"bytes\":\"0a\"}]},"
        "\"data\":[0,\"Infinity\",\"-Infinity\",\"NaN\",-0,null]},"
        "\n{\"name\":\"scalar\",\"axes\":[],\"shape\":[],\"data\":[0]},"
        "\n{\"name\":\"empty\",\"axes\":[\"t\"],\"shape\":[0],\"data\":[]}],\n"));
    sonde_result_free(r);
}

static void json_reads_back_bit_for_bit(void) {
    enum { N = 10000 };
    sonde_result *r = small();
    float *x = sonde_array_data(sonde_result_array(r, "x", "i", (const int64_t[]){ N }));
    uint64_t draw = 1;
    for (int i = 0; i < N; i++) {
        draw = draw * 6364136223846793005u + 1442695040888963407u;
        const uint32_t bits = (uint32_t)(draw >> 32);
        memcpy(&x[i], &bits, sizeof bits);
    }
    json_of(r);
    arena *own = arena_new();
    const json *j;
    sonde_error err;
    CHECK_EQ(json_parse(k.text, k.n, own, &j, &err), SONDE_OK);
    const json *data = json_get(json_get(j, "arrays")->child, "data");
    CHECK_EQ((long long)data->len, N);
    int finite = 0, i = 0;
    for (const json *item = data->child; item; item = item->next, i++) {
        if (item->kind == JSON_STRING) {
            CHECK_STR(item->text, isnan(x[i]) ? "NaN" : x[i] > 0 ? "Infinity" : "-Infinity");
            continue;
        }
        const float back = strtof(item->text, NULL);
        CHECK(memcmp(&back, &x[i], sizeof back) == 0);
        finite++;
    }
    CHECK(finite > N * 9 / 10);
    CHECK_EQ((long long)json_get(json_get(j, "tables")->child, "rows")->len, 3);
    arena_free(own);
    sonde_result_free(r);
}

static void json_escapes_what_steers_a_terminal(void) {
    sonde_result *r = sonde_result_new();
    const char *evil = "\x1b[31m\xc2\x9b" "1m\xe2\x80\xae\xf3\xa0\x80\x81\x7f";
    sonde_result_prompt(r, evil, strlen(evil));
    json_of(r);
    CHECK(strstr(k.text, "[31m\\u009b1m\\u202e\\udb40\\udc01"));
    for (size_t i = 0; i < k.n; i++) CHECK(k.text[i] != 0x1b && k.text[i] != 0x7f);
    arena *own = arena_new();
    const json *j;
    const char *text;
    size_t len;
    CHECK_EQ(json_parse(k.text, k.n, own, &j, NULL), SONDE_OK);
    CHECK(json_string(json_get(json_get(j, "prompts")->child, "text"), &text, &len));
    CHECK_STR(text, evil);
    arena_free(own);
    sonde_result_free(r);
}

static void csv_of_a_table(void) {
    sonde_result *r = small();
    sonde_result_note(r, "never in CSV");
    CHECK_STR(csv_of(r), "layer,prob,site,token_id,token,ok\n"
                         "-3,0.100000001,\"a,\"\"b\"\"\n\",7,\"·\"\"cat⏎\",true\n"
                         ",NaN,,,,\n"
                         "-9223372036854775808,0.1,\"\",8,<0xFF>,false\n");
    sonde_result_free(r);
}

static void csv_without_a_table(void) {
    sonde_result *r = sonde_result_new();
    sonde_error err;
    CHECK_EQ(sonde_result_csv(r, keep, &k, &err), SONDE_USAGE);
    const size_t p = sonde_result_prompt(r, "a b", 3);
    sonde_result_prompt_token(r, p, token(4, "a"), 0, 1);
    sonde_result_generated(r, p, &(sonde_written){ .token = token(5, " c"), .prob = 0.5 });
    CHECK_STR(csv_of(r), "prompt,position,token_id,token,start,end,prob\n0,0,4,a,0,1,\n0,1,5,·c,,,0.5\n");
    sonde_array *a = sonde_result_array(r, "m", "t s", (const int64_t[]){ 1, 2 });
    sonde_array_data(a)[0] = 1.5f;
    sonde_array_missing(a, 1);
    CHECK_STR(csv_of(r), "t,s,m\n0,0,1.5\n0,1,\n");
    sonde_result_free(r);
}

static void plain_of_one_table_has_no_name(void) {
    sonde_result *r = small();
    sonde_result_note(r, "for stderr");
    CHECK_STR(plain_of(r), "layer\tprob\tsite\ttoken\tok\n"
                           "-3\t0.100000001\ta,\"b\"⏎\t·\"cat⏎\ttrue\n"
                           "null\tNaN\tnull\tnull\tnull\n"
                           "-9223372036854775808\t0.1\t\t<0xFF>\tfalse\n");
    sonde_result_free(r);
}

static void plain_names_several_and_shows_arrays_of_no_table(void) {
    sonde_result *r = sonde_result_new();
    sonde_table *t = sonde_result_table(r, "cells");
    sonde_table_column(t, "metric", SONDE_FLOAT, "");
    sonde_table_row(t);
    sonde_cell_float(t, 2);
    sonde_result_table(r, "runs");
    sonde_result_array(r, "metric", "t", (const int64_t[]){ 1 });
    sonde_array_data(sonde_result_array(r, "pattern", "h t", (const int64_t[]){ 2, 1 }))[1] = 3;
    CHECK_STR(plain_of(r), "# cells\nmetric\n2\n\n# runs\n\n\n# pattern\nh\tt\tpattern\n0\t0\t0\n1\t0\t3\n");
    sonde_result_free(r);
}

static void plain_of_a_generation_is_the_continuation(void) {
    sonde_result *r = sonde_result_new();
    sonde_result_prompt(r, "a", 1);
    sonde_result_generated_text(r, 0, " b\n\tc\x1b[2J", 9);
    CHECK_STR(plain_of(r), " b\n\tc<0x1B>[2J\n");
    sonde_result_prompt(r, "d", 1);
    sonde_result_generated_text(r, 1, "e\n", 2);
    CHECK_STR(plain_of(r), "# completion 0\n b\n\tc<0x1B>[2J\n\n# completion 1\ne\n");
    sonde_result_free(r);
}

static void plain_of_prompts_alone_is_their_tokens(void) {
    sonde_result *r = sonde_result_new();
    sonde_result_prompt_token(r, sonde_result_prompt(r, "a", 1), token(9, "a"), 0, 1);
    CHECK_STR(plain_of(r), "prompt\tposition\ttoken\tstart\tend\tprob\n0\t0\ta\t0\t1\tnull\n");
    sonde_result_prompt_token(r, 0, (sonde_token){ .id = 77 }, -1, -1);     /* of a model without a tokenizer */
    CHECK_STR(plain_of(r), "prompt\tposition\ttoken\tstart\tend\tprob\n0\t0\ta\t0\t1\tnull\n0\t1\t#77\tnull\tnull\tnull\n");
    sonde_result_free(r);
}

static void a_failing_sink_stops_the_writer(void) {
    sonde_result *r = sonde_result_new();
    sonde_array_data(sonde_result_array(r, "x", "i", (const int64_t[]){ 1000000 }))[0] = 1;
    kept full = { .most = 40000 };
    sonde_error err = { 0 };
    CHECK_EQ(sonde_result_json(r, keep, &full, &err), SONDE_IO);
    CHECK_STR(err.message, "the sink is full");
    CHECK(full.n <= full.most);
    full.n = 0;
    CHECK_EQ(sonde_result_csv(r, keep, &full, &err), SONDE_IO);
    full.n = 0;
    CHECK_EQ(sonde_result_text(r, (sonde_text_style){ 0 }, keep, &full, &err), SONDE_IO);
    full.n = 0;
    full.most = 100;
    CHECK_EQ(sonde_result_text(r, (sonde_text_style){ .color = true }, keep, &full, NULL), SONDE_IO);
    free(full.text);
    sonde_result_free(r);
}

static void a_million_cells(void) {
    sonde_result *r = sonde_result_new();
    sonde_table *t = sonde_result_table(r, "big");
    sonde_table_column(t, "i", SONDE_INT, "");
    sonde_table_column(t, "x", SONDE_FLOAT, "");
    sonde_table_column(t, "token", SONDE_TOKEN, "");
    sonde_table_column(t, "y", SONDE_FLOAT, "");
    for (int i = 0; i < 250000; i++) {
        sonde_table_row(t);
        sonde_cell_int(t, i);
        sonde_cell_float(t, i / 7.0);
        sonde_cell_token(t, token(i, " token"));
        sonde_cell_float(t, (float)i / 3);
    }
    size_t lines = 0;
    for (const char *c = csv_of(r); *c; c++) lines += *c == '\n';
    CHECK_EQ((long long)lines, 250001);
    lines = 0;
    for (const char *c = json_of(r); *c; c++) lines += *c == '\n';
    CHECK(lines > 250000);
    sonde_result_free(r);
}

static void show(const char *bytes, size_t len, const char *want) {
    char out[256];
    CHECK_EQ((long long)sonde_token_show(bytes, len, out, sizeof out), (long long)strlen(want));
    CHECK_STR(out, want);
}
#define SHOW(bytes, want) show(bytes, sizeof bytes - 1, want)

static void tokens_are_shown_as_promised(void) {
    SHOW("", "");
    SHOW(" the\n\t", "·the⏎⇥");
    SHOW("caf\xc3\xa9 \xe7\x8c\xab\xf0\x9f\x98\x80", "café·猫😀");
    SHOW("\0\x01\x1b[31m\r\x7f", "<0x00><0x01><0x1B>[31m<0x0D><0x7F>");
    SHOW("\xff\xe2\x82z\xc0\x80\xed\xa0\x80", "<0xFF><0xE2><0x82>z<0xC0><0x80><0xED><0xA0><0x80>");
    SHOW("\xc2\x85\xc2\x9b", "<0xC2><0x85><0xC2><0x9B>");                               /* C1 */
    SHOW("a\xe2\x80\xae" "b\xe2\x81\xa6", "a<0xE2><0x80><0xAE>b<0xE2><0x81><0xA6>");     /* bidi */
    SHOW("\xc2\xa0\xe2\x80\x8b\xef\xbb\xbf\xc2\xad", "<0xC2><0xA0><0xE2><0x80><0x8B><0xEF><0xBB><0xBF><0xC2><0xAD>");
    SHOW("\xe2\x80\xa8\xe3\x85\xa4\xef\xb8\x8f\xee\x80\x80",
         "<0xE2><0x80><0xA8><0xE3><0x85><0xA4><0xEF><0xB8><0x8F><0xEE><0x80><0x80>");
    SHOW("\xcc\x81", "◌\xcc\x81");                                                      /* a mark on nothing */
    SHOW("e\xcc\x81", "e\xcc\x81");
    SHOW("e\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81", "e\xcc\x81\xcc\x81\xcc\x81\xcc\x81<0xCC><0x81>");
    SHOW("\xd7\xa9\xd9\x84\xe0\xa4\x95\xe0\xa4\xbe", "\xd7\xa9\xd9\x84\xe0\xa4\x95\xe0\xa4\xbe");
    SHOW("<script>&", "<script>&");
}

static void showing_never_cuts_a_character(void) {
    char out[8];
    CHECK_EQ((long long)sonde_token_show("ab ", 3, out, 4), 4);
    CHECK_STR(out, "ab");
    CHECK_EQ((long long)sonde_token_show("\x01", 1, out, 6), 6);
    CHECK_STR(out, "");
    CHECK_EQ((long long)sonde_token_show("\x01", 1, out, 7), 6);
    CHECK_STR(out, "<0x01>");
    CHECK_EQ((long long)sonde_token_show("abc", 3, NULL, 0), 3);
}

static void numbers_for_eyes(void) {
    static const struct { double v; const char *four, *tiny; } row[] = {
        { 0, "0", "0" }, { 1, "1.000", "1" }, { 0.97312, "0.9731", "0.973" }, { -0.97312, "-0.9731", "-0.97" },
        { 12.3456, "12.35", "12.3" }, { 999.96, "1000", "1000" }, { 1234.5, "1234", "1234" }, { 123456, "123456", "1.2e5" },
        { 12345678, "1.235e7", "1.2e7" }, { 0.0000123456, "1.235e-5", "1e-5" }, { NAN, "NaN", "NaN" },
        { -INFINITY, "-∞", "-∞" }, { -1.5e-300, "-1.500e-300", "-2e-300" },
    };
    char out[DIGITS_ROOM];
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        CHECK_STR(digits_short(row[i].v, out), row[i].four);
        CHECK_STR(digits_tiny(row[i].v, out), row[i].tiny);
    }
    CHECK_STR(digits_exact(3e300, out), "3e+300");
    CHECK_STR(digits_exact(16777217, out), "16777217");
}

#define TESTS(X) \
    X(json_has_every_key_in_order) \
    X(json_of_head_and_prompts) \
    X(json_of_a_model) \
    X(json_of_a_table) \
    X(json_of_an_array) \
    X(json_reads_back_bit_for_bit) \
    X(json_escapes_what_steers_a_terminal) \
    X(csv_of_a_table) \
    X(csv_without_a_table) \
    X(plain_of_one_table_has_no_name) \
    X(plain_names_several_and_shows_arrays_of_no_table) \
    X(plain_of_a_generation_is_the_continuation) \
    X(plain_of_prompts_alone_is_their_tokens) \
    X(a_failing_sink_stops_the_writer) \
    X(a_million_cells) \
    X(tokens_are_shown_as_promised) \
    X(showing_never_cuts_a_character) \
    X(numbers_for_eyes)
TEST_MAIN(TESTS)
