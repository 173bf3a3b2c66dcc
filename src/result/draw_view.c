/* A view as a picture: finds its columns, splits it into panels, gives them one scale and places them below the title,
 * above the legend and the notes. */
#include "draw.h"
#include "show_token.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { TITLE = 26, GAP = 14, MOST_PANELS = 256, MOST_PARTS = 36 };

/* What one view draws. One of the three lists is there. */
typedef struct {
    const sonde_result  *r;
    const sonde_drawing *view;
    picture             *p;
    size_t               n, all;        /* panels drawn, and how many there are */
    pivot               *grid;
    samples             *sample;
    table_part          *part;
    const char         **title;
    int64_t              columns;       /* panels beside each other; 0: as it fits */
    shade_scale          scale;
    axis                 value;
    colouring            colours;
} drawing;

typedef enum { BY_GRID, BY_SAMPLE, BY_PART } how;
static const struct {
    how    by;
    bool   colours, lengths, from_zero;     /* which scale the panels share */
    double (*grid)(const panel *b, const pivot *v);
    double (*part)(const panel *b, const table_part *part);
} kinds[] = {
    [SONDE_VIEW_HEATMAP]      = { BY_GRID,   .colours = true, .grid = draw_heatmap },
    [SONDE_VIEW_LINES]        = { BY_GRID,   .lengths = true, .grid = draw_lines },
    [SONDE_VIEW_BARS]         = { BY_GRID,   .lengths = true, .from_zero = true, .grid = draw_bars },
    [SONDE_VIEW_SCATTER]      = { BY_PART,   .part = draw_scatter },
    [SONDE_VIEW_TOKENS]       = { BY_GRID,   .colours = true, .grid = draw_token_strip },
    [SONDE_VIEW_TOKEN_GRID]   = { BY_GRID,   .colours = true, .grid = draw_token_grid },
    [SONDE_VIEW_GRAPH]        = { BY_PART,   .part = draw_graph },
    [SONDE_VIEW_BOXES]        = { BY_SAMPLE, .lengths = true },
    [SONDE_VIEW_HISTOGRAM]    = { BY_GRID,   .lengths = true, .from_zero = true, .grid = draw_histogram },
    [SONDE_VIEW_CLOUD]        = { BY_PART,   .part = draw_cloud },
    [SONDE_VIEW_ARCHITECTURE] = { BY_PART,   .part = draw_architecture },
};

static bool open_table(drawing *d, const sonde_table *t) {
    arena *into = d->p->into;
    table_part *part;
    const bool whole = d->view->kind == SONDE_VIEW_ARCHITECTURE;    /* its panels are groups of boxes */
    d->all = table_parts(d->r, t, whole ? NULL : d->view->panel, into, &part);
    d->n = d->all < MOST_PARTS ? d->all : MOST_PARTS;
    d->title = arena_new_array(into, const char *, d->n);
    const how by = kinds[d->view->kind].by;
    sonde_drawing view = *d->view;
    if (view.kind == SONDE_VIEW_LINES && !view.value) {             /* y is the height, not the series */
        view.value = view.y;
        view.y = NULL;
    }
    if (view.kind == SONDE_VIEW_BARS && !view.value) view.value = view.y;
    if (view.kind == SONDE_VIEW_BARS) view.y = NULL;
    if (by == BY_GRID) d->grid = arena_new_array(into, pivot, d->n);
    if (by == BY_SAMPLE) d->sample = arena_new_array(into, samples, d->n);
    if (by == BY_PART) {
        d->part = part;
        d->colours = colouring_of(t, d->view->kind == SONDE_VIEW_CLOUD || d->view->kind == SONDE_VIEW_GRAPH ? NULL
                                  : d->view->value, into);
    }
    size_t hidden = 0;
    for (size_t i = 0; i < d->n; i++) {
        d->title[i] = part[i].title;
        if (by == BY_GRID && !pivot_table(&part[i], &view, into, &d->grid[i])) return false;
        if (by == BY_SAMPLE && !sample_table(&part[i], &view, into, &d->sample[i])) return false;
        hidden += by == BY_GRID ? d->grid[i].hidden : 0;
    }
    if (hidden == 1) draw_note(d->p, "1 row shares its place with a later one, which is shown");
    else if (hidden) draw_note(d->p, "%zu rows share their place with a later one, which is shown", hidden);
    return t->rows > 0;
}

