/* Lines with bands, and histograms that lie over another. */
#include "draw.h"
#include <math.h>
#include <stdlib.h>

enum { SMALL = 11, LEFT = 64, BELOW = 38, MOST_LINES = PAINT_CATEGORIES * PAINT_DASHES, MOST_DOTS = 2000 };

/* The plot of a panel, and its axis of x. */
typedef struct {
    const panel  *b;
    const pivot  *v;
    frame         plot;
    axis          x, y;
    double        below;
    const size_t *order;                /* of x, ascending */
    size_t        step;                 /* points pooled into one */
} chart;

static axis x_axis(const pivot *v) {
    axis a = AXIS_EMPTY;
    for (size_t i = 0; i < v->nx; i++) axis_add(&a, v->x_number ? v->x_number[i] : (double)i);
    a.name = v->x_name;
    return a;
}

/* Numbers of x make an axis, texts (and tokens) columns. */
static bool by_number(const pivot *v) { return v->x_number && (!v->x_token || v->nx > 60); }

static chart chart_of(const panel *b, const pivot *v, double height) {
    chart c = { .b = b, .v = v, .y = *b->value };
    c.plot = (frame){ b->x + LEFT, b->y + 4, b->w - LEFT - 8, height };
    c.y.from = c.plot.y + c.plot.h;
    c.y.to = c.plot.y;
    if (!c.y.name) c.y.name = v->value_name;
    draw_axis_y(b->p, &c.y, c.plot);
    if (by_number(v)) {
        c.x = x_axis(v);
        axis_close(&c.x, false);
        c.x.from = c.plot.x;
        c.x.to = c.plot.x + c.plot.w;
        draw_axis_x(b->p, &c.x, c.plot);
        c.below = BELOW;
    } else {
        c.x = (axis){ .lo = -0.5, .hi = (double)v->nx - 0.5, .from = c.plot.x, .to = c.plot.x + c.plot.w };
        draw_labels_x(b->p, v->x_label, v->nx, c.plot);
        draw_line(b->p, (frame){ c.plot.x, c.y.from, c.plot.w, 0 }, paint_dim);
        c.below = labels_x_height(v->x_label, v->nx, c.plot.w) + 18;
        mark *m = draw_text(b->p, c.plot.x + c.plot.w / 2, c.y.from + c.below - 3, v->x_name, paint_dim);
        m->size = SMALL;
        m->anchor = ANCHOR_MIDDLE;
    }
    return c;
}

static double x_of(const chart *c, size_t i) {
    return axis_at(&c->x, by_number(c->v) ? c->v->x_number[i] : (double)i);
}

typedef struct { double x; size_t at; } place;
static int by_x(const void *a, const void *b) {
    const place *p = a, *q = b;
    if (p->x != q->x) return p->x < q->x ? -1 : 1;
    return (p->at > q->at) - (p->at < q->at);
}

static size_t *order_of(const pivot *v, arena *into) {
    place *at = arena_new_array(into, place, v->nx);
    for (size_t i = 0; i < v->nx; i++) at[i] = (place){ by_number(v) ? v->x_number[i] : (double)i, i };
    qsort(at, v->nx, sizeof *at, by_x);
    size_t *order = arena_new_array(into, size_t, v->nx);
    for (size_t i = 0; i < v->nx; i++) order[i] = at[i].at;
    return order;
}

static void put_odd(const chart *c, size_t series, size_t i) {
    double value;
    const pivot_state state = pivot_at(c->v, series, i, &value);
    if (state == PIVOT_NONE || (state == PIVOT_VALUE && isfinite(value))) return;
    const double y = state == PIVOT_VALUE && value > 0 ? c->y.to + 10 : c->y.from - 3;
    mark *m = draw_text(c->b->p, x_of(c, i), y, odd_sign(state, value), paint_odd);
    m->anchor = ANCHOR_MIDDLE;
    m->tip = cell_tip(c->b->p->into, c->v, series, i);
}

