/* Heatmaps. With the numbers in the cells where they fit, else blocks of two columns, else half blocks: two rows of
 * pixels a line, pooled by the largest magnitude until they fit. */
#include "digits.h"
#include "glyph.h"
#include "term.h"
#include <math.h>
#include <string.h>

enum { MOST_LABEL = 18, MOST_LINES = 200, TICK = 5, TILE = 24 };

typedef const char *(*digits_of)(double v, char out[DIGITS_ROOM]);

static const char *sign_of(pivot_state state, double value) {
    return state == PIVOT_NONE ? "" : state == PIVOT_MISSING ? "–" : isnan(value) ? "×" : value > 0 ? "∞" : "-∞";
}

/* Columns of the widest number, one more for the gap. */
static int cell_columns(const pivot *v, digits_of digits) {
    int widest = 2;
    for (size_t y = 0; y < v->ny; y++)
        for (size_t x = 0; x < v->nx; x++) {
            double value;
            char room[DIGITS_ROOM];
            if (pivot_at(v, y, x, &value) != PIVOT_VALUE) continue;
            const int w = glyph_text_columns(digits(value, room));
            if (w > widest) widest = w;
        }
    return widest + 1;
}

static void put_cell(term *t, const shade_scale *s, const pivot *v, size_t at, int cell, digits_of digits) {
    double value;
    const pivot_state state = pivot_at(v, at / v->nx, at % v->nx, &value);
    char room[DIGITS_ROOM];
    if (state != PIVOT_VALUE || !isfinite(value)) {
        shade_fg(t->p, (rgb){ 200, 80, 160 }, t->palette);
        term_fit(t, sign_of(state, value), cell, TERM_RIGHT);
        term_plain(t);
        return;
    }
    term_ground(t, s, value);
    if (digits) term_fit(t, digits(value, room), cell, TERM_RIGHT);
    else term_spaces(t, cell);
    term_plain(t);
}

/* "0    5    10": the labels' first words, as far as they do not run into each other. */
static void put_ticks(term *t, const pivot *v, int cell) {
    const size_t step = cell * TICK >= 8 ? TICK : 8 / (size_t)cell + 1;
    for (size_t x = 0; x < v->nx; x += step) {
        const size_t here = v->nx - x < step ? v->nx - x : step;
        const char *label = v->x_label[x];
        const char *word = arena_printf(t->scratch, "%.*s", (int)strcspn(label, " "), label);
        const int room = (int)here * cell;
        if (glyph_text_columns(word) <= room) term_fit(t, word, room, TERM_LEFT);
        else term_spaces(t, room);
    }
}

static void put_head(term *t, const pivot *v, int label, int cell, bool numbers) {
    const char *corner = arena_printf(t->scratch, "%s\\%s", v->y_name, v->x_name);
    term_dim(t);
    term_fit(t, *v->y_name && *v->x_name ? corner : "", label - 1, TERM_LEFT);
    term_spaces(t, 1);
    if (!numbers) put_ticks(t, v, cell);
    for (size_t x = 0; numbers && x < v->nx; x++) {
        term_spaces(t, 1);
        term_fit(t, v->x_token ? v->x_token[x] : v->x_label[x], cell - 1, TERM_RIGHT);
    }
    term_plain(t);
    term_line(t);
}

static bool same_tokens(const pivot *v) {
    if (!v->y_token || v->nx != v->ny) return false;
    for (size_t i = 0; i < v->nx; i++)
        if (strcmp(v->x_token[i], v->y_token[i]) != 0) return false;
    return true;
}

/* What the tick numbers stand for, where the rows do not say it. */
static void put_x_tokens(term *t, const pivot *v) {
    if (!v->x_token || same_tokens(v)) return;
    term_dim(t);
    int at = 0;
    for (size_t x = 0; x < v->nx; x++) {
        int w = glyph_text_columns(v->x_label[x]);
        if (w > t->width) w = t->width;
        if (at && at + 2 + w > t->width) {
            term_line(t);
            at = 0;
        }
        if (at) term_spaces(t, 2);
        term_fit(t, v->x_label[x], w, TERM_LEFT);
        at += w + (at ? 2 : 0);
    }
    term_plain(t);
    term_line(t);
}

void term_heatmap(term *t, const pivot *v) {
    int label = term_widest(v->y_label, v->ny, MOST_LABEL);
    const int corner = (int)(strlen(v->y_name) + strlen(v->x_name)) + 1;
    if (label < corner) label = corner < MOST_LABEL ? corner : MOST_LABEL;
    if (label > t->width / 3) label = t->width / 3;
    const int room = t->width - ++label;
    digits_of digits = digits_short;
    int cell = 0;
    const bool few = v->nx <= (size_t)room / 2 && v->ny <= MOST_LINES;
    if (few) cell = cell_columns(v, digits);
    if (few && cell * (int)v->nx > room) cell = cell_columns(v, digits = digits_tiny);
    if (few && cell * (int)v->nx > room) { digits = NULL; cell = 2; }
    if (!few) { term_tiles(t, v, 1); return; }
    shade_scale s = term_scale(t, v, 1, digits == NULL);
    put_head(t, v, label, cell, digits != NULL);
    for (size_t y = 0; y < v->ny && t->p->status == SONDE_OK; y++) {
        term_fit(t, v->y_label[y], label - 1, TERM_LEFT);
        term_spaces(t, 1);
        for (size_t x = 0; x < v->nx; x++) put_cell(t, &s, v, y * v->nx + x, cell, digits);
        term_line(t);
    }
    if (!digits) put_x_tokens(t, v);
    term_legend(t, &s, v);
}

