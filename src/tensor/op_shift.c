/* y[r,i] = x[r,i] + bias[i]: a bias that a model adds apart from its product. */
#include "op.h"
#include <string.h>

static sonde_status shape(op_call *c, sonde_error *err) {
    SONDE_FAIL_IF(!c->attr.affine.bias, err, SONDE_USAGE, "shift: no bias, expected %lld numbers",
                  (long long)tensor_cols(c->in[0]));
    tensor_same_shape(c->out, c->in[0]);
    return SONDE_OK;
}

static void fwd(const op_call *c, span u) {
    const int64_t d = tensor_cols(c->out);
    for (int64_t r = u.lo; r < u.hi; r++)
        kern->add(c->out->data + r * d, c->in[0]->data + r * d, c->attr.affine.bias, (size_t)d);
}

static void bwd(const op_call *c, int which, span u) {
    const int64_t d = tensor_cols(c->out);
    memcpy(c->part[which] + u.lo * d, c->out->grad + u.lo * d, (size_t)((u.hi - u.lo) * d) * sizeof(float));
}

static op_cost cost(const op_call *c) {
    const double n = (double)tensor_count(c->out);
    return (op_cost){ .flops = 1 * n, .bytes = 8 * n };
}

const op op_shift = {
    .name = "shift", .doc = "y = x + bias", .n_in = 1,
    .shape = shape, .units = units_are_rows, .fwd = fwd, .bwd = bwd, .cost = cost,
};
