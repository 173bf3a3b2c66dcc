/* paint.h - pictures become files: SVG, PNG and PDF by cairo, and parts of a page. */
#ifndef SONDE_PAINT_H
#define SONDE_PAINT_H
#include "draw.h"

typedef enum { PAINT_SVG, PAINT_PNG, PAINT_PDF } paint_format;

/* All pictures below each other on a light page (PDF: a page each). UNSUPPORTED in a build without cairo. */
typedef struct { picture **at; size_t n; } gallery;
sonde_status paint_cairo(gallery g, paint_format format, pen *p);
/* OK, or UNSUPPORTED: this build has no cairo. */
sonde_status paint_can(const char *path, sonde_error *err);

/* Colours met on a page become classes: c0, c1, .. */
typedef struct { LIST(paint) colours; size_t *slot, slots; } palette;
void palette_write(const palette *colours, pen *p);      /* the rules, for a style element */
void palette_free(palette *colours);
/* An svg element without name spaces, for HTML. Rasters are left to the page's script: canvas elements are put over it. */
void paint_svg(const picture *p, palette *colours, pen *out);
/* Text between tags or in quotes. */
void paint_escaped(pen *p, const char *text);
#endif