static void put_band(const chart *c, size_t series, const size_t *order) {
    const pivot *v = c->v;
    double *point = arena_new_array(c->b->p->into, double, 4 * v->nx + 4);
    for (size_t i = 0; i < v->nx;) {
        size_t n = 0;
        for (; i + n < v->nx; n++) {
            const size_t at = series * v->nx + order[i + n];
            if (!isfinite(v->low[at]) || !isfinite(v->high[at])) break;
            point[2 * n] = x_of(c, order[i + n]);
            point[2 * n + 1] = axis_at(&c->y, v->high[at]);
        }
        for (size_t k = 0; k < n; k++) {
            const size_t back = n - 1 - k, at = series * v->nx + order[i + back];
            point[2 * (n + k)] = point[2 * back];
            point[2 * (n + k) + 1] = axis_at(&c->y, v->low[at]);
        }
        if (n > 1) draw_points(c->b->p, MARK_POLYGON, point, 2 * n, paint_category(series))->opacity = 0.18;
        i += n + 1;
    }
}

static void end_line(const chart *c, size_t series, const double *point, size_t n) {
    if (n < 2) return;
    mark *m = draw_points(c->b->p, MARK_POLYLINE, point, n, paint_category(series));
    m->width = 1.6;
    m->dash = (int)(series / PAINT_CATEGORIES % PAINT_DASHES);
}

/* The smallest and the largest number of `step` neighbours, in their order. */
static size_t pool(const chart *c, size_t series, size_t from, double out[4]) {
    size_t least = SIZE_MAX, most = SIZE_MAX;
    double lo = 0, hi = 0;
    for (size_t i = from; i < from + c->step && i < c->v->nx; i++) {
        double value;
        if (pivot_at(c->v, series, c->order[i], &value) != PIVOT_VALUE || !isfinite(value)) continue;
        if (least == SIZE_MAX || value < lo) { least = i; lo = value; }
        if (most == SIZE_MAX || value > hi) { most = i; hi = value; }
    }
    if (least == SIZE_MAX) return 0;
    const bool falls = most < least;
    const size_t first = falls ? most : least, last = falls ? least : most;
    out[0] = x_of(c, c->order[first]);
    out[1] = axis_at(&c->y, falls ? hi : lo);
    out[2] = x_of(c, c->order[last]);
    out[3] = axis_at(&c->y, falls ? lo : hi);
    return first == last ? 1 : 2;
}

static void put_line(const chart *c, size_t series, bool dots) {
    double *point = arena_new_array(c->b->p->into, double, 4 * (c->v->nx / c->step + 1));
    size_t n = 0;
    for (size_t i = 0; i < c->v->nx; i += c->step) {
        const size_t more = pool(c, series, i, point + 2 * n);
        double value;
        /* A place of no number breaks the line; a place without a row does not. */
        const bool gap = !more && pivot_at(c->v, series, c->order[i], &value) != PIVOT_NONE;
        if (gap) {
            end_line(c, series, point, n);
            n = 0;
        }
        n += more;
    }
    end_line(c, series, point, n);
    for (size_t i = 0; dots && i < c->v->nx; i++) {
        double value;
        put_odd(c, series, i);
        if (pivot_at(c->v, series, i, &value) != PIVOT_VALUE || !isfinite(value)) continue;
        draw_circle(c->b->p, x_of(c, i), axis_at(&c->y, value), 2.4, paint_category(series))->tip =
            cell_tip(c->b->p->into, c->v, series, i);
    }
}

double draw_lines(const panel *b, const pivot *v) {
    chart c = chart_of(b, v, b->small ? 170 : 280);
    const size_t n = v->ny < MOST_LINES ? v->ny : MOST_LINES;
    c.order = order_of(v, b->p->into);
    c.step = v->nx > 2 * (size_t)c.plot.w ? (size_t)ceil((double)v->nx / c.plot.w) : 1;
    for (size_t i = 0; i < n && v->low && v->high; i++) put_band(&c, i, c.order);
    for (size_t i = 0; i < n; i++) put_line(&c, i, n * v->nx <= MOST_DOTS && !(b->small && b->pixels));
    if (n < v->ny) draw_note(b->p, "%zu of %zu lines shown", n, v->ny);
    if (c.step > 1) draw_note(b->p, "%zu points a line: of each %zu the smallest and the largest are drawn", v->nx, c.step);
    return c.plot.h + c.below + 4;
}

