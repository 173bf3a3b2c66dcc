/* JSON as docs/interface says: every number reads back as it was, every text is valid UTF-8. What a terminal could
 * act on is escaped even where JSON would not ask for it, so that `--json` may be looked at. */
#include "digits.h"
#include "glyph.h"
#include "writers.h"
#include "sonde/version.h"
#include "base/json.h"
#include <inttypes.h>
#include <string.h>

typedef struct {
    pen        *p;
    arena      *scratch;
    size_t      used;                               /* bytes of scratch since it was emptied, about */
    const char *stem;
} json_pen;

static void put_escape(pen *p, uint32_t code) {
    if (code < 0x10000) { pen_printf(p, "\\u%04" PRIx32, code); return; }
    code -= 0x10000;
    pen_printf(p, "\\u%04" PRIx32 "\\u%04" PRIx32, 0xd800 + (code >> 10), 0xdc00 + (code & 0x3ff));
}

static void put_string(json_pen *j, const char *text, size_t len) {
    const char *quoted = json_quote(j->scratch, text, len);
    const size_t n = strlen(quoted);
    size_t from = 0;
    for (size_t i = 0; i < n;) {
        if ((unsigned char)quoted[i] < 0x7f) { i++; continue; }
        uint32_t code;
        const size_t step = glyph_next(quoted + i, n - i, &code);
        if (!step) { i++; continue; }
        if (glyph_hidden(code)) {
            pen_put(j->p, quoted + from, i - from);
            put_escape(j->p, code);
            from = i + step;
        }
        i += step;
    }
    pen_put(j->p, quoted + from, n - from);
    j->used += n + 64;
    if (j->used > 1 << 16) {
        arena_reset(j->scratch);
        j->used = 0;
    }
}

static void put_text(json_pen *j, const char *text) {
    if (text) put_string(j, text, strlen(text));
    else pen_text(j->p, "null");
}

/* `name` is a fixed word with what stands before it: `{"id":`. */
static void put_member(json_pen *j, const char *name, const char *text) {
    pen_text(j->p, name);
    put_text(j, text);
}

static void put_number(pen *p, double v) {
    char digits[DIGITS_ROOM];
    const char *text = digits_exact(v, digits);
    if (text == digits) pen_text(p, text);
    else pen_printf(p, "\"%s\"", text);
}

/* {"id":3,"text":"..","bytes":"..", without the end. */
static void put_token(json_pen *j, sonde_token t) {
    static const char digit[] = "0123456789abcdef";
    pen_printf(j->p, "{\"id\":%" PRId32 ",\"text\":", t.id);
    put_string(j, t.bytes, t.len);
    pen_text(j->p, ",\"bytes\":\"");
    for (size_t i = 0; i < t.len; i++) {
        const unsigned char b = (unsigned char)t.bytes[i];
        pen_put(j->p, (const char[]){ digit[b >> 4], digit[b & 15] }, 2);
    }
    pen_text(j->p, "\"");
}

/* A parameter that was given several times is a list. */
static void put_params(json_pen *j, const sonde_result *r) {
    pen_text(j->p, "{");
    bool first = true;
    for (size_t i = 0; i < r->params.n; i++) {
        const char *name = r->params.at[i].name;
        size_t before = 0, all = 0;
        for (size_t k = 0; k < r->params.n; k++) {
            const bool same = strcmp(name, r->params.at[k].name) == 0;
            before += same && k < i;
            all += same;
        }
        if (before) continue;
        put_member(j, first ? "" : ",", name);
        pen_text(j->p, all > 1 ? ":[" : ":");
        size_t written = 0;
        for (size_t k = i; k < r->params.n; k++)
            if (strcmp(name, r->params.at[k].name) == 0)
                put_member(j, written++ ? "," : "", r->params.at[k].value);
        if (all > 1) pen_text(j->p, "]");
        first = false;
    }
    pen_text(j->p, "}");
}

static void put_generated(json_pen *j, const sonde_written *g) {
    put_token(j, g->token);
    pen_text(j->p, ",\"prob\":");
    put_number(j->p, g->prob);
    pen_text(j->p, ",\"alternatives\":[");
    for (size_t i = 0; i < g->n; i++) {
        if (i) pen_text(j->p, ",");
        put_token(j, g->alternatives[i]);
        pen_text(j->p, ",\"prob\":");
        put_number(j->p, g->probs[i]);
        pen_text(j->p, "}");
    }
    pen_text(j->p, "]}");
}

