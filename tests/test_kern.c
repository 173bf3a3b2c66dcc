/* Every instruction set of this machine gives the bits of scalar C. */
#include "test.h"
#include "kernel/kern.h"
#include "kernel/kern_bench.h"
#include <stdint.h>

enum { MOST = 700, LOT = 100 };
static float a[MOST], b[MOST], c[MOST];
static uint32_t seed;

static const kern_table *scalar(void) { return kern_find("scalar"); }

static float as_float(uint32_t bits) { float f; memcpy(&f, &bits, sizeof f); return f; }
static bool same(float x, float y) { return memcmp(&x, &y, sizeof x) == 0 || (isnan(x) && isnan(y)); }

static uint32_t draw(void) {
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8 ^ seed << 16;
}

/* The kinds of data: ordinary, small, subnormal, any bits, and the special values among ordinary ones. */
enum { ORDINARY, SMALL, SUBNORMAL, ANY_BITS, SPECIAL, LARGE, KINDS };

static float draw_one(int kind) {
    const float f = (float)(int32_t)draw() * 0x1p-28f;          /* -8 .. 8 */
    const float special[] = { 0.0f, -0.0f, INFINITY, -INFINITY, NAN, 0x1p-149f, -0x1p-126f, 0x1.fffffep127f };
    switch (kind) {
    case SMALL:     return f * 0x1p-60f;
    case SUBNORMAL: return f * 0x1p-130f;
    case ANY_BITS:  return as_float(draw());
    case SPECIAL:   return draw() % 8 ? f : special[draw() % 8];
    case LARGE:     return f * 0x1p20f;
    default:        return f;
    }
}

static void fill(int kind) {
    seed = (uint32_t)kind + 17;
    for (int i = 0; i < MOST; i++) {
        a[i] = draw_one(kind);
        b[i] = draw_one(kind);
        c[i] = draw_one(kind);
    }
}

/* For every supported table but scalar's, kind of data, length and a few places in memory. */
#define EVERYWHERE(t, n, from)                                                                    \
    for (int kind_ = 0; kind_ < KINDS; kind_++)                                                   \
        for (const kern_table *const *t = (fill(kind_), kern_tables); *t; t++)                    \
            for (size_t n = 0; n < LOT && (*t)->supported() && *t != scalar(); n += n < 40 ? 1 : 7)               \
                for (size_t from = 0; from < 600; from += 197)

