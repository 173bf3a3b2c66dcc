/* Bound edits on a piece of a value: forward, and what they pass on backward (interface.md 4).
 * Masked entries (keys behind a row's position) are passed over in both directions. */
#include "base/philox.h"
#include "bound.h"
#include "kernel/exact.h"
#include "kept.h"
#include <math.h>
#include <string.h>

/* Coordinates of one axis inside [lo, hi): i in [from, to) is coordinate at(i) and element ord(i) of the edit's region. */
typedef struct { const int64_t *list, *ordinal; int64_t from, to, origin; } walk;

static walk walk_axis(const bound_axis *x, int64_t lo, int64_t hi) {
    if (x->kind != INDEX_LIST)
        return (walk){ .from = x->lo > lo ? x->lo : lo, .to = x->hi < hi ? x->hi : hi, .origin = x->lo };
    walk w = { .list = x->list, .ordinal = x->ordinal };
    while (w.from < (int64_t)x->n && x->list[w.from] < lo) w.from++;
    for (w.to = w.from; w.to < (int64_t)x->n && x->list[w.to] < hi;) w.to++;
    return w;
}

static int64_t at(const walk *w, int64_t i)  { return w->list ? w->list[i] : i; }
static int64_t ord(const walk *w, int64_t i) { return w->list ? w->ordinal[i] : i - w->origin; }

/* A row of the region: the last axis of it, for one choice of the others. */
typedef struct {
    float         *data;            /* coordinate 0 of the last axis */
    walk           last;
    const float   *value;           /* of element 0 of the region's last axis, NULL: the number */
    int64_t        stride;
    const float   *live;            /* coordinate 0 of the kept run's row */
    int64_t        position, origin;        /* of the row; elements of this position in front of it */
} edit_row;

static float row_value(const bound_edit *e, const edit_row *r, int64_t i) {
    if (e->live) return (float)e->value.number == 1.0f ? r->live[at(&r->last, i)] : (float)e->value.number * r->live[at(&r->last, i)];
    return r->value ? r->value[ord(&r->last, i) * r->stride] : (float)e->value.number;
}

/* Gaussian by the inverse of its distribution; keyed by (seed, place, position, element). */
static float noise(uint64_t seed, uint64_t key, int64_t position, int64_t element) {
    const uint64_t     k = seed * 0x9E3779B97F4A7C15u ^ key;
    const philox_block b = philox4x32((uint32_t[2]){ (uint32_t)k, (uint32_t)(k >> 32) },
                                      (uint32_t[4]){ (uint32_t)position, (uint32_t)element, (uint32_t)(element >> 32), 0 });
    const uint64_t bits = (uint64_t)b.word[0] << 21 | b.word[1] >> 11;
    return (float)exact_normal(((double)bits + 0.5) * 0x1p-53);
}

/* x -= <x, u> u, u of length one, over the region's part of the row; its own transpose. */
static void project(const bound_edit *e, const edit_row *r) {
    double along = 0;
    for (int64_t i = r->last.from; i < r->last.to; i++)
        along += (double)r->data[at(&r->last, i)] * (double)row_value(e, r, i);
    for (int64_t i = r->last.from; i < r->last.to; i++) {
        float *x = &r->data[at(&r->last, i)];
        *x = (float)((double)*x - along * (double)row_value(e, r, i));
    }
}

static void change_row(const bound *b, const bound_edit *e, const edit_row *r, uint64_t key) {
    if (e->op == EDIT_PROJECT) {
        project(e, r);
        return;
    }
    for (int64_t i = r->last.from; i < r->last.to; i++) {
        float      *x = &r->data[at(&r->last, i)];
        const float v = row_value(e, r, i);
        if (e->op == EDIT_SCALE) *x *= v;
        else if (e->op == EDIT_ADD) *x += v;
        else if (e->op == EDIT_NOISE) *x += v * noise(b->seed, key, r->position, r->origin + at(&r->last, i));
        else *x = v;
    }
}

