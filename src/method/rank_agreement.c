/* Spearman, The proof and measurement of association between two things, 1904; Kendall, The treatment of ties in ranking
 * problems, 1945 (tau-b). Quadratic in n: lists here are prompts. */
#include "rank_agreement.h"
#include <math.h>

static double rank_of(const double *a, int64_t n, int64_t i) {
    int64_t below = 0, same = 0;
    for (int64_t j = 0; j < n; j++) {
        below += a[j] < a[i];
        same += a[j] == a[i];
    }
    return (double)below + (double)(same + 1) / 2;
}

double rank_spearman(const double *a, const double *b, int64_t n) {
    const double mean = (double)(n + 1) / 2;
    double ab = 0, aa = 0, bb = 0;
    for (int64_t i = 0; i < n; i++) {
        const double x = rank_of(a, n, i) - mean, y = rank_of(b, n, i) - mean;
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : NAN;
}

static int sign(double x) { return (x > 0) - (x < 0); }

double rank_kendall(const double *a, const double *b, int64_t n) {
    double both = 0, in_a = 0, in_b = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i + 1; j < n; j++) {
            const int x = sign(a[j] - a[i]), y = sign(b[j] - b[i]);
            both += x * y;
            in_a += x != 0;
            in_b += y != 0;
        }
    return in_a > 0 && in_b > 0 ? both / sqrt(in_a * in_b) : NAN;
}
