/* Boxes in space by a parallel projection, the farthest first; three faces of each are seen. */
#include "draw.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL = 11, MOST_BOXES = 8000, MOST_LABELS = 200 };

typedef struct { size_t row; double at[3], size[3]; seen middle; size_t group; } block;

static bool block_of(const sonde_table *t, const size_t column[6], block *k) {
    for (int i = 0; i < 3; i++) {
        if (!cell_number(t, k->row, column[i], &k->at[i]) || !(fabs(k->at[i]) < 1e150)) return false;
        if (!cell_number(t, k->row, column[3 + i], &k->size[i])) k->size[i] = 1;
        k->size[i] = fabs(k->size[i]);
        if (!(k->size[i] < 1e150)) return false;
    }
    return true;
}

static int far_first(const void *a, const void *b) {
    const block *p = a, *q = b;
    if (p->middle.depth != q->middle.depth) return p->middle.depth > q->middle.depth ? -1 : 1;
    return (p->row > q->row) - (p->row < q->row);
}

static uint8_t darker(uint8_t v, double by) { return (uint8_t)lround(v * by); }

static paint shaded(paint c, double by) {
    return (paint){ { darker(c.light.r, by), darker(c.light.g, by), darker(c.light.b, by) },
                    { darker(c.dark.r, by), darker(c.dark.g, by), darker(c.dark.b, by) } };
}

/* Corner k: bits say which end of each axis. */
static void put_box(picture *p, const space *s, const block *k, paint c, const char *tip) {
    static const int face[3][4] = { { 0, 1, 3, 2 }, { 1, 5, 7, 3 }, { 2, 3, 7, 6 } };         /* front, right, top */
    static const double light[3] = { 0.88, 0.7, 1 };
    for (int f = 0; f < 3; f++) {
        double point[8];
        for (int i = 0; i < 4; i++) {
            const int at = face[f][i];
            double corner[3];
            for (int a = 0; a < 3; a++) corner[a] = k->at[a] + (at >> a & 1 ? 0.5 : -0.5) * k->size[a];
            const seen v = space_at(s, corner);
            point[2 * (size_t)i] = v.x;
            point[2 * (size_t)i + 1] = v.y;
        }
        mark *m = draw_points(p, MARK_POLYGON, point, 4, shaded(c, light[f]));
        m->stroked = true;
        m->stroke = shaded(c, 0.55);
        m->width = 0.4;
        m->tip = tip;
    }
}

static void keep_scene(const panel *b, const block *blocks, size_t n, const sonde_table *t) {
    picture *p = b->p;
    const size_t label = table_find(t, b->view->label), group = table_find(t, b->view->panel);
    p->scene = arena_new_array(p->into, scene, 1);
    *p->scene = (scene){ .boxes = true, .axis = { "x", "y", "z" }, .from = p->marks.n };
    for (size_t i = 0; i < n; i++) {
        const block *k = &blocks[i];
        *LIST_ADD(p->scene->bodies) = (body){
            .x = k->at[0], .y = k->at[1], .z = k->at[2], .w = k->size[0], .h = k->size[1], .d = k->size[2],
            .group = k->group,
            .fill = colouring_paint(b->colours, k->row), .tip = row_tip(p->into, t, k->row),
            .label = label == SIZE_MAX ? NULL : cell_said(t, k->row, label, p->into) };
    }
    if (group == SIZE_MAX) return;
    table_part *parts;
    p->scene->n_groups = table_parts(NULL, t, b->view->panel, p->into, &parts);
    p->scene->groups = arena_new_array(p->into, const char *, p->scene->n_groups);
    for (size_t i = 0; i < p->scene->n_groups; i++) p->scene->groups[i] = parts[i].title ? parts[i].title : "";
}

