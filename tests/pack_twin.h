/* pack_twin.h - what block types mean, in double precision: item i of the block at p. Written from the layouts, apart from
 * src, to check what packers write. */
#ifndef SONDE_PACK_TWIN_H
#define SONDE_PACK_TWIN_H
#include <math.h>
#include <stdint.h>

/* IEEE 754 binary16 at p. */
static inline double twin_half(const uint8_t *p) {
    const int h = p[0] | p[1] << 8, exponent = h >> 10 & 31, fraction = h & 1023;
    double    size = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
    if (exponent == 31) size = INFINITY;
    return h & 0x8000 ? -size : size;
}

static inline int twin_nibble(const uint8_t *q, int i) { return i < 16 ? q[i] & 15 : q[i - 16] >> 4; }
static inline int twin_bit(const uint8_t *p, int i) { return p[i / 8] >> i % 8 & 1; }

static inline double twin_q4_0(const uint8_t *p, int i) { return twin_half(p) * (twin_nibble(p + 2, i) - 8); }
static inline double twin_q4_1(const uint8_t *p, int i) { return twin_half(p) * twin_nibble(p + 4, i) + twin_half(p + 2); }
static inline double twin_q8_0(const uint8_t *p, int i) { return twin_half(p) * (int8_t)p[2 + i]; }

static inline double twin_q5_0(const uint8_t *p, int i) {
    return twin_half(p) * (twin_nibble(p + 6, i) + 16 * twin_bit(p + 2, i) - 16);
}

static inline double twin_q5_1(const uint8_t *p, int i) {
    return twin_half(p) * (twin_nibble(p + 8, i) + 16 * twin_bit(p + 4, i)) + twin_half(p + 2);
}

static inline double twin_q2_k(const uint8_t *p, int i) {
    const int s = p[i / 16], q = p[16 + i / 128 * 32 + i % 32] >> 2 * (i % 128 / 32) & 3;
    return twin_half(p + 80) * (s & 15) * q - twin_half(p + 82) * (s >> 4);
}

static inline double twin_q3_k(const uint8_t *p, int i) {
    const int      k = i / 16;
    const uint8_t *s = p + 96;
    const int      low = k < 8 ? s[k] & 15 : s[k - 8] >> 4, scale = (low | (s[8 + k % 4] >> 2 * (k / 4) & 3) << 4) - 32;
    const int      q = (p[32 + i / 128 * 32 + i % 32] >> 2 * (i % 128 / 32) & 3) - (p[i % 32] >> i / 32 & 1 ? 0 : 4);
    return twin_half(p + 108) * scale * q;
}

/* d scale q - m offset with the six-bit numbers of Q4_K and Q5_K. */
static inline double twin_line(const uint8_t *p, int i, int q) {
    const uint8_t *s = p + 4;
    const int      g = i / 32;
    const int      scale = g < 4 ? s[g] & 63 : (s[g + 4] & 15) | s[g - 4] >> 6 << 4;
    const int      offset = g < 4 ? s[g + 4] & 63 : s[g + 4] >> 4 | s[g] >> 6 << 4;
    return twin_half(p) * scale * q - twin_half(p + 2) * offset;
}

static inline int twin_k_nibble(const uint8_t *q, int i) { return q[i / 64 * 32 + i % 32] >> 4 * (i / 32 % 2) & 15; }
static inline double twin_q4_k(const uint8_t *p, int i) { return twin_line(p, i, twin_k_nibble(p + 16, i)); }

static inline double twin_q5_k(const uint8_t *p, int i) {
    return twin_line(p, i, twin_k_nibble(p + 48, i) + 16 * (p[16 + i % 32] >> i / 32 & 1));
}

static inline double twin_q6_k(const uint8_t *p, int i) {
    const int h = i / 128, k = i % 128 / 32, l = i % 32;
    const int low = p[64 * h + 32 * (k & 1) + l] >> (k < 2 ? 0 : 4) & 15, high = p[128 + 32 * h + l] >> 2 * k & 3;
    return twin_half(p + 208) * (int8_t)p[192 + i / 16] * ((low | high << 4) - 32);
}
#endif
