/* y[t,j] = sum_k x[t,k] w(j,k) + bias[j], in the one order of sums (kernel/kern.h).
 * A row is the last two axes together: z [t, h, e] is read, and q [t, h, e] written, as rows of h * e.
 * Backward is the product with the weight's inputs and outputs exchanged. */
#include "op.h"
#include "product_rows.h"

static int64_t rows_of(const tensor *x)  { return x->dim[0] * x->dim[1]; }
static int64_t width_of(const tensor *x) { return x->dim[2] * x->dim[3]; }

/* out's last two axes are kept where they hold n numbers. */
static sonde_status shape(op_call *c, sonde_error *err) {
    const kern_weight *w = c->attr.linear.w;
    SONDE_FAIL_IF(width_of(c->in[0]) != (int64_t)w->k, err, SONDE_USAGE, "linear: x[.., %lld] by w[.., %zu]",
                  (long long)width_of(c->in[0]), w->k);
    c->out->dim[0] = c->in[0]->dim[0];
    c->out->dim[1] = c->in[0]->dim[1];
    if (width_of(c->out) == (int64_t)w->n) return SONDE_OK;
    c->out->dim[2] = 1;
    c->out->dim[3] = (int64_t)w->n;
    return SONDE_OK;
}

static int64_t units(const op_call *c, int which) {
    return product_tiles((int64_t)(which == FORWARD ? c->attr.linear.w->n : c->attr.linear.w->k));
}

static void tiles(const kern_weight *w, const float *bias, product_rows p, span u) {
    const int64_t n = (int64_t)w->n, hi = u.hi * PRODUCT_TILE;
    product_run(w, bias, p, u.lo * PRODUCT_TILE, hi < n ? hi : n);
}

static void fwd(const op_call *c, span u) {
    const kern_weight *w = c->attr.linear.w;
    tiles(w, c->attr.linear.bias, (product_rows){
        .x = c->in[0]->data, .ldx = (int64_t)w->k, .rows = rows_of(c->in[0]), .y = c->out->data, .ldy = (int64_t)w->n }, u);
}

static void bwd(const op_call *c, int which, span u) {
    const kern_weight w = weight_flipped(c->attr.linear.w);
    tiles(&w, NULL, (product_rows){
        .x = c->out->grad, .ldx = (int64_t)w.k, .rows = rows_of(c->out), .y = c->part[which], .ldy = (int64_t)w.n }, u);
}

static op_cost cost(const op_call *c) {
    const kern_weight *w = c->attr.linear.w;
    const double rows = (double)rows_of(c->in[0]), n = (double)w->n, k = (double)w->k;
    return (op_cost){ .flops = 2 * rows * n * k, .bytes = weight_bytes(w) + 4 * rows * (n + k) };
}

const op op_linear = {
    .name = "linear", .doc = "y = x W + bias", .n_in = 1,
    .shape = shape, .units = units, .fwd = fwd, .bwd = bwd, .cost = cost,
};
