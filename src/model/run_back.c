/* Back through a lane: only each slot's input was kept; its program runs forward again (same bits), then back. */
#include "run_parts.h"
#include <string.h>

typedef struct { seed_fn fn; void *user; } seeding;

static bool asked(const lane *l, int at) {
    for (int i = 0; i < SITE_COUNT; i++)
        if (lane_flags(l, at)[i] & FLAG_GRAD) return true;
    return false;
}

/* A stack on the way back: its slots, and what stands in front of them. */
typedef struct { lane *l; int front, first, end; } stretch;

static stretch stretch_of(lane *l) {
    const slots *run = &l->plan.run;
    if (l->stack == STACK_ENCODER) return (stretch){ l, FRONT, 0, run->source };
    return run->source ? (stretch){ l, run->source, run->source + 1, run->n } : (stretch){ l, FRONT, 0, run->n };
}

static bool bias_asked(const stretch *x) {
    const int at = lane_bias_slot(x->l);
    return at != FRONT && lane_flags(x->l, at)[SITE_REL_POS] & FLAG_GRAD;
}

/* The first slot that the way back must reach; x->front if the tables' sites are asked for, x->end if nothing is. */
static int lowest(const stretch *x) {
    if (asked(x->l, x->front)) return x->front;
    if (bias_asked(x)) return x->first;
    for (int at = x->first; at < x->end; at++)
        if (asked(x->l, at)) return at;
    return x->end;
}

int run_lowest(lane *l) {
    const stretch own = stretch_of(l);
    return lowest(&own);
}

/* Rows of logits on the way back, and which of them the metric reads. */
typedef struct { exec x; const row_seed *by; bool reads[ROWS_OF_LOGITS]; } seeding_rows;

/* Rows seeded, and back to the program's answer `out`: the logits, or where they are few, what the unembedding reads. */
static sonde_status seed_rows(sonde_session *s, seeding_rows *r, const few_tokens *few, float **out, sonde_error *err) {
    exec         *x = &r->x;
    const int64_t v = arch_answers(&s->model->config);
    float        *column = NULL, *row = NULL;
    SONDE_TRY(workspace_take(s->memory, x->rows * v, out, err));
    memset(*out, 0, (size_t)(x->rows * v) * sizeof **out);
    if (few) SONDE_TRY(run_columns(s, x, few, &column, err));
    if (few) SONDE_TRY(workspace_take(s->memory, v, &row, err));
    for (int i = 0; i < x->n_segments; i++)
        for (int64_t t = 0; t < x->segment[i].n; t++) {
            const int64_t at = x->segment[i].row + t;
            for (int k = 0; few && k < few->n; k++) row[few->token[k]] = column[k * x->rows + at];
            r->reads[at] = r->by[i].fn(r->by[i].user, x->segment[i].first + t, few ? row : x->value[x->program->out] + at * v,
                                       *out + at * v);
        }
    if (!few) return SONDE_OK;
    tensor  in = exec_tensor(x, x->program->out), logits = { .dim = { 1, x->rows, 1, v }, .grad = *out };
    op_call c = { .op = op_table[OP_linear], .in = { &in }, .out = &logits,
                  .attr = { .linear = { &exec_weight(x, W_UNEMBED)->matrix, NULL } } };
    SONDE_TRY(workspace_take(s->memory, tensor_count(&in), out, err));
    c.part[0] = *out;
    op_backward(&c, 0, x->threads);
    return SONDE_OK;
}

/* A row that the metric does not read passes nothing on, not even -0 or NaN. */
sonde_status run_back_of_logits(sonde_session *s, segment *g, const row_seed *by, int n, sonde_error *err) {
    const arch_config   *c = &s->model->config;
    const workspace_mark here = workspace_here(s->memory);
    const size_t         wide = (size_t)c->d;
    seeding_rows rows = { .by = by };
    few_tokens few;
    float     *dout, *back;
    const bool whole = !run_few_tokens(c, g, n, &few) || c->logit_cap > 0;
    SONDE_TRY(run_back_rows(s, g, n, whole, &rows.x, err));
    rows.x.quiet = true;
    SONDE_TRY(exec_forward(&rows.x, err));
    SONDE_TRY(seed_rows(s, &rows, whole ? NULL : &few, &dout, err));
    SONDE_TRY(exec_backward(&rows.x, dout, &back, err));
    for (int i = 0; i < n; i++)
        for (int64_t t = 0; t < g[i].n; t++)
            if (rows.reads[g[i].row + t])
                memcpy(by[i].dx + (size_t)t * wide, back + (size_t)(g[i].row + t) * wide, wide * sizeof *back);
    workspace_release(s->memory, here);
    return SONDE_OK;
}

