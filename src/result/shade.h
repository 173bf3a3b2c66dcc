/* shade.h - which colour a number has, and how a terminal is told so.
 *
 * One-sided numbers go from the page's own colour into one hue where text stands
 * on them, and through viridis where none does; signed ones go from blue through
 * the page's colour to orange over a symmetric domain. */
#ifndef SONDE_SHADE_H
#define SONDE_SHADE_H
#include "pen.h"
#include <stdint.h>

typedef struct { uint8_t r, g, b; } rgb;

typedef struct {
    double lo, hi;              /* lo == hi: every value is the same; nothing finite: lo > hi */
    bool   is_signed;           /* lo == -hi */
    bool   picture;             /* no text stands on it: viridis */
    bool   light;
    bool   root;                /* one-sided: colours go by the square root of the place */
} shade_scale;

/* Widen a scale (from SHADE_EMPTY) by a value, then close it: zero is in it unless all values are far from zero. */
#define SHADE_EMPTY { .lo = 1, .hi = -1 }
void shade_add(shade_scale *s, double v);
void shade_close(shade_scale *s);
/* 0..1 in the scale; 0.5 is zero when it is signed. */
double shade_place(const shade_scale *s, double v);
/* False: the page's own colour. */
bool shade_of(const shade_scale *s, double place, rgb *out);
/* Black or white, whichever can be read on it. */
rgb  shade_ink(rgb ground);

/* Escape sequences; `palette`: the nearest of 256 colours. */
void shade_fg(pen *p, rgb c, bool palette);
void shade_bg(pen *p, rgb c, bool palette);
#endif
