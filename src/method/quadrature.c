/* Roots of Legendre polynomials by Newton's method from Tricomi's approximation; P_n and its derivative by the recurrence
 * (k + 1) P_{k+1} = (2 k + 1) x P_k - k P_{k-1} (Abramowitz and Stegun, Handbook of Mathematical Functions, 1964, 25.4.29). */
#include "quadrature.h"
#include <math.h>

#define PI 3.14159265358979323846

/* P_n(x); its derivative in *slope. */
static double legendre(int64_t n, double x, double *slope) {
    double before = 1, p = x;
    for (int64_t k = 1; k < n; k++) {
        const double next = ((double)(2 * k + 1) * x * p - (double)k * before) / (double)(k + 1);
        before = p;
        p = next;
    }
    *slope = (double)n * (x * p - before) / (x * x - 1);
    return p;
}

void quadrature_gauss_legendre(int64_t n, double *at, double *weight) {
    enum { MOST_TURNS = 100 };
    for (int64_t i = 0; i < n; i++) {
        double x = -cos(PI * ((double)i + 0.75) / ((double)n + 0.5)), slope = 1, last = INFINITY;
        if (2 * i + 1 == n) x = 0;
        for (int turn = 0; turn < MOST_TURNS; turn++) {
            const double step = legendre(n, x, &slope) / slope;
            x -= step;
            if (fabs(step) < 1e-16 || fabs(step) >= last) break;       /* rounding is what is left */
            last = fabs(step);
        }
        legendre(n, x, &slope);
        at[i] = (1 + x) / 2;
        weight[i] = 1 / ((1 - x * x) * slope * slope);      /* half of the weight on [-1, 1] */
    }
}

void quadrature_trapezoid(int64_t n, double *at, double *weight) {
    const double step = 1 / (double)(n - 1);
    for (int64_t i = 0; i < n; i++) {
        at[i] = (double)i * step;
        weight[i] = i == 0 || i == n - 1 ? step / 2 : step;
    }
    at[n - 1] = 1;
}
