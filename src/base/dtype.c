/* Widening of stored numbers. All of it is exact but I64, U64, I32, U32 and F64, which round to nearest. */
#include "ggml_blocks.h"

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

static void f16_to_f32(float *out, const void *in, size_t n) {
    const uint8_t *p = in;
    for (size_t i = 0; i < n; i++) out[i] = load_half(p + 2 * i);
}

static void bf16_to_f32(float *out, const void *in, size_t n) {
    const uint8_t *p = in;
    for (size_t i = 0; i < n; i++) out[i] = float_of((uint32_t)load_u16(p + 2 * i) << 16);
}

/* As half precision, but there is no infinity; all ones is NaN. */
static void f8_e4m3_to_f32(float *out, const void *in, size_t n) {
    const uint8_t *p = in;
    for (size_t i = 0; i < n; i++) {
        const uint32_t size = p[i] & 0x7f, sign = (uint32_t)(p[i] & 0x80) << 24;
        const uint32_t normal = (size << 20) + (120u << 23), small = bits_of((float)(int32_t)size * 0x1p-9f);
        out[i] = float_of((size < 8 ? small : size < 0x7f ? normal : 0x7fc00000u) | sign);
    }
}

/* The upper half of half precision. */
static void f8_e5m2_to_f32(float *out, const void *in, size_t n) {
    const uint8_t *p = in;
    for (size_t i = 0; i < n; i++) out[i] = float_of_half((uint16_t)(p[i] << 8));
}

static void bool_to_f32(float *out, const void *in, size_t n) {
    const uint8_t *p = in;
    for (size_t i = 0; i < n; i++) out[i] = p[i] ? 1 : 0;
}

static int64_t bool_to_int(const void *in) { return *(const uint8_t *)in != 0; }

const dtype dtype_table[DTYPE_COUNT] = {
#define D(id, number, per_block, size, widens, reads)                                               \
    [DTYPE_##id] = { .name = #id, .gguf = (number), .items = (per_block), .bytes = (size),          \
                     .integer = (reads) != NULL, .to_f32 = widens, .to_int = reads },
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

bool dtype_of_gguf(uint32_t number, dtype_id *out) {
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (dtype_table[i].gguf >= 0 && (uint32_t)dtype_table[i].gguf == number) {
            *out = (dtype_id)i;
            return true;
        }
    return false;
}

/* Retired, of working memory only, or newer than the formulas here. */
static const struct { uint32_t number; const char *name; } not_read[] = {
    { 4, "Q4_2" }, { 5, "Q4_3" }, { 9, "Q8_1" }, { 15, "Q8_K" }, { 31, "Q4_0_4_4" }, { 32, "Q4_0_4_8" },
    { 33, "Q4_0_8_8" }, { 36, "IQ4_NL_4_4" }, { 37, "IQ4_NL_4_8" }, { 38, "IQ4_NL_8_8" }, { 41, "Q1_0" },
};

const char *dtype_gguf_name(uint32_t number) {
    dtype_id id;
    if (dtype_of_gguf(number, &id)) return dtype_table[id].name;
    for (size_t i = 0; i < sizeof not_read / sizeof *not_read; i++)
        if (not_read[i].number == number) return not_read[i].name;
    return NULL;
}
