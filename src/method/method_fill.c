/* What a masked LM puts in place of each mask. */
#include "dry.h"
#include "ends.h"
#include "room.h"

enum { FILL_TARGET };

static const param params[] = {
    [FILL_TARGET] = { "target", PARAM_LIST, "", 0, 0, "a token whose probability is told, \" cat\" or #464; may be given several times" },
    { 0 },
};

typedef struct {
    sonde_context *cx;
    int32_t       *target; size_t n_targets;
    int32_t       *best;                        /* [top] */
    sonde_table   *fills, *targets;             /* targets NULL: none asked */
    sonde_cost     cost;
} filling;

/* #ID, or a text that is one token. */
static sonde_status read_target(const sonde_model *m, const char *text, int32_t *out, sonde_error *err) {
    const char  *end = text;
    const size_t n = strlen(text);
    if (*text != '#' || n == 1) return sonde_token_single(m, text, n, out, err);
    SONDE_TRY(sonde_token_read(m, text, &end, out, err));
    SONDE_FAIL_IF(*end, err, SONDE_USAGE, "found \"%.40s\" behind the id, expected nothing", end);
    return SONDE_OK;
}

static sonde_status read_targets(filling *f, const value *list, sonde_error *err) {
    f->target = ROOM(int32_t, list->n);
    for (; f->n_targets < list->n; f->n_targets++) {
        const sonde_status s = read_target(f->cx->model, list->list[f->n_targets], &f->target[f->n_targets], err);
        if (s != SONDE_OK) return sonde_fail_at(err, s, "target");
    }
    return SONDE_OK;
}

static sonde_table *table(const filling *f, sonde_result *out, const char *name) {
    sonde_table *t = sonde_result_table(out, name);
    if (prompts_many(f->cx)) sonde_table_column(t, "prompt", SONDE_INT, "");
    sonde_table_column(t, "position", SONDE_INT, "");
    sonde_table_column(t, "rank", SONDE_INT, "");
    sonde_table_column(t, "token", SONDE_TOKEN, "");
    sonde_table_column(t, "prob", SONDE_FLOAT, "");
    sonde_table_column(t, "logit", SONDE_FLOAT, "");
    return t;
}

typedef struct { size_t prompt; int64_t position; const float *logit; int64_t v; sonde_logit_stats stats; } mask_row;

static void put(const filling *f, sonde_table *t, const mask_row *m, int64_t rank, int32_t id) {
    sonde_table_row(t);
    if (prompts_many(f->cx)) sonde_cell_int(t, (int64_t)m->prompt);
    sonde_cell_int(t, m->position);
    sonde_cell_int(t, rank);
    sonde_cell_token(t, context_token(f->cx, id));
    sonde_cell_float(t, sonde_logit_prob(m->logit[id], &m->stats));
    sonde_cell_float(t, m->logit[id]);
}

static void put_mask(filling *f, const mask_row *m) {
    const size_t n = sonde_logits_top(m->logit, m->v, (size_t)f->cx->top, f->best);
    for (size_t i = 0; i < n; i++) put(f, f->fills, m, (int64_t)i + 1, f->best[i]);
    for (size_t i = 0; i < f->n_targets; i++)
        put(f, f->targets, m, sonde_logits_rank(m->logit, m->v, f->target[i]), f->target[i]);
}

static int64_t *masks_of(sonde_prompt p, int32_t mask, size_t *n) {
    int64_t *at = ROOM(int64_t, p.n);
    *n = 0;
    for (int64_t i = 0; i < p.n; i++)
        if (p.tokens[i] == mask) at[(*n)++] = i;
    return at;
}

static sonde_status run_masks(filling *f, const end_query *q, sonde_error *err) {
    const sonde_context *cx = f->cx;
    end_values           v;
    if (cx->dry_run) return end_cost(q, &f->cost, err);
    const sonde_status s = end_read(q, &v, err);
    for (size_t i = 0; i < q->n_at && s == SONDE_OK; i++)
        put_mask(f, &(mask_row){ q->prompt, q->at[i], v.data + (int64_t)i * v.cols, v.cols,
                                 sonde_logits_stats(v.data + (int64_t)i * v.cols, v.cols) });
    free(v.data);
    return s;
}

static sonde_status run_prompt(filling *f, size_t i, sonde_error *err) {
    const sonde_context *cx = f->cx;
    const int32_t        mask = sonde_model_describe(cx->model)->mask;
    const sonde_token    shown = mask < 0 ? (sonde_token){ 0 } : context_token(cx, mask);
    end_query    q = { .cx = cx, .prompt = i, .p = context_prompt(cx, i) };
    int64_t     *at = masks_of(q.p, mask, &q.n_at);
    sonde_status s = SONDE_OK;
    q.at = at;
    if (mask < 0) s = sonde_fail(err, SONDE_UNSUPPORTED, "the tokenizer has no mask token");
    else if (!q.n_at) s = sonde_fail(err, SONDE_USAGE, "the prompt has no mask, expected %.*s (token %d) in it", (int)shown.len,
                                     shown.bytes, (int)mask);
    else s = run_masks(f, &q, err);
    free(at);
    return end_fail_at(cx, i, s, err);
}

static sonde_status fill(filling *f, const value *args, sonde_result *out, sonde_error *err) {
    const sonde_context *cx = f->cx;
    SONDE_TRY(end_needed(cx, SONDE_HEAD_MLM, err));
    SONDE_TRY(read_targets(f, &args[FILL_TARGET], err));
    f->best = ROOM(int32_t, cx->top);
    if (!cx->dry_run) {
        f->fills = table(f, out, "fills");
        if (f->n_targets) f->targets = table(f, out, "targets");
        sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_BARS, .of = "fills", .x = "token", .value = "prob",
                                                .panel = "position", .title = "What stands in place of each mask" });
    }
    for (size_t i = 0; i < cx->n_prompts; i++) SONDE_TRY(run_prompt(f, i, err));
    if (cx->dry_run) dry_cost(out, (int64_t)cx->n_prompts, f->cost);
    return SONDE_OK;
}

extern const method method_fill;

static sonde_status fill_run(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    filling f = { .cx = cx };
    context_head(cx, &method_fill, out);
    const sonde_status s = fill(&f, args, out, err);
    free(f.target);
    free(f.best);
    return s;
}

const method method_fill = {
    .name = "fill",
    .summary = "what a masked LM puts in place of each mask of a text",
    .reference = "Devlin, Chang, Lee and Toutanova, BERT: Pre-training of Deep Bidirectional Transformers for Language "
                 "Understanding, 2019",
    .formula = "fills: at each position whose token is the mask ([MASK], <mask>: sonde info says which), the --top tokens; each "
               "mask is read by itself, with the others in their places. logit: the masked LM's head there; prob: softmax "
               "of the logits over the vocabulary; rank: 1 + number of tokens with a larger logit; targets: the same of the "
               "tokens asked for",
    .example = "fill -m encoder \"Yesterday Philip and Bruno met. Bruno handed a coin to [MASK].\" --top 3",
    .params = params,
    .takes = NEEDS_MODEL | NEEDS_PROMPT | MANY_PROMPTS | TAKES_EDITS,
    .run = fill_run,
};