static void change_row_back(const bound *b, const bound_edit *e, const edit_row *r, uint64_t key) {
    (void)b;
    (void)key;
    if (e->op == EDIT_ADD || e->op == EDIT_NOISE) return;
    if (e->op == EDIT_PROJECT) {
        project(e, r);
        return;
    }
    for (int64_t i = r->last.from; i < r->last.to; i++) {
        float *g = &r->data[at(&r->last, i)];
        *g = e->op == EDIT_SCALE ? *g * row_value(e, r, i) : 0;
    }
}

typedef void (*row_fn)(const bound *b, const bound_edit *e, const edit_row *r, uint64_t key);

/* Does the edit act at this position, and has it a number for the region's element `i` of it? */
static bool acts_at(const bound_edit *e, int64_t position, int64_t i) {
    if (e->when == WHEN_PROMPT && position >= e->prompt) return false;
    if (e->when == WHEN_GENERATED && position < e->prompt) return false;
    return i < e->value.rows;
}

/* A value of the whole text: one row, no positions. */
static void one_row(const bound *b, const bound_edit *e, const mark_view *v, row_fn fn) {
    const edit_row r = { .data = v->data, .last = walk_axis(&e->axis[0], 0, v->dim[0]), .stride = e->value.stride[0],
                         .value = e->value.data, .live = e->live ? e->live->data : NULL };
    if (acts_at(e, 0, 0)) fn(b, e, &r, v->key);
}

/* Every row of the region inside the view. t is the first axis ("t d", "t h e") or the second ("h t s"). */
static void each_row(const bound *b, const bound_edit *e, const mark_view *v, row_fn fn) {
    const bool three = v->rank == 3;
    const int  t = v->t_axis, other = 1 - t, last = v->rank - 1;
    if (t < 0) {
        one_row(b, e, v, fn);
        return;
    }
    const walk rows = walk_axis(&e->axis[t], v->first, v->first + v->dim[t]);
    const walk heads = three ? walk_axis(&e->axis[other], 0, v->dim[other]) : (walk){ .to = 1 };
    for (int64_t i = rows.from; i < rows.to; i++) {
        const int64_t position = at(&rows, i);
        if (!acts_at(e, position, ord(&rows, i))) continue;
        const span    seen = v->masked ? keys_seen(v->sight, position, v->dim[last]) : (span){ 0, v->dim[last] };
        edit_row      r = { .last = walk_axis(&e->axis[last], seen.lo, seen.hi), .position = position,
                            .stride = e->value.stride[last] };
        for (int64_t j = heads.from; j < heads.to; j++) {
            const int64_t h = at(&heads, j), local = position - v->first;
            const int64_t line = !three ? local : t == 0 ? local * v->dim[1] + h : h * v->dim[1] + local;
            r.data = v->data + line * v->dim[last];
            r.origin = h * (v->masked ? (int64_t)1 << 32 : v->dim[last]);
            if (e->value.data)
                r.value = e->value.data + ord(&rows, i) * e->value.stride[t] + (three ? ord(&heads, j) * e->value.stride[other] : 0);
            if (e->live) {
                const int64_t kept_line = !three ? position : t == 0 ? position * e->live->dim[1] + h : h * e->live->dim[1] + position;
                r.live = e->live->data + kept_line * e->live->dim[last];
            }
            fn(b, e, &r, v->key);
        }
    }
}

void edit_apply(const bound *b, const bound_edit *e, const mark_view *v) { each_row(b, e, v, change_row); }
void edit_back(const bound *b, const bound_edit *e, const mark_view *v)  { each_row(b, e, v, change_row_back); }

void edit_touch(const bound_edit *e, int64_t first, int64_t n, int64_t heads, uint8_t *mask) {
    const bool three = strlen(site_rows[e->at.site].axes) == 5;
    const walk rows = walk_axis(&e->axis[0], first, first + n), hs = three ? walk_axis(&e->axis[1], 0, heads) : (walk){ .to = 1 };
    for (int64_t i = rows.from; i < rows.to; i++) {
        if (!acts_at(e, at(&rows, i), ord(&rows, i))) continue;
        for (int64_t j = hs.from; j < hs.to; j++) mask[(at(&rows, i) - first) * heads + at(&hs, j)] = 1;
    }
}
