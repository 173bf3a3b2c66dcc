#include "test.h"
#include "base/json.h"
#include "base/text.h"
#include <stdlib.h>

static arena *mem;
static sonde_error err;

static const json *parse(const char *text, size_t n) {
    const json *j;
    if (!mem) mem = arena_new();
    arena_reset(mem);
    err = (sonde_error){ 0 };
    return json_parse(text, n, mem, &j, &err) == SONDE_OK ? j : NULL;
}

static const json *parse_text(const char *text) { return parse(text, strlen(text)); }

static void the_tree_is_what_was_written(void) {
    const json *j = parse_text(" {\"a\":[1,true,null,\"x\"],\"\":{},\"b\":-2.5e3} ");
    CHECK(j && j->kind == JSON_OBJECT && !j->key && !j->next);
    CHECK_EQ((long long)j->len, 3);
    const json *a = json_get(j, "a");
    CHECK(a == j->child && a->kind == JSON_ARRAY);
    CHECK_EQ((long long)a->len, 4);
    CHECK(a->child->kind == JSON_NUMBER && a->child->next->kind == JSON_BOOL && a->child->next->boolean);
    CHECK(a->child->next->next->kind == JSON_NULL && a->child->next->next->next->kind == JSON_STRING);
    CHECK(!a->child->next->next->next->next && !a->child->key);
    CHECK(json_get(j, "") && json_get(j, "")->len == 0 && !json_get(j, "")->child);
    CHECK_STR(json_get(j, "b")->text, "-2.5e3");
    CHECK(!json_get(j, "c") && !json_get(a, "a") && !json_get(NULL, "a"));
}

