/* The residual stream after the embedding, after each attention and after each block, read by the model's own final norm
 * and unembedding; the norm is computed anew on every state (nostalgebraist, interpreting GPT: the logit lens, 2020;
 * overlap: Katz and Belinkov, VISIT, 2023, arXiv 2305.13417).
 *
 * Where a norm stands behind a sum, the stream is what that norm gives: states are read there.
 *
 * States are kept [positions, states, d]; logits exist for the states of one position at a time. */
#include "method_lens.h"
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

/* Sites of states: of blocks that norm the stream behind their sums, and of others. */
typedef enum { STATE_PRE, STATE_MID, STATE_POST, STATE_KINDS } state_kind;
static const struct { const char *word, *plain, *normed; } kinds[STATE_KINDS] = {
    [STATE_PRE]  = { "pre", ".hook_resid_pre", ".hook_resid_pre" },
    [STATE_MID]  = { "mid", ".hook_resid_mid", ".ln1.hook_out" },
    [STATE_POST] = { "post", ".hook_resid_post", ".hook_normalized_resid_post" },
};

static bool is_kind(const lens *l, const char *name, state_kind k) { return ends_in(name, l->normed ? kinds[k].normed : kinds[k].plain); }

/* "blocks.4r1.hook_resid_mid" as a person reads it: "4r1 mid". */
static void label_state(lens_state *s, state_kind k) {
    const char *block = strchr(s->name, '.') + 1;
    snprintf(s->label, sizeof s->label, "%.*s %s", (int)strcspn(block, "."), block, kinds[k].word);
}

static sonde_status see_norm(const sonde_site *s, void *user, sonde_error *err) {
    (void)err;
    ((lens *)user)->normed |= ends_in(s->name, ".hook_normalized_resid_post");
    return SONDE_OK;
}

static sonde_status add_state(const sonde_site *s, void *user, sonde_error *err) {
    (void)err;
    lens *l = user;
    state_kind k = STATE_PRE;
    while (k < STATE_KINDS && !is_kind(l, s->name, k)) k++;
    if (k == STATE_KINDS || (k == STATE_PRE && l->n) || (k == STATE_MID && !l->mid)) return SONDE_OK;
    l->state = room_grow(l->state, l->n, 1, sizeof *l->state);
    l->state[l->n++] = (lens_state){ .name = room_text(s->name, strlen(s->name)), .block = s->block,
                                     .shown = layer_chosen(l, s->block), .site = *s };
    label_state(&l->state[l->n - 1], k);
    return SONDE_OK;
}

/* Blocks behind a state, in the order of the run, as a share of all; a state inside a block has half of it behind it. */
static void place_states(lens *l) {
    double posts = 0, all = 0;
    for (size_t i = 0; i < l->n; i++) all += is_kind(l, l->state[i].name, STATE_POST);
    for (size_t i = 0; i < l->n; i++) {
        posts += is_kind(l, l->state[i].name, STATE_POST);
        l->state[i].depth = (posts + (is_kind(l, l->state[i].name, STATE_MID) ? 0.5 : 0)) / (all > 0 ? all : 1);
    }
}

/* ---- the run ---- */

static sonde_status take_state(lens *l, const sonde_answer *a) {
    for (size_t i = 0; i < l->n_positions; i++) {
        const int64_t row = l->position[i] - a->first;
        if (row < 0 || row >= a->value.dim[0]) continue;
        memcpy(l->stream + ((int64_t)(i * l->n) + (int64_t)a->want) * l->d, a->value.data + row * l->d,
               (size_t)l->d * sizeof(float));
    }
    return SONDE_OK;
}

static sonde_status take(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    lens *l = user;
    if (a->want < l->n) return take_state(l, a);
    for (size_t i = 0; i < l->n_positions; i++)
        if (l->position[i] == a->first)
            memcpy(l->answer + (int64_t)i * l->v, a->value.data, (size_t)l->v * sizeof(float));
    return SONDE_OK;
}

static sonde_status run(lens *l, sonde_cost *cost, sonde_error *err) {
    sonde_context *cx = l->cx;
    const sonde_variant v = { 0, cx->edits, cx->n_edits };
    sonde_want *want = ROOM(sonde_want, l->n + 1);
    int64_t    *at = ROOM(int64_t, l->n_positions);
    for (size_t i = 0; i < l->n; i++) want[i] = (sonde_want){ .kind = SONDE_WANT_SITE, .sites = l->state[i].name };
    for (size_t i = 0; i < l->n_positions; i++) at[i] = l->position[i];
    want[l->n] = (sonde_want){ .kind = SONDE_WANT_LOGITS, .at = at, .n_at = l->n_positions };
    const sonde_batch b = { .bases = &l->p, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = want,
                            .n_wants = l->n + (cx->n_edits > 0), .runs = l->runs, .n_runs = l->n_runs, .seed = cx->seed };
    const sonde_status s = cost ? sonde_variants_cost(cx->session, &b, cost, err)
                                : sonde_variants_run(cx->session, &b, take, l, err);
    free(at);
    free(want);
    return s;
}

