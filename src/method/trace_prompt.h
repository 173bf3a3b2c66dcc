/* trace_prompt.h - one prompt of a trace: its tokens, generated ones too, the rows that are kept, its metric and runs. */
#ifndef SONDE_TRACE_PROMPT_H
#define SONDE_TRACE_PROMPT_H
#include "prompt_runs.h"
#include "trace_runs.h"

typedef struct {
    const char  *metric;                        /* its text, "" for none */
    const param *at_row; const char *at;        /* positions, as typed */
    int64_t      n;                             /* tokens to generate first */
} trace_wish;

typedef struct {
    sonde_prompt  given;                        /* as it came */
    int32_t      *tokens; int64_t n, prompt;    /* those that logits follow; prompt: where generated ones begin, 0: none */
    int32_t      *row; int64_t rows;            /* positions kept, ascending; row NULL: all */
    int64_t      *row_of;                       /* [n], NULL: all */
    sonde_metric *metric;                       /* NULL: none */
    prompt_runs   runs;
    trace_run     own; bool has_own;            /* the B of a file of prompts */
    size_t        first, end;                   /* its tensors */
    double        value;                        /* of the metric */
} traced;

/* Safe to close whatever it returns. Generates. */
sonde_status traced_open(traced *p, const sonde_context *cx, size_t i, const trace_wish *wish, sonde_error *err);
void         traced_close(traced *p);
sonde_prompt traced_prompt(const sonde_context *cx, const traced *p);
#endif
