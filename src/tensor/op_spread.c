/* y[t,h,:] = x[t,:]: a copy of the stream for every head, so that one of them can be edited.
 * mask [T, H] says which copies are read in its place; only they pass a gradient on, since what the others
 * would pass goes by way of x itself (see op_choose.c). out->dim[2] is the number of heads. */
#include "op.h"
#include <string.h>

static sonde_status shape(op_call *c, sonde_error *err) {
    SONDE_FAIL_IF(c->out->dim[2] < 1, err, SONDE_USAGE, "spread: %lld heads, expected at least one",
                  (long long)c->out->dim[2]);
    c->out->dim[0] = 1;
    c->out->dim[1] = tensor_rows(c->in[0]);
    c->out->dim[3] = tensor_cols(c->in[0]);
    return SONDE_OK;
}

static void fwd(const op_call *c, span u) {
    const int64_t H = c->out->dim[2], d = c->out->dim[3];
    for (int64_t t = u.lo; t < u.hi; t++)
        for (int64_t h = 0; h < H; h++)
            memcpy(c->out->data + (t * H + h) * d, c->in[0]->data + t * d, (size_t)d * sizeof(float));
}

static void bwd(const op_call *c, int which, span u) {
    const int64_t H = c->out->dim[2], d = c->out->dim[3];
    for (int64_t t = u.lo; t < u.hi; t++) {
        float *dx = c->part[which] + t * d;
        memset(dx, 0, (size_t)d * sizeof *dx);
        for (int64_t h = 0; h < H; h++)
            if (c->attr.pick.mask[t * H + h]) kern->add(dx, dx, c->out->grad + (t * H + h) * d, (size_t)d);
    }
}

static op_cost cost(const op_call *c) {
    return (op_cost){ .bytes = 8 * (double)tensor_count(c->out) };
}

const op op_spread = {
    .name = "spread", .doc = "y[t,h,:] = x[t,:]", .n_in = 1, .masked = true,
    .shape = shape, .units = units_are_positions, .fwd = fwd, .bwd = bwd, .cost = cost,
};
