/* y = a b, element by element: the branches of a gated MLP (Shazeer, GLU Variants Improve Transformer, 2020). */
#include "op.h"

static sonde_status shape(op_call *c, sonde_error *err) {
    for (int i = 0; i < MAX_DIM; i++)
        SONDE_FAIL_IF(c->in[0]->dim[i] != c->in[1]->dim[i], err, SONDE_USAGE, "multiply: axis %d is %lld and %lld", i,
                      (long long)c->in[0]->dim[i], (long long)c->in[1]->dim[i]);
    tensor_same_shape(c->out, c->in[0]);
    return SONDE_OK;
}

static void fwd(const op_call *c, span u) {
    const int64_t d = tensor_cols(c->out), at = u.lo * d;
    kern->mul(c->out->data + at, c->in[0]->data + at, c->in[1]->data + at, (size_t)((u.hi - u.lo) * d));
}

static void bwd(const op_call *c, int which, span u) {
    const int64_t d = tensor_cols(c->out), at = u.lo * d;
    kern->mul(c->part[which] + at, c->out->grad + at, c->in[1 - which]->data + at, (size_t)((u.hi - u.lo) * d));
}

static op_cost cost(const op_call *c) {
    const double n = (double)tensor_count(c->out);
    return (op_cost){ .flops = n, .bytes = 12 * n };
}

const op op_multiply = {
    .name = "multiply", .doc = "y = a * b, element by element", .n_in = 2,
    .shape = shape, .units = units_are_rows, .fwd = fwd, .bwd = bwd, .cost = cost,
};
