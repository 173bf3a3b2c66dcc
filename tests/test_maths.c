/* The functions of floats and doubles against libm in more precision, and at their special places. */
#include "test.h"
#include "kernel/exact.h"
#include "kernel/kern.h"
#include <float.h>
#include <stdint.h>
#include <stdlib.h>

enum { LOT = 4096 };
typedef void (*array_fn)(float *, const float *, size_t);

static float as_float(uint32_t bits) { float f; memcpy(&f, &bits, sizeof f); return f; }
static uint32_t as_bits(float f) { uint32_t b; memcpy(&b, &f, sizeof b); return b; }

/* How many spacings of float lie between got and want; spacing at want, subnormals included. */
static double ulps(float got, double want) {
    const float nearest = (float)want;
    if (isnan(want)) return isnan(got) ? 0 : 1e9;
    if (isinf(nearest) || isinf(got)) return got == nearest ? 0 : fabs(want) > 0x1.ffffffp127 ? 1 : 1e9;
    int e;
    frexp(want, &e);
    return fabs((double)got - want) / ldexp(1, (e < -125 ? -125 : e) - 24);
}

/* The worst of f over the floats from, from + step, .. below to, as bits, and their negatives. */
static double worst_in(array_fn f, double (*truth)(double), uint32_t from, uint32_t to, uint32_t step) {
    static float x[LOT], y[LOT];
    double worst = 0;
    for (uint32_t at = from; at < to;) {
        size_t n = 0;
        for (; n < LOT && at < to; at += step) {
            x[n++] = as_float(at);
            x[n++] = as_float(at | 0x80000000);
        }
        f(y, x, n);
        for (size_t i = 0; i < n; i++) {
            const double u = ulps(y[i], truth((double)x[i]));
            if (u > worst) worst = u;
            if (u > 2) FAIL_("f(%a) is %a, expected %a: %g ulp", (double)x[i], (double)y[i], truth((double)x[i]), u);
        }
    }
    return worst;
}

/* Every magnitude from 0 to NaN, sparsely, and a few stretches densely. */
static void check_ulps(array_fn f, double (*truth)(double)) {
    worst_in(f, truth, 0, 0x7fc00010, 6007);
    worst_in(f, truth, 0, 3000, 1);                             /* subnormal */
    worst_in(f, truth, 0x007ff000, 0x00801000, 1);              /* where they end */
    worst_in(f, truth, 0x3d800000, 0x42d00000, 1009);           /* 1/16 .. 104 */
    worst_in(f, truth, 0x3f7ff000, 0x3f801000, 1);              /* around 1 */
    worst_in(f, truth, 0x42ae0000, 0x42d20000, 37);             /* exp overflows, underflows */
    worst_in(f, truth, 0x7f7ffff0, 0x7f800010, 1);              /* infinity, NaN */
}

static void exp_is_within_2_ulp(void) { check_ulps(kern->exp, exp); }
static void log_is_within_2_ulp(void) { check_ulps(kern->log, log); }
static void tanh_is_within_2_ulp(void) { check_ulps(kern->tanh, tanh); }
static void erf_is_within_2_ulp(void) { check_ulps(kern->erf, erf); }
static void sin_is_within_2_ulp(void) { check_ulps(kern->sin, sin); }
static void cos_is_within_2_ulp(void) { check_ulps(kern->cos, cos); }

/* Floats closest to multiples of pi/2: nearly everything cancels in the reduction. */
static void sin_and_cos_hold_next_to_multiples_of_a_right_angle(void) {
    for (int n = 1; n < 400000; n += n < 70000 ? 1 : 7) {
        const uint32_t near = as_bits((float)((double)n * 1.57079632679489661923));
        worst_in(kern->sin, sin, near - 1, near + 2, 1);
        if (n % 16 == 0) worst_in(kern->cos, cos, near - 1, near + 2, 1);
    }
    for (float big = 1e5f; big < 3e38f; big *= 1.37f) {
        worst_in(kern->sin, sin, as_bits(big), as_bits(big) + 40, 1);
        worst_in(kern->cos, cos, as_bits(big), as_bits(big) + 40, 1);
    }
}

static float one(array_fn f, float x) {
    float y;
    f(&y, &x, 1);
    return y;
}
#define CHECK_BITS(got, want) CHECK(as_bits(got) == as_bits(want))

