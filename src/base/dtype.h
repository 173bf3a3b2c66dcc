/* dtype.h - storage types: what a stored number is called and how many bytes it takes.
 *
 * One row a type; what widens its items to float32 stands in dtype.c beside it. */
#ifndef SONDE_DTYPE_H
#define SONDE_DTYPE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*  DTYPE(id, safetensors name, gguf number or -1, items per block, bytes per block, function in dtype.c) */
#define DTYPE_MAP(D)                    \
    D(F64,  "F64",  28, 1, 8, f64)      \
    D(F32,  "F32",   0, 1, 4, f32)      \
    D(F16,  "F16",   1, 1, 2, f16)      \
    D(BF16, "BF16", 30, 1, 2, bf16)     \
    D(I64,  "I64",  27, 1, 8, i64)      \
    D(I32,  "I32",  26, 1, 4, i32)      \
    D(I16,  "I16",  25, 1, 2, i16)      \
    D(I8,   "I8",   24, 1, 1, i8)       \
    D(U64,  "U64",  -1, 1, 8, u64)      \
    D(U32,  "U32",  -1, 1, 4, u32)      \
    D(U16,  "U16",  -1, 1, 2, u16)      \
    D(U8,   "U8",   -1, 1, 1, u8)       \
    D(BOOL, "BOOL", -1, 1, 1, boolean)     \
    D(Q4_0, "Q4_0", 2, 32, 18, q4_0) \
    D(Q4_1, "Q4_1", 3, 32, 20, q4_1) \
    D(Q5_0, "Q5_0", 6, 32, 22, q5_0) \
    D(Q5_1, "Q5_1", 7, 32, 24, q5_1) \
    D(Q8_0, "Q8_0", 8, 32, 34, q8_0) \
    D(Q2_K, "Q2_K", 10, 256, 84, q2_k) \
    D(Q3_K, "Q3_K", 11, 256, 110, q3_k) \
    D(Q4_K, "Q4_K", 12, 256, 144, q4_k) \
    D(Q5_K, "Q5_K", 13, 256, 176, q5_k) \
    D(Q6_K, "Q6_K", 14, 256, 210, q6_k) \
    D(IQ4_NL, "IQ4_NL", 20, 32, 18, iq4_nl) \
    D(IQ4_XS, "IQ4_XS", 23, 256, 136, iq4_xs) \
    D(IQ2_XXS, "IQ2_XXS", 16, 256, 66, iq2_xxs) \
    D(IQ2_XS, "IQ2_XS", 17, 256, 74, iq2_xs) \
    D(IQ2_S, "IQ2_S", 22, 256, 82, iq2_s) \
    D(IQ3_XXS, "IQ3_XXS", 18, 256, 98, iq3_xxs) \
    D(IQ3_S, "IQ3_S", 21, 256, 110, iq3_s) \
    D(IQ1_S, "IQ1_S", 19, 256, 50, iq1_s) \
    D(TQ1_0, "TQ1_0", 34, 256, 54, tq1_0) \
    D(TQ2_0, "TQ2_0", 35, 256, 66, tq2_0) \
    D(MXFP4, "MXFP4", 39, 32, 17, mxfp4)

typedef enum {
#define D(id, st, gguf, items, bytes, fn) DTYPE_##id,
    DTYPE_MAP(D)
#undef D
    DTYPE_COUNT
} dtype_id;

typedef struct {
    const char *name;
    int         gguf, items, bytes;
    bool        integer;
    void      (*to_f32)(float *out, const void *in, size_t n);      /* n whole blocks' items; `in` may be unaligned */
    int64_t   (*to_int)(const void *in);                            /* integer types: one item; NULL for others */
} dtype;

extern const dtype dtype_table[DTYPE_COUNT];
bool dtype_find(const char *safetensors_name, dtype_id *out);
#endif
