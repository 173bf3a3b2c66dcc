#define _GNU_SOURCE
#include "any_result.h"
#include "result/shade.h"
#include "result/glyph.h"
#include <locale.h>
#include <wchar.h>

static kept k;

static const char *drawn(const sonde_result *r, sonde_text_style s) {
    sonde_error err;
    k.n = 0;
    keep(&k, "", 0, NULL);
    s.color = true;
    CHECK_EQ(sonde_result_text(r, s, keep, &k, &err), SONDE_OK);
    return k.text;
}

/* Nothing but printable UTF-8, newlines and colours; no line wider than the terminal by the C library's count. */
static void check_page(const char *text, int width) {
    int at = 0;
    const char *line = text;
    mbstate_t state = { 0 };
    while (*text) {
        if (*text == '\n') { at = 0; line = ++text; continue; }
        if (*text == '\x1b') {
            CHECK(text[1] == '[');
            text += 2 + strspn(text + 2, "0123456789;");
            CHECK(*text == 'm');
            text++;
            continue;
        }
        wchar_t c;
        const size_t n = mbrtowc(&c, text, 4, &state);
        CHECK(n > 0 && n <= 4);
        const int w = wcwidth(c) < 0 ? 1 : wcwidth(c);      /* newer than the C library */
        CHECK(c >= ' ' && c != 0x7f && !(c >= 0x80 && c < 0xa0));
        CHECK(!(c >= 0x200b && c <= 0x200f) && !(c >= 0x202a && c <= 0x202e) && !(c >= 0x2066 && c <= 0x2069));
        at += w;
        if (at > width) FAIL_("a line of %d columns, expected at most %d: %.200s", at, width, line);
        text += n;
    }
}

static void check_widths(const sonde_result *r) {
    static const int widths[] = { 20, 40, 80, 200 };
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
        for (int style = 0; style < 4; style++)
            check_page(drawn(r, (sonde_text_style){ .width = widths[i], .light = style & 1, .palette = style & 2 }),
                       widths[i]);
    check_page(drawn(r, (sonde_text_style){ 0 }), 80);
    check_page(drawn(r, (sonde_text_style){ .width = 3 }), 20);
}

static void c_utf8(void) { CHECK(setlocale(LC_CTYPE, "C.UTF-8")); }

static void no_character_is_wider_than_it_is_taken_for(void) {
    c_utf8();
    for (uint32_t c = ' '; c < 0x110000; c++)
        if (!glyph_hidden(c) && wcwidth((wchar_t)c) > glyph_columns(c)) FAIL_("U+%04X is wider", c);
}

static void no_line_is_too_wide_and_nothing_steers(void) {
    c_utf8();
    for (uint64_t i = 0; i < 16; i++) {
        sonde_result *r = anything(i);
        check_widths(r);
        sonde_result_free(r);
    }
}

static void what_no_view_draws_is_shown_too(void) {
    c_utf8();
    for (uint64_t i = 0; i < 20; i++) {
        seed = i;
        sonde_result *r = sonde_result_new();
        fill_table(r, 3, 4);
        fill_array(r, "v", "t", (const int64_t[]){ 1 + draw(300) }, true);
        fill_array(r, "p", "h t s", (const int64_t[]){ 3, 1 + draw(9), 1 + draw(90) }, false);
        sonde_result_array(r, "none", "t s", (const int64_t[]){ 0, 5 });
        check_widths(r);
        CHECK(strstr(k.text, "none"));
        sonde_result_free(r);
    }
}

static void a_table_is_aligned(void) {
    sonde_result *r = sonde_result_new();
    sonde_table *t = sonde_result_table(r, "cells");
    sonde_table_column(t, "layer", SONDE_INT, "");
    sonde_table_column(t, "token", SONDE_TOKEN, "");
    sonde_table_column(t, "kl_nats", SONDE_FLOAT, "nats");
    sonde_table_row(t);
    sonde_cell_int(t, 10);
    sonde_cell_token(t, token(1, " \xe7\x8c\xab"));
    sonde_cell_float(t, 0.123456);
    sonde_table_row(t);
    CHECK_STR(drawn(r, (sonde_text_style){ .width = 40 }),
              "\x1b[1mlayer  token  kl_nats\x1b[0m\n"
              "\x1b[2m─────  ─────  ───────\x1b[0m\n"
              "   10  \x1b[36m·猫  \x1b[0m   0.1235\n"
              "\x1b[2m    –\x1b[0m  \x1b[2m–    \x1b[0m  \x1b[2m      –\x1b[0m\n");
    sonde_result_free(r);
}

