/* float_bits.h - floats by their bits. */
#ifndef SONDE_FLOAT_BITS_H
#define SONDE_FLOAT_BITS_H
#include <stdint.h>
#include <string.h>

static inline float float_of(uint32_t bits) {
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline uint32_t bits_of(float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static inline uint16_t load_u16(const uint8_t *p) {
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint32_t load_u32(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* IEEE 754 half precision. Exponent and fraction moved to float32's places are the number times 2^-112, subnormals
 * included. Infinity and NaN (exponent all ones) keep their fraction. */
static inline float float_of_half(uint16_t h) {
    const uint32_t moved = (uint32_t)(h & 0x7fff) << 13;
    const uint32_t finite = bits_of(float_of(moved) * 0x1p112f);
    const uint32_t other = moved | 0x7f800000u;
    return float_of(((h & 0x7c00) == 0x7c00 ? other : finite) | (uint32_t)(h & 0x8000) << 16);
}
#endif
