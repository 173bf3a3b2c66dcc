/* A result as one HTML file that asks for nothing: what was asked, prompts and notes, every view with its numbers beside
 * it, and the tables that no view has drawn. The page allows its own script alone, by its hash. */
#include "paint.h"
#include "show_token.h"
#include "writers.h"
#include "base/sha256.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define HIDDEN __attribute__((visibility("hidden")))
extern HIDDEN const char page_css[], page_css_end[], page_js[], page_js_end[];

typedef struct {
    const sonde_result *r;
    html_pen            h;
    arena              *pictures;
    gallery             g;
    palette             colours;
    bool               *table_shown, *array_shown;
} page;

static void put_shown(page *g, const char *bytes, size_t len, show_mode mode) {
    html_text(g->h.p, show_copy(g->h.scratch, bytes, len, mode));
}

static void put_line(page *g, const char *text) { put_shown(g, text, strlen(text), SHOW_LINE); }

static sonde_status put_policy(page *g) {
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t hash[33] = { 0 };
    sha256 *s = sha256_new();
    sha256_add(s, page_js, (size_t)(page_js_end - page_js));
    SONDE_TRY(sha256_end(s, hash, g->h.p->err));
    char text[45] = "";
    for (int i = 0; i < 11; i++) {
        const uint32_t v = (uint32_t)hash[3 * (size_t)i] << 16 | (uint32_t)hash[3 * (size_t)i + 1] << 8 | hash[3 * (size_t)i + 2];
        for (int k = 0; k < 4; k++) text[4 * i + k] = digit[v >> (18 - 6 * k) & 63];
    }
    text[43] = '=';                                     /* 32 bytes are 43 digits */
    pen_printf(g->h.p,
               "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
                       "script-src 'sha256-%s'; base-uri 'none'; form-action 'none'\">\n", text);
    return SONDE_OK;
}

