/* quadrature.h - points and weights for integrals over [0, 1]. */
#ifndef SONDE_QUADRATURE_H
#define SONDE_QUADRATURE_H
#include <stdint.h>

/* Gauss and Legendre: exact for polynomials of degree 2 n - 1; points ascending, none of them an end. */
void quadrature_gauss_legendre(int64_t n, double *at, double *weight);
/* Trapezoid: n >= 2 evenly spaced points, both ends among them, those with half the weight. */
void quadrature_trapezoid(int64_t n, double *at, double *weight);
#endif
