#include "tsne.h"
#include "room.h"
#include "sonde/random.h"
#include <math.h>

enum { EXAGGERATED = 250, SEARCH = 200 };
static const double EXAGGERATION = 12, GIVE_WAY = 0.9, START_SD = 1e-4, LEAST_GAIN = 0.01, PI = 3.14159265358979323846;

/* ---- probabilities ---- */

/* p(j|i) for one width; returns its entropy in nats. `near`: the smallest distance, so that not all of them vanish. */
static double conditional(const double *distance, int64_t i, int64_t n, double beta, double *p) {
    double near = INFINITY, sum = 0, weighted = 0;
    for (int64_t j = 0; j < n; j++)
        if (j != i && distance[j] < near) near = distance[j];
    for (int64_t j = 0; j < n; j++) {
        p[j] = j == i ? 0 : exp(-beta * (distance[j] - near));
        sum += p[j];
        weighted += p[j] * (distance[j] - near);
    }
    for (int64_t j = 0; j < n; j++) p[j] /= sum;
    return log(sum) + beta * weighted / sum;
}

/* Halve the interval of beta = 1 / (2 sigma^2) until the entropy is log(perplexity). */
static void find_width(const double *distance, int64_t i, int64_t n, double perplexity, double *p) {
    double low = 0, high = INFINITY, beta = 1;
    for (int k = 0; k < SEARCH; k++) {
        const double off = conditional(distance, i, n, beta, p) - log(perplexity);
        if (fabs(off) < 1e-12) return;
        if (off > 0) low = beta;
        else high = beta;
        beta = isinf(high) ? beta * 2 : (low + high) / 2;
    }
}

static double squared_distance(const float *a, const float *b, int64_t d) {
    double s = 0;
    for (int64_t k = 0; k < d; k++) {
        const double off = (double)a[k] - (double)b[k];
        s += off * off;
    }
    return s;
}

double *tsne_joint(const tsne_input *in) {
    const int64_t n = in->n, d = in->d;
    double *p = ROOM(double, n * n), *distance = ROOM(double, n);
    bool    on = true;
    for (int64_t i = 0; i < n && on; i++) {
        for (int64_t j = 0; j < n; j++) distance[j] = squared_distance(in->x + i * d, in->x + j * d, d);
        find_width(distance, i, n, in->perplexity, p + i * n);
        on = in->point(in->user, i + 1);
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++) p[i * n + j] = p[j * n + i] = (p[i * n + j] + p[j * n + i]) / (2 * (double)n);
    free(distance);
    if (on) return p;
    free(p);
    return NULL;
}

/* ---- forces ---- */

typedef struct { double all, pulled[3], pushed[3]; } forces;        /* on one point; all: the sum of w */

/* Loops over 2 or 3 dimensions whose number the compiler knows. */
static inline void nearness_of(const double *y, int64_t i, int64_t n, int dims, double *w) {
    for (int64_t j = 0; j < n; j++) {
        double apart = 1;
        for (int c = 0; c < dims; c++) {
            const double off = y[i * dims + c] - y[j * dims + c];
            apart += off * off;
        }
        w[j] = 1 / apart;
    }
    w[i] = 0;
}

static inline forces forces_of(const tsne_state *s, const double *y, int64_t i, int dims, const double *w) {
    const double *p = s->p + i * s->n;
    forces f = { 0 };
    for (int64_t j = 0; j < s->n; j++) {
        const double pull = p[j] * w[j], push = w[j] * w[j];
        f.all += w[j];
        for (int c = 0; c < dims; c++) {
            const double off = y[i * dims + c] - y[j * dims + c];
            f.pulled[c] += pull * off;
            f.pushed[c] += push * off;
        }
    }
    return f;
}

/* 1 / (1 + |y_i - y_j|^2) of all j, 0 at i. */
static void nearness(const tsne_state *s, const double *y, int64_t i, double *w) {
    if (s->dims == 2) nearness_of(y, i, s->n, 2, w);
    else nearness_of(y, i, s->n, 3, w);
}

