/* Attention: all rows of a step that nobody looks into are one operation (attend), whatever lanes they belong to. Where
 * scores, pattern or the relative bias are looked at or edited they stand in memory, block of rows by block of rows, and
 * edits and taps act there: the same arithmetic in four operations. */
#include "exec.h"
#include "rel_pos.h"
#include "tensor/attend_rows.h"
#include <math.h>
#include <string.h>

enum { LEAST_ROWS = 32, MOST_NUMBERS = 1 << 22 };       /* of a block whose scores stand in memory: 16 MiB */

/* What is added to the scores of one step: by distance, dist[h * spread + (s - t) + behind]; by key, [heads, keys]. */
typedef struct { const float *by_distance, *by_key; int64_t spread, behind, keys; } biases;

typedef struct {                    /* one block of rows of one segment, and its values */
    const segment *g;
    bool           cross;           /* keys and values are the encoder's */
    int64_t        first, n;        /* positions */
    attend_part    part;
    tensor         q, k, v, raw, scores, pattern, z;        /* raw: scores before a soft-cap, where there is one */
    float         *bias;            /* [H, n, keys], where somebody looks at it; else NULL */
} attention;

static float scale_of(const exec *x) { return (float)arch_score_scale(x->config, x->block); }

static site_id scores_of(const attention *a) { return a->cross ? SITE_CROSS_SCORES : SITE_SCORES; }
static site_id pattern_of(const attention *a) { return a->cross ? SITE_CROSS_PATTERN : SITE_PATTERN; }

static bool anybody_at(const segment *g, site_id site) { return lane_flags(g->l, g->slot)[site] != 0; }

/* Rows of new keys and values go behind those that the lane has, if they were not made there. */
static void keep_rows(float *to, const float *from, size_t bytes) {
    if (to != from) memcpy(to, from, bytes);
}