static void functions_have_their_closed_form_values(void) {
    CHECK_BITS(one(kern->exp, 0), 1.0f);
    CHECK_BITS(one(kern->exp, -0.0f), 1.0f);
    CHECK_BITS(one(kern->exp, -INFINITY), 0.0f);
    CHECK_BITS(one(kern->exp, INFINITY), INFINITY);
    CHECK_BITS(one(kern->exp, 89), INFINITY);
    CHECK_BITS(one(kern->exp, -104), 0.0f);
    CHECK_BITS(one(kern->log, 1), 0.0f);
    CHECK_BITS(one(kern->log, 0), -INFINITY);
    CHECK_BITS(one(kern->log, -0.0f), -INFINITY);
    CHECK_BITS(one(kern->log, INFINITY), INFINITY);
    CHECK(isnan(one(kern->log, -1)) && isnan(one(kern->log, -INFINITY)));
    CHECK_BITS(one(kern->tanh, INFINITY), 1.0f);
    CHECK_BITS(one(kern->tanh, -INFINITY), -1.0f);
    CHECK_BITS(one(kern->erf, INFINITY), 1.0f);
    CHECK_BITS(one(kern->erf, -INFINITY), -1.0f);
    CHECK_BITS(one(kern->cos, 0), 1.0f);
    CHECK(isnan(one(kern->sin, INFINITY)) && isnan(one(kern->cos, -INFINITY)));
    const array_fn odd[] = { kern->tanh, kern->erf, kern->sin };
    for (int i = 0; i < 3; i++) {
        CHECK_BITS(one(odd[i], -0.0f), -0.0f);
        CHECK_BITS(one(odd[i], 0.0f), 0.0f);
        CHECK_BITS(one(odd[i], 0x1p-149f), 0x1p-149f);
    }
    const array_fn all[] = { kern->exp, kern->log, kern->tanh, kern->erf, kern->sin, kern->cos, kern->gelu_tanh,
                             kern->gelu_erf, kern->silu, kern->relu };
    for (int i = 0; i < 10; i++) CHECK(isnan(one(all[i], NAN)));
}

static double gelu_tanh(double x) { return 0.5 * x * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x))); }
static double gelu_erf(double x) { return 0.5 * x * (1 + erf(x * 0.70710678118654752440)); }
static double silu(double x) { return x / (1 + exp(-x)); }
static double relu(double x) { return x > 0 ? x : 0; }

typedef struct {
    double   (*truth)(double);
    array_fn f;
    void     (*grad)(float *, const float *, const float *, size_t);
} activation;

static void activations_equal_their_formulas(void) {
    const activation all[] = {
        { gelu_tanh, kern->gelu_tanh, NULL }, { gelu_erf, kern->gelu_erf, NULL },
        { silu, kern->silu, NULL }, { relu, kern->relu, NULL },
    };
    for (int i = 0; i < 4; i++)
        for (float x = -30; x < 30; x += 0.0173f)
            CHECK_NEAR((double)one(all[i].f, x), all[i].truth((double)x), 6e-7 * fmax(1, fabs((double)x)));
}

static void activations_at_infinity_are_those_of_torch(void) {
    CHECK_BITS(one(kern->gelu_tanh, INFINITY), INFINITY);
    CHECK_BITS(one(kern->gelu_erf, INFINITY), INFINITY);
    CHECK_BITS(one(kern->silu, INFINITY), INFINITY);
    CHECK_BITS(one(kern->relu, INFINITY), INFINITY);
    CHECK(isnan(one(kern->gelu_tanh, -INFINITY)) && isnan(one(kern->gelu_erf, -INFINITY)));
    CHECK(isnan(one(kern->silu, -INFINITY)));
    CHECK_BITS(one(kern->relu, -INFINITY), 0.0f);
    CHECK(one(kern->gelu_tanh, -1e30f) == 0 && one(kern->gelu_erf, -1e30f) == 0 && one(kern->silu, -1e30f) == 0);
    CHECK_BITS(one(kern->gelu_tanh, -0.0f), -0.0f);
    CHECK_BITS(one(kern->gelu_erf, -0.0f), -0.0f);
    CHECK_BITS(one(kern->silu, -0.0f), -0.0f);
}

