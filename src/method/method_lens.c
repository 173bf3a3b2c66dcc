/* The residual stream after the embedding, after each attention and after each block, read by the model's own final norm
 * and unembedding; the norm is computed anew on every state (nostalgebraist, interpreting GPT: the logit lens, 2020;
 * overlap: Katz and Belinkov, VISIT, 2023, arXiv 2305.13417).
 *
 * States are kept [positions, states, d]; logits exist for the states of one position at a time. */
#include "dry.h"
#include "prompt_runs.h"
#include "room.h"
#include <stdio.h>

enum { LENS_LAYERS, LENS_POSITIONS, LENS_K, LENS_MID };

static const param params[] = {
    [LENS_LAYERS] = { "layers", PARAM_LAYERS, "all", 0, 0, "blocks whose states are shown (the embedding belongs to the first)" },
    [LENS_POSITIONS] = { "positions", PARAM_NUMBERS, "all", 0, 0, "positions that are read; -1 is the last" },
    [LENS_K] = { "k", PARAM_INT, "50", 1, 1e6, "tokens whose overlap with the last state's is counted" },
    [LENS_MID] = { "mid", PARAM_FLAG, "yes", 0, 0, "the states between attention and MLP too; no: after whole blocks only" },
    { 0 },
};

typedef struct { char *name, label[24]; int block; bool shown; sonde_site site; } lens_state;

typedef struct {
    sonde_context *cx;
    size_t         prompt;
    bool           mid;
    long          *layer;     size_t n_layers;
    long          *position;  size_t n_positions;   /* ascending */
    lens_state    *state;     size_t n;             /* in the order of the run; the last one is the stream's end */
    int64_t        d, v, k;
    float         *stream;                          /* [positions, states, d] */
    float         *answer;                          /* [positions, v]: the run's own logits, kept where edits may reach them */
    float         *logits;                          /* [states, v] of one position */
    uint8_t       *in_top;                          /* [v]: among the last state's k largest */
    int32_t       *top;                             /* [max(k, --top)] */
    sonde_table   *cells, *best;
} lens;

static bool ends_in(const char *name, const char *end) {
    const size_t n = strlen(name), m = strlen(end);
    return n > m && strcmp(name + n - m, end) == 0;
}

static bool layer_chosen(const lens *l, int block) {
    for (size_t i = 0; i < l->n_layers; i++)
        if (l->layer[i] == block) return true;
    return false;
}

/* "blocks.4r1.hook_resid_mid" as a person reads it: "4r1 mid". */
static void label_state(lens_state *s) {
    const char *block = strchr(s->name, '.') + 1, *kind = strrchr(s->name, '_') + 1;
    snprintf(s->label, sizeof s->label, "%.*s %s", (int)strcspn(block, "."), block, kind);
}

static sonde_status add_state(const sonde_site *s, void *user, sonde_error *err) {
    (void)err;
    lens *l = user;
    const bool pre = ends_in(s->name, ".hook_resid_pre") && l->n == 0;
    if (!pre && !ends_in(s->name, ".hook_resid_post") && !(l->mid && ends_in(s->name, ".hook_resid_mid"))) return SONDE_OK;
    l->state = room_grow(l->state, l->n, 1, sizeof *l->state);
    l->state[l->n++] = (lens_state){ .name = room_text(s->name, strlen(s->name)), .block = s->block,
                                     .shown = layer_chosen(l, s->block), .site = *s };
    label_state(&l->state[l->n - 1]);
    return SONDE_OK;
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
    const sonde_prompt  p = context_prompt(cx, l->prompt);
    const sonde_variant v = { 0, cx->edits, cx->n_edits };
    sonde_want *want = ROOM(sonde_want, l->n + 1);
    int64_t    *at = ROOM(int64_t, l->n_positions);
    for (size_t i = 0; i < l->n; i++) want[i] = (sonde_want){ .kind = SONDE_WANT_SITE, .sites = l->state[i].name };
    for (size_t i = 0; i < l->n_positions; i++) at[i] = l->position[i];
    want[l->n] = (sonde_want){ .kind = SONDE_WANT_LOGITS, .at = at, .n_at = l->n_positions };
    prompt_runs  runs;
    sonde_status s = prompt_runs_open(&runs, cx, l->prompt, err);
    const sonde_batch b = { .bases = &p, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = want,
                            .n_wants = l->n + (l->answer != NULL), .runs = runs.run, .n_runs = runs.n, .seed = cx->seed };
    if (s == SONDE_OK) s = cost ? sonde_variants_cost(cx->session, &b, cost, err)
                                : sonde_variants_run(cx->session, &b, take, l, err);
    prompt_runs_close(&runs);
    free(at);
    free(want);
    return s;
}

/* ---- the numbers ---- */

static void put_place(const lens *l, sonde_table *t, size_t i, const lens_state *s) {
    sonde_table_row(t);
    if (prompts_many(l->cx)) sonde_cell_int(t, (int64_t)l->prompt);
    sonde_cell_int(t, l->position[i]);
    sonde_cell_int(t, s->block);
    sonde_cell_text(t, s->name);
}

