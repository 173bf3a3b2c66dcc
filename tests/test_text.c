#include "test.h"
#include "base/text.h"
#include <stdlib.h>

static size_t encode(uint32_t c, char out[4]) {
    const int len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    for (int i = len - 1; i > 0; i--, c >>= 6) out[i] = (char)(0x80 | (c & 63));
    out[0] = (char)(lead[len] | c);
    return (size_t)len;
}

static void every_code_point_is_read_but_surrogates(void) {
    for (uint32_t c = 0; c < 0x120000; c++) {
        char text[4];
        uint32_t code = 0;
        const size_t len = encode(c, text);
        const bool good = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
        CHECK_EQ((long long)utf8_next(text, len, &code), good ? (long long)len : 0);
        if (good) CHECK_EQ(code, c);
        CHECK_EQ((long long)utf8_next(text, len - 1, &code), 0);        /* cut */
    }
}

static void bad_bytes_are_told_by_offset(void) {
    static const struct { const char *text; long long offset; } rows[] = {
        { "ab\x80", 2 }, { "\xc3", 0 }, { "\xc0\x80", 0 }, { "\xc1\xbf", 0 }, { "a\xe0\x80\x80", 1 },
        { "\xed\xa0\x80", 0 }, { "\xf0\x80\x80\x80", 0 }, { "\xf4\x90\x80\x80", 0 }, { "\xf5\x80\x80\x80", 0 },
        { "\xc3\xa9\xff", 2 }, { "\xe2\x82x", 0 }, { "\xfe", 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t offset = 99;
        CHECK(!utf8_valid(rows[i].text, strlen(rows[i].text), &offset));
        CHECK_EQ((long long)offset, rows[i].offset);
        CHECK(!utf8_valid(rows[i].text, strlen(rows[i].text), NULL));
    }
    CHECK(utf8_valid("", 0, NULL));
    CHECK(utf8_valid("a\0\xc3\xa9", 4, NULL));
}

static void shown_text_holds_nothing_a_terminal_obeys(void) {
    CHECK_STR(text_shown("plain \xc3\xa9", 8).text, "plain \xc3\xa9");
    CHECK_STR(text_shown("a\x1b[31m\n", 7).text, "a\\x1b[31m\\x0a");
    CHECK_STR(text_shown("\xc2\x9b" "2J", 4).text, "\\xc2\\x9b2J");             /* CSI in one character */
    CHECK_STR(text_shown("\xe2\x80\xae" "abc", 6).text, "\\xe2\\x80\\xaeabc");  /* right-to-left override */
    CHECK_STR(text_shown("\xe2\x80\x8e\xe2\x81\xa6", 6).text, "\\xe2\\x80\\x8e\\xe2\\x81\\xa6");
    CHECK_STR(text_shown("\xff\0", 2).text, "\\xff\\x00");
    CHECK_STR(name_shown("").text, "");
}

static void long_text_is_cut_and_says_so(void) {
    char text[5000];
    memset(text, 1, sizeof text);
    for (size_t n = 0; n < sizeof text; n++) {
        const shown s = text_shown(text, n);
        CHECK(strlen(s.text) < sizeof s.text);
        CHECK_EQ(strlen(s.text) == 4 * n, strstr(s.text, "..") == NULL);
    }
}

static void the_nearest_names_come_in_order(void) {
    static const char *const names[] = { "lens", "attention", "generate", "Logits", "sites", "lenses" };
    size_t out[9];
    CHECK_EQ((long long)nearest("lnes", names, 6, out, 3), 3);
    CHECK_EQ((long long)out[0], 0);             /* one swap */
    CHECK_EQ((long long)out[1], 5);             /* two insertions */
    CHECK_EQ((long long)out[2], 4);
    CHECK_EQ((long long)nearest("abcd", (const char *[]){ "abcx", "xbcd", "abcd" }, 3, out, 3), 3);
    CHECK(out[0] == 2 && out[1] == 0 && out[2] == 1);               /* ties: the list's order */
    CHECK_EQ((long long)nearest("LOGIT", names, 6, out, 1), 1);
    CHECK_EQ((long long)out[0], 3);
    CHECK_EQ((long long)nearest("x", names, 6, out, 9), 6);
    CHECK_EQ((long long)nearest("x", names, 6, out, 0), 0);
    CHECK_EQ((long long)nearest("x", names, 0, out, 3), 0);
}

static void very_long_names_are_compared_without_harm(void) {
    char a[300], b[300];
    memset(a, 'a', sizeof a);
    memset(b, 'b', sizeof b);
    a[299] = b[299] = 0;
    const char *const names[] = { b, a };
    size_t out[2];
    CHECK_EQ((long long)nearest(a, names, 2, out, 2), 2);
    CHECK_EQ((long long)out[0], 1);
}

#define TESTS(X) \
    X(every_code_point_is_read_but_surrogates) \
    X(bad_bytes_are_told_by_offset) \
    X(shown_text_holds_nothing_a_terminal_obeys) \
    X(long_text_is_cut_and_says_so) \
    X(the_nearest_names_come_in_order) \
    X(very_long_names_are_compared_without_harm)
TEST_MAIN(TESTS)
