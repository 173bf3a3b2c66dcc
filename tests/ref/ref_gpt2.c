/* ref_gpt2.c - the forward pass of GPT-2 (Radford et al. 2019) as transformers computes it:
 *
 *     x = wte[token] + wpe[position]
 *     x = x + c_proj(heads(ln_1(x)));  x = x + proj(act(fc(ln_2(x))))      for every block
 *     logits = lm_head ln_f(x)
 *
 * in double, sums in the order they are written. Weights are [in, out]. */
#include "ref_gpt2.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const float *w, *b;      /* [in, out], [out] */
    int64_t      in, out;
} matrix;

typedef struct {
    const ref_gpt2 *m;
    int64_t         n;       /* tokens */
    ref_hook        hook;
    void           *user;
    char            prefix[48];      /* of the block that runs: "blocks.3." or "blocks.3r1." */
    double         *memory;
    double         *stream, *stream_in, *normed, *added;     /* [t, d] */
    double         *scale, *own;                             /* [t], [d] */
    double         *part[3], *z;                             /* q, k, v; [t, h, e] */
    double         *input[3], *result;                       /* [t, h, d] */
    double         *scores, *pre;                            /* [h, t, s], [t, f] */
} work;

static void show(work *w, const char *name, double *value, const int64_t dims[3]) {
    char full[96];
    if (!w->hook) return;
    snprintf(full, sizeof full, "%s%s", w->prefix, name);
    w->hook(w->user, full, value, dims[2] ? 3 : 2, dims);
}

static void show_rows(work *w, const char *name, double *value, int64_t columns) {
    show(w, name, value, (int64_t[3]){ w->n, columns, 0 });
}

static void row_times(const double *x, matrix a, int64_t first, int64_t count, double *y) {
    for (int64_t j = 0; j < count; j++) {
        double sum = 0;
        for (int64_t i = 0; i < a.in; i++) sum += x[i] * (double)a.w[i * a.out + first + j];
        y[j] = sum + (double)a.b[first + j];
    }
}

static void rows_times(const double *x, int64_t rows, matrix a, double *y) {
    for (int64_t t = 0; t < rows; t++) row_times(x + t * a.in, a, 0, a.out, y + t * a.out);
}

/* centred = x - mean; returns sqrt(mean(centred^2) + eps) */
static double centre_row(const ref_gpt2 *m, const double *x, double *centred) {
    const int64_t d = m->width;
    double mean = 0, square = 0;
    for (int64_t i = 0; i < d; i++) mean += x[i] / (double)d;
    for (int64_t i = 0; i < d; i++) centred[i] = x[i] - mean;
    for (int64_t i = 0; i < d; i++) square += centred[i] * centred[i] / (double)d;
    return sqrt(square + m->eps);
}

static void norm(work *w, const char *name, const double *x, const float *gain, const float *bias) {
    const int64_t n = w->n, d = w->m->width;
    double       *y = w->normed;
    char          site[64];
    for (int64_t t = 0; t < n; t++) w->scale[t] = centre_row(w->m, x + t * d, y + t * d);
    snprintf(site, sizeof site, "%s.hook_scale", name);
    show_rows(w, site, w->scale, 1);
    for (int64_t i = 0; i < n * d; i++) y[i] /= w->scale[i / d];
    snprintf(site, sizeof site, "%s.hook_normalized", name);
    show_rows(w, site, y, d);
    for (int64_t i = 0; i < n * d; i++) y[i] = y[i] * (double)gain[i % d] + (double)bias[i % d];
    snprintf(site, sizeof site, "%s.hook_out", name);
    show_rows(w, site, y, d);
}

/* Each head's own copy of the stream, for q, k, v. */
static void head_inputs(work *w) {
    static const char *const name[3] = { "hook_q_input", "hook_k_input", "hook_v_input" };
    const int64_t n = w->n, d = w->m->width, heads = w->m->heads;
    for (int p = 0; p < 3; p++) {
        for (int64_t r = 0; r < n * heads; r++)
            memcpy(w->input[p] + r * d, w->stream + r / heads * d, (size_t)d * sizeof(double));
        show(w, name[p], w->input[p], (int64_t[3]){ n, heads, d });
    }
}

/* One head's q, k or v from a changed copy of the stream, by a norm of its own. */
static void own_part(work *w, const ref_layer *l, const double *copy, int64_t first, double *out) {
    const int64_t d = w->m->width, e = d / w->m->heads;
    double       *x = w->own;
    const double  scale = centre_row(w->m, copy, x);
    for (int64_t i = 0; i < d; i++)
        x[i] = x[i] / scale * (double)l->ln_1_w[i] + (double)l->ln_1_b[i];
    row_times(x, (matrix){ l->c_attn_w, l->c_attn_b, d, 3 * d }, first, e, out);
}

