/* Walks the compiled programs of a plan's slots and asks each operation what it costs: tensors have shapes, no data. */
#include "sonde/graph.h"
#include "edit_data.h"
#include "experts.h"
#include "model_data.h"
#include "graph_told.h"
#include "program.h"
#include "weight_table.h"
#include <string.h>

enum { NOBODY = -1 };

typedef struct {
    const sonde_model *m;
    arena             *a;
    slots              run;
    program_key       *key;             /* [slots] */
    int64_t            n;
    const program     *p;
    int                slot;            /* FRONT, BACK or a place in the list */
    int                maker[MOST_VALUES];      /* id of the operation whose value it is */
    int                last;            /* of the stage before: what value[in] is */
    int                next;
    sonde_operation_fn fn;
    void              *user;
    sonde_error       *err;
} walk;

static const slot *slot_of(const walk *w) { return w->slot == FRONT || w->slot == BACK ? NULL : &w->run.at[w->slot]; }

static tensor tensor_of(const walk *w, int value) {
    const value_shape s = w->p->value[value];
    return (tensor){ .dim = { 1, w->n, s.heads, s.cols } };
}

/* [positions, cols], or [positions, heads, cols]. */
static sonde_shape value_shape_of(const walk *w, int value) {
    const value_shape s = w->p->value[value];
    return s.heads == 1 ? (sonde_shape){ 2, { w->n, s.cols } } : (sonde_shape){ 3, { w->n, s.heads, s.cols } };
}

static const char *weight_name(const walk *w, weight_id id) {
    if (id == W_NONE) return NULL;
    const slot *s = slot_of(w);
    return s ? arena_printf(w->a, "blocks.%d.%s", s->block, weight_table[id].name) : weight_table[id].name;
}

static const weight *weight_of(const walk *w, weight_id id) {
    const slot *s = slot_of(w);
    return s ? &w->m->block[s->block][id] : &w->m->front[id];
}

static const char *bias_name(const walk *w, weight_id id) {
    return id != W_NONE && weight_of(w, id)->vector ? weight_name(w, id) : NULL;
}

static const char *joined(const walk *w, const char *names, place at) {
    const char *name = place_name(w->a, &w->run, at);
    return names ? arena_printf(w->a, "%s, %s", names, name) : name;
}

/* Every site that value `v` is; the stream between two blocks is also what the next one begins with. */
static const char *sites_of(const walk *w, int v) {
    const char *names = NULL;
    for (int i = 0; i < w->p->n_steps; i++)
        if (w->p->step[i].kind == STEP_MARK && w->p->step[i].out == v) names = joined(w, names, (place){ w->slot, w->p->step[i].site });
    const int after = w->slot == FRONT ? 0 : w->slot == BACK ? w->run.n : w->slot + 1;
    if (v == w->p->out && after < w->run.n) names = joined(w, names, (place){ after, SITE_RESID_PRE });
    return names;
}

static sonde_status tell_as(walk *w, sonde_operation *o, const char *name, op_cost cost) {
    const slot *s = slot_of(w);
    o->id = w->next++;
    o->block = s ? s->block : -1;
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
    const slot *s = slot_of(w);
    return (told_where){ &w->m->config, s ? s->block : -1, w->a };
}

