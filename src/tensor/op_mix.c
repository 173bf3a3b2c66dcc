/* z[t,h,:] = sum over the keys s that row t sees of p[h,t,s] v[s,g,:], key s in partial sum s mod 16;
 * g = h / (heads / kv heads).
 * in: pattern [1, H, T, S], v [1, S, G, e]; out [1, T, H, e]. A unit is rows of a head of values (attend_rows.h). */
#include "attend_rows.h"
#include "attention_back.h"
#include "op.h"

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

/* pattern[h, :, s] -> [s, :]. */
static void columns(const void *ctx, int64_t h, span keys, float *weights, float *room) {
    const tensor *p = ((const op_call *)ctx)->in[0];
    const int64_t T = p->dim[2], S = p->dim[3];
    (void)room;
    for (int64_t t = 0; t < T; t++)
        for (int64_t s = keys.lo; s < keys.hi; s++) weights[(s - keys.lo) * T + t] = p->data[(h * T + t) * S + s];
}

static rows_back values_back(const op_call *c) {
    const tensor *p = c->in[0], *v = c->in[1];
    return (rows_back){ .rows = c->out->grad, .T = p->dim[2], .H = p->dim[1], .G = v->dim[2], .e = v->dim[3], .S = p->dim[3],
                        .sight = c->attr.attention.sight, .scale = 1, .out = c->part[1], .weigh = columns, .ctx = c };
}

/* dp is scores of dz and v, without scale and biases. */
static attend_call pattern_back(const op_call *c, attend_part *values) {
    *values = attend_whole(c, NULL, c->in[1]);
    values->k = values->v;
    values->key_bias = values->bias = NULL;
    return (attend_call){ .part = values, .parts = 1, .H = c->in[0]->dim[1], .G = c->in[1]->dim[2], .e = c->in[1]->dim[3],
                          .q = c->out->grad, .scale = 1, .square = c->part[0] };
}

static int64_t units(const op_call *c, int which) {
    attend_part       whole;
    const attend_call a = call_of(c, &whole);
    const rows_back   b = values_back(c);
    return which == 1 ? back_units(&b) : attend_units(&a);
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
    const int64_t S = tensor_cols(c->in[0]);
    attend_part       values;
    const attend_call a = pattern_back(c, &values);
    for (int64_t i = u.lo; i < u.hi; i++) {
        attend_unit unit;
        kern_panels panels;
        attend_unit_open(&a, i, &unit);
        attend_pack(&unit, PANEL_KEYS, unit.n, &panels);
        kern->scores(&unit.call);
        for (const kern_row *r = unit.row; r < unit.row + unit.n; r++) {
            for (int64_t s = 0; s < (int64_t)r->lo; s++) r->p[s] = 0;
            for (int64_t s = (int64_t)r->hi; s < S; s++) r->p[s] = 0;
        }
    }
}

/* dv[s,g,:] = sum over the heads of g and the rows t that see s of p[h,t,s] dz[t,h,:] */
static void bwd(const op_call *c, int which, span u) {
    const rows_back b = values_back(c);
    if (which == 0) bwd_p(c, u);
    else back_through_rows(&b, u);
}

static op_cost cost(const op_call *c) {
    const double n = (double)tensor_count(c->in[0]), e = (double)c->in[1]->dim[3];
    return (op_cost){ .flops = 2 * n * e, .bytes = 4 * (n + (double)tensor_count(c->out) + (double)tensor_count(c->in[1])) };
}

const op op_mix = {
    .name = "mix", .doc = "z[t,h] = sum over s of p[h,t,s] v[s,g]", .n_in = 2,
    .shape = shape, .units = units, .fwd = fwd, .bwd = bwd, .cost = cost,
};
