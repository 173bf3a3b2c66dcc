/* Bars from zero, a row each, with their numbers; words sized by a value; box plots. */
#include "draw.h"
#include <math.h>
#include <stdlib.h>

enum { SMALL = 11, ROW = 19, MOST_BARS = 200, MOST_LABEL = 220, NUMBER = 64, BELOW = 38, LEFT = 64 };

static void put_bar(const panel *b, const pivot *v, size_t i, frame row) {
    picture *p = b->p;
    axis a = *b->value;
    a.from = row.x;
    a.to = row.x + row.w;
    double value;
    const size_t y = v->ny > 1 ? i : 0, x = v->ny > 1 ? 0 : i;
    const pivot_state state = pivot_at(v, y, x, &value);
    const char *tip = cell_tip(p->into, v, y, x);
    if (state != PIVOT_VALUE || !isfinite(value)) {
        draw_text(p, row.x + 4, row.y + 13, odd_sign(state, value), paint_odd)->tip = tip;
        return;
    }
    const double zero = a.logarithmic ? a.from : axis_at(&a, 0), end = axis_at(&a, value);
    const frame bar = { fmin(zero, end), row.y + 2, fabs(end - zero), row.h - 4 };
    draw_rect(p, bar, value < 0 ? paint_minus : paint_bar)->tip = tip;
    char digits[DIGITS_ROOM];
    const char *number = arena_printf(p->into, "%s", digits_short(value, digits));
    mark *m = draw_text(p, row.x + row.w + NUMBER - 2, row.y + 13, number, paint_dim);
    m->size = SMALL;
    m->anchor = ANCHOR_END;
}

double draw_bars(const panel *b, const pivot *v) {
    picture *p = b->p;
    const bool down = v->ny > 1;
    const size_t there = down ? v->ny : v->nx, n = there < MOST_BARS ? there : MOST_BARS;
    const char *const *label = down ? v->y_label : v->x_label;
    double left = 0;
    for (size_t i = 0; i < n; i++) left = fmax(left, text_width(label[i], SMALL));
    left = fmin(fmin(left, MOST_LABEL), b->w / 3) + 8;
    const frame plot = { b->x + left, b->y + 2, b->w - left - NUMBER, (double)n * ROW };
    axis a = *b->value;
    a.from = plot.x;
    a.to = plot.x + plot.w;
    a.name = v->value_name;
    draw_axis_x(p, &a, plot);
    for (size_t i = 0; i < n; i++) {
        const frame row = { plot.x, plot.y + (double)i * ROW, plot.w, ROW };
        mark *m = draw_text(p, plot.x - 6, row.y + 13, text_cut(p->into, label[i], SMALL, left - 8), paint_ink);
        m->anchor = ANCHOR_END;
        m->size = SMALL;
        put_bar(b, v, i, row);
    }
    if (!a.logarithmic) draw_line(p, (frame){ axis_at(&a, 0), plot.y, 0, plot.h }, paint_dim);
    const size_t all = v->all > there ? v->all : there;
    if (n < all) draw_note(p, "%zu of %zu bars shown", n, all);
    return plot.h + BELOW + 2;
}

