/* Layer conductance: how much of F(x) - F(b) flows through each number of a layer's output on the way from b to x.
 * Dhamdhere, Sundararajan and Yan, How Important Is a Neuron?, 2019; with Gauss and Legendre's nodes the sum is captum's:
 * differences of the output between neighbouring nodes, each times the gradient at the first of the two. */
#include "method_attribute.h"
#include "quadrature.h"
#include "room.h"

void attribute_converged(attribution *a, const char *what, int64_t points, double sum) {
    a->sums = room_grow(a->sums, (size_t)a->n_sums, 1, sizeof *a->sums);
    a->sums[a->n_sums++] = (attribute_sum){ room_text(what, strlen(what)), points, sum };
}

int64_t attribute_fewer_points(const attribution *a, int64_t after) {
    const int64_t least = a->trapezoid ? 2 : 1, next = after ? 2 * after : least;
    return a->convergence && next < a->steps ? next : 0;
}

/* One walk from b to x. Outputs and gradients of all stages, [stages, n, wide], here and at the node before. */
typedef struct {
    attribution *a;
    double      *at;                    /* [steps + 1] */
    float       *h, *g, *h_was, *g_was;
    double      *value;                 /* [stages, n, wide] */
} walk;

static int64_t walk_size(const attribution *a) { return a->stage.n * a->n * a->wide; }

static sonde_status see_stage(const sonde_answer *x, void *user, sonde_error *err) {
    walk *w = user;
    const attribution *a = w->a;
    int64_t l = 0;
    while (l < a->stage.n && strcmp(a->stage.at[l].name, x->site) != 0) l++;
    SONDE_FAIL_IF(l == a->stage.n, err, SONDE_USAGE, "conductance: the run has no %s", x->site);
    float *to = (x->want == 0 ? w->h : w->g) + (l * a->n + x->first) * a->wide;
    memcpy(to, x->value.data, (size_t)(x->value.dim[0] * a->wide) * sizeof *to);
    return SONDE_OK;
}

static void make_node(void *user, int64_t i, float *point) {
    const walk *w = user;
    attribute_between(w->a, w->at[i], point);
}

static void swap(float **x, float **y) {
    float *was = *x;
    *x = *y;
    *y = was;
}

static void take_node(void *user, int64_t i, double f, const float *gradient) {
    walk *w = user;
    (void)f;
    (void)gradient;
    const int64_t size = walk_size(w->a);
    for (int64_t k = 0; i > 0 && k < size; k++) {
        const double slope = w->a->trapezoid ? ((double)w->g_was[k] + (double)w->g[k]) / 2 : (double)w->g_was[k];
        w->value[k] += ((double)w->h[k] - (double)w->h_was[k]) * slope;
    }
    swap(&w->h, &w->h_was);
    swap(&w->g, &w->g_was);
}

static char *stage_names(const attribution *a) {
    size_t room = 1;
    for (int64_t l = 0; l < a->stage.n; l++) room += strlen(a->stage.at[l].name) + 1;
    char *all = ROOM(char, room), *at = all;
    for (int64_t l = 0; l < a->stage.n; l++) {
        const size_t n = strlen(a->stage.at[l].name);
        if (l) *at++ = ',';
        memcpy(at, a->stage.at[l].name, n);
        at += n;
    }
    return all;
}

/* out [stages, n, wide], zeroed, of so many differences. */
static sonde_status walk_path(attribution *a, int64_t steps, double *out, sonde_error *err) {
    const int64_t size = walk_size(a);
    double *weight = ROOM(double, steps + 1);
    char   *sites = stage_names(a);
    walk w = { a, ROOM(double, steps + 1), ROOM(float, size), ROOM(float, size), ROOM(float, size), ROOM(float, size), out };
    if (a->trapezoid) quadrature_trapezoid(steps + 1, w.at, weight);
    else quadrature_gauss_legendre(steps + 1, w.at, weight);
    const attribute_points p = { .n = steps + 1, .gradients = true, .sites = sites, .rows = a->stage.n * a->n, .see = see_stage,
                                 .make = make_node, .take = take_node, .user = &w };
    const sonde_status s = attribute_run(a, &p, err);
    float *const rooms[] = { w.h, w.g, w.h_was, w.g_was };
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) free(rooms[i]);
    free(w.at);
    free(weight);
    free(sites);
    return s;
}

static double sum_of(const double *x, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    return sum;
}

sonde_status attribute_conductance(attribution *a, sonde_error *err) {
    attribute_flow *f = &a->flow;
    f->value = ROOM(double, walk_size(a));
    f->score = ROOM(double, a->stage.n * a->n);
    SONDE_TRY(walk_path(a, a->steps, f->value, err));
    for (int64_t i = 0; i < a->stage.n * a->n; i++) f->score[i] = sum_of(f->value + i * a->wide, a->wide);
    return SONDE_OK;
}

sonde_status attribute_conductance_sums(attribution *a, int64_t steps, sonde_error *err) {
    double *each = ROOM(double, walk_size(a));
    const sonde_status s = walk_path(a, steps, each, err);
    for (int64_t l = 0; l < a->stage.n && s == SONDE_OK; l++)
        attribute_converged(a, a->stage.at[l].name, steps, sum_of(each + l * a->n * a->wide, a->n * a->wide));
    free(each);
    return s;
}
