#include "norm_row.h"
#include "kernel/kern.h"
#include <math.h>
#include <stddef.h>

float row_mean(const float *x, int64_t d) { return kern->sum(x, (size_t)d) / (float)d; }

norm_row row_norm(const float *x, int64_t d, float eps) {
    const float mean = row_mean(x, d);
    return (norm_row){ mean, sqrtf(kern->sum_squares(x, mean, (size_t)d) / (float)d + eps) };
}
