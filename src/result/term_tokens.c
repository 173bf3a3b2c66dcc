/* Tokens on coloured ground: a grid (a lens), and a strip (a prompt). */
#include "glyph.h"
#include "term.h"
#include <string.h>

enum { MOST_LABEL = 18, LEAST_CELL = 6, SPLIT_CELL = 9, MOST_CELL = 13 };

/* The last `gap` columns are ground alone. */
static void put_token(term *t, const shade_scale *s, const pivot *v, size_t at, int columns, int gap) {
    double value;
    const pivot_state state = pivot_at(v, at / v->nx, at % v->nx, &value);
    const char *text = v->text && v->text[at] ? v->text[at] : state == PIVOT_NONE ? "" : "–";
    if (state == PIVOT_VALUE) term_ground(t, s, value);
    else term_dim(t);
    term_fit(t, text, columns - gap, TERM_LEFT);
    term_spaces(t, gap);
    term_plain(t);
}

static void put_head(term *t, const pivot *v, size_t from, size_t to, const int *wide) {
    const char *corner = arena_printf(t->scratch, "%s\\%s", v->y_name, v->x_name);
    term_dim(t);
    term_fit(t, *v->y_name && *v->x_name ? corner : "", wide[0] - 1, TERM_LEFT);
    term_spaces(t, 1);
    for (size_t x = from; x < to; x++) {
        term_fit(t, v->x_label[x], wide[1] - 1, TERM_LEFT);
        term_spaces(t, 1);
    }
    term_plain(t);
    term_line(t);
}

static int cell_columns(const pivot *v) {
    int widest = term_widest(v->x_label, v->nx, MOST_CELL);
    for (size_t i = 0; v->text && i < v->nx * v->ny; i++) {
        const int w = v->text[i] ? glyph_text_columns(v->text[i]) : 0;
        if (w > widest) widest = w;
    }
    return (widest > MOST_CELL ? MOST_CELL : widest < LEAST_CELL ? LEAST_CELL : widest) + 1;
}

void term_token_grid(term *t, const pivot *v) {
    int label = term_widest(v->y_label, v->ny, MOST_LABEL);
    const int corner = (int)(strlen(v->y_name) + strlen(v->x_name)) + 1;
    if (label < corner) label = corner < MOST_LABEL ? corner : MOST_LABEL;
    if (label > t->width / 3) label = t->width / 3;
    int wide[2] = { label + 1, cell_columns(v) };
    const int room = t->width - wide[0];
    const int tight = room / (int)(v->nx < 1000 ? v->nx : 1000);
    if (wide[1] > tight) {                              /* rather cut texts than split the grid */
        const int least = tight > LEAST_CELL ? tight : SPLIT_CELL + 1;
        if (wide[1] > least) wide[1] = least;
    }
    const size_t here = (size_t)(room / wide[1]);
    const shade_scale s = term_scale(t, v, 1, false);
    for (size_t from = 0; from < v->nx; from += here) {
        const size_t to = v->nx - from < here ? v->nx : from + here;
        if (from) term_line(t);
        put_head(t, v, from, to, wide);
        for (size_t y = 0; y < term_rows(v->ny) && t->p->status == SONDE_OK; y++) {
            term_fit(t, v->y_label[y], label, TERM_LEFT);
            term_spaces(t, 1);
            for (size_t x = from; x < to; x++) put_token(t, &s, v, y * v->nx + x, wide[1], 1);
            term_line(t);
        }
    }
    term_rest(t, v->ny);
    if (here < v->nx)
        term_note(t, "%s in %zu parts of at most %zu", v->x_name, (v->nx + here - 1) / here, here);
    term_legend(t, &s, v);
}

void term_token_strip(term *t, const pivot *v) {
    const shade_scale s = term_scale(t, v, 1, false);
    int at = 0;
    for (size_t i = 0; i < v->nx * v->ny && t->p->status == SONDE_OK; i++) {
        const char *text = v->text && v->text[i] ? v->text[i] : "–";
        int w = glyph_text_columns(text);
        if (w > t->width) w = t->width;
        if (at && at + 1 + w > t->width) {
            term_line(t);
            at = 0;
        }
        if (at) term_spaces(t, 1);
        put_token(t, &s, v, i, w, 0);
        at += w + (at ? 1 : 0);
        const size_t n = strlen(text), sign = strlen("⏎");
        if (n >= sign && strcmp(text + n - sign, "⏎") == 0) {
            term_line(t);
            at = 0;
        }
    }
    if (at) term_line(t);
    term_legend(t, &s, v);
}
