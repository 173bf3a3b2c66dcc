#include "pca.h"
#include "room.h"
#include "sonde/linear.h"
#include <math.h>

enum { GROUP = 32, UNROLLED = 8 };              /* rows that are added to the covariance at once */

typedef struct {
    const points *p;
    double *mean;                               /* [d] */
    double *square;                             /* [d, d], or [n, n] of fewer points than dimensions */
    double *axis;                               /* [dims, d], the components */
    int     dims;
    double *y;
    double *centred;                            /* [GROUP, d]; all of [n, d] of few points */
} work;

sonde_status points_each(const points *p, const char *what, vectors_fn fn, void *user, sonde_error *err) {
    if (p->x) return fn(user, 0, p->n, p->x, err);
    return vectors_each(p->table, &(vectors_walk){ 0, p->n, what, fn, user }, err);
}

static sonde_status take_mean(void *user, int64_t first, int64_t rows, const float *x, sonde_error *err) {
    (void)first;
    (void)err;
    work *w = user;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < w->p->d; k++) w->mean[k] += (double)x[i * w->p->d + k];
    return SONDE_OK;
}

static void centre(const work *w, const float *x, int64_t rows, double *out) {
    const int64_t d = w->p->d;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < d; k++) out[i * d + k] = (double)x[i * d + k] - w->mean[k];
}

/* The lower triangle of square += x^T x of GROUP rows, row by row of the square while it is near. */
static void add_products(double *square, const double *x, int64_t d) {
    for (int64_t i = 0; i < d; i++) {
        double *to = square + i * d;
        for (int g = 0; g < GROUP; g += UNROLLED) {
            const double *r = x + g * d;
            const double a = r[i], b = r[i + d], c = r[i + 2 * d], e = r[i + 3 * d];
            const double f = r[i + 4 * d], h = r[i + 5 * d], m = r[i + 6 * d], o = r[i + 7 * d];
            for (int64_t k = 0; k <= i; k++)
                to[k] += a * r[k] + b * r[k + d] + c * r[k + 2 * d] + e * r[k + 3 * d] +
                         (f * r[k + 4 * d] + h * r[k + 5 * d] + m * r[k + 6 * d] + o * r[k + 7 * d]);
        }
    }
}

static sonde_status take_covariance(void *user, int64_t first, int64_t rows, const float *x, sonde_error *err) {
    (void)first;
    (void)err;
    work *w = user;
    const int64_t d = w->p->d;
    for (int64_t i = 0; i < rows; i += GROUP) {
        const int64_t n = rows - i < GROUP ? rows - i : GROUP;
        centre(w, x + i * d, n, w->centred);
        memset(w->centred + n * d, 0, (size_t)((GROUP - n) * d) * sizeof *w->centred);
        add_products(w->square, w->centred, d);
    }
    return SONDE_OK;
}

static double product(const double *a, const double *b, int64_t n) {
    double s = 0;
    for (int64_t k = 0; k < n; k++) s += a[k] * b[k];
    return s;
}

static sonde_status take_coordinates(void *user, int64_t first, int64_t rows, const float *x, sonde_error *err) {
    (void)err;
    work *w = user;
    const int64_t d = w->p->d;
    for (int64_t i = 0; i < rows; i++) {
        centre(w, x + i * d, 1, w->centred);
        for (int c = 0; c < w->dims; c++) w->y[(first + i) * w->dims + c] = product(w->centred, w->axis + c * d, d);
    }
    return SONDE_OK;
}

/* LAPACK reads the upper triangle as well as the lower one. */
static void mirror(double *a, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < i; k++) a[k * n + i] = a[i * n + k];
}

