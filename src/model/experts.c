/* Rows are gathered by expert, each expert's products run once over its rows, and what they give is added to the rows
 * they came from. Experts are taken in ascending order, so every row adds up its own in that order too. */
#include "experts.h"
#include <math.h>
#include <string.h>

const kern_weight *expert_weight(const weight *w, int64_t expert) { return &w->expert[expert]; }

const float *expert_bias(const weight *bias, int64_t expert, int64_t outputs) {
    return bias->vector ? bias->vector + expert * outputs : NULL;
}

/* ---- who chose whom ---- */

typedef struct {
    exec         *x;
    const step   *s;
    const weight *w;                /* of the block */
    int64_t       rows, d, f, experts, k;
    int32_t      *chosen;           /* [rows, k], ascending */
    float        *share;            /* [rows, k]: what the expert counts */
    float        *sum;              /* [rows]: what probabilities of the chosen were divided by */
    int32_t      *first;            /* [experts + 1] into `slot` */
    int32_t      *slot;             /* [rows * k]: row * k + place among the chosen, expert by expert, rows ascending */
    sonde_error  *err;
} mixture;

static sonde_status take(const mixture *m, int64_t n, float **out) { return workspace_take(m->x->memory, n, out, m->err); }

static sonde_status take_ints(const mixture *m, int64_t n, int32_t **out) {
    float *room;
    SONDE_TRY(take(m, n, &room));
    *out = (int32_t *)(void *)room;
    return SONDE_OK;
}

static long long position_of(const exec *x, int64_t row) {
    const segment *g = x->segment;
    while (row >= g->row + g->n) g++;
    return (long long)(g->first + row - g->row);
}

/* A row's experts into ascending order. */
static sonde_status sort_row(const mixture *m, int64_t row, const float *from) {
    int32_t    *to = m->chosen + row * m->k;
    const char *site = site_rows[SITE_EXPERT_INDICES].name;
    for (int64_t j = 0; j < m->k; j++) {
        SONDE_FAIL_IF(!(from[j] >= 0 && from[j] < (float)m->experts && from[j] == floorf(from[j])), m->err, SONDE_USAGE,
                      "blocks.%d.%s: position %lld has %g, expected the number of an expert, 0 to %lld", m->x->block, site,
                      position_of(m->x, row), (double)from[j], (long long)m->experts - 1);
        int64_t at = j;
        for (; at > 0 && to[at - 1] > (int32_t)from[j]; at--) to[at] = to[at - 1];
        to[at] = (int32_t)from[j];
        SONDE_FAIL_IF(at > 0 && to[at - 1] == to[at], m->err, SONDE_USAGE,
                      "blocks.%d.%s: position %lld has expert %d twice, expected %lld different ones", m->x->block, site,
                      position_of(m->x, row), (int)to[at], (long long)m->k);
    }
    return SONDE_OK;
}

/* The router's probabilities of the chosen; divided by their sum where the family does so (all 0 stay 0). */
static void find_shares(const mixture *m, int64_t row, const float *probability) {
    float *share = m->share + row * m->k;
    for (int64_t j = 0; j < m->k; j++) share[j] = probability[m->chosen[row * m->k + j]];
    const float sum = m->x->config->renormalise ? kern->sum(share, (size_t)m->k) : 1;
    m->sum[row] = sum;
    for (int64_t j = 0; j < m->k; j++) share[j] = sum > 0 || sum < 0 ? share[j] / sum : sum;
}

static void group_by_expert(const mixture *m) {
    memset(m->first, 0, (size_t)(m->experts + 1) * sizeof *m->first);
    for (int64_t i = 0; i < m->rows * m->k; i++) m->first[m->chosen[i] + 1]++;
    for (int64_t e = 0; e < m->experts; e++) m->first[e + 1] += m->first[e];
    for (int64_t i = 0; i < m->rows * m->k; i++) m->slot[m->first[m->chosen[i]]++] = (int32_t)i;
    for (int64_t e = m->experts; e > 0; e--) m->first[e] = m->first[e - 1];
    m->first[0] = 0;
}

static sonde_status mixture_open(exec *x, const step *s, mixture *m, sonde_error *err) {
    const arch_config *c = x->config;
    *m = (mixture){ .x = x, .s = s, .w = x->model->block[x->block], .rows = x->rows, .d = c->d, .f = c->expert_f,
                    .experts = c->experts, .k = c->chosen, .err = err };
    SONDE_TRY(take_ints(m, m->rows * m->k, &m->chosen));
    SONDE_TRY(take_ints(m, m->rows * m->k, &m->slot));
    SONDE_TRY(take_ints(m, m->experts + 1, &m->first));
    SONDE_TRY(take(m, m->rows * m->k, &m->share));
    SONDE_TRY(take(m, m->rows, &m->sum));
    for (int64_t row = 0; row < m->rows; row++) {
        SONDE_TRY(sort_row(m, row, x->value[s->in[2]] + row * m->k));
        find_shares(m, row, x->value[s->in[1]] + row * m->experts);
    }
    group_by_expert(m);
    return SONDE_OK;
}

