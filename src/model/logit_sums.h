/* logit_sums.h - the sums behind logits.h and metrics: in double, by the one order of sums.
 *
 * The logarithm of sum exp(x) is kept in two parts, the greatest x and the rest (0 to log v), so that log p keeps its
 * digits however large logits are. */
#ifndef SONDE_LOGIT_SUMS_H
#define SONDE_LOGIT_SUMS_H
#include <stdint.h>

#define LN_2 0.69314718055994530942

typedef struct { double most, rest; } logit_sum;

/* NaN where a logit is NaN or +inf, or all are -inf. */
logit_sum logits_sum(const float *logits, int64_t v);
static inline double log_prob(float logit, logit_sum s) { return (logit - s.most) - s.rest; }
logit_sum logits_sum_entropy(const float *logits, int64_t v, double *entropy);  /* the same sum; entropy in nats */
double    logits_kl(const float *p, logit_sum p_sum, const float *q, logit_sum q_sum, int64_t v);
#endif
