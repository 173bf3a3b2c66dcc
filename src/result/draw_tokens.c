/* Tokens on coloured ground: a grid (a lens), split into parts where it is too wide, and a strip (a prompt). */
#include "draw.h"
#include <math.h>
#include <string.h>

enum { SIZE = 12, ROW = 21, LEAST_CELL = 46, MOST_CELL = 110, MOST_LABEL = 150, MOST_CELLS = DRAW_MOST_MARKS / 2 };

static void put_token(const panel *b, const pivot *v, size_t at, frame cell) {
    picture *p = b->p;
    double value;
    const pivot_state state = pivot_at(v, at / v->nx, at % v->nx, &value);
    const char *text = v->text && v->text[at] ? v->text[at] : state == PIVOT_NONE ? "" : "–";
    if (state == PIVOT_NONE && !*text) return;
    const paint fill = state == PIVOT_VALUE ? paint_value(b->scale, value) : paint_page;
    mark *ground = draw_rect(p, (frame){ cell.x + 0.5, cell.y + 0.5, cell.w - 1, cell.h - 1 }, fill);
    ground->tip = cell_tip(p->into, v, at / v->nx, at % v->nx);
    if (state != PIVOT_VALUE) {
        ground->stroked = true;
        ground->stroke = paint_grid;
    }
    draw_text(p, cell.x + 4, cell.y + cell.h / 2 + 4, text_cut(p->into, text, SIZE, cell.w - 7), paint_on(fill));
}

static double widest(const char *const *text, size_t n, double size) {
    double most = 0;
    for (size_t i = 0; i < n; i++) most = fmax(most, text && text[i] ? text_width(text[i], size) : 0);
    return most;
}

/* Columns from .. to and their heads; returns the height. */
static double put_part(const panel *b, const pivot *v, size_t from, size_t to, frame cell) {
    picture *p = b->p;
    const size_t rows = v->ny < MOST_CELLS / v->nx + 1 ? v->ny : MOST_CELLS / v->nx + 1;
    for (size_t x = from; x < to; x++) {
        const double at = cell.x + (double)(x - from) * cell.w;
        draw_text(p, at + 4, cell.y + 12, text_cut(p->into, v->x_label[x], SIZE - 1, cell.w - 4),
                  paint_dim)->size = SIZE - 1;
    }
    const char *corner = *v->y_name && *v->x_name ? arena_printf(p->into, "%s \\ %s", v->y_name, v->x_name) : "";
    draw_text(p, b->x, cell.y + 12, text_cut(p->into, corner, SIZE - 1, cell.x - b->x - 4), paint_dim)->size = SIZE - 1;
    for (size_t y = 0; y < rows; y++) {
        const double top = cell.y + 18 + (double)y * cell.h;
        mark *m = draw_text(p, cell.x - 8, top + cell.h / 2 + 4,
                            text_cut(p->into, v->y_label[y], SIZE - 1, cell.x - b->x - 8), paint_dim);
        m->anchor = ANCHOR_END;
        m->size = SIZE - 1;
        for (size_t x = from; x < to; x++)
            put_token(b, v, y * v->nx + x, (frame){ cell.x + (double)(x - from) * cell.w, top, cell.w, cell.h });
    }
    if (rows < v->ny) draw_note(p, "%zu of %zu rows shown", rows, v->ny);
    return 18 + (double)rows * cell.h;
}

double draw_token_grid(const panel *b, const pivot *v) {
    const double corner = text_width(v->y_name, SIZE - 1) + text_width(v->x_name, SIZE - 1) + 24;
    const double left = fmin(fmax(widest(v->y_label, v->ny, SIZE - 1) + 10, *v->y_name && *v->x_name ? corner : 0),
                             fmin(MOST_LABEL, b->w / 4));
    double w = fmax(widest(v->text, v->nx * v->ny, SIZE), widest(v->x_label, v->nx, SIZE - 1)) + 10;
    w = fmin(fmax(w, LEAST_CELL), MOST_CELL);
    const double room = b->w - left, tight = room / (double)v->nx;
    if (w > tight) w = fmax(tight, fmin(w, LEAST_CELL + 14));
    size_t here = (size_t)(room / w), shown = v->nx < MOST_CELLS ? v->nx : MOST_CELLS;
    if (here < 1) here = 1;
    double y = b->y;
    for (size_t from = 0; from < shown; from += here) {
        const size_t to = shown - from < here ? shown : from + here;
        y += put_part(b, v, from, to, (frame){ b->x + left, y, w, ROW }) + 10;
    }
    if (here < shown) draw_note(b->p, "%s in %zu parts of at most %zu", v->x_name, (shown + here - 1) / here, here);
    if (shown < v->nx) draw_note(b->p, "%zu of %zu columns shown", shown, v->nx);
    return y - 10 - b->y;
}

double draw_token_strip(const panel *b, const pivot *v) {
    double x = b->x, y = b->y;
    const size_t n = v->nx < MOST_CELLS ? v->nx : MOST_CELLS;
    for (size_t i = 0; i < n; i++) {
        const char *text = v->text && v->text[i] ? v->text[i] : "–";
        const double w = fmin(text_width(text, SIZE) + 8, b->w);
        if (x > b->x && x + w > b->x + b->w) { x = b->x; y += ROW + 3; }
        put_token(b, v, i, (frame){ x, y, w, ROW });
        x += w + 2;
        const size_t len = strlen(text), sign = strlen("⏎");
        if (len >= sign && strcmp(text + len - sign, "⏎") == 0 && i + 1 < n) { x = b->x; y += ROW + 3; }
    }
    if (n < v->nx) draw_note(b->p, "%zu of %zu tokens shown", n, v->nx);
    return y + ROW - b->y;
}