/* Eigenvectors of the covariance are the components. */
static sonde_status by_covariance(work *w, double *eigen, sonde_error *err) {
    const int64_t d = w->p->d;
    w->centred = ROOM(double, GROUP * d);
    w->square = ROOM(double, d * d);
    SONDE_TRY(points_each(w->p, "rows of the covariance", take_covariance, w, err));
    mirror(w->square, d);
    SONDE_TRY(sonde_eigen(w->square, d, eigen, err));
    for (int c = 0; c < w->dims && c < d; c++)
        memcpy(w->axis + c * d, w->square + (d - 1 - c) * d, (size_t)d * sizeof *w->axis);
    return SONDE_OK;
}

static sonde_status take_all(void *user, int64_t first, int64_t rows, const float *x, sonde_error *err) {
    (void)err;
    const work *w = user;
    centre(w, x, rows, w->centred + first * w->p->d);
    return SONDE_OK;
}

static void turn(double *x, int64_t n) {
    int64_t most = 0;
    for (int64_t k = 1; k < n; k++)
        if (fabs(x[k]) > fabs(x[most])) most = k;
    for (int64_t k = 0; k < n && x[most] < 0; k++)
        if (k != most) x[k] = -x[k];
    x[most] = fabs(x[most]);
}

/* An eigenvector u of X X^T with value l gives the component X^T u / sqrt(l). */
static sonde_status by_products(work *w, double *eigen, sonde_error *err) {
    const int64_t n = w->p->n, d = w->p->d;
    w->centred = ROOM(double, n * d);
    w->square = ROOM(double, n * n);
    SONDE_TRY(points_each(w->p, "rows", take_all, w, err));
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k <= i; k++) w->square[i * n + k] = product(w->centred + i * d, w->centred + k * d, d);
    mirror(w->square, n);
    SONDE_TRY(sonde_eigen(w->square, n, eigen, err));
    for (int c = 0; c < w->dims && c < n; c++) {
        const double *u = w->square + (n - 1 - c) * n, l = eigen[n - 1 - c];
        if (l <= eigen[n - 1] * 1e-14) continue;            /* no direction: rounding alone */
        for (int64_t i = 0; i < n; i++)
            for (int64_t k = 0; k < d; k++) w->axis[c * d + k] += u[i] * w->centred[i * d + k] / sqrt(l);
        turn(w->axis + c * d, d);
    }
    return SONDE_OK;
}

static sonde_status make(pca *out, work *w, sonde_error *err) {
    const int64_t n = w->p->n, d = w->p->d;
    double *eigen = ROOM(double, out->n_variances);
    sonde_status s = points_each(w->p, "rows of the mean", take_mean, w, err);
    for (int64_t k = 0; k < d; k++) w->mean[k] /= (double)n;
    if (s == SONDE_OK) s = n < d ? by_products(w, eigen, err) : by_covariance(w, eigen, err);
    for (int64_t i = 0; i < out->n_variances && s == SONDE_OK; i++) {
        const double l = eigen[out->n_variances - 1 - i] / (double)(n - 1);
        out->variance[i] = l > 0 ? l : 0;
        out->total += out->variance[i];
    }
    free(eigen);
    SONDE_TRY(s);
    return points_each(w->p, "rows projected", take_coordinates, w, err);
}

sonde_status pca_make(pca *out, const points *p, int dims, sonde_error *err) {
    *out = (pca){ .dims = dims, .n_variances = p->n < p->d ? p->n : p->d };
    SONDE_FAIL_IF(p->n < 2, err, SONDE_USAGE, "1 point has no directions, expected at least 2 points");
    out->y = ROOM(double, p->n * dims);
    out->variance = ROOM(double, out->n_variances);
    work w = { .p = p, .mean = ROOM(double, p->d), .axis = ROOM(double, dims * p->d), .dims = dims, .y = out->y };
    const sonde_status s = make(out, &w, err);
    free(w.mean);
    free(w.axis);
    free(w.square);
    free(w.centred);
    return s;
}

void pca_free(pca *p) {
    free(p->y);
    free(p->variance);
    *p = (pca){ 0 };
}
