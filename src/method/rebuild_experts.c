/* A mixture of experts once more: every row by itself, its chosen experts one behind the other. */
#include "method_rebuild.h"
#include "room.h"
#include <math.h>
#include <stdio.h>

/* The k largest of a row, their numbers ascending; of equals the lower one. */
sonde_status rebuild_largest(const rebuild_call *c, double *y, sonde_error *err) {
    (void)err;
    const int64_t all = c->o->in[0].dim[c->o->in[0].rank - 1], k = c->o->out.dim[c->o->out.rank - 1];
    for (int64_t r = 0; r < rebuild_items(&c->o->out) / k; r++) {
        const double *x = c->in[0] + r * all;
        int64_t       n = 0;
        for (int64_t i = 0; i < all && n < k; i++) {
            int64_t before = 0;
            for (int64_t j = 0; j < all; j++) before += x[j] > x[i] || (x[j] == x[i] && j < i);
            if (before < k) y[r * k + n++] = (double)i;
        }
    }
    return SONDE_OK;
}

enum { GATE, GATE_B, IN, IN_B, BOTH, BOTH_B, OUT, OUT_B, PARTS };
static const char *const names[PARTS] = { "W_gate", "b_gate", "W_in", "b_in", "W_gate_in", "b_gate_in", "W_out", "b_out" };

typedef struct {
    float  *w[PARTS];           /* [x, d, f] [x, f] .. [x, f, d] [x, d]; of both [x, d, 2 f] by turns; NULL: there is none */
    int64_t d, f;
    double  limit;              /* 0: none */
    double (*act)(double x);
    double *post;               /* [f] */
} mixture;

/* Weights stand beside the one that the operation names. */
static sonde_status read_all(const rebuild_call *c, mixture *m, sonde_error *err) {
    const char *end = c->o->weight ? strrchr(c->o->weight, '.') : NULL;
    char name[200];
    SONDE_FAIL_IF(!end, err, SONDE_UNSUPPORTED, "operation %d: experts tell no weight", c->o->id);
    for (int i = 0; i < PARTS; i++) {
        snprintf(name, sizeof name, "%.*s%s", (int)(end + 1 - c->o->weight), c->o->weight, names[i]);
        SONDE_TRY(rebuild_read(c, name, &m->w[i], err));
    }
    return SONDE_OK;
}

/* Neuron j of expert x: its product with W (an item every `step`, `at` the first), and its bias. */
static double neuron(const mixture *m, const double *in, int part, int64_t x, int64_t at, int64_t wide) {
    double sum = m->w[part + 1] ? (double)m->w[part + 1][x * wide + at] : 0;
    for (int64_t i = 0; i < m->d; i++) sum += in[i] * (double)m->w[part][(x * m->d + i) * wide + at];
    return sum;
}

static double joined(const mixture *m, double gate, double linear) {
    if (m->limit <= 0) return m->act(gate) * linear;
    const double a = gate > m->limit ? m->limit : gate, c = rebuild_within(linear, m->limit);
    return a / (1 + exp(-1.702 * a)) * (c + 1);
}

static void add_expert(const mixture *m, const double *in, int64_t x, double share, double *y) {
    const bool both = m->w[BOTH] != NULL;
    for (int64_t j = 0; j < m->f; j++)
        m->post[j] = both ? joined(m, neuron(m, in, BOTH, x, 2 * j, 2 * m->f), neuron(m, in, BOTH, x, 2 * j + 1, 2 * m->f))
                          : joined(m, neuron(m, in, GATE, x, j, m->f), neuron(m, in, IN, x, j, m->f));
    for (int64_t i = 0; i < m->d; i++) {
        double sum = m->w[OUT_B] ? (double)m->w[OUT_B][x * m->d + i] : 0;
        for (int64_t j = 0; j < m->f; j++) sum += m->post[j] * (double)m->w[OUT][(x * m->f + j) * m->d + i];
        y[i] += share * sum;
    }
}

static void add_rows(const rebuild_call *c, const mixture *m, double *y) {
    const int64_t all = c->o->in[1].dim[1], k = c->o->in[2].dim[1];
    const bool    renormalise = rebuild_number(c, "renormalise", 0) != 0;
    for (int64_t r = 0; r < c->o->out.dim[0]; r++) {
        const double *p = c->in[1] + r * all, *chosen = c->in[2] + r * k;
        double sum = 0;
        for (int64_t j = 0; j < k; j++) sum += p[(int64_t)chosen[j]];
        for (int64_t i = 0; i < m->d; i++) y[r * m->d + i] = 0;
        for (int64_t j = 0; j < k; j++)
            add_expert(m, c->in[0] + r * m->d, (int64_t)chosen[j], p[(int64_t)chosen[j]] / (renormalise ? sum : 1), y + r * m->d);
    }
}

sonde_status rebuild_experts(const rebuild_call *c, double *y, sonde_error *err) {
    mixture m = { .d = c->o->out.dim[c->o->out.rank - 1], .limit = rebuild_number(c, "limit", 0),
                  .act = rebuild_activation(c->o->kind) };
    sonde_status s = read_all(c, &m, err);
    const size_t at = rebuild_weight(c->r, c->o->weight);
    if (s == SONDE_OK && (at == SIZE_MAX || !m.w[OUT] || (!m.act && m.limit <= 0)))
        s = sonde_fail(err, SONDE_UNSUPPORTED, "operation %d: experts of another kind", c->o->id);
    if (s == SONDE_OK) {
        m.f = c->r->weight[at].dim[1];
        m.post = ROOM(double, m.f);
        add_rows(c, &m, y);
        free(m.post);
    }
    for (int i = 0; i < PARTS; i++) free(m.w[i]);
    return s;
}
