/* What a terminal shows of histograms, box plots and scatters: bars, a line a box, and a plot of characters. */
#include "digits.h"
#include "keys.h"
#include "term.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BOXES = 60, MOST_LABEL = 24, PLOT_ROWS = 18, MOST_PLOT = 72, NUMBER = 10, LETTERS = 8 };

void term_histogram(term *t, const pivot *v) {
    for (size_t y = 0; y < v->ny; y++) {
        pivot one = *v;
        one.ny = 1;
        one.value = v->value + y * v->nx;
        one.state = v->state ? v->state + y * v->nx : NULL;
        if (v->ny > 1) term_title(t, v->y_label[y]);
        term_bars(t, &one);
    }
    term_note(t, "%s, by the lower edge of each bin of %s", v->value_name, v->x_name);
}

void term_boxes(term *t, const samples *s) {
    const pivot *v = &s->grid;
    const size_t n = v->nx * v->ny;
    if (n > MOST_BOXES) {
        term_heatmap(t, v);
        term_note(t, "each cell is the median of its sample");
        return;
    }
    const char **label = arena_new_array(t->scratch, const char *, n);
    for (size_t i = 0; i < n; i++) {
        const char *x = v->x_label[i % v->nx], *y = v->y_label[i / v->nx];
        label[i] = *x && *y ? arena_printf(t->scratch, "%s, %s", y, x) : *x ? x : y;
    }
    int wide = term_widest(label, n, MOST_LABEL);
    if (wide > t->width / 3) wide = t->width / 3;
    for (size_t i = 0; i < n; i++) {
        const size_t many = s->from[i + 1] - s->from[i];
        char d[5][DIGITS_ROOM];
        const char *text = "–";
        if (many) {
            const box_five b = box_of(s->number + s->from[i], many);
            text = arena_printf(t->scratch, "%5s |--[ %5s | %5s | %5s ]--| %5s", digits_tiny(b.low, d[0]),
                                digits_tiny(b.q1, d[1]),
                                digits_tiny(b.median, d[2]), digits_tiny(b.q3, d[3]), digits_tiny(b.high, d[4]));
        }
        term_fit(t, label[i], wide, TERM_LEFT);
        term_spaces(t, 1);
        term_fit(t, text, t->width - wide - 1, TERM_LEFT);
        term_line(t);
    }
    term_note(t, "%s: whisker |--[ quartile | median | quartile ]--| whisker", v->value_name);
    if (s->odd) term_note(t, "%zu missing or not finite", s->odd);
}

typedef struct { double lo[2], hi[2]; size_t n, lost; } extent;

static extent extent_of(const table_part *part, const size_t column[2]) {
    extent e = { .lo = { 0, 0 }, .hi = { 1, 1 } };
    for (size_t i = 0; i < part->n; i++) {
        double v[2];
        bool there = true;
        for (int k = 0; k < 2; k++) there = there && cell_number(part->t, part_row(part, i), column[k], &v[k])
            && fabs(v[k]) < 1e300;
        if (!there) { e.lost++; continue; }
        for (int k = 0; k < 2; k++) {
            if (!e.n || v[k] < e.lo[k]) e.lo[k] = v[k];
            if (!e.n || v[k] > e.hi[k]) e.hi[k] = v[k];
        }
        e.n++;
    }
    return e;
}

/* A letter for each category; where several meet, a plus; without categories a dot. */
static void fill_plot(const table_part *part, const size_t column[2], const extent *e, size_t category, char *plot) {
    keys k = { .t = part->t, .column = category };
    const int columns = (int)strlen(plot) / PLOT_ROWS;
    for (size_t i = 0; i < part->n; i++) {
        const size_t row = part_row(part, i), key = category == SIZE_MAX ? 0 : keys_of(&k, row);
        double v[2];
        bool there = true;
        for (int a = 0; a < 2; a++) {
            there = there && cell_number(part->t, row, column[a], &v[a]) && fabs(v[a]) < 1e300;
            if (there) v[a] = e->hi[a] > e->lo[a] ? (v[a] / 2 - e->lo[a] / 2) / (e->hi[a] / 2 - e->lo[a] / 2) : 0.5;
        }
        if (!there) continue;
        const int across = (int)lround(v[0] * (columns - 1)), down = PLOT_ROWS - 1 - (int)lround(v[1] * (PLOT_ROWS - 1));
        char *at = &plot[down * columns + across];
        const char sign = (char)(category == SIZE_MAX ? 'o' : key < LETTERS ? 'a' + (int)key : 'z');
        *at = (char)(*at == ' ' || *at == sign ? sign : '+');
    }
    keys_free(&k);
}

static void put_categories(term *t, const table_part *part, size_t category) {
    keys k = { .t = part->t, .column = category };
    for (size_t i = 0; i < part->n; i++) keys_of(&k, part_row(part, i));
    for (size_t i = 0; i < k.first.n && i < LETTERS; i++)
        term_wrap(t, arena_printf(t->scratch, "%c %s", (char)('a' + i), cell_said(part->t, k.first.at[i], category,
                t->scratch)));
    if (k.first.n > LETTERS) term_note(t, "z: %zu others", k.first.n - LETTERS);
    keys_free(&k);
}

bool term_scatter(term *t, const table_part *part, const sonde_drawing *view) {
    const size_t column[2] = { table_find(part->t, view->x), table_find(part->t, view->y) };
    if (!column_is_number(part->t, column[0]) || !column_is_number(part->t, column[1])) return false;
    const extent e = extent_of(part, column);
    size_t category = table_find(part->t, view->value);
    if (category != SIZE_MAX && column_is_number(part->t, category)) category = SIZE_MAX;
    const int columns = t->width - NUMBER < MOST_PLOT ? t->width - NUMBER : MOST_PLOT;
    char *plot = arena_alloc(t->scratch, (size_t)columns * PLOT_ROWS + 1);
    memset(plot, ' ', (size_t)columns * PLOT_ROWS);
    fill_plot(part, column, &e, category, plot);
    for (int y = 0; y < PLOT_ROWS; y++) {
        char digits[DIGITS_ROOM];
        term_dim(t);
        term_fit(t, y == 0 ? digits_short(e.hi[1], digits) : y + 1 == PLOT_ROWS ? digits_short(e.lo[1], digits) : "",
                 NUMBER - 1, TERM_RIGHT);
        term_spaces(t, 1);
        term_plain(t);
        term_fit(t, arena_printf(t->scratch, "%.*s", columns, plot + (ptrdiff_t)y * columns), columns, TERM_LEFT);
        term_line(t);
    }
    char lo[DIGITS_ROOM], hi[DIGITS_ROOM];
    const char *from = digits_short(e.lo[0], lo), *to = digits_short(e.hi[0], hi);
    term_note(t, "%s over %s from %s to %s%s%s; + where several meet", view->y, view->x, from, to, view->z ? ", without "
              : "",
              view->z ? view->z : "");
    if (category != SIZE_MAX) put_categories(t, part, category);
    if (e.lost) term_note(t, "%zu of %zu points have no finite place", e.lost, part->n);
    return true;
}
