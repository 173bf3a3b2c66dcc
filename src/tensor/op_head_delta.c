/* y[t,:] = a[t,:] + sum over the heads h with mask[t,h], ascending, of (new[t,h,:] - old[t,h,:]):
 * what an edit of a head's result adds to attention's output.
 * new gets the whole gradient, as in op_choose.c; old gets minus that of the edited ones.
 * in a [1, 1, T, d], new, old [1, T, H, d]. A unit is one row. */
#include "op.h"
#include <string.h>

static sonde_status shape(op_call *c, sonde_error *err) {
    SONDE_FAIL_IF(tensor_rows(c->in[0]) != c->in[1]->dim[1] || tensor_cols(c->in[0]) != c->in[1]->dim[3], err, SONDE_USAGE,
                  "head_delta: a [%lld, %lld], heads [%lld, .., %lld]", (long long)tensor_rows(c->in[0]),
                  (long long)tensor_cols(c->in[0]), (long long)c->in[1]->dim[1], (long long)c->in[1]->dim[3]);
    tensor_same_shape(c->out, c->in[0]);
    return SONDE_OK;
}

static int64_t units(const op_call *c, int which) {
    (void)which;
    return c->in[1]->dim[1];
}

static void fwd(const op_call *c, span u) {
    const int64_t H = c->in[1]->dim[2], d = c->in[1]->dim[3];
    for (int64_t t = u.lo; t < u.hi; t++) {
        float *y = c->out->data + t * d;
        memcpy(y, c->in[0]->data + t * d, (size_t)d * sizeof *y);
        for (int64_t h = 0; h < H; h++) {
            if (!c->attr.pick.mask[t * H + h]) continue;
            const float *now = c->in[1]->data + (t * H + h) * d, *was = c->in[2]->data + (t * H + h) * d;
            for (int64_t i = 0; i < d; i++) y[i] += now[i] - was[i];
        }
    }
}

static void bwd(const op_call *c, int which, span u) {
    const int64_t H = c->in[1]->dim[2], d = c->in[1]->dim[3];
    for (int64_t t = u.lo; t < u.hi; t++) {
        const float *dy = c->out->grad + t * d;
        if (which == 0) {
            memcpy(c->part[0] + t * d, dy, (size_t)d * sizeof *dy);
            continue;
        }
        for (int64_t h = 0; h < H; h++) {
            float *part = c->part[which] + (t * H + h) * d;
            if (which == 1) memcpy(part, dy, (size_t)d * sizeof *part);
            else kern->scale(part, c->attr.pick.mask[t * H + h] ? -1.0f : 0.0f, dy, (size_t)d);
        }
    }
}

static op_cost cost(const op_call *c) {
    const double n = (double)tensor_count(c->in[1]);
    return (op_cost){ .flops = 2 * n, .bytes = 8 * n };
}

const op op_head_delta = {
    .name = "head_delta", .doc = "y = a + sum over edited heads of (new - old)", .n_in = 3, .masked = true,
    .shape = shape, .units = units, .fwd = fwd, .bwd = bwd, .cost = cost,
};