static void keep_keys(const exec *x, const segment *g, const step *s) {
    const arch_config *c = x->config;
    const int64_t      w = c->kv_heads * c->e;
    const size_t       bytes = (size_t)(g->n * w) * sizeof(float);
    const int64_t      at = (g->first - g->l->lent) * w;
    keep_rows(g->l->keys[g->slot] + at, x->value[s->in[1]] + g->row * w, bytes);
    keep_rows(g->l->values[g->slot] + at, x->value[s->in[2]] + g->row * w, bytes);
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

static sonde_status find_key_bias(exec *x, int64_t keys, biases *b, sonde_error *err) {
    const arch_config *c = x->config;
    float *bias;
    if (c->alibi == ALIBI_NONE) return SONDE_OK;
    SONDE_TRY(workspace_take(x->memory, c->heads * keys, &bias, err));
    for (int64_t h = 0; h < c->heads; h++) {
        const float slope = slope_of(h, c->heads), scale = scale_of(x), rounded = to_bf16(slope);
        float *const row = bias + h * keys;
        for (int64_t s = 0; s < keys; s++)
            row[s] = c->alibi == ALIBI_ADDED ? slope * (float)s : scale * to_bf16(rounded * (float)s);
    }
    b->by_key = bias;
    b->keys = keys;
    return SONDE_OK;
}

/* What distances add to the scores, for keys up to `behind` before a row and up to `ahead` behind it. */
static sonde_status find_distances(exec *x, int64_t behind, int64_t ahead, biases *b, sonde_error *err) {
    const arch_config *c = x->config;
    const weight      *w = c->stack == STACK_ENCODER ? &x->model->encoder_front[W_REL] : &x->model->front[W_REL];
    const int64_t      H = c->heads;
    float *table, *bias, *room;
    b->behind = behind;
    b->spread = behind + ahead + 1;
    SONDE_TRY(workspace_take(x->memory, H * b->spread, &bias, err));
    SONDE_TRY(workspace_take(x->memory, c->buckets * H, &table, err));
    SONDE_TRY(workspace_take(x->memory, b->spread + 1, &room, err));
    int32_t *back = (int32_t *)(void *)room, *on = back + behind + 1;
    for (int64_t i = 0; i < c->buckets; i++) kern->widen(table + i * H, &w->matrix, (size_t)i, 0, (size_t)H);
    rel_rows(c, false, behind + 1, back);
    rel_rows(c, true, ahead + 1, on);
    for (int64_t h = 0; h < H; h++)
        for (int64_t d = -behind; d <= ahead; d++) bias[h * b->spread + d + behind] = table[(d > 0 ? on[d] : back[-d]) * H + h];
    b->by_distance = bias;
    return SONDE_OK;
}

static int64_t keys_of(const exec *x, const segment *g, bool cross, int64_t until) {
    return cross ? g->l->source->length : x->config->bidirectional ? g->l->length : until;
}

static bool bias_wanted(const exec *x, const segment *g) {
    const int at = x->config->buckets ? lane_bias_slot(g->l) : FRONT;
    return at != FRONT && lane_flags(g->l, at)[SITE_REL_POS];
}

/* Does anybody look into these rows' attention? */
static bool looked_into(const exec *x, const segment *g, bool cross) {
    if (cross) return anybody_at(g, SITE_CROSS_SCORES) || anybody_at(g, SITE_CROSS_PATTERN);
    return anybody_at(g, SITE_SCORES) || anybody_at(g, SITE_PATTERN) || bias_wanted(x, g);
}

/* The biases of all segments of a step: the same in every layer. Tiles read them for keys that only other rows see. */
static sonde_status find_biases(exec *x, bool cross, biases *b, sonde_error *err) {
    int64_t behind = 0, ahead = 0, keys = 0;
    *b = (biases){ 0 };
    for (const segment *g = x->segment; g < x->segment + x->n_segments; g++) {
        const int64_t all = !cross && looked_into(x, g, cross) ? g->l->length : keys_of(x, g, cross, g->first + g->n);
        if (g->first + g->n - 1 > behind) behind = g->first + g->n - 1;
        if (all - 1 - g->first > ahead) ahead = all - 1 - g->first;
        if (all > keys) keys = all;
    }
    SONDE_TRY(find_key_bias(x, keys, b, err));
    return x->config->buckets && !cross ? find_distances(x, behind, ahead, b, err) : SONDE_OK;
}

/* Rows [first, first + n) of a segment, and the keys and values of their lane or of the one that lends them. */
static attend_part part_of(const exec *x, const segment *g, bool cross, const biases *b, span rows) {
    const lane   *l = g->l;
    const int64_t lent = cross || !l->lender ? 0 : l->lent;
    attend_part   p = { .row = g->row + rows.lo, .n = rows.hi - rows.lo, .keys = keys_of(x, g, cross, g->first + rows.hi), .most = l->length,
                        .lent = lent, .lent_k = lent ? l->lender->keys[g->slot] : NULL,
                        .lent_v = lent ? l->lender->values[g->slot] : NULL, .k = (cross ? l->cross_keys : l->keys)[g->slot],
                        .v = (cross ? l->cross_values : l->values)[g->slot], .key_bias = b->by_key, .key_head = b->keys };
    p.sight = place_sight(&x->model->config, &l->plan.run, (place){ g->slot, cross ? SITE_CROSS_SCORES : SITE_SCORES });
    p.sight.first = g->first + rows.lo;
    if (b->by_distance) {
        p.bias = b->by_distance + b->behind - p.sight.first;
        p.bias_head = b->spread;
        p.bias_row = -1;
    }
    return p;
}

static op_attr attend_attr(const exec *x, bool cross, const attend_part *part, int64_t parts) {
    return (op_attr){ .attention = { .sight = part->sight, .scale = scale_of(x),
                                     .sink = cross ? NULL : exec_weight(x, W_SINKS)->vector,
                                     .limit = (float)x->config->score_cap, .part = part, .parts = parts } };
}

/* ---- rows that nobody looks into ---- */

static tensor rows_of(const exec *x, float *data, int64_t first, int64_t n) {
    const arch_config *c = x->config;
    return (tensor){ .dim = { 1, n, c->heads, c->e }, .data = data + first * c->heads * c->e };
}

static sonde_status attend_plain(exec *x, const step *s, const biases *b, sonde_error *err) {
    const bool cross = s->kind == STEP_CROSS;
    float     *room;
    int64_t    parts = 0, keys = 0;
    SONDE_TRY(workspace_take(x->memory, (int64_t)((size_t)x->n_segments * sizeof(attend_part) / sizeof *room) + 1, &room, err));
    attend_part *part = (attend_part *)(void *)room;
    for (const segment *g = x->segment; g < x->segment + x->n_segments; g++) {
        if (looked_into(x, g, cross)) continue;
        part[parts] = part_of(x, g, cross, b, (span){ 0, g->n });
        if (part[parts].keys > keys) keys = part[parts].keys;
        parts++;
    }
    if (!parts) return SONDE_OK;
    tensor  q = rows_of(x, x->value[s->in[0]], 0, x->rows), z = rows_of(x, x->value[s->out], 0, x->rows);
    tensor  k = { .dim = { 1, keys, x->config->kv_heads, x->config->e } }, v = k;
    op_call c = { .op = op_table[OP_attend], .in = { &q, &k, &v }, .out = &z, .attr = attend_attr(x, cross, part, parts) };
    SONDE_TRY(c.op->shape(&c, err));
    op_forward(&c, x->threads);
    return SONDE_OK;
}

/* ---- rows that somebody looks into ---- */

/* Its rows as a segment of the slot in which the stack's relative bias is a site. */
static segment bias_rows(const attention *a) {
    segment rows = *a->g;
    rows.slot = lane_bias_slot(a->g->l);
    rows.first = a->first;
    rows.n = a->n;
    return rows;
}

/* The block's distances in full: an edit of them holds in all layers. */
static sonde_status show_bias(exec *x, attention *a, bool quiet, sonde_error *err) {
    const int64_t H = x->config->heads, S = a->part.keys;
    SONDE_TRY(workspace_take(x->memory, H * a->n * S, &a->bias, err));
    for (int64_t h = 0; h < H; h++)
        for (int64_t t = 0; t < a->n; t++)
            memcpy(a->bias + (h * a->n + t) * S, a->part.bias + h * a->part.bias_head + t * a->part.bias_row,
                   (size_t)S * sizeof(float));
    a->part.bias = a->bias;
    a->part.bias_head = a->n * S;
    a->part.bias_row = S;
    const segment rows = bias_rows(a);
    return lane_mark(&rows, SITE_REL_POS, a->bias, S, quiet || rows.slot != a->g->slot, err);
}

/* `back`: what was scores must stay behind the softmax. */
static sonde_status attention_open(exec *x, const step *s, const biases *b, attention *a, bool back, sonde_error *err) {
    const arch_config *c = x->config;
    const int64_t      H = c->heads, at = a->first - a->g->first;
    a->cross = s->kind == STEP_CROSS;
    a->part = part_of(x, a->g, a->cross, b, (span){ at, at + a->n });
    a->part.row = 0;
    if (!a->cross) a->part.keys = a->g->l->length;      /* sites have all columns */
    const int64_t S = a->part.keys, n = H * a->n * S;
    a->q = rows_of(x, x->value[s->in[0]], a->g->row + at, a->n);
    a->z = rows_of(x, x->value[s->out], a->g->row + at, a->n);
    a->k = (tensor){ .dim = { 1, S, c->kv_heads, c->e }, .data = (float *)(uintptr_t)a->part.k };
    a->v = (tensor){ .dim = { 1, S, c->kv_heads, c->e }, .data = (float *)(uintptr_t)a->part.v };
    a->scores = (tensor){ .dim = { 1, H, a->n, S } };
    SONDE_TRY(workspace_take(x->memory, n, &a->scores.data, err));
    a->pattern = a->raw = a->scores;
    if (!back) return SONDE_OK;
    if (c->score_cap > 0) SONDE_TRY(workspace_take(x->memory, n, &a->raw.data, err));
    return workspace_take(x->memory, n, &a->pattern.data, err);
}

typedef enum { CALL_SCORES, CALL_CAP, CALL_SOFTMAX, CALL_MIX } call_kind;

static op_call call_of(const exec *x, attention *a, call_kind kind) {
    const bool capped = x->config->score_cap > 0;
    op_call    c = { .attr = attend_attr(x, a->cross, &a->part, 1) };
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
static sonde_status attention_weights(exec *x, attention *a, bool quiet, sonde_error *err) {
    segment rows = *a->g;
    rows.first = a->first;
    rows.n = a->n;
    if (!a->cross && bias_wanted(x, a->g)) SONDE_TRY(show_bias(x, a, quiet, err));
    SONDE_TRY(call_forward(x, a, CALL_SCORES, err));
    if (x->config->score_cap > 0) SONDE_TRY(call_forward(x, a, CALL_CAP, err));
    if (anybody_at(a->g, scores_of(a))) SONDE_TRY(lane_mark(&rows, scores_of(a), a->scores.data, a->part.keys, quiet, err));
    SONDE_TRY(call_forward(x, a, CALL_SOFTMAX, err));
    if (!anybody_at(a->g, pattern_of(a))) return SONDE_OK;
    return lane_mark(&rows, pattern_of(a), a->pattern.data, a->part.keys, quiet, err);
}

static sonde_status attend_shown(exec *x, const step *s, const biases *b, const segment *g, sonde_error *err) {
    const int64_t wide = x->config->heads * (s->kind == STEP_CROSS ? g->l->source->length : g->l->length);
    const int64_t most = MOST_NUMBERS / wide > LEAST_ROWS ? MOST_NUMBERS / wide : LEAST_ROWS;
    for (int64_t at = 0; at < g->n; at += most) {
        const workspace_mark here = workspace_here(x->memory);
        attention a = { .g = g, .first = g->first + at, .n = g->n - at < most ? g->n - at : most };
        SONDE_TRY(attention_open(x, s, b, &a, false, err));
        SONDE_TRY(attention_weights(x, &a, x->quiet, err));
        SONDE_TRY(call_forward(x, &a, CALL_MIX, err));
        workspace_release(x->memory, here);
    }
    return SONDE_OK;
}

sonde_status attend_forward(exec *x, const step *s, sonde_error *err) {
    const workspace_mark here = workspace_here(x->memory);
    const bool cross = s->kind == STEP_CROSS;
    biases     b;
    for (const segment *g = x->segment; !cross && g < x->segment + x->n_segments; g++) keep_keys(x, g, s);
    SONDE_TRY(find_biases(x, cross, &b, err));
    SONDE_TRY(attend_plain(x, s, &b, err));
    for (const segment *g = x->segment; g < x->segment + x->n_segments; g++)
        if (looked_into(x, g, cross)) SONDE_TRY(attend_shown(x, s, &b, g, err));
    workspace_release(x->memory, here);
    return SONDE_OK;
}

/* ---- back: one lane's whole sequence ---- */

static void call_back(exec *x, attention *a, call_kind kind, float *part0, float *part1) {
    op_call c = call_of(x, a, kind);
    c.part[0] = part0;
    c.part[1] = part1;
    op_backward(&c, 0, x->threads);
    if (part1) op_backward(&c, 1, x->threads);
}

/* part: where d of queries, keys and values go. */
static sonde_status back_shown(exec *x, const step *s, const biases *b, float *const part[3], sonde_error *err) {
    attention a = { .g = x->segment, .n = x->rows };
    SONDE_TRY(attention_open(x, s, b, &a, true, err));
    SONDE_TRY(attention_weights(x, &a, true, err));
    const int64_t n = tensor_count(&a.scores);
    SONDE_TRY(workspace_take(x->memory, n, &a.pattern.grad, err));
    SONDE_TRY(workspace_take(x->memory, n, &a.scores.grad, err));
    a.z.grad = x->grad[s->out];
    call_back(x, &a, CALL_MIX, a.pattern.grad, part[2]);
    SONDE_TRY(lane_mark_back(a.g, pattern_of(&a), a.pattern.grad, a.part.keys, err));
    call_back(x, &a, CALL_SOFTMAX, a.scores.grad, NULL);
    SONDE_TRY(lane_mark_back(a.g, scores_of(&a), a.scores.grad, a.part.keys, err));
    if (x->config->score_cap > 0) {
        SONDE_TRY(workspace_take(x->memory, n, &a.raw.grad, err));
        call_back(x, &a, CALL_CAP, a.raw.grad, NULL);
    }
    const float *dscores = x->config->score_cap > 0 ? a.raw.grad : a.scores.grad;
    if (!a.cross && a.g->l->bias_grad) kern->add(a.g->l->bias_grad, a.g->l->bias_grad, dscores, (size_t)n);
    call_back(x, &a, CALL_SCORES, part[0], part[1]);
    return SONDE_OK;
}

static sonde_status back_plain(exec *x, const step *s, const biases *b, float *const part[3], sonde_error *err) {
    const segment    *g = x->segment;
    const bool        cross = s->kind == STEP_CROSS;
    const attend_part p = part_of(x, g, cross, b, (span){ 0, g->n });
    tensor  q = rows_of(x, x->value[s->in[0]], 0, x->rows), z = rows_of(x, x->value[s->out], 0, x->rows);
    tensor  k = { .dim = { 1, p.keys, x->config->kv_heads, x->config->e }, .data = (float *)(uintptr_t)p.k }, v = k;
    op_call c = { .op = op_table[OP_attend], .in = { &q, &k, &v }, .out = &z, .attr = attend_attr(x, cross, &p, 1) };
    v.data = (float *)(uintptr_t)p.v;
    z.grad = x->grad[s->out];
    SONDE_TRY(workspace_take(x->memory, 3 * x->config->heads * x->rows, &c.attr.attention.kept, err));
    for (int i = 0; i < 3; i++) {
        c.part[i] = part[i];
        op_backward(&c, i, x->threads);
    }
    return SONDE_OK;
}

sonde_status attend_backward(exec *x, const step *s, int at, sonde_error *err) {
    const workspace_mark here = workspace_here(x->memory);
    const bool cross = s->kind == STEP_CROSS;
    float *const part[3] = { x->part[at][0], cross ? x->cross_grad[0] : x->part[at][1],
                             cross ? x->cross_grad[1] : x->part[at][2] };
    biases b;
    SONDE_TRY(find_biases(x, cross, &b, err));
    const bool squares = looked_into(x, x->segment, cross) || (!cross && x->segment->l->bias_grad);
    SONDE_TRY(squares ? back_shown(x, s, &b, part, err) : back_plain(x, s, &b, part, err));
    workspace_release(x->memory, here);
    return SONDE_OK;
}
