/* y = x: the copy of every head's result that edits act on, beside the values as they were.
 * Only (row, head)s with mask[t,h] pass a gradient on: what the others would pass goes by way of attention's
 * output itself (see op_head_delta.c). in [1, T, H, d]. A unit is one row. */
#include "op.h"
#include <string.h>

static sonde_status shape(op_call *c, sonde_error *err) {
    (void)err;
    tensor_same_shape(c->out, c->in[0]);
    return SONDE_OK;
}

static void fwd(const op_call *c, span u) {
    const int64_t row = c->out->dim[2] * c->out->dim[3];
    memcpy(c->out->data + u.lo * row, c->in[0]->data + u.lo * row, (size_t)((u.hi - u.lo) * row) * sizeof(float));
}

static void bwd(const op_call *c, int which, span u) {
    const int64_t H = c->out->dim[2], d = c->out->dim[3];
    for (int64_t i = u.lo * H; i < u.hi * H; i++) {
        float *part = c->part[which] + i * d;
        if (c->attr.pick.mask[i]) memcpy(part, c->out->grad + i * d, (size_t)d * sizeof *part);
        else memset(part, 0, (size_t)d * sizeof *part);
    }
}

static op_cost cost(const op_call *c) {
    return (op_cost){ .bytes = 8 * (double)tensor_count(c->out) };
}

const op op_edited_copy = {
    .name = "edited_copy", .doc = "y = x, for edits of single heads", .n_in = 1, .masked = true,
    .shape = shape, .units = units_are_positions, .fwd = fwd, .bwd = bwd, .cost = cost,
};
