#include "pivot.h"
#include "digits.h"
#include "keys.h"
#include "show_token.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

pivot_state pivot_at(const pivot *v, size_t y, size_t x, double *value) {
    const size_t i = y * v->nx + x;
    *value = v->value[i];
    return v->state ? (pivot_state)v->state[i] : PIVOT_VALUE;
}

enum { MOST_TOKENS = 1 << 14 };         /* of a strip, and bars */

static const char *name_shown_in(arena *into, const char *name) {
    return show_copy(into, name, strlen(name), SHOW_LINE);
}

/* The prompt's token at a position, where it is plain which prompt is meant. */
static const char *prompt_token_at(const sonde_result *r, const char *axis, int64_t position, arena *into) {
    static const char *const positions[] = { "position", "key", "t", "s" };
    bool is_position = false;
    for (size_t i = 0; i < sizeof positions / sizeof *positions; i++)
        is_position |= strcmp(axis, positions[i]) == 0;
    if (!is_position || r->prompts.n != 1 || position < 0) return NULL;
    const result_prompt *p = &r->prompts.at[0];
    const size_t at = (size_t)position;
    if (p->target.n) return NULL;                                   /* or a target's */
    if (at >= p->tokens.n + p->generated.n) return NULL;
    const sonde_token t = at < p->tokens.n ? p->tokens.at[at].token : p->generated.at[at - p->tokens.n].token;
    return show_copy(into, t.bytes, t.len, SHOW_TOKEN);
}

const char *cell_said(const sonde_table *t, size_t row, size_t c, arena *into) {
    if (!table_has(t, row, c)) return "–";
    const table_cell v = table_at(t, row, c);
    char digits[DIGITS_ROOM];
    switch (t->columns.at[c].type) {
    case SONDE_INT:   return arena_printf(into, "%" PRId64, v.i);
    case SONDE_FLOAT: return arena_printf(into, "%s", digits_short(v.f, digits));
    case SONDE_BOOL:  return v.b ? "yes" : "no";
    default: break;
    }
    const span text = table_text(t, row, c);
    return show_copy(into, text.bytes, text.len, t->columns.at[c].type == SONDE_TOKEN ? SHOW_TOKEN : SHOW_LINE);
}

bool column_is_number(const sonde_table *t, size_t c) {
    return c != SIZE_MAX && (t->columns.at[c].type == SONDE_FLOAT || t->columns.at[c].type == SONDE_INT
                          || t->columns.at[c].type == SONDE_BOOL);
}

bool cell_number(const sonde_table *t, size_t row, size_t c, double *out) {
    if (!column_is_number(t, c) || !table_has(t, row, c)) return false;
    const table_cell v = table_at(t, row, c);
    const sonde_column_type type = t->columns.at[c].type;
    *out = type == SONDE_INT ? (double)v.i : type == SONDE_BOOL ? v.b : v.f;
    return true;
}

size_t part_row(const table_part *p, size_t i) { return p->row ? p->row[i] : i; }

/* Rows of one key lie together in `row`, in their order. */
size_t table_parts(const sonde_result *r, const sonde_table *t, const char *panel, arena *into, table_part **out) {
    const table_part all = { .r = r, .t = t, .n = t->rows };
    const size_t column = table_find(t, panel);
    if (column == SIZE_MAX || !t->rows) {
        *out = arena_new_array(into, table_part, 1);
        **out = all;
        return 1;
    }
    keys k = { .t = t, .column = column };
    size_t *of = arena_new_array(into, size_t, t->rows), *row = arena_new_array(into, size_t, t->rows);
    for (size_t i = 0; i < t->rows; i++) of[i] = keys_of(&k, i);
    table_part *part = arena_new_array(into, table_part, k.first.n);
    size_t *from = arena_new_array(into, size_t, k.first.n + 1);
    for (size_t i = 0; i < t->rows; i++) from[of[i] + 1]++;
    for (size_t i = 0; i < k.first.n; i++) {
        from[i + 1] += from[i];
        const char *value = cell_said(t, k.first.at[i], column, into);
        const bool number = column_is_number(t, column);
        part[i] = (table_part){ .r = r, .t = t, .row = row + from[i], .title = value };
        if (number) part[i].title = arena_printf(into, "%s %s", name_shown_in(into, panel), value);
    }
    for (size_t i = 0; i < t->rows; i++) row[from[of[i]] + part[of[i]].n++] = i;
    const size_t n = k.first.n;
    keys_free(&k);
    *out = part;
    return n;
}

