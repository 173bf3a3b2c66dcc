/* Points in the plane, and in space by a parallel projection; labels stand where there is room. */
#include "draw.h"
#include "show_token.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL = 11, LEFT = 64, BELOW = 38, MOST_POINTS = 20000, MOST_LABELS = 300, MOST_TRIES = 4000,
       MOST_TIPS = DRAW_MOST_MARKS };

typedef struct { size_t row; double at[3]; seen shown; } dot;
typedef struct { const panel *b; const table_part *part; const char *name[3]; size_t column[3], label; int axes;
                 dot *dots; size_t n, lost; } cloud;

static bool place_of(const cloud *c, size_t row, double at[3]) {
    for (int i = 0; i < 3; i++) {
        at[i] = 0;
        if (i < c->axes && (!cell_number(c->part->t, row, c->column[i], &at[i]) || !isfinite(at[i]))) return false;
        if (fabs(at[i]) > 1e150) return false;
    }
    return true;
}

static bool open_cloud(cloud *c, const panel *b, const table_part *part) {
    const sonde_drawing *view = b->view;
    const char *const names[3] = { view->x, view->y, view->z };
    *c = (cloud){ .b = b, .part = part, .axes = view->z ? 3 : 2, .label = table_find(part->t, view->label) };
    for (int i = 0; i < c->axes; i++) {
        c->column[i] = table_find(part->t, names[i]);
        c->name[i] = names[i] ? show_copy(b->p->into, names[i], strlen(names[i]), SHOW_LINE) : "x, y or z";
        if (column_is_number(part->t, c->column[i])) continue;
        draw_note(b->p, "%s is no column of numbers, so there are no points", c->name[i]);
        return false;
    }
    c->dots = arena_new_array(b->p->into, dot, part->n + 1);
    for (size_t i = 0; i < part->n; i++) {
        dot d = { .row = part_row(part, i) };
        if (place_of(c, d.row, d.at)) c->dots[c->n++] = d;
        else c->lost++;
    }
    if (c->lost) draw_note(b->p, "%zu of %zu points have no finite place and are not drawn", c->lost, part->n);
    return true;
}

/* All points of the table make the axes, so that panels can be compared; with own_scale, those of the panel. */
static void ranges(const cloud *c, axis out[3]) {
    const bool own = c->b->view->own_scale;
    const size_t n = own ? c->part->n : c->part->t->rows;
    for (int i = 0; i < 3; i++) out[i] = (axis)AXIS_EMPTY;
    for (size_t i = 0; i < n; i++) {
        double at[3];
        if (!place_of(c, own ? part_row(c->part, i) : i, at)) continue;
        for (int k = 0; k < c->axes; k++) axis_add(&out[k], at[k]);
    }
    for (int k = 0; k < c->axes; k++) {
        axis_close(&out[k], false);
        out[k].name = c->name[k];
    }
}

static void put_labels(const cloud *c, frame plot) {
    if (c->label == SIZE_MAX) return;
    picture *p = c->b->p;
    frame taken[MOST_LABELS];
    size_t put = 0;
    for (size_t i = 0; i < c->n && i < MOST_TRIES && put < MOST_LABELS; i++) {
        const char *text = text_cut(p->into, cell_said(c->part->t, c->dots[i].row, c->label, p->into), SMALL, 120);
        const frame f = { c->dots[i].shown.x + 5, c->dots[i].shown.y - 6, text_width(text, SMALL) + 3, 13 };
        if (!*text || f.x + f.w > plot.x + plot.w + 8 || f.y < plot.y - 4 || frame_meets(f, taken, put)) continue;
        taken[put++] = f;
        draw_text(p, f.x, f.y + 10, text, paint_ink)->size = SMALL;
    }
    if (put < c->n) draw_note(p, "%zu of %zu labels shown, for want of room", put, c->n);
}

static int far_first(const void *a, const void *b) {
    const dot *p = a, *q = b;
    if (p->shown.depth != q->shown.depth) return p->shown.depth > q->shown.depth ? -1 : 1;
    return (p->row > q->row) - (p->row < q->row);
}

static void put_dots(cloud *c) {
    picture *p = c->b->p;
    const size_t step = (c->n + MOST_POINTS - 1) / MOST_POINTS;
    if (step > 1) draw_note(p, "1 of %zu points shown", step);
    const double r = c->n > 2000 ? 1.5 : c->n > 300 ? 2.5 : 3.5;
    for (size_t i = 0; i < c->n; i += step ? step : 1) {
        mark *m = draw_circle(p, c->dots[i].shown.x, c->dots[i].shown.y, r, colouring_paint(c->b->colours, c->dots[i].row));
        m->opacity = c->n > 300 ? 0.75 : 0.9;
        if (c->n <= MOST_TIPS) m->tip = row_tip(p->into, c->part->t, c->dots[i].row);
    }
}

