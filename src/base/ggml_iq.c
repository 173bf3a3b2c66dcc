/* The IQ types of one to three bits: blocks of 256 whose eights or fours are words of a code book, with signs apart. */
#include "ggml_blocks.h"
#include "ggml_tables.h"

static const float values2[4] = { 8, 25, 43, 0 };       /* of two bits; three of them are used */
static const float values3[16] = { 4, 12, 20, 28, 36, 44, 52, 62 };

/* Seven bits say eight signs: the number of minus signs is even. */
static inline uint32_t eight_signs(uint32_t seven) {
    uint32_t parity = seven ^ seven >> 4;
    parity ^= parity >> 2;
    parity ^= parity >> 1;
    return seven | (parity & 1) << 7;
}

static inline float signed_by(float x, uint32_t signs, int i) { return signs >> i & 1 ? -x : x; }

/* y[8] = scale times the word's eight values, with signs */
static inline void eight(float *restrict y, float scale, uint16_t word, uint32_t signs) {
    for (int i = 0; i < 8; i++) y[i] = signed_by(scale * values2[word >> 2 * i & 3], signs, i);
}

/* b = d, 8 x (four words of 8 bits; four times seven signs; a scale of 4 bits). Groups of 32: d (s + 1/2) / 4. */
static inline void iq2_xxs(float *restrict y, const uint8_t *b) {
    const float d = load_half(b);
    for (int g = 0; g < 8; g++) {
        const uint8_t *q = b + 2 + 8 * g;
        const uint32_t rest = load_u32(q + 4);
        const float    scale = d * (0.5f + (float)(rest >> 28)) * 0.25f;
        for (int j = 0; j < 4; j++)
            eight(y + 32 * g + 8 * j, scale, ggml_iq2_xxs_book[q[j]], eight_signs(rest >> 7 * j & 127));
    }
}

/* b = d, 32 x (word of 9 bits, seven signs), scales of 4 bits (16). Groups of 16: d (s + 1/2) / 4. */
static inline void iq2_xs(float *restrict y, const uint8_t *b) {
    const float d = load_half(b);
    for (int j = 0; j < 32; j++) {
        const uint16_t q = load_u16(b + 2 + 2 * j);
        const float    scale = d * (0.5f + (float)(b[66 + j / 4] >> 4 * (j / 2 % 2) & 15)) * 0.25f;
        eight(y + 8 * j, scale, ggml_iq2_xs_book[q & 511], eight_signs((uint32_t)q >> 9));
    }
}

/* b = d, words' low 8 bits (32), signs[32], words' high 2 bits (32), scales of 4 bits (16); scales as IQ2_XS. */
static inline void iq2_s(float *restrict y, const uint8_t *b) {
    const float d = load_half(b);
    for (int j = 0; j < 32; j++) {
        const int   word = b[2 + j] | (b[66 + j / 4] >> 2 * (j % 4) & 3) << 8;
        const float scale = d * (0.5f + (float)(b[74 + j / 4] >> 4 * (j / 2 % 2) & 15)) * 0.25f;
        eight(y + 8 * j, scale, ggml_iq2_s_book[word], b[34 + j]);
    }
}

/* b = d, words of 8 bits (64), 8 x (four times seven signs; a scale of 4 bits). Groups of 32: d (s + 1/2) / 2. */
static inline void iq3_xxs(float *restrict y, const uint8_t *b) {
    const float d = load_half(b);
    for (int g = 0; g < 8; g++) {
        const uint32_t rest = load_u32(b + 66 + 4 * g);
        const float    scale = d * (0.5f + (float)(rest >> 28)) * 0.5f;
        for (int j = 0; j < 8; j++) {
            const uint32_t signs = eight_signs(rest >> 7 * (j / 2) & 127) >> 4 * (j % 2);
            const uint16_t word = ggml_iq3_xxs_book[b[2 + 8 * g + j]];
            for (int i = 0; i < 4; i++) y[32 * g + 4 * j + i] = signed_by(scale * values3[word >> 4 * i & 15], signs, i);
        }
    }
}

/* b = d, words' low 8 bits (64), their ninth (64), signs[32], scales of 4 bits (8). Groups of 32: d (2 s + 1). */
static inline void iq3_s(float *restrict y, const uint8_t *b) {
    const float d = load_half(b);
    for (int j = 0; j < 64; j++) {
        const uint16_t word = ggml_iq3_s_book[b[2 + j] | (b[66 + j / 8] >> j % 8 & 1) << 8];
        const uint32_t signs = (uint32_t)b[74 + j / 2] >> 4 * (j % 2);
        const float    scale = d * (float)(1 + 2 * (b[106 + j / 16] >> 4 * (j / 8 % 2) & 15));
        for (int i = 0; i < 4; i++)
            y[4 * j + i] = signed_by(scale * (float)(2 * (word >> 4 * i & 15) + 1), signs, i);
    }
}

/* y[8] = scale (-1, 0 or 1, and an eighth more or less) */
static inline void eight_of_three(float *restrict y, float scale, uint16_t word, bool less) {
    for (int i = 0; i < 8; i++) y[i] = scale * ((float)((word >> 2 * i & 3) - 1) + (less ? -0.125f : 0.125f));
}

/* b = d, words' low 8 bits (32), 8 x (their high 3 bits; a scale of 3 bits; whether less). Groups of 32: d (2 s + 1). */
static inline void iq1_s(float *restrict y, const uint8_t *b) {
    const float d = load_half(b);
    for (int j = 0; j < 32; j++) {
        const uint16_t rest = load_u16(b + 34 + 2 * (j / 4));
        const float    scale = d * (float)(2 * (rest >> 12 & 7) + 1);
        const int      word = b[2 + j] | (rest >> 3 * (j % 4) & 7) << 8;
        eight_of_three(y + 8 * j, scale, ggml_iq1_book[word], rest >> 15);
    }
}

/* b = words' low 8 bits (32), 32 x (their high 3 bits; whether less), 4 x (four scales of 3 bits; 4 bits of d).
 * Groups of 16: d (2 s + 1). */
static inline void iq1_m(float *restrict y, const uint8_t *b) {
    uint16_t s[4];
    for (int i = 0; i < 4; i++) s[i] = load_u16(b + 48 + 2 * i);
    const float d = float_of_half((uint16_t)(s[0] >> 12 | s[1] >> 12 << 4 | s[2] >> 12 << 8 | s[3] >> 12 << 12));
    for (int j = 0; j < 32; j++) {
        const int   rest = b[32 + j / 2] >> 4 * (j % 2);
        const float scale = d * (float)(2 * (s[j / 8] >> 3 * (j / 2 % 4) & 7) + 1);
        eight_of_three(y + 8 * j, scale, ggml_iq1_book[b[j] | (rest & 7) << 8], rest & 8);
    }
}

GGML_ROWS(IQ2_XXS, iq2_xxs)
GGML_ROWS(IQ2_XS, iq2_xs)
GGML_ROWS(IQ2_S, iq2_s)
GGML_ROWS(IQ3_XXS, iq3_xxs)
GGML_ROWS(IQ3_S, iq3_s)
GGML_ROWS(IQ1_S, iq1_s)
GGML_ROWS(IQ1_M, iq1_m)
