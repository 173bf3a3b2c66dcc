/* exp, log, tanh, erf, sin, cos within 2 ulp of libm's long double over their whole range, on every instruction set the
 * same bits; what activations and softmax, which are made of them, are off by.
 *
 * SONDE_ULP_SAMPLES=100000000: how many each; from 10^7 on, every float of some exponents as well. */
#include "test.h"
#include "kernel/kern.h"
#include "sonde/random.h"
#include <float.h>
#include <stdint.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { USUAL = 100000 };
#else
enum { USUAL = 1000000 };
#endif
enum { LOT = 4096, MANY = 10000000 };

typedef void (*array_fn)(float *, const float *, size_t);
typedef struct {
    const char  *name;
    size_t       at;                        /* in kern_table */
    long double (*truth)(long double);
    double       lo, hi;                    /* where half of the samples fall: what is not flat, nor its argument */
    double       ulp;                       /* most spacings of the result, */
    double       of_x, least;               /* and most of 2^-24 |x|, and of anything */
} function;

static long double gelu_tanh(long double x) { return 0.5L * x * (1 + tanhl(0.797884560802865355879892L * (x + 0.044715L * x * x * x))); }
static long double gelu_erf(long double x) { return 0.5L * x * erfcl(-x * 0.707106781186547524400845L); }
static long double silu(long double x) { return x / (1 + expl(-x)); }

#define ROW(member) #member, offsetof(kern_table, member)
static const function functions[] = {
    { ROW(exp), expl, -104, 89, 2, 0, 0 },
    { ROW(log), logl, 0.25, 4, 2, 0, 0 },
    { ROW(tanh), tanhl, -10, 10, 2, 0, 0 },
    { ROW(erf), erfl, -4.5, 4.5, 2, 0, 0 },
    { ROW(sin), sinl, -1000, 1000, 2, 0, 0 },
    { ROW(cos), cosl, -1000, 1000, 2, 0, 0 },
};
/* 1 + tanh and 1 + erf cancel below 0; exp(-x) ends at 88.7. */
static const function activations[] = {
    { ROW(gelu_tanh), gelu_tanh, -12, 12, 0, 4, 0 },
    { ROW(gelu_erf), gelu_erf, -12, 12, 0, 4, 0 },
    { ROW(silu), silu, -100, 100, 4, 0, 0x1p-121 },
};
enum { FUNCTIONS = sizeof functions / sizeof *functions, ACTIVATIONS = sizeof activations / sizeof *activations };

static array_fn of(const kern_table *t, const function *f) {
    array_fn fn;
    memcpy(&fn, (const char *)t + f->at, sizeof fn);
    return fn;
}

static float as_float(uint32_t bits) { float f; memcpy(&f, &bits, sizeof f); return f; }
static bool same(float a, float b) { return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b)); }

/* The spacing of floats at v, subnormals included. */
static double spacing(long double v) {
    int e;
    frexpl(v, &e);
    return ldexp(1, (e < -125 ? -125 : e) - 24);
}

/* What `got` is off by, as a share of what it may be off by. */
static double share(const function *f, float x, float got) {
    const long double want = f->truth((long double)x);
    if (isnan(want)) return isnan(got) ? 0 : 1e9;
    if (isinf((float)want) || isinf(got)) return got == (float)want ? 0 : fabsl(want) > 0x1.ffffffp127L ? 0.5 : 1e9;
    const double most = fmax(f->ulp * spacing(want), fmax(f->of_x * 0x1p-24 * fabs((double)x), f->least));
    return (double)fabsl((long double)got - want) / fmax(most, 0x1p-149);
}

typedef struct { double worst; float at; } found;

/* Every table gives the same; the same is near enough. */
static void check(const function *f, const float *x, size_t n, found *most) {
    static float y[LOT], z[LOT];
    of(kern_find("scalar"), f)(y, x, n);
    for (const kern_table *const *t = kern_tables; *t; t++) {
        if (!(*t)->supported()) continue;
        of(*t, f)(z, x, n);
        for (size_t i = 0; i < n; i++)
            if (!same(y[i], z[i])) FAIL_("%s(%a) is %a on %s, %a on scalar", f->name, (double)x[i], (double)z[i], (*t)->isa, (double)y[i]);
    }
    for (size_t i = 0; i < n; i++) {
        const double off = share(f, x[i], y[i]);
        if (off > most->worst) *most = (found){ off, x[i] };
        if (!(off <= 1)) FAIL_("%s(%a) is %a, expected %La", f->name, (double)x[i], (double)y[i], f->truth((long double)x[i]));
    }
}