static void gradients_are_the_slopes_of_their_functions(void) {
    const activation all[] = {
        { gelu_tanh, NULL, kern->gelu_tanh_grad }, { gelu_erf, NULL, kern->gelu_erf_grad },
        { silu, NULL, kern->silu_grad }, { relu, NULL, kern->relu_grad },
    };
    for (int i = 0; i < 4; i++) {
        for (float x = -20.003f; x < 20; x += 0.0171f) {
            const double h = 1e-5, at = (double)x, slope = (all[i].truth(at + h) - all[i].truth(at - h)) / (2 * h);
            const float dy = 3;
            float dx;
            all[i].grad(&dx, &x, &dy, 1);
            CHECK_NEAR((double)dx, 3 * slope, 4e-6);
        }
        const float edge[] = { INFINITY, -INFINITY, 1e30f, -1e30f, NAN }, dy[] = { 2, 2, 2, 2, 2 };
        float dx[5];
        all[i].grad(dx, edge, dy, 5);
        CHECK(dx[0] == 2 && dx[1] == 0 && dx[2] == 2 && dx[3] == 0);
        CHECK(all[i].truth == relu ? dx[4] == 2 : isnan(dx[4]));           /* torch's relu too */
    }
}

static void softmax_sums_to_one_and_gives_the_logarithm_of_the_sum(void) {
    float x[100], y[100];
    for (size_t n = 1; n < 100; n++) {
        double sum = 0, total = 0;
        for (size_t i = 0; i < n; i++) x[i] = (float)sin((double)i) * 20;
        for (size_t i = 0; i < n; i++) sum += exp((double)x[i]);
        CHECK_NEAR((double)kern->softmax(y, x, n), log(sum), 4e-6);
        for (size_t i = 0; i < n; i++) CHECK_NEAR((double)y[i], exp((double)x[i]) / sum, 4e-6 * exp((double)x[i]) / sum);
        for (size_t i = 0; i < n; i++) total += (double)y[i];
        CHECK_NEAR(total, 1, 1e-6);
        kern->softmax(x, x, n);
        CHECK(memcmp(x, y, n * sizeof *x) == 0);                /* in place */
    }
}

static void softmax_gives_masked_places_exactly_nothing(void) {
    const float x[] = { 1, -INFINITY, 1, -INFINITY };
    float y[4];
    kern->softmax(y, x, 4);
    for (int i = 0; i < 4; i++) CHECK_BITS(y[i], i % 2 ? 0.0f : 0.5f);
}

static void softmax_of_nothing_but_masked_or_nan_is_nan(void) {
    const float x[3][3] = { { -INFINITY, -INFINITY, -INFINITY }, { 1, NAN, 2 }, { 1, INFINITY, 2 } };
    float y[3];
    for (int i = 0; i < 2; i++) {
        kern->softmax(y, x[i], 3);
        CHECK(isnan(y[0]) && isnan(y[1]) && isnan(y[2]));
    }
    kern->softmax(y, x[2], 3);
    CHECK(isnan(y[1]));
}

static void max_finds_the_greatest_wherever_it_is_and_nan_wins(void) {
    float x[70] = { 0 };
    CHECK_BITS(kern->max(x, 0), -INFINITY);
    for (size_t n = 1; n < 70; n++)
        for (size_t at = 0; at < n; at++) {
            for (size_t i = 0; i < n; i++) x[i] = -5 - (float)i;
            x[at] = -2;
            CHECK_BITS(kern->max(x, n), -2.0f);
            x[at] = NAN;
            CHECK(isnan(kern->max(x, n)));
        }
}

/* ---- doubles ---- */

static double ulps_of_double(double got, long double want) {
    if (isinf(got) || isinf((double)want)) return got == (double)want ? 0 : fabsl(want) > DBL_MAX ? 1 : 1e9;
    int e;
    frexpl(want, &e);
    return (double)(fabsl((long double)got - want) / ldexpl(1, (e < -1021 ? -1021 : e) - 53));
}

static double unit(uint64_t *seed) {
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*seed >> 11) * 0x1p-53;
}

