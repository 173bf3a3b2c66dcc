/* Separated values: a header line, then a line a row (RFC 4180, with \n). A token is two columns, its id and what a
 * person sees of it; null is an empty field and an empty text is "". */
#include "digits.h"
#include "show_token.h"
#include "writers.h"
#include <inttypes.h>
#include <string.h>

static void put_field(pen *p, char separator, const char *text) {
    const char special[] = { '"', '\n', separator, '\0' };
    if (*text && !strpbrk(text, special)) { pen_text(p, text); return; }
    pen_text(p, "\"");
    for (const char *c = text; *c; c++) pen_put(p, *c == '"' ? "\"\"" : c, *c == '"' ? 2 : 1);
    pen_text(p, "\"");
}

static void put_shown(pen *p, char separator, span text, show_mode mode) {
    char small[256];
    const size_t n = show_text(text.bytes, text.len, mode, small, sizeof small);
    if (n < sizeof small) { put_field(p, separator, small); return; }
    arena *scratch = arena_new();
    put_field(p, separator, show_copy(scratch, text.bytes, text.len, mode));
    arena_free(scratch);
}

static void put_name(pen *p, char separator, const char *name) {
    put_shown(p, separator, (span){ name, strlen(name) }, SHOW_LINE);
}

void csv_write_text(const char *text, char separator, pen *p) {
    put_shown(p, separator, (span){ text, strlen(text) }, SHOW_PAGE);
}

static void put_header(const sonde_table *t, char separator, pen *p) {
    for (size_t c = 0; c < t->columns.n; c++) {
        if (c) pen_put(p, &separator, 1);
        put_name(p, separator, t->columns.at[c].name);
        if (t->columns.at[c].type != SONDE_TOKEN) continue;
        pen_text(p, "_id");
        pen_put(p, &separator, 1);
        put_name(p, separator, t->columns.at[c].name);
    }
    pen_text(p, "\n");
}

static void put_token(pen *p, char separator, sonde_token t) {
    pen_printf(p, "%" PRId32 "%c", t.id, separator);
    put_shown(p, separator, (span){ t.bytes, t.len }, SHOW_TOKEN);
}

static void put_cell(const sonde_table *t, size_t row, size_t column, char separator, pen *p) {
    const sonde_column_type type = t->columns.at[column].type;
    if (!table_has(t, row, column)) {
        if (type == SONDE_TOKEN) pen_put(p, &separator, 1);
        return;
    }
    const table_cell v = table_at(t, row, column);
    char digits[DIGITS_ROOM];
    switch (type) {
    case SONDE_INT:   pen_printf(p, "%" PRId64, v.i); break;
    case SONDE_FLOAT: pen_text(p, digits_exact(v.f, digits)); break;
    case SONDE_BOOL:  pen_text(p, v.b ? "true" : "false"); break;
    case SONDE_TEXT:  put_shown(p, separator, table_text(t, row, column), SHOW_PAGE); break;
    case SONDE_TOKEN: put_token(p, separator, table_token(t, row, column)); break;
    }
}

void csv_write_table(const sonde_table *t, char separator, pen *p) {
    put_header(t, separator, p);
    for (size_t i = 0; i < t->rows && p->status == SONDE_OK; i++) {
        for (size_t c = 0; c < t->columns.n; c++) {
            if (c) pen_put(p, &separator, 1);
            put_cell(t, i, c, separator, p);
        }
        pen_text(p, "\n");
    }
}

void csv_write_array(const sonde_array *a, char separator, pen *p) {
    for (int i = 0; i < a->rank; i++) {
        put_name(p, separator, a->axis[i]);
        pen_put(p, &separator, 1);
    }
    put_name(p, separator, a->name);
    pen_text(p, "\n");
    int64_t at[SONDE_MAX_RANK] = { 0 };
    for (int64_t item = 0; item < a->n && p->status == SONDE_OK; item++) {
        for (int i = 0; i < a->rank; i++) pen_printf(p, "%" PRId64 "%c", at[i], separator);
        char digits[DIGITS_ROOM];
        if (!array_missing(a, item)) pen_text(p, digits_exact(a->data[item], digits));
        pen_text(p, "\n");
        for (int i = a->rank - 1; i >= 0 && ++at[i] == a->dim[i]; i--) at[i] = 0;
    }
}

sonde_status csv_write_first(const sonde_result *r, char separator, pen *p) {
    SONDE_FAIL_IF(!r->tables.n && !r->arrays.n && !r->prompts.n, p->err, SONDE_USAGE,
                  "CSV: this result has no table, no array and no prompt");
    if (r->tables.n) csv_write_table(r->tables.at[0], separator, p);
    else if (r->arrays.n) csv_write_array(r->arrays.at[0], separator, p);
    else {
        sonde_result *own = sonde_result_new();
        csv_write_table(result_token_table(r, own), separator, p);
        sonde_result_free(own);
    }
    return pen_close(p);
}

sonde_status sonde_result_csv(const sonde_result *r, sonde_sink sink, void *user, sonde_error *err) {
    pen p;
    pen_open(&p, sink, user, err);
    return csv_write_first(r, ',', &p);
}
