/* Every operation once more, as its formula stands: plain loops in double over float32 weights as the file has them.
 * Nothing is shared with the engine, so an agreement of the two says something. Where models define a step in
 * float32 (the angles of rotations), it is float32 here too. */
#include "method_rebuild.h"
#include "room.h"
#include <math.h>
#include <string.h>

static const int64_t AT_ONCE = 1 << 22;         /* numbers of a matrix that are in memory */

int64_t rebuild_items(const sonde_shape *s) {
    int64_t n = 1;
    for (int i = 0; i < s->rank; i++) n *= s->dim[i];
    return n;
}

static int64_t cols(const sonde_shape *s) { return s->dim[s->rank - 1]; }
static int64_t heads(const sonde_shape *s) { return s->rank == 3 ? s->dim[1] : 1; }     /* positions come first */
static int64_t positions(const sonde_shape *s) { return s->dim[0]; }
static int64_t rows(const sonde_shape *s) { return rebuild_items(s) / cols(s); }

static const sonde_constant *constant(const rebuild_call *c, const char *name) {
    for (size_t i = 0; i < c->o->n_constants; i++)
        if (!strcmp(c->o->constant[i].name, name)) return &c->o->constant[i];
    return NULL;
}

double rebuild_number(const rebuild_call *c, const char *name, double fallback) {
    const sonde_constant *x = constant(c, name);
    return x ? x->value : fallback;
}

/* ---- weights ---- */

static sonde_status find(const rebuild_call *c, const char *name, size_t *at, sonde_error *err) {
    *at = name ? rebuild_weight(c->r, name) : SIZE_MAX;
    SONDE_FAIL_IF(*at == SIZE_MAX, err, SONDE_UNSUPPORTED, "operation %d (%s) reads %s, and the model lists no such weight",
                  c->o->id, c->o->operation, name ? name : "a weight");
    return SONDE_OK;
}

static int64_t numbers_of(const sonde_weight_info *w) {
    int64_t n = 1;
    for (int i = 0; i < w->rank; i++) n *= w->dim[i];
    return n;
}

/* All of it; *out NULL where `name` is. */
static sonde_status read_whole(const rebuild_call *c, const char *name, float **out, sonde_error *err) {
    size_t at;
    *out = NULL;
    if (!name) return SONDE_OK;
    SONDE_TRY(find(c, name, &at, err));
    const int64_t n = numbers_of(&c->r->weight[at]);
    *out = malloc((size_t)n * sizeof **out);
    SONDE_FAIL_IF(!*out, err, SONDE_NOMEM, "%s needs %lld bytes, and there are not that many free", name,
                  (long long)n * (long long)sizeof **out);
    return sonde_model_weight_read(c->r->cx->model, at, *out, err);
}

sonde_status rebuild_read(const rebuild_call *c, const char *name, float **out, sonde_error *err) {
    return read_whole(c, rebuild_weight(c->r, name) == SIZE_MAX ? NULL : name, out, err);
}

/* ---- products ---- */

/* y[t,j] = sum_i x[t,i] w[j,i] for outputs [first, first + n); `step` from input to input, `next` from output to output. */
typedef struct { const float *w; int64_t step, next, first, n; } outputs;

static void product(const rebuild_call *c, outputs o, int64_t in, int64_t out, double *y) {
    const int64_t t_all = rebuild_items(&c->o->in[0]) / in;
    for (int64_t j = 0; j < o.n; j++)
        for (int64_t t = 0; t < t_all; t++) {
            const double *x = c->in[0] + t * in;
            const float  *w = o.w + j * o.next;
            double        sum = 0;
            for (int64_t i = 0; i < in; i++) sum += x[i] * (double)w[i * o.step];
            y[t * out + o.first + j] = sum;
        }
}

/* [heads, in, width]: each head makes its own outputs. Else heads are inputs, [heads, width, out]. */
static sonde_status by_heads(const rebuild_call *c, const sonde_weight_info *w, double *y, sonde_error *err) {
    const bool outer = w->axes[2] == 'd';
    float     *data;
    sonde_status s = read_whole(c, w->name, &data, err);
    const int64_t in = outer ? w->dim[1] : w->dim[0] * w->dim[1], width = w->dim[2], out = outer ? w->dim[0] * width : width;
    for (int64_t h = 0; s == SONDE_OK && h < (outer ? w->dim[0] : 1); h++)
        for (int64_t j = 0; j < width; j++)
            product(c, (outputs){ data + h * in * width + j, width, 0, h * width + j, 1 }, in, out, y);
    free(data);
    return s;
}

