/* y = factor x: embeddings and what an unembedding reads, in families that scale them. */
#include "op.h"

static sonde_status shape(op_call *c, sonde_error *err) {
    SONDE_FAIL_IF(c->attr.times.factor == 0, err, SONDE_USAGE, "times: factor 0, expected another number");
    tensor_same_shape(c->out, c->in[0]);
    return SONDE_OK;
}

static void fwd(const op_call *c, span u) {
    const int64_t d = tensor_cols(c->out);
    kern->scale(c->out->data + u.lo * d, c->attr.times.factor, c->in[0]->data + u.lo * d, (size_t)((u.hi - u.lo) * d));
}

static void bwd(const op_call *c, int which, span u) {
    const int64_t d = tensor_cols(c->out);
    kern->scale(c->part[which] + u.lo * d, c->attr.times.factor, c->out->grad + u.lo * d, (size_t)((u.hi - u.lo) * d));
}

static op_cost cost(const op_call *c) {
    const double n = (double)tensor_count(c->out);
    return (op_cost){ .flops = 1 * n, .bytes = 8 * n };
}

const op op_times = {
    .name = "times", .doc = "y = factor x", .n_in = 1,
    .shape = shape, .units = units_are_rows, .fwd = fwd, .bwd = bwd, .cost = cost,
};