/* One box between x and x + w; returns how many points beyond it drew. */
static size_t put_box(const panel *b, const samples *s, size_t cell, frame at) {
    picture *p = b->p;
    const double *number = s->number + s->from[cell];
    const size_t n = s->from[cell + 1] - s->from[cell], group = cell / s->grid.nx;
    if (!n) return 0;
    axis a = *b->value;
    a.from = at.y + at.h;
    a.to = at.y;
    const box_five f = box_of(number, n);
    const double x = at.x + at.w / 2, w = fmin(at.w * 0.8, 26), q1 = axis_at(&a, f.q1), q3 = axis_at(&a, f.q3);
    const paint c = paint_category(s->grid.ny > PAINT_CATEGORIES ? 0 : group);
    char d[5][DIGITS_ROOM];
    const char *tip = arena_printf(p->into, "%s\nquartiles %s, %s\nwhiskers %s, %s\n%zu numbers",
                                   cell_tip(p->into, &s->grid, group, cell % s->grid.nx),
                                   digits_exact(f.q1, d[0]), digits_exact(f.q3, d[1]), digits_exact(f.low, d[2]),
                                   digits_exact(f.high, d[3]), n);
    draw_line(p, (frame){ x, axis_at(&a, f.high), 0, q3 - axis_at(&a, f.high) }, c);
    draw_line(p, (frame){ x, q1, 0, axis_at(&a, f.low) - q1 }, c);
    draw_line(p, (frame){ x - w / 4, axis_at(&a, f.high), w / 2, 0 }, c);
    draw_line(p, (frame){ x - w / 4, axis_at(&a, f.low), w / 2, 0 }, c);
    mark *m = draw_rect(p, (frame){ x - w / 2, q3, w, fmax(q1 - q3, 0.5) }, c);
    m->opacity = 0.35;
    m->stroked = true;
    m->stroke = c;
    m->tip = tip;
    draw_line(p, (frame){ x - w / 2, axis_at(&a, f.median), w, 0 }, paint_ink)->width = 1.8;
    size_t beyond = 0;
    for (size_t i = 0; i < n; i++) {
        if (number[i] >= f.low && number[i] <= f.high) continue;
        draw_circle(p, x, axis_at(&a, number[i]), 1.7, c)->tip =
            arena_printf(p->into, "%s %s", s->grid.value_name, digits_exact(number[i], d[4]));
        if (++beyond == 40) {
            draw_note(p, "at most 40 points beyond the whiskers of a box are drawn");
            break;
        }
    }
    return beyond;
}

/* The boxes of rows from .. to of the grid beside each other. */
static double put_boxes(const panel *b, const samples *s, size_t from, size_t to, double y) {
    const pivot *v = &s->grid;
    const double height = b->small || v->ny > to - from ? 150 : 260;
    const frame plot = { b->x + LEFT, y + 4, b->w - LEFT - 8, height };
    axis a = *b->value;
    a.from = plot.y + plot.h;
    a.to = plot.y;
    a.name = v->value_name;
    draw_axis_y(b->p, &a, plot);
    draw_line(b->p, (frame){ plot.x, a.from, plot.w, 0 }, paint_dim);
    const size_t rows = to - from, most = (size_t)(plot.w / 7) / rows, n = v->nx < most ? v->nx : most;
    const double group = plot.w / (double)n, each = group / ((double)rows + (rows > 1 ? 0.6 : 0));
    for (size_t i = 0; i < n * rows; i++) {
        const size_t row = i / n;
        const double x = plot.x + (double)(i % n) * group + (group - each * (double)rows) / 2 + (double)row * each;
        put_box(b, s, (from + i / n) * v->nx + i % n, (frame){ x, plot.y, each, plot.h });
    }
    if (n < v->nx) draw_note(b->p, "%zu of %zu boxes across shown", n, v->nx);
    draw_labels_x(b->p, v->x_label, n, plot);
    const double below = labels_x_height(v->x_label, n, plot.w) + 16;
    const char *said = rows < v->ny ? arena_printf(b->p->into, "%s %s; %s", v->y_name, v->y_label[from], v->x_name)
        : v->x_name;
    mark *m = draw_text(b->p, plot.x + plot.w / 2, a.from + below - 2, text_cut(b->p->into, said, SMALL, plot.w), paint_dim);
    m->size = SMALL;
    m->anchor = ANCHOR_MIDDLE;
    return 4 + plot.h + below + 6;
}

double draw_boxes(const panel *b, const samples *s) {
    const pivot *v = &s->grid;
    double y = b->y;
    if (s->odd) draw_note(b->p, "in no box: %zu missing or not finite", s->odd);
    const bool beside = v->ny == 1 || (v->ny <= PAINT_CATEGORIES && (double)(v->nx * v->ny) * 12 <= b->w - LEFT);
    if (beside) return put_boxes(b, s, 0, v->ny, y);
    const size_t rows = v->ny < 24 ? v->ny : 24;
    for (size_t i = 0; i < rows; i++) y += put_boxes(b, s, i, i + 1, y);
    if (rows < v->ny) draw_note(b->p, "%zu of %zu rows of boxes shown", rows, v->ny);
    return y - b->y;
}
