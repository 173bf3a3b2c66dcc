#include "norm_row.h"
#include "kernel/kern.h"
#include "scratch.h"
#include <math.h>
#include <stddef.h>

float row_mean(const float *x, int64_t d) { return kern->sum(x, (size_t)d) / (float)d; }

norm_row row_norm(const float *x, int64_t d, float eps) {
    const float mean = row_mean(x, d);
    float      *centred = scratch_floats(SCRATCH_ROW, (size_t)d);
    for (int64_t i = 0; i < d; i++) centred[i] = x[i] - mean;
    return (norm_row){ mean, sqrtf(kern->dot(centred, centred, (size_t)d) / (float)d + eps) };
}
