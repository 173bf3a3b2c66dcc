/* Forward: which rows run next, on which program. */
#include "run_parts.h"
#include <stdlib.h>
#include <string.h>

bool run_same_key(program_key a, program_key b) {
    return a.stage == b.stage && a.stack == b.stack && a.no_attn == b.no_attn && a.no_cross == b.no_cross &&
           a.no_mlp == b.no_mlp && a.sparse == b.sparse && a.split_q == b.split_q && a.split_k == b.split_k &&
           a.split_v == b.split_v && a.mlp_in == b.mlp_in &&
           a.no_answer == b.no_answer && a.result == b.result && a.cross_result == b.cross_result;
}

static const program *program_for(sonde_session *s, program_key key) {
    for (int i = 0; i < s->n_programs; i++)
        if (run_same_key(s->program[i]->key, key)) return s->program[i];
    if (s->n_programs == MOST_PROGRAMS) free(s->program[--s->n_programs]);      /* more kinds than any plan has */
    program *p = malloc(sizeof *p);
    if (!p) abort();
    program_compile(p, stack_config(&s->model->config, key.stack), key);
    return s->program[s->n_programs++] = p;
}

exec run_exec(sonde_session *s, program_key key, int block, segment *g, int n) {
    exec x = { .model = s->model, .config = stack_config(&s->model->config, key.stack), .threads = s->threads,
               .memory = s->memory, .block = block, .segment = g, .n_segments = n };
    x.program = program_for(s, key);
    for (int i = 0; i < n; i++) {
        g[i].row = x.rows;
        x.rows += g[i].n;
    }
    return x;
}

/* Slots of a lane from `from` on, and floats of each. */
typedef struct { const slots *run; stack_id of; int from; int64_t count; } slot_room;

/* [slots] of [count], of those that are blocks of the stack; NULL: no room. */
static sonde_status slot_rows(sonde_session *s, slot_room x, float ***out, sonde_error *err) {
    float *pointers;
    SONDE_TRY(workspace_take(s->memory, (int64_t)((size_t)x.run->n * sizeof **out / sizeof(float)) + 1, &pointers, err));
    *out = (float **)(void *)pointers;
    for (int i = 0; i < x.run->n; i++) {
        const slot *at = &x.run->at[i];
        (*out)[i] = NULL;
        if (i < x.from || at->stack != x.of || at->kind == SLOT_START) continue;
        SONDE_TRY(workspace_take(s->memory, x.count, &(*out)[i], err));
    }
    return SONDE_OK;
}

static sonde_status open_stack(sonde_session *s, lane *l, positions p, sonde_error *err) {
    const arch_config *c = stack_config(&s->model->config, l->stack);
    const slot_room    own = { &l->plan.run, l->stack, l->given ? l->begin : 0, (p.length - l->lent) * c->kv_heads * c->e };
    l->tokens = p.tokens;
    l->types = p.types;
    l->length = p.length;
    SONDE_TRY(slot_rows(s, own, &l->keys, err));
    return slot_rows(s, own, &l->values, err);
}

sonde_status lane_open(sonde_session *s, lane *l, const positions of[2], sonde_error *err) {
    const arch_config *c = &s->model->config;
    float *room;
    SONDE_TRY(open_stack(s, l, of[STACK_MAIN], err));
    if (!c->encoder) return SONDE_OK;
    SONDE_TRY(workspace_take(s->memory, (int64_t)(sizeof *l / sizeof *room) + 1, &room, err));
    l->source = (lane *)(void *)room;
    *l->source = (lane){ .stack = STACK_ENCODER, .plan = l->plan };
    const positions p = of[STACK_ENCODER];
    SONDE_TRY(open_stack(s, l->source, p, err));
    SONDE_TRY(workspace_take(s->memory, p.length * c->d, &l->source->end, err));
    const slot_room heard = { &l->plan.run, STACK_MAIN, 0, p.length * c->kv_heads * c->e };
    SONDE_TRY(slot_rows(s, heard, &l->cross_keys, err));
    return slot_rows(s, heard, &l->cross_values, err);
}

