/* logits.h - what a row of logits says, in double.
 *
 * exp and log are the project's own and sums go in the order of the vocabulary, so results are the same
 * bits on every machine. Any thread. */
#ifndef SONDE_LOGITS_H
#define SONDE_LOGITS_H
#include "sonde/error.h"
#include <stddef.h>
#include <stdint.h>

typedef struct {
    double  log_sum;            /* log of the sum of exp(logits): logprob = logit - log_sum */
    double  greatest, rest;     /* the same in two parts, the greatest logit and what is left: keeps every digit */
    double  entropy_bits;       /* of the softmax; 0 log 0 = 0 */
    int32_t argmax;             /* ties: the lower id; NaN never wins */
} sonde_logit_stats;
SONDE_API sonde_logit_stats sonde_logits_stats(const float *logits, int64_t v);
SONDE_API double  sonde_logit_prob(float logit, const sonde_logit_stats *s);            /* of one of these logits */
SONDE_API double  sonde_logits_prob(const float *logits, int64_t v, int32_t id);        /* softmax at temperature 1 */
SONDE_API int64_t sonde_logits_rank(const float *logits, int64_t v, int32_t id);        /* 1 + number of greater ones */
SONDE_API double  sonde_logits_kl(const float *p, const float *q, int64_t v);           /* nats, KL(p || q) */
/* The same where both log_sum are known. */
SONDE_API double  sonde_logits_kl_known(const float *p, double p_log_sum, const float *q, double q_log_sum, int64_t v);
/* For many q beside one p: its probabilities [v] once, then KL(p || q) without an exponential. */
SONDE_API void    sonde_logits_probs(const float *logits, int64_t v, double log_sum, double *out);
typedef struct { const float *logits; double log_sum; const double *prob; } sonde_known_logits;
SONDE_API double  sonde_logits_kl_probs(const sonde_known_logits *p, const float *q, double q_log_sum, int64_t v);
/* Ids of the k largest, descending, ties to the lower id; returns how many (min(k, v)). */
SONDE_API size_t  sonde_logits_top(const float *logits, int64_t v, size_t k, int32_t *out);
#endif
