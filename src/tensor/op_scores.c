/* scores[h,t,s] = scale * <q[t,h,:], k[s,g,:]> + what the attribute adds, for keys that the row sees, else -inf;
 * g = h / (heads / kv heads).
 * Vaswani et al., Attention Is All You Need, 2017, eq. 1; grouped keys: Ainslie et al., GQA, 2023.
 * in: q [1, T, H, e], k [1, S, G, e]; out [1, H, T, S]. A unit is rows of a head of keys (attend_rows.h). */
#include "op.h"
#include "attend_rows.h"
#include "attention_back.h"
#include "product_rows.h"
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

static int64_t units(const op_call *c, int which) {
    attend_part       whole;
    const attend_call a = call_of(c, &whole);
    return which == FORWARD ? attend_units(&a) : which == 1 ? whole.keys * a.G : a.H * whole.n;
}

/* Keys [lo, hi) of group g as a weight: its outputs, e summed. */
static kern_weight keys_of(const tensor *k, int64_t g, span keys) {
    return (kern_weight){ .data = k->data + (keys.lo * k->dim[2] + g) * k->dim[3], .type = KERN_F32,
                          .n = (size_t)(keys.hi - keys.lo), .k = (size_t)k->dim[3],
                          .stride = (size_t)(k->dim[2] * k->dim[3]) * sizeof(float) };
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

/* dq[t,h,:] = sum_s ds[h,t,s] scale k[s,g,:] over the keys it sees */
static void bwd_q(const op_call *c, span u) {
    const tensor *q = c->in[0], *k = c->in[1];
    const int64_t T = q->dim[1], H = q->dim[2], e = q->dim[3], S = k->dim[1], per = H / k->dim[2];
    for (int64_t i = u.lo; i < u.hi; i++) {
        const int64_t h = i / T, t = i % T;
        const span    seen = keys_seen(c->attr.attention.sight, t, S);
        float        *dq = c->part[0] + (t * H + h) * e;
        const kern_weight w = keys_of(k, h / per, seen), by = weight_flipped(&w);
        product_run(&by, NULL, (product_rows){ .x = c->out->grad + i * S + seen.lo, .ldx = S, .rows = 1, .y = dq, .ldy = e },
                    0, e);
        kern->scale(dq, c->attr.attention.scale, dq, (size_t)e);
    }
}

/* dk[s,g,:] = sum over the heads of g of sum over the rows t that see s of ds[h,t,s] scale q[t,h,:] */
static void bwd_k(const op_call *c, span u) {
    const tensor *q = c->in[0], *k = c->in[1];
    const int64_t G = k->dim[2], e = q->dim[3], per = q->dim[2] / G;
    for (int64_t i = u.lo; i < u.hi; i++)
        back_through_rows(&(rows_back){ .weights = c->out->grad, .rows = q->data, .T = q->dim[1], .H = q->dim[2], .e = e,
                                        .S = k->dim[1], .sight = c->attr.attention.sight },
                          i / G, (span){ i % G * per, (i % G + 1) * per }, c->attr.attention.scale, c->part[1] + i * e);
}

static void bwd(const op_call *c, int which, span u) {
    if (which == 0) bwd_q(c, u);
    else bwd_k(c, u);
}

static op_cost cost(const op_call *c) {
    const double n = (double)tensor_count(c->out), e = (double)c->in[0]->dim[3];
    return (op_cost){ .flops = 2 * n * e, .bytes = 4 * (n + (double)tensor_count(c->in[0]) + (double)tensor_count(c->in[1])) };
}

const op op_scores = {
    .name = "scores", .doc = "s[h,t,s] = scale <q[t,h], k[s,g]> + bias, -inf where row t does not see key s", .n_in = 2,
    .shape = shape, .units = units, .fwd = fwd, .bwd = bwd, .cost = cost,
};