sonde_status lane_fork(sonde_session *s, const lane *from, const int32_t *tokens, lane *to, sonde_error *err) {
    *to = *from;
    return open_stack(s, to, (positions){ .tokens = tokens, .length = from->length, .types = from->types }, err);
}

void lane_take_rows(const sonde_model *m, lane *l, const lane *from, int64_t first, int64_t until) {
    const arch_config *c = stack_config(&m->config, l->stack);
    const int64_t      w = c->kv_heads * c->e;
    const size_t       bytes = (size_t)((until - first) * w) * sizeof(float);
    for (int i = 0; i < l->plan.run.n; i++) {
        if (!l->keys[i]) continue;
        memcpy(l->keys[i] + first * w, from->keys[i] + first * w, bytes);
        memcpy(l->values[i] + first * w, from->values[i] + first * w, bytes);
    }
}

sonde_status lane_keep_inputs(sonde_session *s, lane *l, sonde_error *err) {
    const slot_room all = { &l->plan.run, l->stack, 0, l->length * s->model->config.d };
    SONDE_TRY(slot_rows(s, all, &l->inputs, err));
    return l->source ? lane_keep_inputs(s, l->source, err) : SONDE_OK;
}

void lane_stop_early(lane *l) {
    l->until = l->plan.run.n;
    if (l->n_rows || l->every_row || l->pooled) return;
    for (int at = l->plan.run.n; at-- > 0; l->until = at)
        for (int i = 0; i < SITE_COUNT; i++)
            if (lane_flags(l, at)[i] & (FLAG_TAP | FLAG_KEEP | FLAG_GRAD)) return;
}

/* ---- the stages ---- */

sonde_status run_segments(sonde_session *s, int n, segment **out, sonde_error *err) {
    float *room;
    SONDE_TRY(workspace_take(s->memory, (int64_t)((size_t)n * sizeof **out / sizeof *room) + 1, &room, err));
    *out = (segment *)(void *)room;
    return SONDE_OK;
}

/* The row of the position table. Padding, where it is not counted, moves nothing behind it. */
static int32_t position_row(const arch_config *c, const int32_t *tokens, int64_t at) {
    const int32_t pad = (int32_t)c->pos_offset - 1;
    int64_t before = at;
    if (c->pads_stay && tokens[at] == pad) return pad;
    for (int64_t i = 0; c->pads_stay && i < at; i++) before -= tokens[i] == pad;
    return (int32_t)(before + c->pos_offset);
}

sonde_status run_front_rows(sonde_session *s, exec *x, sonde_error *err) {
    float *ids;
    SONDE_TRY(workspace_take(s->memory, 3 * x->rows, &ids, err));
    int32_t *token = (int32_t *)(void *)ids, *position = token + x->rows, *type = position + x->rows;
    for (const segment *g = x->segment; g < x->segment + x->n_segments; g++)
        for (int64_t t = 0; t < g->n; t++) {
            token[g->row + t] = g->l->tokens[g->first + t];
            position[g->row + t] = position_row(x->config, g->l->tokens, g->first + t);
            type[g->row + t] = g->l->types ? g->l->types[g->first + t] : 0;
        }
    x->tokens = token;
    x->positions = position;
    x->types = type;
    return SONDE_OK;
}

/* Where a lane of the stack begins. */
static int first_slot(const slots *run, stack_id of) { return of == STACK_ENCODER || !run->source ? FRONT : run->source; }

