/* y = f(x), element by element; one row of the table a function.
 * Hendrycks and Gimpel, Gaussian Error Linear Units, 2016 (both forms). */
#include "op.h"

typedef struct { void (*f)(const float *x, float *y, size_t n); void (*df)(const float *x, const float *dy, float *dx, size_t n); } act_row;

#define ACT_FUNCTIONS(name)                                                                                  \
    static void name##_f(const float *x, float *y, size_t n) { kern->name(y, x, n); }                        \
    static void name##_df(const float *x, const float *dy, float *dx, size_t n) { kern->name##_grad(dx, x, dy, n); }
ACT_FUNCTIONS(gelu_tanh)
ACT_FUNCTIONS(gelu_erf)
ACT_FUNCTIONS(silu)
ACT_FUNCTIONS(relu)

static void tanh_f(const float *x, float *y, size_t n) { kern->tanh(y, x, n); }
static void tanh_df(const float *x, const float *dy, float *dx, size_t n) {
    float t[64];
    for (size_t at = 0; at < n; at += 64) {
        const size_t m = n - at < 64 ? n - at : 64;
        kern->tanh(t, x + at, m);
        for (size_t i = 0; i < m; i++) dx[at + i] = dy[at + i] * (1 - t[i] * t[i]);
    }
}

/* x sigmoid(1.702 x) = silu(1.702 x) / 1.702 */
static const float QUICK = 1.702f;
static void quick_f(const float *x, float *y, size_t n) {
    kern->scale(y, QUICK, x, n);
    kern->silu(y, y, n);
    kern->divide(y, y, QUICK, n);
}
static void quick_df(const float *x, const float *dy, float *dx, size_t n) {
    float z[64];
    for (size_t at = 0; at < n; at += 64) {
        const size_t m = n - at < 64 ? n - at : 64;
        kern->scale(z, QUICK, x + at, m);
        kern->silu_grad(dx + at, z, dy + at, m);
    }
}

static const act_row rows[ACT_COUNT] = {
    [ACT_GELU_TANH] = { gelu_tanh_f, gelu_tanh_df },
    [ACT_GELU]      = { gelu_erf_f, gelu_erf_df },
    [ACT_SILU]      = { silu_f, silu_df },
    [ACT_RELU]      = { relu_f, relu_df },
    [ACT_TANH]      = { tanh_f, tanh_df },
    [ACT_QUICK_GELU] = { quick_f, quick_df },
};

static sonde_status shape(op_call *c, sonde_error *err) {
    SONDE_FAIL_IF(c->attr.activation.kind >= ACT_COUNT, err, SONDE_USAGE, "activation: function %d, expected below %d",
                  (int)c->attr.activation.kind, (int)ACT_COUNT);
    tensor_same_shape(c->out, c->in[0]);
    return SONDE_OK;
}

static void fwd(const op_call *c, span u) {
    const int64_t d = tensor_cols(c->in[0]), at = u.lo * d;
    rows[c->attr.activation.kind].f(c->in[0]->data + at, c->out->data + at, (size_t)((u.hi - u.lo) * d));
}

static void bwd(const op_call *c, int which, span u) {
    const int64_t d = tensor_cols(c->in[0]), at = u.lo * d;
    rows[c->attr.activation.kind].df(c->in[0]->data + at, c->out->grad + at, c->part[which] + at,
                                     (size_t)((u.hi - u.lo) * d));
}

static op_cost cost(const op_call *c) {
    const double n = (double)tensor_count(c->in[0]);
    return (op_cost){ .flops = 20 * n, .bytes = 8 * n };
}

const op op_activation = {
    .name = "activation", .doc = "y = f(x): gelu (tanh form or exact), silu, relu, tanh, quick gelu", .n_in = 1,
    .shape = shape, .units = units_are_rows, .fwd = fwd, .bwd = bwd, .cost = cost,
};
