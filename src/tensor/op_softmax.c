/* p[h,t,s] = softmax over the keys s that row t sees; the others are 0, whatever their score is. A sink is one more
 * score of the row, whose share goes nowhere (Xiao et al., Efficient Streaming Language Models with Attention Sinks, 2023).
 * in: scores [1, H, T, S]. A unit is one row of one head. */
#include "op.h"
#include "kernel/kern.h"
#include "scratch.h"
#include <string.h>

static sonde_status shape(op_call *c, sonde_error *err) {
    SONDE_FAIL_IF(!c->attr.attention.sight.every && c->attr.attention.sight.first + c->in[0]->dim[2] > c->in[0]->dim[3], err, SONDE_USAGE,
                  "softmax: rows %lld..%lld of %lld keys", (long long)c->attr.attention.sight.first,
                  (long long)(c->attr.attention.sight.first + c->in[0]->dim[2] - 1), (long long)c->in[0]->dim[3]);
    tensor_same_shape(c->out, c->in[0]);
    return SONDE_OK;
}

/* The row's softmax over `seen`, in scratch: its own numbers, then the sink's. */
static const float *softmax_of(const op_call *c, int64_t unit, span seen) {
    const int64_t S = tensor_cols(c->in[0]), n = seen.hi - seen.lo;
    const float  *sink = c->attr.attention.sink, *x = c->in[0]->data + unit * S + seen.lo;
    float        *p = scratch_floats(SCRATCH_ROW, (size_t)n + 1);
    if (!sink) {
        kern->softmax(p, x, (size_t)n);
        return p;
    }
    memcpy(p, x, (size_t)n * sizeof *p);
    p[n] = sink[unit / c->in[0]->dim[2]];
    kern->softmax(p, p, (size_t)n + 1);
    return p;
}

static span seen_by(const op_call *c, int64_t unit) {
    return keys_seen(c->attr.attention.sight, unit % c->in[0]->dim[2], tensor_cols(c->in[0]));
}

static void fwd(const op_call *c, span u) {
    const int64_t S = tensor_cols(c->in[0]);
    for (int64_t i = u.lo; i < u.hi; i++) {
        const span   seen = seen_by(c, i);
        const size_t n = (size_t)(seen.hi - seen.lo);
        float       *p = c->out->data + i * S;
        if (c->attr.attention.sink) memcpy(p + seen.lo, softmax_of(c, i, seen), n * sizeof *p);
        else kern->softmax(p + seen.lo, c->in[0]->data + i * S + seen.lo, n);
        memset(p, 0, (size_t)seen.lo * sizeof *p);
        memset(p + seen.hi, 0, (size_t)(S - seen.hi) * sizeof *p);
    }
}

/* ds = p (dp - <p, dp>), p computed again: an edit may have changed the pattern behind us */
static void bwd(const op_call *c, int which, span u) {
    const int64_t S = tensor_cols(c->in[0]);
    for (int64_t i = u.lo; i < u.hi; i++) {
        const span   seen = seen_by(c, i);
        const float *p = softmax_of(c, i, seen), *dp = c->out->grad + i * S + seen.lo;
        float       *ds = c->part[which] + i * S;
        const float  along = kern->dot(p, dp, (size_t)(seen.hi - seen.lo));
        memset(ds, 0, (size_t)S * sizeof *ds);
        for (int64_t s = 0; s < seen.hi - seen.lo; s++) ds[seen.lo + s] = p[s] * (dp[s] - along);
    }
}

static op_cost cost(const op_call *c) {
    const double n = (double)tensor_count(c->in[0]);
    return (op_cost){ .flops = 20 * n, .bytes = 8 * n };
}

const op op_softmax = {
    .name = "softmax", .doc = "p[h,t,:] = softmax of the scores that row t sees, 0 elsewhere", .n_in = 1,
    .shape = shape, .units = units_are_rows, .fwd = fwd, .bwd = bwd, .cost = cost,
};
