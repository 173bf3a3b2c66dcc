/* One decoder for every family: reads the architecture's description and writes the program of a stage.
 * A block is up to three parts; each reads the stream through its norm and adds to it. Where heads of a part are
 * to be edited one by one (hook_q_input and the like) they get a norm and a product of their own beside the common one. */
#include "program.h"
#include <assert.h>

typedef struct { program *p; const arch_config *c; } builder;

static int value_new(builder *b, int64_t heads, int64_t cols) {
    assert(b->p->n_values < MOST_VALUES);
    b->p->value[b->p->n_values] = (value_shape){ heads, cols };
    return b->p->n_values++;
}

static step *step_new(builder *b, step s) {
    assert(b->p->n_steps < MOST_STEPS);
    b->p->step[b->p->n_steps] = s;
    return &b->p->step[b->p->n_steps++];
}

static int mark(builder *b, site_id site, int v) {
    step_new(b, (step){ .kind = STEP_MARK, .site = site, .out = v });
    return v;
}

static int apply1(builder *b, int id, int x, value_shape out, step s) {
    s.kind = STEP_OP;
    s.op = id;
    s.in[0] = x;
    s.out = value_new(b, out.heads, out.cols);
    return step_new(b, s)->out;
}

static int apply2(builder *b, int id, int x, int y, step s) {
    s.in[1] = y;
    return apply1(b, id, x, b->p->value[x], s);
}

static int linear(builder *b, weight_id w, weight_id bias, int x, value_shape out) {
    return apply1(b, OP_linear, x, out, (step){ .w = w, .b = bias });
}

static const site_id UNMARKED = SITE_COUNT;

/* A norm is three operations, so that its scale and its normalised value are values that edits reach. */
static int norm_at(builder *b, norm_row at, int x) {
    const value_shape s = b->p->value[x];
    const bool rms = b->c->arch->norm == NORM_RMS;
    const int scale = apply1(b, rms ? OP_rms_scale : OP_layer_scale, x, (value_shape){ s.heads, 1 }, (step){ 0 });
    if (at.scale != UNMARKED) mark(b, at.scale, scale);
    int y = apply2(b, rms ? OP_rms_normalize : OP_layer_normalize, x, scale, (step){ 0 });
    if (at.normalized != UNMARKED) mark(b, at.normalized, y);
    if (b->c->norm_weights) y = apply1(b, OP_affine, y, s, (step){ .w = at.weight, .b = (weight_id)(at.weight + 1) });
    return at.out != UNMARKED && site_exists(b->c, at.out) ? mark(b, at.out, y) : y;
}

static int norm(builder *b, norm_place n, int x) { return n ? norm_at(b, norm_rows[n], x) : x; }

/* The same for copies that are no sites. */
static int quiet_norm(builder *b, norm_place n, int x) {
    return n ? norm_at(b, (norm_row){ norm_rows[n].weight, UNMARKED, UNMARKED, UNMARKED }, x) : x;
}

/* Where `site` (a copy of the stream x for every head) is wanted: heads that were edited take a product of their own. */
typedef struct { bool wanted; site_id site; norm_place norm; weight_id w, b; bool in_pairs; } split_spec;

static int split_heads(builder *b, split_spec s, int x, int common) {
    if (!s.wanted) return common;
    const value_shape out = b->p->value[common];
    const int copies = apply1(b, OP_spread, x, (value_shape){ out.heads, b->p->value[x].cols }, (step){ .site = s.site });
    mark(b, s.site, copies);
    const int read = quiet_norm(b, s.norm, copies);
    int own = apply1(b, OP_head_linear, read, out, (step){ .w = s.w, .b = s.b, .split = HEAD_OUTPUTS });
    if (s.in_pairs) own = apply1(b, OP_reorder, own, out, (step){ 0 });
    return apply2(b, OP_choose, common, own, (step){ .site = s.site });
}

