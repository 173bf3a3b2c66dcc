/* What the colours mean: a bar with its domain, swatches, and the signs of what is no number. */
#include "draw.h"
#include <math.h>

enum { BAR = 180, STEPS = 60, SMALL = 11 };

static double text(picture *p, double x, double y, const char *said) {
    draw_text(p, x, y, said, paint_dim)->size = SMALL;
    return x + text_width(said, SMALL);
}

const char *odd_sign(pivot_state state, double value) {
    return state == PIVOT_NONE ? "" : state == PIVOT_MISSING ? "–" : isnan(value) ? "×" : value > 0 ? "∞" : "-∞";
}

odd_signs odd_of(const pivot *v) {
    odd_signs odd = { false, false, false };
    for (size_t i = 0; i < v->nx * v->ny; i++) {
        if (v->state && v->state[i] == PIVOT_MISSING) odd.missing = true;
        else if (v->state && v->state[i] == PIVOT_NONE) continue;
        else if (isnan(v->value[i])) odd.nan = true;
        else if (isinf(v->value[i])) odd.infinite = true;
    }
    return odd;
}

double draw_odd_legend(picture *p, odd_signs odd, double x, double y) {
    const struct { bool there; const char *said; paint c; } sign[] = {
        { odd.missing, "– missing", paint_grid },
        { odd.nan, "× NaN", paint_odd },
        { odd.infinite, "∞ infinite", paint_odd },
    };
    for (size_t i = 0; i < 3; i++) {
        if (!sign[i].there) continue;
        draw_rect(p, (frame){ x, y, 10, 10 }, sign[i].c);
        x = text(p, x + 14, y + 9, sign[i].said) + 14;
    }
    return x;
}

double draw_legend(picture *p, const shade_scale *s, const char *name, double y) {
    char digits[DIGITS_ROOM];
    double x = 0;
    if (s->lo <= s->hi) {
        x = text(p, x, y + 10, arena_printf(p->into, "%s", digits_short(s->lo, digits))) + 6;
        if (s->lo < s->hi) {
            for (int i = 0; i < STEPS; i++) {
                const double t = (i + 0.5) / STEPS, v = 2 * (s->lo / 2 * (1 - t) + s->hi / 2 * t);
                draw_rect(p, (frame){ x + i * (double)BAR / STEPS, y, (double)BAR / STEPS + (i + 1 < STEPS ? 1 : 0), 12 },
                          paint_value(s, v));
            }
            x = text(p, x + BAR + 6, y + 10, arena_printf(p->into, "%s", digits_short(s->hi, digits))) + 8;
        }
    }
    if (s->root && !s->is_signed) name = arena_printf(p->into, "%s, colour by its square root", name);
    text(p, x + 4, y + 10, text_cut(p->into, name, SMALL, DRAW_WIDTH / 3.0));
    return 18;
}

double draw_categories(picture *p, categories c, double y) {
    double x = 0, top = y;
    for (size_t i = 0; i < c.n; i++) {
        const char *said = text_cut(p->into, c.name[i], SMALL, DRAW_WIDTH / 3.0);
        const double w = 30 + text_width(said, SMALL) + 16;
        if (x > 0 && x + w > DRAW_WIDTH) { x = 0; top += 17; }
        if (c.dashed) {
            mark *m = draw_line(p, (frame){ x, top + 6, 24, 0 }, paint_category(i));
            m->dash = (int)(i / PAINT_CATEGORIES % PAINT_DASHES);
            m->width = 2;
        } else draw_rect(p, (frame){ x + 8, top, 12, 12 }, paint_category(i));
        text(p, x + 30, top + 10, said);
        x += w;
    }
    return c.n ? top + 18 - y : 0;
}
