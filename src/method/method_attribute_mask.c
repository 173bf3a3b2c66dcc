/* Runs in which tokens are replaced by the baseline: one window after the other, or random sets of them.
 * Occlusion: Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, 2014. LIME: Ribeiro, Singh and
 * Guestrin, "Why Should I Trust You?", 2016. Kernel SHAP: Lundberg and Lee, A Unified Approach to Interpreting Model
 * Predictions, 2017; paired samples: Covert and Lee, Improving KernelSHAP, 2021. */
#include "method_attribute.h"
#include "room.h"
#include <math.h>

static void replace(const attribution *a, int64_t t, float *point) {
    memcpy(point + t * a->d, a->b + t * a->d, (size_t)a->d * sizeof *point);
}

/* ---- occlusion ---- */

typedef struct { attribution *a; attribute_scores *s; } occlusion;

static void make_window(void *user, int64_t i, float *point) {
    const occlusion *o = user;
    for (int64_t t = i; t < i + o->a->window; t++) replace(o->a, t, point);
}

static void take_window(void *user, int64_t i, double f, const float *gradient) {
    (void)gradient;
    const occlusion *o = user;
    for (int64_t t = i; t < i + o->a->window; t++) o->s->score[t] += o->a->f_x - f;
}

sonde_status attribute_occlusion(attribution *a, sonde_error *err) {
    occlusion o = { a, attribute_scores_new(a, WAY_OCCLUSION, 1) };
    const int64_t windows = a->n - a->window + 1;
    const attribute_points p = { .n = windows, .make = make_window, .take = take_window, .user = &o };
    const sonde_status s = attribute_run(a, &p, err);
    for (int64_t t = 0; t < a->n; t++) {
        const int64_t first = t - a->window + 1 > 0 ? t - a->window + 1 : 0, last = t < windows ? t : windows - 1;
        o.s->score[t] /= (double)(last - first + 1);
    }
    attribute_check_sum(a, o.s);
    return s;
}

/* ---- sets of tokens that stay ---- */

typedef struct {
    attribution *a;
    int64_t  n;                         /* sets */
    uint8_t *stays;                     /* [sets, tokens] */
    double  *weight, *f;                /* [sets] */
} coalitions;

static coalitions coalitions_new(attribution *a, int64_t n) {
    return (coalitions){ a, n, ROOM(uint8_t, n * a->n), ROOM(double, n), ROOM(double, n) };
}

static void coalitions_free(coalitions *c) {
    free(c->stays);
    free(c->weight);
    free(c->f);
}

static void make_set(void *user, int64_t i, float *point) {
    const coalitions *c = user;
    for (int64_t t = 0; t < c->a->n; t++)
        if (!c->stays[i * c->a->n + t]) replace(c->a, t, point);
}

static void take_set(void *user, int64_t i, double f, const float *gradient) {
    (void)gradient;
    ((coalitions *)user)->f[i] = f;
}

static sonde_status coalitions_run(coalitions *c, sonde_error *err) {
    const attribute_points p = { .n = c->n, .make = make_set, .take = take_set, .user = c };
    return attribute_run(c->a, &p, err);
}

/* Draws of the two methods are of streams of their own. */
enum { LIME_STREAM = 1, SHAP_STREAM = 2 };
static uint64_t stream_of(int way, int64_t i) { return (uint64_t)way << 56 | (uint64_t)i; }

/* ---- LIME ---- */

/* Set 0 keeps everything; each other one loses 1 to n tokens, as many as drawn, which ones drawn too. */
static void draw_lime(coalitions *c) {
    const int64_t n = c->a->n;
    const uint64_t seed = c->a->cx->seed;
    int64_t *order = ROOM(int64_t, n);
    for (int64_t i = 0; i < c->n; i++) {
        const int64_t gone = i ? 1 + sonde_random_below(seed, stream_of(LIME_STREAM, 2 * i), 0, n) : 0;
        sonde_random_order(seed, stream_of(LIME_STREAM, 2 * i + 1), order, n);
        memset(c->stays + i * n, 1, (size_t)n);
        for (int64_t k = 0; k < gone; k++) c->stays[i * n + order[k]] = 0;
        const double far = 100 * (1 - sqrt((double)(n - gone) / (double)n)), width = 25;
        c->weight[i] = sqrt(exp(-far * far / (width * width)));
    }
    free(order);
}

/* Weighted means of the columns and of f. */
static double centre(const coalitions *c, double *mean) {
    const int64_t n = c->a->n;
    double all = 0, f = 0;
    for (int64_t i = 0; i < c->n; i++) {
        all += c->weight[i];
        f += c->weight[i] * c->f[i];
        for (int64_t t = 0; t < n; t++) mean[t] += c->weight[i] * c->stays[i * n + t];
    }
    for (int64_t t = 0; t < n; t++) mean[t] /= all;
    return f / all;
}

static double fit_r2(const coalitions *c, const attribute_scores *s, double mean) {
    const int64_t n = c->a->n;
    double left = 0, all = 0;
    for (int64_t i = 0; i < c->n; i++) {
        double said = s->intercept;
        for (int64_t t = 0; t < n; t++) said += s->score[t] * c->stays[i * n + t];
        left += c->weight[i] * (c->f[i] - said) * (c->f[i] - said);
        all += c->weight[i] * (c->f[i] - mean) * (c->f[i] - mean);
    }
    return all > 0 ? 1 - left / all : NAN;
}