/* Queries and keys that have a norm are cut off behind it. */
static int clipped(builder *b, int x) {
    return b->c->clip_qkv > 0 ? apply1(b, OP_clamp, x, b->p->value[x], (step){ .factor = b->c->clip_qkv }) : x;
}

/* Queries, keys or values: the product of the norm's output, or of each head's own input. */
static int heads_of(builder *b, split_spec s, value_shape shape, int read, int x) {
    int y = linear(b, s.w, s.b, read, shape);
    if (s.in_pairs) y = apply1(b, OP_reorder, y, shape, (step){ 0 });
    y = split_heads(b, s, x, y);
    return b->c->qk_norm && s.w != W_V ? y : clipped(b, y);
}

static int reshaped(builder *b, int x, value_shape s) {
    const value_shape was = b->p->value[x];
    return was.heads == s.heads && was.cols == s.cols ? x : apply1(b, OP_reshape, x, s, (step){ 0 });
}

/* The norm of queries or keys: over each head, with one weight for all or one a head, or over all heads together. */
static int head_norm(builder *b, weight_id w, site_id site, int x) {
    const qk_norm     kind = b->c->qk_norm;
    const value_shape heads = b->p->value[x], whole = { 1, heads.heads * heads.cols };
    const bool        rms = b->c->arch->norm == NORM_RMS;
    if (kind == QK_NONE) return x;
    const int read = kind == QK_WHOLE ? reshaped(b, x, whole) : x;
    const int scale = apply1(b, rms ? OP_rms_scale : OP_layer_scale, read, (value_shape){ b->p->value[read].heads, 1 },
                             (step){ 0 });
    int y = apply2(b, rms ? OP_rms_normalize : OP_layer_normalize, read, scale, (step){ 0 });
    y = mark(b, site, reshaped(b, y, heads));
    if (kind != QK_HEAD) y = reshaped(b, y, whole);
    y = apply1(b, OP_affine, y, b->p->value[y], (step){ .w = w, .b = (weight_id)(w + 1) });
    return clipped(b, reshaped(b, y, heads));
}

static int rotated(builder *b, site_id site, int x) {
    return b->c->rope.dims ? mark(b, site, apply1(b, OP_rotate, x, b->p->value[x], (step){ 0 })) : x;
}

/* z times its rows of W_O, head by head, where somebody wants to see or change that: what changed is added to y. */
static int with_results(builder *b, weight_id w, site_id site, int z, int y) {
    const value_shape each = { b->p->value[z].heads, b->c->d };
    const int was = apply1(b, OP_head_linear, z, each, (step){ .w = w, .split = HEAD_INPUTS });
    const int now = mark(b, site, apply1(b, OP_edited_copy, was, each, (step){ .site = site }));
    return apply2(b, OP_head_delta, y, now, (step){ .site = site, .in = { 0, 0, was } });
}

static split_spec split_of(const builder *b, const part_spec *part, weight_id w) {
    const program_key *k = &b->p->key;
    const bool         pairs = b->c->qk_pairs;
    return w == W_Q   ? (split_spec){ k->split_q, SITE_Q_INPUT, part->before, W_Q, B_Q, pairs }
           : w == W_K ? (split_spec){ k->split_k, SITE_K_INPUT, part->before, W_K, B_K, pairs }
                      : (split_spec){ k->split_v, SITE_V_INPUT, part->before, W_V, B_V, false };
}

static int attention(builder *b, const part_spec *part, int x) {
    const arch_config *c = b->c;
    const value_shape  qs = { c->heads, c->e }, ks = { c->kv_heads, c->e };
    const int read = norm(b, part->before, x);
    const int q = mark(b, SITE_Q, heads_of(b, split_of(b, part, W_Q), qs, read, x));
    const int key = mark(b, SITE_K, heads_of(b, split_of(b, part, W_K), ks, read, x));
    const int v = mark(b, SITE_V, heads_of(b, split_of(b, part, W_V), ks, read, x));
    const int turned_q = rotated(b, SITE_ROT_Q, head_norm(b, W_QN, SITE_Q_NORM, q));
    const int turned_k = rotated(b, SITE_ROT_K, head_norm(b, W_KN, SITE_K_NORM, key));
    const int z = value_new(b, c->heads, c->e);
    step_new(b, (step){ .kind = STEP_ATTEND, .out = z, .in = { turned_q, turned_k, v } });
    mark(b, SITE_Z, z);
    const int y = linear(b, W_O, B_O, z, (value_shape){ 1, c->d });
    return b->p->key.result ? with_results(b, W_O, SITE_RESULT, z, y) : y;
}

