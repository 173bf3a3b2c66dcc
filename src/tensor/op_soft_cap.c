/* y = limit tanh(x / limit), element by element (Gemma Team, Gemma 2, 2024); -inf, which masks, stays. */
#include "op.h"
#include "scratch.h"
#include <math.h>

static sonde_status shape(op_call *c, sonde_error *err) {
    SONDE_FAIL_IF(!(c->attr.clamp.limit > 0), err, SONDE_USAGE, "soft_cap: limit %g, expected above zero",
                  (double)c->attr.clamp.limit);
    tensor_same_shape(c->out, c->in[0]);
    return SONDE_OK;
}

static void fwd(const op_call *c, span u) {
    const int64_t d = tensor_cols(c->out);
    const float   limit = c->attr.clamp.limit;
    for (int64_t i = u.lo * d; i < u.hi * d; i++) c->out->data[i] = c->in[0]->data[i] / limit;
    for (int64_t r = u.lo; r < u.hi; r++) {
        float       *y = c->out->data + r * d;
        const float *x = c->in[0]->data + r * d;
        kern->tanh(y, y, (size_t)d);
        for (int64_t i = 0; i < d; i++) y[i] = x[i] == -INFINITY ? x[i] : limit * y[i];
    }
}

/* dx = dy (1 - tanh(x / limit)^2) */
static void bwd(const op_call *c, int which, span u) {
    const int64_t d = tensor_cols(c->out);
    const float   limit = c->attr.clamp.limit;
    float        *t = scratch_floats(SCRATCH_ROW, (size_t)d);
    for (int64_t r = u.lo; r < u.hi; r++) {
        const float *x = c->in[0]->data + r * d, *dy = c->out->grad + r * d;
        float       *dx = c->part[which] + r * d;
        for (int64_t i = 0; i < d; i++) t[i] = x[i] / limit;
        kern->tanh(t, t, (size_t)d);
        for (int64_t i = 0; i < d; i++) dx[i] = dy[i] * (1 - t[i] * t[i]);
    }
}

static op_cost cost(const op_call *c) {
    const double n = (double)tensor_count(c->out);
    return (op_cost){ .flops = 20 * n, .bytes = 8 * n };
}

const op op_soft_cap = {
    .name = "soft_cap", .doc = "y = limit tanh(x / limit)", .n_in = 1,
    .shape = shape, .units = units_are_rows, .fwd = fwd, .bwd = bwd, .cost = cost,
};
