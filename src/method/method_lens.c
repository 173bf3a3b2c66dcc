/* The lens over a prompt: what every state of the stream would answer (method_lens_read.c), as tables and pictures. */
#include "method_lens.h"
#include "dry.h"
#include "ends.h"
#include "prompt_runs.h"
#include "room.h"

static const param params[] = {
    [LENS_LAYERS] = { "layers", PARAM_LAYERS, "all", 0, 0,
                      "blocks whose states are shown (the embedding belongs to the first)" },
    [LENS_POSITIONS] = { "positions", PARAM_NUMBERS, "all", 0, 0, "positions that are read; -1 is the last (a prompt's)" },
    [LENS_K] = { "k", PARAM_INT, "50", 1, 1e6, "tokens whose overlap with the last state's is counted" },
    [LENS_MID] = { "mid", PARAM_FLAG, "yes", 0, 0, "the states between attention and MLP too; no: after whole blocks only" },
    { 0 },
};

/* One prompt of several. */
typedef struct {
    lens         l;
    size_t       prompt;
    prompt_runs  runs;
    sonde_table *cells, *best, *last;           /* last: NULL with several prompts */
} reading;

/* ---- the numbers ---- */

static void put_place(const reading *r, sonde_table *t, size_t i, const lens_state *s) {
    sonde_table_row(t);
    if (prompts_many(r->l.cx)) sonde_cell_int(t, (int64_t)r->prompt);
    sonde_cell_int(t, r->l.position[i]);
    sonde_cell_int(t, s->block);
    sonde_cell_text(t, s->name);
}

static void put_best(const reading *r, sonde_table *t, size_t i, const lens_state *s, const lens_cell *c) {
    for (size_t k = 0; k < c->n_top; k++) {
        put_place(r, t, i, s);
        sonde_cell_int(t, (int64_t)k + 1);
        sonde_cell_token(t, context_token(r->l.cx, c->top[k]));
        sonde_cell_float(t, c->top_logit[k]);
        sonde_cell_float(t, sonde_logit_prob(c->top_logit[k], &c->stats));
        sonde_cell_text(t, s->label);
    }
}

static void put_cell(lens *l, size_t i, size_t state, const lens_cell *c) {
    const lens_state *s = &l->state[state];
    reading     *r = l->user;
    sonde_table *t = r->cells;
    put_place(r, t, i, s);
    sonde_cell_token(t, context_token(l->cx, c->stats.argmax));
    sonde_cell_float(t, c->best);
    sonde_cell_float(t, sonde_logit_prob(c->best, &c->stats));
    sonde_cell_int(t, c->rank);
    sonde_cell_float(t, c->stats.entropy_bits);
    sonde_cell_float(t, c->kl);
    sonde_cell_float(t, c->overlap);
    sonde_cell_text(t, s->label);
    put_best(r, r->best, i, s, c);
    if (r->last && i + 1 == l->n_positions) put_best(r, r->last, i, s, c);
}

/* ---- the result ---- */

static sonde_table *table(const reading *r, sonde_result *out, const char *name) {
    sonde_table *t = sonde_result_table(out, name);
    if (prompts_many(r->l.cx)) sonde_table_column(t, "prompt", SONDE_INT, "");
    sonde_table_column(t, "position", SONDE_INT, "");
    sonde_table_column(t, "layer", SONDE_INT, "");
    sonde_table_column(t, "site", SONDE_TEXT, "");
    return t;
}

static sonde_table *best_table(const reading *r, sonde_result *out, const char *name) {
    sonde_table *t = table(r, out, name);
    sonde_table_column(t, "k", SONDE_INT, "");
    sonde_table_column(t, "token", SONDE_TOKEN, "");
    sonde_table_column(t, "logit", SONDE_FLOAT, "");
    sonde_table_column(t, "prob", SONDE_FLOAT, "");
    sonde_table_column(t, "state", SONDE_TEXT, "");
    return t;
}

static void make_cells(reading *r, sonde_result *out) {
    sonde_table *t = r->cells = table(r, out, "cells");
    sonde_table_column(t, "token", SONDE_TOKEN, "");
    sonde_table_column(t, "logit", SONDE_FLOAT, "");
    sonde_table_column(t, "prob", SONDE_FLOAT, "");
    sonde_table_column(t, "rank", SONDE_INT, "");
    sonde_table_column(t, "entropy_bits", SONDE_FLOAT, "bit");
    sonde_table_column(t, "kl_nats", SONDE_FLOAT, "nat");
    sonde_table_column(t, "overlap", SONDE_FLOAT, "");
    sonde_table_column(t, "state", SONDE_TEXT, "");
}

static void make_tables(reading *r, sonde_result *out) {
    make_cells(r, out);
    r->best = best_table(r, out, "top");
    if (prompts_many(r->l.cx)) return;
    r->last = best_table(r, out, "last");
    static const sonde_drawing drawings[] = {
        { .kind = SONDE_VIEW_TOKEN_GRID, .of = "cells", .x = "position", .y = "state", .value = "token",
          .title = "The most probable token, read from every state" },
        { .kind = SONDE_VIEW_HEATMAP, .of = "cells", .x = "position", .y = "state", .value = "logit",
          .title = "The largest logit of every state" },
        { .kind = SONDE_VIEW_LINES, .of = "cells", .x = "state", .y = "position", .value = "rank",
          .title = "Rank of the model's answer" },
        { .kind = SONDE_VIEW_LINES, .of = "cells", .x = "state", .y = "position", .value = "overlap",
          .title = "Overlap with the model's k most probable tokens" },
        { .kind = SONDE_VIEW_TOKEN_GRID, .of = "top", .x = "k", .y = "state", .value = "token",
          .title = "The most probable tokens, at the last position read" },
        { .kind = SONDE_VIEW_BARS, .of = "last", .x = "token", .value = "prob", .panel = "state",
          .title = "Their probabilities, state by state" },
        { .kind = SONDE_VIEW_CLOUD, .of = "last", .x = "token", .y = "state", .value = "prob", .panel = "state",
          .own_scale = true, .title = "The same as words, larger where they are more probable" },
    };
    for (size_t i = 0; i < sizeof drawings / sizeof *drawings; i++) sonde_result_view(out, drawings[i]);
}

