/* z[t,h,:] = sum over the keys s that row t sees of p[h,t,s] v[s,g,:], where p[h,t,:] = softmax of the soft-capped scores
 * scale <q[t,h,:], k[s,g,:]> + biases: what scores, soft_cap, softmax and mix give, and the same bits, without their
 * squares; g = h / (heads / kv heads).
 * in: q [1, T, H, e], k, v [1, S, G, e]; out [1, T, H, e]. A unit is rows of a head of keys (attend_rows.h); scores exist
 * for a few of them at a time. On the way back a row's maximum, sum and slope are kept, and scores are computed again,
 * for rows (in[0]) and then for keys (in[1], in[2]): memory is linear in length both ways. */
#include "attend_rows.h"
#include "attention_back.h"
#include "scratch.h"
#include <string.h>

enum { ROWS = 64 };                 /* whose scores exist at a time */
enum { MOST_OF, SUM_OF, SLOPE_OF };    /* kept of a row: its scores' maximum, sum exp(score - maximum), <p, dp> */

static sonde_status shape(op_call *c, sonde_error *err) {
    const tensor *q = c->in[0], *k = c->in[1], *v = c->in[2];
    SONDE_FAIL_IF(q->dim[3] != k->dim[3] || q->dim[2] % k->dim[2], err, SONDE_USAGE,
                  "attend: q heads [%lld, %lld], k heads [%lld, %lld]", (long long)q->dim[2], (long long)q->dim[3],
                  (long long)k->dim[2], (long long)k->dim[3]);
    for (int i = 1; i < MAX_DIM; i++)
        SONDE_FAIL_IF(k->dim[i] != v->dim[i], err, SONDE_USAGE, "attend: keys [%lld, %lld, %lld], values [%lld, %lld, %lld]",
                      (long long)k->dim[1], (long long)k->dim[2], (long long)k->dim[3], (long long)v->dim[1],
                      (long long)v->dim[2], (long long)v->dim[3]);
    tensor_same_shape(c->out, q);
    return SONDE_OK;
}

static attend_call call_of(const op_call *c, attend_part *whole) {
    const tensor *q = c->in[0], *k = c->in[1];
    const bool    parts = c->attr.attention.part != NULL;
    *whole = attend_whole(c, k, c->in[2]);
    return (attend_call){ .part = parts ? c->attr.attention.part : whole, .parts = parts ? c->attr.attention.parts : 1,
                          .H = q->dim[2], .G = k->dim[2], .e = q->dim[3], .q = q->data, .z = c->out->data,
                          .scale = c->attr.attention.scale };
}

/* Scores of one row, as many as it sees; behind them is room for a sink. */
typedef struct { float *x; size_t n; int64_t h; } seen_row;

static seen_row row_of(const attend_unit *u, int64_t i) {
    const kern_row *r = &u->row[i];
    return (seen_row){ r->p + (r->lo - u->call.from), r->hi - r->lo, u->head[i] };
}

/* Caps them and puts the sink behind; gives how many numbers the softmax has. */
static size_t cap_row(const op_call *c, seen_row r) {
    const float *sink = c->attr.attention.sink;
    if (c->attr.attention.limit > 0) soft_cap_row(r.x, r.x, c->attr.attention.limit, (int64_t)r.n);
    if (sink) r.x[r.n] = sink[r.h];
    return r.n + (sink != NULL);
}

/* Floats from one row of scores to the next: as many as the sequence will need, and never whole pages. */
static size_t width_of(const attend_unit *u) { return (size_t)(u->most + 47) / 16 * 16 | 16; }

static void fwd_unit(const op_call *c, attend_unit *u) {
    const size_t  wide = width_of(u);
    const int64_t most = u->n < ROWS ? u->n : ROWS;
    float *const  p = scratch_floats(SCRATCH_ROW, wide * (size_t)most);
    kern_panels   panels;
    attend_pack(u, PANEL_KEYS | PANEL_VALUES, ROWS, &panels);
    kern_attend call = u->call;
    for (int64_t at = 0; at < u->n; at += ROWS) {
        const int64_t n = u->n - at < ROWS ? u->n - at : ROWS;
        for (int64_t i = 0; i < n; i++) u->row[at + i].p = p + (size_t)i * wide;
        call.row = u->row + at;
        call.rows = (size_t)n;
        kern->scores(&call);
        for (int64_t i = at; i < at + n; i++) {
            const seen_row r = row_of(u, i);
            kern->softmax(r.x, r.x, cap_row(c, r));
        }
        kern->mix(&call);
    }
}

