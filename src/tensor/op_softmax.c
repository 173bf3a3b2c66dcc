/* p[h,t,s] = softmax over the keys s that row t sees; the others are 0, whatever their score is.
 * in: scores [1, H, T, S]. A unit is one row of one head. */
#include "kernel/kern.h"
#include "op.h"
#include "scratch.h"

static sonde_status shape(op_call *c, sonde_error *err) {
    SONDE_FAIL_IF(c->attr.attention.first + c->in[0]->dim[2] > c->in[0]->dim[3], err, SONDE_USAGE,
                  "softmax: rows %lld..%lld of %lld keys", (long long)c->attr.attention.first,
                  (long long)(c->attr.attention.first + c->in[0]->dim[2] - 1), (long long)c->in[0]->dim[3]);
    tensor_same_shape(c->out, c->in[0]);
    return SONDE_OK;
}

static int64_t seen_by(const op_call *c, int64_t unit) { return c->attr.attention.first + unit % c->in[0]->dim[2] + 1; }

static void fwd(const op_call *c, span u) {
    const int64_t S = tensor_cols(c->in[0]);
    for (int64_t i = u.lo; i < u.hi; i++) {
        const int64_t seen = seen_by(c, i);
        float        *p = c->out->data + i * S;
        kern->softmax(p, c->in[0]->data + i * S, (size_t)seen);
        for (int64_t s = seen; s < S; s++) p[s] = 0;
    }
}

/* ds = p (dp - <p, dp>), p computed again: an edit may have changed the pattern behind us */
static void bwd(const op_call *c, int which, span u) {
    const int64_t S = tensor_cols(c->in[0]);
    for (int64_t i = u.lo; i < u.hi; i++) {
        const int64_t seen = seen_by(c, i);
        const float  *dp = c->out->grad + i * S;
        float        *ds = c->part[which] + i * S, *p = scratch_floats(SCRATCH_ROW, (size_t)seen);
        kern->softmax(p, c->in[0]->data + i * S, (size_t)seen);
        const float along = kern->dot(p, dp, (size_t)seen);
        for (int64_t s = 0; s < seen; s++) ds[s] = p[s] * (dp[s] - along);
        for (int64_t s = seen; s < S; s++) ds[s] = 0;
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
