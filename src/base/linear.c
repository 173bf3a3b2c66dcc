#include "sonde/linear.h"
#include <inttypes.h>
#include <lapacke.h>
#include <math.h>
#include <stdbool.h>

/* Of OpenBLAS, where that is the BLAS: sums in one order, and no threads beside ours. */
extern void openblas_set_num_threads(int threads) __attribute__((weak));

static void one_thread(void) {
    if (openblas_set_num_threads) openblas_set_num_threads(1);
}

static bool finite_all(const double *x, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return false;
    return true;
}

static void turn(double *row, int64_t n) {
    int64_t most = 0;
    for (int64_t k = 1; k < n; k++)
        if (fabs(row[k]) > fabs(row[most])) most = k;
    if (n == 0 || row[most] >= 0) return;
    for (int64_t k = 0; k < n; k++) row[k] = -row[k];
}

sonde_status sonde_eigen(double *a, int64_t n, double *value, sonde_error *err) {
    SONDE_FAIL_IF(!finite_all(a, n * n), err, SONDE_FORMAT, "eigenvectors of a matrix with numbers that are not finite");
    one_thread();
    const lapack_int failed = LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'L', (lapack_int)n, a, (lapack_int)n, value);
    SONDE_FAIL_IF(failed, err, SONDE_FORMAT, "eigenvectors of a matrix of %" PRId64 " rows: LAPACK's dsyevd says %d", n,
                  (int)failed);
    for (int64_t i = 0; i < n; i++) turn(a + i * n, n);        /* its columns are our rows */
    return SONDE_OK;
}

sonde_status sonde_solve(double *a, int64_t n, double *b, sonde_error *err) {
    SONDE_FAIL_IF(!finite_all(a, n * n) || !finite_all(b, n), err, SONDE_FORMAT, "equations with numbers that are not finite");
    one_thread();
    const lapack_int failed = LAPACKE_dposv(LAPACK_COL_MAJOR, 'L', (lapack_int)n, 1, a, (lapack_int)n, b, (lapack_int)n);
    SONDE_FAIL_IF(failed, err, SONDE_FORMAT, "%" PRId64 " equations whose matrix is not positive definite (LAPACK's dposv says %d)",
                  n, (int)failed);
    return SONDE_OK;
}
