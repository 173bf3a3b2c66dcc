/* What pictures of rows share: colours by a column, tips of all columns, a parallel projection. */
#include "draw.h"
#include "keys.h"
#include "show_token.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { MOST_TIP = 24, NAMED = PAINT_CATEGORIES };

colouring colouring_of(const sonde_table *t, const char *column, arena *into) {
    colouring c = { .t = t, .column = table_find(t, column), .scale = SHADE_EMPTY, .name = "" };
    if (c.column == SIZE_MAX) return c;
    c.name = show_copy(into, column, strlen(column), SHOW_LINE);
    c.scale.picture = true;
    if (column_is_number(t, c.column) && t->columns.at[c.column].type != SONDE_BOOL) {
        double v;
        for (size_t i = 0; i < t->rows; i++)
            if (cell_number(t, i, c.column, &v)) shade_add(&c.scale, v);
        shade_close(&c.scale);
        return c;
    }
    keys k = { .t = t, .column = c.column };
    c.of = arena_new_array(into, size_t, t->rows + 1);
    c.names = arena_new_array(into, const char *, NAMED);
    for (size_t i = 0; i < t->rows; i++) c.of[i] = keys_of(&k, i);
    c.n = k.first.n;
    for (size_t i = 0; i < c.n && i < NAMED; i++) c.names[i] = cell_said(t, k.first.at[i], c.column, into);
    if (c.n > NAMED) c.names[NAMED - 1] = arena_printf(into, "%zu others", c.n - NAMED + 1);
    keys_free(&k);
    return c;
}

paint colouring_paint(const colouring *c, size_t row) {
    if (c->column == SIZE_MAX) return paint_bar;
    if (c->of) return paint_category(c->of[row] < NAMED ? c->of[row] : NAMED - 1);
    double v;
    if (!cell_number(c->t, row, c->column, &v)) return paint_grid;
    return paint_value(&c->scale, v);
}

double draw_colouring(picture *p, const colouring *c, double y) {
    if (c->column == SIZE_MAX) return 0;
    if (c->of) return draw_categories(p, (categories){ c->names, c->n < NAMED ? c->n : NAMED, false }, y);
    odd_signs odd = { false, false, false };
    for (size_t i = 0; i < c->t->rows; i++) {
        double v;
        if (!cell_number(c->t, i, c->column, &v)) odd.missing = true;
        else if (isnan(v)) odd.nan = true;
        else if (isinf(v)) odd.infinite = true;
    }
    double h = draw_legend(p, &c->scale, c->name, y);
    if (odd.missing || odd.nan || odd.infinite) {
        draw_odd_legend(p, odd, 0, y + h);
        h += 18;
    }
    return h;
}

static const char *exact(const sonde_table *t, size_t row, size_t c, arena *into) {
    if (!table_has(t, row, c)) return "null";
    char digits[DIGITS_ROOM];
    const table_cell v = table_at(t, row, c);
    if (t->columns.at[c].type == SONDE_FLOAT) return arena_printf(into, "%s", digits_exact(v.f, digits));
    if (t->columns.at[c].type != SONDE_TOKEN) return text_cut(into, cell_said(t, row, c, into), 1, 120);
    return arena_printf(into, "%s (%" PRId32 ")", cell_said(t, row, c, into), table_token(t, row, c).id);
}

const char *row_tip(arena *into, const sonde_table *t, size_t row) {
    const size_t n = t->columns.n < MOST_TIP ? t->columns.n : MOST_TIP;
    const char *tip = "";
    for (size_t c = 0; c < n; c++) {
        const char *name = t->columns.at[c].name, *unit = t->columns.at[c].unit;
        const char *shown = show_copy(into, name, strlen(name), SHOW_LINE);
        const bool has_unit = unit && *unit && column_is_number(t, c) && table_has(t, row, c);
        tip = arena_printf(into, "%s%s%s %s%s%s", tip, c ? "\n" : "", shown, exact(t, row, c, into), has_unit ? " " : "",
                           has_unit ? show_copy(into, unit, strlen(unit), SHOW_LINE) : "");
    }
    return tip;
}

/* Cosine and sine of 32 degrees around the upright axis, and of 24 degrees downwards. */
static const double turn_c = 0.848048096, turn_s = 0.529919264, tilt_c = 0.913545458, tilt_s = 0.406736643;

void space_add(space *s, const double at[3]) {
    const bool first = s->lo[0] > s->hi[0];
    for (int i = 0; i < 3; i++) {
        if (first || at[i] < s->lo[i]) s->lo[i] = at[i];
        if (first || at[i] > s->hi[i]) s->hi[i] = at[i];
    }
}

static seen turn(const space *s, const double at[3]) {
    double v[3];
    for (int i = 0; i < 3; i++) v[i] = at[i] - (s->lo[i] / 2 + s->hi[i] / 2);
    const double x = v[0] * turn_c + v[2] * turn_s, z = -v[0] * turn_s + v[2] * turn_c;
    return (seen){ x, v[1] * tilt_c + z * tilt_s, z * tilt_c - v[1] * tilt_s };
}

double space_fit(space *s, frame room) {
    double w = 0, h = 0;
    for (int k = 0; k < 8; k++) {
        const double corner[3] = { k & 1 ? s->hi[0] : s->lo[0], k & 2 ? s->hi[1] : s->lo[1], k & 4 ? s->hi[2] : s->lo[2] };
        const seen at = turn(s, corner);
        w = fmax(w, fabs(at.x));
        h = fmax(h, fabs(at.y));
    }
    s->scale = fmin(w > 0 ? room.w / 2 / w : 1, h > 0 ? room.h / 2 / h : 1);
    if (!isfinite(s->scale)) s->scale = 1;
    const double used = fmin(room.h, 2 * h * s->scale);
    s->x = room.x + room.w / 2;
    s->y = room.y + used / 2;
    return used;
}

seen space_at(const space *s, const double at[3]) {
    const seen v = turn(s, at);
    return (seen){ s->x + v.x * s->scale, s->y - v.y * s->scale, v.depth };
}
