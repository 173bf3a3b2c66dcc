/* Attention: the scores of a block of rows over all keys, softmax, pattern . v, with the same arithmetic whether or
 * not anybody looks. Scores and pattern exist in scratch only, block by block; edits and taps of them act there. */
#include "exec.h"
#include "rel_pos.h"
#include "tensor/attend_rows.h"
#include <math.h>
#include <string.h>

enum { ROWS_AT_ONCE = 32 };

typedef struct {                    /* one block of rows of one segment, and its values */
    const segment *g;
    bool           cross;           /* keys and values are the encoder's */
    int64_t        first, n;        /* positions */
    int64_t        keys;            /* columns of scores and pattern */
    tensor         q, k, v, raw, scores, pattern, z;        /* raw: scores before a soft-cap, where there is one */
    const float   *key_bias, *bias; /* [H, keys], [H, n, keys]; NULL: none */
    attend_part     part;           /* the same, as operations read it */
} attention;

static float scale_of(const exec *x) { return (float)arch_score_scale(x->config, x->block); }

static site_id scores_of(const attention *a) { return a->cross ? SITE_CROSS_SCORES : SITE_SCORES; }
static site_id pattern_of(const attention *a) { return a->cross ? SITE_CROSS_PATTERN : SITE_PATTERN; }

static bool anybody_at(const segment *g, site_id site) { return lane_flags(g->l, g->slot)[site] != 0; }

/* Rows of new keys and values go behind those that the lane has. */
static void keep_keys(const exec *x, const segment *g, const step *s) {
    const arch_config *c = x->config;
    const int64_t      w = c->kv_heads * c->e;
    const size_t       bytes = (size_t)(g->n * w) * sizeof(float);
    const int64_t      at = (g->first - g->l->lent) * w;
    memcpy(g->l->keys[g->slot] + at, x->value[s->in[1]] + g->row * w, bytes);
    memcpy(g->l->values[g->slot] + at, x->value[s->in[2]] + g->row * w, bytes);
}

/* 2^(-8 (h + 1) / heads) for a power of two of heads; those beyond it take every other slope of the next power. */
static float slope_of(int64_t h, int64_t heads) {
    int64_t power = 1;
    while (2 * power <= heads) power *= 2;
    const double of = (double)(h < power ? power : 2 * power), turn = (double)(h < power ? h + 1 : 2 * (h - power) + 1);
    const float  base = (float)exp2(-8 / of);
    return (float)pow((double)base, turn);
}