/* Some outputs of a [in, out] matrix at a time. */
static sonde_status by_columns(const rebuild_call *c, size_t at, double *y, sonde_error *err) {
    const sonde_weight_info *w = &c->r->weight[at];
    const int64_t in = w->dim[0], out = w->dim[1], most = AT_ONCE / in > 0 ? AT_ONCE / in : 1;
    float        *data = ROOM(float, (most < out ? most : out) * in);
    sonde_status  s = SONDE_OK;
    for (int64_t first = 0; first < out && s == SONDE_OK; first += most) {
        const int64_t n = out - first < most ? out - first : most;
        s = sonde_model_weight_vectors(c->r->cx->model, (sonde_weight_part){ at, 1, first, n }, data, err);
        if (s == SONDE_OK) product(c, (outputs){ data, 1, in, first, n }, in, out, y);
        if (s == SONDE_OK && sonde_session_stopped(c->r->cx->session)) s = sonde_fail(err, SONDE_CANCELLED, "interrupted");
    }
    free(data);
    return s;
}

static sonde_status add_bias(const rebuild_call *c, double *y, sonde_error *err) {
    float *b;
    sonde_status s = read_whole(c, c->o->bias, &b, err);
    size_t at = c->o->bias ? rebuild_weight(c->r, c->o->bias) : SIZE_MAX;
    const int64_t n = s == SONDE_OK && b ? numbers_of(&c->r->weight[at]) : 1, all = rebuild_items(&c->o->out);
    for (int64_t i = 0; s == SONDE_OK && b && i < all; i++) y[i] += (double)b[i % n];
    free(b);
    return s;
}

static sonde_status linear(const rebuild_call *c, double *y, sonde_error *err) {
    size_t at;
    SONDE_TRY(find(c, c->o->weight, &at, err));
    const sonde_weight_info *w = &c->r->weight[at];
    SONDE_TRY(w->rank == 3 ? by_heads(c, w, y, err) : by_columns(c, at, y, err));
    return add_bias(c, y, err);
}

/* The row of the position table. A token that is `padding` has that row, and moves nothing behind it. */
static int64_t position_row(const rebuild_call *c, const int32_t *tokens, int64_t t) {
    const int64_t padding = (int64_t)rebuild_number(c, "padding", -1);
    int64_t       row = t + (int64_t)rebuild_number(c, "offset", 0);
    if (padding < 0) return row;
    for (int64_t i = 0; i < t; i++) row -= tokens[i] == padding;
    return tokens[t] == padding ? padding : row;
}

static sonde_status lookup(const rebuild_call *c, double *y, sonde_error *err) {
    const char   *kind = c->o->kind ? c->o->kind : "";
    const bool    by_position = strstr(kind, "positions") != NULL, by_type = !strcmp(kind, "token types");
    int64_t       count;
    const int32_t *types = c->r->prompt.types, *tokens = rebuild_tokens(c->r, !strcmp(kind, "target tokens"), &count);
    const int64_t width = cols(&c->o->out), n = positions(&c->o->out);
    size_t at;
    SONDE_TRY(find(c, c->o->weight, &at, err));
    float *row = ROOM(float, width);
    sonde_status s = SONDE_OK;
    for (int64_t t = 0; t < n && s == SONDE_OK; t++) {
        const int64_t id = by_position ? position_row(c, tokens, t) : by_type ? (types ? types[t] : 0) : tokens[t];
        s = sonde_model_weight_vectors(c->r->cx->model, (sonde_weight_part){ at, 0, id, 1 }, row, err);
        for (int64_t i = 0; i < width; i++) y[t * width + i] = (double)row[i];
    }
    free(row);
    return s;
}

/* ---- number by number ---- */

static sonde_status add(const rebuild_call *c, double *y, sonde_error *err) {
    (void)err;
    for (int64_t i = 0, n = rebuild_items(&c->o->out); i < n; i++) y[i] = c->in[0][i] + c->in[1][i];
    return SONDE_OK;
}

