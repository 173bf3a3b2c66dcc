/* cka.h - centred kernel alignment of several views of the same samples, linear kernel (Kornblith, Norouzi, Lee and Hinton,
 * Similarity of Neural Network Representations Revisited, 2019; the unbiased HSIC: Song, Smola, Gretton, Bedo and Borgwardt,
 * Feature Selection via Dependence Maximization, 2012). */
#ifndef SONDE_CKA_H
#define SONDE_CKA_H
#include "method.h"

typedef struct { double *x; int64_t width; } cka_view;      /* [samples, width] */

/* K: inner products of samples with zeros on the diagonal, L: of another view. HSIC = [tr(KL) + (1'K1)(1'L1) / ((n-1)(n-2))
 * - 2 / (n-2) 1'KL1] / (n (n-3)); CKA = HSIC(K,L) / sqrt(HSIC(K,K) HSIC(L,L)). n >= 4. out [views, views]; NaN where a view
 * does not vary. The views are centred in place, which changes neither number but keeps their digits.
 * CANCELLED: `out` says nothing. */
sonde_status cka_matrix(const sonde_context *cx, const cka_view *view, size_t views, int64_t n, double *out, sonde_error *err);
#endif
