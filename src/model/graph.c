/* Walks the compiled programs of a plan's slots and asks each operation what it costs: tensors have shapes, no data. */
#include "sonde/graph.h"
#include "edit_data.h"
#include "experts.h"
#include "model_data.h"
#include "graph_told.h"
#include "program.h"
#include "run_parts.h"
#include "weight_table.h"
#include <string.h>

enum { NOBODY = -1 };

typedef struct {
    const sonde_model *m;
    arena             *a;
    slots              run;
    program_key       *key;             /* [slots] */
    run_length         length;
    int64_t            n;               /* rows of this stage */
    const program     *p;
    int                slot;            /* FRONT, BACK or a place in the list */
    int                maker[MOST_VALUES];      /* id of the operation whose value it is */
    int                last;            /* of the stage before: what value[in] is */
    int                end;             /* of an encoder: what keys and values of cross-attention read */
    int                bias[2];         /* by stack_id: of the relative bias; NOBODY: not told yet */
    int                next;
    sonde_operation_fn fn;
    void              *user;
    sonde_error       *err;
} walk;

static stack_id stack_of(const walk *w) { return slot_stack(&w->run, w->slot); }
static const arch_config *config_of(const walk *w) { return slot_config(&w->m->config, &w->run, w->slot); }
static int block_of(const walk *w) { return slot_where(&w->run, w->slot) == AT_BLOCK ? w->run.at[w->slot].block : -1; }

static tensor tensor_of(const walk *w, int value) {
    const value_shape s = w->p->value[value];
    return (tensor){ .dim = { 1, w->n, s.heads, s.cols } };
}

/* [positions, cols], or [positions, heads, cols]. */
static sonde_shape value_shape_of(const walk *w, int value) {
    const value_shape s = w->p->value[value];
    return s.heads == 1 ? (sonde_shape){ 2, { w->n, s.cols } } : (sonde_shape){ 3, { w->n, s.heads, s.cols } };
}

static const char *name_of(const walk *w, weight_id id) {
    return id == W_NONE ? NULL : weight_name(w->a, &w->m->config, (weight_owner){ stack_of(w), block_of(w) }, id);
}

static const weight *weight_of(const walk *w, weight_id id) {
    const sonde_model *m = w->m;
    const int          block = block_of(w);
    if (stack_of(w) == STACK_ENCODER) return block >= 0 ? &m->encoder_block[block][id] : &m->encoder_front[id];
    return block >= 0 ? &m->block[block][id] : &m->front[id];
}

static const char *bias_name(const walk *w, weight_id id) {
    return id != W_NONE && weight_of(w, id)->vector ? name_of(w, id) : NULL;
}

static const char *joined(const walk *w, const char *names, place at) {
    const char *name = place_name(w->a, &w->run, at);
    return names ? arena_printf(w->a, "%s, %s", names, name) : name;
}

/* The stage behind this one, in its stack. */
static program_key key_behind(const walk *w, int *at) {
    *at = w->slot == FRONT ? 0 : w->slot + 1;
    if (*at < w->run.n) return w->key[*at];
    *at = BACK;
    return (program_key){ .stage = STAGE_BACK };
}

/* What the next stage calls the stream that it begins with. */
static const char *names_behind(const walk *w, const char *names) {
    int at;
    if (w->p->key.stage != STAGE_FRONT && w->p->key.stage != STAGE_BLOCK) return names;
    const program_key key = key_behind(w, &at);
    if (at == BACK && !run_has_back(&w->m->config)) return names;
    program *next = arena_alloc(w->a, sizeof *next);
    program_compile(next, slot_config(&w->m->config, &w->run, at), key);
    for (const step *s = next->step; s < next->step + next->n_steps; s++)
        if (s->kind == STEP_MARK && s->out == next->in) names = joined(w, names, (place){ at, s->site });
    return names;
}

