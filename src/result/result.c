/* The result: filled by methods, read by writers. Everything but cells and array data lies in one arena. */
#include "result_parts.h"
#include "sonde/model.h"
#include "sonde/version.h"
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *sonde_version(void) { return SONDE_VERSION; }

void *result_grow(void *items, size_t n, size_t more, size_t *cap, size_t size) {
    if (more > SIZE_MAX / 4 / size - n) abort();
    if (n + more > *cap) {
        size_t room = *cap + *cap / 2 > n + more ? *cap + *cap / 2 : n + more;
        if (room < 4) room = 4;
        items = realloc(items, room * size);
        if (!items) abort();
        *cap = room;
    }
    memset((char *)items + n * size, 0, more * size);
    return items;
}

static const char *copy_bytes(arena *into, const char *bytes, size_t len) {
    char *s = arena_alloc(into, len + 1);
    if (len) memcpy(s, bytes, len);
    return s;
}

static const char *copy(arena *into, const char *text) {
    return text ? copy_bytes(into, text, strlen(text)) : NULL;
}

static sonde_token copy_token(arena *into, sonde_token t) {
    return (sonde_token){ t.id, copy_bytes(into, t.bytes, t.len), t.len };
}

sonde_result *sonde_result_new(void) {
    arena *into = arena_new();
    sonde_result *r = arena_new_array(into, sonde_result, 1);
    r->into = into;
    return r;
}

static void table_free(sonde_table *t) {
    free(t->columns.at);
    free(t->cells.at);
    free(t->there.at);
    free(t->pool.at);
}

static void array_free(sonde_array *a) {
    for (int i = 0; i < a->rank; i++) free(a->labels[i].at);
    free(a->data);
    free(a->missing);
}

void sonde_result_free(sonde_result *r) {
    if (!r) return;
    sonde_model_close(r->model);
    for (size_t i = 0; i < r->tables.n; i++) table_free(r->tables.at[i]);
    for (size_t i = 0; i < r->arrays.n; i++) array_free(r->arrays.at[i]);
    for (size_t i = 0; i < r->prompts.n; i++) {
        free(r->prompts.at[i].tokens.at);
        free(r->prompts.at[i].target.at);
        free(r->prompts.at[i].generated.at);
    }
    free(r->params.at);
    free(r->edits.at);
    free(r->notes.at);
    free(r->prompts.at);
    free(r->tables.at);
    free(r->arrays.at);
    free(r->views.at);
    arena_free(r->into);
}

/* Head and prompts. */

void sonde_result_method(sonde_result *r, const char *name) { r->method = copy(r->into, name); }

void sonde_result_model(sonde_result *r, const char *name, const char *family, const char *hash) {
    r->model_name = copy(r->into, name);
    r->model_family = copy(r->into, family);
    r->model_hash = copy(r->into, hash);
    sonde_model_close(r->model);
    r->model = NULL;
}

void sonde_result_model_of(sonde_result *r, const sonde_model *m) {
    const sonde_model_info *info = sonde_model_describe(m);
    sonde_model *shared = sonde_model_share((sonde_model *)m);   /* which changes nothing but its owners */
    sonde_result_model(r, info->name, info->family, NULL);
    r->model = shared;
}

const char *result_model_hash(const sonde_result *r) { return r->model ? sonde_model_hash(r->model) : r->model_hash; }

void sonde_result_param(sonde_result *r, const char *name, const char *value) {
    *LIST_ADD(r->params) = (result_param){ copy(r->into, name), copy(r->into, value) };
}

void sonde_result_edit(sonde_result *r, const char *text) { *LIST_ADD(r->edits) = copy(r->into, text); }
void sonde_result_note(sonde_result *r, const char *text) { *LIST_ADD(r->notes) = copy(r->into, text); }

const char *sonde_result_note_at(const sonde_result *r, size_t i) {
    return i < r->notes.n ? r->notes.at[i] : NULL;
}

size_t sonde_result_prompt(sonde_result *r, const char *text, size_t len) {
    LIST_ADD(r->prompts)->text = (span){ copy_bytes(r->into, text, len), len };
    return r->prompts.n - 1;
}

