/* quantile.h - exact quantiles of float32 numbers that are shown twice, block by block, and never kept: their order is that
 * of 32-bit integers, counted first by the upper and then by the lower half. */
#ifndef SONDE_QUANTILE_H
#define SONDE_QUANTILE_H
#include <stdint.h>

typedef struct quantiles quantiles;

enum { QUANTILES_MOST = 4 };

quantiles *quantiles_new(const double *share, int n);           /* shares in [0, 1] of the numbers, at most QUANTILES_MOST */
void       quantiles_free(quantiles *q);                        /* accepts NULL */
void       quantiles_first(quantiles *q, const float *x, int64_t n);
void       quantiles_turn(quantiles *q);                        /* every number was shown once */
void       quantiles_second(quantiles *q, const float *x, int64_t n);
/* Of share i: number (count - 1) * share in ascending order, interpolated linearly (numpy's default). NaN if one is NaN or
 * there are none. */
double     quantiles_value(const quantiles *q, int i);
#endif