/* Ridge: minimises sum w (f - b0 - z b)^2 + |b|^2; b0 is free, so the equations are those of centred columns. */
static sonde_status fit_ridge(const coalitions *c, attribute_scores *s, sonde_error *err) {
    const int64_t n = c->a->n;
    double *mean = ROOM(double, n), *m = ROOM(double, n * n);
    const double f = centre(c, mean);
    for (int64_t t = 0; t < n; t++) m[t * n + t] = 1;
    for (int64_t i = 0; i < c->n; i++)
        for (int64_t t = 0; t < n; t++) {
            const double z = c->weight[i] * (c->stays[i * n + t] - mean[t]);
            s->score[t] += z * (c->f[i] - f);
            for (int64_t u = 0; u < n; u++) m[t * n + u] += z * (c->stays[i * n + u] - mean[u]);
        }
    const sonde_status status = sonde_solve(m, n, s->score, err);
    s->intercept = f;
    for (int64_t t = 0; t < n; t++) s->intercept -= s->score[t] * mean[t];
    s->r2 = fit_r2(c, s, f);
    free(mean);
    free(m);
    return status;
}

sonde_status attribute_lime(attribution *a, sonde_error *err) {
    attribute_scores *s = attribute_scores_new(a, WAY_LIME, 0);
    coalitions c = coalitions_new(a, a->samples);
    draw_lime(&c);
    sonde_status status = coalitions_run(&c, err);
    if (status == SONDE_OK) status = fit_ridge(&c, s, err);
    coalitions_free(&c);
    return status;
}

/* ---- Shapley values ---- */

/* Every set but the empty and the whole one, with the Shapley kernel (n - 1) / (C(n, k) k (n - k)). */
static coalitions all_sets(attribution *a) {
    const int64_t n = a->n;
    coalitions c = coalitions_new(a, ((int64_t)1 << n) - 2);
    for (int64_t i = 0; i < c.n; i++) {
        int64_t k = 0;
        double  choose = 1;
        for (int64_t t = 0; t < n; t++) k += c.stays[i * n + t] = (uint8_t)((i + 1) >> t & 1);
        for (int64_t j = 0; j < k; j++) choose = choose * (double)(n - j) / (double)(j + 1);
        c.weight[i] = (double)(n - 1) / (choose * (double)k * (double)(n - k));
    }
    return c;
}

/* Pairs of a set and its complement; sizes as often as the kernel weighs all sets of that size: 1 / (k (n - k)). */
static coalitions drawn_sets(attribution *a) {
    const int64_t n = a->n;
    coalitions c = coalitions_new(a, a->samples / 2 * 2);
    int64_t *order = ROOM(int64_t, n);
    double   all = 0;
    for (int64_t k = 1; k < n; k++) all += 1 / ((double)k * (double)(n - k));
    for (int64_t i = 0; i < c.n; i += 2) {
        double  left = all * sonde_random_unit(a->cx->seed, stream_of(SHAP_STREAM, i), 0);
        int64_t size = 1;
        for (; size < n - 1 && left >= 1 / ((double)size * (double)(n - size)); size++)
            left -= 1 / ((double)size * (double)(n - size));
        sonde_random_order(a->cx->seed, stream_of(SHAP_STREAM, i + 1), order, n);
        for (int64_t k = 0; k < n; k++) c.stays[(i + (k >= size)) * n + order[k]] = 1;
        c.weight[i] = c.weight[i + 1] = 1;
    }
    free(order);
    return c;
}

/* Least squares under sum = whole: m score = b - l 1, l so that the sum is met. */
static sonde_status fit_shap(const coalitions *c, double *score, sonde_error *err) {
    const attribution *a = c->a;
    const int64_t n = a->n;
    double *m = ROOM(double, n * n), *again = ROOM(double, n * n), *one = ROOM(double, n);
    for (int64_t i = 0; i < c->n; i++)
        for (int64_t t = 0; t < n; t++) {
            if (!c->stays[i * n + t]) continue;
            score[t] += c->weight[i] * (c->f[i] - a->f_baseline);
            for (int64_t u = 0; u < n; u++) m[t * n + u] += c->weight[i] * c->stays[i * n + u];
        }
    for (int64_t t = 0; t < n; t++) one[t] = 1;
    memcpy(again, m, (size_t)(n * n) * sizeof *m);
    sonde_status s = sonde_solve(m, n, score, NULL);
    if (s == SONDE_OK) s = sonde_solve(again, n, one, NULL);
    double sum = 0, ones = 0;
    for (int64_t t = 0; t < n; t++) sum += score[t], ones += one[t];
    for (int64_t t = 0; t < n; t++) score[t] -= one[t] * (sum - (a->f_x - a->f_baseline)) / ones;
    free(m);
    free(again);
    free(one);
    SONDE_FAIL_IF(s != SONDE_OK, err, SONDE_USAGE, "samples: %lld do not determine the values of %lld tokens, expected more",
                  (long long)c->n, (long long)n);
    return SONDE_OK;
}

sonde_status attribute_shap(attribution *a, sonde_error *err) {
    attribute_scores *s = attribute_scores_new(a, WAY_SHAP, 1);
    if (a->n == 1) {
        s->score[0] = a->f_x - a->f_baseline;
        attribute_check_sum(a, s);
        return SONDE_OK;
    }
    coalitions c = a->n <= SHAP_WHOLE ? all_sets(a) : drawn_sets(a);
    sonde_status status = coalitions_run(&c, err);
    if (status == SONDE_OK) status = fit_shap(&c, s->score, err);
    attribute_check_sum(a, s);
    coalitions_free(&c);
    return status;
}
