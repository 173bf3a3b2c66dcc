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

/* The colours of a page's pictures become classes: f0 fills, s0 strokes with the first. */
typedef struct { LIST(paint) colours; size_t *slot, slots; } palette;
void palette_add(palette *colours, const picture *p);
void palette_write(const palette *colours, pen *p);     /* the rules, for a style element */
void palette_free(palette *colours);
/* An svg element without name spaces, for HTML. Rasters stay grey: a page lays canvas elements over them. */
void paint_svg(const picture *p, const palette *colours, pen *out);
/* Text between tags or in quotes. */
void html_text(pen *p, const char *text);
/* With two decimals at most. */
void html_number(pen *p, double v);

/* Data for the page's script: elements of their own, named by an id. */
typedef struct { pen *p; arena *scratch; size_t ids; } html_pen;
void   html_json_text(html_pen *h, const char *text);   /* a JSON string that may stand in a script element */
void   html_palettes(html_pen *h);
size_t html_raster(html_pen *h, const raster *r);       /* returns the id's number: d7 */
size_t html_scene(html_pen *h, const scene *s);
size_t html_csv(html_pen *h, const sonde_table *t);
size_t html_array(html_pen *h, const sonde_array *a);

/* The whole page. UNSUPPORTED where OpenSSL cannot sign the script. */
sonde_status html_write(const sonde_result *r, pen *p);
void html_table(html_pen *h, const sonde_table *t);
void html_numbers(html_pen *h, const sonde_array *a);
#endif