static void bars_stand_in_the_table(void) {
    sonde_result *r = sonde_result_new();
    sonde_table *t = sonde_result_table(r, "p");
    sonde_table_column(t, "x", SONDE_FLOAT, "");
    static const double x[] = { 1, -0.5, 0.03125 };
    for (int i = 0; i < 3; i++) {
        sonde_table_row(t);
        sonde_cell_float(t, x[i]);
    }
    sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_BARS, .of = "p", .value = "x", .title = "Bars" });
    drawn(r, (sonde_text_style){ .width = 80, .palette = true });
    CHECK(strstr(k.text, "  1.000  \x1b[38;5;172m            ████████████\x1b[0m\n"));
    CHECK(strstr(k.text, "-0.5000  \x1b[38;5;68m      ██████            \x1b[0m\n"));
    CHECK(strstr(k.text, "0.03125  \x1b[38;5;172m            ▍           \x1b[0m\n"));
    sonde_result_free(r);
}

/* A line a hundred times as high as another: on one scale the other is flat, on its own it is as high. */
static void lines_may_have_scales_of_their_own(void) {
    for (int own = 0; own < 2; own++) {
        sonde_result *r = sonde_result_new();
        sonde_table *t = sonde_result_table(r, "p");
        sonde_table_column(t, "figure", SONDE_TEXT, "");
        sonde_table_column(t, "x", SONDE_INT, "");
        sonde_table_column(t, "v", SONDE_FLOAT, "");
        for (int i = 0; i < 4; i++) {
            sonde_table_row(t);
            sonde_cell_text(t, i < 2 ? "low" : "high");
            sonde_cell_int(t, i % 2);
            sonde_cell_float(t, (i < 2 ? 1 : 100) * (i % 2));
        }
        sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_LINES, .of = "p", .x = "x", .y = "figure", .value = "v",
                                              .own_scale = own });
        drawn(r, (sonde_text_style){ .width = 60 });
        const char *low = strstr(k.text, "low "), *end = strchr(low, '\n'), *full = strstr(low, "████");
        CHECK((full != NULL && full < end) == own);
        CHECK((strstr(k.text, "each line on its own scale") != NULL) == own);
        CHECK((strstr(k.text, "heights from 0 to 100") != NULL) == !own);
        sonde_result_free(r);
    }
}

static void wide_tables_are_split_with_a_note(void) {
    sonde_result *r = sonde_result_new();
    sonde_table *t = sonde_result_table(r, "wide");
    static const char *const names[] = { "position", "entropy_before", "entropy_after", "loss_before", "loss_after" };
    for (int i = 0; i < 5; i++) sonde_table_column(t, names[i], i ? SONDE_FLOAT : SONDE_INT, "");
    sonde_table_row(t);
    drawn(r, (sonde_text_style){ .width = 40 });
    CHECK(strstr(k.text, "(columns 1 to 3 of 5)"));
    CHECK(strstr(k.text, "position  loss_before  loss_after"));
    CHECK(strstr(k.text, "(columns 4 to 5 of 5)"));
    sonde_result_free(r);
}

/* Whole where the table fits with them, else cut as far as it has to be. */
static void long_texts_take_the_room_there_is(void) {
    static const char text[] = "a text that is longer than forty columns are, but not than eighty";
    sonde_result *r = sonde_result_new();
    sonde_table *t = sonde_result_table(r, "texts");
    sonde_table_column(t, "number", SONDE_INT, "");
    sonde_table_column(t, "prompt", SONDE_TEXT, "");
    sonde_table_row(t);
    sonde_cell_int(t, 1);
    sonde_cell_text(t, text);
    CHECK(strstr(drawn(r, (sonde_text_style){ .width = 80 }), text));
    drawn(r, (sonde_text_style){ .width = 60 });
    CHECK(strstr(k.text, "a text that is longer than forty columns are, but n…"));
    sonde_result_free(r);
}

static void long_tables_say_what_is_left_out(void) {
    sonde_result *r = sonde_result_new();
    sonde_table *t = sonde_result_table(r, "long");
    sonde_table_column(t, "i", SONDE_INT, "");
    for (int i = 0; i < 1000; i++) {
        sonde_table_row(t);
        sonde_cell_int(t, i);
    }
    CHECK(strstr(drawn(r, (sonde_text_style){ .width = 80 }), "(500 more rows, 1000 in all: the files have them)"));
    sonde_result_free(r);
}