/* The lanes' streams in front of the slots they begin in: given, or what the tables say. */
static sonde_status run_front(sonde_session *s, lane *const *lanes, int n, float *stream, sonde_error *err) {
    const int64_t d = s->model->config.d;
    segment      *g;
    int           m = 0;
    SONDE_TRY(run_segments(s, n, &g, err));
    for (int i = 0; i < n; i++) {
        lane *l = lanes[i];
        l->x = stream;
        stream += l->n * d;
        const int front = first_slot(&l->plan.run, l->stack);
        l->at = l->given ? l->begin : front == FRONT ? 0 : front + 1;
        if (l->given) memcpy(l->x, l->given + l->first * d, (size_t)(l->n * d) * sizeof(float));
        else if (l->n) g[m++] = (segment){ .l = l, .slot = front, .first = l->first, .n = l->n };
    }
    if (!m) return SONDE_OK;
    exec x = run_exec(s, (program_key){ .stage = STAGE_FRONT, .stack = lanes[0]->stack }, -1, g, m);
    SONDE_TRY(run_front_rows(s, &x, err));
    SONDE_TRY(exec_forward(&x, err));
    for (int i = 0; i < m; i++)
        memcpy(g[i].l->x, x.value[x.program->out] + g[i].row * d, (size_t)(g[i].n * d) * sizeof(float));
    return SONDE_OK;
}

/* An encoder's blocks end in front of its last slot. */
static int last_block(const lane *l) {
    const int end = l->plan.run.source - 1;
    return l->stack == STACK_ENCODER && end < l->until ? end : l->until;
}

static bool waits(const lane *l) { return l->n && l->at < last_block(l); }

/* The lanes that wait for the earliest block, as segments; 0: nobody waits. */
static int gather(lane *const *lanes, int n, segment *g, program_key *key, bool backward) {
    const lane *first = NULL;
    for (int i = 0; i < n; i++)
        if (waits(lanes[i]) && (!first || lanes[i]->plan.run.at[lanes[i]->at].block < first->plan.run.at[first->at].block))
            first = lanes[i];
    if (!first) return 0;
    const int block = first->plan.run.at[first->at].block;
    int       m = 0;
    *key = lane_key(first, first->at, backward);
    for (int i = 0; i < n; i++) {
        lane *l = lanes[i];
        if (!waits(l) || l->plan.run.at[l->at].block != block) continue;
        const program_key k = lane_key(l, l->at, backward);
        if (run_same_key(k, *key)) g[m++] = (segment){ .l = l, .slot = l->at, .first = l->first, .n = l->n };
    }
    return m;
}

sonde_status run_cross(sonde_session *s, segment *g, int n, exec *x, sonde_error *err) {
    const int64_t d = s->model->config.d;
    for (int i = 0; i < n; i++) {
        g[i].first = 0;
        g[i].n = g[i].l->source->length;
    }
    *x = run_exec(s, (program_key){ .stage = STAGE_CROSS }, g[0].l->plan.run.at[g[0].slot].block, g, n);
    SONDE_TRY(workspace_take(s->memory, x->rows * d, &x->value[x->program->in], err));
    for (int i = 0; i < n; i++)
        memcpy(x->value[x->program->in] + g[i].row * d, g[i].l->source->end, (size_t)(g[i].n * d) * sizeof(float));
    return SONDE_OK;
}

/* What the encoder says to this block, once a lane: when its first rows come. */
static sonde_status hear_encoders(sonde_session *s, const segment *g, int n, program_key key, sonde_error *err) {
    const arch_config *c = &s->model->config;
    const int64_t      w = c->kv_heads * c->e;
    segment           *first;
    exec               x;
    int                m = 0;
    if (!g[0].l->source || key.stack != STACK_MAIN || key.no_cross) return SONDE_OK;
    SONDE_TRY(run_segments(s, n, &first, err));
    for (int i = 0; i < n; i++)
        if (g[i].first == 0) first[m++] = g[i];
    if (!m) return SONDE_OK;
    SONDE_TRY(run_cross(s, first, m, &x, err));
    SONDE_TRY(exec_forward(&x, err));
    for (int i = 0; i < m; i++) {
        const lane  *l = first[i].l;
        const size_t bytes = (size_t)(first[i].n * w) * sizeof(float);
        memcpy(l->cross_keys[first[i].slot], x.value[x.program->out] + first[i].row * w, bytes);
        memcpy(l->cross_values[first[i].slot], x.value[x.program->also] + first[i].row * w, bytes);
    }
    return SONDE_OK;
}