sonde_status lens_cost(lens *l, sonde_cost *out, sonde_error *err) {
    SONDE_TRY(run(l, out, err));
    out->flops += 2 * (double)l->n_positions * (double)l->n * (double)l->d * (double)l->v;
    out->bytes += 4 * ((int64_t)(l->n_positions * l->n) * l->d + (int64_t)l->n * l->v);
    return SONDE_OK;
}

/* ---- reading ---- */

double lens_overlap(const lens *l, const float *row) {
    const size_t n = sonde_logits_top(row, l->v, (size_t)l->k, l->top);
    int64_t both = 0;
    for (size_t i = 0; i < n; i++) both += l->in_top[l->top[i]];
    return (double)both / (double)n;
}

static sonde_status read_position(lens *l, size_t i, sonde_error *err) {
    float *last = l->logits + (int64_t)(l->n - 1) * l->v;
    SONDE_TRY(sonde_session_unembed(l->cx->session, l->stream + (int64_t)(i * l->n) * l->d, (int64_t)l->n, l->logits, err));
    if (l->answer) memcpy(last, l->answer + (int64_t)i * l->v, (size_t)l->v * sizeof *last);
    const size_t n = sonde_logits_top(last, l->v, (size_t)l->k, l->top);
    memset(l->in_top, 0, (size_t)l->v);
    for (size_t k = 0; k < n; k++) l->in_top[l->top[k]] = 1;
    l->end = sonde_logits_stats(last, l->v);
    for (size_t s = 0; s < l->n; s++)
        if (l->state[s].shown) l->cell(l, i, s, l->logits + (int64_t)s * l->v, last);
    return SONDE_OK;
}

static void free_buffers(lens *l) {
    free(l->stream);
    free(l->answer);
    free(l->logits);
    free(l->in_top);
    free(l->top);
    l->stream = l->answer = l->logits = NULL;
    l->in_top = NULL;
    l->top = NULL;
}

sonde_status lens_read(lens *l, sonde_error *err) {
    const int64_t most = l->k > l->cx->top ? l->k : (int64_t)l->cx->top;
    free_buffers(l);
    l->stream = ROOM(float, (int64_t)(l->n_positions * l->n) * l->d);
    if (l->cx->n_edits) l->answer = ROOM(float, (int64_t)l->n_positions * l->v);
    l->logits = ROOM(float, (int64_t)l->n * l->v);
    l->in_top = ROOM(uint8_t, l->v);
    l->top = ROOM(int32_t, most < l->v ? most : l->v);
    SONDE_TRY(run(l, NULL, err));
    const int64_t all = (int64_t)l->n_positions;
    for (int64_t i = 0; i < all; i++) {
        SONDE_TRY(read_position(l, (size_t)i, err));
        if (l->cx->n_documents == 0) l->cx->progress(l->cx->progress_user, "positions", i + 1, all);
    }
    return SONDE_OK;
}

sonde_status lens_open(lens *l, const param *rows, const value *args, sonde_error *err) {
    const sonde_model_info *info = sonde_model_describe(l->cx->model);
    SONDE_TRY(param_numbers(&rows[LENS_LAYERS], args[LENS_LAYERS].text, (long)info->layers, &l->layer, &l->n_layers, err));
    l->mid = args[LENS_MID].i;
    const sonde_site_query q = { NULL, l->cx->edits, l->cx->n_edits, l->p.n, 0 };
    SONDE_TRY(sonde_sites(l->cx->model, &q, see_norm, l, err));
    SONDE_TRY(sonde_sites(l->cx->model, &q, add_state, l, err));
    SONDE_FAIL_IF(l->n == 0, err, SONDE_USAGE, "every block is skipped: there is no residual stream to read");
    place_states(l);
    l->d = info->d;
    l->v = info->vocab;
    l->k = args[LENS_K].i < l->v ? args[LENS_K].i : l->v;
    return SONDE_OK;
}

void lens_close(lens *l) {
    for (size_t i = 0; i < l->n; i++) free(l->state[i].name);
    free(l->state);
    free(l->layer);
    free(l->position);
    free_buffers(l);
}