static sonde_status multiply(const rebuild_call *c, double *y, sonde_error *err) {
    (void)err;
    for (int64_t i = 0, n = rebuild_items(&c->o->out); i < n; i++) y[i] = c->in[0][i] * c->in[1][i];
    return SONDE_OK;
}

/* Of reorder too: weights are told in the order that sites have, whatever the file's is. */
static sonde_status same(const rebuild_call *c, double *y, sonde_error *err) {
    (void)err;
    memcpy(y, c->in[0], (size_t)rebuild_items(&c->o->out) * sizeof *y);
    return SONDE_OK;
}

static const double PI = 3.14159265358979323846;
static sonde_status times(const rebuild_call *c, double *y, sonde_error *err) {
    (void)err;
    for (int64_t i = 0, n = rebuild_items(&c->o->out); i < n; i++) y[i] = rebuild_number(c, "factor", 1) * c->in[0][i];
    return SONDE_OK;
}

static sonde_status shift(const rebuild_call *c, double *y, sonde_error *err) {
    SONDE_TRY(same(c, y, err));
    return add_bias(c, y, err);
}

double rebuild_within(double x, double limit) { return x < -limit ? -limit : x > limit ? limit : x; }

static sonde_status clamp(const rebuild_call *c, double *y, sonde_error *err) {
    (void)err;
    const double limit = rebuild_number(c, "limit", (double)INFINITY);
    for (int64_t i = 0, n = rebuild_items(&c->o->out); i < n; i++) y[i] = rebuild_within(c->in[0][i], limit);
    return SONDE_OK;
}

/* A masked score stays masked. */
static sonde_status soft_cap(const rebuild_call *c, double *y, sonde_error *err) {
    (void)err;
    const double limit = rebuild_number(c, "limit", 1);
    for (int64_t i = 0, n = rebuild_items(&c->o->out); i < n; i++)
        y[i] = isinf(c->in[0][i]) ? c->in[0][i] : limit * tanh(c->in[0][i] / limit);
    return SONDE_OK;
}

static double gelu_tanh(double x) { return 0.5 * x * (1 + tanh(sqrt(2 / PI) * (x + 0.044715 * x * x * x))); }
static double gelu(double x) { return 0.5 * x * (1 + erf(x / sqrt(2))); }
static double silu(double x) { return x / (1 + exp(-x)); }
static double relu(double x) { return x < 0 ? 0 : x; }
static double quick_gelu(double x) { return x / (1 + exp(-1.702 * x)); }

static const struct { const char *name; double (*f)(double x); } functions[] = {
    { "gelu_tanh", gelu_tanh }, { "gelu", gelu }, { "silu", silu }, { "relu", relu },
    { "tanh", tanh }, { "quick_gelu", quick_gelu },
};
enum { FUNCTIONS = sizeof functions / sizeof *functions };

double (*rebuild_activation(const char *kind))(double x) {
    for (size_t k = 0; kind && k < FUNCTIONS; k++)
        if (!strcmp(kind, functions[k].name)) return functions[k].f;
    return NULL;
}

static sonde_status activation(const rebuild_call *c, double *y, sonde_error *err) {
    double (*f)(double x) = rebuild_activation(c->o->kind);
    SONDE_FAIL_IF(!f, err, SONDE_UNSUPPORTED, "operation %d: activation %s has no reference", c->o->id,
                  c->o->kind ? c->o->kind : "without a name");
    for (int64_t i = 0, n = rebuild_items(&c->o->out); i < n; i++) y[i] = f(c->in[0][i]);
    return SONDE_OK;
}

/* ---- norms ---- */

static double mean_of(const double *x, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    return sum / (double)n;
}

static double spread_of(const double *x, int64_t n, double about, double eps) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (x[i] - about) * (x[i] - about);
    return sqrt(sum / (double)n + eps);
}

static sonde_status layer_scale(const rebuild_call *c, double *y, sonde_error *err) {
    (void)err;
    const int64_t d = cols(&c->o->in[0]);
    for (int64_t r = 0; r < rows(&c->o->in[0]); r++)
        y[r] = spread_of(c->in[0] + r * d, d, mean_of(c->in[0] + r * d, d), rebuild_number(c, "eps", 0));
    return SONDE_OK;
}

