/* The K types: blocks of 256 whose groups of 16 or 32 have scales of their own, themselves small numbers. */
#include "ggml_blocks.h"

/* b = scales[16], q[64], d, m. Groups of 16: y = d (s & 15) q - m (s >> 4), q of two bits: 4 groups of 32 share 32 bytes. */
static inline void q2_k(float *restrict y, const uint8_t *b) {
    const float d = load_half(b + 80), m = load_half(b + 82);
    for (int g = 0; g < 16; g++) {
        const uint8_t *q = b + 16 + 32 * (g / 8) + 16 * (g % 2);
        const int   shift = 2 * (g / 2 % 4);
        const float scale = d * (float)(b[g] & 15), least = m * (float)(b[g] >> 4);
        for (int i = 0; i < 16; i++) y[16 * g + i] = scale * (float)(q[i] >> shift & 3) - least;
    }
}

/* b = third bits (8 x 32), q[64], scales of six bits (16), d. Groups of 16: y = d (s - 32) (q - 4). */
static inline void q3_k(float *restrict y, const uint8_t *b) {
    const uint8_t *scales = b + 96;
    const float    d = load_half(b + 108);
    for (int g = 0; g < 16; g++) {
        const uint8_t *q = b + 32 + 32 * (g / 8) + 16 * (g % 2), *third = b + 16 * (g % 2);
        const int      shift = 2 * (g / 2 % 4), bit = g / 2;
        const int      low = g < 8 ? scales[g] & 15 : scales[g - 8] >> 4, high = scales[8 + g % 4] >> 2 * (g / 4) & 3;
        const float    scale = d * (float)((low | high << 4) - 32);
        for (int i = 0; i < 16; i++)
            y[16 * g + i] = scale * (float)(((q[i] >> shift & 3) | (third[i] >> bit & 1) << 2) - 4);
    }
}

/* Six bits each of scale and least value of group g: twelve bytes for eight groups. */
typedef struct { float scale, least; } sub_scales;
static inline sub_scales sub_of(const uint8_t *s, int g, float d, float m) {
    const int scale = g < 4 ? s[g] & 63 : (s[g + 4] & 15) | s[g - 4] >> 6 << 4;
    const int least = g < 4 ? s[g + 4] & 63 : s[g + 4] >> 4 | s[g] >> 6 << 4;
    return (sub_scales){ d * (float)scale, m * (float)least };
}

/* b = d, m, scales[12], q[128]. Groups of 32: y = d s q - m l. */
static inline void q4_k(float *restrict y, const uint8_t *b) {
    const float d = load_half(b), m = load_half(b + 2);
    for (int g = 0; g < 8; g++) {
        const sub_scales s = sub_of(b + 4, g, d, m);
        const uint8_t   *q = b + 16 + 32 * (g / 2);
        const int        shift = 4 * (g % 2);
        for (int i = 0; i < 32; i++) y[32 * g + i] = s.scale * (float)(q[i] >> shift & 15) - s.least;
    }
}

/* b = d, m, scales[12], fifth bits (8 x 32), q[128]; as Q4_K. */
static inline void q5_k(float *restrict y, const uint8_t *b) {
    const float d = load_half(b), m = load_half(b + 2);
    for (int g = 0; g < 8; g++) {
        const sub_scales s = sub_of(b + 4, g, d, m);
        const uint8_t   *q = b + 48 + 32 * (g / 2), *fifth = b + 16;
        const int        shift = 4 * (g % 2);
        for (int i = 0; i < 32; i++)
            y[32 * g + i] = s.scale * (float)((q[i] >> shift & 15) | (fifth[i] >> g & 1) << 4) - s.least;
    }
}

/* b = low four bits (128), high two (64), signed scales[16], d. Groups of 16: y = d s (q - 32). */
static inline void q6_k(float *restrict y, const uint8_t *b) {
    const float d = load_half(b + 208);
    for (int g = 0; g < 16; g++) {
        const int      half = g / 8, k = g / 2 % 4;
        const uint8_t *low = b + 64 * half + 32 * (k & 1) + 16 * (g % 2), *high = b + 128 + 32 * half + 16 * (g % 2);
        const float    scale = d * (float)(int8_t)b[192 + g];
        const int      by = k < 2 ? 0 : 4;
        for (int i = 0; i < 16; i++)
            y[16 * g + i] = scale * (float)(((low[i] >> by & 15) | (high[i] >> 2 * k & 3) << 4) - 32);
    }
}

/* b = d, high two bits of scales (16), low four (4), q[128]. Groups of 32: y = d (s - 32) value(q). */
static inline void iq4_xs(float *restrict y, const uint8_t *b) {
    const float    d = load_half(b);
    const uint16_t high = load_u16(b + 2);
    for (int g = 0; g < 8; g++) {
        const int      s = (b[4 + g / 2] >> 4 * (g % 2) & 15) | (high >> 2 * g & 3) << 4;
        const float    scale = d * (float)(s - 32);
        const uint8_t *q = b + 8 + 16 * g;
        for (int i = 0; i < 16; i++) {
            y[32 * g + i]      = scale * (float)ggml_iq4_values[q[i] & 15];
            y[32 * g + 16 + i] = scale * (float)ggml_iq4_values[q[i] >> 4];
        }
    }
}

/* q holds five digits of base 3, as a fraction of 256. */
static inline float digit(uint8_t q, int power) {
    return (float)(((uint8_t)(q * power) * 3 >> 8) - 1);
}

/* b = q[32] (five digits a byte), q[16] (five), q[4] (four), d; y = d (digit - 1), first all first digits. */
static inline void tq1_0(float *restrict y, const uint8_t *b) {
    const float d = load_half(b + 52);
    int power = 1;
    for (int p = 0; p < 5; p++, power *= 3) {
        for (int i = 0; i < 32; i++) y[32 * p + i] = d * digit(b[i], power);
        for (int i = 0; i < 16; i++) y[160 + 16 * p + i] = d * digit(b[32 + i], power);
        for (int i = 0; i < 4 && p < 4; i++) y[240 + 4 * p + i] = d * digit(b[48 + i], power);
    }
}

/* b = q[64], d; y = d (q - 1), q of two bits as in Q2_K. */
static inline void tq2_0(float *restrict y, const uint8_t *b) {
    const float d = load_half(b + 64);
    for (int g = 0; g < 8; g++)
        for (int i = 0; i < 32; i++) y[32 * g + i] = d * (float)((b[32 * (g / 4) + i] >> 2 * (g % 4) & 3) - 1);
}

GGML_ROWS(Q2_K, q2_k)
GGML_ROWS(Q3_K, q3_k)
GGML_ROWS(Q4_K, q4_k)
GGML_ROWS(Q5_K, q5_k)
GGML_ROWS(Q6_K, q6_k)
GGML_ROWS(IQ4_XS, iq4_xs)
GGML_ROWS(TQ1_0, tq1_0)
GGML_ROWS(TQ2_0, tq2_0)