static void queries_keys_values(work *w, const ref_layer *l) {
    static const char *const name[3] = { "attn.hook_q", "attn.hook_k", "attn.hook_v" };
    const int64_t n = w->n, d = w->m->width, heads = w->m->heads, e = d / heads;
    const matrix  c_attn = { l->c_attn_w, l->c_attn_b, d, 3 * d };
    for (int p = 0; p < 3; p++) {
        for (int64_t r = 0; r < n * heads; r++) {
            const int64_t t = r / heads, first = p * d + r % heads * e;
            const double *copy = w->input[p] + r * d, *stream = w->stream + t * d;
            if (memcmp(copy, stream, (size_t)d * sizeof *copy))
                own_part(w, l, copy, first, w->part[p] + r * e);
            else
                row_times(w->normed + t * d, c_attn, first, e, w->part[p] + r * e);
        }
        show(w, name[p], w->part[p], (int64_t[3]){ n, heads, e });
    }
}

static double score(const work *w, int64_t h, int64_t t, int64_t s, double scaling) {
    const int64_t d = w->m->width, e = d / w->m->heads;
    const double *q = w->part[0] + t * d + h * e, *k = w->part[1] + s * d + h * e;
    double        sum = 0;
    for (int64_t i = 0; i < e; i++) sum += q[i] * k[i];
    return s > t ? (double)-INFINITY : sum * scaling;
}

static void softmax(double *x, int64_t count) {
    double top = x[0], sum = 0;
    for (int64_t i = 1; i < count; i++) top = x[i] > top ? x[i] : top;
    for (int64_t i = 0; i < count; i++) sum += x[i] = exp(x[i] - top);
    for (int64_t i = 0; i < count; i++) x[i] /= sum;
}

static void heads_of(work *w, int layer) {
    const int64_t n = w->n, d = w->m->width, heads = w->m->heads, e = d / heads;
    const double  scaling = 1 / sqrt((double)e) / (w->m->inverse_layer_scale ? layer + 1 : 1);
    for (int64_t i = 0; i < heads * n * n; i++)
        w->scores[i] = score(w, i / (n * n), i / n % n, i % n, scaling);
    show(w, "attn.hook_attn_scores", w->scores, (int64_t[3]){ heads, n, n });
    for (int64_t r = 0; r < heads * n; r++) softmax(w->scores + r * n, n);
    show(w, "attn.hook_pattern", w->scores, (int64_t[3]){ heads, n, n });
    for (int64_t i = 0; i < n * d; i++) {
        const int64_t t = i / d, h = i % d / e;
        w->z[i] = 0;
        for (int64_t s = 0; s <= t; s++)
            w->z[i] += w->scores[(h * n + t) * n + s] * w->part[2][s * d + i % d];
    }
    show(w, "attn.hook_z", w->z, (int64_t[3]){ n, heads, e });
}

/* result[t, h, :] = z[t, h, :] times head h's rows of c_proj; attn_out = b_O + sum_h result */
static void attention(work *w, const ref_layer *l, int layer) {
    const int64_t n = w->n, d = w->m->width, heads = w->m->heads, e = d / heads;
    head_inputs(w);
    norm(w, "ln1", w->stream, l->ln_1_w, l->ln_1_b);
    queries_keys_values(w, l);
    heads_of(w, layer);
    for (int64_t i = 0; i < n * heads * d; i++) {
        const double *z = w->z + i / d * e;
        const float  *rows = l->c_proj_w + i / d % heads * e * d;
        w->result[i] = 0;
        for (int64_t k = 0; k < e; k++) w->result[i] += z[k] * (double)rows[k * d + i % d];
    }
    show(w, "attn.hook_result", w->result, (int64_t[3]){ n, heads, d });
    for (int64_t i = 0; i < n * d; i++) {
        const double *result = w->result + i / d * heads * d;
        w->added[i] = (double)l->c_proj_b[i % d];
        for (int64_t h = 0; h < heads; h++) w->added[i] += result[h * d + i % d];
    }
    show_rows(w, "hook_attn_out", w->added, d);
}

static double activate(ref_activation kind, double x) {
    if (kind == REF_RELU) return x > 0 ? x : 0;
    if (kind == REF_GELU_ERF) return 0.5 * x * (1 + erf(x * 0.70710678118654752440));
    return 0.5 * x * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
}