static double overlap(const lens *l, const float *row) {
    const size_t n = sonde_logits_top(row, l->v, (size_t)l->k, l->top);
    int64_t both = 0;
    for (size_t i = 0; i < n; i++) both += l->in_top[l->top[i]];
    return (double)both / (double)n;
}

static void put_cell(lens *l, size_t i, const lens_state *s, const float *row, const float *last) {
    const sonde_logit_stats stats = sonde_logits_stats(row, l->v), end = sonde_logits_stats(last, l->v);
    sonde_table *t = l->cells;
    put_place(l, t, i, s);
    sonde_cell_token(t, context_token(l->cx, stats.argmax));
    sonde_cell_float(t, row[stats.argmax]);
    sonde_cell_float(t, sonde_logits_prob(row, l->v, stats.argmax));
    sonde_cell_int(t, sonde_logits_rank(row, l->v, end.argmax));
    sonde_cell_float(t, stats.entropy_bits);
    sonde_cell_float(t, sonde_logits_kl(last, row, l->v));
    sonde_cell_float(t, overlap(l, row));
    sonde_cell_text(t, s->label);
    const size_t n = sonde_logits_top(row, l->v, (size_t)l->cx->top, l->top);
    for (size_t k = 0; k < n; k++) {
        put_place(l, l->best, i, s);
        sonde_cell_int(l->best, (int64_t)k + 1);
        sonde_cell_token(l->best, context_token(l->cx, l->top[k]));
        sonde_cell_float(l->best, row[l->top[k]]);
        sonde_cell_float(l->best, sonde_logits_prob(row, l->v, l->top[k]));
        sonde_cell_text(l->best, s->label);
    }
}

static sonde_status read_position(lens *l, size_t i, sonde_error *err) {
    float *last = l->logits + (int64_t)(l->n - 1) * l->v;
    SONDE_TRY(sonde_session_unembed(l->cx->session, l->stream + (int64_t)(i * l->n) * l->d, (int64_t)l->n, l->logits, err));
    if (l->answer) memcpy(last, l->answer + (int64_t)i * l->v, (size_t)l->v * sizeof *last);
    const size_t n = sonde_logits_top(last, l->v, (size_t)l->k, l->top);
    memset(l->in_top, 0, (size_t)l->v);
    for (size_t k = 0; k < n; k++) l->in_top[l->top[k]] = 1;
    for (size_t s = 0; s < l->n; s++)
        if (l->state[s].shown) put_cell(l, i, &l->state[s], l->logits + (int64_t)s * l->v, last);
    return SONDE_OK;
}

/* ---- the result ---- */

static sonde_table *table(const lens *l, sonde_result *out, const char *name) {
    sonde_table *t = sonde_result_table(out, name);
    if (prompts_many(l->cx)) sonde_table_column(t, "prompt", SONDE_INT, "");
    sonde_table_column(t, "position", SONDE_INT, "");
    sonde_table_column(t, "layer", SONDE_INT, "");
    sonde_table_column(t, "site", SONDE_TEXT, "");
    return t;
}

static void make_tables(lens *l, sonde_result *out) {
    l->cells = table(l, out, "cells");
    sonde_table_column(l->cells, "token", SONDE_TOKEN, "");
    sonde_table_column(l->cells, "logit", SONDE_FLOAT, "");
    sonde_table_column(l->cells, "prob", SONDE_FLOAT, "");
    sonde_table_column(l->cells, "rank", SONDE_INT, "");
    sonde_table_column(l->cells, "entropy_bits", SONDE_FLOAT, "bit");
    sonde_table_column(l->cells, "kl_nats", SONDE_FLOAT, "nat");
    sonde_table_column(l->cells, "overlap", SONDE_FLOAT, "");
    sonde_table_column(l->cells, "state", SONDE_TEXT, "");
    l->best = table(l, out, "top");
    sonde_table_column(l->best, "k", SONDE_INT, "");
    sonde_table_column(l->best, "token", SONDE_TOKEN, "");
    sonde_table_column(l->best, "logit", SONDE_FLOAT, "");
    sonde_table_column(l->best, "prob", SONDE_FLOAT, "");
    sonde_table_column(l->best, "state", SONDE_TEXT, "");
    if (prompts_many(l->cx)) return;
    static const sonde_drawing drawings[] = {
        { .kind = SONDE_VIEW_TOKEN_GRID, .of = "cells", .x = "position", .y = "state", .value = "token",
          .title = "The most probable next token, read from every state" },
        { .kind = SONDE_VIEW_LINES, .of = "cells", .x = "state", .y = "position", .value = "rank",
          .title = "Rank of the model's answer" },
        { .kind = SONDE_VIEW_LINES, .of = "cells", .x = "state", .y = "position", .value = "overlap",
          .title = "Overlap with the model's k most probable tokens" },
        { .kind = SONDE_VIEW_TOKEN_GRID, .of = "top", .x = "k", .y = "state", .value = "token",
          .title = "The most probable tokens, at the last position read" },
    };
    for (size_t i = 0; i < sizeof drawings / sizeof *drawings; i++) sonde_result_view(out, drawings[i]);
}

static int ascending(const void *a, const void *b) {
    const long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}

