/* rank_agreement.h - do two lists of numbers put the same things first? */
#ifndef SONDE_RANK_AGREEMENT_H
#define SONDE_RANK_AGREEMENT_H
#include <stdint.h>

/* Spearman's rho: Pearson's correlation of the ranks, ties sharing their mean rank. NaN: fewer than two, or all equal. */
double rank_spearman(const double *a, const double *b, int64_t n);
/* Kendall's tau-b: (concordant - discordant) pairs over the geometric mean of those not tied in a and not tied in b. */
double rank_kendall(const double *a, const double *b, int64_t n);
#endif
