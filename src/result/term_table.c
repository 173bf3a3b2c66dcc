/* A table with aligned columns. What is too wide is cut in its texts, or else split into parts that repeat the leading
 * columns; of very long tables the first rows are shown and the others counted. */
#include "digits.h"
#include "glyph.h"
#include "show_token.h"
#include "term.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { WIDEST_TEXT = 40, LEAST_TEXT = 8, GAP = 2, MOST_BAR = 24, LEAST_BAR = 6 };

typedef struct {
    const sonde_table *table;
    size_t             rows;            /* that are shown */
    int               *wide;            /* columns of each column */
    bool               units;
    size_t             bars;            /* SIZE_MAX: none */
    int                bar;             /* its columns; 0: no room */
    shade_scale        scale;
} layout;

static bool is_text(const layout *l, size_t c) {
    const sonde_column_type type = l->table->columns.at[c].type;
    return type == SONDE_TEXT || type == SONDE_TOKEN;
}

/* A short text in `room`, or a longer one in the arena. */
static const char *cell_shown(term *t, const layout *l, size_t row, size_t c, char room[DIGITS_ROOM]) {
    if (!table_has(l->table, row, c)) return "–";
    const table_cell v = table_at(l->table, row, c);
    const sonde_column_type type = l->table->columns.at[c].type;
    switch (type) {
    case SONDE_INT:
        snprintf(room, DIGITS_ROOM, "%" PRId64, v.i);
        return room;
    case SONDE_FLOAT: return digits_short(v.f, room);
    case SONDE_BOOL:  return v.b ? "yes" : "no";
    default: break;
    }
    const span text = table_text(l->table, row, c);
    return show_copy(t->scratch, text.bytes, text.len, type == SONDE_TOKEN ? SHOW_TOKEN : SHOW_LINE);
}

/* A unit that the name does not say already: entropy_bits needs no second line. */
static const char *unit_of(const table_column *c) {
    const char *said = c->unit ? strrchr(c->name, '_') : NULL;
    return !c->unit || (said && strcmp(said + 1, c->unit) == 0) ? "" : c->unit;
}

static const char *name_of(term *t, const char *name) {
    return show_copy(t->scratch, name ? name : "", name ? strlen(name) : 0, SHOW_LINE);
}

static void measure(term *t, layout *l) {
    const sonde_table *table = l->table;
    for (size_t c = 0; c < table->columns.n; c++) {
        const table_column *k = &table->columns.at[c];
        int wide = glyph_text_columns(name_of(t, k->name));
        const int unit = glyph_text_columns(name_of(t, unit_of(k)));
        wide = unit > wide ? unit : wide;
        l->units |= unit > 0;
        for (size_t row = 0; row < l->rows; row++) {
            char room[DIGITS_ROOM];
            const int w = glyph_text_columns(cell_shown(t, l, row, c, room));
            if (w > wide) wide = w;
        }
        l->wide[c] = wide < t->width ? wide : t->width;
    }
}

static int total(const layout *l, size_t from, size_t to) {
    int columns = 0;
    for (size_t c = from; c < to; c++) columns += l->wide[c] + (c > from ? GAP : 0);
    return columns;
}

/* Takes columns from the widest text until the table fits; where no cut would make it fit no text is wider than most. */
static void shrink(term *t, layout *l, int wanted) {
    int least = wanted;
    for (size_t c = 0; c < l->table->columns.n; c++)
        least += (c ? GAP : 0) + (is_text(l, c) && l->wide[c] > LEAST_TEXT ? LEAST_TEXT : l->wide[c]);
    if (least > t->width) {
        for (size_t c = 0; c < l->table->columns.n; c++)
            if (is_text(l, c) && l->wide[c] > WIDEST_TEXT) l->wide[c] = WIDEST_TEXT;
        return;
    }
    for (;;) {
        size_t widest = SIZE_MAX;
        for (size_t c = 0; c < l->table->columns.n; c++)
            if (is_text(l, c) && l->wide[c] > LEAST_TEXT && (widest == SIZE_MAX || l->wide[c] > l->wide[widest]))
                widest = c;
        if (widest == SIZE_MAX || total(l, 0, l->table->columns.n) <= t->width - wanted) return;
        l->wide[widest]--;
    }
}

static void fit_bars(term *t, layout *l) {
    if (l->bars == SIZE_MAX) return;
    int room = t->width - total(l, 0, l->table->columns.n) - GAP;
    l->bar = room < LEAST_BAR ? 0 : room > MOST_BAR ? MOST_BAR : room;
    const table_column *c = &l->table->columns.at[l->bars];
    l->scale = (shade_scale)SHADE_EMPTY;
    shade_add(&l->scale, 0);
    for (size_t row = 0; row < l->table->rows; row++) {
        if (!table_has(l->table, row, l->bars)) continue;
        const table_cell v = table_at(l->table, row, l->bars);
        shade_add(&l->scale, c->type == SONDE_INT ? (double)v.i : v.f);
    }
    shade_close(&l->scale);
    l->scale.light = t->light;
}

