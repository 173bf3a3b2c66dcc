#include "shade.h"
#include <math.h>

/* Viridis (van der Walt and Smith, 2015), every 32nd of 256. */
static const rgb viridis[] = {
    { 68, 1, 84 }, { 71, 44, 122 }, { 59, 81, 139 }, { 44, 113, 142 }, { 33, 144, 141 },
    { 39, 173, 129 }, { 92, 200, 99 }, { 170, 220, 50 }, { 253, 231, 37 },
};
static const rgb teal_dark[]   = { { 16, 36, 48 }, { 18, 78, 102 }, { 32, 132, 158 }, { 120, 214, 226 } };
static const rgb teal_light[]  = { { 232, 244, 248 }, { 158, 208, 224 }, { 52, 140, 172 }, { 8, 66, 92 } };
static const rgb blue_dark[]   = { { 22, 30, 48 }, { 32, 64, 124 }, { 58, 116, 214 }, { 142, 190, 255 } };
static const rgb blue_light[]  = { { 236, 242, 252 }, { 166, 196, 242 }, { 62, 118, 208 }, { 16, 52, 122 } };
static const rgb amber_dark[]  = { { 44, 30, 18 }, { 118, 66, 16 }, { 214, 122, 24 }, { 255, 194, 112 } };
static const rgb amber_light[] = { { 252, 241, 230 }, { 246, 200, 146 }, { 216, 122, 30 }, { 124, 58, 4 } };

static rgb mix(const rgb *stops, int n, double t) {
    const double at = t * (n - 1);
    int i = (int)at;
    if (i > n - 2) i = n - 2;
    const double f = at - i;
    const rgb a = stops[i], b = stops[i + 1];
    return (rgb){ (uint8_t)lround(a.r + f * (b.r - a.r)), (uint8_t)lround(a.g + f * (b.g - a.g)),
                  (uint8_t)lround(a.b + f * (b.b - a.b)) };
}

void shade_add(shade_scale *s, double v) {
    if (!isfinite(v)) return;
    const bool first = s->lo > s->hi;
    if (first || v < s->lo) s->lo = v;
    if (first || v > s->hi) s->hi = v;
}

void shade_close(shade_scale *s) {
    if (s->lo > s->hi) return;
    s->is_signed = s->lo < 0 && s->hi > 0;
    if (s->is_signed) {
        s->hi = fmax(-s->lo, s->hi);
        s->lo = -s->hi;
    } else if (s->lo > 0 && s->lo < s->hi / 2) {
        s->lo = 0;
    } else if (s->hi < 0 && s->hi > s->lo / 2) {
        s->hi = 0;
    }
}

double shade_place(const shade_scale *s, double v) {
    if (!(s->hi > s->lo)) return s->hi != 0;
    const double t = (v / 2 - s->lo / 2) / (s->hi / 2 - s->lo / 2);     /* halves: the span may overflow */
    const double in = t < 0 ? 0 : t > 1 ? 1 : t;
    return s->root && !s->is_signed ? sqrt(in) : in;
}

bool shade_of(const shade_scale *s, double place, rgb *out) {
    if (s->is_signed) {
        const double t = fabs(2 * place - 1);
        const rgb *hue = place < 0.5 ? s->light ? blue_light : blue_dark : s->light ? amber_light : amber_dark;
        *out = mix(hue, 4, t);
        return t >= 1.0 / 32;
    }
    if (s->picture) {
        *out = mix(viridis, 9, place);
        return true;
    }
    *out = mix(s->light ? teal_light : teal_dark, 4, place);
    return place >= 1.0 / 32;
}

rgb shade_ink(rgb c) {
    const double light = 0.299 * c.r + 0.587 * c.g + 0.114 * c.b;
    return light > 128 ? (rgb){ 0, 0, 0 } : (rgb){ 255, 255, 255 };
}

static int cube_step(int v) { return v < 48 ? 0 : v < 115 ? 1 : (v - 35) / 40; }

static int distance(rgb a, int r, int g, int b) {
    return (a.r - r) * (a.r - r) + (a.g - g) * (a.g - g) + (a.b - b) * (a.b - b);
}

/* xterm's 256: 16..231 a cube with the steps 0 95 135 175 215 255, 232..255 greys 8 18 .. 238. */
static int nearest_of_256(rgb c) {
    static const int step[] = { 0, 95, 135, 175, 215, 255 };
    const int r = cube_step(c.r), g = cube_step(c.g), b = cube_step(c.b);
    const int mean = (c.r + c.g + c.b) / 3;
    const int grey = mean < 8 ? 0 : mean > 238 ? 23 : (mean - 3) / 10;
    const bool use_grey = distance(c, 8 + 10 * grey, 8 + 10 * grey, 8 + 10 * grey)
                        < distance(c, step[r], step[g], step[b]);
    return use_grey ? 232 + grey : 16 + 36 * r + 6 * g + b;
}

static void send_colour(pen *p, int which, rgb c, bool palette) {
    if (palette) pen_printf(p, "\x1b[%d;5;%dm", which, nearest_of_256(c));
    else pen_printf(p, "\x1b[%d;2;%d;%d;%dm", which, c.r, c.g, c.b);
}

void shade_fg(pen *p, rgb c, bool palette) { send_colour(p, 38, c, palette); }
void shade_bg(pen *p, rgb c, bool palette) { send_colour(p, 48, c, palette); }
