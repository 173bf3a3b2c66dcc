/* Heatmaps: numbers on coloured cells where they fit, else cells of colour alone, else a raster whose pixels pool cells
 * by the largest magnitude (what is no number shows through). */
#include "draw.h"
#include <math.h>
#include <string.h>

enum { SMALL = 11, ROW = 22, MOST_LABEL = 150, MOST_HEIGHT = 720, TINY = 130, MOST_CELL = 76, MOST_BLOCK = 26 };

const char *cell_tip(arena *into, const pivot *v, size_t y, size_t x) {
    double value;
    char digits[DIGITS_ROOM];
    const pivot_state state = pivot_at(v, y, x, &value);
    const char *number = state == PIVOT_VALUE ? digits_exact(value, digits) : state == PIVOT_MISSING ? "missing" : "no row";
    const char *xs = v->x_label ? v->x_label[x] : "", *ys = v->y_label ? v->y_label[y] : "";
    const char *text = v->text && v->text[y * v->nx + x] ? v->text[y * v->nx + x] : "";
    const char *where = arena_printf(into, "%s %s%s%s %s", v->y_name, ys, *ys && *xs ? ", " : "", v->x_name, xs);
    while (*where == ' ') where++;
    return arena_printf(into, "%s%s%s\n%s %s", where, *text ? "\n" : "", text, v->value_name, number);
}

static double label_room(const panel *b, const pivot *v) {
    if (b->small && b->w <= TINY) return 0;
    double most = 0;
    for (size_t y = 0; y < v->ny; y++) most = fmax(most, text_width(v->y_label[y], SMALL));
    most = fmin(most, fmin(MOST_LABEL, b->w / 4));
    return (most > 0 ? most + 8 : 0) + (*v->y_name ? 16 : 0);
}

bool heatmap_has_numbers(const panel *b, const pivot *v) {
    if (v->nx * v->ny > 1500) return false;
    const double room = (b->w - label_room(b, v)) / (double)v->nx;
    double most = 0;
    for (size_t i = 0; i < v->nx * v->ny; i++) {
        char digits[DIGITS_ROOM];
        if (!v->state || v->state[i] == PIVOT_VALUE) most = fmax(most, text_width(digits_tiny(v->value[i], digits), SMALL));
    }
    return most + 4 <= room;
}

static void put_cell(const panel *b, const pivot *v, size_t at, frame cell, bool numbers) {
    picture *p = b->p;
    double value;
    const pivot_state state = pivot_at(v, at / v->nx, at % v->nx, &value);
    if (state == PIVOT_NONE) return;
    const bool number = state == PIVOT_VALUE && isfinite(value);
    const paint fill = number ? paint_value(b->scale, value) : state == PIVOT_MISSING ? paint_grid : paint_odd;
    const double gap = cell.w >= 6 && cell.h >= 6 ? 0.5 : 0;
    mark *ground = draw_rect(p, (frame){ cell.x + gap, cell.y + gap, cell.w - 2 * gap, cell.h - 2 * gap }, fill);
    ground->tip = cell_tip(p->into, v, at / v->nx, at % v->nx);
    ground->stroked = numbers;                          /* seen where its colour is the page's */
    ground->stroke = paint_grid;
    char digits[DIGITS_ROOM];
    const char *text = number ? digits_tiny(value, digits) : odd_sign(state, value);
    if ((!numbers && number) || text_width(text, SMALL) > cell.w || cell.h < SMALL) return;
    mark *m = draw_text(p, cell.x + cell.w / 2, cell.y + cell.h / 2 + 4, arena_printf(p->into, "%s", text), paint_on(fill));
    m->anchor = ANCHOR_MIDDLE;
    m->size = SMALL;
}

/* Largest magnitude of a pixel's cells; what is no number wins over numbers, numbers over what is missing. */
static void pool_pixel(const raster *r, size_t py, size_t px, double *value, uint8_t *state) {
    const pivot *v = r->v;
    *state = PIVOT_NONE;
    for (size_t y = py * r->fy; y < (py + 1) * r->fy && y < v->ny; y++)
        for (size_t x = px * r->fx; x < (px + 1) * r->fx && x < v->nx; x++) {
            double here;
            const pivot_state s = pivot_at(v, y, x, &here);
            if (s == PIVOT_NONE || (s == PIVOT_MISSING && *state != PIVOT_NONE)) continue;
            const bool wins = *state != PIVOT_VALUE || (isfinite(*value) && (!isfinite(here) || fabs(here) > fabs(*value)));
            if (s == PIVOT_VALUE && !wins) continue;
            *state = (uint8_t)s;
            *value = here;
        }
}

