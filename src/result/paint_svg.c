/* The back end for HTML: an svg element of the same marks, in the colours of the page's theme. */
#include "paint.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void html_text(pen *p, const char *text) {
    for (;;) {
        const size_t n = strcspn(text, "&<>\"'\n");
        pen_put(p, text, n);
        text += n;
        if (!*text) return;
        switch (*text++) {
        case '&':  pen_text(p, "&amp;"); break;
        case '<':  pen_text(p, "&lt;"); break;
        case '>':  pen_text(p, "&gt;"); break;
        case '"':  pen_text(p, "&quot;"); break;
        case '\'': pen_text(p, "&#39;"); break;
        default:   pen_text(p, "&#10;");
        }
    }
}

void html_number(pen *p, double v) {
    char out[64];
    if (!isfinite(v)) v = 0;
    int n = snprintf(out, sizeof out, "%.2f", fabs(v) < 1e9 ? v : copysign(1e9, v));
    char *comma = strchr(out, ',');
    if (comma) *comma = '.';
    while (out[n - 1] == '0') n--;
    if (out[n - 1] == '.') n--;
    pen_put(p, out, (size_t)n);
}

static void number(pen *p, const char *name, double v) {
    pen_printf(p, " %s=\"", name);
    html_number(p, v);
    pen_text(p, "\"");
}

/* Slot of a colour: where it is, or where it belongs. */
static size_t slot_of(const palette *c, paint v) {
    uint64_t h = 0;
    const uint8_t parts[6] = { v.light.r, v.light.g, v.light.b, v.dark.r, v.dark.g, v.dark.b };
    for (int i = 0; i < 6; i++) h = (h << 8 | parts[i]) * 0x9e3779b97f4a7c15u;
    h ^= h >> 29;
    size_t at = (size_t)h & (c->slots - 1);
    while (c->slot[at] && memcmp(&c->colours.at[c->slot[at] - 1], &v, sizeof v) != 0) at = (at + 1) & (c->slots - 1);
    return at;
}

static void add(palette *c, paint v) {
    if (2 * c->colours.n >= c->slots) {
        c->slots = c->slots ? 2 * c->slots : 64;
        free(c->slot);
        c->slot = calloc(c->slots, sizeof *c->slot);
        if (!c->slot) abort();
        for (size_t i = 0; i < c->colours.n; i++) c->slot[slot_of(c, c->colours.at[i])] = i + 1;
    }
    const size_t at = slot_of(c, v);
    if (c->slot[at]) return;
    *LIST_ADD(c->colours) = v;
    c->slot[at] = c->colours.n;
}

void palette_add(palette *c, const picture *p) {
    for (size_t i = 0; i < p->marks.n; i++) {
        add(c, p->marks.at[i].fill);
        add(c, p->marks.at[i].stroke);
    }
}

void palette_write(const palette *c, pen *p) {
    for (size_t i = 0; i < c->colours.n; i++) {
        const rgb l = c->colours.at[i].light, d = c->colours.at[i].dark;
        char colour[64];
        snprintf(colour, sizeof colour, "light-dark(#%02x%02x%02x,#%02x%02x%02x)", l.r, l.g, l.b, d.r, d.g, d.b);
        pen_printf(p, ".f%zu{fill:%s}.s%zu{stroke:%s}\n", i, colour, i, colour);
    }
}

void palette_free(palette *c) {
    free(c->colours.at);
    free(c->slot);
    *c = (palette){ 0 };
}