/* The same as far as keys and values: attention is the first that reads the stream. */
static void keys(builder *b, int x) {
    const part_spec  *part = arch_part(b->c, PART_SELF);
    const value_shape ks = { b->c->kv_heads, b->c->e };
    const int in = mark(b, SITE_RESID_PRE, x), read = norm(b, part->before, in);
    const int key = mark(b, SITE_K, heads_of(b, split_of(b, part, W_K), ks, read, in));
    b->p->also = mark(b, SITE_V, heads_of(b, split_of(b, part, W_V), ks, read, in));
    b->p->out = rotated(b, SITE_ROT_K, head_norm(b, W_KN, SITE_K_NORM, key));
}

/* Keys and values are those that the lane has of its encoder. */
static int cross_attention(builder *b, const part_spec *part, int x) {
    const arch_config *c = b->c;
    const int read = norm(b, part->before, x);
    const int q = mark(b, SITE_CROSS_Q, linear(b, W_CQ, B_CQ, read, (value_shape){ c->heads, c->e }));
    const int z = value_new(b, c->heads, c->e);
    step_new(b, (step){ .kind = STEP_CROSS, .out = z, .in = { q } });
    mark(b, SITE_CROSS_Z, z);
    const int y = linear(b, W_CO, B_CO, z, (value_shape){ 1, c->d });
    return b->p->key.cross_result ? with_results(b, W_CO, SITE_CROSS_RESULT, z, y) : y;
}

static int mlp(builder *b, const part_spec *part, int x) {
    const arch_config *c = b->c;
    const value_shape  wide = { 1, c->f };
    const int  read = norm(b, part->before, x);
    const bool gated = arch_has(c, W_GATE);
    const int pre = mark(b, SITE_MLP_PRE, linear(b, gated ? W_GATE : W_IN, gated ? B_GATE : B_IN, read, wide));
    int post = apply1(b, OP_activation, pre, wide, (step){ .act = c->act });
    if (gated)
        post = apply2(b, OP_multiply, post, mark(b, SITE_MLP_PRE_LINEAR, linear(b, W_IN, B_IN, read, wide)), (step){ 0 });
    mark(b, SITE_MLP_POST, post);
    return linear(b, W_OUT, B_OUT, post, (value_shape){ 1, c->d });
}

/* The router's probabilities, the choice, and the experts that were chosen. */
static int experts(builder *b, const part_spec *part, int x) {
    const arch_config *c = b->c;
    const value_shape  all = { 1, c->experts };
    const int read = norm(b, part->before, x);
    const int routed = linear(b, W_ROUTER, B_ROUTER, read, all);
    const int weights = mark(b, SITE_EXPERT_WEIGHTS, apply1(b, OP_softmax, routed, all, (step){ 0 }));
    const int chosen = mark(b, SITE_EXPERT_INDICES, apply1(b, OP_largest, weights, (value_shape){ 1, c->chosen }, (step){ 0 }));
    const int y = value_new(b, 1, c->d);
    step_new(b, (step){ .kind = STEP_EXPERTS, .out = y, .in = { read, weights, chosen } });
    return y;
}

/* ---- blocks ---- */

static bool left_out(const program_key *k, part_kind kind) {
    return kind == PART_SELF ? k->no_attn : kind == PART_CROSS ? k->no_cross : k->no_mlp;
}

/* The stream as the MLP reads it, as a site of its own. */
static int mlp_input(builder *b, int x) {
    if (!b->p->key.mlp_in) return x;
    return mark(b, SITE_MLP_IN, apply1(b, OP_copy, x, b->p->value[x], (step){ 0 }));
}