/* dx [length, d] = the gradient of the stream behind the last slot. */
static sonde_status back_of_logits(sonde_session *s, lane *l, seed_fn seed, void *user, float *dx, sonde_error *err) {
    const int64_t d = s->model->config.d;
    segment       g[ROWS_OF_LOGITS];
    row_seed      by[ROWS_OF_LOGITS];
    memset(dx, 0, (size_t)(l->length * d) * sizeof *dx);
    if (!run_has_back(&s->model->config)) return SONDE_OK;
    for (int64_t position = 0;;) {
        const int n = run_wanted_rows(l, &position, ROWS_OF_LOGITS, g);
        if (!n) return SONDE_OK;
        for (int i = 0; i < n; i++) by[i] = (row_seed){ seed, user, dx + g[i].first * d };
        SONDE_TRY(run_back_of_logits(s, g, by, n, err));
    }
}

/* dx's row 0 gets what comes through the heads that read it alone. */
static sonde_status back_of_pool(sonde_session *s, lane *l, seeding by, float *dx, sonde_error *err) {
    const arch_config   *c = &s->model->config;
    const workspace_mark here = workspace_here(s->memory);
    segment              g = { .l = l, .slot = BACK, .first = 0, .n = 1 };
    exec                 x;
    float               *dout, *back;
    if (!run_wants_pool(l, c)) return SONDE_OK;
    SONDE_TRY(run_pool_row(s, &g, &x, err));
    x.quiet = true;
    SONDE_TRY(exec_forward(&x, err));
    const value_shape out = x.program->value[x.program->out];
    SONDE_TRY(workspace_take(s->memory, out.heads * out.cols, &dout, err));
    memset(dout, 0, (size_t)(out.heads * out.cols) * sizeof *dout);
    if (!run_has_back(c)) by.fn(by.user, 0, x.value[x.program->out], dout);
    SONDE_TRY(exec_backward(&x, dout, &back, err));
    kern->add(dx, dx, back, (size_t)c->d);
    workspace_release(s->memory, here);
    return SONDE_OK;
}

/* dx becomes the gradient in front of a slot that runs `x`. */
static sonde_status back_through(exec *x, const float *input, float *dx, sonde_error *err) {
    const size_t bytes = (size_t)(x->rows * x->config->d) * sizeof *dx;
    float *back;
    x->quiet = true;
    if (!x->value[x->program->in]) SONDE_TRY(workspace_take(x->memory, x->rows * x->config->d, &x->value[x->program->in], err));
    memcpy(x->value[x->program->in], input, bytes);
    SONDE_TRY(exec_forward(x, err));
    SONDE_TRY(exec_backward(x, dx, &back, err));
    if (back != dx) memcpy(dx, back, bytes);
    return SONDE_OK;
}

/* What a decoder's slot passes to the encoder it heard is added to dend [source length, d]. */
static sonde_status back_of_cross(sonde_session *s, lane *l, int at, float *const dkv[2], float *dend, sonde_error *err) {
    segment g = { .l = l, .slot = at };
    exec    x;
    float  *back;
    SONDE_TRY(run_cross(s, &g, 1, &x, err));
    x.quiet = true;
    SONDE_TRY(exec_forward(&x, err));
    SONDE_TRY(exec_backward_two(&x, dkv, &back, err));
    kern->add(dend, dend, back, (size_t)(x.rows * x.config->d));
    return SONDE_OK;
}

