/* y[t,:] = where the k largest numbers of row t stand, ascending; of equal ones the first. A choice passes nothing on:
 * its gradient is 0. A unit is one row. */
#include "op.h"
#include <string.h>

static sonde_status shape(op_call *c, sonde_error *err) {
    const int64_t k = c->attr.largest.k, n = tensor_cols(c->in[0]);
    SONDE_FAIL_IF(k < 1 || k > n, err, SONDE_USAGE, "largest: %lld numbers of %lld", (long long)k, (long long)n);
    tensor_same_shape(c->out, c->in[0]);
    c->out->dim[MAX_DIM - 1] = k;
    return SONDE_OK;
}

/* Those above x[i], and equal ones in front of it, come first; NaN comes last. */
static int64_t rank_of(const float *x, int64_t n, int64_t i) {
    int64_t rank = 0;
    for (int64_t j = 0; j < n; j++) {
        const bool above = x[j] > x[i] || (x[i] != x[i] && x[j] == x[j]);
        const bool equal = x[j] == x[i] || (x[i] != x[i] && x[j] != x[j]);
        rank += above || (equal && j < i);
    }
    return rank;
}

static void fwd(const op_call *c, span u) {
    const int64_t n = tensor_cols(c->in[0]), k = c->attr.largest.k;
    for (int64_t row = u.lo; row < u.hi; row++) {
        const float *x = c->in[0]->data + row * n;
        float       *y = c->out->data + row * k;
        for (int64_t i = 0; i < n; i++)
            if (rank_of(x, n, i) < k) *y++ = (float)i;
    }
}

static void bwd(const op_call *c, int which, span u) {
    const int64_t n = tensor_cols(c->in[0]);
    memset(c->part[which] + u.lo * n, 0, (size_t)((u.hi - u.lo) * n) * sizeof(float));
}

static op_cost cost(const op_call *c) {
    const double n = (double)tensor_count(c->in[0]), each = (double)tensor_cols(c->in[0]);
    return (op_cost){ .flops = n * each, .bytes = 4 * (n + (double)tensor_count(c->out)) };
}

const op op_largest = {
    .name = "largest", .doc = "y[t,:] = the places of the k largest x[t,:], ascending; of equal ones the first", .n_in = 1,
    .shape = shape, .units = units_are_rows, .fwd = fwd, .bwd = bwd, .cost = cost,
};
