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

/* A product of the call: which weight, which bias, and which rows by it. */
typedef struct { kern_weight w; const float *bias; product_rows rows; } product;

static product product_of(const op_call *c, int which) {
    const kern_weight *w = c->attr.linear.w;
    const int64_t n = (int64_t)w->n, k = (int64_t)w->k;
    if (which == FORWARD)
        return (product){ *w, c->attr.linear.bias, { .x = c->in[0]->data, .ldx = k, .rows = rows_of(c->in[0]),
                                                     .y = c->out->data, .ldy = n } };
    return (product){ weight_flipped(w), NULL, { .x = c->out->grad, .ldx = n, .rows = rows_of(c->out),
                                                 .y = c->part[which], .ldy = k } };
}

static void run(const op_call *c, int which, span u) {
    const product p = product_of(c, which);
    const int64_t n = (int64_t)p.w.n, hi = u.hi * PRODUCT_TILE;
    product_run(&p.w, p.bias, p.rows, u.lo * PRODUCT_TILE, hi < n ? hi : n);
}
static void fwd(const op_call *c, span u)            { run(c, FORWARD, u); }
static void bwd(const op_call *c, int which, span u) { run(c, which, u); }

/* Rows of x are packed once, by all threads, and not by each thread for its outputs. */
static void shared(const op_call *c, int which, int threads) {
    const product p = product_of(c, which);
    product_shared(&p.w, p.bias, p.rows, threads);
}

static op_cost cost(const op_call *c) {
    const kern_weight *w = c->attr.linear.w;
    const double rows = (double)rows_of(c->in[0]), n = (double)w->n, k = (double)w->k;
    return (op_cost){ .flops = 2 * rows * n * k, .bytes = weight_bytes(w) + 4 * rows * (n + k) };
}

const op op_linear = {
    .name = "linear", .doc = "y = x W + bias", .n_in = 1,
    .shape = shape, .units = units, .fwd = fwd, .bwd = bwd, .cost = cost, .shared = shared,
};
