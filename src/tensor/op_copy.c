/* y = x: the stream as one reader has it, so that an edit there leaves the other readers alone. */
#include "op.h"
#include <string.h>

static sonde_status shape(op_call *c, sonde_error *err) {
    (void)err;
    tensor_same_shape(c->out, c->in[0]);
    return SONDE_OK;
}

static void fwd(const op_call *c, span u) {
    const int64_t d = tensor_cols(c->out), at = u.lo * d;
    memcpy(c->out->data + at, c->in[0]->data + at, (size_t)((u.hi - u.lo) * d) * sizeof(float));
}

static void bwd(const op_call *c, int which, span u) {
    const int64_t d = tensor_cols(c->out), at = u.lo * d;
    memcpy(c->part[which] + at, c->out->grad + at, (size_t)((u.hi - u.lo) * d) * sizeof(float));
}

static op_cost cost(const op_call *c) {
    return (op_cost){ .bytes = 8 * (double)tensor_count(c->out) };
}

const op op_copy = {
    .name = "copy", .doc = "y = x", .n_in = 1,
    .shape = shape, .units = units_are_rows, .fwd = fwd, .bwd = bwd, .cost = cost,
};
