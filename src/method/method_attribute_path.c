/* Gradients, at the prompt and along paths from the baseline to it.
 * Integrated gradients: Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks, 2017. Sequential: Enguehard,
 * Sequential Integrated Gradients, 2023. Discretised: Sanyal and Ren, Discretized Integrated Gradients, 2021 (greedy). */
#include "method_attribute.h"
#include "quadrature.h"
#include "room.h"
#include <math.h>

/* Rows [from, to) move along the straight line, the others stay at x. */
typedef struct {
    attribution *a;
    int64_t      steps;
    double      *at, *weight;           /* [steps] */
    double      *sum;                   /* [n, d] or [d]: integral of the gradient */
    attribute_scores *s;
} straight;

static void straight_open(straight *l, attribution *a, int64_t steps) {
    l->a = a;
    l->steps = steps;
    l->at = ROOM(double, steps);
    l->weight = ROOM(double, steps);
    if (a->trapezoid) quadrature_trapezoid(steps, l->at, l->weight);
    else quadrature_gauss_legendre(steps, l->at, l->weight);
}

static void straight_close(straight *l) {
    free(l->at);
    free(l->weight);
    free(l->sum);
}

static void move_row(const attribution *a, int64_t t, double share, float *point) {
    for (int64_t j = 0; j < a->d; j++) {
        const double b = a->b[t * a->d + j], x = a->x[t * a->d + j];
        point[t * a->d + j] = (float)(b + share * (x - b));
    }
}

static double along(const attribution *a, int64_t t, const double *integral) {
    double score = 0;
    for (int64_t j = 0; j < a->d; j++) score += ((double)a->x[t * a->d + j] - (double)a->b[t * a->d + j]) * integral[j];
    return score;
}

void attribute_between(const attribution *a, double share, float *point) {
    for (int64_t t = 0; t < a->n; t++) move_row(a, t, share, point);
}

static void make_all(void *user, int64_t i, float *point) {
    const straight *l = user;
    attribute_between(l->a, l->at[i], point);
}

static void take_all(void *user, int64_t i, double f, const float *gradient) {
    (void)f;
    straight *l = user;
    for (int64_t k = 0; k < l->a->n * l->a->d; k++) l->sum[k] += l->weight[i] * (double)gradient[k];
}

/* score [n], of so many points. */
static sonde_status integrate(attribution *a, int64_t steps, double *score, sonde_error *err) {
    straight l = { .sum = ROOM(double, a->n * a->d) };
    straight_open(&l, a, steps);
    const attribute_points p = { .n = steps, .gradients = true, .make = make_all, .take = take_all, .user = &l };
    const sonde_status s = attribute_run(a, &p, err);
    for (int64_t t = 0; t < a->n; t++) score[t] = along(a, t, l.sum + t * a->d);
    straight_close(&l);
    return s;
}

sonde_status attribute_ig(attribution *a, sonde_error *err) {
    attribute_scores *s = attribute_scores_new(a, WAY_IG, 1);
    SONDE_TRY(integrate(a, a->steps, s->score, err));
    attribute_check_sum(a, s);
    return SONDE_OK;
}

sonde_status attribute_ig_sum(attribution *a, int64_t steps, sonde_error *err) {
    double *score = ROOM(double, a->n), sum = 0;
    const sonde_status s = integrate(a, steps, score, err);
    for (int64_t t = 0; t < a->n; t++) sum += score[t];
    free(score);
    if (s == SONDE_OK) attribute_converged(a, attribute_way_name[WAY_IG], steps, sum);
    return s;
}

/* ---- one position after the other ---- */

static void make_single(void *user, int64_t i, float *point) {
    const straight *l = user;
    move_row(l->a, i / l->a->steps, l->at[i % l->a->steps], point);
}

static void take_single(void *user, int64_t i, double f, const float *gradient) {
    (void)f;
    straight *l = user;
    const attribution *a = l->a;
    const int64_t t = i / a->steps, k = i % a->steps;
    if (k == 0) memset(l->sum, 0, (size_t)a->d * sizeof *l->sum);
    for (int64_t j = 0; j < a->d; j++) l->sum[j] += l->weight[k] * (double)gradient[t * a->d + j];
    if (k == a->steps - 1) l->s->score[t] = along(a, t, l->sum);
}