static void heatmaps_name_their_domain_and_mark_what_is_no_number(void) {
    sonde_result *r = sonde_result_new();
    float *x = sonde_array_data(sonde_result_array(r, "m", "layer t", (const int64_t[]){ 1, 4 }));
    x[0] = 0.25f;
    x[1] = -0.5f;
    x[2] = NAN;
    x[3] = -INFINITY;
    sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_HEATMAP, .of = "m", .x = "t", .y = "layer", .title = "Map" });
    drawn(r, (sonde_text_style){ .width = 80 });
    CHECK(strstr(k.text, "0.2500") && strstr(k.text, "-0.5000") && strstr(k.text, "  × NaN  ∞ infinite\n"));
    CHECK(strncmp(k.text, "\x1b[1mMap\n\x1b[0m", 12) == 0);
    const char *legend = strstr(k.text, "\n-0.5000 \x1b[");
    CHECK(legend && strstr(legend, " 0.5000  m  "));
    sonde_result_free(r);
}

static void a_lens_shows_the_tokens_of_its_prompt(void) {
    sonde_result *r = sonde_result_new();
    sonde_result_prompt_token(r, sonde_result_prompt(r, "a b", 3), token(1, " hello"), 0, 1);
    sonde_table *t = sonde_result_table(r, "cells");
    sonde_table_column(t, "position", SONDE_INT, "");
    sonde_table_column(t, "layer", SONDE_INT, "");
    sonde_table_column(t, "token", SONDE_TOKEN, "");
    sonde_table_column(t, "prob", SONDE_FLOAT, "");
    for (int i = 0; i < 3; i++) {
        sonde_table_row(t);
        sonde_cell_int(t, 0);
        sonde_cell_int(t, i % 2);
        sonde_cell_token(t, token(i, i == 2 ? " third" : " first"));
        sonde_cell_float(t, 0.5);
    }
    sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_TOKEN_GRID, .of = "cells", .x = "layer", .y = "position",
                                          .value = "token", .title = "Lens" });
    drawn(r, (sonde_text_style){ .width = 80 });
    CHECK(strstr(k.text, "0 ·hello") && strstr(k.text, "·first") && strstr(k.text, "·third"));
    CHECK(strstr(k.text, "(1 row of cells shares its place with a later one, which is shown)"));
    sonde_result_free(r);
}

static void a_strip_shows_every_row(void) {
    sonde_result *r = sonde_result_new();
    sonde_table *t = sonde_result_table(r, "p");
    sonde_table_column(t, "token", SONDE_TOKEN, "");
    sonde_table_column(t, "loss", SONDE_FLOAT, "");
    for (int i = 0; i < 3; i++) {
        sonde_table_row(t);
        sonde_cell_token(t, token(7, " the"));
        sonde_cell_float(t, 0);
    }
    sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_TOKENS, .of = "p", .x = "token", .value = "loss" });
    CHECK_STR(drawn(r, (sonde_text_style){ .width = 80 }),
              "·the\x1b[0m ·the\x1b[0m ·the\x1b[0m\n0 to 0 loss\n\x1b[2m(p: 3 rows of 2 columns are in JSON and CSV)\n\x1b[0m");
    sonde_result_free(r);
}

static void many_heads_are_tiles_on_one_scale(void) {
    sonde_result *r = sonde_result_new();
    float *x = sonde_array_data(sonde_result_array(r, "pattern", "layer head t s", (const int64_t[]){ 2, 2, 2, 2 }));
    for (int i = 0; i < 16; i++) x[i] = (float)i / 15;
    sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_HEATMAP, .of = "pattern", .x = "s", .y = "t" });
    drawn(r, (sonde_text_style){ .width = 80 });
    CHECK(strstr(k.text, "(a picture each layer.head)") && strstr(k.text, "1.1") && strstr(k.text, "▀"));
    CHECK(strstr(k.text, " 1.000  pattern\n"));
    sonde_result_free(r);
}

static size_t times(const char *what) {
    size_t n = 0;
    for (const char *at = k.text; (at = strstr(at, what)); at++) n++;
    return n;
}

static void where_the_numbers_are_is_said_once(void) {
    sonde_result *r = sonde_result_new();
    fill_table(r, 3, 4);
    static const char *const value[] = { "prob", "logit", "prob" };
    for (int i = 0; i < 3; i++)
        sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_HEATMAP, .of = "cells", .x = "layer", .y = "position",
                                              .value = value[i] });
    drawn(r, (sonde_text_style){ .width = 80 });
    CHECK_EQ((long long)times("are in JSON and CSV"), 1);
    sonde_result_free(r);
}

