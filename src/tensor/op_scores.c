/* scores[h,t,s] = scale * <q[t,h,:], k[s,g,:]> + what the attribute adds, for keys that the row sees, else -inf;
 * g = h / (heads / kv heads).
 * Vaswani et al., Attention Is All You Need, 2017, eq. 1; grouped keys: Ainslie et al., GQA, 2023.
 * in: q [1, T, H, e], k [1, S, G, e]; out [1, H, T, S]. A unit is rows of a head of keys (attend_rows.h). */
#include "op.h"
#include "attend_rows.h"
#include "attention_back.h"
#include <math.h>

static sonde_status shape(op_call *c, sonde_error *err) {
    const tensor *q = c->in[0], *k = c->in[1];
    SONDE_FAIL_IF(q->dim[3] != k->dim[3] || q->dim[2] % k->dim[2], err, SONDE_USAGE,
                  "scores: q heads [%lld, %lld], k heads [%lld, %lld]", (long long)q->dim[2], (long long)q->dim[3],
                  (long long)k->dim[2], (long long)k->dim[3]);
    SONDE_FAIL_IF(!c->attr.attention.sight.every && c->attr.attention.sight.first + q->dim[1] > k->dim[1], err, SONDE_USAGE,
                  "scores: queries %lld..%lld, but %lld keys", (long long)c->attr.attention.sight.first,
                  (long long)(c->attr.attention.sight.first + q->dim[1] - 1), (long long)k->dim[1]);
    c->out->dim[0] = 1;
    c->out->dim[1] = q->dim[2];
    c->out->dim[2] = q->dim[1];
    c->out->dim[3] = k->dim[1];
    return SONDE_OK;
}

static attend_call call_of(const op_call *c, attend_part *whole) {
    const tensor *q = c->in[0], *k = c->in[1];
    *whole = attend_whole(c, k, NULL);
    return (attend_call){ .part = c->attr.attention.part ? c->attr.attention.part : whole, .parts = 1, .H = q->dim[2],
                          .G = k->dim[2], .e = q->dim[3], .q = q->data, .scale = c->attr.attention.scale, .square = c->out->data };
}

/* d scores[h, :, s] -> [s, :]. */
static void columns(const void *ctx, int64_t h, span keys, float *weights, float *room) {
    const op_call *c = ctx;
    const int64_t  T = c->out->dim[2], S = c->out->dim[3];
    (void)room;
    for (int64_t t = 0; t < T; t++)
        for (int64_t s = keys.lo; s < keys.hi; s++) weights[(s - keys.lo) * T + t] = c->out->grad[(h * T + t) * S + s];
}

static rows_back keys_back(const op_call *c) {
    const tensor *q = c->in[0], *k = c->in[1];
    return (rows_back){ .rows = q->data, .T = q->dim[1], .H = q->dim[2], .G = k->dim[2], .e = q->dim[3], .S = k->dim[1],
                        .sight = c->attr.attention.sight, .scale = c->attr.attention.scale, .out = c->part[1],
                        .weigh = columns, .ctx = c };
}

/* dq = scale * mix of the keys by d scores */
static attend_call queries_back(const op_call *c, attend_part *keys) {
    *keys = attend_whole(c, NULL, c->in[1]);
    keys->n = c->in[0]->dim[1];
    attend_call a = { .part = keys, .parts = 1, .H = c->in[0]->dim[2], .G = c->in[1]->dim[2], .e = c->in[0]->dim[3] };
    a.z = c->part[0];
    a.square = c->out->grad;
    return a;
}

static int64_t units(const op_call *c, int which) {
    attend_part       whole;
    const attend_call a = call_of(c, &whole);
    const rows_back   b = keys_back(c);
    return which == 1 ? back_units(&b) : attend_units(&a);
}

static void fwd(const op_call *c, span u) {
    const int64_t S = tensor_cols(c->out);
    attend_part       whole;
    const attend_call a = call_of(c, &whole);
    for (int64_t i = u.lo; i < u.hi; i++) {
        attend_unit unit;
        kern_panels panels;
        attend_unit_open(&a, i, &unit);
        attend_pack(&unit, PANEL_KEYS, unit.n, &panels);
        kern->scores(&unit.call);
        for (const kern_row *r = unit.row; r < unit.row + unit.n; r++) {
            for (int64_t s = 0; s < (int64_t)r->lo; s++) r->p[s] = -INFINITY;
            for (int64_t s = (int64_t)r->hi; s < S; s++) r->p[s] = -INFINITY;
        }
    }
}

/* dq[t,h,:] = scale sum_s ds[h,t,s] k[s,g,:] over the keys it sees */
static void bwd_q(const op_call *c, span u) {
    attend_part       keys;
    const attend_call a = queries_back(c, &keys);
    for (int64_t i = u.lo; i < u.hi; i++) {
        attend_unit unit;
        kern_panels panels;
        attend_unit_open(&a, i, &unit);
        attend_pack(&unit, PANEL_VALUES, unit.n, &panels);
        kern->mix(&unit.call);
        for (int64_t r = 0; r < unit.n; r++) kern->scale(unit.row[r].z, c->attr.attention.scale, unit.row[r].z, (size_t)a.e);
    }
}

/* dk[s,g,:] = sum over the heads of g of sum over the rows t that see s of ds[h,t,s] scale q[t,h,:] */
static void bwd(const op_call *c, int which, span u) {
    const rows_back b = keys_back(c);
    if (which == 0) bwd_q(c, u);
    else back_through_rows(&b, u);
}

static op_cost cost(const op_call *c) {
    const double n = (double)tensor_count(c->out), e = (double)c->in[0]->dim[3];
    return (op_cost){ .flops = 2 * n * e, .bytes = 4 * (n + (double)tensor_count(c->in[0]) + (double)tensor_count(c->in[1])) };
}

const op op_scores = {
    .name = "scores", .doc = "s[h,t,s] = scale <q[t,h], k[s,g]> + bias, -inf where row t does not see key s", .n_in = 2,
    .shape = shape, .units = units, .fwd = fwd, .bwd = bwd, .cost = cost,
};