void sonde_result_pair(sonde_result *r, size_t prompt, const char *text, size_t len) {
    assert(prompt < r->prompts.n);
    r->prompts.at[prompt].pair = (span){ copy_bytes(r->into, text, len), len };
}

void sonde_result_prompt_token(sonde_result *r, size_t prompt, sonde_token t, int64_t start, int64_t end) {
    assert(prompt < r->prompts.n);
    result_prompt *p = &r->prompts.at[prompt];
    *LIST_ADD(p->tokens) = (prompt_token){ copy_token(r->into, t), start, end };
}

void sonde_result_target_token(sonde_result *r, size_t prompt, sonde_token t) {
    assert(prompt < r->prompts.n);
    *LIST_ADD(r->prompts.at[prompt].target) = copy_token(r->into, t);
}

void sonde_result_generated(sonde_result *r, size_t prompt, const sonde_written *w) {
    assert(prompt < r->prompts.n);
    sonde_token *others = arena_new_array(r->into, sonde_token, w->n + 1);
    double *p = arena_new_array(r->into, double, w->n + 1);
    for (size_t i = 0; i < w->n; i++) {
        others[i] = copy_token(r->into, w->alternatives[i]);
        p[i] = w->probs[i];
    }
    *LIST_ADD(r->prompts.at[prompt].generated) = (sonde_written){ copy_token(r->into, w->token), w->prob, others, p, w->n };
}

void sonde_result_generated_text(sonde_result *r, size_t prompt, const char *text, size_t len) {
    assert(prompt < r->prompts.n);
    r->prompts.at[prompt].completion = (span){ copy_bytes(r->into, text, len), len };
}

/* Tables. */

sonde_table *sonde_result_table(sonde_result *r, const char *name) {
    sonde_table *t = arena_new_array(r->into, sonde_table, 1);
    t->name = copy(r->into, name ? name : "");
    t->into = r->into;
    return *LIST_ADD(r->tables) = t;        /* NOLINT(bugprone-sizeof-expression): pointers they are */
}

void sonde_table_column(sonde_table *t, const char *name, sonde_column_type type, const char *unit) {
    assert(t->rows == 0);
    *LIST_ADD(t->columns) = (table_column){ copy(t->into, name), copy(t->into, unit), type };
}

void sonde_table_row(sonde_table *t) {
    const size_t n = t->columns.n;
    t->cells.at = result_grow(t->cells.at, t->cells.n, n, &t->cells.cap, sizeof *t->cells.at);
    t->there.at = result_grow(t->there.at, t->there.n, n, &t->there.cap, sizeof *t->there.at);
    t->cells.n += n;
    t->there.n += n;
    t->rows++;
    t->next = 0;
}

static void put_cell(sonde_table *t, sonde_column_type type, table_cell v) {
    const bool fits = t->rows && t->next < t->columns.n && t->columns.at[t->next].type == type;
    assert(fits && "a cell past the row, or of another type than its column");
    if (!fits) return;
    const size_t i = (t->rows - 1) * t->columns.n + t->next++;
    t->cells.at[i] = v;
    t->there.at[i] = 1;
}

/* In the pool: the token's id, the length, the bytes. */
static void put_bytes(sonde_table *t, sonde_column_type type, sonde_token v) {
    enum { HEAD = sizeof v.id + sizeof v.len };
    const size_t at = t->pool.n;
    t->pool.at = result_grow(t->pool.at, at, HEAD + v.len, &t->pool.cap, 1);
    memcpy(t->pool.at + at, &v.id, sizeof v.id);
    memcpy(t->pool.at + at + sizeof v.id, &v.len, sizeof v.len);
    if (v.len) memcpy(t->pool.at + at + HEAD, v.bytes, v.len);
    t->pool.n += HEAD + v.len;
    put_cell(t, type, (table_cell){ .at = at });
}