static float *stream_of(const segment *g, int64_t d) { return g->l->x + (g->first - g->l->first) * d; }

/* The rows of one segment, `own`, are read, and where that may be the result is made, where they stand. */
static sonde_status take_streams(sonde_session *s, exec *x, bool own, sonde_error *err) {
    const int64_t d = s->model->config.d;
    if (own && x->n_segments == 1) {
        x->value[x->program->in] = stream_of(x->segment, d);
        if (exec_ends_in_place(x)) x->value[x->program->out] = x->value[x->program->in];
        return SONDE_OK;
    }
    SONDE_TRY(workspace_take(s->memory, x->rows * d, &x->value[x->program->in], err));
    for (const segment *g = x->segment; g < x->segment + x->n_segments; g++)
        memcpy(x->value[x->program->in] + g->row * d, stream_of(g, d), (size_t)(g->n * d) * sizeof(float));
    return SONDE_OK;
}

/* Does the lane want nothing of this slot but what is behind it, at the rows that it wants? */
static bool narrows(const lane *l, const arch_config *c) {
    if (l->at + 1 < l->plan.run.n || l->stack != STACK_MAIN || c->bidirectional) return false;
    if (l->every_row || l->inputs || l->behind || run_wants_pool(l, c)) return false;
    for (int i = 0; i < SITE_COUNT; i++)
        if (lane_flags(l, l->at)[i] & ~FLAG_EDIT) return false;
    return true;
}

/* Rows of segments: those that go through the whole block, and those of which attention keeps keys and values. */
typedef struct { segment *whole, *keys; int n_whole, n_keys; } cut;

static sonde_status cut_rows(sonde_session *s, const segment *g, int n, cut *out, sonde_error *err) {
    int most = 0;
    for (int i = 0; i < n; i++) most += (int)(g[i].l->n_rows < (size_t)g[i].n ? (int64_t)g[i].l->n_rows + 1 : g[i].n) + 1;
    *out = (cut){ 0 };
    SONDE_TRY(run_segments(s, most, &out->whole, err));
    SONDE_TRY(run_segments(s, most, &out->keys, err));
    for (int i = 0; i < n; i++) {
        size_t next = 0;
        if (!narrows(g[i].l, &s->model->config)) {
            out->whole[out->n_whole++] = g[i];
            continue;
        }
        for (int64_t t = g[i].first; t < g[i].first + g[i].n; t++) {
            const bool wanted = run_wants_row(g[i].l, t, &next);
            segment   *to = wanted ? out->whole : out->keys;
            int       *m = wanted ? &out->n_whole : &out->n_keys;
            if (*m && to[*m - 1].l == g[i].l && to[*m - 1].first + to[*m - 1].n == t) to[*m - 1].n++;
            else to[(*m)++] = (segment){ .l = g[i].l, .slot = g[i].slot, .first = t, .n = 1 };
        }
    }
    return SONDE_OK;
}

/* Where a lane keeps keys or values of a segment's rows. */
static float *kept_rows(const segment *g, float *const *of, int64_t width) {
    return of[g->slot] + (g->first - g->l->lent) * width;
}

static sonde_status run_keys(sonde_session *s, segment *g, int n, program_key key, sonde_error *err) {
    const arch_config *c = &s->model->config;
    const int64_t      w = c->kv_heads * c->e;
    if (!n || key.no_attn || !arch_part(c, PART_SELF)) return SONDE_OK;
    exec x = run_exec(s, (program_key){ .stage = STAGE_KEYS, .stack = key.stack, .split_k = key.split_k, .split_v = key.split_v },
                      g[0].l->plan.run.at[g[0].slot].block, g, n);
    float **const out = &x.value[x.program->out], **const also = &x.value[x.program->also];
    SONDE_TRY(take_streams(s, &x, false, err));
    if (n == 1) {
        *out = kept_rows(g, g->l->keys, w);
        *also = kept_rows(g, g->l->values, w);
    }
    SONDE_TRY(exec_forward(&x, err));
    for (int i = 0; n > 1 && i < n; i++) {
        const size_t bytes = (size_t)(g[i].n * w) * sizeof(float);
        memcpy(kept_rows(&g[i], g[i].l->keys, w), *out + g[i].row * w, bytes);
        memcpy(kept_rows(&g[i], g[i].l->values, w), *also + g[i].row * w, bytes);
    }
    return SONDE_OK;
}