/* Any bits, NaN and infinities among them; and even in the range where most happens. */
static void sample(const function *f, int64_t samples, found *most) {
    static float x[LOT];
    for (int64_t at = 0; at < samples; at += LOT) {
        for (int64_t i = 0; i < LOT; i += 2) {
            const uint64_t bits = sonde_random_bits(5, f->at, (uint64_t)(at + i));
            x[i] = as_float((uint32_t)bits);
            x[i + 1] = (float)(f->lo + (f->hi - f->lo) * (double)(bits >> 32) * 0x1p-32);
        }
        check(f, x, LOT, most);
    }
}

/* Both signs of every float from 2^e up to 2^(e + 1). */
static void whole_exponent(const function *f, int e, found *most) {
    static float x[LOT];
    const uint32_t first = (uint32_t)(e + 127) << 23;
    for (uint32_t at = 0; at < 1u << 23; at += LOT / 2) {
        for (uint32_t i = 0; i < LOT; i++) x[i] = as_float((first + at + i / 2) | (i & 1 ? 0x80000000u : 0));
        check(f, x, LOT, most);
    }
}

static void measure(const function *f) {
    static const int exponents[] = { -127, -12, -2, -1, 0, 2, 6, 17 };         /* the first one: subnormals */
    const char   *text = getenv("SONDE_ULP_SAMPLES");
    const int64_t samples = text && *text ? atoll(text) : USUAL;
    found most = { 0, 0 };
    sample(f, samples, &most);
    for (size_t i = 0; i < sizeof exponents / sizeof *exponents && samples >= MANY; i++) whole_exponent(f, exponents[i], &most);
    printf("%-10s worst %.3f %s at %a\n", f->name, most.worst * fmax(f->ulp, f->of_x), f->ulp > 0 ? "ulp" : "of 2^-24 |x|", (double)most.at);
}

static void functions_are_within_2_ulp_and_the_same_bits_everywhere(void) {
    for (int i = 0; i < FUNCTIONS; i++) measure(&functions[i]);
}

static void activations_are_near_their_formulas_and_the_same_bits_everywhere(void) {
    for (int i = 0; i < ACTIVATIONS; i++) measure(&activations[i]);
}

/* In units of 2^-24: 2 ulp of exp are 4; the argument x - max is rounded, which counts |x - max|; of the sum of n terms in
 * sixteen chains come n / 16, and what its terms are off by; then one division. */
static void softmax_is_within_what_its_parts_are_off_by(void) {
    static float x[3000], y[3000], z[3000];
    static const int sizes[] = { 1, 2, 15, 16, 17, 100, 1000, 3000 };
    double worst = 0;
    for (int round = 0; round < 400; round++) {
        const int    n = sizes[round % 8];
        const double wide = ldexp(1, round / 8 % 8 - 1);
        long double  sum = 0, most = -INFINITY;
        for (int i = 0; i < n; i++) {
            x[i] = (float)(wide * (sonde_random_unit(6, (uint64_t)round, (uint64_t)i) - 0.5));
            if ((long double)x[i] > most) most = (long double)x[i];
        }
        for (int i = 0; i < n; i++) sum += expl((long double)x[i] - most);
        kern_find("scalar")->softmax(y, x, (size_t)n);
        for (const kern_table *const *t = kern_tables; *t; t++) {
            if (!(*t)->supported()) continue;
            (*t)->softmax(z, x, (size_t)n);
            CHECK(memcmp(y, z, (size_t)n * sizeof *y) == 0);
        }
        for (int i = 0; i < n; i++) {
            const long double below = most - (long double)x[i], want = expl(-below) / sum;
            const double      off = (double)fabsl((long double)y[i] / want - 1) * 0x1p24;
            worst = fmax(worst, off);
            if (!(off <= 10 + 2 * (double)below + n / 16.0)) FAIL_("softmax of %d: %a, expected %La", n, (double)y[i], want);
        }
    }
    printf("softmax    worst %.1f of 2^-24\n", worst);
}

#define TESTS(X) \
    X(functions_are_within_2_ulp_and_the_same_bits_everywhere) \
    X(activations_are_near_their_formulas_and_the_same_bits_everywhere) \
    X(softmax_is_within_what_its_parts_are_off_by)
TEST_MAIN(TESTS)
