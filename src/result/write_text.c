/* Text for a pipe: the continuations, then every table as tab-separated lines, then the arrays that no table shows. A
 * token is what a person sees of it (CSV has the ids); null is `null`. Nothing here can steer a terminal. */
#include "digits.h"
#include "show_token.h"
#include "writers.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct { pen *p; arena *scratch; size_t blocks, written; } plain;

static void put_shown(plain *o, const char *bytes, size_t len, show_mode mode) {
    char small[256];
    const size_t n = show_text(bytes, len, mode, small, sizeof small);
    if (n < sizeof small) { pen_put(o->p, small, n); return; }
    pen_put(o->p, show_copy(o->scratch, bytes, len, mode), n);
    arena_reset(o->scratch);
}

static void put_name(plain *o, const char *name) { put_shown(o, name, strlen(name), SHOW_LINE); }

/* A blank line between blocks; their names if there are several. */
static void start_block(plain *o, const char *name, const char *number) {
    if (o->written++) pen_text(o->p, "\n");
    if (o->blocks < 2) return;
    pen_text(o->p, "# ");
    put_name(o, name);
    pen_text(o->p, number);
    pen_text(o->p, "\n");
}

static void put_cell(plain *o, const sonde_table *t, size_t row, size_t column) {
    if (!table_has(t, row, column)) { pen_text(o->p, "null"); return; }
    const table_cell v = table_at(t, row, column);
    const sonde_column_type type = t->columns.at[column].type;
    char digits[DIGITS_ROOM];
    switch (type) {
    case SONDE_INT:   pen_printf(o->p, "%" PRId64, v.i); break;
    case SONDE_FLOAT: pen_text(o->p, digits_exact(v.f, digits)); break;
    case SONDE_BOOL:  pen_text(o->p, v.b ? "true" : "false"); break;
    case SONDE_TEXT: case SONDE_TOKEN: {
        const span text = table_text(t, row, column);
        put_shown(o, text.bytes, text.len, type == SONDE_TOKEN ? SHOW_TOKEN : SHOW_LINE);
    }
    }
}

static void put_table(plain *o, const sonde_table *t) {
    start_block(o, t->name, "");
    for (size_t c = 0; c < t->columns.n; c++) {
        if (c) pen_text(o->p, "\t");
        put_name(o, t->columns.at[c].name);
    }
    pen_text(o->p, "\n");
    for (size_t i = 0; i < t->rows && o->p->status == SONDE_OK; i++) {
        for (size_t c = 0; c < t->columns.n; c++) {
            if (c) pen_text(o->p, "\t");
            put_cell(o, t, i, c);
        }
        pen_text(o->p, "\n");
    }
}

static void put_array(plain *o, const sonde_array *a) {
    start_block(o, a->name, "");
    for (int i = 0; i < a->rank; i++) {
        put_name(o, a->axis[i]);
        pen_text(o->p, "\t");
    }
    put_name(o, a->name);
    pen_text(o->p, "\n");
    int64_t at[SONDE_MAX_RANK] = { 0 };
    for (int64_t item = 0; item < a->n && o->p->status == SONDE_OK; item++) {
        for (int i = 0; i < a->rank; i++) pen_printf(o->p, "%" PRId64 "\t", at[i]);
        char digits[DIGITS_ROOM];
        pen_text(o->p, array_missing(a, item) ? "null" : digits_exact(a->data[item], digits));
        pen_text(o->p, "\n");
        for (int i = a->rank - 1; i >= 0 && ++at[i] == a->dim[i]; i--) at[i] = 0;
    }
}

static void put_completions(plain *o, const sonde_result *r) {
    for (size_t i = 0; i < r->prompts.n; i++) {
        const span text = r->prompts.at[i].completion;
        if (!text.bytes) continue;
        char number[24] = "";
        if (r->prompts.n > 1) snprintf(number, sizeof number, " %zu", i);
        start_block(o, "completion", number);
        put_shown(o, text.bytes, text.len, SHOW_PAGE);
        if (!text.len || text.bytes[text.len - 1] != '\n') pen_text(o->p, "\n");
    }
}

void plain_write(const sonde_result *r, pen *p) {
    plain o = { .p = p, .scratch = arena_new(), .blocks = r->tables.n };
    for (size_t i = 0; i < r->prompts.n; i++) o.blocks += r->prompts.at[i].completion.bytes != NULL;
    for (size_t i = 0; i < r->arrays.n; i++) o.blocks += !result_tabled(r, r->arrays.at[i]);
    put_completions(&o, r);
    for (size_t i = 0; i < r->tables.n; i++) put_table(&o, r->tables.at[i]);
    for (size_t i = 0; i < r->arrays.n; i++)
        if (!result_tabled(r, r->arrays.at[i])) put_array(&o, r->arrays.at[i]);
    if (!o.blocks && r->prompts.n) {
        sonde_result *own = sonde_result_new();
        put_table(&o, result_token_table(r, own));
        sonde_result_free(own);
    }
    arena_free(o.scratch);
}

sonde_status sonde_result_text(const sonde_result *r, sonde_text_style s, sonde_sink sink, void *user,
                               sonde_error *err) {
    pen p;
    pen_open(&p, sink, user, err);
    if (s.color) term_write(r, s, &p);
    else plain_write(r, &p);
    return pen_close(&p);
}