/* What a part adds to the stream. */
static int run_part(builder *b, const part_spec *p, int x) {
    static const site_id out[] = { [PART_SELF] = SITE_ATTN_OUT, [PART_CROSS] = SITE_CROSS_OUT, [PART_MLP] = SITE_MLP_OUT };
    int y = NO_VALUE;
    switch (p->kind) {
    case PART_SELF: y = attention(b, p, x); break;
    case PART_MLP:  y = b->p->key.sparse ? experts(b, p, x) : mlp(b, p, x); break;
    case PART_CROSS: y = cross_attention(b, p, x); break;
    case PART_NONE: assert(false); break;
    }
    return mark(b, out[p->kind], norm(b, p->after, y));
}

/* The stream between the parts: behind the sum of this one, in front of the next. */
static void mark_middle(builder *b, const part_spec *p, int x) {
    if (p + 1 == b->c->block.part + 3 || p[1].kind == PART_NONE) mark(b, SITE_RESID_POST, x);
    else if (!b->c->block.parallel) mark(b, p->kind == PART_SELF ? SITE_RESID_MID : SITE_RESID_MID_CROSS, x);
}

/* Each part reads the stream (or the block's input, if parallel) and adds to it. A part that is left out leaves its norms
 * out too: the stream passes as it is. */
static int block(builder *b, int x) {
    const block_spec *s = &b->c->block;
    const int         in = mark(b, SITE_RESID_PRE, x);
    bool              copied = false;
    for (const part_spec *p = s->part; p < s->part + 3 && p->kind; p++) {
        const bool gone = left_out(&b->p->key, p->kind), before_mlp = p + 1 < s->part + 3 && p[1].kind == PART_MLP;
        int read = s->parallel ? in : x;
        if (p->kind == PART_MLP && !gone && !copied) read = mlp_input(b, read);
        if (!gone) x = apply2(b, OP_add, x, run_part(b, p, read), (step){ 0 });
        mark_middle(b, p, x);
        if (!p->after_sum || gone) continue;
        if (before_mlp && !left_out(&b->p->key, PART_MLP)) {    /* the norm is the first that reads it */
            x = mlp_input(b, x);
            copied = true;
        }
        x = norm(b, p->after_sum, x);
    }
    return site_exists(b->c, SITE_RESID_NORM) ? mark(b, SITE_RESID_NORM, x) : x;
}

/* ---- before and behind the blocks ---- */

static int front(builder *b) {
    const arch_config *c = b->c;
    const value_shape  d = { 1, c->d };
    int x = apply1(b, OP_lookup, NO_VALUE, (value_shape){ 1, c->width }, (step){ .w = W_EMBED });
    if (c->embed_scale != 1) x = apply1(b, OP_times, x, b->p->value[x], (step){ .factor = c->embed_scale });
    if (arch_has(c, W_PROJ_IN)) x = linear(b, W_PROJ_IN, W_NONE, x, d);
    mark(b, SITE_EMBED, x);
    static const struct { weight_id w; site_id site; } tables[] = { { W_TYPE, SITE_TYPE_EMBED }, { W_POS, SITE_POS_EMBED } };
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        if (!arch_has(c, tables[i].w)) continue;
        const int t = mark(b, tables[i].site, apply1(b, OP_lookup, NO_VALUE, d, (step){ .w = tables[i].w }));
        x = apply2(b, OP_add, x, t, (step){ 0 });
    }
    if (norm_exists(c, NORM_EMBED)) x = norm(b, NORM_EMBED, x);
    return site_exists(c, SITE_FULL_EMBED) ? mark(b, SITE_FULL_EMBED, x) : x;
}

