#include "attend_rows.h"
#include "scratch.h"

enum { MANY = 5 };                  /* rows from which packing pays */

attend_part attend_whole(const op_call *c, const tensor *k, const tensor *v) {
    const tensor *any = k ? k : v;
    const int64_t S = any->dim[1], T = c->in[0]->dim[k ? 1 : 2];
    return (attend_part){ .n = T, .sight = c->attr.attention.sight, .keys = S, .k = k ? k->data : NULL, .v = v ? v->data : NULL,
                          .key_bias = c->attr.attention.key_bias, .key_head = S,
                          .bias = c->attr.attention.bias, .bias_head = T * S, .bias_row = S };
}

/* Parts from `first` on that are in the units together; *rows of each head. */
static int64_t together(const attend_call *a, int64_t first, int64_t *rows) {
    const attend_part *p = &a->part[first];
    int64_t n = 1;
    *rows = p->n;
    for (; first + n < a->parts && p->lent && p[n].lent == p->lent && p[n].lent_k == p->lent_k; n++) *rows += p[n].n;
    return n;
}

static int64_t blocks(const attend_call *a, int64_t rows) {
    return (rows * (a->H / a->G) + ATTEND_ROWS - 1) / ATTEND_ROWS;
}

int64_t attend_units(const attend_call *a) {
    int64_t units = 0, rows;
    for (int64_t i = 0; i < a->parts;) {
        i += together(a, i, &rows);
        units += a->G * blocks(a, rows);
    }
    return units;
}

static void open_row(const attend_call *a, const attend_part *p, int64_t t, int64_t h, kern_row *r) {
    const int64_t at = ((p->row + t) * a->H + h) * a->e, g = h / (a->H / a->G) * a->e;
    const span    seen = keys_seen(p->sight, t, p->keys);
    *r = (kern_row){ .q = a->q ? a->q + at : NULL, .z = a->z ? a->z + at : NULL, .k = p->k ? p->k + g : NULL,
                     .v = p->v ? p->v + g : NULL, .lo = (size_t)seen.lo, .hi = (size_t)seen.hi,
                     .key_bias = p->key_bias ? p->key_bias + h * p->key_head : NULL,
                     .bias = p->bias ? p->bias + h * p->bias_head + t * p->bias_row : NULL,
                     .p = a->square ? a->square + (h * p->n + t) * p->keys : NULL };
}

/* From row `first` of a head's rows of the parts on: a position's heads stand side by side. */
static void open_rows(const attend_call *a, const attend_part *p, int64_t g, int64_t first, attend_unit *u) {
    const int64_t per = a->H / a->G;
    for (int64_t i = 0, at = first; i < u->n; i++, at++) {
        for (; at >= p->n * per; p++) at -= p->n * per;
        u->head[i] = g * per + at % per;
        u->t[i] = at / per;
        open_row(a, p, at / per, u->head[i], &u->row[i]);
        if ((int64_t)u->row[i].lo < u->base) u->base = (int64_t)u->row[i].lo;
        if ((int64_t)u->row[i].hi > u->top) u->top = (int64_t)u->row[i].hi;
        const int64_t reach = p->sight.window && !p->sight.every ? p->sight.window + ATTEND_ROWS : INT64_MAX;
        if (p->most > u->most) u->most = p->most < reach ? p->most : reach;
        if (u->row[i].k != u->row[0].k || u->row[i].v != u->row[0].v) u->same = p->lent;
    }
}

void attend_unit_open(const attend_call *a, int64_t unit, attend_unit *u) {
    int64_t i = 0, rows, n;
    for (; n = together(a, i, &rows), unit >= a->G * blocks(a, rows); i += n) unit -= a->G * blocks(a, rows);
    const attend_part *p = &a->part[i];
    const int64_t      many = blocks(a, rows), g = unit / many, b = unit % many, of = rows * (a->H / a->G);
    const int64_t      first = of * b / many;
    *u = (attend_unit){ .n = of * (b + 1) / many - first, .base = INT64_MAX, .same = INT64_MAX };
    open_rows(a, p, g, first, u);
    u->base = a->square ? 0 : u->base / 32 * 32;
    if (u->most < u->top - u->base) u->most = u->top - u->base;
    u->call = (kern_attend){ .row = u->row, .rows = (size_t)u->n, .e = (size_t)a->e, .stride = (size_t)(a->G * a->e),
                             .from = (size_t)u->base, .k = p->lent_k ? p->lent_k + g * a->e : NULL,
                             .v = p->lent_v ? p->lent_v + g * a->e : NULL, .split = (size_t)p->lent, .scale = a->scale };
}

void attend_pack(attend_unit *u, int which, int64_t rows, kern_panels *panels) {
    size_t lo = SIZE_MAX;
    for (int64_t i = 0; i < u->n; i++) lo = u->row[i].lo < lo ? u->row[i].lo : lo;
    *panels = (kern_panels){ .base = lo / 32 * 32, .top = (size_t)(u->same < u->top ? u->same : u->top) };
    if (u->n < MANY || panels->top <= panels->base) return;
    const size_t n = panels->top - panels->base, e = u->call.e, most = (size_t)(rows < u->n ? rows : u->n);
    const size_t in_the_end = (size_t)u->most + 32 > n ? (size_t)u->most + 32 : n;
    const size_t keys = which & PANEL_KEYS ? kern_panel_keys(e, in_the_end) : 0;
    const size_t values = which & PANEL_VALUES ? kern_panel_values(e, in_the_end) : 0;
    panels->keys = scratch_floats(SCRATCH_PANELS, keys + values + kern_attend_scratch(most, e, in_the_end));
    panels->values = panels->keys + keys;
    u->call.scratch = panels->values + values;
    u->call.panels = panels;
    if (keys) kern->pack_keys(&u->call);
    if (values) kern->pack_values(&u->call);
}