void sonde_cell_int(sonde_table *t, int64_t v)   { put_cell(t, SONDE_INT, (table_cell){ .i = v }); }
void sonde_cell_float(sonde_table *t, double v)  { put_cell(t, SONDE_FLOAT, (table_cell){ .f = v }); }
void sonde_cell_bool(sonde_table *t, bool v)     { put_cell(t, SONDE_BOOL, (table_cell){ .b = v }); }
void sonde_cell_token(sonde_table *t, sonde_token v) { put_bytes(t, SONDE_TOKEN, v); }

void sonde_cell_text(sonde_table *t, const char *text) {
    if (!text) sonde_cell_null(t);
    else put_bytes(t, SONDE_TEXT, (sonde_token){ -1, text, strlen(text) });
}

void sonde_cell_null(sonde_table *t) {
    assert(t->rows && t->next < t->columns.n);
    t->next++;
}

bool table_has(const sonde_table *t, size_t row, size_t column) {
    return t->there.at[row * t->columns.n + column];
}

table_cell table_at(const sonde_table *t, size_t row, size_t column) {
    return t->cells.at[row * t->columns.n + column];
}

sonde_token table_token(const sonde_table *t, size_t row, size_t column) {
    const char *p = t->pool.at + table_at(t, row, column).at;
    sonde_token v;
    memcpy(&v.id, p, sizeof v.id);
    memcpy(&v.len, p + sizeof v.id, sizeof v.len);
    v.bytes = p + sizeof v.id + sizeof v.len;
    return v;
}

span table_text(const sonde_table *t, size_t row, size_t column) {
    const sonde_token v = table_token(t, row, column);
    if (v.len || t->columns.at[column].type != SONDE_TOKEN) return (span){ v.bytes, v.len };
    const char *id = arena_printf(t->into, "#%" PRId32, v.id);      /* of a model without a tokenizer */
    return (span){ id, strlen(id) };
}

size_t table_find(const sonde_table *t, const char *column) {
    for (size_t i = 0; column && i < t->columns.n; i++)
        if (strcmp(t->columns.at[i].name, column) == 0) return i;
    return SIZE_MAX;
}

/* Arrays and views. */

static void split_axes(sonde_array *a, const char *axes) {
    while (axes && *(axes += strspn(axes, " "))) {
        const size_t len = strcspn(axes, " ");
        assert(a->rank < SONDE_MAX_RANK);
        if (a->rank == SONDE_MAX_RANK) return;
        a->axis[a->rank++] = copy_bytes(a->into, axes, len);
        axes += len;
    }
}

sonde_array *sonde_result_array(sonde_result *r, const char *name, const char *axes, const int64_t *dim) {
    sonde_array *a = arena_new_array(r->into, sonde_array, 1);
    a->name = copy(r->into, name);
    a->into = r->into;
    split_axes(a, axes);
    a->n = 1;
    for (int i = 0; i < a->rank; i++) {
        a->dim[i] = dim[i];
        if (dim[i] < 0 || __builtin_mul_overflow(a->n, dim[i], &a->n)) abort();
    }
    a->data = calloc((size_t)a->n + 1, sizeof *a->data);
    if (!a->data) abort();
    return *LIST_ADD(r->arrays) = a;        /* NOLINT(bugprone-sizeof-expression): pointers they are */
}

float *sonde_array_data(sonde_array *a) { return a->data; }

void sonde_array_missing(sonde_array *a, int64_t item) {
    assert(item >= 0 && item < a->n);
    if (!a->missing) a->missing = calloc((size_t)a->n / 8 + 1, 1);
    if (!a->missing) abort();
    a->missing[item / 8] = (uint8_t)(a->missing[item / 8] | 1u << item % 8);
    a->data[item] = NAN;
}

void sonde_array_causal(sonde_array *a) { a->causal = a->rank >= 2; }

bool array_masked(const sonde_array *a, int64_t item) {
    return a->causal && item % a->dim[a->rank - 1] > item / a->dim[a->rank - 1] % a->dim[a->rank - 2];
}

bool array_missing(const sonde_array *a, int64_t item) {
    return a->missing && (a->missing[item / 8] >> item % 8 & 1);
}

void sonde_array_label_token(sonde_array *a, int axis, sonde_token t) {
    assert(axis >= 0 && axis < a->rank);
    *LIST_ADD(a->labels[axis]) = (axis_label){ copy_token(a->into, t), true };
}