/* "3 ·cat", and ·cat; token NULL: the column is of numbers and the prompt has no such position. */
typedef struct { const char *label, *token; } row_said;

static row_said say_row(const sonde_result *r, const sonde_table *t, size_t row, size_t c, arena *into) {
    if (c == SIZE_MAX) return (row_said){ "", NULL };
    const char *text = cell_said(t, row, c, into);
    const table_column *column = &t->columns.at[c];
    if (column->type != SONDE_INT) return (row_said){ text, column->type == SONDE_FLOAT ? NULL : text };
    const char *said = table_has(t, row, c) ? prompt_token_at(r, column->name, table_at(t, row, c).i, into) : NULL;
    return (row_said){ said ? arena_printf(into, "%s %s", text, said) : text, said };
}

/* Labels of one side; `number` (may be NULL) gets the keys as numbers, or NULL. */
typedef struct { const char ***label, ***token; double **number; } side;

static void label_keys(const sonde_result *r, const keys *k, arena *into, side to) {
    const size_t n = k->first.n, c = k->column;
    const char **label = *to.label = arena_new_array(into, const char *, n + 1);
    const char **token = *to.token = arena_new_array(into, const char *, n + 1);
    double *number = arena_new_array(into, double, n + 1);
    bool any = false, numbers = column_is_number(k->t, c);
    for (size_t i = 0; i < n; i++) {
        const row_said said = say_row(r, k->t, k->first.at[i], c, into);
        label[i] = said.label;
        token[i] = said.token ? said.token : "";
        any |= said.token != NULL;
        numbers = numbers && cell_number(k->t, k->first.at[i], c, &number[i]) && isfinite(number[i]);
    }
    if (!any) *to.token = NULL;
    if (to.number && numbers && n) *to.number = number;
}

static size_t first_of_type(const sonde_table *t, sonde_column_type type) {
    for (size_t c = 0; c < t->columns.n; c++)
        if (t->columns.at[c].type == type) return c;
    return SIZE_MAX;
}

/* Where `value` is a token it is the text of a cell, and its colour is the column `prob`, else the first float. */
static bool pick_columns(const sonde_table *t, const sonde_drawing *view, size_t *value, size_t *text) {
    const size_t named = table_find(t, view->value), x = table_find(t, view->x);
    if (view->value && named == SIZE_MAX) return false;
    const bool strip = view->kind == SONDE_VIEW_TOKENS, wants_text = strip || view->kind == SONDE_VIEW_TOKEN_GRID;
    const bool is_text = named != SIZE_MAX && !column_is_number(t, named);
    *text = is_text ? named : wants_text ? first_of_type(t, SONDE_TOKEN) : SIZE_MAX;
    if (strip && !is_text && x != SIZE_MAX && !column_is_number(t, x)) *text = x;
    *value = is_text ? table_find(t, "prob") : named;
    if (*value == SIZE_MAX) *value = first_of_type(t, SONDE_FLOAT);
    return *text != SIZE_MAX || (!wants_text && column_is_number(t, *value));
}

/* What a picture shows of a row. */
typedef struct { const sonde_table *t; size_t value, text, low, high; } shown_columns;

static double *nans(arena *into, size_t n) {
    double *out = arena_new_array(into, double, n);
    for (size_t i = 0; i < n; i++) out[i] = NAN;
    return out;
}

static void make_cells(pivot *v, const shown_columns *c, arena *into) {
    const size_t n = v->nx * v->ny;
    v->value_name = c->value == SIZE_MAX ? "" : name_shown_in(into, c->t->columns.at[c->value].name);
    v->value = arena_new_array(into, double, n);
    v->state = arena_new_array(into, uint8_t, n);
    if (c->text != SIZE_MAX) v->text = arena_new_array(into, const char *, n);
    if (column_is_number(c->t, c->low)) v->low = nans(into, n);
    if (column_is_number(c->t, c->high)) v->high = nans(into, n);
}

