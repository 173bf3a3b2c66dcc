/* y = (b' + 1) a' sigmoid(1.702 a') with a' = min(a, limit) and b' = b clamped to +- limit: the gated unit of gpt-oss
 * (OpenAI, 2025). a sigmoid(1.702 a) = silu(1.702 a) / 1.702. Behind a limit the slope is 0, at it that of inside. */
#include "op.h"
#include "scratch.h"

static const float SHARPNESS = 1.702f;

static sonde_status shape(op_call *c, sonde_error *err) {
    for (int i = 0; i < MAX_DIM; i++)
        SONDE_FAIL_IF(c->in[0]->dim[i] != c->in[1]->dim[i], err, SONDE_USAGE, "clamped_glu: axis %d is %lld and %lld", i,
                      (long long)c->in[0]->dim[i], (long long)c->in[1]->dim[i]);
    SONDE_FAIL_IF(!(c->attr.clamp.limit > 0), err, SONDE_USAGE, "clamped_glu: limit is %g, expected above zero",
                  (double)c->attr.clamp.limit);
    tensor_same_shape(c->out, c->in[0]);
    return SONDE_OK;
}

static float clamped(float x, float limit) { return x > limit ? limit : x < -limit ? -limit : x; }

/* t = 1.702 a', of one row */
static void sharpened(float *t, const float *a, float limit, int64_t n) {
    for (int64_t i = 0; i < n; i++) t[i] = SHARPNESS * (a[i] > limit ? limit : a[i]);
}

static void fwd(const op_call *c, span u) {
    const int64_t n = tensor_cols(c->out);
    const float   limit = c->attr.clamp.limit;
    for (int64_t row = u.lo; row < u.hi; row++) {
        const float *b = c->in[1]->data + row * n;
        float       *y = c->out->data + row * n;
        sharpened(y, c->in[0]->data + row * n, limit, n);
        kern->silu(y, y, (size_t)n);
        for (int64_t i = 0; i < n; i++) y[i] = (clamped(b[i], limit) + 1) * (y[i] / SHARPNESS);
    }
}

/* da = dy (b' + 1) silu'(1.702 a); db = dy silu(1.702 a') / 1.702 */
static void bwd(const op_call *c, int which, span u) {
    const int64_t n = tensor_cols(c->out);
    const float   limit = c->attr.clamp.limit;
    float        *t = scratch_floats(SCRATCH_ROW, (size_t)n);
    for (int64_t row = u.lo; row < u.hi; row++) {
        const float *a = c->in[0]->data + row * n, *b = c->in[1]->data + row * n, *dy = c->out->grad + row * n;
        float       *part = c->part[which] + row * n;
        sharpened(t, a, limit, n);
        if (which == 0) {
            for (int64_t i = 0; i < n; i++) part[i] = dy[i] * (clamped(b[i], limit) + 1);
            kern->silu_grad(part, t, part, (size_t)n);
            for (int64_t i = 0; i < n; i++) part[i] = a[i] > limit ? 0 : part[i];
        } else {
            kern->silu(t, t, (size_t)n);
            for (int64_t i = 0; i < n; i++) part[i] = b[i] > limit || b[i] < -limit ? 0 : dy[i] * (t[i] / SHARPNESS);
        }
    }
}

static op_cost cost(const op_call *c) {
    const double n = (double)tensor_count(c->out);
    return (op_cost){ .flops = 25 * n, .bytes = 12 * n };
}

const op op_clamped_glu = {
    .name = "clamped_glu", .doc = "y = (b' + 1) a' sigmoid(1.702 a'), a and b clamped first", .n_in = 2,
    .shape = shape, .units = units_are_rows, .fwd = fwd, .bwd = bwd, .cost = cost,
};
