#include "sonde/linear.h"
#include "library.h"
#include <inttypes.h>
#include <lapacke.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>

typedef struct {
    __typeof__(LAPACKE_dsyevd) *dsyevd;
    __typeof__(LAPACKE_dposv)  *dposv;
    void       (*set_threads)(int threads);     /* of OpenBLAS, where that is the BLAS; else NULL */
    sonde_status status;
    sonde_error  why;
} lapack_functions;

static lapack_functions lapack;
static pthread_once_t   lapack_once = PTHREAD_ONCE_INIT;

static void load(void) {
    static const char file[] = "liblapacke.so.3";
    library_fn  fn[2], threads;
    sonde_error none;
    lapack.status = library_load(file, (const char *const[]){ "LAPACKE_dsyevd", "LAPACKE_dposv" }, 2, fn, &lapack.why);
    if (lapack.status != SONDE_OK) return;
    lapack.dsyevd = (__typeof__(LAPACKE_dsyevd) *)fn[0];
    lapack.dposv  = (__typeof__(LAPACKE_dposv) *)fn[1];
    if (library_load(file, (const char *const[]){ "openblas_set_num_threads" }, 1, &threads, &none) == SONDE_OK)
        lapack.set_threads = (void (*)(int))threads;
}

/* With one thread: sums in one order, and none beside ours. */
static sonde_status need_lapack(sonde_error *err) {
    pthread_once(&lapack_once, load);
    SONDE_FAIL_IF(lapack.status != SONDE_OK, err, lapack.status, "%s", lapack.why.message);
    if (lapack.set_threads) lapack.set_threads(1);
    return SONDE_OK;
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
    SONDE_TRY(need_lapack(err));
    const lapack_int failed = lapack.dsyevd(LAPACK_COL_MAJOR, 'V', 'L', (lapack_int)n, a, (lapack_int)n, value);
    SONDE_FAIL_IF(failed, err, SONDE_FORMAT, "eigenvectors of a matrix of %" PRId64 " rows: LAPACK's dsyevd says %d", n,
                  (int)failed);
    for (int64_t i = 0; i < n; i++) turn(a + i * n, n);        /* its columns are our rows */
    return SONDE_OK;
}

sonde_status sonde_solve(double *a, int64_t n, double *b, sonde_error *err) {
    SONDE_FAIL_IF(!finite_all(a, n * n) || !finite_all(b, n), err, SONDE_FORMAT, "equations with numbers that are not finite");
    SONDE_TRY(need_lapack(err));
    const lapack_int failed = lapack.dposv(LAPACK_COL_MAJOR, 'L', (lapack_int)n, 1, a, (lapack_int)n, b, (lapack_int)n);
    SONDE_FAIL_IF(failed, err, SONDE_FORMAT, "%" PRId64 " equations whose matrix is not positive definite (LAPACK's dposv says %d)",
                  n, (int)failed);
    return SONDE_OK;
}