/* Every site that value `v` is. */
static const char *sites_of(const walk *w, int v) {
    const char *names = NULL;
    for (const step *s = w->p->step; s < w->p->step + w->p->n_steps; s++)
        if (s->kind == STEP_MARK && s->out == v) names = joined(w, names, (place){ w->slot, s->site });
    return v == w->p->out ? names_behind(w, names) : names;
}

static sonde_status tell_as(walk *w, sonde_operation *o, const char *name, op_cost cost) {
    o->id = w->next++;
    o->stack = w->m->config.encoder ? slot_word(&w->run, w->slot) : NULL;
    o->block = block_of(w);
    o->operation = name;
    o->flops = cost.flops;
    o->bytes = cost.bytes;
    return w->fn(o, w->user, w->err);
}

static sonde_status tell(walk *w, sonde_operation *o, const op_call *c) {
    return tell_as(w, o, c->op->name, c->op->cost(c));
}

/* A product reads and makes whole rows, whatever their heads are. */
static tensor whole_rows(tensor t) {
    t.dim[3] *= t.dim[2];
    t.dim[2] = 1;
    return t;
}

static told_where told_of(const walk *w) {
    return (told_where){ .config = config_of(w), .block = block_of(w), .n = w->n, .memory = w->a,
                         .target = w->m->config.encoder && stack_of(w) == STACK_MAIN };
}

static sonde_status tell_op(walk *w, const step *s) {
    const op *o = op_table[s->op];
    tensor    out = tensor_of(w, s->out), in[MAX_IN];
    op_call   c = { .op = o, .out = &out };
    sonde_operation row = { .site = sites_of(w, s->out), .weight = name_of(w, s->w), .bias = bias_name(w, s->b),
                            .n_in = (size_t)o->n_in, .out = value_shape_of(w, s->out) };
    told_constants known;
    tell_step(told_of(w), s, &known, &row);
    if (s->op == OP_linear) c.attr.linear.w = &weight_of(w, s->w)->matrix;
    if (s->op == OP_layer_scale || s->op == OP_layer_normalize) row.weight = NULL;      /* they read no weight */
    for (int i = 0; i < o->n_in; i++) {
        in[i] = s->op == OP_linear ? whole_rows(tensor_of(w, s->in[i])) : tensor_of(w, s->in[i]);
        c.in[i] = &in[i];
        row.in[i] = value_shape_of(w, s->in[i]);
        row.from[i] = w->maker[s->in[i]];
    }
    SONDE_TRY(tell(w, &row, &c));
    w->maker[s->out] = row.id;
    return SONDE_OK;
}

/* Once a stack: every layer adds the same. */
static sonde_status tell_bias(walk *w) {
    const arch_config *c = config_of(w);
    const stack_id     of = stack_of(w);
    const int          at = slot_of_bias(&w->run, of), here = w->slot;
    const weight      *table = of == STACK_ENCODER ? &w->m->encoder_front[W_REL] : &w->m->front[W_REL];
    told_constants     known;
    sonde_operation    row = { .out = { 3, { c->heads, w->n, w->n } } };
    if (!c->buckets || w->bias[of] != NOBODY) return SONDE_OK;
    row.weight = weight_name(w->a, &w->m->config, (weight_owner){ of, -1 }, W_REL);
    if (at != FRONT) {
        row.site = joined(w, NULL, (place){ at, SITE_REL_POS });
        w->slot = at;
    }
    tell_relative_bias(told_of(w), &known, &row);
    const double written = (double)(c->heads * w->n * w->n) * sizeof(float);
    const sonde_status s = tell_as(w, &row, "relative_bias", (op_cost){ .bytes = (double)table->bytes + written });
    w->slot = here;
    w->bias[of] = row.id;
    return s;
}

/* Keys and values, the block's own or those of the encoder's end. */
typedef struct { bool cross; int64_t n; int id[2]; value_shape shape[2]; } heard;

