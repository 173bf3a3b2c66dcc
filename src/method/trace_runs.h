/* trace_runs.h - what edits and metrics read of other runs, written into a trace: run/B/SITE and run/B/tokens. */
#ifndef SONDE_TRACE_RUNS_H
#define SONDE_TRACE_RUNS_H
#include "trace_tensor.h"

typedef struct {
    char             prefix[64];        /* "run/B/" */
    const sonde_named_run *part; size_t n_parts;        /* several prompts of one name follow each other (a reference) */
    char            *sites;             /* names, separated by commas */
    size_t           first, n;          /* their tensors */
    int64_t          length, n_target;  /* n_target: of an encoder-decoder */
    int32_t         *tokens, *target;
} trace_run;

/* Lays out tensors for what the edits and the metric (or NULL) read of these runs, which all have one name. */
sonde_status trace_run_plan(trace_run *r, trace_tensors *all, const sonde_context *cx, const sonde_metric *metric,
                            sonde_error *err);
/* Runs them, or copies what was given. */
sonde_status trace_run_write(const trace_run *r, trace_tensors *all, const sonde_context *cx, sonde_error *err);
void         trace_run_free(trace_run *r);
#endif
