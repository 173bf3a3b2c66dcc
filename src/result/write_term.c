/* A result for a person at a terminal: notes, continuations, then every view in the order declared, then the tables and
 * arrays that no view has drawn. */
#include "show_token.h"
#include "term.h"
#include "writers.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MOST_TILES = 256, LEAST_WIDTH = 20, USUAL_WIDTH = 80 };

typedef struct {
    const sonde_result *r;
    term                t;
    bool               *table_drawn, *array_drawn;
    size_t              blocks;
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
    if (a->rank > 2) return draw_tiles(g, a);
    pivot v;
    if (!pivot_array(g->r, a, 0, t->scratch, &v)) return false;
    if (kind == SONDE_VIEW_LINES) term_lines(t, &v);
    else if (kind == SONDE_VIEW_BARS && a->rank < 2) term_bars(t, &v);
    else if (kind == SONDE_VIEW_TOKENS && a->rank == 1 && v.x_token) {
        v.text = v.x_token;
        term_token_strip(t, &v);
    } else term_heatmap(t, &v);
    return true;
}

/* Will the table stand on the page as a table too? */
static bool has_bars(const sonde_result *r, const sonde_table *table) {
    for (size_t i = 0; i < r->views.n; i++)
        if (r->views.at[i].kind == SONDE_VIEW_BARS && strcmp(r->views.at[i].of, table->name) == 0) return true;
    return false;
}

static void draw_table_as(page *g, const sonde_table *table, const sonde_drawing *view, const pivot *v) {
    term *t = &g->t;
    if (view->kind == SONDE_VIEW_TOKEN_GRID) term_token_grid(t, v);
    else if (view->kind == SONDE_VIEW_TOKENS) term_token_strip(t, v);
    else if (view->kind == SONDE_VIEW_LINES) term_lines(t, v);
    else term_heatmap(t, v);
    if (v->hidden)
        term_note(t, "%zu rows of %s share their place with a later one, which is shown", v->hidden, table->name);
    if (!has_bars(g->r, table))
        term_note(t, "%s: %zu rows of %zu columns are in JSON and CSV", table->name, table->rows,
                  table->columns.n);
}

static bool draw_table(page *g, const sonde_table *table, const sonde_drawing *view) {
    if (view->kind == SONDE_VIEW_BARS) {
        const size_t value = table_find(table, view->value ? view->value : view->y);
        if (value == SIZE_MAX) return false;
        term_title(&g->t, view->title);
        term_table(&g->t, table, value);
        return true;
    }
    pivot v;
    const bool picture = view->kind != SONDE_VIEW_SCATTER && view->kind != SONDE_VIEW_GRAPH;
    sonde_drawing shown = *view;
    if (view->kind == SONDE_VIEW_LINES && !view->value) {           /* y is the height, not the series */
        shown.value = view->y;
        shown.y = NULL;
    }
    if (!picture || !pivot_table(&(table_part){ g->r, table, NULL, NULL, table->rows }, &shown, g->t.scratch, &v)) return false;
    term_title(&g->t, view->title);
    draw_table_as(g, table, view, &v);
    return true;
}

static void draw_view(page *g, const sonde_drawing *view) {
    for (size_t i = 0; i < g->r->tables.n; i++) {
        const sonde_table *table = g->r->tables.at[i];
        if (strcmp(table->name, view->of) != 0) continue;
        const size_t before = g->blocks;
        start(g);
        if (draw_table(g, table, view)) g->table_drawn[i] = true;
        else g->blocks = before;
    }
    for (size_t i = 0; i < g->r->arrays.n; i++) {
        const sonde_array *a = g->r->arrays.at[i];
        const bool picture = view->kind != SONDE_VIEW_SCATTER && view->kind != SONDE_VIEW_GRAPH;
        if (!picture || strcmp(a->name, view->of) != 0) continue;
        start(g);
        term_title(&g->t, view->title);
        if (draw_array(g, a, view->kind)) g->array_drawn[i] = true;
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
               .array_drawn = arena_new_array(own, bool, r->arrays.n + 1) };
    g.t = (term){ .p = p, .scratch = arena_new(), .width = width, .light = style.light, .palette = style.palette };
    put_notes(&g);
    put_completions(&g);
    for (size_t i = 0; i < r->views.n; i++) draw_view(&g, &r->views.at[i]);
    put_rest(&g);
    arena_free(g.t.scratch);
    arena_free(own);
}