static sonde_status tell_op(walk *w, const step *s) {
    const op *o = op_table[s->op];
    tensor    out = tensor_of(w, s->out), in[MAX_IN];
    op_call   c = { .op = o, .out = &out };
    sonde_operation row = { .site = sites_of(w, s->out), .weight = weight_name(w, s->w), .bias = bias_name(w, s->b),
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

static sonde_status tell_attention(walk *w, const step *s) {
    tensor q = tensor_of(w, s->in[0]), k = tensor_of(w, s->in[1]), v = tensor_of(w, s->in[2]), z = tensor_of(w, s->out);
    tensor scores = { .dim = { 1, q.dim[2], w->n, w->n } }, pattern = scores;
    const sonde_shape square = { 3, { q.dim[2], w->n, w->n } };
    told_constants known;
    op_call c = { .op = op_table[OP_scores], .out = &scores, .in = { &q, &k } };
    sonde_operation row = { .site = joined(w, NULL, (place){ w->slot, SITE_SCORES }), .n_in = 2,
                            .from = { w->maker[s->in[0]], w->maker[s->in[1]] },
                            .in = { value_shape_of(w, s->in[0]), value_shape_of(w, s->in[1]) }, .out = square };
    tell_attention_part(told_of(w), OP_scores, &known, &row);
    SONDE_TRY(tell(w, &row, &c));
    c = (op_call){ .op = op_table[OP_softmax], .out = &pattern, .in = { &scores } };
    row = (sonde_operation){ .site = joined(w, NULL, (place){ w->slot, SITE_PATTERN }), .n_in = 1, .from = { row.id },
                             .in = { square }, .out = square };
    tell_attention_part(told_of(w), OP_softmax, &known, &row);
    SONDE_TRY(tell(w, &row, &c));
    c = (op_call){ .op = op_table[OP_mix], .out = &z, .in = { &pattern, &v } };
    row = (sonde_operation){ .site = sites_of(w, s->out), .n_in = 2, .from = { row.id, w->maker[s->in[2]] },
                             .in = { square, value_shape_of(w, s->in[2]) }, .out = value_shape_of(w, s->out) };
    tell_attention_part(told_of(w), OP_mix, &known, &row);
    SONDE_TRY(tell(w, &row, &c));
    w->maker[s->out] = row.id;
    return SONDE_OK;
}

/* All chosen experts at once, under the weight that they end with. */
static sonde_status tell_experts(walk *w, const step *s) {
    sonde_operation row = { .site = sites_of(w, s->out), .weight = weight_name(w, W_X_OUT), .bias = bias_name(w, B_X_OUT),
                            .n_in = 3, .out = value_shape_of(w, s->out) };
    for (int i = 0; i < 3; i++) {
        row.in[i] = value_shape_of(w, s->in[i]);
        row.from[i] = w->maker[s->in[i]];
    }
    SONDE_TRY(tell_as(w, &row, "experts", experts_cost(w->m, slot_of(w)->block, w->n)));
    w->maker[s->out] = row.id;
    return SONDE_OK;
}

static sonde_status walk_stage(walk *w, int at, program_key key) {
    program *p = arena_alloc(w->a, sizeof *p);
    program_compile(p, &w->m->config, key);
    w->p = p;
    w->slot = at;
    for (int i = 0; i < MOST_VALUES; i++) w->maker[i] = NOBODY;
    if (p->in != NO_VALUE) w->maker[p->in] = w->last;
    for (int i = 0; i < p->n_steps; i++) {
        const step *s = &p->step[i];
        if (s->kind == STEP_OP) SONDE_TRY(tell_op(w, s));
        if (s->kind == STEP_ATTEND) SONDE_TRY(tell_attention(w, s));
        if (s->kind == STEP_EXPERTS) SONDE_TRY(tell_experts(w, s));
    }
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
}

static sonde_status find_keys(walk *w, const sonde_edit *const *edits, size_t n_edits) {
    SONDE_TRY(plan_slots(w->a, &w->m->config, edits, n_edits, &w->run, w->err));
    w->key = arena_new_array(w->a, program_key, (size_t)w->run.n + 1);
    for (int i = 0; i < w->run.n; i++)
        w->key[i] = (program_key){ .stage = STAGE_BLOCK, .no_attn = w->run.at[i].no_attn, .no_mlp = w->run.at[i].no_mlp,
                                    .sparse = arch_sparse(&w->m->config, w->run.at[i].block) };
    for (size_t i = 0; i < n_edits; i++) {
        place_list hit;
        if (sonde_edit_is_plan(edits[i])) continue;
        SONDE_TRY(places_select(w->a, (place_scope){ &w->m->config, &w->run, true }, edits[i]->site, &hit, w->err));
        for (size_t j = 0; j < hit.n; j++)
            if (hit.at[j].slot != FRONT && hit.at[j].slot != BACK) set_flag(&w->key[hit.at[j].slot], hit.at[j].site);
    }
    return SONDE_OK;
}

static sonde_status walk_all(walk *w, const sonde_edit *const *edits, size_t n_edits) {
    SONDE_FAIL_IF(w->n < 1 || w->n > w->m->config.context, w->err, SONDE_USAGE, "%lld positions, the context holds %lld",
                  (long long)w->n, (long long)w->m->config.context);
    SONDE_TRY(find_keys(w, edits, n_edits));
    SONDE_TRY(walk_stage(w, FRONT, (program_key){ .stage = STAGE_FRONT }));
    for (int i = 0; i < w->run.n; i++) SONDE_TRY(walk_stage(w, i, w->key[i]));
    return walk_stage(w, BACK, (program_key){ .stage = STAGE_BACK });
}

sonde_status sonde_graph(const sonde_model *m, sonde_graph_query q, sonde_operation_fn fn, void *user,
                         sonde_error *err) {
    SONDE_FAIL_IF(m->config.encoder, err, SONDE_UNSUPPORTED, "%s: an encoder-decoder's operations are not listed, expected a "
                  "model of one stack", m->info.name);
    walk w = { .m = m, .a = arena_new(), .n = q.n, .last = NOBODY, .fn = fn, .user = user, .err = err };
    const sonde_status s = walk_all(&w, q.edits, q.n_edits);
    arena_free(w.a);
    return s;
}