static void put_look(const mark *m, const palette *c, pen *p) {
    static const char *const dash[PAINT_DASHES] = { "", "6 3", "2 3", "8 3 2 3" };
    pen_text(p, " class=\"");
    if (m->filled) pen_printf(p, "f%zu", c->slot[slot_of(c, m->fill)] - 1);
    if (m->stroked) pen_printf(p, "%ss%zu", m->filled ? " " : "", c->slot[slot_of(c, m->stroke)] - 1);
    pen_text(p, "\"");
    if (!m->filled) pen_text(p, " fill=\"none\"");
    if (m->stroked && m->width != 1) number(p, "stroke-width", m->width);
    if (m->opacity < 1) number(p, m->filled ? "fill-opacity" : "opacity", m->opacity);
    if (m->dash % PAINT_DASHES) pen_printf(p, " stroke-dasharray=\"%s\"", dash[m->dash % PAINT_DASHES]);
    if (!m->tip) return;
    pen_text(p, " data-t=\"");
    html_text(p, m->tip);
    pen_text(p, "\"");
}

static void put_text(const mark *m, const palette *c, pen *p) {
    static const char *const anchor[] = { "start", "middle", "end" };
    pen_text(p, "<text");
    put_look(m, c, p);
    if (m->upright) {
        pen_text(p, " transform=\"translate(");
        html_number(p, m->at.x);
        pen_text(p, " ");
        html_number(p, m->at.y);
        pen_text(p, ") rotate(-90)\"");
    } else {
        number(p, "x", m->at.x);
        number(p, "y", m->at.y);
    }
    number(p, "font-size", m->size);
    if (m->anchor != ANCHOR_START) pen_printf(p, " text-anchor=\"%s\"", anchor[m->anchor]);
    if (m->bold) pen_text(p, " font-weight=\"bold\"");
    pen_text(p, ">");
    html_text(p, m->text);
    pen_text(p, "</text>\n");
}

static void put_frame(const mark *m, const char *const name[4], pen *p) {
    const double v[4] = { m->at.x, m->at.y, m->at.w, m->at.h };
    for (int i = 0; i < 4; i++)
        if (name[i]) number(p, name[i], v[i]);
}

static void put_mark(const mark *m, const palette *c, pen *p) {
    if (m->shape == MARK_TEXT) { put_text(m, c, p); return; }
    static const struct { const char *tag, *name[4]; } shape[] = {
        [MARK_RECT] = { "rect", { "x", "y", "width", "height" } },
        [MARK_RASTER] = { "rect", { "x", "y", "width", "height" } },
        [MARK_LINE] = { "line", { "x1", "y1", NULL, NULL } },        [MARK_CIRCLE] = { "circle", { "cx", "cy", "r", NULL } },
        [MARK_POLYLINE] = { "polyline", { NULL } },                  [MARK_POLYGON] = { "polygon", { NULL } },
    };
    pen_printf(p, "<%s", shape[m->shape].tag);
    put_look(m, c, p);
    put_frame(m, shape[m->shape].name, p);
    if (m->shape == MARK_LINE) {
        number(p, "x2", m->at.x + m->at.w);
        number(p, "y2", m->at.y + m->at.h);
    }
    if (m->points) {
        pen_text(p, " points=\"");
        for (size_t i = 0; i < 2 * m->n; i++) {
            if (i) pen_text(p, " ");
            html_number(p, m->points[i]);
        }
        pen_text(p, "\"");
    }
    pen_text(p, "/>\n");
}

void paint_svg(const picture *p, const palette *c, pen *out) {
    pen_text(out, "<svg viewBox=\"0 0 ");
    html_number(out, p->width);
    pen_text(out, " ");
    html_number(out, fmax(p->height, 1));
    pen_text(out, "\" role=\"group\" tabindex=\"0\" aria-label=\"");
    html_text(out, p->title ? p->title : "");
    pen_text(out, ": arrow keys read its marks\">\n");
    for (size_t i = 0; i < p->marks.n && out->status == SONDE_OK; i++) {
        for (const scene *s = p->scene; s; s = s->before)
            if (i == s->from && i < s->to) pen_text(out, "<g class=\"flat\">\n");
        put_mark(&p->marks.at[i], c, out);
        for (const scene *s = p->scene; s; s = s->before)
            if (i + 1 == s->to && s->from < s->to) pen_text(out, "</g>\n");
    }
    pen_text(out, "</svg>\n");
}
