/* Curves and bars in eighths of a character. Several curves are one line each on one scale; a single one is a chart. */
#include "digits.h"
#include "glyph.h"
#include "show_token.h"
#include "term.h"
#include <math.h>
#include <string.h>

enum { MOST_LABEL = 18, NUMBER = 10, CHART = 8, STRETCH = 4 };

static const char *const column[] = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
static const char *const row[]    = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█" };
static const rgb teal = { 40, 156, 178 }, blue = { 76, 132, 224 }, amber = { 222, 134, 40 };

/* A curve laid on `columns` columns: what lies on each, pooled by the largest magnitude. */
typedef struct { const pivot *v; size_t series, n, pool; int stretch; bool down; } curve;

static curve curve_of(const pivot *v, size_t series, int columns) {
    const bool down = v->nx == 1 && v->ny > 1;              /* no x: the rows are the points */
    curve c = { .v = v, .series = series, .n = down ? v->ny : v->nx, .down = down, .pool = 1, .stretch = 1 };
    const size_t most = (size_t)columns;
    if (c.n > most) c.pool = (c.n + most - 1) / most;
    else c.stretch = columns / (int)c.n < STRETCH ? columns / (int)c.n : STRETCH;
    return c;
}

static size_t curve_points(const curve *c) { return (c->n + c->pool - 1) / c->pool; }

static pivot_state curve_at(const curve *c, size_t point, double *out) {
    pivot_state found = PIVOT_NONE;
    for (size_t i = point * c->pool; i < (point + 1) * c->pool && i < c->n; i++) {
        double value;
        const pivot_state s = c->down ? pivot_at(c->v, i, 0, &value) : pivot_at(c->v, c->series, i, &value);
        if (s != PIVOT_VALUE) continue;
        if (found == PIVOT_VALUE && !(fabs(value) > fabs(*out))) continue;
        *out = value;
        found = PIVOT_VALUE;
    }
    return found;
}

/* Row `line` of `lines` rows, 0 the lowest. */
static void put_line(term *t, const curve *c, const shade_scale *s, int line, int lines) {
    shade_fg(t->p, s->is_signed ? amber : teal, t->palette);
    for (size_t i = 0; i < curve_points(c); i++) {
        double value = 0;
        const char *sign;
        if (curve_at(c, i, &value) != PIVOT_VALUE) sign = line ? " " : "–";
        else if (!isfinite(value)) sign = line ? " " : isnan(value) ? "×" : "∞";
        else {
            const int eighths = (int)lround(shade_place(s, value) * (8 * lines - 1)) + 1 - 8 * line;
            sign = column[eighths < 0 ? 0 : eighths > 8 ? 8 : eighths];
        }
        pen_repeat(t->p, sign, c->stretch);
    }
    term_plain(t);
}

static void put_chart(term *t, const pivot *v, const shade_scale *s) {
    const curve c = curve_of(v, 0, t->width - NUMBER);
    const int columns = (int)curve_points(&c) * c.stretch;
    for (int line = CHART - 1; line >= 0; line--) {
        char digits[DIGITS_ROOM];
        const bool top = line == CHART - 1;
        term_dim(t);
        term_fit(t, top ? digits_short(s->hi, digits) : line ? "" : digits_short(s->lo, digits), NUMBER - 1, TERM_RIGHT);
        term_spaces(t, 1);
        term_plain(t);
        put_line(t, &c, s, line, CHART);
        term_line(t);
    }
    const char *const *label = c.down ? v->y_label : v->x_label;
    const char *last = label[c.n - 1];
    int w = glyph_text_columns(last);
    if (w > columns - 2) w = columns > 2 ? columns - 2 : 0;
    term_dim(t);
    term_spaces(t, NUMBER);
    term_fit(t, label[0], columns - w, TERM_LEFT);
    term_fit(t, last, w, TERM_RIGHT);
    term_plain(t);
    term_line(t);
    if (c.pool > 1) term_note(t, "each column is the largest of %zu", c.pool);
}

/* That of one line alone. */
static shade_scale line_scale(const term *t, const pivot *v, size_t y) {
    pivot one = *v;
    one.ny = 1;
    one.value += y * v->nx;
    if (one.state) one.state += y * v->nx;
    return term_scale(t, &one, 1, false);
}