void sonde_array_label_text(sonde_array *a, int axis, const char *text) {
    assert(axis >= 0 && axis < a->rank);
    const size_t len = strlen(text);
    *LIST_ADD(a->labels[axis]) = (axis_label){ { -1, copy_bytes(a->into, text, len), len }, false };
}

const char *const view_names[] = {
    [SONDE_VIEW_HEATMAP] = "heatmap", [SONDE_VIEW_LINES] = "lines", [SONDE_VIEW_BARS] = "bars",
    [SONDE_VIEW_SCATTER] = "scatter", [SONDE_VIEW_TOKENS] = "tokens", [SONDE_VIEW_TOKEN_GRID] = "token_grid",
    [SONDE_VIEW_GRAPH] = "graph", [SONDE_VIEW_BOXES] = "boxes", [SONDE_VIEW_HISTOGRAM] = "histogram",
    [SONDE_VIEW_CLOUD] = "cloud", [SONDE_VIEW_ARCHITECTURE] = "architecture",
};
const char *const type_names[] = {
    [SONDE_INT] = "int", [SONDE_FLOAT] = "float", [SONDE_TEXT] = "text", [SONDE_TOKEN] = "token", [SONDE_BOOL] = "bool",
};

void sonde_result_view(sonde_result *r, sonde_drawing v) {
    arena *into = r->into;
    const char **const text[] = { &v.x, &v.y, &v.value, &v.title, &v.z, &v.low, &v.high, &v.label, &v.panel };
    v.of = copy(into, v.of ? v.of : "");
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) *text[i] = copy(into, *text[i]);
    *LIST_ADD(r->views) = v;
}

const sonde_table *result_table(const sonde_result *r, const char *name) {
    for (size_t i = 0; name && i < r->tables.n; i++)
        if (strcmp(r->tables.at[i]->name, name) == 0) return r->tables.at[i];
    return NULL;
}

const sonde_array *result_array(const sonde_result *r, const char *name) {
    for (size_t i = 0; name && i < r->arrays.n; i++)
        if (strcmp(r->arrays.at[i]->name, name) == 0) return r->arrays.at[i];
    return NULL;
}

void sonde_array_quiet(sonde_array *a) { a->quiet = true; }

bool result_tabled(const sonde_result *r, const sonde_array *a) {
    if (a->quiet) return true;
    for (size_t i = 0; i < r->tables.n; i++)
        if (table_find(r->tables.at[i], a->name) != SIZE_MAX) return true;
    return false;
}

static void token_row(sonde_table *t, size_t prompt, size_t position, const prompt_token *token) {
    sonde_table_row(t);
    sonde_cell_int(t, (int64_t)prompt);
    sonde_cell_int(t, (int64_t)position);
    sonde_cell_token(t, token->token);
    if (token->start < 0) sonde_cell_null(t); else sonde_cell_int(t, token->start);
    if (token->end < 0) sonde_cell_null(t); else sonde_cell_int(t, token->end);
}

const sonde_table *result_token_table(const sonde_result *r, sonde_result *into) {
    sonde_table *t = sonde_result_table(into, "tokens");
    sonde_table_column(t, "prompt", SONDE_INT, "");
    sonde_table_column(t, "position", SONDE_INT, "");
    sonde_table_column(t, "token", SONDE_TOKEN, "");
    sonde_table_column(t, "start", SONDE_INT, "byte");
    sonde_table_column(t, "end", SONDE_INT, "byte");
    sonde_table_column(t, "prob", SONDE_FLOAT, "");
    for (size_t i = 0; i < r->prompts.n; i++) {
        const result_prompt *p = &r->prompts.at[i];
        for (size_t k = 0; k < p->tokens.n; k++) token_row(t, i, k, &p->tokens.at[k]);
        for (size_t k = 0; k < p->generated.n; k++) {
            const prompt_token made = { p->generated.at[k].token, -1, -1 };
            token_row(t, i, p->tokens.n + k, &made);
            sonde_cell_float(t, p->generated.at[k].prob);
        }
    }
    return t;
}
