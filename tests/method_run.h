/* method_run.h - a method called as a front calls it, and its answer read back by names of columns. */
#ifndef METHOD_RUN_H
#define METHOD_RUN_H
#include "method/method.h"
#include "result/result_parts.h"
#include "test.h"
#include <stdarg.h>
#include <stdlib.h>

#define DEMO_PROMPT "When Mary and John went to the store, John gave a drink to"
#define DEMO_METRIC "logit(\" Mary\")-logit(\" John\")"

/* The sizes of models/demo. */
enum { DEMO_VOCAB = 1496, DEMO_WIDTH = 160, DEMO_CONTEXT = 96 };

enum { RUN_DOCUMENTS = 64, RUN_PROMPTS = 4, RUN_EDITS = 8, RUN_PARAMS = 24, RUN_LISTED = 32 };

typedef struct {
    sonde_model    *model;
    sonde_context   cx;
    method_prompt   prompt[RUN_PROMPTS], document[RUN_DOCUMENTS];
    sonde_edit     *edit[RUN_EDITS];
    sonde_named_run named[2];
    sonde_tokens    named_tokens[2];
    method_prompt   listed[RUN_LISTED]; size_t n_listed;        /* prompts of parameters */
    sonde_result   *out;
    sonde_error     err;
    int64_t         progress;
} method_run;

static inline void run_progress(void *user, const char *what, int64_t done, int64_t all) {
    (void)what;
    (void)all;
    ((method_run *)user)->progress = done;
}

/* A shipped model by its folder's name; NULL: the embedded one. */
static inline method_run *run_open(const char *name) {
    method_run *r = calloc(1, sizeof *r);
    if (!r) abort();
    const sonde_model_search where = { .shipped = SONDE_SOURCE_DIR "/models" };
    if (sonde_model_open(&r->model, name, &where, &r->err)) FAIL_("%s", r->err.message);
    sonde_session *s;
    if (sonde_session_new(&s, r->model, (sonde_session_options){ .threads = 2 }, &r->err)) FAIL_("%s", r->err.message);
    r->cx = (sonde_context){ .model = r->model, .session = s, .prompts = r->prompt, .documents = r->document, .runs = r->named,
                             .edits = (const sonde_edit *const *)r->edit, .top = 5, .progress = run_progress,
                             .progress_user = r };
    return r;
}

static inline method_prompt *run_prompt(method_run *r, const char *text) {
    method_prompt *p = &r->prompt[r->cx.n_prompts++];
    *p = (method_prompt){ .text = text, .len = strlen(text) };
    if (sonde_tokenize(r->model, text, p->len, r->cx.tokenize, &p->tokens, &r->err)) FAIL_("%s", r->err.message);
    return p;
}

static inline void run_document(method_run *r, const char *text, size_t len) {
    method_prompt *p = &r->document[r->cx.n_documents++];
    *p = (method_prompt){ .text = text, .len = len };
    if (sonde_tokenize(r->model, text, len, r->cx.tokenize, &p->tokens, &r->err)) FAIL_("%s", r->err.message);
}

/* The first n documents that come with the embedded model. */
static inline void run_held_out(method_run *r, size_t n) {
    size_t      size;
    const char *text = sonde_demo_text(&size);
    for (size_t i = 0; i < n; i++) {
        const size_t len = strcspn(text, "\n");
        run_document(r, text, len);
        text += len + 1;
    }
}

static inline void run_edit(method_run *r, const char *text) {
    if (sonde_edit_parse(&r->edit[r->cx.n_edits], r->model, text, NULL, &r->err)) FAIL_("%s", r->err.message);
    r->cx.n_edits++;
}

static inline void run_named(method_run *r, const char *name, const char *text) {
    sonde_tokens *t = &r->named_tokens[r->cx.n_runs];
    if (sonde_tokenize(r->model, text, strlen(text), r->cx.tokenize, t, &r->err)) FAIL_("%s", r->err.message);
    r->named[r->cx.n_runs++] = (sonde_named_run){ .name = name, .prompt = { .tokens = t->id, .n = t->n } };
}

/* The lines of a text as prompts of a parameter. */
static inline void run_listed(method_run *r, const char *lines, value *v) {
    v->prompts = r->listed + r->n_listed;
    for (; *lines; lines += *lines == '\n') {
        const size_t   len = strcspn(lines, "\n");
        if (r->n_listed == RUN_LISTED) FAIL_("more than %d prompts", RUN_LISTED);
        method_prompt *p = &r->listed[r->n_listed++];
        *p = (method_prompt){ .text = lines, .len = len };
        if (sonde_tokenize(r->model, lines, len, r->cx.tokenize, &p->tokens, &r->err)) FAIL_("%s", r->err.message);
        lines += len;
        v->n_prompts++;
    }
}

static inline void run_listed_drop(method_run *r) {
    for (size_t i = 0; i < r->n_listed; i++) sonde_tokens_free(&r->listed[i].tokens);
    r->n_listed = 0;
}