static void put_sparks(term *t, const pivot *v, const shade_scale *s) {
    int label = term_widest(v->y_label, v->ny, MOST_LABEL);
    if (label > t->width / 3) label = t->width / 3;
    size_t pool = 1;
    for (size_t y = 0; y < term_rows(v->ny) && t->p->status == SONDE_OK; y++) {
        const curve c = curve_of(v, y, t->width - label - 1 - NUMBER);
        term_fit(t, v->y_label[y], label, TERM_LEFT);
        term_spaces(t, 1);
        const shade_scale own = v->own_scale ? line_scale(t, v, y) : *s;
        put_line(t, &c, &own, 0, 1);
        double value = 0;
        char digits[DIGITS_ROOM];
        const bool there = curve_at(&c, curve_points(&c) - 1, &value) == PIVOT_VALUE;
        term_fit(t, there ? digits_short(value, digits) : "–", NUMBER, TERM_RIGHT);
        term_line(t);
        pool = c.pool;
    }
    term_rest(t, v->ny);
    char low[DIGITS_ROOM], high[DIGITS_ROOM];
    const char *lo = digits_short(s->lo, low), *hi = digits_short(s->hi, high);
    if (v->own_scale)
        term_note(t, "%s over %s %s to %s, each line on its own scale, the number is the last", v->value_name, v->x_name,
                  v->x_label[0], v->x_label[v->nx - 1]);
    else
        term_note(t, "%s over %s %s to %s, heights from %s to %s, the number is the last", v->value_name, v->x_name,
                  v->x_label[0], v->x_label[v->nx - 1], lo, hi);
    if (pool > 1) term_note(t, "each column is the largest of %zu", pool);
}

void term_lines(term *t, const pivot *v) {
    const shade_scale s = term_scale(t, v, 1, false);
    if (s.lo > s.hi) { term_note(t, "%s: no finite value", v->value_name); return; }
    if (v->ny == 1 || v->nx == 1) put_chart(t, v, &s);
    else put_sparks(t, v, &s);
}

/* Left of the middle a bar is drawn in reverse: the glyph is the ground that is left free. */
void term_bar(term *t, const shade_scale *s, double value, int columns) {
    if (!isfinite(value)) {
        term_fit(t, isnan(value) ? "×" : value > 0 ? "∞" : "-∞", columns, TERM_LEFT);
        return;
    }
    const int half = s->is_signed ? columns / 2 : columns;
    const double largest = fmax(fabs(s->lo), fabs(s->hi));
    const int eighths = largest > 0 ? (int)lround(fabs(value) / largest * half * 8) : 0;
    const int whole = eighths / 8, rest = eighths % 8, used = whole + (rest > 0);
    shade_fg(t->p, !s->is_signed ? teal : value < 0 ? blue : amber, t->palette);
    if (s->is_signed && value < 0) {
        term_spaces(t, half - used);
        if (rest) pen_printf(t->p, "\x1b[7m%s\x1b[27m", row[8 - rest]);
        pen_repeat(t->p, "█", whole);
        term_spaces(t, columns - half);
    } else {
        if (s->is_signed) term_spaces(t, half);
        pen_repeat(t->p, "█", whole);
        pen_text(t->p, row[rest]);
        term_spaces(t, columns - (s->is_signed ? half : 0) - used);
    }
    term_plain(t);
}

void term_bars(term *t, const pivot *v) {
    const bool across = v->ny == 1;                         /* the points of the last axis */
    const char *const *label = across ? v->x_label : v->y_label;
    const size_t n = across ? v->nx : v->ny;
    int wide = term_widest(label, n, MOST_LABEL);
    if (wide > t->width / 3) wide = t->width / 3;
    const int bar = t->width - wide - 2 - NUMBER < 40 ? t->width - wide - 2 - NUMBER : 40;
    shade_scale s = term_scale(t, v, 1, false);
    for (size_t i = 0; i < term_rows(n) && t->p->status == SONDE_OK; i++) {
        double value;
        char digits[DIGITS_ROOM];
        const bool there = pivot_at(v, across ? 0 : i, across ? i : 0, &value) == PIVOT_VALUE;
        term_fit(t, label[i], wide, TERM_LEFT);
        term_fit(t, there ? digits_short(value, digits) : "–", NUMBER, TERM_RIGHT);
        term_spaces(t, 2);
        if (there) term_bar(t, &s, value, bar);
        term_line(t);
    }
    term_rest(t, n);
}
