#include "pivot.h"
#include "digits.h"
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

enum { MOST_KEYS = 1 << 14 };           /* of one side: looking them up is linear */

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
    if (at >= p->tokens.n + p->generated.n) return NULL;
    const sonde_token t = at < p->tokens.n ? p->tokens.at[at].token : p->generated.at[at - p->tokens.n].token;
    return show_copy(into, t.bytes, t.len, SHOW_TOKEN);
}

/* Keys of one side in the order of their first row. Rows usually run through them in turn, so the one
 * after the last hit is tried first. */
typedef struct {
    const sonde_result *r;
    const sonde_table  *t;
    size_t              column;         /* SIZE_MAX: one key for all rows */
    LIST(size_t)        first;          /* row that has it first */
    size_t              last;
} keys;

static bool same_key(const keys *k, size_t a, size_t b) {
    const size_t c = k->column;
    const bool there = table_has(k->t, a, c);
    if (there != table_has(k->t, b, c)) return false;
    if (!there) return true;
    const table_cell va = table_at(k->t, a, c), vb = table_at(k->t, b, c);
    switch (k->t->columns.at[c].type) {
    case SONDE_INT:   return va.i == vb.i;
    case SONDE_FLOAT: return va.f == vb.f || (isnan(va.f) && isnan(vb.f));
    case SONDE_BOOL:  return va.b == vb.b;
    default: break;
    }
    const sonde_token ta = table_token(k->t, a, c), tb = table_token(k->t, b, c);
    return ta.id == tb.id && ta.len == tb.len && memcmp(ta.bytes, tb.bytes, ta.len) == 0;
}

static size_t key_of(keys *k, size_t row) {
    if (k->column == SIZE_MAX) {
        if (!k->first.n) *LIST_ADD(k->first) = row;
        return 0;
    }
    for (size_t i = 0; i < k->first.n; i++) {
        const size_t at = (k->last + i) % k->first.n;
        if (same_key(k, k->first.at[at], row)) return k->last = at;
    }
    *LIST_ADD(k->first) = row;
    return k->last = k->first.n - 1;
}

static const char *cell_text(const sonde_table *t, size_t row, size_t c, arena *into) {
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

static void label_keys(const keys *k, arena *into, const char ***label, const char ***token) {
    const size_t n = k->first.n;
    *label = arena_new_array(into, const char *, n + 1);
    *token = arena_new_array(into, const char *, n + 1);
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        (*label)[i] = (*token)[i] = "";
        if (k->column == SIZE_MAX) continue;
        const char *text = cell_text(k->t, k->first.at[i], k->column, into);
        const table_column *c = &k->t->columns.at[k->column];
        const bool number = c->type == SONDE_INT && table_has(k->t, k->first.at[i], k->column);
        const char *said = number ? prompt_token_at(k->r, c->name, table_at(k->t, k->first.at[i], k->column).i, into)
                                  : c->type == SONDE_INT || c->type == SONDE_FLOAT ? NULL : text;
        (*label)[i] = number && said ? arena_printf(into, "%s %s", text, said) : text;
        (*token)[i] = said ? said : "";
        any |= said != NULL;
    }
    if (!any) *token = NULL;
}

static bool is_number(const sonde_table *t, size_t c) {
    return c != SIZE_MAX && (t->columns.at[c].type == SONDE_FLOAT || t->columns.at[c].type == SONDE_INT
                          || t->columns.at[c].type == SONDE_BOOL);
}

static double number_of(const sonde_table *t, size_t row, size_t c) {
    const table_cell v = table_at(t, row, c);
    switch (t->columns.at[c].type) {
    case SONDE_INT:  return (double)v.i;
    case SONDE_BOOL: return v.b;
    default:         return v.f;
    }
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
    const bool is_text = named != SIZE_MAX && !is_number(t, named);
    *text = is_text ? named : wants_text ? first_of_type(t, SONDE_TOKEN) : SIZE_MAX;
    if (strip && !is_text && x != SIZE_MAX && !is_number(t, x)) *text = x;
    *value = is_text ? table_find(t, "prob") : named;
    if (*value == SIZE_MAX) *value = first_of_type(t, SONDE_FLOAT);
    return *text != SIZE_MAX || (!wants_text && is_number(t, *value));
}

