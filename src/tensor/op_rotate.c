/* Rotary positions: the first `dims` numbers of each head are dims/2 points of the plane, each turned by its own angle;
 * numbers behind them stay. A point is (x_i, x_i + dims/2), or with `pairs` (x_2i, x_2i + 1).
 * Su et al., RoFormer: Enhanced Transformer with Rotary Position Embedding, 2021, eq. 34.
 * turn [T, 2, dims/2]: cosines, then sines of a row. in, out [1, T, H, e]. A unit is one row with all its heads. */
#include "op.h"
#include <string.h>

static sonde_status shape(op_call *c, sonde_error *err) {
    const int64_t dims = c->attr.rotate.dims;
    SONDE_FAIL_IF(dims < 2 || dims % 2 || dims > tensor_cols(c->in[0]), err, SONDE_USAGE,
                  "rotate: %lld numbers of a head of %lld, expected an even number of them", (long long)dims,
                  (long long)tensor_cols(c->in[0]));
    tensor_same_shape(c->out, c->in[0]);
    return SONDE_OK;
}

/* y = x turned; side -1: turned back, which is what a gradient is. */
static void turn_rows(const op_call *c, const float *x, float *y, float side, span u) {
    const int64_t H = c->in[0]->dim[2], e = c->in[0]->dim[3], half = c->attr.rotate.dims / 2;
    const int64_t step = c->attr.rotate.pairs ? 2 : 1, apart = c->attr.rotate.pairs ? 1 : half;
    for (int64_t t = u.lo; t < u.hi; t++) {
        const float *cosine = c->attr.rotate.turn + t * 2 * half, *sine = cosine + half;
        for (int64_t h = 0; h < H; h++) {
            const float *from = x + (t * H + h) * e;
            float       *to = y + (t * H + h) * e;
            for (int64_t i = 0; i < half; i++) {
                const float a = from[step * i], b = from[step * i + apart], s = side * sine[i];
                to[step * i] = a * cosine[i] - b * s;
                to[step * i + apart] = b * cosine[i] + a * s;
            }
            memcpy(to + 2 * half, from + 2 * half, (size_t)(e - 2 * half) * sizeof *to);
        }
    }
}

static void fwd(const op_call *c, span u) { turn_rows(c, c->in[0]->data, c->out->data, 1, u); }

static void bwd(const op_call *c, int which, span u) { turn_rows(c, c->out->grad, c->part[which], -1, u); }

static op_cost cost(const op_call *c) {
    const double n = (double)tensor_count(c->out);
    return (op_cost){ .flops = 3 * n, .bytes = 8 * n };
}

const op op_rotate = {
    .name = "rotate", .n_in = 1,
    .doc = "each head's points (x, x') turned by a = position * frequency: (x cos a - x' sin a, x' cos a + x sin a)",
    .shape = shape, .units = units_are_positions, .fwd = fwd, .bwd = bwd, .cost = cost,
};
