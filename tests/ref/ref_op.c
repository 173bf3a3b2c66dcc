#include "ref_op.h"
#include <math.h>
#include <string.h>

static int64_t count(const ref_tensor *t) { return t->dim[0] * t->dim[1] * t->dim[2] * t->dim[3]; }

static double at4(const ref_tensor *t, int64_t i, int64_t j, int64_t k) {      /* the first axis is 1 */
    return t->data[(i * t->dim[2] + j) * t->dim[3] + k];
}

static void lookup(const ref_call *c) {
    for (int64_t r = 0; r < count(&c->out) / c->k; r++)
        for (int64_t i = 0; i < c->k; i++) c->out.data[r * c->k + i] = c->w[c->ids[r] * c->k + i];
}

static void add(const ref_call *c) {
    for (int64_t i = 0; i < count(&c->out); i++) c->out.data[i] = c->in[0].data[i] + c->in[1].data[i];
}

static double mean_of(const double *x, int64_t d) {
    double s = 0;
    for (int64_t i = 0; i < d; i++) s += x[i];
    return s / (double)d;
}

static void layer_scale(const ref_call *c) {
    const int64_t d = c->in[0].dim[3];
    for (int64_t r = 0; r < count(&c->in[0]) / d; r++) {
        const double *x = c->in[0].data + r * d, m = mean_of(x, d);
        double var = 0;
        for (int64_t i = 0; i < d; i++) var += (x[i] - m) * (x[i] - m);
        c->out.data[r] = sqrt(var / (double)d + c->eps);
    }
}

static void layer_normalize(const ref_call *c) {
    const int64_t d = c->in[0].dim[3];
    for (int64_t r = 0; r < count(&c->in[0]) / d; r++) {
        const double *x = c->in[0].data + r * d, m = mean_of(x, d);
        for (int64_t i = 0; i < d; i++) c->out.data[r * d + i] = (x[i] - m) / c->in[1].data[r];
    }
}

static void rms_scale(const ref_call *c) {
    const int64_t d = c->in[0].dim[3];
    for (int64_t r = 0; r < count(&c->in[0]) / d; r++) {
        double square = 0;
        for (int64_t i = 0; i < d; i++) square += c->in[0].data[r * d + i] * c->in[0].data[r * d + i];
        c->out.data[r] = sqrt(square / (double)d + c->eps);
    }
}

static void rms_normalize(const ref_call *c) {
    const int64_t d = c->in[0].dim[3];
    for (int64_t i = 0; i < count(&c->in[0]); i++) c->out.data[i] = c->in[0].data[i] / c->in[1].data[i / d];
}

static void multiply(const ref_call *c) {
    for (int64_t i = 0; i < count(&c->out); i++) c->out.data[i] = c->in[0].data[i] * c->in[1].data[i];
}

static void clamped_glu(const ref_call *c) {
    for (int64_t i = 0; i < count(&c->out); i++) {
        const double a = fmin(c->in[0].data[i], c->limit), b = fmax(fmin(c->in[1].data[i], c->limit), -c->limit);
        c->out.data[i] = (b + 1) * a / (1 + exp(-1.702 * a));
    }
}

/* Taken out one after the other, the largest first; then put in order. */
static void largest(const ref_call *c) {
    const int64_t n = c->in[0].dim[3], k = c->out.dim[3];
    for (int64_t r = 0; r < count(&c->in[0]) / n; r++) {
        const double *x = c->in[0].data + r * n;
        bool taken[64] = { false };
        for (int64_t j = 0; j < k; j++) {
            int64_t best = -1;
            for (int64_t i = 0; i < n; i++)
                if (!taken[i] && (best < 0 || x[i] > x[best])) best = i;
            taken[best] = true;
        }
        for (int64_t i = 0, j = 0; i < n; i++)
            if (taken[i]) c->out.data[r * k + j++] = (double)i;
    }
}

/* As complex numbers: (a + ib) e^(i angle). */
static void rotate(const ref_call *c) {
    const int64_t H = c->out.dim[2], e = c->out.dim[3], half = c->dims / 2;
    for (int64_t i = 0; i < count(&c->out); i++) c->out.data[i] = c->in[0].data[i];
    for (int64_t row = 0; row < count(&c->out) / e; row++)
        for (int64_t k = 0; k < half; k++) {
            const int64_t re = row * e + (c->pairs ? 2 * k : k), im = row * e + (c->pairs ? 2 * k + 1 : half + k);
            const double  a = c->in[0].data[re], b = c->in[0].data[im], by = c->angle[row / H * half + k];
            c->out.data[re] = a * cos(by) - b * sin(by);
            c->out.data[im] = a * sin(by) + b * cos(by);
        }
}

