/* y[r,:] = x[r,:] / s[r]; s comes from rms_scale, or from an edit of it. */
#include "op.h"

static sonde_status shape(op_call *c, sonde_error *err) {
    SONDE_FAIL_IF(tensor_rows(c->in[1]) != tensor_rows(c->in[0]) || tensor_cols(c->in[1]) != 1, err, SONDE_USAGE,
                  "rms_normalize: x has %lld rows, scale [%lld, %lld]", (long long)tensor_rows(c->in[0]),
                  (long long)tensor_rows(c->in[1]), (long long)tensor_cols(c->in[1]));
    tensor_same_shape(c->out, c->in[0]);
    return SONDE_OK;
}

static void fwd(const op_call *c, span u) {
    const int64_t d = tensor_cols(c->in[0]);
    for (int64_t r = u.lo; r < u.hi; r++)
        kern->divide(c->out->data + r * d, c->in[0]->data + r * d, c->in[1]->data[r], (size_t)d);
}

/* dx = dy / s;  ds = -<dy, x> / s^2 */
static void bwd(const op_call *c, int which, span u) {
    const int64_t d = tensor_cols(c->in[0]);
    for (int64_t r = u.lo; r < u.hi; r++) {
        const float *x = c->in[0]->data + r * d, *dy = c->out->grad + r * d;
        const float  s = c->in[1]->data[r];
        if (which == 1) c->part[1][r] = -kern->dot(dy, x, (size_t)d) / (s * s);
        else kern->divide(c->part[0] + r * d, dy, s, (size_t)d);
    }
}

static op_cost cost(const op_call *c) {
    const double n = (double)tensor_count(c->in[0]);
    return (op_cost){ .flops = n, .bytes = 8 * n };
}

const op op_rms_normalize = {
    .name = "rms_normalize", .doc = "y = x / s over the last axis", .n_in = 2,
    .shape = shape, .units = units_are_rows, .fwd = fwd, .bwd = bwd, .cost = cost,
};