static void put_prompt(json_pen *j, const result_prompt *q) {
    pen_text(j->p, "\n{\"text\":");
    put_string(j, q->text.bytes, q->text.len);
    if (q->pair.bytes) {
        pen_text(j->p, ",\"pair\":");
        put_string(j, q->pair.bytes, q->pair.len);
    }
    pen_text(j->p, ",\"tokens\":[");
    for (size_t i = 0; i < q->tokens.n; i++) {
        const prompt_token *t = &q->tokens.at[i];
        if (i) pen_text(j->p, ",");
        put_token(j, t->token);
        if (t->start >= 0) pen_printf(j->p, ",\"start\":%" PRId64, t->start);
        if (t->end >= 0) pen_printf(j->p, ",\"end\":%" PRId64, t->end);
        pen_text(j->p, "}");
    }
    pen_text(j->p, "]");
    for (size_t i = 0; i < q->target.n; i++) {
        pen_text(j->p, i ? "," : ",\"target\":[");
        put_token(j, q->target.at[i]);
        pen_text(j->p, i + 1 < q->target.n ? "}" : "}]");
    }
    if (q->generated.n || q->completion.bytes) {
        pen_text(j->p, ",\"generated\":[");
        for (size_t i = 0; i < q->generated.n; i++) {
            if (i) pen_text(j->p, ",");
            put_generated(j, &q->generated.at[i]);
        }
        pen_text(j->p, "]");
    }
    if (q->completion.bytes) {
        pen_text(j->p, ",\"completion\":");
        put_string(j, q->completion.bytes, q->completion.len);
    }
    pen_text(j->p, "}");
}

static void put_cell(json_pen *j, const sonde_table *t, size_t row, size_t column) {
    if (!table_has(t, row, column)) { pen_text(j->p, "null"); return; }
    const table_cell v = table_at(t, row, column);
    switch (t->columns.at[column].type) {
    case SONDE_INT:   pen_printf(j->p, "%" PRId64, v.i); break;
    case SONDE_FLOAT: put_number(j->p, v.f); break;
    case SONDE_BOOL:  pen_text(j->p, v.b ? "true" : "false"); break;
    case SONDE_TEXT: {
        const span text = table_text(t, row, column);
        put_string(j, text.bytes, text.len);
        break;
    }
    case SONDE_TOKEN:
        put_token(j, table_token(t, row, column));
        pen_text(j->p, "}");
        break;
    }
}

static void put_table(json_pen *j, const sonde_table *t) {
    put_member(j, "\n{\"name\":", t->name);
    pen_text(j->p, ",\"columns\":[");
    for (size_t c = 0; c < t->columns.n; c++) {
        const table_column *k = &t->columns.at[c];
        put_member(j, c ? ",{\"name\":" : "{\"name\":", k->name);
        pen_printf(j->p, ",\"type\":\"%s\"", type_names[k->type]);
        put_member(j, ",\"unit\":", k->unit ? k->unit : "");
        pen_text(j->p, "}");
    }
    pen_text(j->p, "],\"rows\":[");
    for (size_t i = 0; i < t->rows && j->p->status == SONDE_OK; i++) {
        pen_text(j->p, i ? ",\n[" : "\n[");
        for (size_t c = 0; c < t->columns.n; c++) {
            if (c) pen_text(j->p, ",");
            put_cell(j, t, i, c);
        }
        pen_text(j->p, "]");
    }
    pen_text(j->p, "]}");
}

static void put_labels(json_pen *j, const sonde_array *a) {
    bool any = false;
    for (int i = 0; i < a->rank; i++) {
        if (!a->labels[i].n) continue;
        put_member(j, any ? "," : ",\"labels\":{", a->axis[i]);
        pen_text(j->p, ":[");
        for (size_t k = 0; k < a->labels[i].n; k++) {
            const axis_label *l = &a->labels[i].at[k];
            if (k) pen_text(j->p, ",");
            if (l->is_token) put_token(j, l->token);
            else put_string(j, l->token.bytes, l->token.len);
            if (l->is_token) pen_text(j->p, "}");
        }
        pen_text(j->p, "]");
        any = true;
    }
    if (any) pen_text(j->p, "}");
}