static void make_without(void *user, int64_t t, float *point) {
    const straight *l = user;
    move_row(l->a, t, 0, point);
}

static void take_without(void *user, int64_t t, double f, const float *gradient) {
    (void)gradient;
    const straight *l = user;
    l->s->check[t] = (attribute_check){ t, l->a->f_x, f, l->s->score[t] };
}

sonde_status attribute_sequential(attribution *a, sonde_error *err) {
    straight l = { .sum = ROOM(double, a->d), .s = attribute_scores_new(a, WAY_SEQUENTIAL, a->n) };
    straight_open(&l, a, a->steps);
    const attribute_points path = { .n = a->n * a->steps, .gradients = true, .make = make_single, .take = take_single,
                                    .user = &l };
    const attribute_points ends = { .n = a->n, .make = make_without, .take = take_without, .user = &l };
    sonde_status s = attribute_run(a, &path, err);
    if (s == SONDE_OK) s = attribute_run(a, &ends, err);
    straight_close(&l);
    return s;
}

/* ---- the gradient alone ---- */

sonde_status attribute_gradient(attribution *a, sonde_error *err) {
    attribute_scores *s = attribute_scores_new(a, WAY_GRADIENT, 0);
    float *g = ROOM(float, a->n * a->d);
    double f;
    s->norm = ROOM(double, a->n);
    s->sum = ROOM(double, a->n);
    const sonde_status status = attribute_at(a, a->x, &f, g, err);
    for (int64_t t = 0; t < a->n; t++) {
        double square = 0;
        for (int64_t j = t * a->d; j < (t + 1) * a->d; j++) {
            square += (double)g[j] * (double)g[j];
            s->sum[t] += (double)g[j];
            s->score[t] += (double)g[j] * (double)a->x[j];
        }
        s->norm[t] = sqrt(square);
    }
    free(g);
    return status;
}

/* ---- through points near real embeddings ---- */

typedef struct {
    attribution *a;
    attribute_scores *s;
    int64_t  legs, points;              /* straight pieces of the path; points on each */
    double  *at, *weight;               /* [points] */
    float   *path;                      /* [legs + 1, n, d]: 0 is x, the last is the baseline */
} anchors;

typedef struct { double far; int32_t id; } neighbour;

/* The tokens nearest to token `from`, those used on the path and the baseline left out. */
static int64_t nearest_tokens(const attribution *a, int32_t from, const uint8_t *used, neighbour *out) {
    const float *e = a->vocabulary + (int64_t)from * a->d;
    int64_t n = 0;
    for (int32_t id = 0; id < a->v; id++) {
        const float *w = a->vocabulary + (int64_t)id * a->d;
        double far = 0;
        if (used[id]) continue;
        for (int64_t j = 0; j < a->d; j++) far += ((double)w[j] - (double)e[j]) * ((double)w[j] - (double)e[j]);
        if (n == a->neighbours && far >= out[n - 1].far) continue;
        int64_t at = n < a->neighbours ? n++ : n - 1;
        for (; at > 0 && out[at - 1].far > far; at--) out[at] = out[at - 1];
        out[at] = (neighbour){ far, id };
    }
    return n;
}

typedef struct { const float *here, *end; int64_t left; } leg_start;        /* end: the baseline's row; left: legs to it */

/* The anchor's numbers where they lie between here and the baseline; elsewhere one of the steps left. Returns the square
 * of the distance between the two. */
static double monotonic(const attribution *a, const float *anchor, leg_start from, float *out) {
    double far = 0;
    for (int64_t j = 0; j < a->d; j++) {
        const float b = from.end[j], c = from.here[j], e = anchor[j];
        const bool between = (e >= b && e <= c) || (e <= b && e >= c);
        out[j] = between ? e : (float)((double)c + ((double)b - (double)c) / (double)from.left);
        far += ((double)out[j] - (double)e) * ((double)out[j] - (double)e);
    }
    return far;
}