static void exact_functions_are_within_1_ulp(void) {
    uint64_t seed = 3;
    for (int i = 0; i < 300000; i++) {
        const double x = (unit(&seed) - 0.5) * (i % 2 ? 1500 : 4), wide = ldexp(1 + unit(&seed), (int)(unit(&seed) * 2098) - 1074);
        const double near = 0.5 + unit(&seed);
        CHECK(ulps_of_double(exact_exp(x), expl((long double)x)) <= 1);
        CHECK(ulps_of_double(exact_log(wide), logl((long double)wide)) <= 1);
        CHECK(ulps_of_double(exact_log(near), logl((long double)near)) <= 1);
        CHECK(ulps_of_double(exact_log2(wide), log2l((long double)wide)) <= 1);
        CHECK(ulps_of_double(exact_log2(near), log2l((long double)near)) <= 1);
    }
}

static void exact_functions_have_their_special_values(void) {
    const double inf = (double)INFINITY, nan = (double)NAN;
    CHECK(exact_exp(0) == 1 && exact_exp(inf) == inf && exact_exp(-inf) == 0 && isnan(exact_exp(nan)));
    CHECK(exact_exp(709.79) == inf && exact_exp(-745.14) == 0 && exact_exp(-745.13) == 0x1p-1074);
    CHECK(exact_log(1) == 0 && exact_log(0) == -inf && exact_log(inf) == inf);
    CHECK(isnan(exact_log(-1)) && isnan(exact_log(nan)) && isnan(exact_log2(-inf)));
    for (int e = -1074; e < 1024; e++) CHECK(exact_log2(ldexp(1, e)) == e);
}

/* Bits, not values: what every machine must give. */
static void exact_functions_give_these_bits(void) {
    CHECK(exact_exp(1) == 0x1.5bf0a8b14576ap+1);      /* one off: e ends in ..769.b */
    CHECK(exact_log(10) == 0x1.26bb1bbb55516p+1);
    CHECK(exact_log2(10) == 0x1.a934f0979a371p+1);
    CHECK(exact_normal(0.25) == -0x1.5956b87528a49p-1);
}

static void exact_normal_is_the_inverse_of_the_distribution(void) {
    const double table[][2] = {             /* Wichura 1988, and mpmath at 40 digits */
        { 0.25, -0.6744897501960817 }, { 0.001, -3.090232306167814 }, { 1e-20, -9.262340089798408 },
        { 0.975, 1.959963984540054 }, { 1e-300, -37.04709629936120 },
    };
    for (int i = 0; i < 5; i++) CHECK_NEAR(exact_normal(table[i][0]), table[i][1], 4e-15 * fabs(table[i][1]));
    CHECK(exact_normal(0.5) == 0 && isinf(exact_normal(0)) && isinf(exact_normal(1)));
    for (double z = -8; z < 5; z += 0.01) {
        const double below = 0.5 * erfc(-z * 0.70710678118654752440);
        CHECK_NEAR(exact_normal(below), z, z > 2 ? 1e-9 : 1e-13 * fmax(1, fabs(z)));
    }
    for (double u = 0.01; u < 0.5; u += 0.01) CHECK_NEAR(exact_normal(1 - u), -exact_normal(u), 1e-14);
}

#define TESTS(X) \
    X(exp_is_within_2_ulp) \
    X(log_is_within_2_ulp) \
    X(tanh_is_within_2_ulp) \
    X(erf_is_within_2_ulp) \
    X(sin_is_within_2_ulp) \
    X(cos_is_within_2_ulp) \
    X(sin_and_cos_hold_next_to_multiples_of_a_right_angle) \
    X(functions_have_their_closed_form_values) \
    X(activations_equal_their_formulas) \
    X(activations_at_infinity_are_those_of_torch) \
    X(gradients_are_the_slopes_of_their_functions) \
    X(softmax_sums_to_one_and_gives_the_logarithm_of_the_sum) \
    X(softmax_gives_masked_places_exactly_nothing) \
    X(softmax_of_nothing_but_masked_or_nan_is_nan) \
    X(max_finds_the_greatest_wherever_it_is_and_nan_wins) \
    X(exact_functions_are_within_1_ulp) \
    X(exact_functions_have_their_special_values) \
    X(exact_functions_give_these_bits) \
    X(exact_normal_is_the_inverse_of_the_distribution)
TEST_MAIN(TESTS)
