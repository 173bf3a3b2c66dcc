/* A result for a person at a terminal: notes, continuations, then every view in the order declared, then the tables and
 * arrays that no view has drawn. */
#include "show_token.h"
#include "term.h"
#include "writers.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MOST_TILES = 256, MOST_PARTS = 36, LEAST_WIDTH = 20, USUAL_WIDTH = 80 };

typedef struct {
    const sonde_result *r;
    term                t;
    bool               *table_drawn, *array_drawn, *table_told;
    size_t              blocks;
    bool                root;                       /* of the view that is drawn */
} page;

/* A blank line between pictures. */
static void start(page *g) {
    if (g->blocks++) term_line(&g->t);
}

static void put_notes(page *g) {
    for (size_t i = 0; i < g->r->notes.n; i++) {
        if (!i) g->blocks++;
        const char *note = g->r->notes.at[i];
        term_dim(&g->t);
        term_wrap(&g->t, show_copy(g->t.scratch, note, strlen(note), SHOW_LINE));
        term_plain(&g->t);
    }
}

static void put_completions(page *g) {
    term *t = &g->t;
    for (size_t i = 0; i < g->r->prompts.n; i++) {
        const result_prompt *q = &g->r->prompts.at[i];
        if (!q->completion.bytes) continue;
        start(g);
        if (g->r->prompts.n > 1) term_note(t, "prompt %zu", i);
        term_dim(t);
        term_wrap(t, show_copy(t->scratch, q->text.bytes, q->text.len, SHOW_PAGE));
        term_plain(t);
        term_wrap(t, show_copy(t->scratch, q->completion.bytes, q->completion.len, SHOW_PAGE));
    }
}

static bool draw_tiles(page *g, const sonde_array *a) {
    term *t = &g->t;
    const int64_t all = array_pictures(a);
    const size_t n = all < MOST_TILES ? (size_t)all : MOST_TILES;
    pivot *tiles = arena_new_array(t->scratch, pivot, n);
    for (size_t i = 0; i < n; i++) {
        if (!pivot_array(g->r, a, (int64_t)i, t->scratch, &tiles[i])) return false;
        tiles[i].title = array_picture_name(a, (int64_t)i, t->scratch);
        tiles[i].root = g->root;
    }
    if (n == 1) term_heatmap(t, tiles);
    else {
        term_note(t, "a picture each %s", array_outer_axes(a, t->scratch));
        term_tiles(t, tiles, n);
    }
    if ((int64_t)n < all)
        term_note(t, "%" PRId64 " more pictures, %" PRId64 " in all: JSON, npy and safetensors have them",
                  all - (int64_t)n, all);
    return true;
}

static bool draw_array(page *g, const sonde_array *a, sonde_view_kind kind) {
    term *t = &g->t;
    if (kind == SONDE_VIEW_BOXES) {
        samples s;
        if (!sample_array(g->r, a, t->scratch, &s)) return false;
        term_boxes(t, &s);
        return true;
    }
    if (a->rank > 2) return draw_tiles(g, a);
    pivot v;
    if (!pivot_array(g->r, a, 0, t->scratch, &v)) return false;
    v.root = g->root;
    if (kind == SONDE_VIEW_LINES) term_lines(t, &v);
    else if ((kind == SONDE_VIEW_BARS || kind == SONDE_VIEW_HISTOGRAM) && a->rank < 2) term_bars(t, &v);
    else if (kind == SONDE_VIEW_TOKENS && a->rank == 1 && v.x_token) {
        v.text = v.x_token;
        term_token_strip(t, &v);
    } else term_heatmap(t, &v);
    return true;
}

static bool as_table(sonde_view_kind kind) {
    return kind == SONDE_VIEW_BARS || kind == SONDE_VIEW_CLOUD || kind == SONDE_VIEW_ARCHITECTURE;
}

/* Will the table stand on the page as a table too? */
static bool has_table(const sonde_result *r, const sonde_table *table) {
    for (size_t i = 0; i < r->views.n; i++)
        if (as_table(r->views.at[i].kind) && strcmp(r->views.at[i].of, table->name) == 0) return true;
    return false;
}

static void draw_pivot(page *g, const sonde_table *table, sonde_view_kind kind, const pivot *v) {
    term *t = &g->t;
    if (kind == SONDE_VIEW_TOKEN_GRID) term_token_grid(t, v);
    else if (kind == SONDE_VIEW_TOKENS) term_token_strip(t, v);
    else if (kind == SONDE_VIEW_LINES) term_lines(t, v);
    else if (kind == SONDE_VIEW_HISTOGRAM) term_histogram(t, v);
    else term_heatmap(t, v);
    if (v->hidden == 1) term_note(t, "1 row of %s shares its place with a later one, which is shown", table->name);
    else if (v->hidden)
        term_note(t, "%zu rows of %s share their place with a later one, which is shown", v->hidden, table->name);
}

