/* Blocks of 32 with one scale: x' = d q, or with an offset: x' = d q + m. */
#include "pack_parts.h"
#include "pack_types.h"

enum { BLOCK = 32 };

/* d of x' = d q: the number largest in magnitude becomes s.lo, 1 less in size, or a bit more (and is clamped then); the
 * best scale for each outcome is solved for, and the outcome of least error wins. */
static f16_scale best_scale(const float *x, extremes e, span s) {
    static const float beyond[] = { -1, 0.8f };
    const float        largest = largest_of(e);
    if (largest == 0) return (f16_scale){ 0, 0 };
    scale_sums best = scale_try(x, BLOCK, s.lo / largest, s);
    double     gain = (double)best.xq * best.xq / best.qq * clearly;
    for (int k = 0; k < 2; k++) {
        const scale_sums t = scale_try(x, BLOCK, (s.lo - beyond[k]) / largest, s);
        if (!((double)t.xq * t.xq > gain * t.qq)) continue;
        gain = (double)t.xq * t.xq / t.qq;
        best = t;
    }
    return f16_near(best.xq / best.qq);
}

/* q[32] from s.lo upwards, less s.lo; the scale's bits. */
static uint32_t scaled_block(int32_t *q, const float *x, span s) {
    float           room[BLOCK];
    extremes        e;
    const float    *v = tamed(x, BLOCK, room, &e);
    const f16_scale d = best_scale(v, e, s);
    quants_put(q, v, BLOCK, (placing){ 0, d.value != 0 ? 1 / d.value : 0, s });
    return d.bits;
}

/* Sums over q = round(inverse y), at most top, and y = x - from; y >= 0. */
typedef struct { float q, yq, qq; } line_sums;

/* Two inverses at once; the sum of y. */
static float line_try(line_sums out[2], const float *x, float from, const float inverse[2], float top) {
    const v4 by = v4_all(inverse[0]), by2 = v4_all(inverse[1]), less = v4_all(from), hi = v4_all(top);
    v4       all = v4_all(0), q = all, yq = all, qq = all, q2 = all, yq2 = all, qq2 = all;
    for (size_t i = 0; i < BLOCK; i += 4) {
        const v4 y = v4_load(x + i) - less;
        const v4 a = v4_round(v4_min(y * by, hi)), b = v4_round(v4_min(y * by2, hi));
        all += y;
        q += a;
        yq += y * a;
        qq += a * a;
        q2 += b;
        yq2 += y * b;
        qq2 += b * b;
    }
    out[0] = (line_sums){ v4_sum(q), v4_sum(yq), v4_sum(qq) };
    out[1] = (line_sums){ v4_sum(q2), v4_sum(yq2), v4_sum(qq2) };
    return v4_sum(all);
}

typedef struct { f16_scale d, m; } line;

/* d and m of x' = d q + m: the block's extremes become 0 and top, or the larger a bit more; d and m are solved for, the
 * outcome of less error wins, and d is solved for once more with m as it is stored. */
static line best_line(const float *x, extremes e, float top) {
    const float range = e.most - e.least;
    if (range == 0) return (line){ { 0, 0 }, f16_near(e.least) };
    line_sums   t[2];
    const float inverse[2] = { top / range, (top + 0.7f) / range };
    const float all = line_try(t, x, e.least, inverse, top);
    float       m[2], gain[2];
    for (int k = 0; k < 2; k++) {
        const float by = 1 / (BLOCK * t[k].qq - t[k].q * t[k].q), d = (BLOCK * t[k].yq - all * t[k].q) * by;
        m[k] = (t[k].qq * all - t[k].q * t[k].yq) * by;
        gain[k] = d * t[k].yq + m[k] * all;
    }
    const int       best = gain[1] > gain[0] * clearly;
    const f16_scale stored = f16_near(e.least + m[best]);
    return (line){ f16_near((t[best].yq - (stored.value - e.least) * t[best].q) / t[best].qq), stored };
}

/* q[32] from 0 to top, and the two numbers in front of a block of these types: d, m. */
static void line_block(int32_t *q, uint8_t *head, const float *x, float top) {
    float        room[BLOCK];
    extremes     e;
    const float *v = tamed(x, BLOCK, room, &e);
    const line   l = best_line(v, e, top);
    quants_put(q, v, BLOCK, (placing){ l.m.value, l.d.value != 0 ? 1 / l.d.value : 0, { 0, top } });
    put16(head, l.d.bits);
    put16(head + 2, l.m.bits);
}

/* Low four bits: q[i] and q[i + 16] share a byte. */
static void put_nibbles(uint8_t *p, const int32_t *q) {
    for (int i = 0; i < 16; i++) p[i] = (uint8_t)((q[i] & 15) | q[i + 16] << 4);
}

/* The fifth bits: bit i is q[i]'s. */
static void put_fifth(uint8_t *p, const int32_t *q) {
    for (int byte = 0; byte < 4; byte++) {
        unsigned bits = 0;
        for (int i = 0; i < 8; i++) bits |= ((unsigned)q[8 * byte + i] >> 4 & 1) << i;
        p[byte] = (uint8_t)bits;
    }
}

void pack_q4_0(void *out, const float *x, size_t n) {
    int32_t q[BLOCK];
    for (uint8_t *p = out; n; n -= BLOCK, x += BLOCK, p += 18) {
        put16(p, scaled_block(q, x, (span){ -8, 7 }));
        put_nibbles(p + 2, q);
    }
}

void pack_q4_1(void *out, const float *x, size_t n) {
    int32_t q[BLOCK];
    for (uint8_t *p = out; n; n -= BLOCK, x += BLOCK, p += 20) {
        line_block(q, p, x, 15);
        put_nibbles(p + 4, q);
    }
}

void pack_q5_0(void *out, const float *x, size_t n) {
    int32_t q[BLOCK];
    for (uint8_t *p = out; n; n -= BLOCK, x += BLOCK, p += 22) {
        put16(p, scaled_block(q, x, (span){ -16, 15 }));
        put_fifth(p + 2, q);
        put_nibbles(p + 6, q);
    }
}

void pack_q5_1(void *out, const float *x, size_t n) {
    int32_t q[BLOCK];
    for (uint8_t *p = out; n; n -= BLOCK, x += BLOCK, p += 24) {
        line_block(q, p, x, 31);
        put_fifth(p + 4, q);
        put_nibbles(p + 8, q);
    }
}

/* Stored as signed bytes. -128 is left unused: others' kernels negate it. */
void pack_q8_0(void *out, const float *x, size_t n) {
    int32_t q[BLOCK];
    for (uint8_t *p = out; n; n -= BLOCK, x += BLOCK, p += 34) {
        put16(p, scaled_block(q, x, (span){ -127, 127 }));
        for (int i = 0; i < BLOCK; i++) p[2 + i] = (uint8_t)(q[i] - 127);
    }
}
