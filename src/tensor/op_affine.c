/* y[r,i] = x[r,i] gain[i] + bias[i]: weight and bias of a norm. */
#include "op.h"
#include <stddef.h>

static sonde_status shape(op_call *c, sonde_error *err) {
    SONDE_FAIL_IF(!c->attr.affine.gain, err, SONDE_USAGE, "affine: no gain, expected %lld numbers",
                  (long long)tensor_cols(c->in[0]));
    tensor_same_shape(c->out, c->in[0]);
    return SONDE_OK;
}

static void fwd(const op_call *c, span u) {
    const int64_t d = tensor_cols(c->in[0]);
    const float  *gain = c->attr.affine.gain, *bias = c->attr.affine.bias;
    for (int64_t r = u.lo; r < u.hi; r++) {
        const float *x = c->in[0]->data + r * d;
        float       *y = c->out->data + r * d;
        if (bias) kern->affine(y, x, gain, bias, (size_t)d);
        else kern->mul(y, x, gain, (size_t)d);
    }
}

static void bwd(const op_call *c, int which, span u) {
    const int64_t d = tensor_cols(c->in[0]);
    const float  *gain = c->attr.affine.gain;
    for (int64_t r = u.lo; r < u.hi; r++)
        kern->mul(c->part[which] + r * d, c->out->grad + r * d, gain, (size_t)d);
}

static op_cost cost(const op_call *c) {
    const double n = (double)tensor_count(c->in[0]);
    return (op_cost){ .flops = 2 * n, .bytes = 8 * n };
}

const op op_affine = {
    .name = "affine", .doc = "y = x * gain + bias over the last axis", .n_in = 1,
    .shape = shape, .units = units_are_rows, .fwd = fwd, .bwd = bwd, .cost = cost,
};