static sonde_status lens_open(lens *l, const value *args, sonde_error *err) {
    const sonde_model_info *info = sonde_model_describe(l->cx->model);
    const long n = (long)l->cx->prompts[l->prompt].tokens.n;
    SONDE_TRY(param_numbers(&params[LENS_LAYERS], args[LENS_LAYERS].text, (long)info->layers, &l->layer, &l->n_layers, err));
    SONDE_TRY(param_numbers(&params[LENS_POSITIONS], args[LENS_POSITIONS].text, n, &l->position, &l->n_positions, err));
    qsort(l->position, l->n_positions, sizeof *l->position, ascending);
    l->mid = args[LENS_MID].i;
    SONDE_TRY(sonde_sites(l->cx->model, &(sonde_site_query){ NULL, l->cx->edits, l->cx->n_edits, n }, add_state, l, err));
    SONDE_FAIL_IF(l->n == 0, err, SONDE_USAGE, "every block is skipped: there is no residual stream to read");
    l->d = info->d;
    l->v = info->vocab;
    l->k = args[LENS_K].i < l->v ? args[LENS_K].i : l->v;
    if (l->cx->n_edits) l->answer = ROOM(float, (int64_t)l->n_positions * l->v);
    return SONDE_OK;
}

static void lens_close(lens *l) {
    for (size_t i = 0; i < l->n; i++) free(l->state[i].name);
    free(l->state);
    free(l->layer);
    free(l->position);
    free(l->stream);
    free(l->answer);
    free(l->logits);
    free(l->in_top);
    free(l->top);
}

static sonde_status dry(lens *l, sonde_cost *total, sonde_table *sites, sonde_error *err) {
    sonde_cost c;
    SONDE_TRY(run(l, &c, err));
    for (size_t i = 0; i < l->n; i++) {
        sonde_site s = l->state[i].site;
        s.name = l->state[i].name;
        if (l->state[i].shown) dry_site(sites, &s);
    }
    total->rows += c.rows;
    total->flops += c.flops + 2 * (double)l->n_positions * (double)l->n * (double)l->d * (double)l->v;
    const int64_t own = 4 * ((int64_t)(l->n_positions * l->n) * l->d + (int64_t)l->n * l->v);
    if (c.bytes + own > total->bytes) total->bytes = c.bytes + own;
    return SONDE_OK;
}

static sonde_status read_all(lens *l, sonde_error *err) {
    const int64_t most = l->k > l->cx->top ? l->k : (int64_t)l->cx->top;
    l->stream = ROOM(float, (int64_t)(l->n_positions * l->n) * l->d);
    l->logits = ROOM(float, (int64_t)l->n * l->v);
    l->in_top = ROOM(uint8_t, l->v);
    l->top = ROOM(int32_t, most < l->v ? most : l->v);
    SONDE_TRY(run(l, NULL, err));
    for (size_t i = 0; i < l->n_positions; i++) {
        SONDE_TRY(read_position(l, i, err));
        l->cx->progress(l->cx->progress_user, "positions", (int64_t)i + 1, (int64_t)l->n_positions);
    }
    return SONDE_OK;
}

extern const method method_lens;

static sonde_status lens_run(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    lens         all = { .cx = cx };
    sonde_cost   cost = { 0 };
    sonde_table *sites = cx->dry_run ? dry_sites(out) : NULL;
    sonde_status s = SONDE_OK;
    context_head(cx, &method_lens, out);
    if (!cx->dry_run) make_tables(&all, out);
    for (size_t i = 0; i < cx->n_prompts && s == SONDE_OK; i++) {
        lens l = { .cx = cx, .prompt = i, .cells = all.cells, .best = all.best };
        s = lens_open(&l, args, err);
        if (s == SONDE_OK) s = cx->dry_run ? dry(&l, &cost, sites, err) : read_all(&l, err);
        lens_close(&l);
    }
    if (cx->dry_run && s == SONDE_OK) dry_cost(out, (int64_t)cx->n_prompts, cost);
    return s;
}

const method method_lens = {
    .name = "lens",
    .summary = "what every layer would answer: each state of the stream through the final norm and the unembedding",
    .reference = "nostalgebraist, interpreting GPT: the logit lens, 2020; overlap: Katz and Belinkov, VISIT: Visualizing and "
                 "Interpreting the Semantic Information Flow of Transformers, 2023 (arXiv 2305.13417)",
    .formula = "p = softmax(Norm(x) W_U + b_U), Norm the model's final norm computed on this x. token: argmax p; logit, prob: "
               "its logit and p; rank: 1 + number of tokens above the model's own answer; entropy_bits: -sum p log2 p, in bits; "
               "kl_nats: KL(model's output || p), in nats; overlap: share of the k most probable tokens that are among the "
               "model's k most probable. The last state is the model's output, in every bit. top: the --top largest",
    .example = "lens \"When Mary and John went to the store, John gave a drink to\" --positions -1 --top 3",
    .params = params,
    .takes = NEEDS_MODEL | NEEDS_PROMPT | MANY_PROMPTS | TAKES_EDITS,
    .run = lens_run,
};
