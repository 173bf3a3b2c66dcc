#include "test.h"
#include "sonde/linear.h"
#include <math.h>

/* The matrix with 2 on its diagonal and -1 beside it has eigenvalues 2 - 2 cos(k pi / (n + 1)). */
static void second_difference(double *a, int n) {
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++) a[i * n + k] = i == k ? 2 : i - k == 1 || k - i == 1 ? -1 : 0;
}

static void eigenvectors_of_the_second_difference(void) {
    enum { N = 7 };
    double a[N * N], before[N * N], value[N];
    sonde_error err;
    second_difference(a, N);
    second_difference(before, N);
    CHECK_EQ(sonde_eigen(a, N, value, &err), SONDE_OK);
    for (int k = 0; k < N; k++) {
        CHECK_NEAR(value[k], 2 - 2 * cos((k + 1) * acos(-1) / (N + 1)), 1e-13);
        double norm = 0, most = 0;
        for (int i = 0; i < N; i++) {
            double product = 0;
            for (int j = 0; j < N; j++) product += before[i * N + j] * a[k * N + j];
            CHECK_NEAR(product, value[k] * a[k * N + i], 1e-13);
            norm += a[k * N + i] * a[k * N + i];
            if (fabs(a[k * N + i]) > fabs(most)) most = a[k * N + i];
        }
        CHECK_NEAR(norm, 1, 1e-13);
        CHECK(most > 0);
    }
}

static void equations_give_back_what_was_multiplied(void) {
    enum { N = 9 };
    double a[N * N], b[N] = { 0 };
    sonde_error err;
    second_difference(a, N);
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++) b[i] += a[i * N + k] * (k + 1);
    CHECK_EQ(sonde_solve(a, N, b, &err), SONDE_OK);
    for (int i = 0; i < N; i++) CHECK_NEAR(b[i], i + 1, 1e-12);
}

static void what_cannot_be_solved_is_said(void) {
    double zero[4] = { 0 }, b[2] = { 1, 1 }, bad[4] = { NAN, 0, 0, 1 }, value[2];
    sonde_error err;
    CHECK_EQ(sonde_solve(zero, 2, b, &err), SONDE_FORMAT);
    CHECK_EQ(sonde_eigen(bad, 2, value, &err), SONDE_FORMAT);
}

#define TESTS(X) \
    X(eigenvectors_of_the_second_difference) X(equations_give_back_what_was_multiplied) X(what_cannot_be_solved_is_said)
TEST_MAIN(TESTS)