static sonde_shape heard_shape(const heard *h, int i) {
    const value_shape s = h->shape[i];
    return s.heads == 1 ? (sonde_shape){ 2, { h->n, s.cols } } : (sonde_shape){ 3, { h->n, s.heads, s.cols } };
}

typedef struct { const step *s; heard from; sonde_shape square; told_where told; tensor scores; } attention;

static const char *attention_site(const walk *w, site_id site) { return joined(w, NULL, (place){ w->slot, site }); }

/* An operation from scores to scores, or to the pattern; `row` has its site, and its id becomes the last one's. */
static sonde_status tell_square(walk *w, attention *a, enum op_id id, sonde_operation *row) {
    tensor         made = { .dim = { 1, a->square.dim[0], a->square.dim[1], a->square.dim[2] } };
    told_constants known;
    op_call        c = { .op = op_table[id], .out = &made, .in = { &a->scores } };
    *row = (sonde_operation){ .site = row->site, .weight = row->weight, .n_in = 1, .from = { row->id }, .in = { a->square },
                              .out = a->square };
    tell_attention_part(a->told, id, &known, row);
    return tell(w, row, &c);
}

static sonde_status tell_scores(walk *w, attention *a, sonde_operation *row) {
    const step    *s = a->s;
    const int      bias = a->from.cross ? NOBODY : w->bias[stack_of(w)];
    const value_shape key = a->from.shape[0];
    tensor         q = tensor_of(w, s->in[0]), k = { .dim = { 1, a->from.n, key.heads, key.cols } };
    told_constants known;
    op_call        c = { .op = op_table[OP_scores], .out = &a->scores, .in = { &q, &k } };
    *row = (sonde_operation){ .site = row->site, .n_in = bias == NOBODY ? 2 : 3,
                              .from = { w->maker[s->in[0]], a->from.id[0], bias },
                              .in = { value_shape_of(w, s->in[0]), heard_shape(&a->from, 0), a->square }, .out = a->square };
    tell_attention_part(a->told, OP_scores, &known, row);
    return tell(w, row, &c);
}

static sonde_status tell_mix(walk *w, attention *a, int pattern) {
    const step    *s = a->s;
    const value_shape value = a->from.shape[1];
    tensor         v = { .dim = { 1, a->from.n, value.heads, value.cols } }, z = tensor_of(w, s->out);
    told_constants known;
    op_call        c = { .op = op_table[OP_mix], .out = &z, .in = { &a->scores, &v } };
    sonde_operation row = { .site = sites_of(w, s->out), .n_in = 2, .from = { pattern, a->from.id[1] },
                            .in = { a->square, heard_shape(&a->from, 1) }, .out = value_shape_of(w, s->out) };
    tell_attention_part(a->told, OP_mix, &known, &row);
    SONDE_TRY(tell(w, &row, &c));
    w->maker[s->out] = row.id;
    return SONDE_OK;
}

static sonde_status tell_attention(walk *w, const step *s, heard from) {
    const int64_t heads = w->p->value[s->in[0]].heads;
    const site_id scores = from.cross ? SITE_CROSS_SCORES : SITE_SCORES;
    attention     a = { .s = s, .from = from, .square = { 3, { heads, w->n, from.n } }, .told = told_of(w),
                        .scores = { .dim = { 1, heads, w->n, from.n } } };
    const bool    capped = a.told.config->score_cap > 0;
    sonde_operation row = { .site = capped ? NULL : attention_site(w, scores) };
    a.told.seen = place_sight(&w->m->config, &w->run, (place){ w->slot, scores });
    SONDE_TRY(tell_scores(w, &a, &row));
    row.weight = NULL;
    if (capped) {
        row.site = attention_site(w, scores);
        SONDE_TRY(tell_square(w, &a, OP_soft_cap, &row));
    }
    row.site = attention_site(w, from.cross ? SITE_CROSS_PATTERN : SITE_PATTERN);
    row.weight = from.cross ? NULL : bias_name(w, W_SINKS);
    SONDE_TRY(tell_square(w, &a, OP_softmax, &row));
    return tell_mix(w, &a, row.id);
}

