#include "term.h"
#include "digits.h"
#include "glyph.h"
#include "show_token.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void term_dim(term *t)   { pen_text(t->p, "\x1b[2m"); }
void term_bold(term *t)  { pen_text(t->p, "\x1b[1m"); }
void term_plain(term *t) { pen_text(t->p, "\x1b[0m"); }
void term_line(term *t)  { pen_text(t->p, "\n"); }
void term_spaces(term *t, int columns) { pen_repeat(t->p, " ", columns); }

/* Writes what goes into `columns` columns; gives the columns used. */
static int put_columns(term *t, const char *shown, int columns) {
    int used = 0;
    for (size_t left = strlen(shown); left;) {
        uint32_t code;
        size_t n = glyph_next(shown, left, &code);
        if (!n) n = 1;
        const int w = glyph_columns(code);
        if (used + w > columns) break;
        pen_put(t->p, shown, n);
        used += w;
        shown += n;
        left -= n;
    }
    return used;
}

void term_fit(term *t, const char *shown, int columns, term_side side) {
    if (columns <= 0) return;
    const int w = glyph_text_columns(shown);
    if (w <= columns) {
        if (side == TERM_RIGHT) term_spaces(t, columns - w);
        pen_text(t->p, shown);
        if (side == TERM_LEFT) term_spaces(t, columns - w);
        return;
    }
    const int used = put_columns(t, shown, columns - 1);
    pen_text(t->p, "…");
    term_spaces(t, columns - 1 - used);
}

/* Columns up to the next space or the end of the line. */
static int word_columns(const char *s) {
    int columns = 0;
    for (size_t left = strcspn(s, " \n\t"); left;) {
        uint32_t code;
        const size_t n = glyph_next(s, left, &code);
        if (!n) break;
        columns += glyph_columns(code);
        s += n;
        left -= n;
    }
    return columns;
}

void term_wrap(term *t, const char *s) {
    int at = 0;
    bool word = true;                               /* a word starts here */
    for (size_t left = strlen(s), n; left; s += n, left -= n) {
        uint32_t code;
        n = glyph_next(s, left, &code);
        if (!n) n = 1;
        if (code == '\n') { term_line(t); at = 0; word = true; continue; }
        int w = code == '\t' ? 8 - at % 8 : glyph_columns(code);
        const int whole = word ? word_columns(s) : w;
        const bool breaks = at + w > t->width || (at + whole > t->width && whole <= t->width);
        word = code == ' ' || code == '\t';
        if (breaks && at) {
            term_line(t);
            at = 0;
            if (word) continue;                     /* the space that became the line's end */
        }
        if (code == '\t') term_spaces(t, w);
        else pen_put(t->p, s, n);
        at += w;
    }
    term_line(t);
}

void term_title(term *t, const char *text) {
    if (!text || !*text) return;
    term_bold(t);
    term_wrap(t, show_copy(t->scratch, text, strlen(text), SHOW_LINE));
    term_plain(t);
}

void term_note(term *t, const char *fmt, ...) {
    char line[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    const char *shown = show_copy(t->scratch, line, strlen(line), SHOW_LINE);
    term_dim(t);
    term_wrap(t, arena_printf(t->scratch, "(%s)", shown));
    term_plain(t);
}

shade_scale term_scale(const term *t, const pivot *list, size_t n, bool picture) {
    shade_scale s = SHADE_EMPTY;
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < list[k].nx * list[k].ny; i++)
            if (!list[k].state || list[k].state[i] == PIVOT_VALUE) shade_add(&s, list[k].value[i]);
    shade_close(&s);
    s.picture = picture;
    s.root = n && list[0].root;
    s.light = t->light;
    return s;
}

static const char *signs_of(term *t, const pivot *v) {
    bool missing = false, nan = false, infinite = false;
    for (size_t i = 0; i < v->nx * v->ny; i++) {
        if (v->state && v->state[i] == PIVOT_MISSING) missing = true;
        else if (v->state && v->state[i] == PIVOT_NONE) continue;
        else if (isnan(v->value[i])) nan = true;
        else if (isinf(v->value[i])) infinite = true;
    }
    return arena_printf(t->scratch, "%s%s%s", missing ? "  – null" : "", nan ? "  × NaN" : "",
                        infinite ? "  ∞ infinite" : "");
}

void term_legend(term *t, const shade_scale *s, const pivot *v) {
    const char *root = s->root && !s->is_signed ? ", colour by its square root" : "";
    const char *what = arena_printf(t->scratch, "%s%s%s", v->value_name, root, signs_of(t, v));
    if (s->lo > s->hi) { term_wrap(t, what); return; }
    char low[DIGITS_ROOM], high[DIGITS_ROOM];
    const char *lo = digits_short(s->lo, low), *hi = digits_short(s->hi, high);
    int bar = t->width - glyph_text_columns(lo) - glyph_text_columns(hi) - 2;
    bar = bar > 16 ? 16 : bar;
    if (s->lo == s->hi || bar < 2) {
        term_wrap(t, arena_printf(t->scratch, "%s to %s %s", lo, hi, what));
        return;
    }
    pen_printf(t->p, "%s ", lo);
    for (int i = 0; i < bar; i++) {
        rgb c;
        if (shade_of(s, i / (double)(bar - 1), &c)) shade_bg(t->p, c, t->palette);
        else term_plain(t);
        pen_text(t->p, " ");
    }
    term_plain(t);
    pen_printf(t->p, " %s", hi);
    const int room = t->width - glyph_text_columns(lo) - glyph_text_columns(hi) - 2 - bar - 2;
    if (glyph_text_columns(what) <= room) pen_printf(t->p, "  ");
    else term_line(t);
    term_wrap(t, what);
}

bool term_ground(term *t, const shade_scale *s, double value) {
    rgb c;
    if (!isfinite(value)) {
        shade_fg(t->p, (rgb){ 200, 80, 160 }, t->palette);
        return false;
    }
    if (s->lo > s->hi || !shade_of(s, shade_place(s, value), &c)) return false;
    shade_bg(t->p, c, t->palette);
    shade_fg(t->p, shade_ink(c), t->palette);
    return true;
}

enum { MOST_ROWS = 500 };

size_t term_rows(size_t n) { return n < MOST_ROWS ? n : MOST_ROWS; }

void term_rest(term *t, size_t n) {
    if (n > MOST_ROWS) term_note(t, "%zu more rows, %zu in all: the files have them", n - MOST_ROWS, n);
}

int term_widest(const char *const *text, size_t n, int most) {
    int widest = 0;
    for (size_t i = 0; i < n; i++) {
        const int w = glyph_text_columns(text[i]);
        if (w > widest) widest = w;
    }
    return widest < most ? widest : most;
}
