/* stats.h - mean, spread and range of numbers that come in pieces.
 *
 * In double, about the first finite number, so that a mean far from zero costs no digits of the deviation. The same
 * pieces in the same order give the same bits on every machine. Any thread. */
#ifndef SONDE_STATS_H
#define SONDE_STATS_H
#include "sonde/error.h"
#include <stdint.h>

typedef struct {                    /* zeroed: nothing seen */
    int64_t n;                      /* finite numbers; others are passed over */
    double  shift, sum, square;
    double  least, most;
} sonde_stats;

SONDE_API void   sonde_stats_add(sonde_stats *s, const float *x, int64_t n);
SONDE_API double sonde_stats_mean(const sonde_stats *s);            /* NaN of none */
SONDE_API double sonde_stats_sd(const sonde_stats *s);              /* of the population; NaN of none */
#endif
