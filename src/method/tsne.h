/* tsne.h - exact t-SNE in double (van der Maaten and Hinton, Visualizing Data using t-SNE, 2008): every pair counts, in
 * every step, in one order. The same numbers give the same picture. */
#ifndef SONDE_TSNE_H
#define SONDE_TSNE_H
#include "sonde/error.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    const float *x; int64_t n, d;       /* points [n, d] */
    double       perplexity;
    bool       (*point)(void *user, int64_t done);      /* after each; false ends it */
    void        *user;
} tsne_input;
/* Joint probabilities [n, n] of the points: p(i,j) = (p(j|i) + p(i|j)) / 2n, p(j|i) a normal distribution around i
 * whose width gives the perplexity; the diagonal is 0. Caller frees; NULL: ended early. */
double *tsne_joint(const tsne_input *in);

typedef struct { const double *p; int64_t n; int dims; double exaggeration; } tsne_state;
/* 4 sum_j (e p(i,j) - q(i,j)) (y_i - y_j) / (1 + |y_i - y_j|^2) into gradient [n, dims]. */
void   tsne_gradient(const tsne_state *s, const double *y, double *gradient);
/* KL(P || Q) in nats, of P as it is. */
double tsne_divergence(const tsne_state *s, const double *y);

/* The rate of a descent, n/12: the forces on a point are of the order of 1/n, and 12 times that while P is exaggerated. */
double tsne_rate(int64_t n);

/* Where it starts: y [n, dims] of standard deviation 1e-4, from coordinates (the first one's sd counts) or drawn. */
void   tsne_start_scaled(double *y, int64_t n, int dims);
void   tsne_start_random(double *y, int64_t n, int dims, uint64_t seed);

typedef struct {
    int64_t iterations;                 /* the first 250: P times 12, momentum .5, a quarter of the rate; then momentum .8 */
    double  rate;
    bool  (*step)(void *user, int64_t done, const double *y);      /* after each; false ends it */
    void   *user;
} tsne_walk;
/* Steps of gradient descent with gains from y, which they move; returns how many were made. Where the exaggerated P pulls
 * all points into one, and rounding would decide what comes of it, the factor gives way; *exaggeration: what it came to. */
int64_t tsne_descend(const tsne_state *s, const tsne_walk *w, double *y, double *exaggeration);
#endif
