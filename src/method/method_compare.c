/* Two runs side by side: the prompt as it is and with edits, or beside another run.
 *
 * The logits of the run before are kept for a stretch of positions at a time (COMPARE_ROWS bytes); the run after is
 * compared as its rows come. */
#include "dry.h"
#include "method_compare.h"
#include "prompt_runs.h"
#include "room.h"
#include <math.h>

enum { COMPARE_METRIC, COMPARE_N };

static const param params[] = {
    [COMPARE_METRIC] = { "metric", PARAM_TEXT, "", 0, 0, "a metric to compare, as logit(\" Mary\")-logit(\" John\")" },
    [COMPARE_N] = { "n", PARAM_INT, "0", 0, 1e6, "tokens to generate greedily from both; 0: none" },
    { 0 },
};

enum { COMPARE_ROWS = 1 << 28 };

/* ---- rows ---- */

static sonde_table *table(const sonde_context *cx, sonde_result *out, const char *name) {
    sonde_table *t = sonde_result_table(out, name);
    if (prompts_many(cx)) sonde_table_column(t, "prompt", SONDE_INT, "");
    return t;
}

static void start_row(const comparison *c, sonde_table *t) {
    sonde_table_row(t);
    if (prompts_many(c->cx)) sonde_cell_int(t, (int64_t)c->prompt);
}

static void put_loss(const comparison *c, const float *row, const sonde_logit_stats *s, int base, int64_t at) {
    sonde_table   *t = c->positions;
    int64_t        n;
    const int32_t *tokens = context_rows(c->cx, &c->base[base], &n);
    if (at + 1 < n && tokens && c->next) sonde_cell_float(t, s->log_sum - (double)row[tokens[at + 1]]);
    else sonde_cell_null(t);
}

/* A row of logits and what it says. */
typedef struct { const float *row; sonde_logit_stats stats; } answered;

static void put_top(comparison *c, int64_t at, const answered *x, const answered *y) {
    const float *before = x->row, *after = y->row;
    const size_t n = sonde_logits_top(before, c->v, (size_t)c->cx->top, c->top_before);
    sonde_logits_top(after, c->v, (size_t)c->cx->top, c->top_after);
    for (size_t k = 0; k < n; k++) {
        start_row(c, c->top);
        sonde_cell_int(c->top, at);
        sonde_cell_int(c->top, (int64_t)k + 1);
        sonde_cell_token(c->top, context_answer(c->cx, c->top_before[k]));
        sonde_cell_float(c->top, sonde_logit_prob(before[c->top_before[k]], &x->stats));
        sonde_cell_token(c->top, context_answer(c->cx, c->top_after[k]));
        sonde_cell_float(c->top, sonde_logit_prob(after[c->top_after[k]], &y->stats));
    }
}

static void put_position(comparison *c, int64_t at, const float *before, const float *after) {
    const answered x = { before, sonde_logits_stats(before, c->v) }, y = { after, sonde_logits_stats(after, c->v) };
    const sonde_logit_stats b = x.stats, a = y.stats;
    sonde_table *t = c->positions;
    start_row(c, t);
    sonde_cell_int(t, at);
    int64_t n;
    sonde_cell_token(t, context_token(c->cx, context_rows(c->cx, &c->base[0], &n)[at]));
    sonde_cell_float(t, sonde_logits_kl_known(before, b.log_sum, after, a.log_sum, c->v));
    put_loss(c, before, &b, 0, at);
    put_loss(c, after, &a, c->after_base, at);
    sonde_cell_float(t, b.entropy_bits);
    sonde_cell_float(t, a.entropy_bits);
    sonde_cell_token(t, context_answer(c->cx, b.argmax));
    sonde_cell_token(t, context_answer(c->cx, a.argmax));
    put_top(c, at, &x, &y);
    c->cx->progress(c->cx->progress_user, "positions", at + 1, c->n);
}

static sonde_status take_row(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    comparison *c = user;
    float *kept = c->before + (a->first - c->first) * c->v;
    if (a->variant == 0) memcpy(kept, a->value.data, (size_t)c->v * sizeof *kept);
    else put_position(c, a->first, kept, a->value.data);
    return SONDE_OK;
}

/* ---- runs ---- */

static sonde_batch batch_of(const comparison *c, const sonde_want *want, const sonde_variant v[2]) {
    return (sonde_batch){ .bases = c->base, .n_bases = 1 + (size_t)c->after_base, .variants = v, .n_variants = 2, .wants = want,
                          .n_wants = 1, .runs = c->runs.run, .n_runs = c->runs.n, .seed = c->cx->seed };
}

