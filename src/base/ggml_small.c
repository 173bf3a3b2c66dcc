/* Blocks of 32 (NVFP4: 64) with one scale, or a scale and a least value. Of two numbers in a byte the low one belongs to
 * the first half of its 32. */
#include "ggml_blocks.h"

const int8_t ggml_iq4_values[16] = { -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113 };
const int8_t ggml_fp4_values[16] = { 0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12 };

/* b = d, q[16]; y = d (q - 8) */
static inline void q4_0(float *restrict y, const uint8_t *b) {
    const float d = load_half(b);
    for (int i = 0; i < 16; i++) {
        y[i]      = d * (float)((b[2 + i] & 15) - 8);
        y[16 + i] = d * (float)((b[2 + i] >> 4) - 8);
    }
}

/* b = d, m, q[16]; y = d q + m */
static inline void q4_1(float *restrict y, const uint8_t *b) {
    const float d = load_half(b), m = load_half(b + 2);
    for (int i = 0; i < 16; i++) {
        y[i]      = d * (float)(b[4 + i] & 15) + m;
        y[16 + i] = d * (float)(b[4 + i] >> 4) + m;
    }
}

/* b = d, fifth bits (32), q[16]; y = d (q - 16) */
static inline void q5_0(float *restrict y, const uint8_t *b) {
    const float d = load_half(b);
    const uint32_t high = load_u32(b + 2);
    for (int i = 0; i < 16; i++) {
        y[i]      = d * (float)((int)((b[6 + i] & 15) | (high >> i & 1) << 4) - 16);
        y[16 + i] = d * (float)((int)(b[6 + i] >> 4 | (high >> (16 + i) & 1) << 4) - 16);
    }
}

/* b = d, m, fifth bits (32), q[16]; y = d q + m */
static inline void q5_1(float *restrict y, const uint8_t *b) {
    const float d = load_half(b), m = load_half(b + 2);
    const uint32_t high = load_u32(b + 4);
    for (int i = 0; i < 16; i++) {
        y[i]      = d * (float)(int)((b[8 + i] & 15) | (high >> i & 1) << 4) + m;
        y[16 + i] = d * (float)(int)(b[8 + i] >> 4 | (high >> (16 + i) & 1) << 4) + m;
    }
}

/* b = d, signed q[32]; y = d q */
static inline void q8_0(float *restrict y, const uint8_t *b) {
    const float d = load_half(b);
    for (int i = 0; i < 32; i++) y[i] = d * (float)(int8_t)b[2 + i];
}

/* b = d, q[16]; y = d value(q) */
static inline void iq4_nl(float *restrict y, const uint8_t *b) {
    const float d = load_half(b);
    for (int i = 0; i < 16; i++) {
        y[i]      = d * (float)ggml_iq4_values[b[2 + i] & 15];
        y[16 + i] = d * (float)ggml_iq4_values[b[2 + i] >> 4];
    }
}

/* b = e, q[16]; y = 2^(e - 128) value(q), e = 0 and 1 being subnormal floats; values are doubled, the scale halved */
static inline void mxfp4(float *restrict y, const uint8_t *b) {
    const float d = float_of(b[0] < 2 ? 0x00200000u << b[0] : (uint32_t)(b[0] - 1) << 23);
    for (int i = 0; i < 16; i++) {
        y[i]      = d * (float)ggml_fp4_values[b[1 + i] & 15];
        y[16 + i] = d * (float)ggml_fp4_values[b[1 + i] >> 4];
    }
}

/* Half of an 8-bit float of 4 exponent and 3 fraction bits; the sign is not looked at, 0x7f is 0. */
static inline float half_of_e4m3(uint8_t x) {
    return x == 0x7f ? 0 : float_of((uint32_t)(x & 0x7f) << 20) * 0x1p119f;
}

/* b = four scales, q[32]; each scale has sixteen y, in q[8] */
static inline void nvfp4(float *restrict y, const uint8_t *b) {
    for (int s = 0; s < 4; s++) {
        const float    d = half_of_e4m3(b[s]);
        const uint8_t *q = b + 4 + 8 * s;
        for (int i = 0; i < 8; i++) {
            y[16 * s + i]     = d * (float)ggml_fp4_values[q[i] & 15];
            y[16 * s + 8 + i] = d * (float)ggml_fp4_values[q[i] >> 4];
        }
    }
}

GGML_ROWS(Q4_0, q4_0)
GGML_ROWS(Q4_1, q4_1)
GGML_ROWS(Q5_0, q5_0)
GGML_ROWS(Q5_1, q5_1)
GGML_ROWS(Q8_0, q8_0)
GGML_ROWS(IQ4_NL, iq4_nl)
GGML_ROWS(MXFP4, mxfp4)
GGML_ROWS(NVFP4, nvfp4)
