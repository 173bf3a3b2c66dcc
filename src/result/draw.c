#include "draw.h"
#include "glyph.h"
#include "show_token.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const paint paint_page  = { { 255, 255, 255 }, { 20, 23, 28 } };
const paint paint_ink   = { { 28, 31, 36 }, { 228, 231, 235 } };
const paint paint_dim   = { { 92, 99, 110 }, { 156, 164, 174 } };
const paint paint_grid  = { { 221, 225, 230 }, { 52, 58, 66 } };
const paint paint_odd   = { { 176, 48, 132 }, { 232, 120, 192 } };
const paint paint_bar   = { { 36, 124, 156 }, { 64, 168, 196 } };
const paint paint_minus = { { 196, 108, 22 }, { 226, 142, 58 } };

/* Told apart by people who see red and green alike: after Okabe and Ito, Color Universal Design (2008), darkened. */
paint paint_category(size_t i) {
    static const paint hue[PAINT_CATEGORIES] = {
        { { 0, 104, 168 }, { 86, 176, 236 } },  { { 202, 90, 10 }, { 240, 150, 74 } },
        { { 122, 74, 160 }, { 190, 150, 226 } }, { { 0, 134, 110 }, { 58, 196, 166 } },
        { { 186, 62, 116 }, { 236, 138, 180 } }, { { 150, 118, 0 }, { 226, 194, 70 } },
        { { 84, 96, 112 }, { 168, 180, 196 } },  { { 44, 44, 44 }, { 238, 238, 238 } },
    };
    return hue[i % PAINT_CATEGORIES];
}

paint paint_value(const shade_scale *s, double value) {
    if (!isfinite(value) || s->lo > s->hi) return paint_odd;
    shade_scale on = *s;
    paint out = paint_page;
    rgb c;
    on.light = true;
    if (shade_of(&on, shade_place(s, value), &c)) out.light = c;
    on.light = false;
    if (shade_of(&on, shade_place(s, value), &c)) out.dark = c;
    return out;
}

paint paint_on(paint ground) { return (paint){ shade_ink(ground.light), shade_ink(ground.dark) }; }

static mark *add(picture *p, mark m) {
    mark *made = LIST_ADD(p->marks);
    *made = m;
    made->opacity = 1;
    if (made->width == 0) made->width = 1;
    return made;
}

mark *draw_rect(picture *p, frame at, paint fill) {
    return add(p, (mark){ .shape = MARK_RECT, .at = at, .filled = true, .fill = fill });
}

mark *draw_line(picture *p, frame at, paint stroke) {
    return add(p, (mark){ .shape = MARK_LINE, .at = at, .stroked = true, .stroke = stroke });
}

mark *draw_circle(picture *p, double x, double y, double r, paint fill) {
    return add(p, (mark){ .shape = MARK_CIRCLE, .at = { x, y, r, r }, .filled = true, .fill = fill });
}

mark *draw_text(picture *p, double x, double y, const char *text, paint ink) {
    return add(p, (mark){ .shape = MARK_TEXT, .at = { x, y, 0, 0 }, .filled = true, .fill = ink, .text = text, .size = 12 });
}

mark *draw_points(picture *p, mark_shape shape, const double *points, size_t n, paint c) {
    double *kept = arena_new_array(p->into, double, 2 * n + 1);
    memcpy(kept, points, 2 * n * sizeof *kept);
    const bool area = shape == MARK_POLYGON;
    return add(p, (mark){ .shape = shape, .points = kept, .n = n, .filled = area, .fill = c, .stroked = !area,
                          .stroke = c });
}

void draw_note(picture *p, const char *fmt, ...) {
    char line[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    const char *note = show_copy(p->into, line, strlen(line), SHOW_LINE);
    for (size_t i = 0; i < p->notes.n; i++)
        if (strcmp(p->notes.at[i], note) == 0) return;
    *LIST_ADD(p->notes) = note;
}

/* Hundredths of the size, of a wide sans-serif (DejaVu Sans): ' ' to '~'. */
static const uint8_t advance[] = {
    32, 40, 46, 84, 64, 95, 78, 27, 39, 39, 50, 84, 32, 36, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 34,
    34, 84, 84, 84, 53, 100, 68, 69, 70, 77, 63, 58, 77, 75, 29, 29, 66, 56, 86, 75, 79, 60, 79, 69, 63, 61, 73,
    68, 99, 69, 61, 69, 39, 34, 39, 84, 50, 50, 61, 63, 55, 63, 62, 35, 63, 63, 28, 28, 58, 28, 97, 63, 61, 63,
    63, 41, 52, 39, 63, 59, 82, 59, 59, 52, 64, 34, 64, 84,
};

double text_width(const char *text, double size) {
    double width = 0;
    for (size_t left = strlen(text); left;) {
        uint32_t code;
        size_t n = glyph_next(text, left, &code);
        if (!n) { n = 1; code = '?'; }
        if (code >= ' ' && code <= '~') width += advance[code - ' '];
        else width += code == 0xb7 ? 32 : code == 0x2026 ? 100 : glyph_columns(code) * (glyph_columns(code) > 1 ? 55 : 70);
        text += n;
        left -= n;
    }
    return width * size / 100;
}

const char *text_cut(arena *into, const char *text, double size, double width) {
    if (text_width(text, size) <= width + 0.01) return text;
    const double room = width - size;                   /* the ellipsis is one size wide */
    if (room < size / 3) return "";
    size_t keep = 0;
    double used = 0;
    for (size_t left = strlen(text); left;) {
        uint32_t code;
        const size_t n = glyph_next(text + keep, left, &code);
        char one[8] = "";
        if (!n || n >= sizeof one) break;
        memcpy(one, text + keep, n);
        used += text_width(one, size);
        if (used > room) break;
        keep += n;
        left -= n;
    }
    return keep ? arena_printf(into, "%.*s…", (int)keep, text) : "";
}

bool frame_meets(frame f, const frame *taken, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const frame t = taken[i];
        if (f.x < t.x + t.w && t.x < f.x + f.w && f.y < t.y + t.h && t.y < f.y + f.h) return true;
    }
    return false;
}

void picture_free(picture *p) {
    free(p->marks.at);
    free(p->notes.at);
    for (scene *s = p->scene; s; s = s->before) free(s->bodies.at);
    p->marks.at = NULL;
    p->notes.at = NULL;
    p->scene = NULL;
}