/* ---- one expert ---- */

typedef struct {                    /* its rows, and the values on their way through it */
    int64_t        expert, n;
    const int32_t *slot;            /* [n] */
    tensor         read, both, gate, in, act, post, out;
} group;

static group group_of(const mixture *m, int64_t expert) {
    return (group){ .expert = expert, .n = m->first[expert + 1] - m->first[expert], .slot = m->slot + m->first[expert] };
}

static op_call linear(const mixture *m, const group *g, weight_id w, tensor *x, tensor *y) {
    const kern_weight *of = expert_weight(&m->w[w], g->expert);
    return (op_call){ .op = op_table[OP_linear], .in = { x }, .out = y,
                      .attr.linear = { of, expert_bias(&m->w[w + 1], g->expert, (int64_t)of->n) } };
}

static op_call activation(const mixture *m, group *g) {
    return (op_call){ .op = op_table[OP_activation], .in = { &g->gate }, .out = &g->act,
                      .attr.activation = { m->x->config->act } };
}

static op_call join(const mixture *m, group *g) {
    if (!m->x->config->clamped_glu)
        return (op_call){ .op = op_table[OP_multiply], .in = { &g->act, &g->in }, .out = &g->post };
    return (op_call){ .op = op_table[OP_clamped_glu], .in = { &g->gate, &g->in }, .out = &g->post,
                      .attr.clamp = { (float)m->x->config->glu_limit } };
}

static sonde_status take_value(const mixture *m, tensor *t, int64_t n, int64_t cols) {
    *t = (tensor){ .dim = { 1, n, 1, cols } };
    return take(m, n * cols, &t->data);
}

static sonde_status run(const mixture *m, op_call c, int64_t cols) {
    SONDE_TRY(take_value(m, c.out, c.in[0]->dim[1], cols));
    SONDE_TRY(c.op->shape(&c, m->err));
    op_forward(&c, m->x->threads);
    return SONDE_OK;
}

static bool by_turns(const mixture *m) { return m->w[W_X_BOTH].expert != NULL; }

/* One product gives the gate's and the linear branch's numbers by turns. */
static sonde_status branches_by_turns(const mixture *m, group *g) {
    SONDE_TRY(run(m, linear(m, g, W_X_BOTH, &g->read, &g->both), 2 * m->f));
    SONDE_TRY(take_value(m, &g->gate, g->n, m->f));
    SONDE_TRY(take_value(m, &g->in, g->n, m->f));
    for (int64_t i = 0; i < g->n * m->f; i++) {
        g->gate.data[i] = g->both.data[2 * i];
        g->in.data[i] = g->both.data[2 * i + 1];
    }
    return SONDE_OK;
}

/* Its rows, and what it makes of them. */
static sonde_status through(const mixture *m, group *g) {
    const float *from = m->x->value[m->s->in[0]];
    SONDE_TRY(take_value(m, &g->read, g->n, m->d));
    for (int64_t i = 0; i < g->n; i++)
        memcpy(g->read.data + i * m->d, from + g->slot[i] / m->k * m->d, (size_t)m->d * sizeof *from);
    if (by_turns(m)) SONDE_TRY(branches_by_turns(m, g));
    else {
        SONDE_TRY(run(m, linear(m, g, W_X_GATE, &g->read, &g->gate), m->f));
        SONDE_TRY(run(m, linear(m, g, W_X_IN, &g->read, &g->in), m->f));
    }
    if (!m->x->config->clamped_glu) SONDE_TRY(run(m, activation(m, g), m->f));
    SONDE_TRY(run(m, join(m, g), m->f));
    return run(m, linear(m, g, W_X_OUT, &g->post, &g->out), m->d);
}

sonde_status experts_forward(exec *x, const step *s, sonde_error *err) {
    const workspace_mark here = workspace_here(x->memory);
    mixture m;
    SONDE_TRY(mixture_open(x, s, &m, err));
    float *y = memset(x->value[s->out], 0, (size_t)(m.rows * m.d) * sizeof *y);
    for (int64_t e = 0; e < m.experts; e++) {
        const workspace_mark before = workspace_here(x->memory);
        group g = group_of(&m, e);
        if (g.n) SONDE_TRY(through(&m, &g));
        for (int64_t i = 0; i < g.n; i++)
            kern->axpy(y + g.slot[i] / m.k * m.d, m.share[g.slot[i]], g.out.data + i * m.d, (size_t)m.d);
        workspace_release(x->memory, before);
    }
    workspace_release(x->memory, here);
    return SONDE_OK;
}

/* ---- back ---- */

static sonde_status back(const mixture *m, op_call c, int which, float **part) {
    SONDE_TRY(take(m, tensor_count(c.in[which]), part));
    c.part[which] = *part;
    op_backward(&c, which, m->x->threads);
    return SONDE_OK;
}

