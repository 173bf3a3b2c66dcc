/* y = x between -limit and limit; NaN stays. */
#include "op.h"

static sonde_status shape(op_call *c, sonde_error *err) {
    SONDE_FAIL_IF(!(c->attr.clamp.limit > 0), err, SONDE_USAGE, "clamp: limit %g, expected above zero",
                  (double)c->attr.clamp.limit);
    tensor_same_shape(c->out, c->in[0]);
    return SONDE_OK;
}

static void fwd(const op_call *c, span u) {
    const int64_t d = tensor_cols(c->out);
    const float   limit = c->attr.clamp.limit;
    for (int64_t i = u.lo * d; i < u.hi * d; i++) {
        const float x = c->in[0]->data[i];
        c->out->data[i] = x > limit ? limit : x < -limit ? -limit : x;
    }
}

/* dx = dy inside, 0 outside */
static void bwd(const op_call *c, int which, span u) {
    const int64_t d = tensor_cols(c->out);
    const float   limit = c->attr.clamp.limit;
    for (int64_t i = u.lo * d; i < u.hi * d; i++) {
        const float x = c->in[0]->data[i];
        c->part[which][i] = x > limit || x < -limit ? 0 : c->out->grad[i];
    }
}

static op_cost cost(const op_call *c) {
    const double n = (double)tensor_count(c->out);
    return (op_cost){ .flops = 2 * n, .bytes = 8 * n };
}

const op op_clamp = {
    .name = "clamp", .doc = "y = x, cut off at -limit and limit", .n_in = 1,
    .shape = shape, .units = units_are_rows, .fwd = fwd, .bwd = bwd, .cost = cost,
};