#define CHECK_SAME(t, got, want) do { const float got_ = (got), want_ = (want); \
    if (!same(got_, want_)) FAIL_("%s on %s is %a, expected %a", #got, (*t)->isa, (double)got_, (double)want_); } while (0)

static void sums_have_the_same_bits_on_every_instruction_set(void) {
    EVERYWHERE(t, n, from) {
        const float *x = a + from, *y = b + from, *z = c + from;
        CHECK_SAME(t, (*t)->dot(x, y, n), scalar()->dot(x, y, n));
        CHECK_SAME(t, (*t)->dot3(x, y, z, n), scalar()->dot3(x, y, z, n));
        CHECK_SAME(t, (*t)->sum(x, n), scalar()->sum(x, n));
        CHECK_SAME(t, (*t)->max(x, n), scalar()->max(x, n));
        CHECK_SAME(t, (*t)->sum_exp(x, 0.5f, n), scalar()->sum_exp(x, 0.5f, n));
        CHECK_SAME(t, (*t)->sum_squares(x, 0.5f, n), scalar()->sum_squares(x, 0.5f, n));
    }
}

/* Runs call on t and on scalar's table, both into arrays that begin as c does; nothing beyond n changes. */
#define CHECK_ARRAY(t, n, member, ...) do {                                                       \
    float y[LOT + 1], want_y[LOT + 1];                                                            \
    memcpy(y, c, sizeof y);                                                                       \
    memcpy(want_y, c, sizeof want_y);                                                             \
    (*t)->member(y, __VA_ARGS__, n);                                                              \
    scalar()->member(want_y, __VA_ARGS__, n);                                                     \
    for (size_t i = 0; i < n; i++)                                                                \
        if (!same(y[i], want_y[i]))                                                               \
            FAIL_("%s on %s: [%zu] of %zu is %a, expected %a", #member, (*t)->isa, i, n, (double)y[i], (double)want_y[i]); \
    CHECK(memcmp(y + n, c + n, (LOT + 1 - n) * sizeof *y) == 0);                                  \
    CHECK(memcmp(want_y + n, c + n, (LOT + 1 - n) * sizeof *y) == 0);                             \
} while (0)

static void arrays_have_the_same_bits_on_every_instruction_set(void) {
    EVERYWHERE(t, n, from) {
        CHECK_ARRAY(t, n, exp, a + from);
        CHECK_ARRAY(t, n, log, a + from);
        CHECK_ARRAY(t, n, tanh, a + from);
        CHECK_ARRAY(t, n, erf, a + from);
        CHECK_ARRAY(t, n, sin, a + from);
        CHECK_ARRAY(t, n, cos, a + from);
        CHECK_ARRAY(t, n, add, a + from, b + from);
        CHECK_ARRAY(t, n, mul, a + from, b + from);
        CHECK_ARRAY(t, n, axpy, a[from], b + from);
        CHECK_ARRAY(t, n, scale, a[from], b + from);
        CHECK_ARRAY(t, n, divide, a + from, b[from]);
        CHECK_ARRAY(t, n, normalize, a + from, b[from], c[from]);
        CHECK_ARRAY(t, n, affine, a + from, b + from, c + from);
    }
}

static void activations_have_the_same_bits_on_every_instruction_set(void) {
    EVERYWHERE(t, n, from) {
        CHECK_ARRAY(t, n, gelu_tanh, a + from);
        CHECK_ARRAY(t, n, gelu_erf, a + from);
        CHECK_ARRAY(t, n, silu, a + from);
        CHECK_ARRAY(t, n, relu, a + from);
        CHECK_ARRAY(t, n, gelu_tanh_grad, a + from, b + from);
        CHECK_ARRAY(t, n, gelu_erf_grad, a + from, b + from);
        CHECK_ARRAY(t, n, silu_grad, a + from, b + from);
        CHECK_ARRAY(t, n, relu_grad, a + from, b + from);
        CHECK_ARRAY(t, n, softmax, a + from);
    }
}

/* The rule of sums, word for word. */
static float defined(const float *x, const float *y, size_t n) {
    float s[16] = { 0 };
    for (size_t k = 0; k < n; k++) s[k % 16] = fmaf(x[k], y[k], s[k % 16]);
    for (int half = 8; half; half /= 2)
        for (int i = 0; i < half; i++) s[i] += s[i + half];
    return s[0];
}

static void sums_have_the_one_order(void) {
    float ones[MOST], ab[MOST];
    for (int kind = 0; kind < KINDS; kind++) {
        fill(kind);
        for (int i = 0; i < MOST; i++) { ones[i] = 1; ab[i] = a[i] * b[i]; }
        for (const kern_table *const *t = kern_tables; *t; t++)
            for (size_t n = 0; n < MOST && (*t)->supported(); n++) {
                CHECK_SAME(t, (*t)->dot(a, b, n), defined(a, b, n));
                CHECK_SAME(t, (*t)->dot3(a, b, c, n), defined(ab, c, n));
                CHECK_SAME(t, (*t)->sum(a, n), defined(a, ones, n));
            }
    }
}

static void dot_pads_nothing(void) {
    a[0] = -0.0f; b[0] = 1; a[1] = INFINITY; b[1] = 0;
    for (const kern_table *const *t = kern_tables; *t; t++) {
        if (!(*t)->supported()) continue;
        CHECK(!isnan((*t)->dot(a, b, 1)));          /* the infinity beyond the end stays out */
        CHECK(isnan((*t)->dot(a, b, 2)));
    }
    for (int i = 0; i < 20; i++) { a[i] = -1e-30f; b[i] = 1e-30f; }
    for (const kern_table *const *t = kern_tables; *t; t++) {
        if (!(*t)->supported()) continue;
        const float sum = (*t)->dot(a, b, 20);      /* every partial sum is -0 and stays so */
        CHECK(sum == 0 && signbit(sum));
    }
}

static void a_word_finds_its_table_and_no_other(void) {
    CHECK(kern == scalar());                        /* before kern_init */
    for (const kern_table *const *t = kern_tables; *t; t++) {
        CHECK(kern_find((*t)->isa) == *t);
        CHECK(kern_init((*t)->isa) == (*t)->supported());
        if ((*t)->supported()) CHECK(kern == *t);
    }
    CHECK(!kern_find("avx") && !kern_find(""));
    const kern_table *before = kern;
    CHECK(!kern_init("avx") && kern == before);
    CHECK(kern_init(NULL));
    for (const kern_table *const *t = kern_tables; *t != kern; t++) CHECK(!(*t)->supported());
    kern = scalar();
}

static int stops_asked;
static bool stop_at_third(void *user) { (void)user; return ++stops_asked == 3; }

static void bench_runs_jobs_in_turn(void) {
    static kern_bench_rates got;
    const kern_bench_job jobs[2] = { { .run = kern_bench_fma, .t = scalar() },
                                     { .run = kern_bench_read, .t = scalar(), .data = a, .bytes = sizeof a } };
    kern_bench_alternate(jobs, 2, &(kern_bench_limit){ .seconds = 0.3 }, &got);
    CHECK(got.rounds >= KERN_BENCH_LEAST && got.rounds <= KERN_BENCH_ROUNDS);
    for (int i = 0; i < got.rounds; i++) CHECK(got.rate[0][i] > 0 && got.rate[1][i] > 0);
    kern_bench_alternate(jobs, 2, &(kern_bench_limit){ .seconds = 10, .stop = stop_at_third }, &got);
    CHECK_EQ((long long)got.rounds, 0);             /* the third is the first job of the first round */
    CHECK_EQ((long long)stops_asked, 3);
}

static void median_is_the_middle_one_or_the_mean_of_two(void) {
    CHECK(kern_bench_median((double[]){ 5 }, 1) == 5);
    CHECK(kern_bench_median((double[]){ 5, 1, 2 }, 3) == 2);
    CHECK(kern_bench_median((double[]){ 4, 1, 2, 100 }, 4) == 3);
}

#define TESTS(X) \
    X(sums_have_the_same_bits_on_every_instruction_set) \
    X(arrays_have_the_same_bits_on_every_instruction_set) \
    X(activations_have_the_same_bits_on_every_instruction_set) \
    X(sums_have_the_one_order) \
    X(dot_pads_nothing) \
    X(a_word_finds_its_table_and_no_other) \
    X(bench_runs_jobs_in_turn) \
    X(median_is_the_middle_one_or_the_mean_of_two)
TEST_MAIN(TESTS)
