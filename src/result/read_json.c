/* A result from the JSON that write_json.c makes of one. Whatever else stands in it is refused: a file that somebody
 * changed is no result. */
#include "result_parts.h"
#include "base/json.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct { sonde_result *out; arena *memory; sonde_error *err; } reader;

#define EXPECT(r, good, ...) SONDE_FAIL_IF(!(good), (r)->err, SONDE_FORMAT, __VA_ARGS__)

/* NULL for null and for what is not there. */
static const char *text_of(const json *j, const char *key) {
    const char *text = NULL;
    size_t      len;
    return json_string(json_get(j, key), &text, &len) ? text : NULL;
}

/* A number, or the name of one that JSON has no word for. */
static bool number_of(const json *j, double *out) {
    static const struct { const char *name; double value; } words[] = {
        { "NaN", NAN }, { "Infinity", INFINITY }, { "-Infinity", -INFINITY },
    };
    const char *text;
    size_t      len;
    if (json_double(j, out)) return true;
    if (!json_string(j, &text, &len)) return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(words[i].name, text)) {
            *out = words[i].value;
            return true;
        }
    return false;
}

static int nibble(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

static bool token_of(const reader *r, const json *j, sonde_token *out) {
    int64_t     id;
    const char *hex;
    size_t      len;
    if (!json_int(json_get(j, "id"), &id) || id < INT32_MIN || id > INT32_MAX) return false;
    if (!json_string(json_get(j, "bytes"), &hex, &len) || len % 2) return false;
    char *bytes = arena_alloc(r->memory, len / 2 + 1);
    for (size_t i = 0; i < len; i += 2) {
        const int high = nibble(hex[i]), low = nibble(hex[i + 1]);
        if (high < 0 || low < 0) return false;
        bytes[i / 2] = (char)(unsigned char)(16 * high + low);
    }
    *out = (sonde_token){ (int32_t)id, bytes, len / 2 };
    return true;
}

static bool flag_of(const json *j, const char *key) {
    bool b;
    return json_bool(json_get(j, key), &b) && b;
}

/* ---- the parts ---- */

/* A text, or a list of them where it was given several times. */
static sonde_status read_param(const reader *r, const json *p) {
    const json *one = p->kind == JSON_ARRAY ? p->child : p;
    for (; one; one = p->kind == JSON_ARRAY ? one->next : NULL) {
        const char *text;
        size_t      len;
        EXPECT(r, json_string(one, &text, &len), "params: %s is no text", p->key);
        sonde_result_param(r->out, p->key, text);
    }
    return SONDE_OK;
}

static sonde_status read_params(const reader *r, const json *params) {
    EXPECT(r, !params || params->kind == JSON_OBJECT, "params is no object");
    for (const json *p = params ? params->child : NULL; p; p = p->next) SONDE_TRY(read_param(r, p));
    return SONDE_OK;
}

static sonde_status read_head(const reader *r, const json *j) {
    const json *model = json_get(j, "model");
    EXPECT(r, text_of(j, "sonde") && text_of(j, "method"), "is no result: has no \"sonde\" and \"method\"");
    sonde_result_method(r->out, text_of(j, "method"));
    if (model && model->kind == JSON_OBJECT)
        sonde_result_model(r->out, text_of(model, "name"), text_of(model, "family"), text_of(model, "hash"));
    const json *edits = json_get(j, "edits");
    SONDE_TRY(read_params(r, json_get(j, "params")));
    for (const json *e = edits ? edits->child : NULL; e; e = e->next) {
        const char *text;
        size_t      len;
        EXPECT(r, json_string(e, &text, &len), "edits: found one that is no text");
        sonde_result_edit(r->out, text);
    }
    return SONDE_OK;
}

static int64_t offset_of(const json *j, const char *key) {
    int64_t x;
    return json_int(json_get(j, key), &x) ? x : -1;
}

static sonde_status read_generated(const reader *r, size_t prompt, const json *g) {
    const json *list = json_get(g, "alternatives");
    const size_t n = list ? list->len : 0;
    sonde_token *token = arena_alloc(r->memory, (n + 1) * sizeof *token);
    double      *prob = arena_alloc(r->memory, (n + 1) * sizeof *prob);
    sonde_written w = { .alternatives = token, .probs = prob, .n = n };
    EXPECT(r, token_of(r, g, &w.token) && number_of(json_get(g, "prob"), &w.prob), "prompts: a generated token is broken");
    size_t i = 0;
    for (const json *a = list ? list->child : NULL; a; a = a->next, i++)
        EXPECT(r, token_of(r, a, &token[i]) && number_of(json_get(a, "prob"), &prob[i]), "prompts: an alternative is broken");
    sonde_result_generated(r->out, prompt, &w);
    return SONDE_OK;
}

static sonde_status read_prompt(const reader *r, const json *p) {
    const char *text;
    size_t      len;
    EXPECT(r, json_string(json_get(p, "text"), &text, &len), "prompts: one has no text");
    const size_t at = sonde_result_prompt(r->out, text, len);
    if (json_string(json_get(p, "pair"), &text, &len)) sonde_result_pair(r->out, at, text, len);
    const json *tokens = json_get(p, "tokens"), *generated = json_get(p, "generated");
    for (const json *t = tokens ? tokens->child : NULL; t; t = t->next) {
        sonde_token token;
        EXPECT(r, token_of(r, t, &token), "prompts: a token is broken");
        sonde_result_prompt_token(r->out, at, token, offset_of(t, "start"), offset_of(t, "end"));
    }
    const json *target = json_get(p, "target");
    for (const json *t = target ? target->child : NULL; t; t = t->next) {
        sonde_token token;
        EXPECT(r, token_of(r, t, &token), "prompts: a token of the target is broken");
        sonde_result_target_token(r->out, at, token);
    }
    for (const json *g = generated ? generated->child : NULL; g; g = g->next) SONDE_TRY(read_generated(r, at, g));
    if (json_string(json_get(p, "completion"), &text, &len)) sonde_result_generated_text(r->out, at, text, len);
    return SONDE_OK;
}

/* ---- tables ---- */

static sonde_status read_cell(const reader *r, sonde_table *t, sonde_column_type type, const json *v) {
    int64_t     i;
    double      f;
    bool        b;
    const char *text;
    size_t      len;
    sonde_token token;
    bool        good = true;
    if (v->kind == JSON_NULL) sonde_cell_null(t);
    else if (type == SONDE_INT && (good = json_int(v, &i))) sonde_cell_int(t, i);
    else if (type == SONDE_FLOAT && (good = number_of(v, &f))) sonde_cell_float(t, f);
    else if (type == SONDE_BOOL && (good = json_bool(v, &b))) sonde_cell_bool(t, b);
    else if (type == SONDE_TEXT && (good = json_string(v, &text, &len))) sonde_cell_text(t, text);
    else if (type == SONDE_TOKEN && (good = token_of(r, v, &token))) sonde_cell_token(t, token);
    EXPECT(r, good, "table %s: a cell is not of its column's type", t->name);
    return SONDE_OK;
}

static sonde_status read_columns(const reader *r, sonde_table *t, const json *columns) {
    for (const json *c = columns ? columns->child : NULL; c; c = c->next) {
        const char *name = text_of(c, "name"), *type = text_of(c, "type"), *unit = text_of(c, "unit");
        int kind = SONDE_INT;
        while (type && kind <= SONDE_BOOL && strcmp(type_names[kind], type) != 0) kind++;
        EXPECT(r, name && type && kind <= SONDE_BOOL, "table %s: a column has no name or no known type", t->name);
        sonde_table_column(t, name, (sonde_column_type)kind, unit ? unit : "");
    }
    return SONDE_OK;
}

static sonde_status read_table(const reader *r, const json *j) {
    const char *name = text_of(j, "name");
    EXPECT(r, name, "tables: one has no name");
    sonde_table *t = sonde_result_table(r->out, name);
    const json *rows = json_get(j, "rows");
    SONDE_TRY(read_columns(r, t, json_get(j, "columns")));
    for (const json *row = rows ? rows->child : NULL; row; row = row->next) {
        EXPECT(r, row->kind == JSON_ARRAY && row->len == t->columns.n, "table %s: a row has %zu cells, expected %zu", name, row->len,
               t->columns.n);
        sonde_table_row(t);
        size_t c = 0;
        for (const json *v = row->child; v; v = v->next, c++) SONDE_TRY(read_cell(r, t, t->columns.at[c].type, v));
    }
    return SONDE_OK;
}

/* ---- arrays ---- */

static sonde_status read_shape(const reader *r, const json *j, int64_t dim[SONDE_MAX_RANK], const char **axes) {
    const json *names = json_get(j, "axes"), *shape = json_get(j, "shape");
    EXPECT(r, names && shape && names->len == shape->len && names->len <= SONDE_MAX_RANK, "arrays: axes and shape do not fit");
    *axes = "";
    int64_t items = 1;
    int     i = 0;
    const json *n = names->child;
    for (const json *d = shape->child; d; d = d->next, n = n->next, i++) {
        const char *text;
        size_t      len;
        EXPECT(r, json_int(d, &dim[i]) && dim[i] >= 0 && json_string(n, &text, &len), "arrays: axes and shape do not fit");
        EXPECT(r, dim[i] == 0 || items <= INT32_MAX / dim[i], "arrays: a shape of more than 2^31 numbers");
        items *= dim[i];
        *axes = arena_printf(r->memory, "%s%s%s", *axes, i ? " " : "", text);
    }
    const json *data = json_get(j, "data");
    EXPECT(r, data && (int64_t)data->len == items, "arrays: %zu numbers, and the shape says %" PRId64, data ? data->len : 0, items);
    return SONDE_OK;
}

static sonde_status read_labels(const reader *r, sonde_array *a, const json *labels) {
    for (int axis = 0; axis < a->rank; axis++) {
        const json *list = json_get(labels, a->axis[axis]);
        for (const json *l = list ? list->child : NULL; l; l = l->next) {
            const char *text;
            size_t      len;
            sonde_token token;
            if (json_string(l, &text, &len)) sonde_array_label_text(a, axis, text);
            else if (token_of(r, l, &token)) sonde_array_label_token(a, axis, token);
            else return sonde_fail(r->err, SONDE_FORMAT, "array %s: a label is broken", a->name);
        }
    }
    return SONDE_OK;
}

static sonde_status read_array(const reader *r, const json *j) {
    const char *name = text_of(j, "name"), *axes;
    int64_t     dim[SONDE_MAX_RANK] = { 0 };
    EXPECT(r, name, "arrays: one has no name");
    SONDE_FAIL_IF(json_get(j, "file"), r->err, SONDE_UNSUPPORTED, "array %s lies in a file of its own; write the result with --json", name);
    SONDE_TRY(read_shape(r, j, dim, &axes));
    sonde_array *a = sonde_result_array(r->out, name, axes, dim);
    float       *to = sonde_array_data(a);
    int64_t      i = 0;
    for (const json *v = json_get(j, "data")->child; v; v = v->next, i++) {
        double x;
        if (v->kind == JSON_NULL) sonde_array_missing(a, i);
        else if (number_of(v, &x)) to[i] = (float)x;
        else return sonde_fail(r->err, SONDE_FORMAT, "array %s: item %" PRId64 " is no number", name, i);
    }
    if (flag_of(j, "causal")) sonde_array_causal(a);
    return read_labels(r, a, json_get(j, "labels"));
}

static sonde_status read_view(const reader *r, const json *j) {
    const char *kind = text_of(j, "kind"), *of = text_of(j, "of");
    int k = SONDE_VIEW_HEATMAP;
    while (kind && k <= SONDE_VIEW_ARCHITECTURE && strcmp(view_names[k], kind) != 0) k++;
    EXPECT(r, kind && of && k <= SONDE_VIEW_ARCHITECTURE, "views: one has no kind that is known");
    sonde_result_view(r->out, (sonde_drawing){
        .kind = (sonde_view_kind)k, .of = of, .x = text_of(j, "x"), .y = text_of(j, "y"), .value = text_of(j, "value"),
        .title = text_of(j, "title"), .z = text_of(j, "z"), .low = text_of(j, "low"), .high = text_of(j, "high"),
        .label = text_of(j, "label"), .panel = text_of(j, "panel"), .own_scale = flag_of(j, "own_scale"),
        .logarithmic = flag_of(j, "logarithmic"), .root = flag_of(j, "root") });
    return SONDE_OK;
}

static sonde_status read_list(const reader *r, const json *j, const char *key, sonde_status (*one)(const reader *, const json *)) {
    const json *list = json_get(j, key);
    EXPECT(r, list && list->kind == JSON_ARRAY, "is no result: has no list \"%s\"", key);
    for (const json *item = list->child; item; item = item->next) SONDE_TRY(one(r, item));
    return SONDE_OK;
}

static sonde_status read_all(const reader *r, const char *text, size_t n) {
    const json *j;
    SONDE_TRY(json_parse(text, n, r->memory, &j, r->err));
    SONDE_TRY(read_head(r, j));
    SONDE_TRY(read_list(r, j, "prompts", read_prompt));
    SONDE_TRY(read_list(r, j, "tables", read_table));
    SONDE_TRY(read_list(r, j, "arrays", read_array));
    return read_list(r, j, "views", read_view);
}

sonde_status sonde_result_read(sonde_result *into, const char *json_text, size_t n, sonde_error *err) {
    const reader r = { into, arena_new(), err };
    const sonde_status s = read_all(&r, json_text, n);
    arena_free(r.memory);
    return s;
}