static void fwd(const op_call *c, span units) {
    attend_part       whole;
    const attend_call a = call_of(c, &whole);
    for (int64_t i = units.lo; i < units.hi; i++) {
        attend_unit u;
        attend_unit_open(&a, i, &u);
        fwd_unit(c, &u);
    }
}

/* ---- back ---- */

/* [T] of head h. */
static float *kept(const op_call *c, int what, int64_t h) {
    return c->attr.attention.kept + (what * c->in[0]->dim[2] + h) * c->in[0]->dim[1];
}

/* Scores become the pattern, dp becomes d of the scores before the cap. `raw`: room for one row. */
static void slope_row(const op_call *c, seen_row r, int64_t t, float *dp, float *raw) {
    const float limit = c->attr.attention.limit;
    if (limit > 0) memcpy(raw, r.x, r.n * sizeof *raw);
    const size_t n = cap_row(c, r);
    const float  most = kern->max(r.x, n);
    kept(c, MOST_OF, r.h)[t] = most;
    kept(c, SUM_OF, r.h)[t] = kern->sum_exp(r.x, most, n);
    kern->softmax(r.x, r.x, n);
    const float along = kern->dot(r.x, dp, r.n);
    kept(c, SLOPE_OF, r.h)[t] = along;
    for (size_t s = 0; s < r.n; s++) dp[s] = r.x[s] * (dp[s] - along);
    if (limit > 0) soft_cap_row_back(dp, raw, dp, limit, (int64_t)r.n);
}

/* dp is scores of dz and v, without scale and biases; dq is scale * mix of the keys by d of the scores. */
static void back_of_queries(const op_call *c, span units) {
    attend_part       whole, turned;
    const attend_call a = call_of(c, &whole);
    turned = *a.part;
    turned.k = a.part->v;
    turned.v = a.part->k;
    turned.key_bias = turned.bias = NULL;
    const attend_call b = { .part = &turned, .parts = 1, .H = a.H, .G = a.G, .e = a.e, .q = c->out->grad, .z = c->part[0],
                            .scale = 1 };
    for (int64_t i = units.lo; i < units.hi; i++) {
        attend_unit u, d;
        kern_panels panels;
        attend_unit_open(&a, i, &u);
        attend_unit_open(&b, i, &d);
        const size_t wide = width_of(&u);
        float *const p = scratch_floats(SCRATCH_ROW, wide * (size_t)(2 * u.n + 1)), *const dp = p + wide * (size_t)u.n;
        for (int64_t r = 0; r < u.n; r++) {
            u.row[r].p = p + wide * (size_t)r;
            d.row[r].p = dp + wide * (size_t)r;
        }
        attend_pack(&u, PANEL_KEYS, u.n, &panels);
        kern->scores(&u.call);
        attend_pack(&d, PANEL_KEYS | PANEL_VALUES, d.n, &panels);
        kern->scores(&d.call);
        for (int64_t r = 0; r < u.n; r++) slope_row(c, row_of(&u, r), u.t[r], row_of(&d, r).x, dp + wide * (size_t)u.n);
        kern->mix(&d.call);
        for (int64_t r = 0; r < d.n; r++) kern->scale(d.row[r].z, c->attr.attention.scale, d.row[r].z, (size_t)a.e);
    }
}

/* Keys or values as rows, and what sees them: <keys s, rows t of head h>, for the t that see s. */
typedef struct { const float *keys, *rows; float scale; } turned_scores;

static void scores_by_key(const op_call *c, turned_scores of, int64_t h, span keys, float *out) {
    const tensor *q = c->in[0], *k = c->in[1];
    const int64_t T = q->dim[1], e = q->dim[3], g = h / (q->dim[2] / k->dim[2]);
    attend_unit u;
    kern_panels panels;
    u.n = u.top = u.most = 0;
    u.same = INT64_MAX;
    for (int64_t s = keys.lo; s < keys.hi; s++) {
        const span seen = rows_seeing(c->attr.attention.sight, s, T);
        u.row[u.n++] = (kern_row){ .q = of.keys + (s * k->dim[2] + g) * e, .k = of.rows + h * e, .p = out + (s - keys.lo) * T,
                                   .lo = (size_t)seen.lo, .hi = (size_t)seen.hi };
        if (seen.hi > u.top) u.top = seen.hi;
    }
    u.call = (kern_attend){ .row = u.row, .rows = (size_t)u.n, .e = (size_t)e, .stride = (size_t)(q->dim[2] * e),
                            .scale = of.scale };
    attend_pack(&u, PANEL_KEYS, u.n, &panels);
    kern->scores(&u.call);
}