static void fill_cell(pivot *v, size_t at, const shown_columns *c, size_t row, arena *into) {
    v->hidden += v->state[at] != PIVOT_NONE;
    v->state[at] = cell_number(c->t, row, c->value, &v->value[at]) ? PIVOT_VALUE : PIVOT_MISSING;
    if (v->low) cell_number(c->t, row, c->low, &v->low[at]);
    if (v->high) cell_number(c->t, row, c->high, &v->high[at]);
    if (v->text) v->text[at] = table_has(c->t, row, c->text) ? cell_said(c->t, row, c->text, into) : NULL;
}

/* Strips and bars: the rows as they come, nothing hides anything. */
static bool pivot_rows(const table_part *p, const shown_columns *c, const sonde_drawing *view, arena *into, pivot *out) {
    const bool strip = view->kind == SONDE_VIEW_TOKENS;
    if (strip && p->n > MOST_TOKENS) return false;
    *out = (pivot){ .title = view->title, .x_name = "", .y_name = "", .ny = 1, .all = p->n };
    out->nx = p->n < MOST_TOKENS ? p->n : MOST_TOKENS;
    make_cells(out, c, into);
    out->x_name = view->x ? name_shown_in(into, view->x) : "row";
    out->x_label = arena_new_array(into, const char *, out->nx);
    out->y_label = arena_new_array(into, const char *, 1);
    out->y_label[0] = "";
    const size_t x = table_find(p->t, view->x), label = table_find(p->t, view->label);
    for (size_t i = 0; i < out->nx; i++) {
        const size_t row = part_row(p, i);
        fill_cell(out, i, c, row, into);
        out->x_label[i] = x == SIZE_MAX ? arena_printf(into, "%zu", row) : say_row(p->r, p->t, row, x, into).label;
        if (label == SIZE_MAX) continue;
        out->x_label[i] = arena_printf(into, "%s %s", out->x_label[i], cell_said(p->t, row, label, into));
    }
    return true;
}

/* The two sides of a table's grid. False: no such column, no rows, too many cells. The keys are to be freed always. */
typedef struct { keys x, y; } sides;

static bool sides_of(const table_part *p, const sonde_drawing *view, sides *s) {
    *s = (sides){ { .t = p->t, .column = table_find(p->t, view->x) }, { .t = p->t, .column = table_find(p->t, view->y) } };
    if ((view->x && s->x.column == SIZE_MAX) || (view->y && s->y.column == SIZE_MAX) || !p->n) return false;
    for (size_t i = 0; i < p->n; i++) {
        keys_of(&s->x, part_row(p, i));
        keys_of(&s->y, part_row(p, i));
        if (s->x.first.n * s->y.first.n > PIVOT_MOST) return false;
    }
    return true;
}

static pivot grid_of(const table_part *p, const sonde_drawing *view, const sides *s, arena *into) {
    pivot v = { .title = view->title, .nx = s->x.first.n, .ny = s->y.first.n, .own_scale = view->own_scale,
                .root = view->root };
    v.x_name = view->x ? name_shown_in(into, view->x) : "";
    v.y_name = view->y ? name_shown_in(into, view->y) : "";
    label_keys(p->r, &s->x, into, (side){ &v.x_label, &v.x_token, &v.x_number });
    label_keys(p->r, &s->y, into, (side){ &v.y_label, &v.y_token, NULL });
    return v;
}