static void panels_have_a_title_each(void) {
    sonde_result *r = sonde_result_new();
    fill_table(r, 3, 4);
    sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_LINES, .of = "cells", .x = "layer", .value = "prob",
                                          .panel = "position", .title = "Lines" });
    drawn(r, (sonde_text_style){ .width = 80 });
    CHECK_EQ((long long)times("Lines"), 1);
    CHECK_EQ((long long)times("\x1b[1mposition "), 3);
    CHECK(strstr(k.text, "\x1b[1mposition 2\n"));
    sonde_result_free(r);
}

static sonde_result *points(sonde_view_kind kind, const char *z) {
    sonde_result *r = sonde_result_new();
    sonde_table *t = sonde_result_table(r, "t");
    sonde_table_column(t, "x", SONDE_FLOAT, "");
    sonde_table_column(t, "v", SONDE_FLOAT, "");
    sonde_table_column(t, "class", SONDE_TEXT, "");
    for (int i = 0; i < 10; i++) {
        sonde_table_row(t);
        sonde_cell_float(t, kind == SONDE_VIEW_BOXES ? 0 : i);
        sonde_cell_float(t, i == 9 ? 40 : i + 1);
        sonde_cell_text(t, i < 5 ? "low" : "high");
    }
    sonde_result_view(r, (sonde_drawing){ .kind = kind, .of = "t", .x = "x", .y = kind == SONDE_VIEW_SCATTER ? "v" : NULL,
                                          .z = z,
                                          .value = kind == SONDE_VIEW_SCATTER ? "class" : "v", .title = "T" });
    drawn(r, (sonde_text_style){ .width = 80 });
    return r;
}

static void the_other_kinds_have_their_place_in_a_terminal(void) {
    sonde_result *r = points(SONDE_VIEW_BOXES, NULL);
    CHECK(strstr(k.text, "    1 |--[  3.25 |   5.5 |  7.75 ]--|     9"));
    sonde_result_free(r);
    r = points(SONDE_VIEW_SCATTER, "x");
    CHECK(strstr(k.text, "a low\n") && strstr(k.text, "b high\n") && strstr(k.text,
                                                                            "v over x from 0 to 9.000, without x; + where several meet"));
    CHECK_EQ((long long)times("(t: 10 rows of 3 columns are in JSON and CSV)"), 1);
    sonde_result_free(r);
    r = points(SONDE_VIEW_HISTOGRAM, NULL);
    CHECK(strstr(k.text, "██") && strstr(k.text, "(v, by the lower edge of each bin of x)"));
    sonde_result_free(r);
    r = points(SONDE_VIEW_CLOUD, NULL);
    CHECK(strstr(k.text, "██") && strstr(k.text, "class"));
    sonde_result_free(r);
    r = points(SONDE_VIEW_ARCHITECTURE, NULL);
    CHECK(!strstr(k.text, "██") && strstr(k.text, "class") && !strstr(k.text, "JSON"));
    sonde_result_free(r);
}

static void an_empty_result_is_an_empty_page(void) {
    sonde_result *r = sonde_result_new();
    CHECK_STR(drawn(r, (sonde_text_style){ .width = 80 }), "");
    sonde_result_free(r);
}

/* A quarter of a one-sided scale is half of its colours; signed scales and ends stay as they are. */
static void colours_by_the_square_root(void) {
    const shade_scale root = { .lo = 0, .hi = 4, .root = true }, plain = { .lo = 0, .hi = 4 },
                      both = { .lo = -4, .hi = 4, .is_signed = true, .root = true };
    CHECK_NEAR(shade_place(&root, 1), .5, 1e-15);
    CHECK_NEAR(shade_place(&plain, 1), .25, 1e-15);
    CHECK_NEAR(shade_place(&both, 2), .75, 1e-15);
    CHECK(shade_place(&root, 0) == 0 && shade_place(&root, 4) == 1);
}

#define TESTS(X) \
    X(colours_by_the_square_root) \
    X(no_character_is_wider_than_it_is_taken_for) \
    X(no_line_is_too_wide_and_nothing_steers) \
    X(what_no_view_draws_is_shown_too) \
    X(a_table_is_aligned) \
    X(bars_stand_in_the_table) \
    X(lines_may_have_scales_of_their_own) \
    X(wide_tables_are_split_with_a_note) \
    X(long_texts_take_the_room_there_is) \
    X(long_tables_say_what_is_left_out) \
    X(heatmaps_name_their_domain_and_mark_what_is_no_number) \
    X(a_lens_shows_the_tokens_of_its_prompt) \
    X(a_strip_shows_every_row) \
    X(many_heads_are_tiles_on_one_scale) \
    X(where_the_numbers_are_is_said_once) \
    X(panels_have_a_title_each) \
    X(the_other_kinds_have_their_place_in_a_terminal) \
    X(an_empty_result_is_an_empty_page)
TEST_MAIN(TESTS)
