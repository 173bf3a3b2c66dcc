/* s[r] = sqrt(mean(x[r,:]^2) + eps) over the last axis.
 * Zhang and Sennrich, Root Mean Square Layer Normalization, 2019, eq. 4. */
#include "op.h"
#include <math.h>

static sonde_status shape(op_call *c, sonde_error *err) {
    SONDE_FAIL_IF(!(c->attr.norm.eps >= 0), err, SONDE_USAGE, "rms_scale: eps is %g, expected zero or above",
                  (double)c->attr.norm.eps);
    tensor_same_shape(c->out, c->in[0]);
    c->out->dim[MAX_DIM - 1] = 1;
    return SONDE_OK;
}

static float scale_of(const op_call *c, int64_t r) {
    const int64_t d = tensor_cols(c->in[0]);
    const float  *x = c->in[0]->data + r * d;
    return sqrtf(kern->dot(x, x, (size_t)d) / (float)d + c->attr.norm.eps);
}

static void fwd(const op_call *c, span u) {
    for (int64_t r = u.lo; r < u.hi; r++) c->out->data[r] = scale_of(c, r);
}

/* ds/dx = x / (d s) */
static void bwd(const op_call *c, int which, span u) {
    const int64_t d = tensor_cols(c->in[0]);
    for (int64_t r = u.lo; r < u.hi; r++)
        kern->scale(c->part[which] + r * d, c->out->grad[r] / ((float)d * scale_of(c, r)), c->in[0]->data + r * d,
                    (size_t)d);
}

static op_cost cost(const op_call *c) {
    const double n = (double)tensor_count(c->in[0]);
    return (op_cost){ .flops = 2 * n, .bytes = 4 * n };
}

const op op_rms_scale = {
    .name = "rms_scale", .doc = "s = sqrt(mean(x^2) + eps) over the last axis", .n_in = 1,
    .shape = shape, .units = units_are_rows, .fwd = fwd, .bwd = bwd, .cost = cost,
};