bool pivot_table(const table_part *p, const sonde_drawing *view, arena *into, pivot *out) {
    shown_columns c = { .t = p->t, .low = table_find(p->t, view->low), .high = table_find(p->t, view->high) };
    if (!pick_columns(p->t, view, &c.value, &c.text)) return false;
    sides s;
    bool good = sides_of(p, view, &s);
    const bool as_rows = view->kind == SONDE_VIEW_TOKENS || view->kind == SONDE_VIEW_BARS;
    if (good && as_rows) good = pivot_rows(p, &c, view, into, out);
    else if (good) {
        *out = grid_of(p, view, &s, into);
        make_cells(out, &c, into);
        for (size_t i = 0; i < p->n; i++) {
            const size_t row = part_row(p, i);
            fill_cell(out, keys_of(&s.y, row) * out->nx + keys_of(&s.x, row), &c, row, into);
        }
    }
    keys_free(&s.x);
    keys_free(&s.y);
    return good;
}

static void label_axis(const sonde_result *r, const sonde_array *a, int axis, arena *into, pivot *v, bool is_x) {
    const size_t n = axis < 0 ? 1 : (size_t)a->dim[axis];
    const char **label = arena_new_array(into, const char *, n + 1);
    const char **token = arena_new_array(into, const char *, n + 1);
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        label[i] = token[i] = "";
        if (axis < 0) continue;
        const axis_label *l = i < a->labels[axis].n ? &a->labels[axis].at[i] : NULL;
        const char *said = l ? show_copy(into, l->token.bytes, l->token.len, l->is_token ? SHOW_TOKEN : SHOW_LINE)
                             : prompt_token_at(r, a->axis[axis], (int64_t)i, into);
        if (l && !l->is_token) label[i] = said;
        else label[i] = arena_printf(into, said ? "%zu %s" : "%zu", i, said);
        token[i] = said ? said : "";
        any |= said != NULL;
    }
    if (is_x) {
        v->x_number = arena_new_array(into, double, n);
        for (size_t i = 0; i < n; i++) v->x_number[i] = (double)i;
    }
    *(is_x ? &v->x_label : &v->y_label) = label;
    *(is_x ? &v->x_token : &v->y_token) = any ? token : NULL;
}

bool pivot_array(const sonde_result *r, const sonde_array *a, int64_t outer, arena *into, pivot *out) {
    const int xa = a->rank - 1, ya = a->rank - 2;           /* -1 and below: there is none */
    *out = (pivot){ .nx = xa < 0 ? 1 : (size_t)a->dim[xa], .ny = ya < 0 ? 1 : (size_t)a->dim[ya] };
    const size_t n = out->nx * out->ny;
    if (!a->n || n > PIVOT_MOST) return false;
    out->x_name = xa < 0 ? "" : name_shown_in(into, a->axis[xa]);
    out->y_name = ya < 0 ? "" : name_shown_in(into, a->axis[ya]);
    out->value_name = name_shown_in(into, a->name);
    out->value = arena_new_array(into, double, n);
    out->state = a->missing || a->causal ? arena_new_array(into, uint8_t, n) : NULL;
    for (size_t i = 0; i < n; i++) {
        const int64_t item = outer * (int64_t)n + (int64_t)i;
        out->value[i] = a->data[item];
        if (out->state) out->state[i] = array_missing(a, item) ? PIVOT_MISSING : array_masked(a, item) ? PIVOT_NONE : PIVOT_VALUE;
    }
    label_axis(r, a, xa, into, out, true);
    label_axis(r, a, ya, into, out, false);
    return true;
}

int64_t array_pictures(const sonde_array *a) {
    int64_t n = 1;
    for (int i = 0; i < a->rank - 2; i++) n *= a->dim[i];
    return n;
}

const char *array_picture_name(const sonde_array *a, int64_t outer, arena *into) {
    const char *name = "";
    for (int i = a->rank - 3; i >= 0; i--) {
        const int64_t at = outer % a->dim[i];
        outer /= a->dim[i];
        const axis_label *l = at < (int64_t)a->labels[i].n ? &a->labels[i].at[at] : NULL;
        const char *word = l ? show_copy(into, l->token.bytes, l->token.len, SHOW_TOKEN)
                             : arena_printf(into, "%" PRId64, at);
        name = *name ? arena_printf(into, "%s.%s", word, name) : word;
    }
    return name;
}