static sonde_status put_head(page *g) {
    pen *p = g->h.p;
    const char *method = g->r->method ? g->r->method : "result";
    pen_text(p, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    SONDE_TRY(put_policy(g));
    pen_text(p, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
    put_line(g, method);
    if (g->r->model_name) {
        pen_text(p, " – ");
        put_line(g, g->r->model_name);
    }
    pen_text(p, "</title>\n<style>\n");
    pen_put(p, page_css, (size_t)(page_css_end - page_css));
    palette_write(&g->colours, p);
    pen_text(p, "</style>\n</head>\n<body>\n<h1>");
    put_line(g, method);
    pen_text(p, "</h1>\n");
    return SONDE_OK;
}

static void put_pair(page *g, const char *name, const char *text) {
    if (!text) return;
    pen_text(g->h.p, "<dt>");
    put_line(g, name);
    pen_text(g->h.p, "</dt><dd>");
    put_shown(g, text, strlen(text), SHOW_PAGE);
    pen_text(g->h.p, "</dd>\n");
}

static void put_asked(page *g) {
    pen *p = g->h.p;
    pen_text(p, "<dl class=\"asked\">\n");
    put_pair(g, "model", g->r->model_name);
    put_pair(g, "family", g->r->model_family);
    put_pair(g, "hash", result_model_hash(g->r));
    for (size_t i = 0; i < g->r->params.n; i++) put_pair(g, g->r->params.at[i].name, g->r->params.at[i].value);
    for (size_t i = 0; i < g->r->edits.n; i++) put_pair(g, "edit", g->r->edits.at[i]);
    pen_text(p, "</dl>\n");
    if (g->r->notes.n) pen_text(p, "<ul class=\"notes\">\n");
    for (size_t i = 0; i < g->r->notes.n; i++) {
        pen_text(p, "<li>");
        put_line(g, g->r->notes.at[i]);
        pen_text(p, "</li>\n");
    }
    if (g->r->notes.n) pen_text(p, "</ul>\n");
}

static void put_chip(page *g, sonde_token t, size_t position, const sonde_written *made) {
    pen *p = g->h.p;
    char digits[DIGITS_ROOM];
    pen_printf(p, "<span class=\"token%s\" title=\"position %zu, id %" PRId32 ", bytes", made ? " made" : "", position,
               t.id);
    for (size_t i = 0; i < t.len && i < 256; i++) pen_printf(p, " %02x", (unsigned)(unsigned char)t.bytes[i]);
    if (made) pen_printf(p, ", probability %s", digits_exact(made->prob, digits));
    pen_text(p, "\">");
    put_shown(g, t.bytes, t.len, SHOW_TOKEN);
    pen_text(p, "</span>\n");
}

static void put_prompts(page *g) {
    pen *p = g->h.p;
    for (size_t i = 0; i < g->r->prompts.n; i++) {
        const result_prompt *q = &g->r->prompts.at[i];
        if (g->r->prompts.n > 1) pen_printf(p, "<h2>Prompt %zu</h2>\n", i);
        else pen_text(p, "<h2>Prompt</h2>\n");
        if (!q->tokens.n) {
            pen_text(p, "<div class=\"text\">");
            put_shown(g, q->text.bytes, q->text.len, SHOW_PAGE);
            pen_text(p, "</div>\n");
        }
        pen_text(p, "<div class=\"prompt\">\n");
        for (size_t k = 0; k < q->tokens.n; k++) put_chip(g, q->tokens.at[k].token, k, NULL);
        for (size_t k = 0; k < q->generated.n; k++)
            put_chip(g, q->generated.at[k].token, q->tokens.n + k, &q->generated.at[k]);
        pen_text(p, "</div>\n");
        arena_reset(g->h.scratch);
        if (!q->completion.bytes) continue;
        pen_text(p, "<div class=\"text\">");
        put_shown(g, q->completion.bytes, q->completion.len, SHOW_PAGE);
        pen_text(p, "</div>\n");
    }
}

/* A canvas over its place in the picture. */
static void put_canvas(page *g, const picture *p, frame at, const char *class, size_t id) {
    pen *out = g->h.p;
    pen_printf(out, "<canvas class=\"%s\" tabindex=\"0\" data-of=\"d%zu\" style=\"left:", class, id);
    html_number(out, 100 * at.x / p->width);
    pen_text(out, "%;top:");
    html_number(out, 100 * at.y / p->height);
    pen_text(out, "%;width:");
    html_number(out, 100 * at.w / p->width);
    pen_text(out, "%;height:");
    html_number(out, 100 * at.h / p->height);
    pen_text(out, "%\"");
}

static void put_canvases(page *g, const picture *p) {
    pen *out = g->h.p;
    for (size_t i = 0; i < p->marks.n; i++) {
        const mark *m = &p->marks.at[i];
        if (m->shape != MARK_RASTER) continue;
        const size_t id = html_raster(&g->h, m->raster);
        put_canvas(g, p, m->at, "raster", id);
        pen_printf(out,
                   " width=\"%zu\" height=\"%zu\" role=\"group\" aria-label=\"cells: arrow keys read them\"></canvas>\n",
                       m->raster->nx, m->raster->ny);
    }
    for (const scene *s = p->scene; s; s = s->before) {
        if (s->to <= s->from || !s->bodies.n) continue;
        put_canvas(g, p, s->room, "scene", html_scene(&g->h, s));
        pen_text(out,
                 " hidden role=\"group\" aria-label=\"arrow keys turn, + and - zoom, 0 goes back, n and p read\"></canvas>\n");
    }
}

/* The numbers a view draws; once a page. */
static void put_twin(page *g, const sonde_drawing *view) {
    pen *p = g->h.p;
    for (size_t i = 0; i < g->r->tables.n; i++) {
        if (strcmp(g->r->tables.at[i]->name, view->of) != 0) continue;
        if (g->table_shown[i]) { pen_printf(p, "<p class=\"rest\"><a href=\"#t%zu\">Its numbers stand above</a></p>\n",
                                            i); return; }
        g->table_shown[i] = true;
        pen_printf(p, "<details id=\"t%zu\"><summary>numbers: ", i);
        put_line(g, g->r->tables.at[i]->name);
        pen_text(p, "</summary>\n");
        html_table(&g->h, g->r->tables.at[i]);
        pen_text(p, "</details>\n");
        return;
    }
    for (size_t i = 0; i < g->r->arrays.n; i++) {
        if (strcmp(g->r->arrays.at[i]->name, view->of) != 0) continue;
        if (g->array_shown[i]) { pen_printf(p, "<p class=\"rest\"><a href=\"#a%zu\">Its numbers stand above</a></p>\n",
                                            i); return; }
        g->array_shown[i] = true;
        pen_printf(p, "<details id=\"a%zu\"><summary>numbers: ", i);
        put_line(g, g->r->arrays.at[i]->name);
        pen_text(p, "</summary>\n");
        html_numbers(&g->h, g->r->arrays.at[i]);
        pen_text(p, "</details>\n");
        return;
    }
}

static void put_views(page *g) {
    pen *p = g->h.p;
    html_palettes(&g->h);
    for (size_t i = 0; i < g->g.n && p->status == SONDE_OK; i++) {
        pen_text(p, "<figure>\n<div class=\"plot\">\n");
        paint_svg(g->g.at[i], &g->colours, p);
        put_canvases(g, g->g.at[i]);
        pen_text(p, "</div>\n</figure>\n");
        put_twin(g, g->g.at[i]->view);
        arena_reset(g->h.scratch);
    }
}

static void put_rest(page *g) {
    pen *p = g->h.p;
    for (size_t i = 0; i < g->r->tables.n && p->status == SONDE_OK; i++) {
        if (g->table_shown[i]) continue;
        pen_text(p, "<h2>");
        put_line(g, g->r->tables.at[i]->name);
        pen_text(p, "</h2>\n");
        html_table(&g->h, g->r->tables.at[i]);
    }
    for (size_t i = 0; i < g->r->arrays.n && p->status == SONDE_OK; i++) {
        if (g->array_shown[i] || result_tabled(g->r, g->r->arrays.at[i])) continue;
        pen_text(p, "<h2>");
        put_line(g, g->r->arrays.at[i]->name);
        pen_text(p, "</h2>\n");
        html_numbers(&g->h, g->r->arrays.at[i]);
    }
    if (g->r->tables.n + g->r->arrays.n > 0 || !g->r->prompts.n) return;
    sonde_result *own = sonde_result_new();
    pen_text(p, "<h2>tokens</h2>\n");
    html_table(&g->h, result_token_table(g->r, own));
    sonde_result_free(own);
}

static sonde_status put_page(page *g) {
    pen *p = g->h.p;
    SONDE_TRY(put_head(g));
    put_asked(g);
    put_prompts(g);
    put_views(g);
    put_rest(g);
    pen_text(p, "<div id=\"tip\" role=\"status\" aria-live=\"polite\"></div>\n<script>");
    pen_put(p, page_js, (size_t)(page_js_end - page_js));
    pen_text(p, "</script>\n</body>\n</html>\n");
    return pen_close(p);
}

sonde_status html_write(const sonde_result *r, pen *p) {
    page g = { .r = r, .pictures = arena_new(), .h = { .p = p, .scratch = arena_new() } };
    g.table_shown = arena_new_array(g.pictures, bool, r->tables.n + 1);
    g.array_shown = arena_new_array(g.pictures, bool, r->arrays.n + 1);
    g.g = (gallery){ arena_new_array(g.pictures, picture *, r->views.n + 1), r->views.n };
    for (size_t i = 0; i < g.g.n; i++) {
        g.g.at[i] = picture_of(r, &r->views.at[i], g.pictures);
        palette_add(&g.colours, g.g.at[i]);
    }
    const sonde_status s = put_page(&g);
    for (size_t i = 0; i < g.g.n; i++) picture_free(g.g.at[i]);
    palette_free(&g.colours);
    arena_free(g.h.scratch);
    arena_free(g.pictures);
    return s;
}
