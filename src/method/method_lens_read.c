/* The residual stream after the embedding, after each attention and after each block, read by the model's own final norm
 * and unembedding; the norm is computed anew on every state (nostalgebraist, interpreting GPT: the logit lens, 2020;
 * overlap: Katz and Belinkov, VISIT, 2023, arXiv 2305.13417).
 *
 * Where a norm stands behind a sum, the stream is what that norm gives: states are read there.
 *
 * States are kept [positions, states, d]; logits exist for the states of a few positions at a time, and are read where they
 * were computed, position by position on all threads. */
#include "method_lens.h"
#include "ends.h"
#include "room.h"
#include <stdio.h>

static bool ends_in(const char *name, const char *end) {
    const size_t n = strlen(name), m = strlen(end);
    return n > m && strcmp(name + n - m, end) == 0;
}

static bool layer_chosen(const lens *l, int block) {
    for (size_t i = 0; i < l->n_layers; i++)
        if (l->layer[i] == block) return true;
    return false;
}

typedef enum { NO_STATE, STATE_PRE, STATE_MID, STATE_CROSS, STATE_POST } state_kind;

/* What the site is to the lens. The output of the norm behind a sum is what goes on where there is one. */
static state_kind kind_of(const lens *l, const sonde_site *s) {
    static const struct { const char *end; state_kind kind; } before[] = {
        { ".hook_resid_pre", STATE_PRE }, { ".hook_resid_mid", STATE_MID }, { ".hook_resid_mid_cross", STATE_CROSS },
        { ".hook_resid_post", STATE_POST },
    }, behind[] = {
        { ".hook_resid_pre", STATE_PRE }, { ".ln1.hook_out", STATE_MID }, { ".ln2.hook_out", STATE_CROSS },
        { ".hook_normalized_resid_post", STATE_POST },
    };
    if (s->block < 0 || s->of_target != l->two) return NO_STATE;
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        const state_kind kind = before[i].kind;
        if (!ends_in(s->name, l->post_norm ? behind[i].end : before[i].end)) continue;
        return kind == STATE_CROSS && !l->two ? NO_STATE : kind;
    }
    return NO_STATE;
}

/* "blocks.4r1.hook_resid_mid" as a person reads it: "4r1 mid". */
static void label_state(lens_state *s, state_kind kind) {
    static const char *const words[] = { "", "pre", "mid", "cross", "post" };
    const char *block = strchr(s->name, '.') + 1;
    snprintf(s->label, sizeof s->label, "%.*s %s", (int)strcspn(block, "."), block, words[kind]);
}

static sonde_status find_norm(const sonde_site *s, void *user, sonde_error *err) {
    (void)err;
    lens *l = user;
    l->post_norm |= s->of_target == l->two && ends_in(s->name, ".hook_normalized_resid_post");
    return SONDE_OK;
}

static sonde_status add_state(const sonde_site *s, void *user, sonde_error *err) {
    (void)err;
    lens *l = user;
    const state_kind kind = kind_of(l, s);
    const bool inside = kind == STATE_MID || kind == STATE_CROSS;
    if (kind == NO_STATE || (kind == STATE_PRE && l->n > 0) || (inside && !l->mid)) return SONDE_OK;
    l->state = room_grow(l->state, l->n, 1, sizeof *l->state);
    l->state[l->n++] = (lens_state){ .name = room_text(s->name, strlen(s->name)), .block = s->block,
                                     .shown = layer_chosen(l, s->block), .site = *s };
    label_state(&l->state[l->n - 1], kind);
    return SONDE_OK;
}

/* Blocks behind a state, in the order of the run, as a share of all; a state inside a block has half of it behind it. */
static void place_states(lens *l) {
    double posts = 0, all = 0;
    for (size_t i = 0; i < l->n; i++) all += ends_in(l->state[i].label, " post");
    for (size_t i = 0; i < l->n; i++) {
        const bool inside = ends_in(l->state[i].label, " mid") || ends_in(l->state[i].label, " cross");
        posts += ends_in(l->state[i].label, " post");
        l->state[i].depth = (posts + (inside ? 0.5 : 0)) / (all > 0 ? all : 1);
    }
}

/* ---- the run ---- */

static sonde_status take_state(lens *l, const sonde_answer *a) {
    for (size_t i = 0; i < l->n_positions; i++) {
        const int64_t row = l->position[i] - a->first;
        if (row < 0 || row >= a->value.dim[0]) continue;
        memcpy(l->stream + (int64_t)(i * l->n_read + a->want) * l->d, a->value.data + row * l->d, (size_t)l->d * sizeof(float));
    }
    return SONDE_OK;
}