/* What a picture shows of a row. */
typedef struct { const sonde_table *t; size_t value, text; } shown_columns;

static void make_cells(pivot *v, const shown_columns *c, arena *into) {
    const size_t n = v->nx * v->ny;
    v->value_name = c->value == SIZE_MAX ? "" : name_shown_in(into, c->t->columns.at[c->value].name);
    v->value = arena_new_array(into, double, n);
    v->state = arena_new_array(into, uint8_t, n);
    if (c->text != SIZE_MAX) v->text = arena_new_array(into, const char *, n);
}

static void fill_cell(pivot *v, size_t at, const shown_columns *c, size_t row, arena *into) {
    v->hidden += v->state[at] != PIVOT_NONE;
    v->state[at] = PIVOT_MISSING;
    if (c->value != SIZE_MAX && table_has(c->t, row, c->value)) {
        v->state[at] = PIVOT_VALUE;
        v->value[at] = number_of(c->t, row, c->value);
    }
    if (v->text) v->text[at] = table_has(c->t, row, c->text) ? cell_text(c->t, row, c->text, into) : NULL;
}

/* A strip: the rows as they come, nothing hides anything. */
static bool pivot_rows(const shown_columns *c, const char *title, arena *into, pivot *out) {
    if (c->t->rows > MOST_KEYS) return false;
    *out = (pivot){ .title = title, .x_name = "", .y_name = "", .nx = c->t->rows, .ny = 1 };
    make_cells(out, c, into);
    for (size_t row = 0; row < c->t->rows; row++) fill_cell(out, row, c, row, into);
    return true;
}

bool pivot_table(const sonde_result *r, const sonde_table *t, const sonde_drawing *view, arena *into, pivot *out) {
    shown_columns c = { .t = t };
    keys x = { .r = r, .t = t, .column = table_find(t, view->x) };
    keys y = { .r = r, .t = t, .column = table_find(t, view->y) };
    const bool missing = (view->x && x.column == SIZE_MAX) || (view->y && y.column == SIZE_MAX);
    if (missing || !t->rows || !pick_columns(t, view, &c.value, &c.text)) return false;
    if (view->kind == SONDE_VIEW_TOKENS) return pivot_rows(&c, view->title, into, out);
    for (size_t row = 0; row < t->rows; row++) {
        key_of(&x, row);
        key_of(&y, row);
        if (x.first.n > MOST_KEYS || y.first.n > MOST_KEYS || x.first.n * y.first.n > PIVOT_MOST) break;
    }
    size_t n = x.first.n * y.first.n;
    if (x.first.n > MOST_KEYS || y.first.n > MOST_KEYS) n = SIZE_MAX;
    *out = (pivot){ .title = view->title, .nx = x.first.n, .ny = y.first.n, .own_scale = view->own_scale };
    if (n <= PIVOT_MOST) {
        out->x_name = view->x ? name_shown_in(into, view->x) : "";
        out->y_name = view->y ? name_shown_in(into, view->y) : "";
        make_cells(out, &c, into);
        label_keys(&x, into, &out->x_label, &out->x_token);
        label_keys(&y, into, &out->y_label, &out->y_token);
        for (size_t row = 0; row < t->rows; row++)
            fill_cell(out, key_of(&y, row) * out->nx + key_of(&x, row), &c, row, into);
    }
    free(x.first.at);
    free(y.first.at);
    return n <= PIVOT_MOST;
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
    out->state = a->missing ? arena_new_array(into, uint8_t, n) : NULL;
    for (size_t i = 0; i < n; i++) {
        const int64_t item = outer * (int64_t)n + (int64_t)i;
        out->value[i] = a->data[item];
        if (out->state) out->state[i] = array_missing(a, item) ? PIVOT_MISSING : PIVOT_VALUE;
    }
    label_axis(r, a, xa, into, out, true);
    label_axis(r, a, ya, into, out, false);
    return true;
}
