#include "test.h"
#include "method/param.h"
#include <stdlib.h>

static const param top = { "top", PARAM_INT, "5", 1, 1000, "tokens listed" };
static const param seed = { "seed", PARAM_INT, "0", 0, 9223372036854775807.0, "draws" };
static const param rate = { "rate", PARAM_REAL, "", -1, 1e9, "share" };
static const param flag = { "mean", PARAM_FLAG, "", 0, 0, "the mean instead" };
static const param layers = { "layers", PARAM_LAYERS, "all", 0, 0, "layers to read" };
static const param over = { "over", PARAM_SITE, NULL, 0, 0, "site to go over" };

static void missing_value_takes_the_fallback(void) {
    value v = { 0 };
    CHECK_EQ(param_parse(&top, NULL, &v, NULL), SONDE_OK);
    CHECK_EQ(v.i, 5);
    CHECK_EQ(v.given, 0);
    CHECK_STR(v.text, "5");
    CHECK_EQ(param_parse(&top, "7", &v, NULL), SONDE_OK);
    CHECK_EQ(v.i, 7);
    CHECK_EQ(v.given, 1);
}

static void nothing_is_a_fallback_too(void) {
    value v = { .i = 3, .real = 3 };
    CHECK_EQ(param_parse(&rate, NULL, &v, NULL), SONDE_OK);
    CHECK_STR(v.text, "");
    CHECK_EQ(v.real == 0 && v.n == 0 && !v.given, 1);
    v.i = 1;
    CHECK_EQ(param_parse(&flag, NULL, &v, NULL), SONDE_OK);
    CHECK_EQ(v.i, 0);
}

static void required_values_are_asked_for(void) {
    value v = { 0 };
    sonde_error err = { 0 };
    CHECK_EQ(param_parse(&over, NULL, &v, &err), SONDE_USAGE);
    CHECK_STR(err.message, "over is required: site to go over");
    CHECK_EQ(param_parse(&over, "attn.hook_z[:,h]", &v, &err), SONDE_OK);
    CHECK_STR(v.text, "attn.hook_z[:,h]");
}

static void bad_values_say_what_is_wrong(void) {
    static const struct { const param *p; const char *text, *message; } c[] = {
        { &top, "x",    "top: \"x\" is not a number" },
        { &top, "",     "top: \"\" is not a number" },
        { &top, "3 ",   "top: \"3 \" is not a number" },
        { &top, " 3",   "top: \" 3\" is not a number" },
        { &top, "0",    "top: 0 is outside 1..1000" },
        { &top, "1001", "top: 1001 is outside 1..1000" },
        { &top, "nan",  "top: nan is outside 1..1000" },
        { &top, "inf",  "top: inf is outside 1..1000" },
        { &top, "2.5",  "top: 2.5 is not a whole number" },
        { &rate, "nan", "rate: nan is outside -1..1000000000" },
        { &flag, "maybe", "mean: \"maybe\" is neither true nor false" },
        { &layers, "",    "layers: \"\" is no list of numbers, expected all, or as in 0-3,5,-1" },
        { &layers, "1,",  "layers: \"1,\" is no list of numbers, expected all, or as in 0-3,5,-1" },
        { &layers, "1-",  "layers: \"1-\" is no list of numbers, expected all, or as in 0-3,5,-1" },
        { &layers, "+1",  "layers: \"+1\" is no list of numbers, expected all, or as in 0-3,5,-1" },
        { &layers, "--1", "layers: \"--1\" is no list of numbers, expected all, or as in 0-3,5,-1" },
        { &layers, "all,1", "layers: \"all,1\" is no list of numbers, expected all, or as in 0-3,5,-1" },
    };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        value v = { 0 };
        sonde_error err = { 0 };
        CHECK_EQ(param_parse(c[i].p, c[i].text, &v, &err), SONDE_USAGE);
        CHECK_STR(err.message, c[i].message);
    }
}

