/* product.h - large products of matrices on a session's threads, for analyses of weights.
 *
 * Products are those of the model's own kernels (float32, one order of sums), so results are the same bits on every
 * machine and with any number of threads. */
#ifndef SONDE_PRODUCT_OF_MATRICES_H
#define SONDE_PRODUCT_OF_MATRICES_H
#include "sonde/error.h"
#include "sonde/session.h"
#include <stdint.h>

/* y = x W: x [rows, k]; W [k, n], the first n columns of a matrix whose rows have `stride` floats. */
typedef struct {
    const float *x; int64_t rows, k;
    const float *w; int64_t n, stride;
} sonde_matrices;

/* y [rows, n]. CANCELLED where the session is told to stop. */
SONDE_API sonde_status sonde_session_product(sonde_session *s, const sonde_matrices *m, float *y, sonde_error *err);

/* Of each row of y, item j times row[r] * column[j] (double): population moments; kurtosis is not the excess one (a normal
 * distribution has 3). Skew and kurtosis are NaN where nothing varies. Never more than a block of y exists. */
typedef struct { double mean, var, skew, kurtosis; } sonde_moments;
typedef struct { const double *row, *column; } sonde_scales;
SONDE_API sonde_status sonde_session_moments(sonde_session *s, const sonde_matrices *m, sonde_scales by, sonde_moments *out,
                                             sonde_error *err);
#endif
