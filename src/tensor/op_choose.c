/* y[t,h,:] = b[t,h,:] where mask[t,h], else a[t,h,:]: heads whose input was edited take the product of their own.
 * a gets the gradient of the rows it gave. b gets all of it: the gradient at b's input is asked for also where
 * nothing was edited, and op_spread passes on that of the chosen ones only, so nothing counts twice.
 * in a, b [1, T, H, e]. A unit is one row. */
#include "op.h"
#include <string.h>

static sonde_status shape(op_call *c, sonde_error *err) {
    for (int i = 1; i < MAX_DIM; i++)
        SONDE_FAIL_IF(c->in[0]->dim[i] != c->in[1]->dim[i], err, SONDE_USAGE, "choose: axis %d is %lld and %lld", i,
                      (long long)c->in[0]->dim[i], (long long)c->in[1]->dim[i]);
    tensor_same_shape(c->out, c->in[0]);
    return SONDE_OK;
}

static void fwd(const op_call *c, span u) {
    const int64_t H = c->out->dim[2], e = c->out->dim[3];
    for (int64_t i = u.lo * H; i < u.hi * H; i++)
        memcpy(c->out->data + i * e, c->in[c->attr.pick.mask[i] ? 1 : 0]->data + i * e, (size_t)e * sizeof(float));
}

static void bwd(const op_call *c, int which, span u) {
    const int64_t H = c->out->dim[2], e = c->out->dim[3];
    for (int64_t i = u.lo * H; i < u.hi * H; i++) {
        float *part = c->part[which] + i * e;
        if (which == 0 && c->attr.pick.mask[i]) memset(part, 0, (size_t)e * sizeof *part);
        else memcpy(part, c->out->grad + i * e, (size_t)e * sizeof *part);
    }
}

static op_cost cost(const op_call *c) {
    return (op_cost){ .bytes = 8 * (double)tensor_count(c->out) };
}

const op op_choose = {
    .name = "choose", .doc = "y[t,h,:] = b[t,h,:] where the head's input was edited, else a[t,h,:]", .n_in = 2, .masked = true,
    .shape = shape, .units = units_are_positions, .fwd = fwd, .bwd = bwd, .cost = cost,
};