/* Names and values of parameters in turn, NULL at the end; lines of prompts for a PARAM_PROMPTS, content for a PARAM_FILE. */
static inline sonde_status run_method(method_run *r, const char *name, ...) {
    const method *m = method_find(name);
    const char   *given[RUN_PARAMS] = { NULL };
    value         args[RUN_PARAMS] = { { 0 } };
    if (!m) FAIL_("no method %s", name);
    va_list list;
    va_start(list, name);
    for (const char *key; (key = va_arg(list, const char *));) {
        int i = 0;
        while (m->params[i].name && strcmp(m->params[i].name, key)) i++;
        if (!m->params[i].name) FAIL_("%s has no parameter %s", name, key);
        given[i] = va_arg(list, const char *);
    }
    va_end(list);
    sonde_result_free(r->out);
    run_listed_drop(r);
    r->out = sonde_result_new();
    for (int i = 0; m->params[i].name; i++) {
        const sonde_status s = param_parse(&m->params[i], given[i], &args[i], &r->err);
        if (s != SONDE_OK) return s;
        if (m->params[i].type == PARAM_PROMPTS && given[i]) run_listed(r, given[i], &args[i]);
        if (m->params[i].type == PARAM_FILE && given[i]) args[i].content = given[i], args[i].size = strlen(given[i]);
        if (m->params[i].type != PARAM_LIST || !given[i]) continue;
        args[i].list = &given[i];
        args[i].n = 1;
    }
    return m->run(&r->cx, args, r->out, &r->err);
}

#define RUN_OK(...) do { if (run_method(__VA_ARGS__) != SONDE_OK) FAIL_("%s", r->err.message); } while (0)

static inline void run_close(method_run *r) {
    sonde_result_free(r->out);
    for (size_t i = 0; i < r->cx.n_edits; i++) sonde_edit_free(r->edit[i]);
    for (size_t i = 0; i < r->cx.n_prompts; i++) {
        sonde_tokens_free(&r->prompt[i].tokens);
        sonde_tokens_free(&r->prompt[i].target);
    }
    for (size_t i = 0; i < r->cx.n_documents; i++) sonde_tokens_free(&r->document[i].tokens);
    for (int i = 0; i < 2; i++) sonde_tokens_free(&r->named_tokens[i]);
    run_listed_drop(r);
    sonde_session_free(r->cx.session);
    sonde_model_close(r->model);
    free(r);
}

/* ---- reading back ---- */

static inline const sonde_table *run_table(const method_run *r, const char *name) {
    const sonde_table *t = result_table(r->out, name);
    if (!t) FAIL_("no table %s", name);
    return t;
}

static inline int64_t run_rows(const sonde_table *t) { return (int64_t)t->rows; }

static inline size_t run_column(const sonde_table *t, const char *name) {
    const size_t c = table_find(t, name);
    if (c == SIZE_MAX) FAIL_("no column %s", name);
    return c;
}

static inline bool run_null(const sonde_table *t, size_t row, const char *column) { return !table_has(t, row, run_column(t, column)); }
static inline double run_float(const sonde_table *t, size_t row, const char *column) {
    const size_t c = run_column(t, column);
    if (!table_has(t, row, c)) FAIL_("row %zu of %s is null", row, column);
    return t->columns.at[c].type == SONDE_INT ? (double)table_at(t, row, c).i : table_at(t, row, c).f;
}
static inline int64_t run_int(const sonde_table *t, size_t row, const char *column) { return (int64_t)run_float(t, row, column); }
static inline int32_t run_token(const sonde_table *t, size_t row, const char *column) { return table_token(t, row, run_column(t, column)).id; }
static inline const char *run_text(const sonde_table *t, size_t row, const char *column) {
    static char text[4][1024];
    static int  next;
    const span s = table_text(t, row, run_column(t, column));
    char *out = text[next++ % 4];
    snprintf(out, sizeof text[0], "%.*s", (int)s.len, s.bytes);
    return out;
}

/* Columns of a table as "a b c". */
static inline const char *run_columns(const sonde_table *t) {
    static char text[1024];
    size_t n = 0;
    for (size_t i = 0; i < t->columns.n; i++) n += (size_t)snprintf(text + n, sizeof text - n, i ? " %s" : "%s", t->columns.at[i].name);
    return text;
}

/* ---- the same by the public interface: one site of one run, or its logits ---- */

typedef struct { float *data; int64_t rows, cols; } run_values;

static inline sonde_status run_take(const sonde_answer *a, void *user, sonde_error *err) {
    run_values *v = user;
    (void)err;
    const bool pattern = a->value.axes[0] == 'h';
    int64_t row = 1;
    for (int i = 1; i < a->value.rank; i++) row *= a->value.dim[i];
    if (!pattern) {
        memcpy(v->data + a->first * row, a->value.data, (size_t)(a->value.dim[0] * row) * sizeof(float));
        v->cols = row;
        return SONDE_OK;
    }
    for (int64_t h = 0; h < a->value.dim[0]; h++)       /* short prompts: all rows in blocks of t */
        memcpy(v->data + (h * v->rows + a->first) * a->value.dim[2], a->value.data + h * a->value.dim[1] * a->value.dim[2],
               (size_t)(a->value.dim[1] * a->value.dim[2]) * sizeof(float));
    v->cols = a->value.dim[2];
    return SONDE_OK;
}

/* `edits`: those of the method run are used. Caller frees data. */
static inline run_values run_site(method_run *r, sonde_prompt p, bool edited, const char *site) {
    run_values v = { .data = calloc((size_t)(p.n * (p.n * 8 + 2000)), sizeof(float)), .rows = p.n };
    const sonde_variant x = { 0, r->cx.edits, edited ? r->cx.n_edits : 0 };
    const sonde_want    w = { .kind = site ? SONDE_WANT_SITE : SONDE_WANT_LOGITS, .sites = site };
    const sonde_batch   b = { .bases = &p, .n_bases = 1, .variants = &x, .n_variants = 1, .wants = &w, .n_wants = 1,
                              .runs = r->cx.runs, .n_runs = r->cx.n_runs };
    if (sonde_variants_run(r->cx.session, &b, run_take, &v, &r->err)) FAIL_("%s", r->err.message);
    return v;
}

#endif
