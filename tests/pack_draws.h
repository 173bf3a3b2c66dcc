/* pack_draws.h - seeded matrices that packers are measured on; the test, the benchmark and tools/truth/quantize.py (which
 * compiles it) draw the same numbers. */
#ifndef SONDE_PACK_DRAWS_H
#define SONDE_PACK_DRAWS_H
#include <math.h>
#include <stddef.h>
#include <stdint.h>

typedef struct { uint64_t at; } draw_state;

/* splitmix64 (Steele and others, 2014), in (0, 1). */
static inline double draw_unit(draw_state *g) {
    uint64_t z = (g->at += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return ((double)((z ^ z >> 31) >> 11) + 0.5) * 0x1p-53;
}

static inline double draw_gauss(draw_state *g) {
    const double r = sqrt(-2 * log(draw_unit(g)));
    return r * cos(6.283185307179586 * draw_unit(g));
}

/* The root of the mean of k squares: what a normal number is divided by to be Student's of k degrees. */
static inline double draw_chi(draw_state *g, int k) {
    double sum = 0;
    for (int i = 0; i < k; i++) {
        const double a = draw_gauss(g);
        sum += a * a;
    }
    return sqrt(sum / k);
}

static inline double draw_student(draw_state *g, int k) {
    const double a = draw_gauss(g);
    return a / draw_chi(g, k);
}

static inline double draw_laplace(draw_state *g) {
    const double size = -log(draw_unit(g));
    return draw_unit(g) < 0.5 ? -size : size;
}

/* v, but `other` v with probability p. */
static inline double draw_some(draw_state *g, double p, double other) {
    const double v = draw_gauss(g);
    return draw_unit(g) < p ? other * v : v;
}

/* Every sixteen numbers have a spread of their own. */
static inline double draw_spread(draw_state *g, size_t i) {
    draw_state group = { i / 16 };
    const double s = exp(2 * draw_gauss(&group));
    return s * draw_gauss(g);
}

/*  DRAW(name, number i of a matrix) */
#define PACK_DRAWS(DRAW)                             \
    DRAW(gauss,    0.02 * draw_gauss(g))             \
    DRAW(student,  0.02 * draw_student(g, 3))        \
    DRAW(cauchy,   0.02 * draw_student(g, 1))        \
    DRAW(laplace,  0.02 * draw_laplace(g))           \
    DRAW(uniform,  draw_unit(g) - 0.5)               \
    DRAW(sparse,   draw_some(g, 0.9, 0))             \
    DRAW(outlier,  draw_some(g, 0.005, 50))          \
    DRAW(positive, 1 + 0.1 * draw_gauss(g))          \
    DRAW(ternary,  floor(3 * draw_unit(g)) - 1)      \
    DRAW(spread,   draw_spread(g, i))

enum {
#define DRAW(name, expression) DRAW_##name,
    PACK_DRAWS(DRAW)
#undef DRAW
    DRAW_COUNT
};

static const char *const draw_names[] = {
#define DRAW(name, expression) #name,
    PACK_DRAWS(DRAW)
#undef DRAW
};

static inline double draw_number(int kind, draw_state *g, size_t i) {
    switch (kind) {
#define DRAW(name, expression) case DRAW_##name: return expression;
    PACK_DRAWS(DRAW)
#undef DRAW
    default: return (double)i;
    }
}

/* x[n]: the matrix of this kind, row after row. */
static inline void draw_matrix(int kind, float *x, size_t n) {
    draw_state g = { (uint64_t)kind << 32 };
    for (size_t i = 0; i < n; i++) x[i] = (float)draw_number(kind, &g, i);
}
#endif
