/* y = x under another number of heads: [.., h, e] as one row of h * e numbers, or back. */
#include "op.h"
#include <string.h>

static sonde_status shape(op_call *c, sonde_error *err) {
    SONDE_FAIL_IF(tensor_count(c->out) != tensor_count(c->in[0]), err, SONDE_USAGE, "reshape: %lld numbers as %lld",
                  (long long)tensor_count(c->in[0]), (long long)tensor_count(c->out));
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

const op op_reshape = {
    .name = "reshape", .doc = "y = x, with its heads side by side or apart", .n_in = 1,
    .shape = shape, .units = units_are_rows, .fwd = fwd, .bwd = bwd, .cost = cost,
};
