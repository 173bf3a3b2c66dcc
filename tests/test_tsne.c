/* t-SNE's parts against numpy (tools/truth/project.py, checked there against scikit-learn), and its descent. */
#include "method/tsne.h"
#include "test.h"
#include "truth_numbers.h"

enum { POINTS = 24, WIDTH = 5 };

static truth_numbers truth_of(const char *name) { return truth_read("project.txt", name); }

static bool all_points(void *user, int64_t done) {
    const int64_t *most = user;
    return done < *most;
}

static double *joint_of_truth(double perplexity) {
    const truth_numbers x = truth_of("tsne.x");
    float points[POINTS * WIDTH];
    CHECK_EQ((int64_t)x.n, POINTS * WIDTH);
    for (size_t i = 0; i < x.n; i++) points[i] = (float)x.at[i];
    free(x.at);
    int64_t few = 3, most = POINTS + 1;
    CHECK(!tsne_joint(&(tsne_input){ points, POINTS, WIDTH, perplexity, all_points, &few }));
    return tsne_joint(&(tsne_input){ points, POINTS, WIDTH, perplexity, all_points, &most });
}

static void probabilities_have_the_perplexity(void) {
    const truth_numbers want = truth_of("tsne.p");
    double *p = joint_of_truth(6), sum = 0;
    for (int i = 0; i < POINTS * POINTS; i++) {
        CHECK_NEAR(p[i], want.at[i], 1e-11);
        CHECK(p[i] == p[i % POINTS * POINTS + i / POINTS]);
        sum += p[i];
    }
    CHECK_NEAR(sum, 1, 1e-14);
    free(p);
    free(want.at);
}

static void gradient_and_divergence_equal_numpy(void) {
    double *p = joint_of_truth(6), gradient[POINTS * 3];
    for (int dims = 2; dims <= 3; dims++) {
        char name[32];
        snprintf(name, sizeof name, "tsne.y%d", dims);
        const truth_numbers y = truth_of(name);
        snprintf(name, sizeof name, "tsne.gradient%d", dims);
        const truth_numbers want = truth_of(name);
        snprintf(name, sizeof name, "tsne.kl%d", dims);
        const truth_numbers kl = truth_of(name);
        const tsne_state s = { .p = p, .n = POINTS, .dims = dims, .exaggeration = 3 };
        tsne_gradient(&s, y.at, gradient);
        for (int i = 0; i < POINTS * dims; i++) CHECK_NEAR(gradient[i], want.at[i], 1e-10);
        CHECK_NEAR(tsne_divergence(&s, y.at), kl.at[0], 1e-10);
        free(y.at);
        free(want.at);
        free(kl.at);
    }
    free(p);
}

/* The gradient is that of the divergence: a small step along an axis. */
static void gradient_is_the_slope_of_the_divergence(void) {
    double *p = joint_of_truth(6), gradient[POINTS * 2];
    const truth_numbers y = truth_of("tsne.y2");
    const tsne_state s = { .p = p, .n = POINTS, .dims = 2, .exaggeration = 1 };
    tsne_gradient(&s, y.at, gradient);
    for (int i = 0; i < POINTS * 2; i += 7) {
        const double at = y.at[i], h = 1e-5;
        y.at[i] = at + h;
        const double up = tsne_divergence(&s, y.at);
        y.at[i] = at - h;
        const double down = tsne_divergence(&s, y.at);
        y.at[i] = at;
        CHECK_NEAR(gradient[i], (up - down) / (2 * h), 1e-8);
    }
    free(p);
    free(y.at);
}

static void starts_have_the_scale(void) {
    enum { N = 4000 };
    static double y[N * 2], again[N * 2];
    double squares = 0, mean = 0;
    tsne_start_random(y, N, 2, 7);
    tsne_start_random(again, N, 2, 7);
    CHECK(memcmp(y, again, sizeof y) == 0);
    for (int i = 0; i < N * 2; i++) mean += y[i] / (N * 2), squares += y[i] * y[i] / (N * 2);
    CHECK_NEAR(mean, 0, 4e-6);
    CHECK_NEAR(sqrt(squares), 1e-4, 3e-6);
    tsne_start_random(again, N, 2, 8);
    CHECK(memcmp(y, again, sizeof y) != 0);
    for (int i = 0; i < N; i++) y[i * 2] = i + 5, y[i * 2 + 1] = 3 * i;
    tsne_start_scaled(y, N, 2);
    const double sd = sqrt((N * (double)N - 1) / 12);
    CHECK_NEAR(y[2] - y[0], 1e-4 / sd, 1e-18);
    CHECK_NEAR(y[3] - y[1], 3e-4 / sd, 1e-18);
}

typedef struct { int64_t calls, most; } stopping;
static bool stop_at(void *user, int64_t done, const double *y) {
    stopping *s = user;
    (void)y;
    CHECK_EQ(done, ++s->calls);
    return done < s->most;
}

static void descent_ends_when_told_and_goes_down(void) {
    double *p = joint_of_truth(6), y[POINTS * 2], first[POINTS * 2], e;
    const tsne_state s = { .p = p, .n = POINTS, .dims = 2, .exaggeration = 1 };
    tsne_start_random(y, POINTS, 2, 1);
    const double before = tsne_divergence(&s, y);
    stopping few = { .most = 10 }, many = { .most = 5000 };
    CHECK_EQ(tsne_descend(&s, &(tsne_walk){ 600, tsne_rate(POINTS), stop_at, &few }, y, &e), 10);
    tsne_start_random(y, POINTS, 2, 1);
    CHECK_EQ(tsne_descend(&s, &(tsne_walk){ 600, tsne_rate(POINTS), stop_at, &many }, y, &e), 600);
    CHECK(tsne_divergence(&s, y) < before / 2);
    CHECK(e >= 1 && e < 12);                            /* twelve would pull 24 points into one */
    memcpy(first, y, sizeof y);
    many.calls = 0;
    tsne_start_random(y, POINTS, 2, 1);
    tsne_descend(&s, &(tsne_walk){ 600, tsne_rate(POINTS), stop_at, &many }, y, &e);
    CHECK(memcmp(first, y, sizeof y) == 0);
    free(p);
}

#define TESTS(T) \
    T(probabilities_have_the_perplexity) T(gradient_and_divergence_equal_numpy) T(gradient_is_the_slope_of_the_divergence) \
    T(starts_have_the_scale) T(descent_ends_when_told_and_goes_down)
TEST_MAIN(TESTS)