static bool open_array(drawing *d, const sonde_array *a) {
    arena *into = d->p->into;
    const how by = kinds[d->view->kind].by;
    if (by == BY_PART || !a->n) return false;
    d->all = d->n = 1;
    d->title = arena_new_array(into, const char *, MOST_PANELS);
    if (by == BY_SAMPLE) {
        d->sample = arena_new_array(into, samples, 1);
        return sample_array(d->r, a, into, d->sample);
    }
    d->all = (size_t)array_pictures(a);
    const size_t most = d->view->kind == SONDE_VIEW_HEATMAP ? MOST_PANELS : MOST_PARTS;
    d->n = d->all < most ? d->all : most;
    d->columns = a->rank > 2 ? a->dim[a->rank - 3] : 0;
    d->grid = arena_new_array(into, pivot, d->n);
    for (size_t i = 0; i < d->n; i++) {
        if (!pivot_array(d->r, a, (int64_t)i, into, &d->grid[i])) return false;
        if (d->all > 1) d->title[i] = array_picture_name(a, (int64_t)i, into);
        if (d->view->kind == SONDE_VIEW_TOKENS) d->grid[i].text = d->grid[i].x_token;
    }
    if (d->n > 1) draw_note(d->p, "a picture each %s", array_outer_axes(a, into));
    return true;
}

/* An array has numbers, not tokens: what needs texts or one axis is drawn as what it is. */
static sonde_view_kind kind_of(const drawing *d) {
    const sonde_view_kind kind = d->view->kind;
    if (!d->grid || d->part) return kind;
    const pivot *v = &d->grid[0];
    const bool flat = v->ny == 1 || v->nx == 1;
    if ((kind == SONDE_VIEW_TOKENS || kind == SONDE_VIEW_TOKEN_GRID) && !v->text) return SONDE_VIEW_HEATMAP;
    if (kind == SONDE_VIEW_BARS && !flat) return SONDE_VIEW_HEATMAP;
    return kind;
}

static void add_to_scale(drawing *d, size_t i, shade_scale *s, axis *a) {
    if (d->sample) {
        const size_t cells = d->sample[i].grid.nx * d->sample[i].grid.ny;
        for (size_t k = 0; k < d->sample[i].from[cells]; k++) axis_add(a, d->sample[i].number[k]);
    }
    if (!d->grid) return;
    const pivot *v = &d->grid[i];
    for (size_t k = 0; k < v->nx * v->ny; k++) {
        if (v->state && v->state[k] != PIVOT_VALUE) continue;
        shade_add(s, v->value[k]);
        axis_add(a, v->value[k]);
        const bool band = d->view->kind == SONDE_VIEW_LINES && v->low && v->high;
        if (band) { axis_add(a, v->low[k]); axis_add(a, v->high[k]); }
    }
}

/* The scale of panels from .. to. */
static void scale_of(drawing *d, size_t from, size_t to) {
    shade_scale s = SHADE_EMPTY;
    axis a = AXIS_EMPTY;
    a.logarithmic = d->view->logarithmic;
    for (size_t i = from; i < to; i++) add_to_scale(d, i, &s, &a);
    shade_close(&s);
    axis_close(&a, kinds[d->view->kind].from_zero);
    s.picture = d->scale.picture;
    s.root = d->view->root;
    d->scale = s;
    d->value = a;
}

/* Panels beside each other, and the width of one. */
static size_t columns_of(const drawing *d, double *width) {
    size_t most = d->n <= 1 ? 1 : d->n == 2 || d->n == 4 ? 2 : 3;
    if (d->columns > 0 && d->n > 1) {
        const size_t fit = (DRAW_WIDTH + 8) / 44;
        const size_t want = d->n <= (size_t)d->columns && d->n > 8 ? 8 : (size_t)d->columns;
        most = want < fit ? want : fit;
        if (most < 2) most = d->n < 4 ? d->n : 4;
    }
    if (kinds[d->view->kind].by == BY_PART && most > 2) most = 2;
    *width = (DRAW_WIDTH - (double)(most - 1) * GAP) / (double)most;
    if (d->n > 1 && *width > 440) *width = 440;
    return most;
}

static double draw_panel(drawing *d, size_t i, panel b) {
    picture *p = d->p;
    double top = 0;
    if (d->title[i] && *d->title[i]) {
        mark *m = draw_text(p, b.x, b.y + 11, text_cut(p->into, d->title[i], 11, b.w), paint_ink);
        m->size = 11;
        b.y += top = 17;
    }
    const sonde_view_kind kind = kind_of(d);
    if (d->sample) return top + draw_boxes(&b, &d->sample[i]);
    if (d->part) return top + kinds[kind].part(&b, &d->part[i]);
    d->grid[i].title = d->title[i];         /* NOLINT: what is neither sample nor part is a grid */
    return top + kinds[kind].grid(&b, &d->grid[i]);
}

