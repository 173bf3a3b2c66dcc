/* y[t,h,:] = x[t,h,:] times head h's part of a weight (+ its part of the bias): the columns of W_Q that make
 * a head's query (HEAD_OUTPUTS), or the rows of W_O that read its z (HEAD_INPUTS, no bias).
 * in [1, T, H, k]; out [1, T, H, n]. A unit is one head. */
#include "op.h"
#include "product_rows.h"

static kern_weight part_of(const op_call *c, int64_t h) {
    return weight_head(c->attr.head_linear.w, c->in[0]->dim[2], h, c->attr.head_linear.split);
}

static sonde_status shape(op_call *c, sonde_error *err) {
    const tensor     *x = c->in[0];
    const kern_weight w = part_of(c, 0);
    SONDE_FAIL_IF(x->dim[3] != (int64_t)w.k, err, SONDE_USAGE, "head_linear: x[.., %lld] by w[.., %zu] of %lld heads",
                  (long long)x->dim[3], w.k, (long long)x->dim[2]);
    tensor_same_shape(c->out, x);
    c->out->dim[3] = (int64_t)w.n;
    return SONDE_OK;
}

static int64_t units(const op_call *c, int which) {
    (void)which;
    return c->in[0]->dim[2];
}

static void fwd(const op_call *c, span u) {
    const int64_t H = c->in[0]->dim[2], k = c->in[0]->dim[3], n = c->out->dim[3];
    for (int64_t h = u.lo; h < u.hi; h++) {
        const kern_weight w = part_of(c, h);
        const float      *bias = c->attr.head_linear.bias;
        product_run(&w, bias ? bias + h * n : NULL,
                    (product_rows){ .x = c->in[0]->data + h * k, .ldx = H * k, .rows = c->in[0]->dim[1],
                                    .y = c->out->data + h * n, .ldy = H * n }, 0, n);
    }
}

static void bwd(const op_call *c, int which, span u) {
    const int64_t H = c->in[0]->dim[2], k = c->in[0]->dim[3], n = c->out->dim[3];
    for (int64_t h = u.lo; h < u.hi; h++) {
        const kern_weight w = part_of(c, h), back = weight_flipped(&w);
        product_run(&back, NULL, (product_rows){ .x = c->out->grad + h * n, .ldx = H * n, .rows = c->in[0]->dim[1],
                                                 .y = c->part[which] + h * k, .ldy = H * k }, 0, k);
    }
}

static op_cost cost(const op_call *c) {
    const double x = (double)tensor_count(c->in[0]), n = (double)c->out->dim[3];
    return (op_cost){ .flops = 2 * x * n, .bytes = 4 * (x + (double)tensor_count(c->out) + (double)c->in[0]->dim[3] * n) };
}

const op op_head_linear = {
    .name = "head_linear", .doc = "y[t,h,:] = x[t,h,:] times head h's part of W", .n_in = 1,
    .shape = shape, .units = units, .fwd = fwd, .bwd = bwd, .cost = cost,
};
