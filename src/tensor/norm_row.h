/* norm_row.h - the two numbers of a row that a layer norm is made of. */
#ifndef SONDE_NORM_ROW_H
#define SONDE_NORM_ROW_H
#include <stdint.h>

typedef struct { float mean, scale; } norm_row;

float    row_mean(const float *x, int64_t d);
/* scale = sqrt(mean((x - mean)^2) + eps) */
norm_row row_norm(const float *x, int64_t d, float eps);
#endif