static void reorder(const ref_call *c) {
    const int64_t e = c->out.dim[3], half = c->dims / 2;
    for (int64_t i = 0; i < count(&c->out); i++) c->out.data[i] = c->in[0].data[i];
    for (int64_t row = 0; row < count(&c->out) / e; row++)
        for (int64_t r = 0; r < half; r++) {
            c->out.data[row * e + r] = c->in[0].data[row * e + 2 * r];
            c->out.data[row * e + half + r] = c->in[0].data[row * e + 2 * r + 1];
        }
}

static void affine(const ref_call *c) {
    const int64_t d = c->in[0].dim[3];
    for (int64_t i = 0; i < count(&c->in[0]); i++)
        c->out.data[i] = c->in[0].data[i] * c->gain[i % d] + (c->bias ? c->bias[i % d] : 0);
}

static void linear(const ref_call *c) {
    for (int64_t r = 0; r < count(&c->in[0]) / c->k; r++)
        for (int64_t j = 0; j < c->n; j++) {
            double s = 0;
            for (int64_t i = 0; i < c->k; i++) s += c->in[0].data[r * c->k + i] * c->w[j * c->k + i];
            c->out.data[r * c->n + j] = s + (c->bias ? c->bias[j] : 0);
        }
}

static void activation(const ref_call *c) {
    for (int64_t i = 0; i < count(&c->in[0]); i++) {
        const double x = c->in[0].data[i];
        double y = x > 0 ? x : 0;
        if (!strcmp(c->act, "gelu_tanh")) y = 0.5 * x * (1 + tanh(sqrt(2 / acos(-1.0)) * (x + 0.044715 * x * x * x)));
        if (!strcmp(c->act, "gelu")) y = 0.5 * x * (1 + erf(x / sqrt(2.0)));
        if (!strcmp(c->act, "silu")) y = x / (1 + exp(-x));
        if (!strcmp(c->act, "tanh")) y = tanh(x);
        if (!strcmp(c->act, "quick_gelu")) y = x / (1 + exp(-1.702 * x));
        c->out.data[i] = y;
    }
}

static bool sees(const ref_call *c, int64_t t, int64_t s) {
    const int64_t at = c->first + t;
    return c->every || (s <= at && (!c->window || at - s < c->window));
}

static void scores(const ref_call *c) {
    const ref_tensor *q = &c->in[0], *k = &c->in[1];
    const int64_t T = q->dim[1], H = q->dim[2], e = q->dim[3], S = k->dim[1], G = k->dim[2];
    for (int64_t h = 0; h < H; h++)
        for (int64_t t = 0; t < T; t++)
            for (int64_t s = 0; s < S; s++) {
                double sum = 0;
                for (int64_t i = 0; i < e; i++) sum += at4(q, t, h, i) * at4(k, s, h / (H / G), i);
                sum *= c->scale;
                if (c->key_bias) sum += c->key_bias[h * S + s];
                if (c->row_bias) sum += c->row_bias[(h * T + t) * S + s];
                c->out.data[(h * T + t) * S + s] = sees(c, t, s) ? sum : -INFINITY;
            }
}

static void softmax(const ref_call *c) {
    const int64_t T = c->in[0].dim[2], S = c->in[0].dim[3];
    for (int64_t r = 0; r < count(&c->in[0]) / S; r++) {
        const double *x = c->in[0].data + r * S;
        double sum = c->sink ? exp(c->sink[r / T]) : 0;
        for (int64_t s = 0; s < S; s++) sum += sees(c, r % T, s) ? exp(x[s]) : 0;
        for (int64_t s = 0; s < S; s++) c->out.data[r * S + s] = sees(c, r % T, s) ? exp(x[s]) / sum : 0;
    }
}

static void mix(const ref_call *c) {
    const ref_tensor *p = &c->in[0], *v = &c->in[1];
    const int64_t H = p->dim[1], T = p->dim[2], e = v->dim[3], G = v->dim[2];
    for (int64_t t = 0; t < T; t++)
        for (int64_t h = 0; h < H; h++)
            for (int64_t i = 0; i < e; i++) {
                double sum = 0;
                for (int64_t s = 0; s < p->dim[3]; s++)
                    if (sees(c, t, s)) sum += at4(p, h, t, s) * at4(v, s, h / (H / G), i);
                c->out.data[(t * H + h) * e + i] = sum;
            }
}

/* A score counts as exp of it; the sink is a key without a value. */
static double weight(const ref_call *c, int64_t t, int64_t h, int64_t s) {
    const ref_tensor *q = &c->in[0], *k = &c->in[1];
    const int64_t T = q->dim[1], S = k->dim[1];
    double sum = 0;
    if (!sees(c, t, s)) return 0;
    for (int64_t i = 0; i < q->dim[3]; i++) sum += at4(q, t, h, i) * at4(k, s, h / (q->dim[2] / k->dim[2]), i);
    sum *= c->scale;
    if (c->key_bias) sum += c->key_bias[h * S + s];
    if (c->row_bias) sum += c->row_bias[(h * T + t) * S + s];
    return exp(c->capped ? c->limit * tanh(sum / c->limit) : sum);
}

