/* exp, log, log2: the reductions and rational fits of fdlibm (Sun Microsystems, 1993) and, for log2,
 * of FreeBSD's msun. The normal quantile: Wichura, Algorithm AS 241, PPND16, Applied Statistics
 * 37(3), 1988. */
#include "exact.h"
#include <math.h>
#include <stdint.h>
#include <string.h>

#define LN2_HIGH 6.93147180369123816490e-01     /* 33 bits: times a whole number it is exact */
#define LN2_LOW  1.90821492927058770002e-10

static uint64_t bits_of(double x) { uint64_t b; memcpy(&b, &x, sizeof b); return b; }
static double of_bits(uint64_t b) { double x; memcpy(&x, &b, sizeof x); return x; }
static double power_of_2(int n) { return of_bits((uint64_t)(n + 1023) << 52); }   /* -1022 .. 1023 */

/* sum c[i] x^i */
static double polynomial(double x, const double *c, int degree) {
    double p = c[degree];
    for (int i = degree - 1; i >= 0; i--) p = p * x + c[i];
    return p;
}

/* x = n log 2 + r; e^r = 1 + 2r / (R(r^2) - r), R = 2 + r^2/6 - r^4/360 .. */
double exact_exp(double x) {
    static const double c[] = {
        0, 1.66666666666666019037e-01, -2.77777777770155933842e-03, 6.61375632143793436117e-05,
        -1.65339022054652515390e-06, 4.13813679705723846039e-08,
    };
    if (x != x) return x;
    if (x > 710) return (double)INFINITY;
    if (x < -746) return 0;
    const double shift = 0x1.8p52, n = x * 1.44269504088896338700 + shift - shift;
    const double high = x - n * LN2_HIGH, low = n * LN2_LOW, r = high - low;
    const double s = r - polynomial(r * r, c, 5);
    const double y = 1 + (r * s / (2 - s) - low + high);
    const int k = (int)n, k1 = k / 2;           /* two steps: only the second may round */
    return y * power_of_2(k1) * power_of_2(k - k1);
}

/* x = 2^k (1 + f), sqrt(1/2) <= 1 + f < sqrt(2); x is positive and finite. */
static double split(double x, double *k) {
    *k = 0;
    if (x < 0x1p-1022) { x *= 0x1p54; *k = -54; }
    const uint64_t root_half = UINT64_C(0x3fe6a09e00000000);
    const uint64_t b = bits_of(x) + (UINT64_C(0x3ff0000000000000) - root_half);
    *k += (double)((int)(b >> 52) - 1023);
    return of_bits((b & UINT64_C(0x000fffffffffffff)) + root_half) - 1;
}

/* log(1 + f) - f + f^2/2, by s = f / (2 + f). */
static double log_rest(double f, double half_square) {
    static const double c[] = {
        0, 6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01,
        2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01,
        1.479819860511658591e-01,
    };
    const double s = f / (2 + f);
    return s * (half_square + polynomial(s * s, c, 7));
}

static double log_outside(double x) {
    return x == 0 ? -(double)INFINITY : x < 0 ? (double)NAN : x;
}

double exact_log(double x) {
    if (!(x > 0 && x < (double)INFINITY)) return log_outside(x);
    double k;
    const double f = split(x, &k), half_square = 0.5 * f * f, rest = log_rest(f, half_square);
    return k * LN2_HIGH - ((half_square - (rest + k * LN2_LOW)) - f);
}

/* log(1 + f) in two parts, the high one of 32 bits, times 1 / log 2 in two parts. */
double exact_log2(double x) {
    if (!(x > 0 && x < (double)INFINITY)) return log_outside(x);
    const double inverse_high = 1.44269504072144627571e+00, inverse_low = 1.67517131648865118353e-10;
    double k;
    const double f = split(x, &k), half_square = 0.5 * f * f, rest = log_rest(f, half_square);
    const double high = of_bits(bits_of(f - half_square) & UINT64_C(0xffffffff00000000));
    const double low = (f - high) - half_square + rest;
    const double product = high * inverse_high, sum = k + product;
    return ((low + high) * inverse_low + low * inverse_high + ((k - sum) + product)) + sum;
}

double exact_normal(double u) {
    static const double middle[2][8] = {
        { 3.3871328727963666080e0, 1.3314166789178437745e+2, 1.9715909503065514427e+3,
          1.3731693765509461125e+4, 4.5921953931549871457e+4, 6.7265770927008700853e+4,
          3.3430575583588128105e+4, 2.5090809287301226727e+3 },
        { 1, 4.2313330701600911252e+1, 6.8718700749205790830e+2, 5.3941960214247511077e+3,
          2.1213794301586595867e+4, 3.9307895800092710610e+4, 2.8729085735721942674e+4,
          5.2264952788528545610e+3 },
    };
    static const double near[2][8] = {
        { 1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0,
          3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1,
          2.27238449892691845833e-2, 7.74545014278341407640e-4 },
        { 1, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
          1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
          1.05075007164441684324e-9 },
    };
    static const double far[2][8] = {
        { 6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0,
          2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
          2.71155556874348757815e-5, 2.01033439929228813265e-7 },
        { 1, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
          7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
          2.04426310338993978564e-15 },
    };
    if (u != u) return u;
    if (u <= 0) return -(double)INFINITY;
    if (u >= 1) return (double)INFINITY;
    const double q = u - 0.5;
    if (q >= -0.425 && q <= 0.425) {
        const double r = 0.180625 - q * q;
        return q * polynomial(r, middle[0], 7) / polynomial(r, middle[1], 7);
    }
    const double r = sqrt(-exact_log(q < 0 ? u : 1 - u)), t = r <= 5 ? r - 1.6 : r - 5;
    const double (*const c)[8] = r <= 5 ? near : far;
    const double z = polynomial(t, c[0], 7) / polynomial(t, c[1], 7);
    return q < 0 ? -z : z;
}