/* Pixels. */

typedef struct { size_t nx, ny, fx, fy; } raster;          /* pixels, and cells pooled into one */

static raster raster_of(const pivot *v, size_t most_x, size_t most_y) {
    raster r = { .fx = (v->nx + most_x - 1) / most_x, .fy = (v->ny + most_y - 1) / most_y };
    r.nx = (v->nx + r.fx - 1) / r.fx;
    r.ny = (v->ny + r.fy - 1) / r.fy;
    return r;
}

/* The value of largest magnitude; false if none there is finite. */
static bool pooled(const pivot *v, const raster *r, size_t py, size_t px, double *out) {
    bool any = false;
    for (size_t y = py * r->fy; y < (py + 1) * r->fy && y < v->ny; y++)
        for (size_t x = px * r->fx; x < (px + 1) * r->fx && x < v->nx; x++) {
            double value;
            if (pivot_at(v, y, x, &value) != PIVOT_VALUE || !isfinite(value)) continue;
            if (!any || fabs(value) > fabs(*out)) *out = value;
            any = true;
        }
    return any;
}

static bool pixel(const pivot *v, const raster *r, const shade_scale *s, size_t py, size_t px, rgb *out) {
    double value;
    if (py >= r->ny || px >= r->nx || !pooled(v, r, py, px, &value)) return false;
    return shade_of(s, shade_place(s, value), out);
}

/* One line of text: pixel rows `line` * 2 and the next. */
static void put_pixels(term *t, const pivot *v, const raster *r, const shade_scale *s, size_t line) {
    for (size_t x = 0; x < r->nx; x++) {
        rgb up, down;
        const bool has_up = pixel(v, r, s, 2 * line, x, &up), has_down = pixel(v, r, s, 2 * line + 1, x, &down);
        if (has_up) shade_fg(t->p, up, t->palette);
        else if (has_down) shade_fg(t->p, down, t->palette);
        if (has_up && has_down) shade_bg(t->p, down, t->palette);
        pen_text(t->p, has_up ? "▀" : has_down ? "▄" : " ");
        if (has_up || has_down) term_plain(t);
    }
}

/* One line of tiles beside each other. */
static void put_band(term *t, const pivot *list, size_t n, const raster *r, const shade_scale *s, int slot) {
    for (size_t i = 0; i < n && list[i].title; i++) {
        if (i) term_spaces(t, 2);
        term_dim(t);
        term_fit(t, list[i].title, slot, TERM_LEFT);
        term_plain(t);
    }
    if (list->title) term_line(t);
    for (size_t line = 0; line < (r->ny + 1) / 2; line++) {
        for (size_t i = 0; i < n; i++) {
            if (i) term_spaces(t, 2);
            put_pixels(t, &list[i], r, s, line);
            term_spaces(t, slot - (int)r->nx);
        }
        term_line(t);
    }
}

void term_tiles(term *t, const pivot *list, size_t n) {
    const size_t width = (size_t)t->width;
    const size_t most = n == 1 ? width : n <= 4 ? (width - 2) / 2 : TILE < width ? TILE : width;
    const raster r = raster_of(list, most, n == 1 ? 2 * (size_t)TILE : most);
    const shade_scale s = term_scale(t, list, n, true);
    int slot = (int)r.nx;
    for (size_t i = 0; n > 1 && i < n; i++) {
        const int w = glyph_text_columns(list[i].title);
        if (w > slot) slot = w < t->width ? w : t->width;
    }
    const size_t per_line = (width + 2) / ((size_t)slot + 2);
    for (size_t i = 0; i < n && t->p->status == SONDE_OK; i += per_line) {
        if (i) term_line(t);
        const size_t here = n - i < per_line ? n - i : per_line;
        pivot untitled = list[i];
        untitled.title = NULL;
        put_band(t, n > 1 ? &list[i] : &untitled, here, &r, &s, slot);
    }
    term_legend(t, &s, list);
    const char *y = *list->y_name ? list->y_name : "rows", *x = *list->x_name ? list->x_name : "columns";
    if (r.fx > 1 || r.fy > 1)
        term_note(t, "down: %s 0 to %zu, across: %s 0 to %zu; a pixel is the largest of %zu by %zu", y, list->ny - 1,
                  x, list->nx - 1, r.fy, r.fx);
    else term_note(t, "down: %s 0 to %zu, across: %s 0 to %zu", y, list->ny - 1, x, list->nx - 1);
}