static void put_gap(term *t, size_t c, size_t first) { term_spaces(t, c > first ? GAP : 0); }

static void put_header(term *t, const layout *l, const size_t *shown, size_t n) {
    const table_column *k = l->table->columns.at;
    term_bold(t);
    for (size_t i = 0; i < n; i++) {
        put_gap(t, i, 0);
        const size_t c = shown[i];
        term_fit(t, name_of(t, k[c].name), l->wide[c], is_text(l, c) ? TERM_LEFT : TERM_RIGHT);
    }
    term_plain(t);
    term_line(t);
    term_dim(t);
    for (size_t i = 0; l->units && i < n; i++) {
        put_gap(t, i, 0);
        const size_t c = shown[i];
        term_fit(t, name_of(t, unit_of(&k[c])), l->wide[c], is_text(l, c) ? TERM_LEFT : TERM_RIGHT);
    }
    if (l->units) term_line(t);
    for (size_t i = 0; i < n; i++) {
        put_gap(t, i, 0);
        pen_repeat(t->p, "─", l->wide[shown[i]]);
    }
    term_plain(t);
    term_line(t);
}

static void put_cell(term *t, const layout *l, size_t row, size_t c) {
    char room[DIGITS_ROOM];
    const char *shown = cell_shown(t, l, row, c, room);
    const bool dim = !table_has(l->table, row, c);
    const bool token = !dim && l->table->columns.at[c].type == SONDE_TOKEN;
    if (dim) term_dim(t);
    if (token) pen_text(t->p, "\x1b[36m");
    term_fit(t, shown, l->wide[c], is_text(l, c) ? TERM_LEFT : TERM_RIGHT);
    if (dim || token) term_plain(t);
}

static void put_rows(term *t, const layout *l, const size_t *shown, size_t n) {
    put_header(t, l, shown, n);
    const bool has_bar = l->bar && shown[n - 1] == l->table->columns.n - 1;
    for (size_t row = 0; row < l->rows && t->p->status == SONDE_OK; row++) {
        for (size_t i = 0; i < n; i++) {
            put_gap(t, i, 0);
            put_cell(t, l, row, shown[i]);
        }
        if (has_bar && table_has(l->table, row, l->bars)) {
            const table_cell v = table_at(l->table, row, l->bars);
            const bool whole = l->table->columns.at[l->bars].type == SONDE_INT;
            term_spaces(t, GAP);
            term_bar(t, &l->scale, whole ? (double)v.i : v.f, l->bar);
        }
        term_line(t);
    }
}

/* Leading columns that name a row: what stands before the first float, in at most a third of the width. */
static size_t key_columns(const term *t, const layout *l) {
    size_t n = 0;
    while (n < l->table->columns.n && l->table->columns.at[n].type != SONDE_FLOAT
           && total(l, 0, n + 1) <= t->width / 3) n++;
    return n;
}

/* Parts of as many columns as fit, each behind the columns that name a row. */
static void put_parts(term *t, const layout *l) {
    const size_t n = l->table->columns.n, keys = key_columns(t, l);
    size_t *shown = arena_new_array(t->scratch, size_t, n + 1);
    for (size_t from = 0, first; from < n;) {
        first = from;
        size_t k = 0;
        int used = 0;
        while (first && k < keys && used + l->wide[k] + GAP + l->wide[from] <= t->width) {
            used += l->wide[k] + GAP;
            shown[k] = k;
            k++;
        }
        while (from < n && (used + l->wide[from] <= t->width || from == first)) {
            used += l->wide[from] + GAP;
            shown[k++] = from++;
        }
        if (first) term_line(t);
        put_rows(t, l, shown, k);
        if (first || from < n) term_note(t, "columns %zu to %zu of %zu", first + 1, from, n);
    }
}

void term_table(term *t, const sonde_table *table, size_t bars) {
    const size_t n = table->columns.n;
    if (!n) return;
    const bool number = bars < n && (table->columns.at[bars].type == SONDE_FLOAT
                                  || table->columns.at[bars].type == SONDE_INT);
    layout l = { .table = table, .rows = term_rows(table->rows),
                 .wide = arena_new_array(t->scratch, int, n), .bars = number ? bars : SIZE_MAX };
    measure(t, &l);
    shrink(t, &l, number ? GAP + LEAST_BAR : 0);
    fit_bars(t, &l);
    put_parts(t, &l);
    term_rest(t, table->rows);
}
