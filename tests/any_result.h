/* any_result.h - results at random: every kind of view over tables and arrays with hostile texts and numbers. */
#ifndef TEST_ANY_RESULT_H
#define TEST_ANY_RESULT_H
#include "test_result.h"

static uint64_t seed;
static unsigned draw(unsigned below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % below;
}

/* Words of many scripts, and hostile ones; every fourth is bytes at random. */
static sonde_token any_token(int i) {
    static const char *const words[] = {
        "The", " cat", " friendship", "\n", "\t\t",
            " \xe7\x8c\xab\xe7\x8c\xab\xe7\x8c\xab\xe7\x8c\xab\xe7\x8c\xab\xe7\x8c\xab\xe7\x8c\xab",
        " \xf0\x9f\x98\x80", "e\xcc\x81", "\xcc\x81", "\x1b[31m\x1b]0;evil\x07", "\xff\xfe", "\xe2\x80\xae" "abc",
        "\xc2\x9b" "2J", "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d", "\xe0\xa4\x95\xe0\xa5\x8d\xe0\xa4\xb7\xe0\xa4\xbf", "", "\r",
            "\x7f", "%n%s", "\xef\xb7\xbd",
        "<img src=x onerror=alert(1)>", "</script><script>", "]]>", "&amp;&", "\"'onload='x", "<!--", "\\u003c", "{{}}",
    };
    static char bytes[64][24];
    if (i % 4) return token(i, words[(size_t)i % (sizeof words / sizeof *words)]);
    char *at = bytes[i / 4 % 64];
    const size_t n = draw(24);
    for (size_t b = 0; b < n; b++) at[b] = (char)(draw(3) ? 0x80 + draw(0x80) : draw(0x80));
    return (sonde_token){ i, at, n };
}

static void fill_table(sonde_result *r, int ny, int nx) {
    sonde_table *t = sonde_result_table(r, "cells");
    sonde_table_column(t, "position", SONDE_INT, "");
    sonde_table_column(t, "layer", SONDE_INT, "");
    sonde_table_column(t, "site", SONDE_TEXT, "\x1b[0m");
    sonde_table_column(t, "token", SONDE_TOKEN, "");
    sonde_table_column(t, "logit", SONDE_FLOAT, "nats");
    sonde_table_column(t, "prob", SONDE_FLOAT, "");
    sonde_table_column(t, "o\x1b[2Jk", SONDE_BOOL, "");
    for (int y = 0; y < ny; y++)
        for (int x = 0; x < nx; x++) {
            if (x && !draw(20)) continue;
            sonde_table_row(t);
            sonde_cell_int(t, y);
            sonde_cell_int(t, x);
            sonde_cell_text(t, draw(9) ? "blocks.3.hook_resid_post" : "\x1b[2J\r\n</td><b onclick=x>&\xe2\x80\xae");
            if (draw(9)) sonde_cell_token(t, any_token((int)draw(200))); else sonde_cell_null(t);
            if (draw(9)) sonde_cell_float(t, draw(1000) / 100.0 - 5); else sonde_cell_float(t, draw(2) ? NAN : -INFINITY);
            if (draw(9)) sonde_cell_float(t, draw(1000) / 1000.0); else sonde_cell_null(t);
        }
}

static void fill_array(sonde_result *r, const char *name, const char *axes, const int64_t *dim, bool is_signed) {
    sonde_array *a = sonde_result_array(r, name, axes, dim);
    int64_t n = 1;
    const int rank = (int)(strlen(axes) + 1) / 2;           /* axes of one letter each */
    for (int i = 0; i < rank; i++) n *= dim[i];
    for (int64_t i = 0; i < n; i++) {
        const unsigned what = draw(30);
        sonde_array_data(a)[i] = (float)draw(1000) / 100 - (is_signed ? 5 : 0);
        if (what == 0) sonde_array_data(a)[i] = NAN;
        if (what == 1) sonde_array_data(a)[i] = -INFINITY;
        if (what == 2) sonde_array_missing(a, i);
    }
    for (int i = 0; i < rank && draw(2); i++)
        for (int64_t l = 0; l < dim[i]; l++) {
            if (draw(2)) sonde_array_label_token(a, i, any_token((int)draw(200)));
            else sonde_array_label_text(a, i, "a \x1b[1m label that is long");
        }
}

static sonde_drawing any_view(int kind) {
    static const char *const x[] = { "layer", "position", "token", NULL, "prob", "o\x1b[2Jk" };
    static const char *const value[] = { "token", "prob", "logit", NULL, "site", "none" };
    static const char *const other[] = { NULL, NULL, NULL, "prob", "logit", "site", "layer", "token" };
    return (sonde_drawing){
        .kind = (sonde_view_kind)kind, .of = "cells", .x = x[draw(6)], .y = x[draw(6)], .value = value[draw(6)],
            .z = other[draw(8)],
        .low = other[draw(8)], .high = other[draw(8)], .label = other[draw(8)], .panel = other[draw(8)],
            .own_scale = draw(2),
        .logarithmic = draw(2), .title = draw(2) ? "A title\x1b[5m that <b>is</b> rather long for a narrow terminal"
            : NULL };
}

static sonde_result *anything(uint64_t from) {
    seed = from;
    sonde_result *r = sonde_result_new();
    for (int i = 0; i < 40; i++) {
        if (!i) sonde_result_prompt(r, "The \x1b[31m", 9);
        sonde_result_prompt_token(r, 0, any_token(i), -1, -1);
    }
    if (draw(2)) sonde_result_generated_text(r, 0,
                                             " and\t\tso\x1b[2J on, \xe7\x8c\xab until a_word_that_is_longer_than_twenty_columns came\n", 74);
    sonde_result_note(r, "a note with \x1b]0;evil\x07 and a great many words, more than go into one line of 40 columns");
    fill_table(r, 1 + (int)draw(12), 1 + (int)draw(30));
    for (int kind = SONDE_VIEW_HEATMAP; kind <= SONDE_VIEW_ARCHITECTURE; kind++)
        for (int i = 0; i < 3; i++) sonde_result_view(r, any_view(kind));
    const int64_t dim[4] = { 1 + draw(3), 1 + draw(4), 1 + draw(50), 1 + draw(from % 4 ? 40 : 250) };
    fill_array(r, "v", "t", dim + 2, draw(2));
    fill_array(r, "m", "l t", dim + 1, draw(2));
    fill_array(r, "w", "t s", dim + 2, draw(2));
    fill_array(r, "p", "l h t s", dim, draw(2));
    for (int kind = SONDE_VIEW_HEATMAP; kind <= SONDE_VIEW_ARCHITECTURE; kind++)
        for (int i = 0; i < 2; i++)
            sonde_result_view(r, (sonde_drawing){ .kind = (sonde_view_kind)kind, .of = (const char *[]){ "v", "m", "w",
                    "p" }[draw(4)],
                                                   .title = "V" });
    return r;
}
#endif