/* The names of groups at their left, where they do not meet. */
static void put_groups(const panel *b, const space *s, const block *blocks, size_t n) {
    picture *p = b->p;
    double last = -1e9;
    for (size_t g = 0; g < p->scene->n_groups && g < MOST_LABELS; g++) {
        space hull = SPACE_EMPTY;
        for (size_t i = 0; i < n; i++) {
            if (blocks[i].group != g) continue;
            double lo[3], hi[3];
            for (int k = 0; k < 3; k++) {
                lo[k] = blocks[i].at[k] - blocks[i].size[k] / 2;
                hi[k] = blocks[i].at[k] + blocks[i].size[k] / 2;
            }
            space_add(&hull, lo);
            space_add(&hull, hi);
        }
        if (hull.lo[0] > hull.hi[0]) continue;
        const seen at = space_at(s, (const double[]){ hull.lo[0], hull.hi[1] / 2 + hull.lo[1] / 2, hull.lo[2] });
        if (fabs(at.y - last) < 12) continue;
        last = at.y;
        const char *text = text_cut(p->into, p->scene->groups[g], SMALL, fmax(at.x - b->x - 8, 0));
        mark *m = draw_text(p, at.x - 8, at.y + 4, text, paint_dim);
        m->size = SMALL;
        m->anchor = ANCHOR_END;
    }
}

static size_t open_blocks(const panel *b, const table_part *part, block *out, space *s) {
    const sonde_table *t = part->t;
    static const char *const names[6] = { "x", "y", "z", "width", "height", "depth" };
    size_t column[6], n = 0;
    for (int i = 0; i < 6; i++) column[i] = table_find(t, names[i]);
    table_part *groups;
    const size_t n_groups = table_parts(NULL, t, b->view->panel, b->p->into, &groups);
    for (size_t g = 0; g < n_groups; g++)
        for (size_t i = 0; i < groups[g].n && n < MOST_BOXES; i++) {
            block k = { .row = part_row(&groups[g], i), .group = g };
            if (!block_of(t, column, &k)) continue;
            double lo[3], hi[3];
            for (int a = 0; a < 3; a++) { lo[a] = k.at[a] - k.size[a] / 2; hi[a] = k.at[a] + k.size[a] / 2; }
            space_add(s, lo);
            space_add(s, hi);
            out[n++] = k;
        }
    if (n < t->rows) draw_note(b->p, "%zu of %zu boxes drawn", n, t->rows);
    return n;
}

double draw_architecture(const panel *b, const table_part *part) {
    picture *p = b->p;
    space s = SPACE_EMPTY;
    block *blocks = arena_new_array(p->into, block, MOST_BOXES);
    const size_t n = open_blocks(b, part, blocks, &s);
    if (!n) return 0;
    keep_scene(b, blocks, n, part->t);
    const frame room = { b->x + 110, b->y + 4, b->w - 220, 640 };
    const double used = space_fit(&s, room);
    for (size_t i = 0; i < n; i++) blocks[i].middle = space_at(&s, blocks[i].at);
    qsort(blocks, n, sizeof *blocks, far_first);
    const size_t label = table_find(part->t, b->view->label);
    for (size_t i = 0; i < n; i++)
        put_box(p, &s, &blocks[i], colouring_paint(b->colours, blocks[i].row), row_tip(p->into, part->t, blocks[i].row));
    for (size_t i = 0; i < n && n <= MOST_LABELS && label != SIZE_MAX; i++) {
        const block *k = &blocks[i];
        const char *text = cell_said(part->t, k->row, label, p->into);
        const seen at = space_at(&s, (const double[]){ k->at[0], k->at[1], k->at[2] - k->size[2] / 2 });
        const bool fits = text_width(text, SMALL) < k->size[0] * s.scale * 0.82 && k->size[1] * s.scale > 15;
        if (!fits) continue;
        mark *m = draw_text(p, at.x, at.y + 4, text, paint_on(shaded(colouring_paint(b->colours, k->row), 0.88)));
        m->size = SMALL;
        m->anchor = ANCHOR_MIDDLE;
    }
    put_groups(b, &s, blocks, n);
    p->scene->room = (frame){ b->x, b->y, b->w, used + 8 };
    p->scene->to = p->marks.n;
    return used + 12;
}
