/* answer_spans.h - the spans of a text that starts and ends of every position make, and the answers they become: what
 * transformers' question answering does with the two rows of logits, in double. */
#ifndef SONDE_ANSWER_SPANS_H
#define SONDE_ANSWER_SPANS_H
#include <stddef.h>
#include <stdint.h>

typedef struct { int64_t start, end; double score; } answer_span;       /* positions, both in it */

/* Softmax over the positions that `counts` names, 0 elsewhere; out [n]. `column` of logits [n, 2]. */
void   span_probs(const float *logits, int column, const uint8_t *counts, int64_t n, double *out);
/* The `most` spans with the largest start[i] * end[k] whose ends are both `inside`, i <= k < i + longest, the larger first,
 * ties by place; returns how many there are. out has room for most + 1. */
typedef struct { const double *start, *end; const uint8_t *inside; int64_t n, longest; } span_query;
size_t spans_best(const span_query *q, size_t most, answer_span *out);

/* Bytes of a text; equal but for the case of A to Z: one answer. */
typedef struct { int64_t start, end; answer_span best; double score; } answer;     /* score: of all its spans */
size_t answers_add(answer *list, size_t n, const char *text, answer a);            /* the new n */
void   answers_sort(answer *list, size_t n);                                       /* the larger score first, else in order */
#endif
