/* The back end for files that hold pictures alone. */
#include "paint.h"
#include "base/text.h"

#ifndef SONDE_CAIRO

sonde_status paint_can(const char *path, sonde_error *err) {
    return sonde_fail(err, SONDE_UNSUPPORTED, "%s: this build draws no such files (cairo was not there when it was built), "
                      "use .html", name_shown(path).text);
}

sonde_status paint_cairo(gallery g, paint_format format, pen *p) {
    (void)g;
    (void)format;
    return paint_can("cairo", p->err);
}

#else
#include <cairo-pdf.h>
#include <cairo-svg.h>
#include <math.h>

enum { MARGIN = 24, GAP = 34, SHARP = 2, MOST_PIXELS = 32767 };
static const double point = 0.75;                       /* of a CSS pixel */

sonde_status paint_can(const char *path, sonde_error *err) {
    (void)path;
    (void)err;
    return SONDE_OK;
}

static void use(cairo_t *c, rgb light, double opacity) {
    cairo_set_source_rgba(c, light.r / 255.0, light.g / 255.0, light.b / 255.0, opacity);
}

static void put_raster(cairo_t *c, const mark *m) {
    const raster *r = m->raster;
    cairo_surface_t *image = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, (int)r->nx, (int)r->ny);
    unsigned char *data = cairo_image_surface_get_data(image);
    const size_t stride = (size_t)cairo_image_surface_get_stride(image);
    for (size_t i = 0; data && i < r->nx * r->ny; i++) {
        if (r->state[i] == PIVOT_NONE) continue;
        const rgb v = r->state[i] == PIVOT_MISSING ? paint_grid.light : paint_value(&r->scale, r->value[i]).light;
        const uint32_t word = 0xff000000u | (uint32_t)v.r << 16 | (uint32_t)v.g << 8 | v.b;
        *(uint32_t *)(void *)(data + i / r->nx * stride + 4 * (i % r->nx)) = word;
    }
    cairo_surface_mark_dirty(image);
    cairo_save(c);
    cairo_translate(c, m->at.x, m->at.y);
    cairo_scale(c, m->at.w / (double)r->nx, m->at.h / (double)r->ny);
    cairo_set_source_surface(c, image, 0, 0);
    cairo_pattern_set_filter(cairo_get_source(c), CAIRO_FILTER_NEAREST);
    cairo_paint(c);
    cairo_restore(c);
    cairo_surface_destroy(image);
}