static sonde_status compare_rows(comparison *c, sonde_cost *cost, sonde_error *err) {
    const sonde_variant v[2] = { { 0, NULL, 0 }, { c->after_base, c->edits, c->n_edits } };
    int64_t  most = COMPARE_ROWS / (4 * c->v);
    if (most < 1) most = 1;
    if (most > c->n) most = c->n;
    int64_t *at = ROOM(int64_t, most);
    sonde_status s = SONDE_OK;
    c->before = cost ? NULL : ROOM(float, most * c->v);
    for (c->first = 0; c->first < c->n && s == SONDE_OK; c->first += most) {
        const int64_t n = c->n - c->first < most ? c->n - c->first : most;
        for (int64_t i = 0; i < n; i++) at[i] = c->first + i;
        const sonde_want  want = { .kind = SONDE_WANT_LOGITS, .at = at, .n_at = (size_t)n };
        const sonde_batch b = batch_of(c, &want, v);
        sonde_cost one = { 0 };
        s = cost ? sonde_variants_cost(c->cx->session, &b, &one, err) : sonde_variants_run(c->cx->session, &b, take_row, c, err);
        if (cost) *cost = (sonde_cost){ cost->flops + one.flops, cost->rows + one.rows,
                                        one.bytes > cost->bytes ? one.bytes : cost->bytes };
    }
    free(c->before);
    free(at);
    return s;
}

typedef struct { float value[2]; } metric_pair;

static sonde_status take_metric(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    ((metric_pair *)user)->value[a->variant] = a->value.data[0];
    return SONDE_OK;
}

static sonde_status run_metric(comparison *c, const sonde_metric *m, metric_pair *pair, sonde_error *err) {
    const bool    through_a = c->after_base && metric_reads_a(m);
    sonde_variant v[2] = { { 0, NULL, 0 }, { c->after_base, c->edits, c->n_edits } };
    sonde_edit   *other = NULL;
    const sonde_want want = { .kind = SONDE_WANT_METRIC, .metric = m };
    sonde_cost       cost;
    if (through_a) {
        int64_t n[2];
        for (int i = 0; i < 2; i++) context_rows(c->cx, &c->base[i], &n[i]);
        SONDE_FAIL_IF(n[0] != n[1], err, SONDE_USAGE, "metric: it reads run A (argmax, kl(A)), so run B must be as "
                      "long: %lld and %lld tokens", (long long)n[0], (long long)n[1]);
        SONDE_TRY(prompt_runs_stand_in(c->cx->model, prompt_runs_other(&c->runs), &other, err));
    }
    const sonde_edit *const list[] = { other };
    if (through_a) v[1] = (sonde_variant){ 0, list, 1 };
    const sonde_batch  b = batch_of(c, &want, v);
    const sonde_status s = c->cx->dry_run ? sonde_variants_cost(c->cx->session, &b, &cost, err)
                                          : sonde_variants_run(c->cx->session, &b, take_metric, pair, err);
    sonde_edit_free(other);
    return s;
}

static void put_metric(comparison *c, const char *text, const metric_pair *pair, sonde_result *out) {
    if (!c->metric) {
        c->metric = table(c->cx, out, "metric");
        sonde_table_column(c->metric, "metric", SONDE_TEXT, "");
        sonde_table_column(c->metric, "before", SONDE_FLOAT, "");
        sonde_table_column(c->metric, "after", SONDE_FLOAT, "");
        sonde_table_column(c->metric, "change", SONDE_FLOAT, "");
    }
    start_row(c, c->metric);
    sonde_cell_text(c->metric, text);
    sonde_cell_float(c->metric, pair->value[0]);
    sonde_cell_float(c->metric, pair->value[1]);
    sonde_cell_float(c->metric, (double)pair->value[1] - (double)pair->value[0]);
}

static sonde_status compare_metric(comparison *c, const char *text, sonde_result *out, sonde_error *err) {
    const method_prompt *p = &c->cx->prompts[c->prompt];
    metric_pair   pair = { { NAN, NAN } };
    sonde_metric *m;
    SONDE_TRY(sonde_metric_parse(&m, c->cx->model, text, p->answer, p->wrong, err));
    const sonde_status s = run_metric(c, m, &pair, err);
    sonde_metric_free(m);
    if (s == SONDE_OK && !c->cx->dry_run) put_metric(c, text, &pair, out);
    return s;
}

/* ---- the result ---- */

