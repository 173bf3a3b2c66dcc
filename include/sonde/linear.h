/* linear.h - the few problems of dense linear algebra that methods need, in double, row-major, by LAPACK.
 *
 * LAPACK's results may differ in the last bits from machine to machine; whoever prints them says so. One thread. */
#ifndef SONDE_LINEAR_H
#define SONDE_LINEAR_H
#include "sonde/error.h"
#include <stdint.h>

/* Eigenvalues of a symmetric matrix [n, n], ascending, into value [n]; row i of `a` becomes the unit eigenvector of value
 * i, its largest component positive. FORMAT: not finite, or no convergence. */
SONDE_API sonde_status sonde_eigen(double *a, int64_t n, double *value, sonde_error *err);
/* Solves a x = b, a [n, n] symmetric and positive definite; b [n] becomes x, a is destroyed. FORMAT: it is not. */
SONDE_API sonde_status sonde_solve(double *a, int64_t n, double *b, sonde_error *err);
#endif