/* Scores of key s by the rows in `seen` become what its column of the pattern is; `raw`: those before the cap. */
static void weigh_column(const op_call *c, int64_t h, int64_t s, span seen, float *x, float *raw) {
    attend_part whole;
    const attend_part *p = call_of(c, &whole).part;
    const float       *most = kept(c, MOST_OF, h), *sum = kept(c, SUM_OF, h), limit = c->attr.attention.limit;
    const int64_t      n = seen.hi - seen.lo;
    for (int64_t t = seen.lo; p->key_bias && t < seen.hi; t++) x[t] += p->key_bias[h * p->key_head + s];
    for (int64_t t = seen.lo; p->bias && t < seen.hi; t++) x[t] += p->bias[h * p->bias_head + t * p->bias_row + s];
    if (limit > 0) {
        memcpy(raw + seen.lo, x + seen.lo, (size_t)n * sizeof *x);
        soft_cap_row(x + seen.lo, x + seen.lo, limit, n);
    }
    for (int64_t t = seen.lo; t < seen.hi; t++) x[t] -= most[t];
    kern->exp(x + seen.lo, x + seen.lo, (size_t)n);
    for (int64_t t = seen.lo; t < seen.hi; t++) x[t] /= sum[t];
}

static void pattern_columns(const void *ctx, int64_t h, span keys, float *weights, float *room) {
    const op_call *c = ctx;
    const int64_t  T = c->in[0]->dim[1];
    scores_by_key(c, (turned_scores){ c->in[1]->data, c->in[0]->data, c->attr.attention.scale }, h, keys, weights);
    for (int64_t s = keys.lo; s < keys.hi; s++)
        weigh_column(c, h, s, rows_seeing(c->attr.attention.sight, s, T), weights + (s - keys.lo) * T, room);
}

/* d of the scores: p (dp - <p, dp>), before the cap. */
static void slope_columns(const void *ctx, int64_t h, span keys, float *weights, float *room) {
    const op_call *c = ctx;
    const float   *along = kept(c, SLOPE_OF, h), limit = c->attr.attention.limit;
    const int64_t  T = c->in[0]->dim[1];
    float *const   raw = room, *const dp = room + T;
    scores_by_key(c, (turned_scores){ c->in[1]->data, c->in[0]->data, c->attr.attention.scale }, h, keys, weights);
    scores_by_key(c, (turned_scores){ c->in[2]->data, c->out->grad, 1 }, h, keys, dp);
    for (int64_t s = keys.lo; s < keys.hi; s++) {
        const span   seen = rows_seeing(c->attr.attention.sight, s, T);
        float *const p = weights + (s - keys.lo) * T, *const d = dp + (s - keys.lo) * T;
        weigh_column(c, h, s, seen, p, raw);
        for (int64_t t = seen.lo; t < seen.hi; t++) p[t] *= d[t] - along[t];
        if (limit > 0) soft_cap_row_back(p + seen.lo, raw + seen.lo, p + seen.lo, limit, seen.hi - seen.lo);
    }
}

static rows_back keys_back(const op_call *c, int which) {
    const tensor *q = c->in[0], *k = c->in[1];
    return (rows_back){ .rows = which == 1 ? q->data : c->out->grad, .T = q->dim[1], .H = q->dim[2], .G = k->dim[2],
                        .e = q->dim[3], .S = k->dim[1], .sight = c->attr.attention.sight,
                        .scale = which == 1 ? c->attr.attention.scale : 1, .out = c->part[which],
                        .weigh = which == 1 ? slope_columns : pattern_columns, .ctx = c };
}

static void bwd(const op_call *c, int which, span units) {
    if (which == 0) {
        back_of_queries(c, units);
        return;
    }
    const rows_back b = keys_back(c, which);
    back_through_rows(&b, units);
}

static int64_t units(const op_call *c, int which) {
    if (which > 0) {
        const rows_back b = keys_back(c, which);
        return back_units(&b);
    }
    attend_part       whole;
    const attend_call a = call_of(c, &whole);
    return attend_units(&a);
}

static op_cost cost(const op_call *c) {
    attend_part       whole;
    const attend_call a = call_of(c, &whole);
    op_cost all = { 0 };
    for (int64_t i = 0; i < a.parts; i++) {
        const double n = (double)(a.part[i].n * a.H), S = (double)a.part[i].keys, e = (double)a.e;
        all.flops += n * S * (4 * e + 20);
        all.bytes += 8 * e * (n + S * (double)a.G);
    }
    return all;
}

const op op_attend = {
    .name = "attend", .doc = "z[t,h] = sum over s of p[h,t,s] v[s,g], p = softmax of scale <q[t,h], k[s,g]> + bias", .n_in = 3,
    .shape = shape, .units = units, .fwd = fwd, .bwd = bwd, .cost = cost,
};
