/* pca.h - points in many dimensions, and their principal components, exact and in double.
 *
 * Points that lie in memory or in one of the model's tables, which is then read block by block and never whole. */
#ifndef SONDE_PCA_H
#define SONDE_PCA_H
#include "vectors.h"

typedef struct {
    const sonde_context *cx;
    int64_t        n, d;
    const float   *x;                   /* [n, d]; NULL: those of `table`, all of it */
    const vectors *table;
} points;

sonde_status points_each(const points *p, const char *what, vectors_fn fn, void *user, sonde_error *err);

typedef struct {
    int     dims;
    double *y;                          /* [n, dims] */
    double *variance;                   /* [n_variances] (n - 1 in the divisor), descending */
    int64_t n_variances;                /* min(n, d) */
    double  total;
} pca;

/* By the eigenvectors of the d x d covariance; of fewer points than dimensions, by those of the n x n products. The largest
 * number of each component is positive. Coordinates past the last component are 0. */
sonde_status pca_make(pca *out, const points *p, int dims, sonde_error *err);
void         pca_free(pca *p);                                          /* accepts a zeroed one */
#endif