static double put_legend(drawing *d, double y) {
    picture *p = d->p;
    const sonde_view_kind kind = kind_of(d);
    const pivot *v = d->grid ? d->grid : d->sample ? &d->sample->grid : NULL;
    if (!v) return d->part ? y + draw_colouring(p, &d->colours, y) : y;
    odd_signs odd = { false, false, false };
    for (size_t i = 0; d->grid && i < d->n; i++) {
        const odd_signs more = odd_of(&d->grid[i]);
        odd = (odd_signs){ odd.missing || more.missing, odd.nan || more.nan, odd.infinite || more.infinite };
    }
    if (kinds[kind].colours) y += draw_legend(p, &d->scale, v->value_name, y);
    const bool series = (kind == SONDE_VIEW_LINES || kind == SONDE_VIEW_HISTOGRAM || d->sample) && v->ny > 1;
    const size_t most = kind == SONDE_VIEW_LINES ? PAINT_CATEGORIES * PAINT_DASHES : PAINT_CATEGORIES;
    if (series && !(d->sample && v->ny > most))
        y += draw_categories(p, (categories){ v->y_label, v->ny < most ? v->ny : most, kind == SONDE_VIEW_LINES }, y);
    if (odd.missing || odd.nan || odd.infinite) {
        draw_odd_legend(p, odd, 0, y);
        y += 18;
    }
    return y;
}

static double put_panels(drawing *d, double y) {
    double width, tallest = 0;
    const size_t columns = columns_of(d, &width);
    size_t cells = 0;
    panel b = { .p = d->p, .view = d->view, .w = width, .small = d->n > 1 };
    for (size_t i = 0; d->grid && i < d->n; i++) {
        const pivot *v = &d->grid[i];
        cells += v->nx * v->ny;
        if (v->nx > b.most_x) b.most_x = v->nx;
        if (v->ny > b.most_y) b.most_y = v->ny;
    }
    b.pixels = cells > DRAW_MOST_MARKS;
    const sonde_view_kind kind = kind_of(d);
    d->scale.picture = kind == SONDE_VIEW_HEATMAP && (d->n > 1 || b.pixels || !heatmap_has_numbers(&b, d->grid));
    scale_of(d, 0, d->n);
    const bool own = d->view->own_scale && d->n > 1 && d->grid;
    for (size_t i = 0; i < d->n; i++) {
        if (i % columns == 0 && i) { y += tallest + GAP; tallest = 0; }
        if (own) scale_of(d, i, i + 1);
        b.scale = &d->scale;
        b.value = &d->value;
        b.colours = &d->colours;
        b.x = (double)(i % columns) * (width + GAP);
        b.y = y;
        double h = draw_panel(d, i, b);
        if (own && kinds[kind].colours) h += 6 + draw_legend(d->p, &d->scale, "", y + h + 6);
        tallest = fmax(tallest, h);
    }
    if (d->n < d->all) draw_note(d->p, "%zu of %zu pictures shown", d->n, d->all);
    return y + tallest + 10;
}

static void put_notes(picture *p) {
    for (size_t i = 0; i < p->notes.n; i++) {
        draw_text(p, 0, p->height + 11, text_cut(p->into, p->notes.at[i], 11, DRAW_WIDTH), paint_dim)->size = 11;
        p->height += 16;
    }
}

picture *picture_of(const sonde_result *r, const sonde_drawing *view, arena *into) {
    picture *p = arena_new_array(into, picture, 1);
    *p = (picture){ .into = into, .width = DRAW_WIDTH, .view = view };
    if (view->title) p->title = show_copy(into, view->title, strlen(view->title), SHOW_LINE);
    drawing d = { .r = r, .view = view, .p = p };
    const sonde_table *t = result_table(r, view->of);
    const sonde_array *a = result_array(r, view->of);
    double y = 0;
    if (p->title && *p->title) {
        mark *m = draw_text(p, 0, 15, text_cut(into, p->title, 15, DRAW_WIDTH), paint_ink);
        m->size = 15;
        m->bold = true;
        y = TITLE;
    }
    const char *of = show_copy(into, view->of, strlen(view->of), SHOW_LINE);
    if ((unsigned)view->kind >= sizeof kinds / sizeof *kinds || !(t || a)) 
        draw_note(p, "%s: nothing of this name to draw", of);
    else if (t && !t->rows) draw_note(p, "%s: no rows", of);
    else if (t ? open_table(&d, t) : open_array(&d, a)) y = put_legend(&d, put_panels(&d, y));
    else if (t) draw_note(p, "%s: not drawn, its columns do not make such a picture, or it has too many cells", of);
    else draw_note(p, "%s: not drawn, it is empty, too big, or no such picture can be made of numbers alone", of);
    p->height = y;
    put_notes(p);
    return p;
}
