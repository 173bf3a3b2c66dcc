/* z[t,h,:] = sum over the keys s that row t sees of p[h,t,s] v[s,g,:], key s in partial sum s mod 16;
 * g = h / (heads / kv heads).
 * in: pattern [1, H, T, S], v [1, S, G, e]; out [1, T, H, e]. A unit is rows of a head of values (attend_rows.h). */
#include "attend_rows.h"
#include "attention_back.h"
#include "op.h"
#include "product_rows.h"

static sonde_status shape(op_call *c, sonde_error *err) {
    const tensor *p = c->in[0], *v = c->in[1];
    SONDE_FAIL_IF(p->dim[1] % v->dim[2] || p->dim[3] != v->dim[1], err, SONDE_USAGE,
                  "mix: pattern [%lld, .., %lld], values [%lld, %lld, ..]", (long long)p->dim[1], (long long)p->dim[3],
                  (long long)v->dim[1], (long long)v->dim[2]);
    SONDE_FAIL_IF(!c->attr.attention.sight.every && c->attr.attention.sight.first + p->dim[2] > p->dim[3], err, SONDE_USAGE, "mix: rows %lld..%lld of %lld keys",
                  (long long)c->attr.attention.sight.first, (long long)(c->attr.attention.sight.first + p->dim[2] - 1),
                  (long long)p->dim[3]);
    c->out->dim[0] = 1;
    c->out->dim[1] = p->dim[2];
    c->out->dim[2] = p->dim[1];
    c->out->dim[3] = v->dim[3];
    return SONDE_OK;
}

static attend_call call_of(const op_call *c, attend_part *whole) {
    const tensor *p = c->in[0], *v = c->in[1];
    *whole = attend_whole(c, NULL, v);
    return (attend_call){ .part = c->attr.attention.part ? c->attr.attention.part : whole, .parts = 1, .H = p->dim[1],
                          .G = v->dim[2], .e = v->dim[3], .z = c->out->data, .square = p->data };
}

static int64_t units(const op_call *c, int which) {
    attend_part       whole;
    const attend_call a = call_of(c, &whole);
    return which == FORWARD ? attend_units(&a) : which == 1 ? whole.keys * a.G : a.H * whole.n;
}

/* Values of keys [lo, hi) of group g as a weight: e outputs, the keys summed. */
static kern_weight values_of(const tensor *v, int64_t g, span keys) {
    return (kern_weight){ .data = v->data + (keys.lo * v->dim[2] + g) * v->dim[3], .type = KERN_F32, .columns = true,
                          .n = (size_t)v->dim[3], .k = (size_t)(keys.hi - keys.lo), .stride = (size_t)(v->dim[2] * v->dim[3]) * sizeof(float) };
}

static void fwd(const op_call *c, span u) {
    attend_part       whole;
    const attend_call a = call_of(c, &whole);
    for (int64_t i = u.lo; i < u.hi; i++) {
        attend_unit unit;
        kern_panels panels;
        attend_unit_open(&a, i, &unit);
        attend_pack(&unit, PANEL_VALUES, unit.n, &panels);
        kern->mix(&unit.call);
    }
}

/* dp[h,t,s] = <dz[t,h,:], v[s,g,:]>, 0 where the row does not see the key */
static void bwd_p(const op_call *c, span u) {
    const tensor *p = c->in[0], *v = c->in[1];
    const int64_t H = p->dim[1], T = p->dim[2], S = p->dim[3], e = v->dim[3], per = H / v->dim[2];
    for (int64_t i = u.lo; i < u.hi; i++) {
        const int64_t h = i / T, t = i % T;
        const span    seen = keys_seen(c->attr.attention.sight, t, S);
        float        *dp = c->part[0] + i * S;
        const kern_weight w = values_of(v, h / per, seen), by = weight_flipped(&w);
        product_run(&by, NULL, (product_rows){ .x = c->out->grad + (t * H + h) * e, .ldx = e, .rows = 1, .y = dp + seen.lo,
                                               .ldy = S }, 0, seen.hi - seen.lo);
        for (int64_t s = 0; s < seen.lo; s++) dp[s] = 0;
        for (int64_t s = seen.hi; s < S; s++) dp[s] = 0;
    }
}

/* dv[s,g,:] = sum over the heads of g and the rows t that see s of p[h,t,s] dz[t,h,:] */
static void bwd_v(const op_call *c, span u) {
    const tensor *p = c->in[0], *v = c->in[1];
    const int64_t G = v->dim[2], e = v->dim[3], per = p->dim[1] / G;
    for (int64_t i = u.lo; i < u.hi; i++)
        back_through_rows(&(rows_back){ .weights = p->data, .rows = c->out->grad, .T = p->dim[2], .H = p->dim[1], .e = e,
                                        .S = p->dim[3], .sight = c->attr.attention.sight },
                          i / G, (span){ i % G * per, (i % G + 1) * per }, 1, c->part[1] + i * e);
}

static void bwd(const op_call *c, int which, span u) {
    if (which == 0) bwd_p(c, u);
    else bwd_v(c, u);
}

static op_cost cost(const op_call *c) {
    const double n = (double)tensor_count(c->in[0]), e = (double)c->in[1]->dim[3];
    return (op_cost){ .flops = 2 * n * e, .bytes = 4 * (n + (double)tensor_count(c->out) + (double)tensor_count(c->in[1])) };
}

const op op_mix = {
    .name = "mix", .doc = "z[t,h] = sum over s of p[h,t,s] v[s,g]", .n_in = 2,
    .shape = shape, .units = units, .fwd = fwd, .bwd = bwd, .cost = cost,
};