static void mlp(work *w, const ref_layer *l) {
    const int64_t n = w->n, d = w->m->width, f = w->m->inner;
    memcpy(w->stream_in, w->stream, (size_t)(n * d) * sizeof(double));
    show_rows(w, "hook_mlp_in", w->stream_in, d);
    norm(w, "ln2", w->stream_in, l->ln_2_w, l->ln_2_b);
    rows_times(w->normed, n, (matrix){ l->c_fc_w, l->c_fc_b, d, f }, w->pre);
    show_rows(w, "mlp.hook_pre", w->pre, f);
    for (int64_t i = 0; i < n * f; i++) w->pre[i] = activate(w->m->activation, w->pre[i]);
    show_rows(w, "mlp.hook_post", w->pre, f);
    rows_times(w->pre, n, (matrix){ l->mlp_proj_w, l->mlp_proj_b, f, d }, w->added);
    show_rows(w, "hook_mlp_out", w->added, d);
}

static void block(work *w, int layer, int turn) {
    const ref_layer *l = &w->m->layer[layer];
    const int64_t    d = w->m->width, count = w->n * d;
    snprintf(w->prefix, sizeof w->prefix, turn ? "blocks.%dr%d." : "blocks.%d.", layer, turn);
    show_rows(w, "hook_resid_pre", w->stream, d);
    attention(w, l, layer);
    for (int64_t i = 0; i < count; i++) w->stream[i] += w->added[i];
    show_rows(w, "hook_resid_mid", w->stream, d);
    mlp(w, l);
    for (int64_t i = 0; i < count; i++) w->stream[i] += w->added[i];
    show_rows(w, "hook_resid_post", w->stream, d);
    w->prefix[0] = '\0';
}

static void embed(work *w, const int32_t *tokens) {
    const int64_t n = w->n, d = w->m->width;
    for (int64_t i = 0; i < n * d; i++) {
        w->stream[i] = (double)w->m->wte[tokens[i / d] * d + i % d];
        w->added[i]  = (double)w->m->wpe[i];
    }
    show_rows(w, "hook_embed", w->stream, d);
    show_rows(w, "hook_pos_embed", w->added, d);
    for (int64_t i = 0; i < n * d; i++) w->stream[i] += w->added[i];
}

static void unembed(work *w, double *logits) {
    const int64_t d = w->m->width, v = w->m->vocab;
    const float  *head = w->m->lm_head ? w->m->lm_head : w->m->wte;
    norm(w, "ln_final", w->stream, w->m->ln_f_w, w->m->ln_f_b);
    show_rows(w, "unembed.hook_in", w->normed, d);
    for (int64_t i = 0; i < w->n * v; i++) {
        logits[i] = 0;
        for (int64_t k = 0; k < d; k++)
            logits[i] += w->normed[i / v * d + k] * (double)head[i % v * d + k];
    }
    show_rows(w, "unembed.hook_out", logits, v);
}

static void work_start(work *w) {
    const int64_t n = w->n, d = w->m->width, f = w->m->inner, heads = w->m->heads;
    struct { double **slot; int64_t count; } part[] = {
        { &w->stream, n * d },           { &w->stream_in, n * d },
        { &w->normed, n * d },           { &w->added, n * d },
        { &w->scale, n },                { &w->own, d },
        { &w->part[0], n * d },          { &w->part[1], n * d },
        { &w->part[2], n * d },          { &w->z, n * d },
        { &w->input[0], n * heads * d }, { &w->input[1], n * heads * d },
        { &w->input[2], n * heads * d }, { &w->result, n * heads * d },
        { &w->scores, heads * n * n },   { &w->pre, n * f },
    };
    int64_t total = 0;
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) total += part[i].count;
    double *at = w->memory = calloc((size_t)total, sizeof *at);
    if (!at) abort();
    for (size_t i = 0; i < sizeof part / sizeof *part; at += part[i++].count) *part[i].slot = at;
}

static int layer_at(const ref_gpt2 *m, int i) {
    return m->order ? m->order[i] : i;
}

/* How often the block at place i of the order has run before. */
static int turn_at(const ref_gpt2 *m, int i) {
    int turn = 0;
    for (int before = 0; before < i; before++) turn += layer_at(m, before) == layer_at(m, i);
    return turn;
}

void ref_gpt2_forward(const ref_gpt2 *m, const int32_t *tokens, int64_t n, ref_hook hook,
                      void *user, double *logits) {
    work w = { .m = m, .n = n, .hook = hook, .user = user };
    const int count = m->order ? m->order_count : (int)m->layers;
    work_start(&w);
    embed(&w, tokens);
    for (int i = 0; i < count; i++) block(&w, layer_at(m, i), turn_at(m, i));
    unembed(&w, logits);
    free(w.memory);
}
