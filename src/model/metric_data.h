/* metric_data.h - metrics: parsed, bound to a prompt, fed with rows of logits.
 *
 * A metric is an expression over terms; a term is one function at one position.
 * Rows of logits come in ascending positions, once; the value is computed in
 * double in vocabulary order (interface.md 4) with exact_exp and exact_log. */
#ifndef SONDE_METRIC_DATA_H
#define SONDE_METRIC_DATA_H
#include "base/arena.h"
#include "sonde/edit.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct bound_metric bound_metric;

/* Logits of another run at a position (of that run), or NULL if it has none there; they must outlive the bound metric. */
typedef const float *(*metric_logits)(void *user, const char *run, int64_t position);
/* How many positions a run has; -1: no such run. */
typedef int64_t (*metric_length)(void *user, const char *run);
typedef struct { metric_logits logits; metric_length length; void *user; } metric_runs;

/* Positions resolved against n tokens (negative from the end), `argmax` by run "A" at that position, kl(RUN) needs the
 * run's logits there. USAGE: a position that does not exist; a token behind the answers (`vocab` of them in a row of logits);
 * loss with fewer than two tokens; an unknown run. */
typedef struct { int64_t n, standard; } metric_span;    /* positions of a run; the one of a term that names none */
/* The same of a run of n positions: the last for the last, else the same one. */
static inline metric_span metric_span_of(metric_span s, int64_t n) {
    return (metric_span){ n, s.standard == s.n - 1 || s.standard >= n ? n - 1 : s.standard };
}
typedef struct { const int32_t *tokens; metric_span span; int64_t vocab; metric_runs runs; } metric_prompt;
sonde_status metric_bind(arena *a, const sonde_metric *x, const metric_prompt *p, bound_metric **out, sonde_error *err);
/* Before binding: which positions of the metric's own run are needed for n tokens, ascending, each once. */
typedef struct { int64_t *at; size_t n; } position_list;
sonde_status metric_positions(arena *a, const sonde_metric *x, metric_span s, position_list *out, sonde_error *err);
/* The same for another run that it reads ("A" for argmax and kl(A), "B" for kl(B)) with `n` tokens of its own. */
sonde_status metric_run_positions(arena *a, const sonde_metric *x, const char *run, metric_span s, position_list *out,
                                  sonde_error *err);
bool   metric_needs(const bound_metric *b, int64_t position);
/* Adds the tokens whose logits it reads, up to one a term, to list [*n]; false: it reads whole rows. */
bool   metric_tokens(const bound_metric *b, int32_t *list, size_t *n);
size_t metric_terms(const bound_metric *b);
void   metric_row(bound_metric *b, int64_t position, const float *logits);
double metric_value(const bound_metric *b);             /* after all rows; NaN where a row is missing; round to float once */
/* USAGE where a term has no gradient (rank). */
sonde_status metric_differentiable(const sonde_metric *x, sonde_error *err);
/* After all rows: ADD d value / d logits[position] to dlogits (double arithmetic, one rounding to float32 an element). */
void   metric_gradient(const bound_metric *b, int64_t position, const float *logits, float *dlogits);

#endif
