/* s[r] = sqrt(var(x[r,:]) + eps), the variance over the last axis, divided by d.
 * Ba, Kiros and Hinton, Layer Normalization, 2016, eq. 4. */
#include "norm_row.h"
#include "op.h"

static sonde_status shape(op_call *c, sonde_error *err) {
    SONDE_FAIL_IF(!(c->attr.norm.eps > 0), err, SONDE_USAGE, "layer_scale: eps is %g, expected above zero",
                  (double)c->attr.norm.eps);
    tensor_same_shape(c->out, c->in[0]);
    c->out->dim[MAX_DIM - 1] = 1;
    return SONDE_OK;
}

static void fwd(const op_call *c, span u) {
    const int64_t d = tensor_cols(c->in[0]);
    for (int64_t r = u.lo; r < u.hi; r++)
        c->out->data[r] = row_norm(c->in[0]->data + r * d, d, c->attr.norm.eps).scale;
}

/* ds/dx = (x - mean) / (d s) */
static void bwd(const op_call *c, int which, span u) {
    const int64_t d = tensor_cols(c->in[0]);
    for (int64_t r = u.lo; r < u.hi; r++) {
        const float   *x = c->in[0]->data + r * d;
        float         *dx = c->part[which] + r * d;
        const norm_row n = row_norm(x, d, c->attr.norm.eps);
        const float    by = c->out->grad[r] / ((float)d * n.scale);
        for (int64_t i = 0; i < d; i++) dx[i] = (x[i] - n.mean) * by;
    }
}

static op_cost cost(const op_call *c) {
    const double n = (double)tensor_count(c->in[0]);
    return (op_cost){ .flops = 4 * n, .bytes = 4 * n };
}

const op op_layer_scale = {
    .name = "layer_scale", .doc = "s = sqrt(var(x) + eps) over the last axis", .n_in = 1,
    .shape = shape, .units = units_are_rows, .fwd = fwd, .bwd = bwd, .cost = cost,
};
