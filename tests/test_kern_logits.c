/* Sums over a vocabulary in double: the bits of scalar C on every instruction set, the order of the vocabulary, exact_exp's
 * exponentials. */
#include "test.h"
#include "kernel/exact.h"
#include "kernel/kern.h"
#include <stdint.h>

enum { MOST = 300 };
static float  p[MOST], q[MOST];
static double prob[MOST], other[MOST];
static uint32_t seed;

static const kern_table *scalar(void) { return kern_find("scalar"); }

static bool same(double x, double y) { return memcmp(&x, &y, sizeof x) == 0 || (isnan(x) && isnan(y)); }

static uint32_t draw(void) {
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8 ^ seed << 16;
}

/* Kind 0: ordinary logits; 1: far apart; 2: some that are not finite. */
static float draw_one(int kind) {
    const float f = (float)(int32_t)draw() * 0x1p-27f;          /* -16 .. 16 */
    const float special[] = { 0.0f, -0.0f, INFINITY, -INFINITY, NAN, 0x1p-149f };
    if (kind == 2 && draw() % 30 == 0) return special[draw() % 6];
    return kind == 1 ? f * 60 : f;
}

#define CHECK_SAME(got, want) do { const double got_ = (double)(got), want_ = (double)(want); \
    if (!same(got_, want_)) FAIL_("%s on %s, %zu: %a, expected %a", #got, t->isa, n, got_, want_); } while (0)

static void compare(const kern_table *t, size_t n) {
    const kern_log_sum ps = { 16, 1.5 }, qs = { 15, 2.25 };
    const kern_moments m = t->moments(p, 0.5f, n), w = scalar()->moments(p, 0.5f, n);
    CHECK_SAME(t->exp_sums(p, 16, n).sum, scalar()->exp_sums(p, 16, n).sum);
    CHECK_SAME(t->exp_sums(p, 16, n).weighted, scalar()->exp_sums(p, 16, n).weighted);
    CHECK_SAME(t->kl(p, ps, q, qs, n), scalar()->kl(p, ps, q, qs, n));
    prob[n] = other[n] = -1;
    t->probs(prob, p, ps, n);
    scalar()->probs(other, p, ps, n);
    for (size_t i = 0; i < n; i++) CHECK_SAME(prob[i], other[i]);
    CHECK(prob[n] == -1 && other[n] == -1);
    CHECK_SAME(t->kl_known(prob, p, ps, q, qs, n), scalar()->kl_known(prob, p, ps, q, qs, n));
    CHECK_SAME(t->kl_known(prob, p, ps, q, qs, n), t->kl(p, ps, q, qs, n));
    CHECK_SAME(m.sum, w.sum);
    CHECK_SAME(m.square, w.square);
    CHECK_SAME(m.least, w.least);
    CHECK_SAME(m.most, w.most);
    CHECK_SAME(m.count, w.count);
    CHECK_SAME(t->count_above(p, 1, n), scalar()->count_above(p, 1, n));
    for (size_t from = 0; from <= n; from += 37) CHECK_SAME(t->next_above(p, 14, from, n), scalar()->next_above(p, 14, from, n));
}

static void every_instruction_set_has_the_same_bits(void) {
    for (int kind = 0; kind < 3; kind++) {
        seed = (uint32_t)kind + 5;
        for (int i = 0; i < MOST; i++) {
            p[i] = draw_one(kind);
            q[i] = draw_one(kind);
        }
        for (const kern_table *const *t = kern_tables; *t; t++)
            for (size_t n = 0; n + 1 < MOST && (*t)->supported(); n += n < 70 ? 1 : 19) compare(*t, n);
    }
}

/* The rule, word for word, with exact_exp. */
static void sums_go_in_the_vocabularys_order(void) {
    seed = 3;
    for (int i = 0; i < MOST; i++) {
        p[i] = draw_one(0);
        q[i] = draw_one(0);
    }
    for (const kern_table *const *each = kern_tables; *each; each++) {
        const kern_table *t = *each;
        for (size_t n = 1; n < MOST && t->supported(); n += 13) {
            double sum = 0, weighted = 0, divergence = 0;
            for (size_t i = 0; i < n; i++) {
                const double d = (double)p[i] - 16, e = exact_exp(d);
                sum += e;
                weighted += e * d;
                divergence += e * (d - ((double)q[i] - 16));
            }
            CHECK_SAME(t->exp_sums(p, 16, n).sum, sum);
            CHECK_SAME(t->exp_sums(p, 16, n).weighted, weighted);
            CHECK_SAME(t->kl(p, (kern_log_sum){ 16, 0 }, q, (kern_log_sum){ 16, 0 }, n), divergence);
        }
    }
}

static void exponentials_are_exact_exp_in_every_bit(void) {
    enum { N = 16 };
    float x[N];
    seed = 9;
    for (const kern_table *const *t = kern_tables; *t; t++)
        for (int round = 0; round < 20000 && (*t)->supported(); round++) {
            for (int i = 0; i < N; i++) x[i] = -(float)(draw() % 700000) * 0.001f * (i % 2 ? 1 : 0x1p-12f);
            (*t)->probs(prob, x, (kern_log_sum){ 0, 0 }, N);
            for (int i = 0; i < N; i++)
                if (!same(prob[i], exact_exp((double)x[i])))
                    FAIL_("e^%a on %s is %a, expected %a", (double)x[i], (*t)->isa, prob[i], exact_exp((double)x[i]));
        }
    const float far[3] = { -701, -INFINITY, NAN };
    scalar()->probs(prob, far, (kern_log_sum){ 0, 0 }, 3);
    CHECK(prob[0] == 0 && prob[1] == 0 && isnan(prob[2]));
}

static void moments_pass_over_what_is_not_finite(void) {
    const float x[] = { 3, INFINITY, 1, NAN, -INFINITY, 8 };
    for (const kern_table *const *t = kern_tables; *t; t++) {
        if (!(*t)->supported()) continue;
        const kern_moments m = (*t)->moments(x, 3, 6);
        CHECK_EQ((long long)m.count, 3);
        CHECK(m.sum == 3 && m.square == 29 && m.least == 1 && m.most == 8);
    }
}

#define TESTS(X) \
    X(every_instruction_set_has_the_same_bits) \
    X(sums_go_in_the_vocabularys_order) \
    X(exponentials_are_exact_exp_in_every_bit) \
    X(moments_pass_over_what_is_not_finite)
TEST_MAIN(TESTS)