static sonde_status rms_scale(const rebuild_call *c, double *y, sonde_error *err) {
    (void)err;
    const int64_t d = cols(&c->o->in[0]);
    for (int64_t r = 0; r < rows(&c->o->in[0]); r++) y[r] = spread_of(c->in[0] + r * d, d, 0, rebuild_number(c, "eps", 0));
    return SONDE_OK;
}

static void normalize(const rebuild_call *c, bool centred, double *y) {
    const int64_t d = cols(&c->o->in[0]);
    for (int64_t r = 0; r < rows(&c->o->in[0]); r++) {
        const double *x = c->in[0] + r * d, mean = centred ? mean_of(x, d) : 0;
        for (int64_t i = 0; i < d; i++) y[r * d + i] = (x[i] - mean) / c->in[1][r];
    }
}

static sonde_status layer_normalize(const rebuild_call *c, double *y, sonde_error *err) {
    (void)err;
    normalize(c, true, y);
    return SONDE_OK;
}

static sonde_status rms_normalize(const rebuild_call *c, double *y, sonde_error *err) {
    (void)err;
    normalize(c, false, y);
    return SONDE_OK;
}

static sonde_status affine(const rebuild_call *c, double *y, sonde_error *err) {
    size_t at;
    float *gain;
    SONDE_TRY(find(c, c->o->weight, &at, err));
    sonde_status s = read_whole(c, c->o->weight, &gain, err);
    const int64_t n = numbers_of(&c->r->weight[at]), all = rebuild_items(&c->o->out);
    for (int64_t i = 0; s == SONDE_OK && i < all; i++) y[i] = c->in[0][i] * (double)gain[i % n];
    free(gain);
    return s == SONDE_OK ? add_bias(c, y, err) : s;
}

/* ---- attention ---- */

/* The angle is a product of two float32 numbers, rounded: that is how models were trained. */
static sonde_status rotate(const rebuild_call *c, double *y, sonde_error *err) {
    const sonde_constant *f = constant(c, "frequency");
    const int64_t e = cols(&c->o->out), per = heads(&c->o->out), half = f ? (int64_t)f->n : 0;
    SONDE_FAIL_IF(!f || 2 * half > e, err, SONDE_UNSUPPORTED, "operation %d: rotate tells no frequencies", c->o->id);
    const bool    pairs = rebuild_number(c, "pairs", 0) != 0;
    const int64_t step = pairs ? 2 : 1, apart = pairs ? 1 : half;
    const double  by = rebuild_number(c, "factor", 1);
    for (int64_t r = 0; r < rows(&c->o->out); r++) {
        const double *x = c->in[0] + r * e;
        double       *to = y + r * e;
        memcpy(to, x, (size_t)e * sizeof *to);
        for (int64_t i = 0; i < half; i++) {
            const double angle = (double)((float)(r / per) * f->list[i]), a = x[step * i], b = x[step * i + apart];
            to[step * i] = by * (a * cos(angle) - b * sin(angle));
            to[step * i + apart] = by * (b * cos(angle) + a * sin(angle));
        }
    }
    return SONDE_OK;
}

/* Press et al., Train Short, Test Long, 2022: 2^(-8 (h + 1) / heads); beyond a power of two every other one of the next. */
static double slope(int64_t h, int64_t of) {
    int64_t power = 1;
    while (2 * power <= of) power *= 2;
    return h < power ? exp2(-8.0 * (double)(h + 1) / (double)power)
                     : exp2(-4.0 * (double)(2 * (h - power) + 1) / (double)power);
}

static double bf16(double x) {
    int exponent;
    const double part = frexp(x, &exponent);            /* in [1/2, 1): 8 binary digits of it stay */
    return ldexp(nearbyint(part * 256) / 256, exponent);
}

/* What the distance of the key adds. */
static double bias_of(const rebuild_call *c, int64_t h, int64_t s) {
    const int64_t of = heads(&c->o->in[0]);
    if (rebuild_number(c, "alibi", 0) > 0) return slope(h, of) * (double)s;
    if (rebuild_number(c, "alibi_scaled", 0) > 0)
        return rebuild_number(c, "scale", 1) * bf16(bf16(slope(h, of)) * (double)s);
    return 0;
}

/* Which keys a row has scores of: as the operation says that makes the scores which c's come from. */
typedef struct { bool causal; int64_t window; } visible;

