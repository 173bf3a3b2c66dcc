/* y = limit tanh(x / limit), element by element (Gemma Team, Gemma 2, 2024); -inf, which masks, stays. */
#include "attend_rows.h"
#include <math.h>

static sonde_status shape(op_call *c, sonde_error *err) {
    SONDE_FAIL_IF(!(c->attr.clamp.limit > 0), err, SONDE_USAGE, "soft_cap: limit %g, expected above zero",
                  (double)c->attr.clamp.limit);
    tensor_same_shape(c->out, c->in[0]);
    return SONDE_OK;
}

enum { AT_ONCE = 256 };

void soft_cap_row(float *y, const float *x, float limit, int64_t n) {
    float t[AT_ONCE];
    for (int64_t at = 0; at < n; at += AT_ONCE) {
        const int64_t m = n - at < AT_ONCE ? n - at : AT_ONCE;
        for (int64_t i = 0; i < m; i++) t[i] = x[at + i] / limit;
        kern->tanh(t, t, (size_t)m);
        for (int64_t i = 0; i < m; i++) y[at + i] = x[at + i] == -INFINITY ? -INFINITY : limit * t[i];
    }
}

void soft_cap_row_back(float *dx, const float *x, const float *dy, float limit, int64_t n) {
    float t[AT_ONCE];
    for (int64_t at = 0; at < n; at += AT_ONCE) {
        const int64_t m = n - at < AT_ONCE ? n - at : AT_ONCE;
        for (int64_t i = 0; i < m; i++) t[i] = x[at + i] / limit;
        kern->tanh(t, t, (size_t)m);
        for (int64_t i = 0; i < m; i++) dx[at + i] = dy[at + i] * (1 - t[i] * t[i]);
    }
}

static void fwd(const op_call *c, span u) {
    const int64_t d = tensor_cols(c->out);
    soft_cap_row(c->out->data + u.lo * d, c->in[0]->data + u.lo * d, c->attr.clamp.limit, (u.hi - u.lo) * d);
}

/* dx = dy (1 - tanh(x / limit)^2) */
static void bwd(const op_call *c, int which, span u) {
    const int64_t d = tensor_cols(c->out);
    soft_cap_row_back(c->part[which] + u.lo * d, c->in[0]->data + u.lo * d, c->out->grad + u.lo * d, c->attr.clamp.limit,
                      (u.hi - u.lo) * d);
}

static op_cost cost(const op_call *c) {
    const double n = (double)tensor_count(c->out);
    return (op_cost){ .flops = 20 * n, .bytes = 8 * n };
}

const op op_soft_cap = {
    .name = "soft_cap", .doc = "y = limit tanh(x / limit)", .n_in = 1,
    .shape = shape, .units = units_are_rows, .fwd = fwd, .bwd = bwd, .cost = cost,
};