static raster *raster_of(const panel *b, const pivot *v, size_t most_x, size_t most_y) {
    raster *r = arena_new_array(b->p->into, raster, 1);
    pivot *kept = arena_new_array(b->p->into, pivot, 1);
    *kept = *v;
    *r = (raster){ .fx = (v->nx + most_x - 1) / most_x, .fy = (v->ny + most_y - 1) / most_y, .scale = *b->scale, .v = kept };
    r->nx = (v->nx + r->fx - 1) / r->fx;
    r->ny = (v->ny + r->fy - 1) / r->fy;
    r->title = v->title;
    double *value = arena_new_array(b->p->into, double, r->nx * r->ny);
    uint8_t *state = arena_new_array(b->p->into, uint8_t, r->nx * r->ny);
    for (size_t i = 0; i < r->nx * r->ny; i++) pool_pixel(r, i / r->nx, i % r->nx, &value[i], &state[i]);
    r->value = value;
    r->state = state;
    if (r->fx > 1 || r->fy > 1)
        draw_note(b->p, "%zu by %zu cells; a pixel is the largest magnitude of %zu by %zu", v->ny, v->nx, r->fy, r->fx);
    return r;
}

static void put_names(const panel *b, const pivot *v, frame plot, double left) {
    picture *p = b->p;
    const double h = plot.h / (double)v->ny;
    const size_t step = label_step((SMALL + 2) * (v->ny > 100 ? 2 : 1) / h);
    const double room = left - 8 - (*v->y_name ? 16 : 0);
    for (size_t y = 0; y < v->ny && room > 0; y += step) {
        mark *m = draw_text(p, plot.x - 6, plot.y + ((double)y + 0.5) * h + 4, text_cut(p->into, v->y_label[y], SMALL, room),
                            paint_dim);
        m->anchor = ANCHOR_END;
        m->size = SMALL;
    }
    if (*v->y_name) {
        mark *m = draw_text(p, b->x + 11, plot.y + plot.h / 2, text_cut(p->into, v->y_name, SMALL, fmax(plot.h, 40)),
                            paint_dim);
        m->anchor = ANCHOR_MIDDLE;
        m->upright = true;
        m->size = SMALL;
    }
}

static double put_x_names(const panel *b, const pivot *v, frame plot) {
    picture *p = b->p;
    double below = labels_x_height(v->x_label, v->nx, plot.w);
    if (below > 0) draw_labels_x(p, v->x_label, v->nx, plot);
    if (!*v->x_name) return below;
    const char *name = text_cut(p->into, v->x_name, SMALL, fmax(plot.w, 60));
    const double half = text_width(name, SMALL) / 2;
    mark *m = draw_text(p, fmax(plot.x + plot.w / 2, plot.x + half), plot.y + plot.h + below + 12, name, paint_dim);
    m->anchor = ANCHOR_MIDDLE;
    m->size = SMALL;
    return below + 16;
}

/* Width and height of a cell. */
static frame cell_of(const panel *b, double room) {
    const double nx = (double)b->most_x, ny = (double)b->most_y, w = room / nx;
    if (!b->scale->picture && !b->small) return (frame){ .w = fmin(w, MOST_CELL), .h = ROW };
    const bool tiny = b->small && b->w <= TINY, square = b->most_x == b->most_y;
    frame cell = { .w = tiny ? w : fmin(w, MOST_BLOCK) };
    cell.h = square || cell.w < 14 ? cell.w : fmin(cell.w, 18);
    const double most = b->small ? fmax(b->w * 1.2, 60) : MOST_HEIGHT;
    if (cell.h * ny > most) cell.h = most / ny;
    const double least = b->small ? fmin(most, 36) : 20;
    if (cell.h * ny < least && !square) cell.h = least / ny;
    return cell;
}

double draw_heatmap(const panel *b, const pivot *v) {
    const double left = label_room(b, v);
    const bool tiny = b->small && b->w <= TINY, numbers = !b->scale->picture;
    const frame cell = cell_of(b, b->w - left - 1);
    const frame plot = { b->x + left, b->y, cell.w * (double)v->nx, cell.h * (double)v->ny };
    if (b->pixels) {
        const double sharp = b->small ? 2 : 1;
        const raster *r = raster_of(b, v, (size_t)fmax(1, plot.w * sharp), (size_t)fmax(1, plot.h * sharp));
        mark *m = draw_rect(b->p, plot, paint_grid);
        m->shape = MARK_RASTER;
        m->raster = r;
    } else for (size_t i = 0; i < v->nx * v->ny; i++) {
        const size_t row = i / v->nx;
        const frame at = { plot.x + (double)(i % v->nx) * cell.w, plot.y + (double)row * cell.h, cell.w, cell.h };
        put_cell(b, v, i, at, numbers);
    }
    if (tiny) {
        draw_note(b->p, "each picture: %s 0 to %zu down, %s 0 to %zu across", *v->y_name ? v->y_name : "rows", v->ny - 1,
                  *v->x_name ? v->x_name : "columns", v->nx - 1);
        return plot.h;
    }
    put_names(b, v, plot, left);
    return plot.h + put_x_names(b, v, plot);
}
