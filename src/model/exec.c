/* Runs the steps of a program over all rows of its segments; on the way back, adds up the parts that the readers of a
 * value pass to it, in forward order of the readers, whether or not taps or edits stand between. */
#include "exec.h"
#include "experts.h"
#include <math.h>
#include <string.h>

static int64_t width(const exec *x, int value) {
    return x->program->value[value].heads * x->program->value[value].cols;
}

static sonde_status take(exec *x, int value, float **out, sonde_error *err) {
    return workspace_take(x->memory, x->rows * width(x, value), out, err);
}

static sonde_status make_room(exec *x, int value, sonde_error *err) {
    return x->value[value] ? SONDE_OK : take(x, value, &x->value[value], err);
}

tensor exec_tensor(const exec *x, int value) {
    const value_shape s = x->program->value[value];
    return (tensor){ .dim = { 1, x->rows, s.heads, s.cols }, .data = x->value[value], .grad = x->grad[value] };
}

const weight *exec_weight(const exec *x, weight_id id) {
    const sonde_model *m = x->model;
    if (x->config->stack == STACK_ENCODER) return x->block >= 0 ? &m->encoder_block[x->block][id] : &m->encoder_front[id];
    return x->block >= 0 ? &m->block[x->block][id] : &m->front[id];
}

static const int32_t *rows_of_table(const exec *x, weight_id table) {
    return table == W_POS ? x->positions : table == W_TYPE ? x->types : x->tokens;
}

static const rope *rope_of(const exec *x) { return arch_rope(x->config, x->block); }

static op_attr attr_of(const exec *x, const step *s) {
    const weight *w = exec_weight(x, s->w), *b = exec_weight(x, s->b);
    const float  *bias = s->b == W_NONE ? NULL : b->vector;
    const rope   *r;
    switch ((enum op_id)s->op) {
    case OP_lookup:      return (op_attr){ .lookup = { &w->matrix, rows_of_table(x, s->w) } };
    case OP_layer_scale:
    case OP_rms_scale:   return (op_attr){ .norm = { (float)x->config->norm_eps } };
    case OP_shift:
    case OP_affine:      return (op_attr){ .affine = { w->vector, bias } };
    case OP_linear:      return (op_attr){ .linear = { &w->matrix, bias } };
    case OP_head_linear: return (op_attr){ .head_linear = { &w->matrix, bias, s->split } };
    case OP_activation:  return (op_attr){ .activation = { s->act } };
    case OP_times:       return (op_attr){ .times = { (float)s->factor } };
    case OP_soft_cap:
    case OP_clamp:       return (op_attr){ .clamp = { (float)s->factor } };
    case OP_largest:     return (op_attr){ .largest = { x->config->chosen } };
    case OP_softmax:     return (op_attr){ .attention.sight.every = true };
    case OP_rotate:      r = rope_of(x); return (op_attr){ .rotate = { x->turns, r->dims, r->pairs } };
    case OP_reorder:     return (op_attr){ .reorder = { x->config->rope.dims } };
    default:             return op_table[s->op]->masked ? (op_attr){ .pick = { x->mask[s->site] } } : (op_attr){ 0 };
    }
}

/* Cosines and sines of every row's position, once for all that rotate. */
static sonde_status find_turns(exec *x, sonde_error *err) {
    const rope *r = rope_of(x);
    if (x->turns) return SONDE_OK;
    SONDE_TRY(workspace_take(x->memory, x->rows * r->dims, &x->turns, err));
    for (const segment *g = x->segment; g < x->segment + x->n_segments; g++)
        for (int64_t t = 0; t < g->n; t++) rope_turn(r, g->first + t, g->l->turning, x->turns + (g->row + t) * r->dims);
    return SONDE_OK;
}