static void put_text(cairo_t *c, const mark *m) {
    cairo_select_font_face(c, "sans-serif", CAIRO_FONT_SLANT_NORMAL, m->bold ? CAIRO_FONT_WEIGHT_BOLD
                           : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(c, m->size);
    cairo_text_extents_t e;
    cairo_text_extents(c, m->text, &e);
    const double back = m->anchor == ANCHOR_START ? 0 : m->anchor == ANCHOR_MIDDLE ? e.x_advance / 2 : e.x_advance;
    use(c, m->fill.light, m->opacity);
    cairo_save(c);
    cairo_translate(c, m->at.x, m->at.y);
    if (m->upright) cairo_rotate(c, -acos(-1) / 2);
    cairo_move_to(c, -back, 0);
    cairo_show_text(c, m->text);
    cairo_restore(c);
}

static void make_path(cairo_t *c, const mark *m) {
    cairo_new_path(c);
    switch (m->shape) {
    case MARK_RECT:   cairo_rectangle(c, m->at.x, m->at.y, m->at.w, m->at.h); break;
    case MARK_CIRCLE: cairo_arc(c, m->at.x, m->at.y, m->at.w, 0, 2 * acos(-1)); break;
    case MARK_LINE:
        cairo_move_to(c, m->at.x, m->at.y);
        cairo_line_to(c, m->at.x + m->at.w, m->at.y + m->at.h);
        break;
    default:
        for (size_t i = 0; i < m->n; i++) cairo_line_to(c, m->points[2 * i], m->points[2 * i + 1]);
        if (m->shape == MARK_POLYGON) cairo_close_path(c);
    }
}

static void put_mark(cairo_t *c, const mark *m) {
    static const double dash[PAINT_DASHES][4] = { { 0 }, { 6, 3, 6, 3 }, { 2, 3, 2, 3 }, { 8, 3, 2, 3 } };
    if (m->shape == MARK_TEXT) { put_text(c, m); return; }
    if (m->shape == MARK_RASTER) { put_raster(c, m); return; }
    make_path(c, m);
    if (m->filled) {
        use(c, m->fill.light, m->opacity);
        cairo_fill_preserve(c);
    }
    if (!m->stroked) return;
    cairo_set_dash(c, dash[m->dash % PAINT_DASHES], m->dash % PAINT_DASHES ? 4 : 0, 0);
    cairo_set_line_width(c, m->width);
    cairo_set_line_join(c, CAIRO_LINE_JOIN_ROUND);
    use(c, m->stroke.light, m->filled ? 1 : m->opacity);
    cairo_stroke(c);
}

static void put_picture(cairo_t *c, const picture *p, double y) {
    cairo_save(c);
    cairo_translate(c, MARGIN, y);
    for (size_t i = 0; i < p->marks.n; i++) put_mark(c, &p->marks.at[i]);
    cairo_restore(c);
}

static cairo_status_t to_pen(void *user, const unsigned char *bytes, unsigned n) {
    pen *p = user;
    pen_put(p, (const char *)bytes, n);
    return p->status == SONDE_OK ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_WRITE_ERROR;
}

static void put_all(cairo_t *c, gallery g, bool pages) {
    cairo_font_options_t *o = cairo_font_options_create();
    cairo_font_options_set_hint_metrics(o, CAIRO_HINT_METRICS_OFF);
    cairo_font_options_set_hint_style(o, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_antialias(o, CAIRO_ANTIALIAS_GRAY);
    cairo_set_font_options(c, o);
    cairo_font_options_destroy(o);
    double y = MARGIN;
    for (size_t i = 0; i < g.n; i++) {
        if (pages) {
            cairo_pdf_surface_set_size(cairo_get_target(c), (g.at[i]->width + 2 * MARGIN) * point,
                                       (g.at[i]->height + 2 * MARGIN) * point);
            y = MARGIN;
        }
        if (pages || !i) {
            use(c, paint_page.light, 1);
            cairo_paint(c);
        }
        put_picture(c, g.at[i], y);
        y += g.at[i]->height + GAP;
        if (pages) cairo_show_page(c);
    }
}

static cairo_surface_t *open_surface(paint_format format, frame size, pen *p) {
    if (format == PAINT_PNG)
        return cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)lround(size.w * size.x), (int)lround(size.h * size.x));
    cairo_surface_t *s;
    if (format == PAINT_PDF) {
        s = cairo_pdf_surface_create_for_stream(to_pen, p, size.w, size.h);
        cairo_pdf_surface_set_metadata(s, CAIRO_PDF_METADATA_CREATE_DATE, "");     /* the same result, the same file */
        return s;
    }
    s = cairo_svg_surface_create_for_stream(to_pen, p, size.w, size.h);
    cairo_svg_surface_set_document_unit(s, CAIRO_SVG_UNIT_PX);
    return s;
}

sonde_status paint_cairo(gallery g, paint_format format, pen *p) {
    frame size = { .x = format == PAINT_PNG ? SHARP : format == PAINT_PDF ? point : 1, .w = 2 * MARGIN,
                   .h = 2 * MARGIN - GAP };
    for (size_t i = 0; i < g.n; i++) {
        size.w = fmax(size.w, g.at[i]->width + 2 * MARGIN);
        size.h += g.at[i]->height + GAP;
    }
    if (format == PAINT_PNG && size.h * size.x > MOST_PIXELS) size.x = 1;
    SONDE_FAIL_IF(format == PAINT_PNG && size.h > MOST_PIXELS, p->err, SONDE_UNSUPPORTED,
                  "PNG: the pictures are %.0f pixels high together, expected at most %d; use .html, .svg or .pdf", size.h,
                      MOST_PIXELS);
    cairo_surface_t *s = open_surface(format, size, p);
    cairo_t *c = cairo_create(s);
    if (format != PAINT_SVG) cairo_scale(c, size.x, size.x);
    put_all(c, g, format == PAINT_PDF);
    cairo_status_t status = cairo_status(c);
    cairo_destroy(c);
    if (format == PAINT_PNG && status == CAIRO_STATUS_SUCCESS) status = cairo_surface_write_to_png_stream(s, to_pen, p);
    cairo_surface_finish(s);
    if (status == CAIRO_STATUS_SUCCESS) status = cairo_surface_status(s);
    cairo_surface_destroy(s);
    SONDE_TRY(p->status);
    SONDE_FAIL_IF(status != CAIRO_STATUS_SUCCESS, p->err, SONDE_IO, "cairo: %s", cairo_status_to_string(status));
    return pen_close(p);
}
#endif