static sonde_status back_of_slot(sonde_session *s, lane *l, int at, float *dx, float *dend, sonde_error *err) {
    const workspace_mark here = workspace_here(s->memory);
    const slot *is = &l->plan.run.at[at];
    segment     g = { .l = l, .slot = at, .first = 0, .n = l->length };
    exec        x;
    if (is->kind == SLOT_END) SONDE_TRY(run_end(s, &g, l->inputs[at], &x, err));
    else x = run_exec(s, lane_key(l, at, true), is->block, &g, 1);
    const bool hears = dend && !is->no_cross;
    for (int i = 0; hears && i < 2; i++)
        SONDE_TRY(workspace_take(s->memory, l->source->length * x.config->kv_heads * x.config->e, &x.cross_grad[i], err));
    SONDE_TRY(back_through(&x, l->inputs[at], dx, err));
    if (hears) SONDE_TRY(back_of_cross(s, l, at, x.cross_grad, dend, err));
    workspace_release(s->memory, here);
    return SONDE_OK;
}

/* The tables have no inputs: what reaches their sum reaches their sites. */
static sonde_status back_of_front(sonde_session *s, const stretch *of, float *dx, sonde_error *err) {
    const workspace_mark here = workspace_here(s->memory);
    segment g = { .l = of->l, .slot = of->front, .first = 0, .n = of->l->length };
    exec    x = run_exec(s, lane_key(of->l, of->front, true), -1, &g, 1);
    float  *none;
    SONDE_TRY(run_front_rows(s, &x, err));
    x.quiet = true;
    SONDE_TRY(exec_forward(&x, err));
    SONDE_TRY(exec_backward(&x, dx, &none, err));
    workspace_release(s->memory, here);
    return SONDE_OK;
}

/* The relative bias is one value for all layers of a stack: its gradient is the sum of theirs. */
static sonde_status open_bias(sonde_session *s, const stretch *x, sonde_error *err) {
    const int64_t n = stack_config(&s->model->config, x->l->stack)->heads * x->l->length * x->l->length;
    x->l->bias_grad = NULL;
    if (!bias_asked(x)) return SONDE_OK;
    SONDE_TRY(workspace_take(s->memory, n, &x->l->bias_grad, err));
    memset(x->l->bias_grad, 0, (size_t)n * sizeof(float));
    return SONDE_OK;
}

static sonde_status close_bias(const stretch *x, sonde_error *err) {
    if (!x->l->bias_grad) return SONDE_OK;
    const segment g = { .l = x->l, .slot = lane_bias_slot(x->l), .first = 0, .n = x->l->length };
    return lane_mark_back(&g, SITE_REL_POS, x->l->bias_grad, x->l->length, err);
}

/* Back through the slots of a stack; dx is the gradient behind them, dend gets what goes to the encoder. */
static sonde_status back_of_stack(sonde_session *s, const stretch *x, int until, float *dx, float *dend, sonde_error *err) {
    SONDE_TRY(open_bias(s, x, err));
    for (int at = x->end - 1; at >= x->first && at >= until; at--) {
        if (s->stop && s->stop(s->stop_user)) return sonde_fail(err, SONDE_CANCELLED, "interrupted");
        SONDE_TRY(back_of_slot(s, x->l, at, dx, dend, err));
    }
    SONDE_TRY(close_bias(x, err));
    return until == x->front ? back_of_front(s, x, dx, err) : SONDE_OK;
}

sonde_status lane_run_back(sonde_session *s, lane *l, seed_fn seed, void *user, sonde_error *err) {
    const workspace_mark here = workspace_here(s->memory);
    const int64_t d = s->model->config.d;
    stretch own = stretch_of(l), source;
    int     until = lowest(&own), deeper = 0;
    float  *dx, *dend = NULL;
    SONDE_TRY(workspace_take(s->memory, l->length * d, &dx, err));
    if (l->source) {
        source = stretch_of(l->source);
        deeper = lowest(&source);
        if (deeper < source.end && until > own.first) until = own.first;
        SONDE_TRY(workspace_take(s->memory, l->source->length * d, &dend, err));
        memset(dend, 0, (size_t)(l->source->length * d) * sizeof *dend);
    }
    SONDE_TRY(back_of_logits(s, l, seed, user, dx, err));
    SONDE_TRY(back_of_pool(s, l, (seeding){ seed, user }, dx, err));
    SONDE_TRY(back_of_stack(s, &own, until, dx, dend, err));
    if (l->source && deeper < source.end) SONDE_TRY(back_of_stack(s, &source, deeper, dend, NULL, err));
    workspace_release(s->memory, here);
    return SONDE_OK;
}
