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

/* IEEE 754 half precision: exponent and fraction are moved to float32's places, the exponent counts from there. Infinity
 * and NaN (all ones) keep their fraction. No arithmetic on float32 subnormals, which is slow. */
static inline float float_of_half(uint16_t h) {
    const uint32_t size = h & 0x7fff, moved = size << 13;
    const uint32_t normal = moved + (112u << 23), small = bits_of((float)(int32_t)size * 0x1p-24f);
    const uint32_t bits = size < 0x0400 ? small : size < 0x7c00 ? normal : moved | 0x7f800000u;
    return float_of(bits | (uint32_t)(h & 0x8000) << 16);
}
#endif
