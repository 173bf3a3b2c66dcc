/* method_compare.h - one comparison on its way. */
#ifndef SONDE_METHOD_COMPARE_H
#define SONDE_METHOD_COMPARE_H
#include "prompt_runs.h"
#include <stdio.h>

typedef struct {
    sonde_context *cx;
    size_t         prompt;
    prompt_runs    runs;
    sonde_prompt   base[2];                 /* the prompt; run B */
    int            after_base;              /* the run after is of this one */
    const sonde_edit *const *edits; size_t n_edits;
    sonde_edit    *own; const sonde_edit *own_list[1];      /* made here: a trace as the run after */
    int64_t        n, v;                    /* positions compared */
    bool           next;                    /* rows are of the next token */
    int64_t        first; float *before;    /* [.., v] logits of the run before, from this position on */
    int32_t       *top_before, *top_after;
    sonde_table   *positions, *top, *metric, *texts;
    sonde_cost     cost;
} comparison;

/* Both continuations, `n` tokens, greedy. */
sonde_status compare_texts(comparison *c, long n, sonde_result *out, sonde_error *err);
#endif