/* Which (row, head)s of a site are edited, for the operations that treat those apart. */
static sonde_status find_mask(exec *x, const step *s, sonde_error *err) {
    if (x->mask[s->site]) return SONDE_OK;
    const int64_t heads = x->program->value[s->op == OP_head_delta ? s->in[1] : s->out].heads;
    float *room;
    SONDE_TRY(workspace_take(x->memory, (x->rows * heads + 3) / 4, &room, err));
    uint8_t *mask = memset(room, 0, (size_t)(x->rows * heads));
    for (const segment *g = x->segment; g < x->segment + x->n_segments; g++) {
        if (!(lane_flags(g->l, g->slot)[s->site] & FLAG_EDIT)) continue;
        const bound *b = &g->l->plan;
        for (size_t i = 0; i < b->n_edits; i++)
            if (b->edit[i].at.slot == g->slot && b->edit[i].at.site == s->site)
                edit_touch(&b->edit[i], g->first, g->n, heads, mask + g->row * heads);
    }
    x->mask[s->site] = mask;
    return SONDE_OK;
}

typedef struct { tensor out, in[MAX_IN]; op_call call; } bound_call;

static void make_call(exec *x, const step *s, bound_call *b) {
    const op *o = op_table[s->op];
    b->out = exec_tensor(x, s->out);
    b->call = (op_call){ .op = o, .out = &b->out, .attr = attr_of(x, s) };
    for (int i = 0; i < o->n_in; i++) {
        b->in[i] = exec_tensor(x, s->in[i]);
        b->call.in[i] = &b->in[i];
    }
}

static sonde_status forward_op(exec *x, const step *s, sonde_error *err) {
    bound_call b;
    if (op_table[s->op]->masked) SONDE_TRY(find_mask(x, s, err));
    if (s->op == OP_rotate) SONDE_TRY(find_turns(x, err));
    SONDE_TRY(make_room(x, s->out, err));
    make_call(x, s, &b);
    SONDE_TRY(b.call.op->shape(&b.call, err));
    op_forward(&b.call, x->threads);
    return SONDE_OK;
}

static sonde_status marks(exec *x, const step *s, bool back, sonde_error *err) {
    for (const segment *g = x->segment; g < x->segment + x->n_segments; g++) {
        if (!lane_flags(g->l, g->slot)[s->site]) continue;
        float *rows = (back ? x->grad : x->value)[s->out] + g->row * width(x, s->out);
        if (back) SONDE_TRY(lane_mark_back(g, s->site, rows, 0, err));
        else SONDE_TRY(lane_mark(g, s->site, rows, 0, x->quiet, err));
    }
    return SONDE_OK;
}

/* Keys and values of one segment are made where its lane keeps them. */
static void place_keys(exec *x) {
    if (x->n_segments != 1) return;
    for (const step *s = x->program->step; s < x->program->step + x->program->n_steps; s++) {
        if (s->kind != STEP_ATTEND) continue;
        const segment *g = x->segment;
        const int64_t  at = (g->first - g->l->lent) * width(x, s->in[1]);
        x->value[s->in[1]] = g->l->keys[g->slot] + at;
        x->value[s->in[2]] = g->l->values[g->slot] + at;
    }
}

sonde_status exec_forward(exec *x, sonde_error *err) {
    memset(x->mask, 0, sizeof x->mask);
    x->turns = NULL;
    place_keys(x);
    for (int i = 0; i < x->program->n_steps; i++) {
        const step *s = &x->program->step[i];
        if (s->kind == STEP_OP) SONDE_TRY(forward_op(x, s, err));
        else if (s->kind == STEP_MARK) SONDE_TRY(marks(x, s, false, err));
        else {
            SONDE_TRY(make_room(x, s->out, err));
            SONDE_TRY(s->kind == STEP_EXPERTS ? experts_forward(x, s, err) : attend_forward(x, s, err));
        }
    }
    return SONDE_OK;
}

static int inputs_of(const step *s) {
    switch (s->kind) {
    case STEP_ATTEND: case STEP_EXPERTS: return 3;
    case STEP_CROSS: return 1;
    case STEP_OP:    return op_table[s->op]->n_in;
    case STEP_MARK:  break;
    }
    return 0;
}