/* From what it gave to its two branches. */
static sonde_status back_of_unit(const mixture *m, group *g) {
    SONDE_TRY(back(m, linear(m, g, W_X_OUT, &g->post, &g->out), 0, &g->post.grad));
    SONDE_TRY(back(m, join(m, g), 1, &g->in.grad));
    if (m->x->config->clamped_glu) return back(m, join(m, g), 0, &g->gate.grad);
    SONDE_TRY(back(m, join(m, g), 0, &g->act.grad));
    return back(m, activation(m, g), 0, &g->gate.grad);
}

/* From the branches to what it read: the gate's part and the linear branch's. */
static sonde_status back_of_branches(const mixture *m, group *g) {
    float *in;
    if (by_turns(m)) {
        SONDE_TRY(take(m, 2 * g->n * m->f, &g->both.grad));
        for (int64_t i = 0; i < g->n * m->f; i++) {
            g->both.grad[2 * i] = g->gate.grad[i];
            g->both.grad[2 * i + 1] = g->in.grad[i];
        }
        return back(m, linear(m, g, W_X_BOTH, &g->read, &g->both), 0, &g->read.grad);
    }
    SONDE_TRY(back(m, linear(m, g, W_X_GATE, &g->read, &g->gate), 0, &g->read.grad));
    SONDE_TRY(back(m, linear(m, g, W_X_IN, &g->read, &g->in), 0, &in));
    kern->add(g->read.grad, g->read.grad, in, (size_t)(g->n * m->d));
    return SONDE_OK;
}

/* Adds to what the rows read, and finds d metric / d share of this expert's rows. */
static sonde_status back_of_group(const mixture *m, group *g, float *dread, float *dshare) {
    const float *dy = m->x->grad[m->s->out];
    SONDE_TRY(through(m, g));
    SONDE_TRY(take(m, g->n * m->d, &g->out.grad));
    for (int64_t i = 0; i < g->n; i++) {
        const float *of = dy + g->slot[i] / m->k * m->d;
        dshare[g->slot[i]] = kern->dot(of, g->out.data + i * m->d, (size_t)m->d);
        kern->scale(g->out.grad + i * m->d, m->share[g->slot[i]], of, (size_t)m->d);
    }
    SONDE_TRY(back_of_unit(m, g));
    SONDE_TRY(back_of_branches(m, g));
    for (int64_t i = 0; i < g->n; i++) {
        float *to = dread + g->slot[i] / m->k * m->d;
        kern->add(to, to, g->read.grad + i * m->d, (size_t)m->d);
    }
    return SONDE_OK;
}

/* share = p / sum: dp = (dshare - <dshare, share>) / sum. Experts that were not chosen get 0. */
static void back_of_shares(const mixture *m, const float *dshare, float *dprobability) {
    const bool divided = m->x->config->renormalise;
    memset(dprobability, 0, (size_t)(m->rows * m->experts) * sizeof *dprobability);
    for (int64_t i = 0; i < m->rows * m->k; i++) {
        const int64_t row = i / m->k;
        const float   along = divided ? kern->dot(dshare + row * m->k, m->share + row * m->k, (size_t)m->k) : 0;
        const bool    none = !(m->sum[row] > 0 || m->sum[row] < 0);
        dprobability[row * m->experts + m->chosen[i]] = none ? m->sum[row] : (dshare[i] - along) / m->sum[row];
    }
}

sonde_status experts_backward(exec *x, const step *s, int at, sonde_error *err) {
    const workspace_mark here = workspace_here(x->memory);
    mixture m;
    float  *dshare, *dread = x->part[at][0];
    SONDE_TRY(mixture_open(x, s, &m, err));
    SONDE_TRY(take(&m, m.rows * m.k, &dshare));
    memset(dread, 0, (size_t)(m.rows * m.d) * sizeof *dread);
    memset(x->part[at][2], 0, (size_t)(m.rows * m.k) * sizeof *dread);
    for (int64_t e = 0; e < m.experts; e++) {
        const workspace_mark before = workspace_here(x->memory);
        group g = group_of(&m, e);
        if (g.n) SONDE_TRY(back_of_group(&m, &g, dread, dshare));
        workspace_release(x->memory, before);
    }
    back_of_shares(&m, dshare, x->part[at][1]);
    workspace_release(x->memory, here);
    return SONDE_OK;
}

/* ---- what it costs ---- */

op_cost experts_cost(const sonde_model *m, int64_t layer, int64_t n) {
    static const weight_id read[] = { W_X_GATE, W_X_IN, W_X_BOTH, W_X_OUT };
    const arch_config *c = &m->config;
    const double rows = (double)(n * c->chosen), d = (double)c->d, f = (double)c->expert_f;
    const double loaded = rows < (double)c->experts ? rows : (double)c->experts;
    op_cost cost = { .flops = rows * (6 * d * f + 21 * f + 2 * d), .bytes = 4 * rows * (4 * d + 7 * f) };
    for (size_t i = 0; i < sizeof read / sizeof *read; i++)
        if (m->block[layer][read[i]].expert) cost.bytes += loaded * weight_bytes(expert_weight(&m->block[layer][read[i]], 0));
    return cost;
}

int64_t experts_floats(const arch_config *c) { return c->experts + 4 * c->chosen + 3 * c->d + 6 * c->expert_f; }
