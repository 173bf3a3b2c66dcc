#include "ref_experts.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct { const ref_experts *m; ref_hook hook; void *user; int64_t n; } pass;

static double *room(int64_t n) {
    double *x = calloc((size_t)n + 1, sizeof *x);
    if (!x) abort();
    return x;
}

static void show(const pass *p, int64_t layer, const char *name, double *value, int64_t width) {
    char site[64];
    snprintf(site, sizeof site, "blocks.%d.%s", (int)layer, name);
    if (p->hook) p->hook(p->user, site, value, 2, (int64_t[]){ p->n, width });
}

static double product(const float *w, const float *bias, int64_t j, const double *x, int64_t k) {
    double sum = bias ? (double)bias[j] : 0;
    for (int64_t i = 0; i < k; i++) sum += (double)w[j * k + i] * x[i];
    return sum;
}

static void normalise(const ref_experts *m, const float *gain, const double *x, double *y) {
    double square = 0;
    for (int64_t i = 0; i < m->d; i++) square += x[i] * x[i];
    for (int64_t i = 0; i < m->d; i++) y[i] = x[i] / sqrt(square / (double)m->d + m->eps) * (double)gain[i];
}

static double unit(const ref_experts *m, bool dense, double gate, double in) {
    if (!m->clamped || dense) return gate / (1 + exp(-gate)) * in;
    gate = fmin(gate, m->limit);
    in = fmax(fmin(in, m->limit), -m->limit);
    return (in + 1) * gate / (1 + exp(-1.702 * gate));
}

/* y += by * expert(x) */
static void add_expert(const ref_experts *m, const ref_expert_layer *l, int64_t e, const double *x, double by, double *y) {
    double *h = room(m->f);
    for (int64_t j = 0; j < m->f; j++)
        h[j] = unit(m, l->dense, product(l->gate, l->gate_b, e * m->f + j, x, m->d), product(l->in, l->in_b, e * m->f + j, x, m->d));
    for (int64_t j = 0; j < m->d; j++) y[j] += by * product(l->out, l->out_b, e * m->d + j, h, m->f);
    free(h);
}

static void route(const ref_experts *m, const ref_expert_layer *l, const double *x, double *p) {
    double sum = 0;
    for (int64_t e = 0; e < m->experts; e++) sum += p[e] = exp(product(l->router, l->router_b, e, x, m->d));
    for (int64_t e = 0; e < m->experts; e++) p[e] /= sum;
}

/* The k largest, one by one; written in ascending order of their numbers. */
static void choose(const ref_experts *m, const double *p, double *chosen) {
    bool taken[64] = { false };
    for (int64_t j = 0; j < m->chosen; j++) {
        int64_t best = -1;
        for (int64_t e = 0; e < m->experts; e++)
            if (!taken[e] && (best < 0 || p[e] > p[best])) best = e;
        taken[best] = true;
    }
    for (int64_t e = 0, j = 0; e < m->experts; e++)
        if (taken[e]) chosen[j++] = (double)e;
}

static void mix(const ref_experts *m, const ref_expert_layer *l, const double *x, const double *p, const double *chosen, double *y) {
    double sum = 0;
    for (int64_t j = 0; j < m->chosen; j++) sum += p[(int64_t)chosen[j]];
    for (int64_t j = 0; j < m->chosen; j++) {
        const int64_t e = (int64_t)chosen[j];
        add_expert(m, l, e, x, m->renormalise ? p[e] / sum : p[e], y);
    }
}

static void run_layer(const pass *at, int64_t layer, double *x) {
    const ref_experts      *m = at->m;
    const ref_expert_layer *l = &m->layer[layer];
    double *read = room(at->n * m->d), *p = room(at->n * m->experts), *chosen = room(at->n * m->chosen), *y = room(at->n * m->d);
    show(at, layer, "hook_resid_pre", x, m->d);
    for (int64_t t = 0; t < at->n; t++) normalise(m, l->norm, x + t * m->d, read + t * m->d);
    for (int64_t t = 0; t < at->n && l->dense; t++) add_expert(m, l, 0, read + t * m->d, 1, y + t * m->d);
    if (!l->dense) {
        for (int64_t t = 0; t < at->n; t++) route(m, l, read + t * m->d, p + t * m->experts);
        show(at, layer, "mlp.hook_expert_weights", p, m->experts);
        for (int64_t t = 0; t < at->n; t++) choose(m, p + t * m->experts, chosen + t * m->chosen);
        show(at, layer, "mlp.hook_expert_indices", chosen, m->chosen);
        for (int64_t t = 0; t < at->n; t++)
            mix(m, l, read + t * m->d, p + t * m->experts, chosen + t * m->chosen, y + t * m->d);
    }
    show(at, layer, "hook_mlp_out", y, m->d);
    for (int64_t i = 0; i < at->n * m->d; i++) x[i] += y[i];
    free(read), free(p), free(chosen), free(y);
}

void ref_experts_forward(const ref_experts *m, const int32_t *tokens, int64_t n, ref_hook hook, void *user, double *logits) {
    const pass p = { m, hook, user, n };
    double *x = room(n * m->d), *last = room(m->d);
    for (int64_t i = 0; i < n * m->d; i++) x[i] = (double)m->embed[tokens[i / m->d] * m->d + i % m->d];
    for (int64_t l = 0; l < m->layers; l++) run_layer(&p, l, x);
    for (int64_t t = 0; t < n; t++) {
        normalise(m, m->norm, x + t * m->d, last);
        for (int64_t v = 0; v < m->vocab; v++) logits[t * m->vocab + v] = product(m->unembed, NULL, v, last, m->d);
    }
    free(x), free(last);
}
