/* prompt_runs.h - the runs that edits of one prompt may read: --run, and the prompt's own B (a file of prompts). */
#ifndef SONDE_PROMPT_RUNS_H
#define SONDE_PROMPT_RUNS_H
#include "method.h"
#include <stdbool.h>

typedef struct {
    sonde_named_run *run; size_t n;
    sonde_tokens     b;                 /* of the prompt's own B; it goes before a --run of that name */
} prompt_runs;

/* Do tables say which prompt a row is of? */
static inline bool prompts_many(const sonde_context *cx) { return cx->batch || cx->n_prompts > 1; }

sonde_status prompt_runs_open(prompt_runs *r, const sonde_context *cx, size_t prompt, sonde_error *err);
void         prompt_runs_close(prompt_runs *r);
/* NULL: no run of this name. */
const sonde_named_run *prompt_runs_find(const prompt_runs *r, const char *name);
/* The run that stands beside A: the one called B, else the only one there is. NULL: none, or several without a B. */
const sonde_named_run *prompt_runs_other(const prompt_runs *r);
int64_t                prompt_runs_length(const sonde_context *cx, const sonde_named_run *run);       /* positions of logits */

int64_t                prompt_runs_prompt(const sonde_named_run *run);      /* of its prompt: the encoder's, where there is one */

/* A metric of run B is that of B's own run, unless it reads run A too (argmax, kl(A)) or B is a trace: then B's logits,
 * as many, stand in for the prompt's. */
bool         metric_reads_a(const sonde_metric *m);
sonde_status prompt_runs_stand_in(const sonde_model *m, const sonde_named_run *b, sonde_edit **out, sonde_error *err);
#endif
