#include "trace_prompt.h"
#include "room.h"
#include <inttypes.h>
#include <math.h>

static sonde_status append(const sonde_generated *g, void *user, sonde_error *err) {
    (void)err;
    traced *p = user;
    p->tokens[p->n++] = g->id;
    return SONDE_OK;
}

static sonde_status generate(traced *p, const sonde_context *cx, int64_t more, sonde_error *err) {
    const sonde_model_info *info = sonde_model_describe(cx->model);
    SONDE_FAIL_IF(!info->encoder_layers && p->n + more > info->context, err, SONDE_USAGE,
                  "the prompt has %" PRId64 " tokens and %" PRId64 " are to follow: %" PRId64 " positions, the context holds %"
                  PRId64, p->n, more, p->n + more, info->context);
    int32_t *given = ROOM(int32_t, p->n);
    memcpy(given, p->tokens, (size_t)p->n * sizeof *given);
    const sonde_prompt  from = context_with(cx, p->given, given, p->n);
    const sonde_writing w = { .prompts = &from, .n_prompts = 1, .edits = cx->edits, .n_edits = cx->n_edits,
                              .runs = p->runs.run, .n_runs = p->runs.n, .sampling = { .n = more, .seed = cx->seed } };
    p->prompt = p->n;
    const sonde_status s = sonde_generate(cx->session, &w, append, p, err);
    free(given);
    return s;
}

static int ascending(const void *a, const void *b) {
    const long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}

static sonde_status choose_rows(traced *p, const sonde_context *cx, const trace_wish *wish, sonde_error *err) {
    long  *at;
    size_t n;
    p->rows = p->n;
    if (!strcmp(wish->at, "all")) return SONDE_OK;
    SONDE_FAIL_IF(sonde_model_describe(cx->model)->encoder_layers, err, SONDE_UNSUPPORTED,
                  "at: an encoder-decoder has two rows of positions, expected all of both");
    SONDE_TRY(param_numbers(wish->at_row, wish->at, (long)p->n, &at, &n, err));
    qsort(at, n, sizeof *at, ascending);
    p->row = ROOM(int32_t, n);
    p->row_of = ROOM(int64_t, p->n);
    for (int64_t i = 0; i < p->n; i++) p->row_of[i] = -1;
    for (size_t i = 0; i < n; i++) {
        p->row[i] = (int32_t)at[i];
        p->row_of[at[i]] = (int64_t)i;
    }
    p->rows = (int64_t)n;
    free(at);
    return SONDE_OK;
}

sonde_status traced_open(traced *p, const sonde_context *cx, size_t i, const trace_wish *wish, sonde_error *err) {
    const method_prompt *from = &cx->prompts[i];
    int64_t              n;
    *p = (traced){ .given = context_prompt(cx, i), .value = (double)NAN };
    const int32_t *rows = context_rows(cx, &p->given, &n);
    p->n = n;
    p->tokens = ROOM(int32_t, n + wish->n);
    memcpy(p->tokens, rows, (size_t)n * sizeof *p->tokens);
    SONDE_TRY(prompt_runs_open(&p->runs, cx, i, err));
    if (*wish->metric) SONDE_TRY(sonde_metric_parse(&p->metric, cx->model, wish->metric, from->answer, from->wrong, err));
    if (wish->n) SONDE_TRY(generate(p, cx, wish->n, err));
    return choose_rows(p, cx, wish, err);
}

void traced_close(traced *p) {
    trace_run_free(&p->own);
    free(p->tokens);
    free(p->row);
    free(p->row_of);
    sonde_metric_free(p->metric);
    prompt_runs_close(&p->runs);
}

sonde_prompt traced_prompt(const sonde_context *cx, const traced *p) {
    sonde_prompt x = context_with(cx, p->given, p->tokens, p->n);
    x.prompt = p->prompt;
    return x;
}