static int answer(builder *b, int x) {
    const arch_config *c = b->c;
    int y = mark(b, SITE_UNEMBED_OUT, linear(b, W_UNEMBED, c->logit_bias ? W_NONE : B_UNEMBED, x, (value_shape){ 1, c->vocab }));
    if (c->logit_bias) y = apply1(b, OP_shift, y, b->p->value[y], (step){ .b = B_UNEMBED });
    if (c->logit_cap > 0) y = apply1(b, OP_soft_cap, y, b->p->value[y], (step){ .factor = c->logit_cap });
    return arch_changes_logits(c) ? mark(b, SITE_LOGITS, y) : y;
}

/* Rows of the stream to rows of logits; of a model without such a head, to the stream behind its last norm. */
static int back(builder *b, int x) {
    const arch_config *c = b->c;
    if (c->final_norm) x = norm(b, NORM_FINAL, x);
    if (c->head & HEAD_QA) return mark(b, SITE_QA_OUT, linear(b, W_QA, B_QA, x, (value_shape){ 1, 2 }));
    if (!(c->head & (HEAD_LM | HEAD_MLM))) return x;
    if (c->head & HEAD_MLM) {
        x = linear(b, W_MLM, B_MLM, x, (value_shape){ 1, c->d });
        x = norm(b, NORM_MLM, apply1(b, OP_activation, x, b->p->value[x], (step){ .act = c->mlm_act }));
    }
    if (c->logit_scale != 1) x = apply1(b, OP_times, x, b->p->value[x], (step){ .factor = c->logit_scale });
    if (arch_has(c, W_PROJ_OUT)) x = linear(b, W_PROJ_OUT, W_NONE, x, (value_shape){ 1, c->width });
    mark(b, SITE_UNEMBED_IN, x);
    return b->p->key.no_answer ? x : answer(b, x);
}

/* Row 0 of the stream to what is said of the whole text. The classifier's logits are the program's answer, if it has them. */
static int pool(builder *b, int x) {
    const arch_config *c = b->c;
    const value_shape  d = { 1, c->d };
    int pooled = x, y = x;
    if (c->head & HEAD_POOLER) {
        pooled = linear(b, W_POOL, B_POOL, x, d);
        pooled = y = mark(b, SITE_POOLER_OUT, apply1(b, OP_activation, pooled, d, (step){ .act = ACT_TANH }));
    }
    if (c->head & HEAD_NSP) y = mark(b, SITE_NSP_OUT, linear(b, W_NSP, B_NSP, pooled, (value_shape){ 1, 2 }));
    if (!(c->head & HEAD_CLASS)) return y;
    int read = c->class_pooled ? pooled : x;
    if (arch_has(c, W_CLASS_IN)) {
        read = linear(b, W_CLASS_IN, B_CLASS_IN, read, d);
        read = apply1(b, OP_activation, read, d, (step){ .act = c->class_act });
    }
    mark(b, SITE_CLASS_IN, read);
    return mark(b, SITE_CLASS_OUT, linear(b, W_CLASS, B_CLASS, read, (value_shape){ 1, c->labels }));
}

/* The encoder's output to keys and values of one block. */
static void cross(builder *b, int x) {
    const value_shape s = { b->c->kv_heads, b->c->e };
    b->p->out = mark(b, SITE_CROSS_K, linear(b, W_CK, B_CK, x, s));
    b->p->also = mark(b, SITE_CROSS_V, linear(b, W_CV, B_CV, x, s));
}

void program_compile(program *p, const arch_config *c, program_key key) {
    *p = (program){ .key = key, .in = NO_VALUE, .also = NO_VALUE };
    builder b = { p, c };
    if (key.stage != STAGE_FRONT) p->in = value_new(&b, 1, c->d);
    switch (key.stage) {
    case STAGE_FRONT: p->out = front(&b); break;
    case STAGE_BLOCK: p->out = block(&b, p->in); break;
    case STAGE_BACK:  p->out = back(&b, p->in); break;
    case STAGE_POOL:  p->out = pool(&b, p->in); break;
    case STAGE_CROSS: cross(&b, p->in); break;
    case STAGE_KEYS:  keys(&b, p->in); break;
    }
}