void tsne_gradient(const tsne_state *s, const double *y, double *gradient) {
    const int dims = s->dims;
    double *w = ROOM(double, s->n), *push = ROOM(double, s->n * dims), all = 0;
    for (int64_t i = 0; i < s->n; i++) {
        nearness(s, y, i, w);
        const forces f = dims == 2 ? forces_of(s, y, i, 2, w) : forces_of(s, y, i, 3, w);
        all += f.all;
        for (int c = 0; c < dims; c++) {
            gradient[i * dims + c] = 4 * s->exaggeration * f.pulled[c];
            push[i * dims + c] = 4 * f.pushed[c];
        }
    }
    for (int64_t k = 0; k < s->n * dims; k++) gradient[k] -= push[k] / all;
    free(push);
    free(w);
}

double tsne_divergence(const tsne_state *s, const double *y) {
    double *w = ROOM(double, s->n), all = 0, kl = 0;
    for (int64_t i = 0; i < s->n; i++) {
        nearness(s, y, i, w);
        for (int64_t j = 0; j < s->n; j++) all += w[j];
    }
    for (int64_t i = 0; i < s->n; i++) {
        nearness(s, y, i, w);
        for (int64_t j = 0; j < s->n; j++) {
            const double p = s->p[i * s->n + j];
            if (p > 0) kl += p * log(p / (w[j] / all));
        }
    }
    free(w);
    return kl;
}

/* ---- descent ---- */

void tsne_start_scaled(double *y, int64_t n, int dims) {
    double mean = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) mean += y[i * dims] / (double)n;
    for (int64_t i = 0; i < n; i++) squares += (y[i * dims] - mean) * (y[i * dims] - mean) / (double)n;
    for (int64_t k = 0; k < n * dims; k++) y[k] *= START_SD / sqrt(squares);
}

/* Box and Muller, 1958. */
void tsne_start_random(double *y, int64_t n, int dims, uint64_t seed) {
    for (int64_t k = 0; k < n * dims; k++) {
        const double u = 1 - sonde_random_unit(seed, 0, (uint64_t)k), v = sonde_random_unit(seed, 1, (uint64_t)k);
        y[k] = START_SD * sqrt(-2 * log(u)) * cos(2 * PI * v);
    }
}

double tsne_rate(int64_t n) { return (double)n / 12; }

/* Sum of squares around the middle. */
static double spread(const double *y, int64_t n, int dims) {
    double squares = 0;
    for (int c = 0; c < dims; c++) {
        double mean = 0;
        for (int64_t i = 0; i < n; i++) mean += y[i * dims + c] / (double)n;
        for (int64_t i = 0; i < n; i++) squares += (y[i * dims + c] - mean) * (y[i * dims + c] - mean);
    }
    return squares;
}

typedef struct { double *gradient, *step, *gain; } motion;

static void move(const tsne_state *s, const motion *m, double momentum, double rate, double *y) {
    tsne_gradient(s, y, m->gradient);
    for (int64_t k = 0; k < s->n * s->dims; k++) {
        m->gain[k] = m->step[k] * m->gradient[k] < 0 ? m->gain[k] + 0.2 : m->gain[k] * 0.8;
        if (m->gain[k] < LEAST_GAIN) m->gain[k] = LEAST_GAIN;
        m->step[k] = momentum * m->step[k] - rate * m->gain[k] * m->gradient[k];
        y[k] += m->step[k];
    }
}

static void rest(const motion *m, int64_t n) {
    for (int64_t k = 0; k < n; k++) {
        m->step[k] = 0;
        m->gain[k] = 1;
    }
}

int64_t tsne_descend(const tsne_state *s, const tsne_walk *w, double *y, double *exaggeration) {
    const int64_t all = s->n * s->dims;
    const motion  m = { ROOM(double, all), ROOM(double, all), ROOM(double, all) };
    const double  start = spread(y, s->n, s->dims);
    tsne_state now = *s;
    double     before = start;
    int64_t    done = 0;
    *exaggeration = EXAGGERATION;
    rest(&m, all);
    for (bool on = true; done < w->iterations && on; done++) {
        const bool first = done < EXAGGERATED;
        if (done == EXAGGERATED) rest(&m, all);
        now.exaggeration = first ? *exaggeration : 1;
        move(&now, &m, first ? 0.5 : 0.8, first ? w->rate / 4 : w->rate, y);
        const double after = spread(y, s->n, s->dims);
        if (first && after < before && after < start) *exaggeration = fmax(1, *exaggeration * GIVE_WAY);
        before = after;
        on = w->step(w->user, done + 1, y);
    }
    free(m.gradient);
    free(m.step);
    free(m.gain);
    return done;
}