static sonde_status take(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    lens *l = user;
    if (a->want < l->n_read) return take_state(l, a);
    for (size_t i = 0; i < l->n_positions; i++)
        if (l->position[i] == a->first)
            memcpy(l->answer + (int64_t)i * l->v, a->value.data, (size_t)l->v * sizeof(float));
    return SONDE_OK;
}

static sonde_status run(lens *l, sonde_cost *cost, sonde_error *err) {
    sonde_context *cx = l->cx;
    const sonde_variant v = { 0, cx->edits, cx->n_edits };
    sonde_want *want = ROOM(sonde_want, l->n_read + 1);
    int64_t    *at = ROOM(int64_t, l->n_positions);
    for (size_t i = 0; i < l->n_read; i++)
        want[i] = (sonde_want){ .kind = SONDE_WANT_SITE, .sites = l->state[l->read[i]].name };
    for (size_t i = 0; i < l->n_positions; i++) at[i] = l->position[i];
    want[l->n_read] = (sonde_want){ .kind = SONDE_WANT_LOGITS, .at = at, .n_at = l->n_positions };
    const sonde_batch b = { .bases = &l->p, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = want,
                            .n_wants = l->n_read + (cx->n_edits > 0), .runs = l->runs, .n_runs = l->n_runs, .seed = cx->seed };
    const sonde_status s = cost ? sonde_variants_cost(cx->session, &b, cost, err)
                                : sonde_variants_run(cx->session, &b, take, l, err);
    free(at);
    free(want);
    return s;
}

/* Positions whose logits exist at once: about so many rows, and megabytes. */
static size_t positions_at_once(const lens *l) {
    enum { ROWS = 512, MEGABYTES = 128 };
    const int64_t most = ((int64_t)MEGABYTES << 20) / (l->v * (int64_t)sizeof(float)), rows = most < ROWS ? most : ROWS;
    const size_t  n = (size_t)(rows / (int64_t)l->n_read);
    return n < 1 ? 1 : n > l->n_positions ? l->n_positions : n;
}

sonde_status lens_cost(lens *l, sonde_cost *out, sonde_error *err) {
    SONDE_TRY(run(l, out, err));
    const int64_t states = (int64_t)l->n_read;
    out->flops += 2 * (double)l->n_positions * (double)states * (double)l->d * (double)l->v;
    out->bytes += 4 * ((int64_t)l->n_positions * states * l->d + (int64_t)positions_at_once(l) * states * l->v);
    return SONDE_OK;
}

/* ---- reading ---- */

/* What one position needs while it is read. */
typedef struct {
    uint8_t   *in_top;          /* [v]: among the model's k largest */
    double    *prob;            /* [v]: the model's probabilities */
    int32_t   *top;             /* [n_read, most] */
    float     *top_logit;
    lens_cell *cell;            /* [n_read] */
} lens_room;

typedef struct lens_block { lens_room *room; size_t n, first, most; } lens_block;

static double overlap(const lens *l, const lens_room *r, const int32_t *top) {
    int64_t both = 0;
    for (int64_t i = 0; i < l->k; i++) both += r->in_top[top[i]];
    return (double)both / (double)l->k;
}

static void read_state(const lens *l, lens_room *r, size_t state, const float *row, const sonde_known_logits *end) {
    const int64_t     at = (int64_t)(state * l->block->most);
    int32_t          *top = r->top + at;
    lens_cell        *c = &r->cell[state];
    *c = (lens_cell){ .stats = sonde_logits_stats(row, l->v), .top = top, .top_logit = r->top_logit + at };
    const size_t n = sonde_logits_top(row, l->v, l->block->most, top);
    c->n_top = n < (size_t)l->cx->top ? n : (size_t)l->cx->top;
    for (size_t i = 0; i < c->n_top; i++) r->top_logit[at + (int64_t)i] = row[top[i]];
    c->best = row[c->stats.argmax];
    c->kl = sonde_logits_kl_probs(end, row, c->stats.log_sum, l->v);
    c->overlap = overlap(l, r, top);
}

/* On any thread: the states of the block's g-th position. */
static void read_position(void *user, int64_t g, const float *logits) {
    const lens *l = user;
    lens_room  *r = &l->block->room[g];
    const size_t i = l->block->first + (size_t)g, end = l->n_read - 1;
    const float *last = l->answer ? l->answer + (int64_t)i * l->v : logits + (int64_t)end * l->v;
    const sonde_logit_stats model = sonde_logits_stats(last, l->v);
    const sonde_known_logits known = { last, model.log_sum, r->prob };
    sonde_logits_probs(last, l->v, model.log_sum, r->prob);
    sonde_logits_top(last, l->v, (size_t)l->k, r->top);
    memset(r->in_top, 0, (size_t)l->v);
    for (int64_t k = 0; k < l->k; k++) r->in_top[r->top[k]] = 1;
    for (size_t s = 0; s < l->n_read; s++) {
        const float *row = s == end ? last : logits + (int64_t)s * l->v;
        lens_cell   *c = &r->cell[s];
        if (!l->state[l->read[s]].shown) continue;
        read_state(l, r, s, row, &known);
        c->rank = sonde_logits_rank(row, l->v, model.argmax);
        c->same = c->stats.argmax == model.argmax;
        if (!l->next) continue;
        c->next = row[l->p.tokens[l->position[i] + 1]];
        c->kl_state = sonde_logits_kl_known(row, c->stats.log_sum, last, model.log_sum, l->v);
    }
}

