/* pack_parts.h - what the packers share: four floats at a time, the sums a scale is solved from, 16-bit scales.
 *
 * Four lanes are what every machine has without asking. A sum is four partial sums, element i in lane i mod 4, ascending,
 * added at the end in one order. Lengths are multiples of 4. */
#ifndef SONDE_PACK_PARTS_H
#define SONDE_PACK_PARTS_H
#include "base/float_bits.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

typedef float   v4 __attribute__((vector_size(16)));
typedef int32_t v4i __attribute__((vector_size(16)));

static inline v4    v4_all(float a) { return (v4){ a, a, a, a }; }
static inline v4    v4_load(const void *p) { v4 v; memcpy(&v, p, sizeof v); return v; }
static inline float v4_sum(v4 a) { return (a[0] + a[2]) + (a[1] + a[3]); }

/* a < b ? a : b and a > b ? a : b, so b where either is NaN. */
#ifdef __SSE2__
static inline v4 v4_min(v4 a, v4 b) { return (v4)_mm_min_ps((__m128)a, (__m128)b); }
static inline v4 v4_max(v4 a, v4 b) { return (v4)_mm_max_ps((__m128)a, (__m128)b); }
#else
static inline v4 v4_pick(v4i m, v4 yes, v4 no) { return (v4)(((v4i)yes & m) | ((v4i)no & ~m)); }
static inline v4 v4_min(v4 a, v4 b) { return v4_pick((v4i)(a < b), a, b); }
static inline v4 v4_max(v4 a, v4 b) { return v4_pick((v4i)(a > b), a, b); }
#endif

static inline v4    v4_clamp(v4 a, v4 lo, v4 hi) { return v4_min(v4_max(a, lo), hi); }
static inline float clamp(float a, float lo, float hi) { return a > lo ? a < hi ? a : hi : lo; }

/* The nearest whole number, ties to even; |a| < 2^22. */
static const float round_by = 12582912;
static inline v4    v4_round(v4 a) { return (a + v4_all(round_by)) - v4_all(round_by); }
static inline float round_even(float a) { return (a + round_by) - round_by; }

/* The whole numbers that quants of a type may be. */
typedef struct { float lo, hi; } span;

typedef struct { float least, most; } extremes;

static inline extremes extremes_of(const float *x, size_t n) {
    v4 lo = v4_load(x), hi = lo;
    for (size_t i = 4; i < n; i += 4) {
        lo = v4_min(v4_load(x + i), lo);
        hi = v4_max(v4_load(x + i), hi);
    }
    extremes e = { lo[0], hi[0] };
    for (int l = 1; l < 4; l++) {
        e.least = lo[l] < e.least ? lo[l] : e.least;
        e.most = hi[l] > e.most ? hi[l] : e.most;
    }
    return e;
}

/* The one that is larger in magnitude. */
static inline float largest_of(extremes e) { return -e.least > e.most ? e.least : e.most; }

/* Sums over q = round(inverse x) within the span. The best scale for these q is xq / qq; it leaves sum(x^2) - xq^2 / qq. */
typedef struct { float xq, qq; } scale_sums;

static inline scale_sums scale_try(const float *x, size_t n, float inverse, span s) {
    const v4 by = v4_all(inverse), lo = v4_all(s.lo), hi = v4_all(s.hi);
    v4       xq = v4_all(0), qq = v4_all(0);
    for (size_t i = 0; i < n; i += 4) {
        const v4 v = v4_load(x + i), q = v4_round(v4_clamp(v * by, lo, hi));
        xq += v * q;
        qq += q * q;
    }
    return (scale_sums){ v4_sum(xq), v4_sum(qq) };
}

/* By how much an outcome must be better than the plain one: by more than sums in float32 and the rounding of a scale to
 * float16 (at most 2^-24 of the squares) can feign. */
static const float clearly = 1.000001f;

/* Beyond this a number is no block's: what is larger is taken as this, so that no sum overflows. x itself, or its values
 * brought within bounds in `room`; the extremes of what is returned. */
static const float too_large = 0x1p40f;

static inline const float *tamed(const float *x, size_t n, float *room, extremes *e) {
    *e = extremes_of(x, n);
    if (e->most <= too_large && e->least >= -too_large) return x;
    for (size_t i = 0; i < n; i++) room[i] = clamp(x[i], -too_large, too_large);
    *e = extremes_of(room, n);
    return room;
}

/* How numbers become quants: round(inverse (x - from)) within the span, less its lower end, so from 0. */
typedef struct { float from, inverse; span s; } placing;

static inline void quants_put(int32_t *q, const float *x, size_t n, placing p) {
    const v4 from = v4_all(p.from), by = v4_all(p.inverse), lo = v4_all(p.s.lo), hi = v4_all(p.s.hi);
    const v4 up = v4_all(round_by - p.s.lo), whole = v4_all(round_by);
    for (size_t i = 0; i < n; i += 4) {                 /* of two sums' bits the difference is a whole number */
        const v4i v = (v4i)(v4_clamp((v4_load(x + i) - from) * by, lo, hi) + up) - (v4i)whole;
        memcpy(q + i, &v, sizeof v);
    }
}

typedef struct { float value; uint32_t bits; } f16_scale;

/* The nearest float16, ties to even, of 0 <= x <= 2^16. Adding 2^(e + 13), e the number's own exponent but at least
 * float16's least, -14, rounds to float16's ten bits; the sum's low bits are then the fraction, with its carry. */
static inline f16_scale f16_round(float x) {
    const uint32_t exponent = bits_of(x) & 0x7f800000, low = 113u << 23, used = exponent < low ? low : exponent;
    const float    big = float_of(used + (13u << 23)), sum = x + big;
    return (f16_scale){ sum - big, ((used - low) >> 13) + (bits_of(sum) & 0x007fffff) };
}

/* The nearest finite float16. */
static inline f16_scale f16_near(float x) {
    const float     size = float_of(bits_of(x) & 0x7fffffff);
    const f16_scale r = f16_round(size < 65504 ? size : 65504);
    return x < 0 ? (f16_scale){ -r.value, r.bits | 0x8000 } : r;
}

static inline void put16(uint8_t *p, uint32_t v) {
    const uint16_t low = (uint16_t)v;
    memcpy(p, &low, sizeof low);
}
#endif