/* out: of the anchors that could follow, the one that changes least when it is made monotonic; which one, -1: none is left. */
static int32_t next_point(const attribution *a, const neighbour *near, int64_t n, leg_start from, float *out) {
    float  *try = ROOM(float, a->d);
    double  best = INFINITY;
    int32_t chosen = -1;
    for (int64_t k = 0; k < n; k++) {
        const double far = monotonic(a, a->vocabulary + (int64_t)near[k].id * a->d, from, try);
        if (!(far < best)) continue;
        best = far;
        chosen = near[k].id;
        memcpy(out, try, (size_t)a->d * sizeof *out);
    }
    free(try);
    return chosen;
}

static void make_path(anchors *p, int64_t t) {
    const attribution *a = p->a;
    const int64_t size = a->n * a->d, m = p->legs;
    uint8_t   *used = ROOM(uint8_t, a->v);
    neighbour *near = ROOM(neighbour, a->neighbours);
    int32_t    anchor = a->tokens[t];
    const float *end = a->b + t * a->d;
    const bool still = !memcmp(a->x + t * a->d, end, (size_t)a->d * sizeof(float));
    float     *row = p->path + t * a->d;
    memcpy(row, a->x + t * a->d, (size_t)a->d * sizeof *row);
    if (a->baseline_id >= 0) used[a->baseline_id] = 1;
    for (int64_t k = 1; k <= m; k++) {
        const leg_start from = { row + (k - 1) * size, end, m - k + 1 };
        float *next = row + k * size;
        memcpy(next, end, (size_t)a->d * sizeof *next);
        if (k == m || still) continue;
        used[anchor] = 1;
        const int32_t chosen = next_point(a, near, nearest_tokens(a, anchor, used, near), from, next);
        if (chosen < 0) monotonic(a, from.here, from, next);
        else anchor = chosen;
    }
    free(used);
    free(near);
}

static void make_anchor(void *user, int64_t i, float *point) {
    const anchors *p = user;
    const int64_t size = p->a->n * p->a->d;
    const float  *from = p->path + i / p->points * size, *to = from + size;
    for (int64_t k = 0; k < size; k++)
        point[k] = (float)((double)from[k] + p->at[i % p->points] * ((double)to[k] - (double)from[k]));
}

static void take_anchor(void *user, int64_t i, double f, const float *gradient) {
    (void)f;
    anchors *p = user;
    const attribution *a = p->a;
    const int64_t size = a->n * a->d;
    const float  *from = p->path + i / p->points * size, *to = from + size;
    for (int64_t k = 0; k < size; k++)
        p->s->score[k / a->d] += p->weight[i % p->points] * ((double)from[k] - (double)to[k]) * (double)gradient[k];
}

static void points_on_legs(anchors *p) {
    const attribution *a = p->a;
    p->legs = a->anchors + 1;
    p->points = (a->steps + p->legs - 1) / p->legs;
    if (a->trapezoid && p->points < 2) p->points = 2;
    p->at = ROOM(double, p->points);
    p->weight = ROOM(double, p->points);
    if (a->trapezoid) quadrature_trapezoid(p->points, p->at, p->weight);
    else quadrature_gauss_legendre(p->points, p->at, p->weight);
}

sonde_status attribute_discretised(attribution *a, sonde_error *err) {
    anchors p = { .a = a, .s = attribute_scores_new(a, WAY_DISCRETISED, 1) };
    points_on_legs(&p);
    p.path = ROOM(float, (p.legs + 1) * a->n * a->d);
    for (int64_t t = 0; t < a->n; t++) {
        make_path(&p, t);
        a->cx->progress(a->cx->progress_user, "paths", t + 1, a->n);
    }
    const attribute_points points = { .n = p.legs * p.points, .gradients = true, .make = make_anchor, .take = take_anchor,
                                      .user = &p };
    const sonde_status s = attribute_run(a, &points, err);
    attribute_check_sum(a, p.s);
    free(p.path);
    free(p.at);
    free(p.weight);
    return s;
}