static sonde_status tell_self_attention(walk *w, const step *s) {
    heard own = { .n = w->n };
    SONDE_TRY(tell_bias(w));
    for (int i = 0; i < 2; i++) {
        own.id[i] = w->maker[s->in[i + 1]];
        own.shape[i] = w->p->value[s->in[i + 1]];
    }
    return tell_attention(w, s, own);
}

/* What the encoder says to this block, then who listens. */
static sonde_status tell_cross_attention(walk *w, const step *s) {
    program *p = arena_alloc(w->a, sizeof *p);
    walk     said = *w;
    program_compile(p, &w->m->config, (program_key){ .stage = STAGE_CROSS });
    said.p = p;
    said.n = w->length.of[STACK_ENCODER];
    said.maker[p->in] = w->end;
    for (int i = 0; i < p->n_steps; i++)
        if (p->step[i].kind == STEP_OP) SONDE_TRY(tell_op(&said, &p->step[i]));
    w->next = said.next;
    const heard from = { .cross = true, .n = said.n, .id = { said.maker[p->out], said.maker[p->also] },
                         .shape = { p->value[p->out], p->value[p->also] } };
    return tell_attention(w, s, from);
}

/* All chosen experts at once, under the weight that they end with. */
static sonde_status tell_experts(walk *w, const step *s) {
    sonde_operation row = { .site = sites_of(w, s->out), .weight = name_of(w, W_X_OUT), .bias = bias_name(w, B_X_OUT),
                            .n_in = 3, .out = value_shape_of(w, s->out) };
    for (int i = 0; i < 3; i++) {
        row.in[i] = value_shape_of(w, s->in[i]);
        row.from[i] = w->maker[s->in[i]];
    }
    told_constants known;
    static const weight_id also[] = { W_X_GATE, B_X_GATE, W_X_IN, B_X_IN, W_X_BOTH, B_X_BOTH };
    for (size_t i = 0; i < sizeof also / sizeof *also; i++) {
        if (!weight_of(w, also[i])->stored_as) continue;
        row.more = row.more ? arena_printf(w->a, "%s, %s", row.more, name_of(w, also[i])) : name_of(w, also[i]);
    }
    tell_mixture(told_of(w), &known, &row);
    SONDE_TRY(tell_as(w, &row, "experts", experts_cost(w->m, block_of(w), w->n)));
    w->maker[s->out] = row.id;
    return SONDE_OK;
}

static sonde_status tell_step_of(walk *w, const step *s) {
    switch (s->kind) {
    case STEP_OP:      return tell_op(w, s);
    case STEP_ATTEND:  return tell_self_attention(w, s);
    case STEP_CROSS:   return tell_cross_attention(w, s);
    case STEP_EXPERTS: return tell_experts(w, s);
    case STEP_MARK:    break;
    }
    return SONDE_OK;
}

static sonde_status walk_stage(walk *w, int at, program_key key) {
    program *p = arena_alloc(w->a, sizeof *p);
    w->p = p;
    w->slot = at;
    program_compile(p, config_of(w), key);
    for (int i = 0; i < MOST_VALUES; i++) w->maker[i] = NOBODY;
    if (p->in != NO_VALUE) w->maker[p->in] = w->last;
    for (int i = 0; i < p->n_steps; i++) SONDE_TRY(tell_step_of(w, &p->step[i]));
    w->last = w->maker[p->out];
    return SONDE_OK;
}

/* Sites on request that an edit names bring operations of their own. */
static void set_flag(program_key *k, site_id s) {
    k->split_q |= s == SITE_Q_INPUT;
    k->split_k |= s == SITE_K_INPUT;
    k->split_v |= s == SITE_V_INPUT;
    k->mlp_in |= s == SITE_MLP_IN;
    k->result |= s == SITE_RESULT;
    k->cross_result |= s == SITE_CROSS_RESULT;
}