static int ascending(const void *a, const void *b) {
    const long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}

static sonde_status reading_open(reading *r, const value *args, sonde_error *err) {
    lens *l = &r->l;
    l->cell = put_cell;
    l->user = r;
    l->p = context_prompt(l->cx, r->prompt);
    SONDE_TRY(lens_open(l, params, args, err));
    SONDE_TRY(param_numbers(&params[LENS_POSITIONS], args[LENS_POSITIONS].text, (long)l->rows, &l->position,
                            &l->n_positions, err));
    qsort(l->position, l->n_positions, sizeof *l->position, ascending);
    SONDE_TRY(prompt_runs_open(&r->runs, l->cx, r->prompt, err));
    l->runs = r->runs.run;
    l->n_runs = r->runs.n;
    return SONDE_OK;
}

static void reading_close(reading *r) {
    lens_close(&r->l);
    prompt_runs_close(&r->runs);
}

static sonde_status dry(reading *r, sonde_cost *total, sonde_table *sites, sonde_error *err) {
    sonde_cost c;
    SONDE_TRY(lens_cost(&r->l, &c, err));
    for (size_t i = 0; i < r->l.n; i++) {
        sonde_site s = r->l.state[i].site;
        s.name = r->l.state[i].name;
        if (r->l.state[i].shown) dry_site(sites, &s);
    }
    *total = (sonde_cost){ total->flops + c.flops, total->rows + c.rows, c.bytes > total->bytes ? c.bytes : total->bytes };
    return SONDE_OK;
}

extern const method method_lens;

static sonde_status lens_prompts(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    reading      all = { .l.cx = cx };
    sonde_cost   cost = { 0 };
    sonde_table *sites = cx->dry_run ? dry_sites(out) : NULL;
    sonde_status s = SONDE_OK;
    if (!cx->dry_run) make_tables(&all, out);
    for (size_t i = 0; i < cx->n_prompts && s == SONDE_OK; i++) {
        reading r = { .l.cx = cx, .prompt = i, .cells = all.cells, .best = all.best, .last = all.last };
        s = reading_open(&r, args, err);
        if (s == SONDE_OK) s = cx->dry_run ? dry(&r, &cost, sites, err) : lens_read(&r.l, err);
        reading_close(&r);
    }
    if (cx->dry_run && s == SONDE_OK) dry_cost(out, (int64_t)cx->n_prompts, cost);
    return s;
}

static sonde_status lens_run(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    context_head(cx, &method_lens, out);
    if (cx->n_documents) SONDE_TRY(end_needed(cx, SONDE_HEAD_LM, err));
    else if (!(sonde_model_describe(cx->model)->head & SONDE_HEAD_LM)) SONDE_TRY(end_needed(cx, SONDE_HEAD_MLM, err));
    return cx->n_documents ? lens_text(cx, params, args, out, err) : lens_prompts(cx, args, out, err);
}

const method method_lens = {
    .name = "lens",
    .summary = "what every layer would answer: each state of the stream through the final norm and the unembedding",
    .reference = "nostalgebraist, interpreting GPT: the logit lens, 2020; overlap: Katz and Belinkov, VISIT: Visualizing "
                 "and Interpreting the Semantic Information Flow of Transformers, 2023 (arXiv 2305.13417); over "
                 "documents: Lad, Lee, Gurnee and Tegmark, The Remarkable Robustness of LLMs: Stages of Inference?, 2024",
    .formula = "p = softmax(Norm(x) W_U + b_U), Norm the model's final norm computed on this x; of a masked LM its head in place of "
               "it. Where norms stand behind the sums of blocks, x is what they give. token: argmax p; logit, "
               "prob: its logit and p; rank: 1 + number of tokens above the model's own answer; entropy_bits: -sum p "
               "log2 p, in bits; kl_nats: KL(model's output || p), in nats; overlap: share of the k most probable tokens "
               "that are among the model's k most probable. The last state is the model's output, in every bit. top: the "
               "--top largest; last: those of the last position read. With --text, means over every prediction (all "
               "positions but a document's last): also kl_state_nats: KL(p || model's output), in nats; accuracy: share "
               "whose argmax is the next token; same: share whose argmax is the model's; loss: -ln p(next token), in "
               "nats; depth: blocks behind the state, as a share of all; _se: standard error over documents (Cochran, "
               "1977)",
    .example = "lens \"When Mary and John went to the store, John gave a drink to\" --positions -1 --top 3",
    .params = params,
    .takes = NEEDS_MODEL | NEEDS_PROMPT | MANY_PROMPTS | TAKES_TEXT | TAKES_EDITS | TAKES_TWO,
    .run = lens_run,
};
