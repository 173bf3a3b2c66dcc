/* Widening of stored numbers. All of it is exact but I64, U64, I32, U32 and F64, which round to nearest. */
#include "dtype.h"
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files are little-endian and are read in place");

/* The body of a type that C knows: load each item (unaligned), let `item` convert it. */
#define PLAIN(fn, ctype)                                                \
    static void fn##_to_f32(float *out, const void *in, size_t n) {     \
        const uint8_t *p = in;                                          \
        for (size_t i = 0; i < n; i++) {                                \
            ctype v;                                                    \
            memcpy(&v, p + i * sizeof v, sizeof v);                     \
            out[i] = (float)v;                                          \
        }                                                               \
    }
#define INTEGER(fn, ctype)                                              \
    PLAIN(fn, ctype)                                                    \
    static int64_t fn##_to_int(const void *in) {                        \
        ctype v;                                                        \
        memcpy(&v, in, sizeof v);                                       \
        return (int64_t)v;                                              \
    }

PLAIN(f64, double)
PLAIN(f32, float)
INTEGER(i64, int64_t)
INTEGER(i32, int32_t)
INTEGER(i16, int16_t)
INTEGER(i8, int8_t)
INTEGER(u64, uint64_t)
INTEGER(u32, uint32_t)
INTEGER(u16, uint16_t)
INTEGER(u8, uint8_t)

#define f64_to_int  NULL
#define f32_to_int  NULL
#define f16_to_int  NULL
#define bf16_to_int NULL

/* Not widened yet. */
#define q4_0_to_f32 NULL
#define q4_0_to_int NULL
#define q4_1_to_f32 NULL
#define q4_1_to_int NULL
#define q5_0_to_f32 NULL
#define q5_0_to_int NULL
#define q5_1_to_f32 NULL
#define q5_1_to_int NULL
#define q8_0_to_f32 NULL
#define q8_0_to_int NULL
#define q2_k_to_f32 NULL
#define q2_k_to_int NULL
#define q3_k_to_f32 NULL
#define q3_k_to_int NULL
#define q4_k_to_f32 NULL
#define q4_k_to_int NULL
#define q5_k_to_f32 NULL
#define q5_k_to_int NULL
#define q6_k_to_f32 NULL
#define q6_k_to_int NULL
#define iq4_nl_to_f32 NULL
#define iq4_nl_to_int NULL
#define iq4_xs_to_f32 NULL
#define iq4_xs_to_int NULL
#define iq2_xxs_to_f32 NULL
#define iq2_xxs_to_int NULL
#define iq2_xs_to_f32 NULL
#define iq2_xs_to_int NULL
#define iq2_s_to_f32 NULL
#define iq2_s_to_int NULL
#define iq3_xxs_to_f32 NULL
#define iq3_xxs_to_int NULL
#define iq3_s_to_f32 NULL
#define iq3_s_to_int NULL
#define iq1_s_to_f32 NULL
#define iq1_s_to_int NULL
#define tq1_0_to_f32 NULL
#define tq1_0_to_int NULL
#define tq2_0_to_f32 NULL
#define tq2_0_to_int NULL
#define mxfp4_to_f32 NULL
#define mxfp4_to_int NULL

static float float_of(uint32_t bits) {
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static uint32_t bits_of(float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/* Exponent and fraction moved to float32's places are the number times 2^-112, subnormals included. Infinity and NaN
 * (exponent all ones) keep their fraction. */
static void f16_to_f32(float *out, const void *in, size_t n) {
    const uint8_t *p = in;
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, p + 2 * i, sizeof h);
        const uint32_t moved = (uint32_t)(h & 0x7fff) << 13;
        const uint32_t finite = bits_of(float_of(moved) * 0x1p112f);
        const uint32_t other = moved | 0x7f800000u;
        out[i] = float_of(((h & 0x7c00) == 0x7c00 ? other : finite) | (uint32_t)(h & 0x8000) << 16);
    }
}

static void bf16_to_f32(float *out, const void *in, size_t n) {
    const uint8_t *p = in;
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, p + 2 * i, sizeof h);
        out[i] = float_of((uint32_t)h << 16);
    }
}

static void boolean_to_f32(float *out, const void *in, size_t n) {
    const uint8_t *p = in;
    for (size_t i = 0; i < n; i++) out[i] = p[i] ? 1 : 0;
}

static int64_t boolean_to_int(const void *in) { return *(const uint8_t *)in != 0; }

const dtype dtype_table[DTYPE_COUNT] = {
#define D(id, st, number, per_block, size, fn) \
    [DTYPE_##id] = { .name = (st), .gguf = (number), .items = (per_block), .bytes = (size), \
                     .integer = DTYPE_##id >= DTYPE_I64 && DTYPE_##id <= DTYPE_BOOL, .to_f32 = fn##_to_f32, .to_int = fn##_to_int },
    DTYPE_MAP(D)
#undef D
};

bool dtype_find(const char *safetensors_name, dtype_id *out) {
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (dtype_table[i].items == 1 && strcmp(dtype_table[i].name, safetensors_name) == 0) {
            *out = (dtype_id)i;
            return true;
        }
    return false;
}