static void put_array(json_pen *j, const sonde_array *a) {
    put_member(j, "\n{\"name\":", a->name);
    pen_text(j->p, ",\"axes\":[");
    for (int i = 0; i < a->rank; i++) put_member(j, i ? "," : "", a->axis[i]);
    pen_text(j->p, "],\"shape\":[");
    for (int i = 0; i < a->rank; i++) pen_printf(j->p, "%s%" PRId64, i ? "," : "", a->dim[i]);
    pen_text(j->p, "]");
    put_labels(j, a);
    if (a->causal) pen_text(j->p, ",\"causal\":true");
    if (j->stem && a->n > JSON_MOST_NUMBERS) {
        put_member(j, ",\"file\":", part_name(j->scratch, j->stem, ".", a->name, ".npy"));
        pen_text(j->p, "}");
        return;
    }
    pen_text(j->p, ",\"data\":[");
    for (int64_t i = 0; i < a->n && j->p->status == SONDE_OK; i++) {
        if (i) pen_text(j->p, ",");
        if (array_missing(a, i)) pen_text(j->p, "null");
        else put_number(j->p, a->data[i]);
    }
    pen_text(j->p, "]}");
}

static void put_view(json_pen *j, const sonde_drawing *v) {
    pen_printf(j->p, "\n{\"kind\":\"%s\"", view_names[v->kind]);
    put_member(j, ",\"of\":", v->of);
    put_member(j, ",\"x\":", v->x);
    put_member(j, ",\"y\":", v->y);
    put_member(j, ",\"value\":", v->value);
    put_member(j, ",\"title\":", v->title);
    if (v->z) put_member(j, ",\"z\":", v->z);
    if (v->low) put_member(j, ",\"low\":", v->low);
    if (v->high) put_member(j, ",\"high\":", v->high);
    if (v->label) put_member(j, ",\"label\":", v->label);
    if (v->panel) put_member(j, ",\"panel\":", v->panel);
    if (v->own_scale) pen_text(j->p, ",\"own_scale\":true");
    if (v->logarithmic) pen_text(j->p, ",\"logarithmic\":true");
    if (v->root) pen_text(j->p, ",\"root\":true");
    pen_text(j->p, "}");
}

static void put_head(json_pen *j, const sonde_result *r) {
    put_member(j, "{\"sonde\":", SONDE_VERSION);
    put_member(j, ",\n\"method\":", r->method);
    pen_text(j->p, ",\n\"params\":");
    put_params(j, r);
    if (!r->model_name && !r->model_family && !result_model_hash(r)) pen_text(j->p, ",\n\"model\":null");
    else {
        put_member(j, ",\n\"model\":{\"name\":", r->model_name);
        put_member(j, ",\"family\":", r->model_family);
        put_member(j, ",\"hash\":", result_model_hash(r));
        pen_text(j->p, "}");
    }
}

sonde_status json_write(const sonde_result *r, const char *stem, pen *p) {
    json_pen j = { .p = p, .scratch = arena_new(), .stem = stem };
    put_head(&j, r);
    pen_text(p, ",\n\"prompts\":[");
    for (size_t i = 0; i < r->prompts.n; i++) {
        if (i) pen_text(p, ",");
        put_prompt(&j, &r->prompts.at[i]);
    }
    pen_text(p, "],\n\"edits\":[");
    for (size_t i = 0; i < r->edits.n; i++) put_member(&j, i ? "," : "", r->edits.at[i]);
    pen_text(p, "],\n\"tables\":[");
    for (size_t i = 0; i < r->tables.n; i++) {
        if (i) pen_text(p, ",");
        put_table(&j, r->tables.at[i]);
    }
    pen_text(p, "],\n\"arrays\":[");
    for (size_t i = 0; i < r->arrays.n; i++) {
        if (i) pen_text(p, ",");
        put_array(&j, r->arrays.at[i]);
    }
    pen_text(p, "],\n\"views\":[");
    for (size_t i = 0; i < r->views.n; i++) {
        if (i) pen_text(p, ",");
        put_view(&j, &r->views.at[i]);
    }
    pen_text(p, "]}\n");
    arena_free(j.scratch);
    return pen_close(p);
}

sonde_status sonde_result_json(const sonde_result *r, sonde_sink sink, void *user, sonde_error *err) {
    pen p;
    pen_open(&p, sink, user, err);
    return json_write(r, NULL, &p);
}