static void text_out_of_the_grammar_is_refused_with_its_offset(void) {
    static const struct { const char *text, *message; } rows[] = {
        { "", "offset 0: parse error: premature EOF" },
        { "[1,", "offset 3: parse error: premature EOF" },
        { "{\"a\":1} x", "offset 9: parse error: trailing garbage" },
        { "[1] [2]", "offset 5: parse error: trailing garbage" },
        { "1 2", "offset 3: parse error: trailing garbage" },
        { "[1] \"a", "offset 4: text behind the value" }, { "\"a\"\"", "offset 3: text behind the value" },
        { "1 \"b", "offset 2: text behind the value" }, { "{}\"", "offset 2: text behind the value" },
        { "{\"a\":1,}", NULL }, { "[1,]", NULL }, { "[}", NULL },
        { "{1:2}", NULL }, { "{\"a\"}", NULL }, { "]", NULL },
        { "nul", NULL }, { "True", NULL }, { "'a'", NULL }, { "\"a", NULL }, { "\"\\x\"", NULL },
        { "\"\\u12g4\"", NULL },
        { "\"a\nb\"", NULL }, { "/*c*/1", NULL }, { "//c\n1", NULL }, { "01", NULL }, { "-", NULL }, { "+1", NULL },
        { ".5", NULL }, { "1.", NULL }, { "1e", NULL }, { "1e+", NULL }, { "0x10", NULL }, { "NaN", NULL },
        { "Infinity", NULL }, { "\xef\xbb\xbf" "1", NULL }, { "--1", NULL }, { "\f1", NULL },
        { "[1,\v2]", "offset 3: a control character" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK(!parse_text(rows[i].text));
        CHECK_EQ(err.status, SONDE_FORMAT);
        CHECK(strncmp(err.message, "offset ", 7) == 0);
        CHECK(strtoul(err.message + 7, NULL, 10) <= strlen(rows[i].text));
        if (rows[i].message) CHECK_STR(err.message, rows[i].message);
    }
    CHECK(!parse("1\0", 2));
    CHECK(!parse("\"a\0b\"", 5));
}

static void bytes_that_are_not_utf8_are_refused(void) {
    CHECK(!parse_text("{\"a\":\"b\xff\"}"));
    CHECK_STR(err.message, "offset 7: not UTF-8");
    CHECK(!parse_text("\"\xed\xa0\x80\""));
    CHECK(!parse_text("\"\xc0\xaf\""));
    CHECK(!parse_text("\xff"));
}

static void escapes_become_their_characters(void) {
    const json *j = parse_text("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\ude00\\u0000z\"");
    static const char want[] = "\"\\/\b\f\n\r\t\xc3\xa9\xf0\x9f\x98\x80\0z";
    CHECK(j);
    CHECK_EQ((long long)j->len, (long long)sizeof want - 1);
    CHECK(memcmp(j->text, want, sizeof want) == 0);
}

static void half_a_surrogate_pair_is_refused(void) {
    static const char *const bad[] = { "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800x\"", "\"\\ud800\\u0041\"",
                                       "\"\\ud800\\ud800\\udc00\"", "\"\\ud800\\n\"", "{\"\\udfff\":1}" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(!parse_text(bad[i]));
        CHECK(strstr(err.message, "half of a surrogate pair"));
    }
    CHECK(parse_text("[\"\\\\ud800\",\"\\ud7ff\\ue000\"]"));        /* a backslash and the letters ud800 */
}

static const json *parse_last(const char *text, const char **twice) {
    const json *j;
    if (!mem) mem = arena_new();
    arena_reset(mem);
    return json_parse_last(text, strlen(text), mem, &j, twice, &err) == SONDE_OK ? j : NULL;
}

static void where_the_last_of_equal_keys_counts_it_takes_the_place_of_the_first(void) {
    const char *twice;
    int64_t v;
    const json *j = parse_last("{\"a\":[1,2],\"b\":3,\"\\u0061\":{\"c\":4,\"c\":5},\"b\":6}", &twice);
    CHECK(j && j->len == 2 && j->child->kind == JSON_OBJECT && !j->child->next->next);
    CHECK_STR(twice, "a");
    CHECK(json_int(json_get(json_get(j, "a"), "c"), &v) && v == 5 && json_get(j, "a")->len == 1);
    CHECK(json_int(json_get(j, "b"), &v) && v == 6);
    char text[2048] = "{";
    for (int i = 0; i < 120; i++) snprintf(text + strlen(text), 20, "%s\"k%d\":%d", i ? "," : "", i % 50, i);
    strcat(text, "}");
    j = parse_last(text, &twice);
    CHECK(j && j->len == 50);
    CHECK_STR(twice, "k0");
    CHECK(json_int(json_get(j, "k19"), &v) && v == 119 && json_int(json_get(j, "k20"), &v) && v == 70);
    CHECK(parse_last("{\"a\":1,\"b\":2}", &twice) && !twice);
}

static void a_key_that_stands_twice_is_refused_however_it_is_spelled(void) {
    CHECK(!parse_text("{\"a\":1,\"a\":2}"));
    CHECK_STR(err.message, "offset 7: key \"a\" stands twice");
    CHECK(!parse_text("{\"b\":{\"a\":1,\"\\u0061\":2}}"));
    CHECK(!parse_text("{\"\":1,\"\":2}"));
    CHECK(parse_text("{\"a\":{\"a\":1},\"b\":{\"a\":1},\"A\":1,\"a\\u0000\":2}"));
}

/* Above 16 members a hash takes over from comparing. */
static void in_objects_of_every_size_the_repeated_key_is_found(void) {
    for (int n = 1; n <= 70; n++)
        for (int twice = 0; twice <= n; twice += n > 40 ? 7 : 1) {          /* twice == n: none */
            char text[2048];
            int at = 0;
            for (int i = 0; i < n; i++) at += snprintf(text + at, 20, "%s\"k%d\":{\"k0\":0}", i ? "," : "{", i);
            if (twice < n) at += snprintf(text + at, 20, ",\"k%d\":0", twice);
            text[at++] = '}';
            const json *j = parse(text, (size_t)at);
            CHECK_EQ(j != NULL, twice == n);
            if (j) CHECK_EQ((long long)j->len, n);
        }
}

static void depth_64_is_read_and_65_is_refused(void) {
    char text[140];
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    CHECK(parse(text + 1, 128));
    CHECK(!parse(text, 130));
    CHECK_STR(err.message, "offset 64: more than 64 levels deep");
    static char many[1000000];
    memset(many, '[', sizeof many);
    CHECK(!parse(many, sizeof many));
}

static void integers_are_exact_or_refused(void) {
    static const struct { const char *text; bool whole; int64_t value; } rows[] = {
        { "0", true, 0 }, { "-0", true, 0 }, { "9223372036854775807", true, INT64_MAX },
        { "-9223372036854775808", true, INT64_MIN }, { "9007199254740993", true, 9007199254740993 },
        { "9223372036854775808", false, 0 }, { "-9223372036854775809", false, 0 }, { "1.0", false, 0 },
        { "1e3", false, 0 }, { "18446744073709551617", false, 0 }, { "\"1\"", false, 0 }, { "true", false, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const json *j = parse_text(rows[i].text);
        int64_t v = 77;
        CHECK(j);
        CHECK_EQ(json_int(j, &v), rows[i].whole);
        CHECK_EQ(v, rows[i].whole ? rows[i].value : 77);
    }
    CHECK(!json_int(NULL, &(int64_t){ 0 }));
}

static void reals_are_the_nearest_double_or_refused(void) {
    double v = 7;
    CHECK(json_double(parse_text("1e-5"), &v) && v == 1e-5);
    CHECK(json_double(parse_text("-3"), &v) && v == -3);
    CHECK(json_double(parse_text("1.7976931348623157e308"), &v) && v > 1e308);
    CHECK(json_double(parse_text("1e-999"), &v) && v == 0);
    v = 7;
    CHECK(!json_double(parse_text("1e999"), &v) && v == 7);
    CHECK(!json_double(parse_text("\"1\""), &v));
    CHECK(!json_double(NULL, &v));
}

static void a_getter_takes_its_kind_alone(void) {
    const char *text = NULL;
    size_t len;
    bool b = false;
    CHECK(json_string(parse_text("\"ab\""), &text, &len) && len == 2);
    CHECK_STR(text, "ab");
    CHECK(!json_string(parse_text("1"), &text, &len) && !json_string(NULL, &text, &len));
    CHECK(json_bool(parse_text("true"), &b) && b);
    CHECK(!json_bool(parse_text("1"), &b) && !json_bool(NULL, &b));
}

static void quoted_text_reads_back_the_same(void) {
    char all[256];
    for (int i = 0; i < 256; i++) all[i] = (char)(i < 128 ? i : 'x');
    const char *quoted = json_quote(mem = mem ? mem : arena_new(), all, 128);
    char copy[1024];
    snprintf(copy, sizeof copy, "%s", quoted);
    for (const char *p = copy; *p; p++) CHECK(*p >= 0x20 && *p < 0x7f);
    const json *j = parse_text(copy);
    CHECK(j && j->len == 128 && memcmp(j->text, all, 128) == 0);
}

static void quoting_replaces_broken_bytes_one_by_one(void) {
    arena *a = arena_new();
    CHECK_STR(json_quote(a, "a\xff\xc3(", 4), "\"a\xef\xbf\xbd\xef\xbf\xbd(\"");
    CHECK_STR(json_quote(a, "\"\\\n\x01\xc2\x9b\xc3\xa9", 8), "\"\\\"\\\\\\n\\u0001\\u009b\xc3\xa9\"");
    CHECK_STR(json_quote(a, "", 0), "\"\"");
    arena_free(a);
}

#define TESTS(X) \
    X(the_tree_is_what_was_written) \
    X(text_out_of_the_grammar_is_refused_with_its_offset) \
    X(bytes_that_are_not_utf8_are_refused) \
    X(escapes_become_their_characters) \
    X(half_a_surrogate_pair_is_refused) \
    X(a_key_that_stands_twice_is_refused_however_it_is_spelled) \
    X(where_the_last_of_equal_keys_counts_it_takes_the_place_of_the_first) \
    X(in_objects_of_every_size_the_repeated_key_is_found) \
    X(depth_64_is_read_and_65_is_refused) \
    X(integers_are_exact_or_refused) \
    X(reals_are_the_nearest_double_or_refused) \
    X(a_getter_takes_its_kind_alone) \
    X(quoted_text_reads_back_the_same) \
    X(quoting_replaces_broken_bytes_one_by_one)
TEST_MAIN(TESTS)
