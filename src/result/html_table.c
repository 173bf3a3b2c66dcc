/* Tables and arrays as HTML tables: the first rows, all of them behind a button that saves CSV. */
#include "paint.h"
#include "show_token.h"
#include <inttypes.h>
#include <string.h>

enum { MOST_ROWS = 2000 };

static void put_shown(html_pen *h, const char *bytes, size_t len, show_mode mode) {
    html_text(h->p, show_copy(h->scratch, bytes, len, mode));
}

/* "id 5, bytes 20 63". */
static void put_token(html_pen *h, sonde_token t) {
    pen_printf(h->p, "<span class=\"token\" title=\"id %" PRId32 ", bytes", t.id);
    for (size_t i = 0; i < t.len && i < 256; i++) pen_printf(h->p, " %02x", (unsigned)(unsigned char)t.bytes[i]);
    pen_text(h->p, t.len > 256 ? " ..\">" : "\">");
    put_shown(h, t.bytes, t.len, SHOW_TOKEN);
    pen_text(h->p, "</span>");
}

static void put_cell(html_pen *h, const sonde_table *t, size_t row, size_t c) {
    pen *p = h->p;
    if (!table_has(t, row, c)) { pen_text(p, "<td class=\"null\">null</td>"); return; }
    const table_cell v = table_at(t, row, c);
    char digits[DIGITS_ROOM];
    switch (t->columns.at[c].type) {
    case SONDE_INT:   pen_printf(p, "<td class=\"n\">%" PRId64, v.i); break;
    case SONDE_FLOAT: pen_printf(p, "<td class=\"n\">%s", digits_exact(v.f, digits)); break;
    case SONDE_BOOL:  pen_text(p, v.b ? "<td>yes" : "<td>no"); break;
    case SONDE_TEXT: {
        const span text = table_text(t, row, c);
        pen_text(p, "<td>");
        put_shown(h, text.bytes, text.len, SHOW_PAGE);
        break;
    }
    case SONDE_TOKEN:
        pen_text(p, "<td>");
        put_token(h, table_token(t, row, c));
    }
    pen_text(p, "</td>");
}

static void put_head(html_pen *h, const char *name, const char *unit, bool number) {
    pen_text(h->p, number ? "<th class=\"n\" scope=\"col\"><button>" : "<th scope=\"col\"><button>");
    put_shown(h, name, strlen(name), SHOW_LINE);
    if (unit && *unit) {
        pen_text(h->p, " (");
        put_shown(h, unit, strlen(unit), SHOW_LINE);
        pen_text(h->p, ")");
    }
    pen_text(h->p, "</button></th>");
}

static void put_count(html_pen *h, size_t rows) {
    pen_printf(h->p, "<p class=\"rest\">%zu row%s", rows, rows == 1 ? "" : "s");
    if (rows > MOST_ROWS) pen_printf(h->p, "; the first %d are shown and sorted, the CSV has them all", MOST_ROWS);
}

static void put_save(html_pen *h, size_t id, const char *name) {
    pen_printf(h->p, " <button class=\"save\" data-of=\"d%zu\" data-name=\"", id);
    put_shown(h, name, strlen(name), SHOW_LINE);
    pen_text(h->p, ".csv\">save CSV</button></p>\n");
}

void html_table(html_pen *h, const sonde_table *t) {
    const size_t id = html_csv(h, t);
    put_count(h, t->rows);
    put_save(h, id, t->name);
    pen_text(h->p, "<div class=\"scroll\" tabindex=\"0\"><table><thead><tr>");
    for (size_t c = 0; c < t->columns.n; c++) {
        const table_column *column = &t->columns.at[c];
        put_head(h, column->name, column->unit, column->type == SONDE_INT || column->type == SONDE_FLOAT);
    }
    pen_text(h->p, "</tr></thead><tbody>\n");
    for (size_t row = 0; row < t->rows && row < MOST_ROWS && h->p->status == SONDE_OK; row++) {
        pen_text(h->p, "<tr>");
        for (size_t c = 0; c < t->columns.n; c++) put_cell(h, t, row, c);
        pen_text(h->p, "</tr>\n");
        arena_reset(h->scratch);
    }
    pen_text(h->p, "</tbody></table></div>\n");
}

static void put_place(html_pen *h, const sonde_array *a, int side, int64_t at) {
    const axis_label *l = at < (int64_t)a->labels[side].n ? &a->labels[side].at[at] : NULL;
    if (!l) { pen_printf(h->p, "<td class=\"n\">%" PRId64 "</td>", at); return; }
    pen_printf(h->p, "<td class=\"n\" data-k=\"%" PRId64 "\">%" PRId64 " ", at, at);
    if (l->is_token) put_token(h, l->token);
    else put_shown(h, l->token.bytes, l->token.len, SHOW_LINE);
    pen_text(h->p, "</td>");
}

void html_numbers(html_pen *h, const sonde_array *a) {
    const size_t id = html_array(h, a);
    put_count(h, (size_t)a->n);
    put_save(h, id, a->name);
    pen_text(h->p, "<div class=\"scroll\" tabindex=\"0\"><table><thead><tr>");
    for (int i = 0; i < a->rank; i++) put_head(h, a->axis[i], "", true);
    put_head(h, a->name, "", true);
    pen_text(h->p, "</tr></thead><tbody>\n");
    int64_t at[SONDE_MAX_RANK] = { 0 };
    for (int64_t item = 0; item < a->n && item < MOST_ROWS && h->p->status == SONDE_OK; item++) {
        char digits[DIGITS_ROOM];
        pen_text(h->p, "<tr>");
        for (int i = 0; i < a->rank; i++) put_place(h, a, i, at[i]);
        if (array_missing(a, item)) pen_text(h->p, "<td class=\"null\">null</td></tr>\n");
        else pen_printf(h->p, "<td class=\"n\">%s</td></tr>\n", digits_exact(a->data[item], digits));
        for (int i = a->rank - 1; i >= 0 && ++at[i] == a->dim[i]; i--) at[i] = 0;
        arena_reset(h->scratch);
    }
    pen_text(h->p, "</tbody></table></div>\n");
}