static void make_tables(comparison *c, sonde_result *out) {
    static const struct { const char *name, *unit; sonde_column_type type; } columns[] = {
        { "position", "", SONDE_INT }, { "token", "", SONDE_TOKEN }, { "kl_nats", "nat", SONDE_FLOAT },
        { "loss_before", "nat", SONDE_FLOAT }, { "loss_after", "nat", SONDE_FLOAT }, { "entropy_before", "bit", SONDE_FLOAT },
        { "entropy_after", "bit", SONDE_FLOAT }, { "argmax_before", "", SONDE_TOKEN }, { "argmax_after", "", SONDE_TOKEN },
    };
    c->positions = table(c->cx, out, "positions");
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        sonde_table_column(c->positions, columns[i].name, columns[i].type, columns[i].unit);
    c->top = table(c->cx, out, "top");
    sonde_table_column(c->top, "position", SONDE_INT, "");
    sonde_table_column(c->top, "k", SONDE_INT, "");
    sonde_table_column(c->top, "token_before", SONDE_TOKEN, "");
    sonde_table_column(c->top, "prob_before", SONDE_FLOAT, "");
    sonde_table_column(c->top, "token_after", SONDE_TOKEN, "");
    sonde_table_column(c->top, "prob_after", SONDE_FLOAT, "");
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_BARS, .of = "positions", .x = "position", .value = "kl_nats",
                                            .title = "How far the answers are apart" });
}

static sonde_status stand_in(comparison *c, const sonde_named_run *b, sonde_error *err) {
    SONDE_TRY(prompt_runs_stand_in(c->cx->model, b, &c->own, err));
    c->own_list[0] = c->own;
    c->edits = c->own_list;
    c->n_edits = 1;
    return SONDE_OK;
}

/* After: the edits, else the other run. A trace stands in for its own logits. */
static sonde_status choose_after(comparison *c, sonde_error *err) {
    c->base[0] = context_prompt(c->cx, c->prompt);
    context_rows(c->cx, &c->base[0], &c->n);
    c->edits = c->cx->edits;
    c->n_edits = c->cx->n_edits;
    if (c->n_edits) return SONDE_OK;
    const sonde_named_run *b = prompt_runs_other(&c->runs);
    SONDE_FAIL_IF(!b, err, SONDE_USAGE, "nothing to compare with, expected --edit or --run B=..");
    if (!b->values) {
        c->base[1] = b->prompt;
        c->after_base = 1;
        int64_t n;
        context_rows(c->cx, &b->prompt, &n);
        if (n < c->n) c->n = n;
        return SONDE_OK;
    }
    SONDE_FAIL_IF(prompt_runs_length(c->cx, b) != c->n, err, SONDE_USAGE, "run %s has %lld positions, expected a trace of the prompt's %lld",
                  b->name, (long long)prompt_runs_length(c->cx, b), (long long)c->n);
    return stand_in(c, b, err);
}

static sonde_status compare_prompt(comparison *c, const value *args, sonde_result *out, sonde_error *err) {
    SONDE_TRY(prompt_runs_open(&c->runs, c->cx, c->prompt, err));
    SONDE_TRY(choose_after(c, err));
    SONDE_TRY(compare_rows(c, c->cx->dry_run ? &c->cost : NULL, err));
    if (*args[COMPARE_METRIC].text) SONDE_TRY(compare_metric(c, args[COMPARE_METRIC].text, out, err));
    return args[COMPARE_N].i ? compare_texts(c, args[COMPARE_N].i, out, err) : SONDE_OK;
}

extern const method method_compare;

static sonde_status compare_run(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    comparison c = { .cx = cx, .v = sonde_model_describe(cx->model)->n_answers,
                     .next = sonde_model_describe(cx->model)->head & SONDE_HEAD_LM };
    context_head(cx, &method_compare, out);
    if (!cx->dry_run) make_tables(&c, out);
    c.top_before = ROOM(int32_t, c.v);
    c.top_after = ROOM(int32_t, c.v);
    sonde_status s = SONDE_OK;
    for (size_t i = 0; i < cx->n_prompts && s == SONDE_OK; i++) {
        c.prompt = i;
        c.after_base = 0;
        s = compare_prompt(&c, args, out, err);
        prompt_runs_close(&c.runs);
        sonde_edit_free(c.own);
        c.own = NULL;
    }
    if (cx->dry_run && s == SONDE_OK) dry_cost(out, 2 * (int64_t)cx->n_prompts, c.cost);
    free(c.top_before);
    free(c.top_after);
    return s;
}

const method method_compare = {
    .name = "compare",
    .summary = "what edits change, or how another run differs: position by position, in a metric, in the text",
    .reference = NULL,
    .formula = "before: the prompt as it is; after: with the edits, else run B at the same positions. kl_nats: KL(before || after) of the "
               "next-token distributions, in nats; loss: -log p of the run's own next token, in nats (null at its last position); "
               "entropy: in bits; argmax: the most probable token; metric: interface.md 4, change = after - before; top: the --top "
               "most probable tokens of both",
    .example = "compare \"When Mary and John went to the store, John gave a drink to\" --edit \"zero:blocks.0.attn.hook_z[:,0]\" "
               "--metric 'logit(\" Mary\")-logit(\" John\")' -n 3",
    .params = params,
    .takes = NEEDS_MODEL | NEEDS_PROMPT | MANY_PROMPTS | TAKES_EDITS | TAKES_TWO,
    .run = compare_run,
};
