/* Axes of numbers: ticks at 1, 2 or 5 times a power of ten (Heckbert, Nice numbers for graph labels, 1990), or at powers
 * of ten; and labels of columns, thinned until none touches another. */
#include "draw.h"
#include <math.h>
#include <string.h>

enum { SMALL = 11, MOST_TICKS = 32 };

void axis_add(axis *a, double v) {
    if (!isfinite(v) || (a->logarithmic && v <= 0)) return;
    const bool first = a->lo > a->hi;
    if (first || v < a->lo) a->lo = v;
    if (first || v > a->hi) a->hi = v;
}

void axis_close(axis *a, bool with_zero) {
    a->none = a->lo > a->hi;
    if (a->none) { a->lo = a->logarithmic ? 0.1 : 0; a->hi = 1; }
    if (a->logarithmic) {
        a->lo /= with_zero ? 2 : 1.2;                   /* a bar of the least value still has a length */
        a->hi *= 1.2;
        if (!(a->lo > 0)) a->lo = 1e-300;
        if (!isfinite(a->hi)) a->hi = 1e308;
        return;
    }
    if (with_zero) {
        a->lo = fmin(a->lo, 0);
        a->hi = fmax(a->hi, 0);
    }
    if (a->lo == a->hi) {
        const double half = a->lo != 0 ? fabs(a->lo) / 4 : 1;
        a->lo -= half;
        a->hi += half;
    }
    const double pad = a->hi / 25 - a->lo / 25;
    if (a->lo != 0) a->lo = fmax(a->lo - pad, -1.7e308);
    if (a->hi != 0) a->hi = fmin(a->hi + pad, 1.7e308);
}

/* Values beyond the ends are put at them; what has no place on a logarithmic axis at the low one. */
double axis_at(const axis *a, double v) {
    double t;
    if (a->logarithmic) t = v > 0 ? log(v / a->lo) / log(a->hi / a->lo) : 0;
    else t = (v / 2 - a->lo / 2) / (a->hi / 2 - a->lo / 2);         /* halves: the span may overflow */
    t = t > 0 ? t < 1 ? t : 1 : 0;
    return a->from + t * (a->to - a->from);
}

static size_t log_ticks(const axis *a, size_t most, double out[32]) {
    const int first = (int)ceil(log10(a->lo) - 1e-9), last = (int)floor(log10(a->hi) + 1e-9);
    const int decades = last - first + 1, step = decades > (int)most ? (decades + (int)most - 1) / (int)most : 1;
    size_t n = 0;
    if (decades < 3)                                    /* 1 2 5 */
        for (int d = first - 1; d <= last; d++)
            for (int i = 0; i < 3; i++) {
                const double v = (const double[]){ 1, 2, 5 }[i] * pow(10, d);
                if (v >= a->lo && v <= a->hi && n < most) out[n++] = v;
            }
    else for (int d = first; d <= last && n < most; d += step) out[n++] = pow(10, d);
    return n;
}

size_t axis_ticks(const axis *a, size_t most, double out[32]) {
    if (most < 1) most = 1;
    if (most > MOST_TICKS) most = MOST_TICKS;
    const size_t decades = a->logarithmic ? log_ticks(a, most, out) : 0;
    if (decades > 1) return decades;
    const double rough = a->hi / (double)most - a->lo / (double)most, power = pow(10, floor(log10(rough)));
    const double of = rough / power, step = (of <= 1 ? 1 : of <= 2 ? 2 : of <= 5 ? 5 : 10) * power;
    const double first = ceil(a->lo / step - 1e-9);
    size_t n = 0;
    for (; n <= most && n < MOST_TICKS; n++) {
        const double v = (first + (double)n) * step;
        if (!(v <= a->hi + step * 1e-9)) break;
        out[n] = fabs(v) < step * 1e-9 ? 0 : v;
    }
    return n;
}

const char *tick_label(arena *into, double tick) {
    char digits[DIGITS_ROOM];
    return arena_printf(into, "%s", digits_tick(tick, digits));
}

static mark *small(picture *p, double x, double y, const char *text) {
    mark *m = draw_text(p, x, y, text, paint_dim);
    m->size = SMALL;
    return m;
}

void draw_axis_x(picture *p, const axis *a, frame plot) {
    double tick[MOST_TICKS];
    const size_t n = axis_ticks(a, (size_t)(plot.w / 70), tick);
    for (size_t i = 0; i < n; i++) {
        const double x = axis_at(a, tick[i]);
        draw_line(p, (frame){ x, plot.y, 0, plot.h }, paint_grid);
        small(p, x, plot.y + plot.h + 15, tick_label(p->into, tick[i]))->anchor = ANCHOR_MIDDLE;
    }
    draw_line(p, (frame){ plot.x, plot.y + plot.h, plot.w, 0 }, paint_dim);
    if (a->name && *a->name)
        small(p, plot.x + plot.w / 2, plot.y + plot.h + 31,
              text_cut(p->into, a->name, SMALL, plot.w))->anchor = ANCHOR_MIDDLE;
}

void draw_axis_y(picture *p, const axis *a, frame plot) {
    double tick[MOST_TICKS];
    const size_t n = axis_ticks(a, (size_t)(plot.h / 32), tick);
    for (size_t i = 0; i < n; i++) {
        const double y = axis_at(a, tick[i]);
        draw_line(p, (frame){ plot.x, y, plot.w, 0 }, paint_grid);
        small(p, plot.x - 6, y + 4, tick_label(p->into, tick[i]))->anchor = ANCHOR_END;
    }
    if (!a->name || !*a->name) return;
    mark *m = small(p, plot.x - 52, plot.y + plot.h / 2, text_cut(p->into, a->name, SMALL, plot.h));
    m->anchor = ANCHOR_MIDDLE;
    m->upright = true;
}

static double widest(const char *const *label, size_t n) {
    double most = 0;
    for (size_t i = 0; i < n; i++) most = fmax(most, text_width(label[i], SMALL));
    return most;
}

/* 1, 2 or 5 times a power of ten: counted labels stay round. */
size_t label_step(double need) {
    size_t power = 1;
    while ((double)power * 10 < need) power *= 10;
    static const size_t times[] = { 1, 2, 5, 10 };
    size_t i = 0;
    while (i < 3 && (double)(times[i] * power) < need) i++;
    return times[i] * power;
}

enum { MOST_UPRIGHT = 90 };

/* Level where all fit, else upright. */
double labels_x_height(const char *const *label, size_t n, double width) {
    const double most = widest(label, n);
    if (most + 6 <= width / (double)n || most <= 30) return most > 0 ? 18 : 0;
    return fmin(most, MOST_UPRIGHT) + 10;
}

void draw_labels_x(picture *p, const char *const *label, size_t n, frame plot) {
    const double most = widest(label, n), column = plot.w / (double)n;
    const bool level = labels_x_height(label, n, plot.w) <= 18;
    const double need = (level ? most + 6 : SMALL + 2) * (n > 100 ? 2 : 1);
    const size_t step = label_step(need / column);
    for (size_t i = 0; i < n; i += step) {
        const double x = plot.x + ((double)i + 0.5) * column;
        if (level) small(p, x, plot.y + plot.h + 14, label[i])->anchor = ANCHOR_MIDDLE;
        else {
            mark *m = small(p, x + 4, plot.y + plot.h + 6, text_cut(p->into, label[i], SMALL, MOST_UPRIGHT));
            m->anchor = ANCHOR_END;
            m->upright = true;
        }
    }
}
