/* ends.h - what a model ends in: the head that a verb needs, and values of one site for one prompt. */
#ifndef SONDE_ENDS_H
#define SONDE_ENDS_H
#include "prompt_runs.h"

/* UNSUPPORTED names the heads there are, and what would have this one. */
sonde_status end_needed(const sonde_context *cx, sonde_head head, sonde_error *err);
/* Several prompts: "prompt 3: .." in front of what went wrong with one of them. */
sonde_status end_fail_at(const sonde_context *cx, size_t prompt, sonde_status s, sonde_error *err);

typedef struct {
    const sonde_context *cx;
    size_t               prompt;                /* whose runs its edits may read */
    sonde_prompt         p;
    const char          *site;                  /* one site's name */
    const int64_t       *at; size_t n_at;       /* site NULL: rows of logits at these positions */
} end_query;
typedef struct { float *data; int64_t rows, cols; } end_values;         /* a value of the whole text has one row */
/* Caller frees data. */
sonde_status end_read(const end_query *q, end_values *out, sonde_error *err);
/* What that would cost, added to *sum. */
sonde_status end_cost(const end_query *q, sonde_cost *sum, sonde_error *err);
#endif
