/* strips.h - attention patterns of every layer and head as one picture, a pixel a weight.
 *
 * A strip a layer, from the top, one pixel between them; in it the heads side by side, t x t each, queries downwards. A
 * pixel is min(255, 255 |a|), whole part, in the colours of Inferno; right of its strip stands the layer's number. */
#ifndef SONDE_STRIPS_H
#define SONDE_STRIPS_H
#include "sonde/error.h"
#include <stdint.h>

enum { STRIPS_MARGIN = 40 };            /* pixels for the numbers */

typedef struct strips strips;
typedef struct { int64_t layers, heads, t; } strips_size;
typedef struct { int64_t layer, head, query; } strips_row;

/* UNSUPPORTED: larger than pictures get. Free whatever it returns. */
sonde_status strips_open(strips **out, strips_size size, sonde_error *err);
void         strips_put(strips *s, strips_row at, const float *a);          /* t weights */
/* As PNG, written beside and renamed. UNSUPPORTED in a build without cairo. */
sonde_status strips_save(strips *s, const char *path, sonde_error *err);
void         strips_free(strips *s);                                        /* accepts NULL */
#endif