/* Upper edge of a bin: as said, else the next lower edge, else as wide as the one before. */
static double upper_edge(const chart *c, size_t at, size_t i) {
    const pivot *v = c->v;
    const double said = v->high ? v->high[at] : NAN;
    if (isfinite(said)) return said;
    const double here = v->x_number[c->order[i]];
    if (i + 1 < v->nx) return v->x_number[c->order[i + 1]];
    return i ? 2 * here - v->x_number[c->order[i - 1]] : here + 1;
}

/* The largest count of `step` neighbours, as one bar over all of them. */
static void put_bin(const chart *c, size_t series, size_t from) {
    const pivot *v = c->v;
    picture *p = c->b->p;
    size_t most = SIZE_MAX, last = from;
    double count = 0, here;
    for (size_t i = from; i < from + c->step && i < v->nx; last = i++) {
        if (c->step == 1) put_odd(c, series, c->order[i]);
        if (pivot_at(v, series, c->order[i], &here) != PIVOT_VALUE || !isfinite(here)) continue;
        if (most == SIZE_MAX || here > count) { most = i; count = here; }
    }
    if (most == SIZE_MAX || (count <= 0 && c->y.logarithmic)) return;
    const double upper = upper_edge(c, series * v->nx + c->order[last], last);
    const double x = axis_at(&c->x, v->x_number[c->order[from]]);
    const double base = c->y.logarithmic ? c->y.from : axis_at(&c->y, 0), top = axis_at(&c->y, count);
    mark *m = draw_rect(p, (frame){ x, fmin(base, top), fmax(axis_at(&c->x, upper) - x, 0.5), fabs(base - top) },
                        paint_category(series));
    char digits[DIGITS_ROOM];
    m->opacity = v->ny > 1 ? 0.5 : 0.9;
    m->stroked = c->step == 1;
    m->stroke = m->fill;
    m->width = 0.6;
    m->tip = arena_printf(p->into, "%s to %s", cell_tip(p->into, v, series, c->order[most]), digits_exact(upper, digits));
}

double draw_histogram(const panel *b, const pivot *v) {
    if (!v->x_number) {
        draw_note(b->p, "%s holds no numbers, so these are no bins", v->x_name);
        return 0;
    }
    chart c = { .b = b, .v = v, .y = *b->value, .step = 1, .order = order_of(v, b->p->into) };
    c.plot = (frame){ b->x + LEFT, b->y + 4, b->w - LEFT - 8, b->small ? 150 : 240 };
    c.y.from = c.plot.y + c.plot.h;
    c.y.to = c.plot.y;
    c.y.name = v->value_name;
    c.x = x_axis(v);
    for (size_t y = 0; y < v->ny; y++)
        for (size_t i = 0; i < v->nx; i++) axis_add(&c.x, upper_edge(&c, y * v->nx + c.order[i], i));
    axis_close(&c.x, false);
    c.x.from = c.plot.x;
    c.x.to = c.plot.x + c.plot.w;
    draw_axis_y(b->p, &c.y, c.plot);
    draw_axis_x(b->p, &c.x, c.plot);
    size_t n = v->ny < PAINT_CATEGORIES ? v->ny : PAINT_CATEGORIES;
    c.step = v->nx > (size_t)2 * DRAW_WIDTH ? v->nx / DRAW_WIDTH : 1;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < v->nx; k += c.step) put_bin(&c, i, k);
    if (c.step > 1) draw_note(b->p, "%zu bins: a bar is the largest of %zu", v->nx, c.step);
    if (n < v->ny) draw_note(b->p, "%zu of %zu histograms shown", n, v->ny);
    return c.plot.h + BELOW + 4;
}
