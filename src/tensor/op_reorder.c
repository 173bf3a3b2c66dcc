/* Heads of a file that keeps the two numbers of a point of rotation side by side, as other files have them:
 * y[r] = x[2r], y[r + dims/2] = x[2r + 1] for r < dims/2; numbers from `dims` on stay.
 * in, out [1, T, H, e]. A unit is one row with all its heads. */
#include "op.h"

static sonde_status shape(op_call *c, sonde_error *err) {
    const int64_t dims = c->attr.reorder.dims;
    SONDE_FAIL_IF(dims < 2 || dims % 2 || dims > tensor_cols(c->in[0]), err, SONDE_USAGE,
                  "reorder: %lld numbers of a head of %lld, expected an even number of them", (long long)dims,
                  (long long)tensor_cols(c->in[0]));
    tensor_same_shape(c->out, c->in[0]);
    return SONDE_OK;
}

static void fwd(const op_call *c, span u) {
    const int64_t H = c->out->dim[2], e = c->out->dim[3], dims = c->attr.reorder.dims;
    for (int64_t i = u.lo * H; i < u.hi * H; i++)
        for (int64_t r = 0; r < e; r++)
            c->out->data[i * e + r] = c->in[0]->data[i * e + reorder_from(r, dims)];
}

static void bwd(const op_call *c, int which, span u) {
    const int64_t H = c->out->dim[2], e = c->out->dim[3], dims = c->attr.reorder.dims;
    for (int64_t i = u.lo * H; i < u.hi * H; i++)
        for (int64_t r = 0; r < e; r++)
            c->part[which][i * e + reorder_from(r, dims)] = c->out->grad[i * e + r];
}

static op_cost cost(const op_call *c) {
    return (op_cost){ .bytes = 8 * (double)tensor_count(c->out) };
}

const op op_reorder = {
    .name = "reorder", .doc = "each head's numbers from pairs (0 1, 2 3, ..) to halves (0 2 .., 1 3 ..)", .n_in = 1,
    .shape = shape, .units = units_are_positions, .fwd = fwd, .bwd = bwd, .cost = cost,
};