static void attend(const ref_call *c) {
    const ref_tensor *q = &c->in[0], *v = &c->in[2];
    const int64_t H = q->dim[2], S = v->dim[1], e = v->dim[3];
    for (int64_t t = 0; t < q->dim[1]; t++)
        for (int64_t h = 0; h < H; h++) {
            double *z = c->out.data + (t * H + h) * e, all = c->sink ? exp(c->sink[h]) : 0;
            for (int64_t i = 0; i < e; i++) z[i] = 0;
            for (int64_t s = 0; s < S; s++) {
                const double w = weight(c, t, h, s);
                all += w;
                for (int64_t i = 0; i < e; i++) z[i] += w * at4(v, s, h / (H / v->dim[2]), i);
            }
            for (int64_t i = 0; i < e; i++) z[i] /= all;
        }
}

static void spread(const ref_call *c) {
    const int64_t H = c->out.dim[2], d = c->out.dim[3];
    for (int64_t i = 0; i < count(&c->out); i++) c->out.data[i] = c->in[0].data[i / (H * d) * d + i % d];
}

static void copy(const ref_call *c) {
    for (int64_t i = 0; i < count(&c->out); i++) c->out.data[i] = c->in[0].data[i];
}

static void times(const ref_call *c) {
    for (int64_t i = 0; i < count(&c->out); i++) c->out.data[i] = c->factor * c->in[0].data[i];
}

static void shift(const ref_call *c) {
    for (int64_t i = 0; i < count(&c->out); i++) c->out.data[i] = c->in[0].data[i] + c->bias[i % c->out.dim[3]];
}

static void clamp(const ref_call *c) {
    for (int64_t i = 0; i < count(&c->out); i++) c->out.data[i] = fmin(fmax(c->in[0].data[i], -c->limit), c->limit);
}

static void soft_cap(const ref_call *c) {
    for (int64_t i = 0; i < count(&c->out); i++) c->out.data[i] = c->limit * tanh(c->in[0].data[i] / c->limit);
}

static void head_linear(const ref_call *c) {
    const int64_t H = c->heads, k = c->in[0].dim[3], n = c->out.dim[3];
    for (int64_t t = 0; t < c->in[0].dim[1]; t++)
        for (int64_t h = 0; h < H; h++)
            for (int64_t j = 0; j < n; j++) {
                double s = 0;
                for (int64_t i = 0; i < k; i++)
                    s += at4(&c->in[0], t, h, i) * (c->by_inputs ? c->w[j * c->k + h * k + i] : c->w[(h * n + j) * c->k + i]);
                c->out.data[(t * H + h) * n + j] = s + (c->bias ? c->bias[h * n + j] : 0);
            }
}

static void choose(const ref_call *c) {
    const int64_t e = c->out.dim[3];
    for (int64_t i = 0; i < count(&c->out); i++) c->out.data[i] = c->in[c->mask[i / e] ? 1 : 0].data[i];
}

static void head_delta(const ref_call *c) {
    const int64_t H = c->in[1].dim[2], d = c->in[1].dim[3];
    for (int64_t t = 0; t < c->in[1].dim[1]; t++)
        for (int64_t i = 0; i < d; i++) {
            double y = c->in[0].data[t * d + i];
            for (int64_t h = 0; h < H; h++)
                if (c->mask[t * H + h]) y += at4(&c->in[1], t, h, i) - at4(&c->in[2], t, h, i);
            c->out.data[t * d + i] = y;
        }
}

bool ref_op(const ref_call *c) {
    static const struct { const char *name; void (*run)(const ref_call *c); } formula[] = {
        { "lookup", lookup }, { "add", add }, { "layer_scale", layer_scale }, { "layer_normalize", layer_normalize },
        { "affine", affine }, { "linear", linear }, { "activation", activation }, { "scores", scores },
        { "softmax", softmax }, { "mix", mix }, { "attend", attend }, { "spread", spread }, { "edited_copy", copy }, { "copy", copy },
        { "head_linear", head_linear }, { "choose", choose }, { "head_delta", head_delta },
        { "rms_scale", rms_scale }, { "rms_normalize", rms_normalize }, { "multiply", multiply }, { "rotate", rotate },
        { "reorder", reorder }, { "reshape", copy }, { "times", times }, { "shift", shift }, { "clamp", clamp },
        { "soft_cap", soft_cap }, { "clamped_glu", clamped_glu }, { "largest", largest },
    };
    for (size_t i = 0; i < sizeof formula / sizeof *formula; i++)
        if (!strcmp(formula[i].name, c->op)) {
            formula[i].run(c);
            return true;
        }
    return false;
}