static void whole_numbers_are_exact(void) {
    value v;
    CHECK_EQ(param_parse(&seed, "9007199254740993", &v, NULL), SONDE_OK);
    CHECK_EQ(v.i, 9007199254740993);
    CHECK_EQ(param_parse(&seed, "9223372036854775807", &v, NULL), SONDE_OK);
    CHECK_EQ(v.i, 9223372036854775807);
    CHECK_EQ(param_parse(&seed, "9223372036854775808", &v, NULL), SONDE_USAGE);
    CHECK_EQ(param_parse(&seed, "-1", &v, NULL), SONDE_USAGE);
    CHECK_EQ(param_parse(&top, "1e2", &v, NULL), SONDE_OK);
    CHECK_EQ(v.i, 100);
    CHECK_EQ(param_parse(&rate, "-0.5", &v, NULL), SONDE_OK);
    CHECK_NEAR(v.real, -0.5, 0);
}

static void flags_are_words(void) {
    static const struct { const char *text; int i; } c[] = {
        { "true", 1 }, { "yes", 1 }, { "1", 1 }, { "false", 0 }, { "no", 0 }, { "0", 0 },
    };
    for (size_t k = 0; k < sizeof c / sizeof *c; k++) {
        value v;
        CHECK_EQ(param_parse(&flag, c[k].text, &v, NULL), SONDE_OK);
        CHECK_EQ(v.i, c[k].i);
    }
}

static void numbers_come_in_the_order_written_each_once(void) {
    static const struct { const char *text; size_t n; long want[8]; } c[] = {
        { "all",     5, { 0, 1, 2, 3, 4 } }, { "3",     1, { 3 } },       { "1-3",   3, { 1, 2, 3 } },
        { "1,3,-1",  3, { 1, 3, 4 } },       { "3-1",   3, { 3, 2, 1 } }, { "-2--1", 2, { 3, 4 } },
        { "2,0-3,2", 4, { 2, 0, 1, 3 } },    { "0--1",  5, { 0, 1, 2, 3, 4 } }, { "", 0, { 0 } },
    };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        long *got;
        size_t n;
        CHECK_EQ(param_numbers(&layers, c[i].text, 5, &got, &n, NULL), SONDE_OK);
        CHECK_EQ((long long)n, (long long)c[i].n);
        for (size_t k = 0; k < n; k++) CHECK_EQ(got[k], c[i].want[k]);
        free(got);
    }
}

static void numbers_outside_are_named(void) {
    static const struct { const char *text; long n; const char *message; } c[] = {
        { "5",     5, "layers: 5 is outside 0..4 (or -5..-1 from the end)" },
        { "-6",    5, "layers: -6 is outside 0..4 (or -5..-1 from the end)" },
        { "0-5",   5, "layers: 5 is outside 0..4 (or -5..-1 from the end)" },
        { "0",     0, "layers: 0, but there are none" },
        { "1,,2",  5, "layers: \"1,,2\" is no list of numbers, expected all, or as in 0-3,5,-1" },
        { "99999999999999999999", 5,
          "layers: \"99999999999999999999\" is no list of numbers, expected all, or as in 0-3,5,-1" },
    };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        long *got;
        size_t n;
        sonde_error err = { 0 };
        CHECK_EQ(param_numbers(&layers, c[i].text, c[i].n, &got, &n, &err), SONDE_USAGE);
        CHECK_STR(err.message, c[i].message);
        CHECK(!got);
    }
}

static void context_is_put_in_front(void) {
    sonde_error err = { 0 };
    value v;
    const sonde_status s = param_parse(&top, "x", &v, &err);
    CHECK_EQ(sonde_fail_at(&err, s, "%s", "lens"), SONDE_USAGE);
    CHECK_STR(err.message, "lens: top: \"x\" is not a number");
    CHECK_EQ(sonde_status_http(s), 400);
}

#define TESTS(X) \
    X(missing_value_takes_the_fallback) \
    X(nothing_is_a_fallback_too) \
    X(required_values_are_asked_for) \
    X(bad_values_say_what_is_wrong) \
    X(whole_numbers_are_exact) \
    X(flags_are_words) \
    X(numbers_come_in_the_order_written_each_once) \
    X(numbers_outside_are_named) \
    X(context_is_put_in_front)
TEST_MAIN(TESTS)
