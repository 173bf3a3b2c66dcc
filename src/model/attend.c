/* Attention: the scores of a block of rows over all keys, softmax, pattern . v, with the same arithmetic whether or
 * not anybody looks. Scores and pattern exist in scratch only, block by block; edits and taps of them act there. */
#include "exec.h"
#include <math.h>
#include <string.h>

enum { ROWS_AT_ONCE = 32 };

typedef struct {                    /* one block of rows of one segment, and its values */
    const segment *g;
    int64_t        first, n;        /* positions */
    int64_t        keys;            /* columns of scores and pattern */
    tensor         q, k, v, scores, pattern, z;
} attention;

static float scale_of(const exec *x) {
    const arch_config *c = &x->model->config;
    return (float)(c->scale_by_layer ? c->score_scale / (double)(x->block + 1) : c->score_scale);
}

static bool anybody_at(const segment *g, site_id site) { return lane_flags(g->l, g->slot)[site] != 0; }

/* Rows of new keys and values go behind those that the lane has. */
static void keep_keys(const exec *x, const segment *g, const step *s) {
    const arch_config *c = &x->model->config;
    const int64_t      w = c->kv_heads * c->e;
    const size_t       bytes = (size_t)(g->n * w) * sizeof(float);
    memcpy(g->l->keys[g->slot] + g->first * w, x->value[s->in[1]] + g->row * w, bytes);
    memcpy(g->l->values[g->slot] + g->first * w, x->value[s->in[2]] + g->row * w, bytes);
}

static sonde_status attention_open(exec *x, const step *s, attention *a, sonde_error *err) {
    const arch_config *c = &x->model->config;
    const int64_t      H = c->heads, e = c->e, at = (a->g->row + a->first - a->g->first) * H * e;
    const bool         whole = anybody_at(a->g, SITE_SCORES) || anybody_at(a->g, SITE_PATTERN);
    a->keys = whole ? a->g->l->length : a->first + a->n;
    a->q = (tensor){ .dim = { 1, a->n, H, e }, .data = x->value[s->in[0]] + at };
    a->k = (tensor){ .dim = { 1, a->keys, c->kv_heads, e }, .data = a->g->l->keys[a->g->slot] };
    a->v = (tensor){ .dim = { 1, a->keys, c->kv_heads, e }, .data = a->g->l->values[a->g->slot] };
    a->z = (tensor){ .dim = { 1, a->n, H, e }, .data = x->value[s->out] + at };
    a->scores = (tensor){ .dim = { 1, H, a->n, a->keys } };
    a->pattern = a->scores;
    SONDE_TRY(workspace_take(x->memory, H * a->n * a->keys, &a->scores.data, err));
    return workspace_take(x->memory, H * a->n * a->keys, &a->pattern.data, err);
}

typedef enum { CALL_SCORES, CALL_SOFTMAX, CALL_MIX } call_kind;

static op_call call_of(const exec *x, attention *a, call_kind kind) {
    op_call c = { .attr = { .attention = { a->first, scale_of(x) } } };
    if (kind == CALL_SCORES) c.op = op_table[OP_scores], c.in[0] = &a->q, c.in[1] = &a->k, c.out = &a->scores;
    if (kind == CALL_SOFTMAX) c.op = op_table[OP_softmax], c.in[0] = &a->scores, c.out = &a->pattern;
    if (kind == CALL_MIX) c.op = op_table[OP_mix], c.in[0] = &a->pattern, c.in[1] = &a->v, c.out = &a->z;
    return c;
}

static sonde_status call_forward(exec *x, attention *a, call_kind kind, sonde_error *err) {
    op_call c = call_of(x, a, kind);
    SONDE_TRY(c.op->shape(&c, err));
    op_forward(&c, x->threads);
    return SONDE_OK;
}

/* Scores and pattern, as they are after their edits. */
static sonde_status attention_weights(exec *x, const step *s, attention *a, bool quiet, sonde_error *err) {
    SONDE_TRY(attention_open(x, s, a, err));
    segment rows = *a->g;
    rows.first = a->first;
    rows.n = a->n;
    SONDE_TRY(call_forward(x, a, CALL_SCORES, err));
    if (anybody_at(a->g, SITE_SCORES)) SONDE_TRY(lane_mark(&rows, SITE_SCORES, a->scores.data, a->keys, quiet, err));
    SONDE_TRY(call_forward(x, a, CALL_SOFTMAX, err));
    if (anybody_at(a->g, SITE_PATTERN)) SONDE_TRY(lane_mark(&rows, SITE_PATTERN, a->pattern.data, a->keys, quiet, err));
    return SONDE_OK;
}

sonde_status attend_forward(exec *x, const step *s, sonde_error *err) {
    for (const segment *g = x->segment; g < x->segment + x->n_segments; g++) {
        keep_keys(x, g, s);
        for (int64_t at = 0; at < g->n; at += ROWS_AT_ONCE) {
            const workspace_mark here = workspace_here(x->memory);
            attention a = { .g = g, .first = g->first + at, .n = g->n - at < ROWS_AT_ONCE ? g->n - at : ROWS_AT_ONCE };
            SONDE_TRY(attention_weights(x, s, &a, x->quiet, err));
            SONDE_TRY(call_forward(x, &a, CALL_MIX, err));
            workspace_release(x->memory, here);
        }
    }
    return SONDE_OK;
}

static void call_back(exec *x, attention *a, call_kind kind, float *part0, float *part1) {
    op_call c = call_of(x, a, kind);
    c.part[0] = part0;
    c.part[1] = part1;
    op_backward(&c, 0, x->threads);
    if (part1) op_backward(&c, 1, x->threads);
}

/* One lane's whole sequence as one block of rows: sums over queries are then cut by nothing. */
sonde_status attend_backward(exec *x, const step *s, int at, sonde_error *err) {
    const workspace_mark here = workspace_here(x->memory);
    attention a = { .g = x->segment, .first = 0, .n = x->rows };
    SONDE_TRY(attention_weights(x, s, &a, true, err));
    const int64_t n = tensor_count(&a.scores);
    SONDE_TRY(workspace_take(x->memory, n, &a.pattern.grad, err));
    SONDE_TRY(workspace_take(x->memory, n, &a.scores.grad, err));
    a.z.grad = x->grad[s->out];
    call_back(x, &a, CALL_MIX, a.pattern.grad, x->part[at][2]);
    SONDE_TRY(lane_mark_back(a.g, SITE_PATTERN, a.pattern.grad, a.keys, err));
    call_back(x, &a, CALL_SOFTMAX, a.scores.grad, NULL);
    SONDE_TRY(lane_mark_back(a.g, SITE_SCORES, a.scores.grad, a.keys, err));
    call_back(x, &a, CALL_SCORES, x->part[at][0], x->part[at][1]);
    workspace_release(x->memory, here);
    return SONDE_OK;
}