const char *array_outer_axes(const sonde_array *a, arena *into) {
    const char *axes = a->rank > 2 ? name_shown_in(into, a->axis[0]) : "";
    for (int i = 1; i < a->rank - 2; i++) axes = arena_printf(into, "%s.%s", axes, name_shown_in(into, a->axis[i]));
    return axes;
}

box_five box_of(const double *sorted, size_t n) {
    box_five b;
    double *const to[] = { &b.q1, &b.median, &b.q3 };
    for (size_t i = 0; i < 3; i++) {
        const double at = (double)(n - 1) * (double)(i + 1) / 4;
        const size_t below = (size_t)at;
        const double next = sorted[below + 1 < n ? below + 1 : below], part = at - (double)below;
        *to[i] = sorted[below] * (1 - part) + next * part;
    }
    const double reach = 1.5 * (b.q3 - b.q1);
    size_t first = 0, last = n - 1;
    while (first < last && sorted[first] < b.q1 - reach) first++;
    while (last > first && sorted[last] > b.q3 + reach) last--;
    b.low = sorted[first];
    b.high = sorted[last];
    return b;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Makes room for the counts in from[1..], which become offsets. */
static void open_samples(samples *s, arena *into) {
    const size_t n = s->grid.nx * s->grid.ny;
    for (size_t i = 0; i < n; i++) s->from[i + 1] += s->from[i];
    s->number = arena_new_array(into, double, s->from[n] + 1);
    s->grid.value = arena_new_array(into, double, n);
    s->grid.state = arena_new_array(into, uint8_t, n);
}

static void close_samples(samples *s) {
    for (size_t i = 0; i < s->grid.nx * s->grid.ny; i++) {
        const size_t n = s->from[i + 1] - s->from[i];
        if (!n) continue;
        double *number = s->number + s->from[i];
        qsort(number, n, sizeof *number, ascending);
        s->grid.value[i] = box_of(number, n).median;
        s->grid.state[i] = PIVOT_VALUE;
    }
}

bool sample_table(const table_part *p, const sonde_drawing *view, arena *into, samples *out) {
    const size_t value = table_find(p->t, view->value);
    sides s;
    const bool good = sides_of(p, view, &s) && column_is_number(p->t, value);
    if (good) {
        *out = (samples){ .grid = grid_of(p, view, &s, into) };
        const size_t cells = out->grid.nx * out->grid.ny;
        out->grid.value_name = name_shown_in(into, view->value);
        out->from = arena_new_array(into, size_t, cells + 1);
        size_t *next = arena_new_array(into, size_t, cells);
        for (int pass = 0; pass < 2; pass++) {
            for (size_t i = 0; i < p->n; i++) {
                const size_t row = part_row(p, i), cell = keys_of(&s.y, row) * out->grid.nx + keys_of(&s.x, row);
                double v;
                const bool there = cell_number(p->t, row, value, &v) && isfinite(v);
                if (!pass && there) out->from[cell + 1]++;
                else if (!pass) out->odd++;
                else if (there) out->number[out->from[cell] + next[cell]++] = v;
            }
            if (!pass) open_samples(out, into);
        }
        close_samples(out);
    }
    keys_free(&s.x);
    keys_free(&s.y);
    return good;
}

bool sample_array(const sonde_result *r, const sonde_array *a, arena *into, samples *out) {
    *out = (samples){ 0 };
    if (!pivot_array(r, a, 0, into, &out->grid)) return false;
    const size_t cells = out->grid.nx * out->grid.ny, n = (size_t)a->n;
    out->from = arena_new_array(into, size_t, cells + 1);
    size_t *next = arena_new_array(into, size_t, cells);
    for (size_t i = 0; i < n; i++) {
        if (array_masked(a, (int64_t)i)) continue;
        if (isfinite(a->data[i])) out->from[i % cells + 1]++;
        else out->odd++;
    }
    open_samples(out, into);
    for (size_t i = 0; i < n; i++) {
        const size_t cell = i % cells;
        if (array_masked(a, (int64_t)i) || !isfinite(a->data[i])) continue;
        out->number[out->from[cell] + next[cell]++] = a->data[i];
    }
    close_samples(out);
    return true;
}