static program_key plain_key(const walk *w, int at) {
    const site_where where = slot_where(&w->run, at);
    program_key k = { .stage = where == AT_FRONT ? STAGE_FRONT : where == AT_BACK ? STAGE_BACK : STAGE_BLOCK,
                      .stack = slot_stack(&w->run, at) };
    if (where != AT_BLOCK) return k;
    const slot *s = &w->run.at[at];
    k.no_attn = s->no_attn;
    k.no_cross = s->no_cross;
    k.no_mlp = s->no_mlp;
    k.sparse = arch_sparse(slot_config(&w->m->config, &w->run, at), s->block);
    return k;
}

static sonde_status find_keys(walk *w, const sonde_edit *const *edits, size_t n_edits) {
    SONDE_TRY(plan_slots(w->a, &w->m->config, edits, n_edits, &w->run, w->err));
    w->key = arena_new_array(w->a, program_key, (size_t)w->run.n + 1);
    for (int i = 0; i < w->run.n; i++) w->key[i] = plain_key(w, i);
    for (size_t i = 0; i < n_edits; i++) {
        place_list hit;
        if (sonde_edit_is_plan(edits[i])) continue;
        SONDE_TRY(places_select(w->a, (place_scope){ &w->m->config, &w->run, true }, edits[i]->site, &hit, w->err));
        for (size_t j = 0; j < hit.n; j++)
            if (slot_where(&w->run, hit.at[j].slot) == AT_BLOCK) set_flag(&w->key[hit.at[j].slot], hit.at[j].site);
    }
    return SONDE_OK;
}

static sonde_status check_length(const walk *w, stack_id of, const char *whose) {
    const int64_t n = w->length.of[of], most = arch_context(stack_config(&w->m->config, of));
    SONDE_FAIL_IF(n < 1 || n > most, w->err, SONDE_USAGE, "%lld positions%s, the context holds %lld", (long long)n, whose,
                  (long long)most);
    return SONDE_OK;
}

static sonde_status walk_all(walk *w, const sonde_edit *const *edits, size_t n_edits) {
    const arch_config *c = &w->m->config;
    if (c->encoder) SONDE_TRY(check_length(w, STACK_ENCODER, ""));
    SONDE_TRY(check_length(w, STACK_MAIN, c->encoder ? " of the target" : ""));
    SONDE_TRY(find_keys(w, edits, n_edits));
    w->n = w->length.of[slot_stack(&w->run, FRONT)];
    SONDE_TRY(walk_stage(w, FRONT, plain_key(w, FRONT)));
    for (int i = 0; i < w->run.n; i++) {
        w->n = w->length.of[slot_stack(&w->run, i)];
        SONDE_TRY(walk_stage(w, i, w->key[i]));
        if (w->run.at[i].kind == SLOT_END) w->end = w->last;
    }
    const int behind = w->last;
    if (run_has_back(c)) SONDE_TRY(walk_stage(w, BACK, (program_key){ .stage = STAGE_BACK }));
    if (!run_has_pool(c)) return SONDE_OK;
    w->last = behind;
    w->n = 1;                                   /* row 0 alone */
    return walk_stage(w, BACK, (program_key){ .stage = STAGE_POOL });
}

sonde_status sonde_graph(const sonde_model *m, sonde_graph_query q, sonde_operation_fn fn, void *user,
                         sonde_error *err) {
    walk w = { .m = m, .a = arena_new(), .length = { { [STACK_MAIN] = m->config.encoder ? q.n_target : q.n,
               [STACK_ENCODER] = q.n } }, .last = NOBODY, .end = NOBODY, .bias = { NOBODY, NOBODY }, .fn = fn, .user = user,
               .err = err };
    const sonde_status s = walk_all(&w, q.edits, q.n_edits);
    arena_free(w.a);
    return s;
}