static sonde_status read_block(lens *l, size_t first, size_t n, sonde_error *err) {
    l->block->first = first;
    const sonde_unembedding u = { l->stream + (int64_t)(first * l->n_read) * l->d, (int64_t)n, (int64_t)l->n_read,
                                  read_position, l };
    SONDE_TRY(sonde_session_unembed_each(l->cx->session, &u, err));
    for (size_t i = 0; i < n; i++)
        for (size_t s = 0; s < l->n_read; s++)
            if (l->state[l->read[s]].shown) l->cell(l, first + i, l->read[s], &l->block->room[i].cell[s]);
    return SONDE_OK;
}

static void block_open(lens *l) {
    const int64_t most = l->k > (int64_t)l->cx->top ? l->k : (int64_t)l->cx->top;
    lens_block   *b = l->block = ROOM(lens_block, 1);
    b->n = positions_at_once(l);
    b->most = (size_t)(most < l->v ? most : l->v);
    b->room = ROOM(lens_room, b->n);
    for (size_t i = 0; i < b->n; i++)
        b->room[i] = (lens_room){ ROOM(uint8_t, l->v), ROOM(double, l->v), ROOM(int32_t, l->n_read * b->most),
                                  ROOM(float, l->n_read * b->most), ROOM(lens_cell, l->n_read) };
}

static void free_buffers(lens *l) {
    lens_block *b = l->block;
    for (size_t i = 0; b && i < b->n; i++) {
        free(b->room[i].in_top);
        free(b->room[i].prob);
        free(b->room[i].top);
        free(b->room[i].top_logit);
        free(b->room[i].cell);
    }
    if (b) free(b->room);
    free(b);
    free(l->stream);
    free(l->answer);
    l->stream = l->answer = NULL;
    l->block = NULL;
}

sonde_status lens_read(lens *l, sonde_error *err) {
    free_buffers(l);
    l->stream = ROOM(float, (int64_t)(l->n_positions * l->n_read) * l->d);
    if (l->cx->n_edits) l->answer = ROOM(float, (int64_t)l->n_positions * l->v);
    SONDE_TRY(run(l, NULL, err));
    block_open(l);
    for (size_t i = 0; i < l->n_positions; i += l->block->n) {
        const size_t n = l->n_positions - i < l->block->n ? l->n_positions - i : l->block->n;
        SONDE_TRY(read_block(l, i, n, err));
        if (l->cx->n_documents == 0) l->cx->progress(l->cx->progress_user, "positions", (int64_t)(i + n), (int64_t)l->n_positions);
    }
    return SONDE_OK;
}

sonde_status lens_open(lens *l, const param *rows, const value *args, sonde_error *err) {
    const sonde_model_info *info = sonde_model_describe(l->cx->model);
    SONDE_TRY(param_numbers(&rows[LENS_LAYERS], args[LENS_LAYERS].text, (long)info->layers, &l->layer, &l->n_layers, err));
    l->mid = args[LENS_MID].i;
    if (!(info->head & SONDE_HEAD_LM)) SONDE_TRY(end_needed(l->cx, SONDE_HEAD_MLM, err));
    l->two = info->encoder_layers > 0;
    context_rows(l->cx, &l->p, &l->rows);
    const sonde_site_query q = { NULL, l->cx->edits, l->cx->n_edits, l->p.n, l->rows };
    SONDE_TRY(sonde_sites(l->cx->model, &q, find_norm, l, err));
    SONDE_TRY(sonde_sites(l->cx->model, &q, add_state, l, err));
    SONDE_FAIL_IF(l->n == 0, err, SONDE_USAGE, "every block is skipped: there is no residual stream to read");
    place_states(l);
    l->read = ROOM(size_t, l->n);
    for (size_t i = 0; i < l->n; i++)
        if (l->state[i].shown || i + 1 == l->n) l->read[l->n_read++] = i;
    l->d = info->d;
    l->v = info->vocab;
    l->k = args[LENS_K].i < l->v ? args[LENS_K].i : l->v;
    return SONDE_OK;
}

void lens_close(lens *l) {
    for (size_t i = 0; i < l->n; i++) free(l->state[i].name);
    free(l->state);
    free(l->read);
    free(l->layer);
    free(l->position);
    free_buffers(l);
}