static float to_bf16(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static sonde_status find_key_bias(exec *x, attention *a, sonde_error *err) {
    const arch_config *c = x->config;
    float *bias;
    if (c->alibi == ALIBI_NONE) return SONDE_OK;
    SONDE_TRY(workspace_take(x->memory, c->heads * a->keys, &bias, err));
    for (int64_t h = 0; h < c->heads; h++) {
        const float slope = slope_of(h, c->heads);
        for (int64_t s = 0; s < a->keys; s++)
            bias[h * a->keys + s] = c->alibi == ALIBI_ADDED ? slope * (float)s
                                                            : scale_of(x) * to_bf16(to_bf16(slope) * (float)s);
    }
    a->key_bias = bias;
    return SONDE_OK;
}

/* Its rows as a segment of the slot in which the stack's relative bias is a site. */
static segment bias_rows(const attention *a) {
    segment rows = *a->g;
    rows.slot = lane_bias_slot(a->g->l);
    rows.first = a->first;
    rows.n = a->n;
    return rows;
}

static bool bias_wanted(const exec *x, const attention *a) {
    const int at = x->config->buckets ? lane_bias_slot(a->g->l) : FRONT;
    return at != FRONT && lane_flags(a->g->l, at)[SITE_REL_POS];
}

/* What distances add to the scores; the same in every layer, so an edit of it holds in all. */
static sonde_status find_bias(exec *x, attention *a, bool quiet, sonde_error *err) {
    const arch_config *c = x->config;
    const weight      *w = c->stack == STACK_ENCODER ? &x->model->encoder_front[W_REL] : &x->model->front[W_REL];
    const int64_t      H = c->heads, far = a->first + a->n > a->keys ? a->first + a->n : a->keys;
    float *table, *bias, *room;
    if (!c->buckets || a->cross) return SONDE_OK;
    SONDE_TRY(workspace_take(x->memory, c->buckets * H, &table, err));
    SONDE_TRY(workspace_take(x->memory, 2 * far, &room, err));
    SONDE_TRY(workspace_take(x->memory, H * a->n * a->keys, &bias, err));
    int32_t *before = (int32_t *)(void *)room, *behind = before + far;
    for (int64_t b = 0; b < c->buckets; b++) kern->widen(table + b * H, &w->matrix, (size_t)b, 0, (size_t)H);
    rel_rows(c, false, far, before);
    rel_rows(c, true, far, behind);
    for (int64_t h = 0; h < H; h++)
        for (int64_t t = 0; t < a->n; t++)
            for (int64_t s = 0; s < a->keys; s++) {
                const int64_t d = s - (a->first + t);
                bias[(h * a->n + t) * a->keys + s] = table[(d > 0 ? behind[d] : before[-d]) * H + h];
            }
    a->bias = bias;
    if (!bias_wanted(x, a)) return SONDE_OK;
    const segment rows = bias_rows(a);
    return lane_mark(&rows, SITE_REL_POS, bias, a->keys, quiet || rows.slot != a->g->slot, err);
}

static int64_t keys_of(const exec *x, const attention *a) {
    const lane *l = a->g->l;
    if (a->cross) return l->source->length;
    const bool whole = anybody_at(a->g, SITE_SCORES) || anybody_at(a->g, SITE_PATTERN) || x->config->bidirectional;
    return whole || bias_wanted(x, a) ? l->length : a->first + a->n;
}

/* Keys and values of this lane, and those that another one lends it. */
static attend_part part_of(const attention *a) {
    const lane   *l = a->g->l, *from = l->lender;
    const int     at = a->g->slot;
    const int64_t lent = a->cross || !from ? 0 : l->lent;
    return (attend_part){ .n = a->n, .keys = a->keys, .lent = lent, .lent_k = lent ? from->keys[at] : NULL,
                          .lent_v = lent ? from->values[at] : NULL, .k = a->k.data, .v = a->v.data };
}

static sonde_status attention_open(exec *x, const step *s, attention *a, sonde_error *err) {
    const arch_config *c = x->config;
    const lane        *l = a->g->l;
    const int64_t      H = c->heads, e = c->e, at = (a->g->row + a->first - a->g->first) * H * e;
    a->cross = s->kind == STEP_CROSS;
    a->keys = keys_of(x, a);
    a->q = (tensor){ .dim = { 1, a->n, H, e }, .data = x->value[s->in[0]] + at };
    a->k = (tensor){ .dim = { 1, a->keys, c->kv_heads, e }, .data = (a->cross ? l->cross_keys : l->keys)[a->g->slot] };
    a->v = (tensor){ .dim = { 1, a->keys, c->kv_heads, e }, .data = (a->cross ? l->cross_values : l->values)[a->g->slot] };
    a->z = (tensor){ .dim = { 1, a->n, H, e }, .data = x->value[s->out] + at };
    a->scores = (tensor){ .dim = { 1, H, a->n, a->keys } };
    a->pattern = a->raw = a->scores;
    a->part = part_of(a);
    SONDE_TRY(find_key_bias(x, a, err));
    SONDE_TRY(workspace_take(x->memory, H * a->n * a->keys, &a->scores.data, err));
    if (c->score_cap > 0) SONDE_TRY(workspace_take(x->memory, H * a->n * a->keys, &a->raw.data, err));
    return workspace_take(x->memory, H * a->n * a->keys, &a->pattern.data, err);
}

typedef enum { CALL_SCORES, CALL_CAP, CALL_SOFTMAX, CALL_MIX } call_kind;

static op_call call_of(const exec *x, attention *a, call_kind kind) {
    const bool capped = x->config->score_cap > 0;
    sight      seen = place_sight(&x->model->config, &a->g->l->plan.run, (place){ a->g->slot, scores_of(a) });
    seen.first = a->first;
    a->part.sight = seen;
    a->part.key_bias = a->key_bias;
    a->part.key_head = a->keys;
    a->part.bias = a->bias;
    a->part.bias_head = a->n * a->keys;
    a->part.bias_row = a->keys;
    op_call c = { .attr = { .attention = { .sight = seen, .scale = scale_of(x), .key_bias = a->key_bias, .bias = a->bias,
                                           .sink = a->cross ? NULL : exec_weight(x, W_SINKS)->vector,
                                           .part = &a->part, .parts = 1 } } };
    switch (kind) {
    case CALL_SCORES:
        c.op = op_table[OP_scores], c.in[0] = &a->q, c.in[1] = &a->k, c.out = capped ? &a->raw : &a->scores;
        break;
    case CALL_CAP:
        c.op = op_table[OP_soft_cap], c.in[0] = &a->raw, c.out = &a->scores;
        c.attr = (op_attr){ .clamp = { (float)x->config->score_cap } };
        break;
    case CALL_SOFTMAX: c.op = op_table[OP_softmax], c.in[0] = &a->scores, c.out = &a->pattern; break;
    case CALL_MIX: c.op = op_table[OP_mix], c.in[0] = &a->pattern, c.in[1] = &a->v, c.out = &a->z; break;
    }
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
    SONDE_TRY(find_bias(x, a, quiet, err));
    SONDE_TRY(call_forward(x, a, CALL_SCORES, err));
    if (x->config->score_cap > 0) SONDE_TRY(call_forward(x, a, CALL_CAP, err));
    if (anybody_at(a->g, scores_of(a))) SONDE_TRY(lane_mark(&rows, scores_of(a), a->scores.data, a->keys, quiet, err));
    SONDE_TRY(call_forward(x, a, CALL_SOFTMAX, err));
    if (anybody_at(a->g, pattern_of(a))) SONDE_TRY(lane_mark(&rows, pattern_of(a), a->pattern.data, a->keys, quiet, err));
    return SONDE_OK;
}

sonde_status attend_forward(exec *x, const step *s, sonde_error *err) {
    for (const segment *g = x->segment; g < x->segment + x->n_segments; g++) {
        if (s->kind == STEP_ATTEND) keep_keys(x, g, s);
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
    const bool cross = s->kind == STEP_CROSS;
    float     *dk = cross ? x->cross_grad[0] : x->part[at][1], *dv = cross ? x->cross_grad[1] : x->part[at][2];
    SONDE_TRY(attention_weights(x, s, &a, true, err));
    const int64_t n = tensor_count(&a.scores);
    SONDE_TRY(workspace_take(x->memory, n, &a.pattern.grad, err));
    SONDE_TRY(workspace_take(x->memory, n, &a.scores.grad, err));
    a.z.grad = x->grad[s->out];
    call_back(x, &a, CALL_MIX, a.pattern.grad, dv);
    SONDE_TRY(lane_mark_back(a.g, pattern_of(&a), a.pattern.grad, a.keys, err));
    call_back(x, &a, CALL_SOFTMAX, a.scores.grad, NULL);
    SONDE_TRY(lane_mark_back(a.g, scores_of(&a), a.scores.grad, a.keys, err));
    if (x->config->score_cap > 0) {
        SONDE_TRY(workspace_take(x->memory, n, &a.raw.grad, err));
        call_back(x, &a, CALL_CAP, a.raw.grad, NULL);
    }
    const float *dscores = x->config->score_cap > 0 ? a.raw.grad : a.scores.grad;
    if (!cross && a.g->l->bias_grad) kern->add(a.g->l->bias_grad, a.g->l->bias_grad, dscores, (size_t)n);
    call_back(x, &a, CALL_SCORES, x->part[at][0], dk);
    workspace_release(x->memory, here);
    return SONDE_OK;
}