static visible visible_of(const rebuild_call *c) {
    rebuild_call of = *c;
    while (of.o->n_in && of.o->from[0] >= 0 && strcmp(of.o->operation, "scores") != 0) of.o = &c->r->op[of.o->from[0]].told;
    return (visible){ rebuild_number(&of, "causal", 0) != 0, (int64_t)rebuild_number(&of, "window", 0) };
}

static bool sees(visible v, int64_t t, int64_t s) { return !v.causal || (s <= t && (!v.window || s > t - v.window)); }

static sonde_status scores(const rebuild_call *c, double *y, sonde_error *err) {
    (void)err;
    const sonde_shape *q = &c->o->in[0], *k = &c->o->in[1];
    const int64_t T = positions(q), S = positions(k), H = heads(q), G = heads(k), e = cols(q);
    const visible seen = visible_of(c);
    for (int64_t h = 0; h < H; h++)
        for (int64_t t = 0; t < T; t++)
            for (int64_t s = 0; s < S; s++) {
                const double *a = c->in[0] + (t * H + h) * e, *b = c->in[1] + (s * G + h / (H / G)) * e;
                double sum = 0;
                for (int64_t i = 0; i < e; i++) sum += a[i] * b[i];
                const double more = c->in[2] ? c->in[2][(h * T + t) * S + s] : bias_of(c, h, s);
                y[(h * T + t) * S + s] = sees(seen, t, s) ? rebuild_number(c, "scale", 1) * sum + more : (double)-INFINITY;
            }
    return SONDE_OK;
}

/* A sink is one more score in each row of its head, which nothing is taken from. */
static sonde_status softmax(const rebuild_call *c, double *y, sonde_error *err) {
    const int64_t n = cols(&c->o->out), per = c->o->out.rank == 3 ? c->o->out.dim[1] : 1;
    float *sink;
    SONDE_TRY(read_whole(c, c->o->weight, &sink, err));
    for (int64_t r = 0; r < rows(&c->o->out); r++) {
        const double *x = c->in[0] + r * n;
        double most = sink ? (double)sink[r / per] : (double)-INFINITY, sum = 0;
        for (int64_t s = 0; s < n; s++) most = fmax(most, x[s]);
        if (sink) sum = exp((double)sink[r / per] - most);
        for (int64_t s = 0; s < n; s++) sum += exp(x[s] - most);
        for (int64_t s = 0; s < n; s++) y[r * n + s] = x[s] == (double)-INFINITY ? 0 : exp(x[s] - most) / sum;
    }
    free(sink);
    return SONDE_OK;
}

static sonde_status mix(const rebuild_call *c, double *y, sonde_error *err) {
    (void)err;
    const visible seen = visible_of(c);
    const sonde_shape *p = &c->o->in[0], *v = &c->o->in[1];
    const int64_t H = p->dim[0], T = p->dim[1], S = p->dim[2], G = heads(v), e = cols(v);
    for (int64_t h = 0; h < H; h++)
        for (int64_t t = 0; t < T; t++)
            for (int64_t i = 0; i < e; i++) {
                double sum = 0;
                for (int64_t s = 0; s < S; s++)
                    if (sees(seen, t, s)) sum += c->in[0][(h * T + t) * S + s] * c->in[1][(s * G + h / (H / G)) * e + i];
                y[(t * H + h) * e + i] = sum;
            }
    return SONDE_OK;
}

static const struct { const char *operation; rebuild_fn fn; } references[] = {
    { "lookup", lookup }, { "linear", linear }, { "add", add }, { "multiply", multiply }, { "copy", same },
    { "reorder", same }, { "reshape", same }, { "times", times }, { "shift", shift }, { "clamp", clamp },
    { "soft_cap", soft_cap }, { "largest", rebuild_largest }, { "experts", rebuild_experts },
    { "activation", activation }, { "layer_scale", layer_scale }, { "layer_normalize", layer_normalize },
    { "rms_scale", rms_scale }, { "rms_normalize", rms_normalize }, { "affine", affine }, { "rotate", rotate },
    { "relative_bias", rebuild_relative_bias }, { "scores", scores }, { "softmax", softmax }, { "mix", mix },
};

rebuild_fn rebuild_reference(const char *operation) {
    for (size_t i = 0; i < sizeof references / sizeof *references; i++)
        if (!strcmp(references[i].operation, operation)) return references[i].fn;
    return NULL;
}