static double put_flat(cloud *c) {
    picture *p = c->b->p;
    const frame plot = { c->b->x + LEFT, c->b->y + 4, c->b->w - LEFT - 10, c->b->small ? 280 : 440 };
    axis a[3];
    ranges(c, a);
    a[0].from = plot.x;
    a[0].to = plot.x + plot.w;
    a[1].from = plot.y + plot.h;
    a[1].to = plot.y;
    draw_axis_y(p, &a[1], plot);
    draw_axis_x(p, &a[0], plot);
    for (size_t i = 0; i < c->n; i++)
        c->dots[i].shown = (seen){ axis_at(&a[0], c->dots[i].at[0]), axis_at(&a[1], c->dots[i].at[1]), 0 };
    put_dots(c);
    put_labels(c, plot);
    return plot.h + BELOW + 4;
}

/* The box around all, its names at three edges. */
static void put_cage(const cloud *c, const space *s, const axis of[3]) {
    picture *p = c->b->p;
    static const int edge[12][2] = { { 0, 1 }, { 2, 3 }, { 4, 5 }, { 6, 7 }, { 0, 2 }, { 1, 3 }, { 4, 6 }, { 5, 7 },
                                     { 0, 4 }, { 1, 5 }, { 2, 6 }, { 3, 7 } };
    seen at[8];
    for (int k = 0; k < 8; k++)
        at[k] = space_at(s, (const double[]){ k & 1 ? s->hi[0] : s->lo[0], k & 2 ? s->hi[1] : s->lo[1], k & 4 ? s->hi[2]
                                              : s->lo[2] });
    for (int k = 0; k < 12; k++) {
        const seen from = at[edge[k][0]], to = at[edge[k][1]];
        draw_line(p, (frame){ from.x, from.y, to.x - from.x, to.y - from.y }, paint_grid);
    }
    static const int named[3][2] = { { 0, 1 }, { 0, 2 }, { 1, 5 } };
    for (int k = 0; k < 3; k++) {
        char lo[DIGITS_ROOM], hi[DIGITS_ROOM];
        const seen from = at[named[k][0]], to = at[named[k][1]];
        const char *said = arena_printf(p->into, "%s  %s to %s", c->name[k], digits_short(of[k].lo, lo),
                                        digits_short(of[k].hi, hi));
        mark *m = draw_text(p, (from.x + to.x) / 2 + (k == 2 ? 8 : k == 1 ? -8 : 0), (from.y + to.y) / 2 + 14, said,
                            paint_dim);
        m->size = SMALL;
        m->anchor = k == 1 ? ANCHOR_END : k ? ANCHOR_START : ANCHOR_END;
    }
}

static void keep_scene(cloud *c, frame room, const axis a[3]) {
    picture *p = c->b->p;
    scene *before = p->scene;
    p->scene = arena_new_array(p->into, scene, 1);
    *p->scene = (scene){ .before = before, .axis = { c->name[0], c->name[1], c->name[2] }, .room = room, .from = p->marks.n };
    for (int k = 0; k < 3; k++) p->scene->lo[k] = a[k].lo, p->scene->hi[k] = a[k].hi;
    for (size_t i = 0; i < c->n && i < MOST_POINTS; i++) {
        const dot *d = &c->dots[i];
        const char *label = c->label == SIZE_MAX ? NULL : cell_said(c->part->t, d->row, c->label, p->into);
        *LIST_ADD(p->scene->bodies) = (body){ .x = d->at[0], .y = d->at[1], .z = d->at[2], .label = label,
            .fill = colouring_paint(c->b->colours, d->row), .tip = row_tip(p->into, c->part->t, d->row) };
    }
}

static double put_deep(cloud *c) {
    const frame room = { c->b->x + 90, c->b->y + 8, c->b->w - 180, c->b->small ? 300 : 460 };
    axis a[3];
    ranges(c, a);
    space cube = SPACE_EMPTY;                           /* every axis as long as the others */
    space_add(&cube, (const double[]){ 0, 0, 0 });
    space_add(&cube, (const double[]){ 1, 1, 1 });
    const double used = space_fit(&cube, room);
    for (size_t i = 0; i < c->n; i++) {
        double at[3];
        for (int k = 0; k < 3; k++) at[k] = (c->dots[i].at[k] / 2 - a[k].lo / 2) / (a[k].hi / 2 - a[k].lo / 2);
        c->dots[i].shown = space_at(&cube, at);
    }
    keep_scene(c, (frame){ c->b->x, c->b->y, c->b->w, used + 36 }, a);
    put_cage(c, &cube, a);
    qsort(c->dots, c->n, sizeof *c->dots, far_first);
    put_dots(c);
    put_labels(c, (frame){ c->b->x, c->b->y, c->b->w, used + 40 });
    c->b->p->scene->to = c->b->p->marks.n;
    return used + 40;
}

double draw_scatter(const panel *b, const table_part *part) {
    cloud c;
    if (!open_cloud(&c, b, part)) return 0;
    return c.axes == 3 ? put_deep(&c) : put_flat(&c);
}