/* What a lane keeps of the stream in front of a slot, and of the last one. */
static void keep_stream(const lane *l, float *to, int64_t d) {
    if (to) memcpy(to + l->first * d, l->x, (size_t)(l->n * d) * sizeof(float));
}

static sonde_status keep_block(sonde_session *s, const exec *x, exec **to, sonde_error *err) {
    float   *room;
    segment *own;
    SONDE_TRY(workspace_take(s->memory, (int64_t)(sizeof *x / sizeof *room) + 1, &room, err));
    SONDE_TRY(run_segments(s, x->n_segments, &own, err));
    memcpy(own, x->segment, (size_t)x->n_segments * sizeof *own);
    *to = memcpy(room, x, sizeof *x);
    (*to)->segment = own;
    return SONDE_OK;
}

static sonde_status run_block(sonde_session *s, segment *g, int n, program_key key, sonde_error *err) {
    const int64_t d = s->model->config.d;
    cut           rows;
    SONDE_TRY(hear_encoders(s, g, n, key, err));
    SONDE_TRY(cut_rows(s, g, n, &rows, err));
    for (int i = 0; i < n; i++) keep_stream(g[i].l, g[i].l->inputs ? g[i].l->inputs[g[i].slot] : NULL, d);
    SONDE_TRY(run_keys(s, rows.keys, rows.n_keys, key, err));
    if (rows.n_whole) {
        exec x = run_exec(s, key, g[0].l->plan.run.at[g[0].slot].block, rows.whole, rows.n_whole);
        SONDE_TRY(take_streams(s, &x, !g[0].l->blocks, err));
        SONDE_TRY(exec_forward(&x, err));
        if (g[0].l->blocks) SONDE_TRY(keep_block(s, &x, &g[0].l->blocks[g[0].slot], err));
        const bool there = x.value[x.program->out] == stream_of(rows.whole, d);
        for (const segment *r = rows.whole; !there && r < rows.whole + rows.n_whole; r++)
            memcpy(stream_of(r, d), x.value[x.program->out] + r->row * d, (size_t)(r->n * d) * sizeof(float));
    }
    for (int i = 0; i < n; i++)
        if (++g[i].l->at == g[i].l->plan.run.n) keep_stream(g[i].l, g[i].l->behind, d);
    return SONDE_OK;
}

/* ---- forward ---- */

static sonde_status run_blocks(sonde_session *s, lane *const *lanes, int n, bool backward, sonde_error *err) {
    int64_t rows = 0;
    float  *stream;
    for (int i = 0; i < n; i++) rows += lanes[i]->n;
    if (!rows) return SONDE_OK;
    SONDE_TRY(workspace_take(s->memory, rows * s->model->config.d, &stream, err));
    segment *g;
    SONDE_TRY(run_segments(s, n, &g, err));
    const workspace_mark here = workspace_here(s->memory);
    SONDE_TRY(run_front(s, lanes, n, stream, err));
    for (program_key key;;) {
        if (!lanes[0]->blocks) workspace_release(s->memory, here);
        const int m = gather(lanes, n, g, &key, backward);
        if (!m) return SONDE_OK;
        if (s->stop && s->stop(s->stop_user)) return sonde_fail(err, SONDE_CANCELLED, "interrupted");
        SONDE_TRY(run_block(s, g, m, key, err));
    }
}

/* `start`: the first rows of the lanes. */
static sonde_status run_pass(sonde_session *s, lane *const *lanes, int n, bool backward, bool start, sonde_error *err) {
    SONDE_TRY(run_blocks(s, lanes, n, backward, err));
    return run_answers(s, lanes, n, start, err);
}

/* ---- encoders ---- */

