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

/* Queries, keys or values: the product of the norm's output, or of each head's own input. */
static int heads_of(builder *b, split_spec s, value_shape shape, int read, int x) {
    int y = linear(b, s.w, s.b, read, shape);
    if (s.in_pairs) y = apply1(b, OP_reorder, y, shape, (step){ 0 });
    return split_heads(b, s, x, y);
}

static int rotated(builder *b, site_id site, int x) {
    return b->c->rope.dims ? mark(b, site, apply1(b, OP_rotate, x, b->p->value[x], (step){ 0 })) : x;
}

static int attention(builder *b, const part_spec *part, int x) {
    const arch_config *c = b->c;
    const program_key *k = &b->p->key;
    const value_shape  qs = { c->heads, c->e }, ks = { c->kv_heads, c->e };
    const int read = norm(b, part->before, x);
    const split_spec q_spec = { k->split_q, SITE_Q_INPUT, part->before, W_Q, B_Q, c->qk_pairs },
                     k_spec = { k->split_k, SITE_K_INPUT, part->before, W_K, B_K, c->qk_pairs },
                     v_spec = { k->split_v, SITE_V_INPUT, part->before, W_V, B_V, false };
    const int q = mark(b, SITE_Q, heads_of(b, q_spec, qs, read, x));
    const int key = mark(b, SITE_K, heads_of(b, k_spec, ks, read, x));
    const int v = mark(b, SITE_V, heads_of(b, v_spec, ks, read, x));
    const int turned_q = rotated(b, SITE_ROT_Q, q), turned_k = rotated(b, SITE_ROT_K, key);
    const int z = value_new(b, c->heads, c->e);
    step_new(b, (step){ .kind = STEP_ATTEND, .out = z, .in = { turned_q, turned_k, v } });
    mark(b, SITE_Z, z);
    int y = linear(b, W_O, B_O, z, (value_shape){ 1, c->d });
    if (k->result) {
        const value_shape each = { c->heads, c->d };
        const int was = apply1(b, OP_head_linear, z, each, (step){ .w = W_O, .split = HEAD_INPUTS });
        const int now = mark(b, SITE_RESULT, apply1(b, OP_edited_copy, was, each, (step){ .site = SITE_RESULT }));
        y = apply2(b, OP_head_delta, y, now, (step){ .site = SITE_RESULT, .in = { 0, 0, was } });
    }
    return mark(b, SITE_ATTN_OUT, y);
}

static int mlp(builder *b, const part_spec *part, int x) {
    const arch_config *c = b->c;
    const value_shape  wide = { 1, c->f };
    if (b->p->key.mlp_in) x = mark(b, SITE_MLP_IN, apply1(b, OP_copy, x, b->p->value[x], (step){ 0 }));
    const int read = norm(b, part->before, x);
    const bool gated = arch_has(c, W_GATE);
    const int pre = mark(b, SITE_MLP_PRE, linear(b, gated ? W_GATE : W_IN, gated ? B_GATE : B_IN, read, wide));
    int post = apply1(b, OP_activation, pre, wide, (step){ 0 });
    if (gated)
        post = apply2(b, OP_multiply, post, mark(b, SITE_MLP_PRE_LINEAR, linear(b, W_IN, B_IN, read, wide)), (step){ 0 });
    mark(b, SITE_MLP_POST, post);
    return mark(b, SITE_MLP_OUT, linear(b, W_OUT, B_OUT, post, (value_shape){ 1, c->d }));
}

/* The router's probabilities, the choice, and the experts that were chosen. */
static int experts(builder *b, const part_spec *part, int x) {
    const arch_config *c = b->c;
    const value_shape  all = { 1, c->experts };
    if (b->p->key.mlp_in) x = mark(b, SITE_MLP_IN, apply1(b, OP_copy, x, b->p->value[x], (step){ 0 }));
    const int read = norm(b, part->before, x);
    const int routed = linear(b, W_ROUTER, B_ROUTER, read, all);
    const int weights = mark(b, SITE_EXPERT_WEIGHTS, apply1(b, OP_softmax, routed, all, (step){ 0 }));
    const int chosen = mark(b, SITE_EXPERT_INDICES, apply1(b, OP_largest, weights, (value_shape){ 1, c->chosen }, (step){ 0 }));
    const int y = value_new(b, 1, c->d);
    step_new(b, (step){ .kind = STEP_EXPERTS, .out = y, .in = { read, weights, chosen } });
    return mark(b, SITE_MLP_OUT, y);
}

static int ffn(builder *b, const part_spec *part, int x) {
    return b->p->key.sparse ? experts(b, part, x) : mlp(b, part, x);
}

static int block(builder *b, int x) {
    const block_spec *s = &b->c->block;
    mark(b, SITE_RESID_PRE, x);
    int seen = 0;
    for (const part_spec *p = s->part; p < s->part + 3 && p->kind; p++) {
        const bool skipped = p->kind == PART_SELF ? b->p->key.no_attn : b->p->key.no_mlp;
        if (seen++) mark(b, SITE_RESID_MID, x);
        if (skipped) continue;
        x = apply2(b, OP_add, x, p->kind == PART_SELF ? attention(b, p, x) : ffn(b, p, x), (step){ 0 });
    }
    return mark(b, SITE_RESID_POST, x);
}

static int front(builder *b) {
    const value_shape d = { 1, b->c->d };
    const int e = mark(b, SITE_EMBED, apply1(b, OP_lookup, NO_VALUE, d, (step){ .w = W_EMBED }));
    if (!arch_has(b->c, W_POS)) return e;
    const int p = mark(b, SITE_POS_EMBED, apply1(b, OP_lookup, NO_VALUE, d, (step){ .w = W_POS }));
    return apply2(b, OP_add, e, p, (step){ 0 });
}

static int back(builder *b, int x) {
    const int y = norm(b, NORM_FINAL, x);
    return mark(b, SITE_UNEMBED_OUT, linear(b, W_UNEMBED, B_UNEMBED, mark(b, SITE_UNEMBED_IN, y),
                                            (value_shape){ 1, b->c->vocab }));
}

void program_compile(program *p, const arch_config *c, program_key key) {
    *p = (program){ .key = key, .in = NO_VALUE };
    builder b = { p, c };
    if (key.stage == STAGE_FRONT) {
        p->out = front(&b);
        return;
    }
    p->in = value_new(&b, 1, c->d);
    p->out = key.stage == STAGE_BLOCK ? block(&b, p->in) : back(&b, p->in);
}