/* One panel. The title stands above the first. */
static bool draw_part(page *g, const table_part *part, const sonde_drawing *view, bool first) {
    term *t = &g->t;
    sonde_drawing shown = *view;
    if (view->kind == SONDE_VIEW_LINES && !view->value) {           /* y is the height, not the series */
        shown.value = view->y;
        shown.y = NULL;
    }
    pivot v;
    samples s;
    const bool scatter = view->kind == SONDE_VIEW_SCATTER, boxes = view->kind == SONDE_VIEW_BOXES;
    if (scatter && (!column_is_number(part->t, table_find(part->t, view->x)) || !column_is_number(part->t,
            table_find(part->t, view->y))))
        return false;
    if (boxes && !sample_table(part, view, t->scratch, &s)) return false;
    if (!scatter && !boxes && !pivot_table(part, &shown, t->scratch, &v)) return false;
    if (first) term_title(t, view->title);
    if (part->title) term_title(t, part->title);
    if (scatter) term_scatter(t, part, view);
    else if (boxes) term_boxes(t, &s);
    else draw_pivot(g, part->t, view->kind, &v);
    return true;
}

static bool draw_table(page *g, size_t at, const sonde_drawing *view) {
    term *t = &g->t;
    const sonde_table *table = g->r->tables.at[at];
    if (as_table(view->kind)) {
        size_t value = table_find(table, view->value ? view->value : view->y);
        if (view->kind == SONDE_VIEW_ARCHITECTURE) value = SIZE_MAX;
        else if (value == SIZE_MAX) return false;
        term_title(t, view->title);
        term_table(t, table, value);
        return true;
    }
    if (view->kind == SONDE_VIEW_GRAPH) return false;
    table_part *part;
    const size_t n = table_parts(g->r, table, view->panel, t->scratch, &part);
    bool any = false;
    for (size_t i = 0; i < n && i < MOST_PARTS && t->p->status == SONDE_OK; i++) any |= draw_part(g, &part[i], view, !any);
    if (any && n > MOST_PARTS) term_note(t, "%zu more pictures, %zu in all", n - MOST_PARTS, n);
    if (any && !has_table(g->r, table) && !g->table_told[at]) {
        term_note(t, "%s: %zu row%s of %zu column%s %s in JSON and CSV", table->name, table->rows, table->rows == 1 ? ""
                  : "s",
                  table->columns.n, table->columns.n == 1 ? "" : "s", table->rows == 1 ? "is" : "are");
        g->table_told[at] = true;
    }
    return any;
}

static void draw_view(page *g, const sonde_drawing *view) {
    for (size_t i = 0; i < g->r->tables.n; i++) {
        const sonde_table *table = g->r->tables.at[i];
        if (strcmp(table->name, view->of) != 0) continue;
        const size_t before = g->blocks;
        start(g);
        if (draw_table(g, i, view)) g->table_drawn[i] = true;
        else g->blocks = before;
    }
    for (size_t i = 0; i < g->r->arrays.n; i++) {
        const sonde_array *a = g->r->arrays.at[i];
        const bool picture = view->kind != SONDE_VIEW_SCATTER && view->kind != SONDE_VIEW_GRAPH
            && view->kind != SONDE_VIEW_ARCHITECTURE
                          && view->kind != SONDE_VIEW_CLOUD;
        if (!picture || strcmp(a->name, view->of) != 0) continue;
        start(g);
        term_title(&g->t, view->title);
        g->root = view->root;
        if (draw_array(g, a, view->kind)) g->array_drawn[i] = true;
        g->root = false;
    }
    arena_reset(g->t.scratch);
}

static void put_rest(page *g) {
    term *t = &g->t;
    const sonde_result *r = g->r;
    for (size_t i = 0; i < r->tables.n; i++) {
        if (g->table_drawn[i]) continue;
        start(g);
        if (r->tables.n + r->arrays.n + r->views.n > 1) term_title(t, r->tables.at[i]->name);
        term_table(t, r->tables.at[i], SIZE_MAX);
        arena_reset(t->scratch);
    }
    for (size_t i = 0; i < r->arrays.n; i++) {
        const sonde_array *a = r->arrays.at[i];
        if (g->array_drawn[i] || result_tabled(r, a)) continue;
        start(g);
        term_title(t, a->name);
        const bool long_row = a->rank == 1 && a->n > (int64_t)term_rows(SIZE_MAX);
        if (!draw_array(g, a, long_row ? SONDE_VIEW_LINES : SONDE_VIEW_BARS))
            term_note(t, "%s: %" PRId64 " numbers, not drawn: JSON, npy and safetensors have them", a->name, a->n);
        arena_reset(t->scratch);
    }
    if (!g->blocks && r->prompts.n) {
        sonde_result *own = sonde_result_new();
        term_table(t, result_token_table(r, own), SIZE_MAX);
        sonde_result_free(own);
    }
}

void term_write(const sonde_result *r, sonde_text_style style, pen *p) {
    int width = style.width > 0 ? style.width : USUAL_WIDTH;
    if (width < LEAST_WIDTH) width = LEAST_WIDTH;
    arena *own = arena_new();
    page g = { .r = r, .table_drawn = arena_new_array(own, bool, r->tables.n + 1),
               .array_drawn = arena_new_array(own, bool, r->arrays.n + 1),
               .table_told = arena_new_array(own, bool, r->tables.n + 1) };
    g.t = (term){ .p = p, .scratch = arena_new(), .width = width, .light = style.light, .palette = style.palette };
    put_notes(&g);
    put_completions(&g);
    for (size_t i = 0; i < r->views.n; i++) draw_view(&g, &r->views.at[i]);
    put_rest(&g);
    arena_free(g.t.scratch);
    arena_free(own);
}