sonde_status run_end(sonde_session *s, segment *g, const float *input, exec *x, sonde_error *err) {
    const int64_t d = s->model->config.d;
    *x = run_exec(s, (program_key){ .stage = STAGE_BACK, .stack = STACK_ENCODER }, -1, g, 1);
    SONDE_TRY(workspace_take(s->memory, x->rows * d, &x->value[x->program->in], err));
    memcpy(x->value[x->program->in], input, (size_t)(x->rows * d) * sizeof(float));
    return SONDE_OK;
}

static sonde_status end_encoder(sonde_session *s, lane *l, sonde_error *err) {
    const size_t         bytes = (size_t)(l->length * s->model->config.d) * sizeof(float);
    const workspace_mark here = workspace_here(s->memory);
    const int            end = l->plan.run.source - 1;
    segment              g = { .l = l, .slot = end, .first = 0, .n = l->length };
    exec                 x;
    l->first = l->length;
    if (l->until <= end) return SONDE_OK;
    if (l->inputs) memcpy(l->inputs[end], l->x, bytes);
    SONDE_TRY(run_end(s, &g, l->x, &x, err));
    SONDE_TRY(exec_forward(&x, err));
    memcpy(l->end, x.value[x.program->out], bytes);
    workspace_release(s->memory, here);
    return SONDE_OK;
}

/* The encoders that have not run, side by side and whole; who watches the lane watches them. */
static sonde_status run_sources(sonde_session *s, lane *const *lanes, int n, bool backward, sonde_error *err) {
    const workspace_mark here = workspace_here(s->memory);
    float *room;
    int    m = 0;
    SONDE_TRY(workspace_take(s->memory, (int64_t)((size_t)n * sizeof *lanes / sizeof *room) + 1, &room, err));
    lane **sources = (lane **)(void *)room;
    for (int i = 0; i < n; i++) {
        lane *l = lanes[i]->source;
        if (!l || l->first) continue;
        l->tap = lanes[i]->tap;
        l->keep = lanes[i]->keep;
        l->until = lanes[i]->until;
        l->n = l->length;
        sources[m++] = l;
    }
    if (m) SONDE_TRY(run_blocks(s, sources, m, backward, err));
    for (int i = 0; i < m; i++) SONDE_TRY(end_encoder(s, sources[i], err));
    workspace_release(s->memory, here);
    return SONDE_OK;
}

/* Does the lane's own stack run at all? */
static bool goes_on(const lane *l) { return !l->source || l->until > l->plan.run.source; }

/* A run of `goal` positions from now on. Where its rotations are other ones than those of the keys that are there, every
 * number of the lane is another one, streams and values too: it starts again. So whatever was added bit by bit is
 * equal to one run of the same length, and a chunk turns as its whole run does. */
static void extend(const rope *r, lane *l, int64_t goal) {
    if (l->first && rope_crosses(r, l->turning, goal)) l->first = 0;
    l->turning = goal;
}

sonde_status lanes_run(sonde_session *s, lane *const *lanes, int n, const int64_t *goal, int64_t chunk, sonde_error *err) {
    for (int i = 0; i < n; i++) extend(&s->model->config.rope, lanes[i], goal[i]);
    SONDE_TRY(run_sources(s, lanes, n, chunk == 0, err));
    for (bool more = true, start = true; more; start = false) {
        const workspace_mark here = workspace_here(s->memory);
        more = false;
        for (int i = 0; i < n; i++) {
            const int64_t left = goes_on(lanes[i]) ? goal[i] - lanes[i]->first : 0;
            lanes[i]->n = chunk && left > chunk && !s->model->config.bidirectional ? chunk : left;
        }
        SONDE_TRY(run_pass(s, lanes, n, chunk == 0, start, err));
        if (chunk == 0) return SONDE_OK;            /* the stream stays for the way back */
        for (int i = 0; i < n; i++) {
            lanes[i]->first += lanes[i]->n;
            more |= goes_on(lanes[i]) && lanes[i]->first < goal[i];
        }
        workspace_release(s->memory, here);
    }
    return SONDE_OK;
}