bool exec_ends_in_place(const exec *x) {
    const program *p = x->program;
    bool made = false;
    for (int i = 0; i < p->n_steps; i++) {
        const step *s = &p->step[i];
        made |= s->kind != STEP_MARK && s->out == p->out;
        if (made && s->kind == STEP_MARK && s->out == p->in) return false;
        for (int j = 0; made && j < inputs_of(s); j++)
            if (s->in[j] == p->in) return false;
    }
    return made;
}

/* grad[value] = the parts of its readers, first reader first. */
static sonde_status add_up(exec *x, int value, sonde_error *err) {
    if (x->grad[value]) return SONDE_OK;
    const int64_t n = x->rows * width(x, value);
    for (int i = 0; i < x->program->n_steps; i++) {
        const step *s = &x->program->step[i];
        for (int j = 0; j < inputs_of(s); j++) {
            if (s->in[j] != value) continue;
            if (x->grad[value]) kern->add(x->grad[value], x->grad[value], x->part[i][j], (size_t)n);
            else x->grad[value] = x->part[i][j];
        }
    }
    if (x->grad[value]) return SONDE_OK;
    SONDE_TRY(take(x, value, &x->grad[value], err));        /* nobody reads it: 0 */
    memset(x->grad[value], 0, (size_t)n * sizeof(float));
    return SONDE_OK;
}

/* Attention goes back lane by lane, each with its own rows of the values. */
static sonde_status attend_back(const exec *x, const step *s, int at, sonde_error *err) {
    for (const segment *g = x->segment; g < x->segment + x->n_segments; g++) {
        exec    one = *x;
        segment own = *g;
        own.row = 0;
        one.segment = &own;
        one.n_segments = 1;
        one.rows = g->n;
        for (int j = 0; j < inputs_of(s); j++) {
            one.value[s->in[j]] = x->value[s->in[j]] + g->row * width(x, s->in[j]);
            one.part[at][j] = x->part[at][j] + g->row * width(x, s->in[j]);
        }
        one.value[s->out] = x->value[s->out] + g->row * width(x, s->out);
        one.grad[s->out] = x->grad[s->out] + g->row * width(x, s->out);
        SONDE_TRY(attend_backward(&one, s, at, err));
    }
    return SONDE_OK;
}

static sonde_status backward_op(exec *x, int at, sonde_error *err) {
    const step *s = &x->program->step[at];
    for (int j = 0; j < inputs_of(s); j++) SONDE_TRY(take(x, s->in[j], &x->part[at][j], err));
    if (s->kind == STEP_EXPERTS) return experts_backward(x, s, at, err);
    if (s->kind != STEP_OP) return attend_back(x, s, at, err);
    bound_call b;
    make_call(x, s, &b);
    for (int j = 0; j < b.call.op->n_in; j++) {
        b.call.part[j] = x->part[at][j];
        op_backward(&b.call, j, x->threads);
    }
    return SONDE_OK;
}

static sonde_status backward(exec *x, float **grad_in, sonde_error *err) {
    for (int i = x->program->n_steps - 1; i >= 0; i--) {
        const step *s = &x->program->step[i];
        SONDE_TRY(add_up(x, s->out, err));
        if (s->kind == STEP_MARK) SONDE_TRY(marks(x, s, true, err));
        else SONDE_TRY(backward_op(x, i, err));
    }
    *grad_in = NULL;
    if (x->program->in == NO_VALUE) return SONDE_OK;
    SONDE_TRY(add_up(x, x->program->in, err));
    *grad_in = x->grad[x->program->in];
    return SONDE_OK;
}

sonde_status exec_backward_two(exec *x, float *const grad_out[2], float **grad_in, sonde_error *err) {
    memset(x->part, 0, sizeof x->part);
    memset(x->grad, 0, sizeof x->grad);
    x->grad[x->program->out] = grad_out[0];
    if (x->program->also != NO_VALUE) x->grad[x->program->also] = grad_out[1];
    return backward(x, grad_in, err);
}

sonde_status exec_backward(exec *x, float *grad_out, float **grad_in, sonde_error *err) {
    return exec_backward_two(x, (float *const[2]){ grad_out, NULL }, grad_in, err);
}
