/* dtype.h - storage types: what a stored number is called and how many bytes it takes.
 *
 * One row a type; what widens its items to float32 stands in dtype.c, of GGML's blocks in ggml_*.c. */
#ifndef SONDE_DTYPE_H
#define SONDE_DTYPE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*  D(id and name, gguf number or -1, items per block, bytes per block, function that widens, function of integers)
 *  Plain types have safetensors's names, blocks GGML's. */
#define DTYPE_PLAIN(D)                                              \
    D(F64,       28,    1,    8, f64_to_f32,      NULL)             \
    D(F32,        0,    1,    4, f32_to_f32,      NULL)             \
    D(F16,        1,    1,    2, f16_to_f32,      NULL)             \
    D(BF16,      30,    1,    2, bf16_to_f32,     NULL)             \
    D(F8_E4M3,   -1,    1,    1, f8_e4m3_to_f32,  NULL)             \
    D(F8_E5M2,   -1,    1,    1, f8_e5m2_to_f32,  NULL)             \
    D(I64,       27,    1,    8, i64_to_f32,      i64_to_int)       \
    D(I32,       26,    1,    4, i32_to_f32,      i32_to_int)       \
    D(I16,       25,    1,    2, i16_to_f32,      i16_to_int)       \
    D(I8,        24,    1,    1, i8_to_f32,       i8_to_int)        \
    D(U64,       -1,    1,    8, u64_to_f32,      u64_to_int)       \
    D(U32,       -1,    1,    4, u32_to_f32,      u32_to_int)       \
    D(U16,       -1,    1,    2, u16_to_f32,      u16_to_int)       \
    D(U8,        -1,    1,    1, u8_to_f32,       u8_to_int)        \
    D(BOOL,      -1,    1,    1, bool_to_f32,     bool_to_int)
#define DTYPE_BLOCKS(D)                                             \
    D(Q4_0,       2,   32,   18, q4_0_to_f32,     NULL)             \
    D(Q4_1,       3,   32,   20, q4_1_to_f32,     NULL)             \
    D(Q5_0,       6,   32,   22, q5_0_to_f32,     NULL)             \
    D(Q5_1,       7,   32,   24, q5_1_to_f32,     NULL)             \
    D(Q8_0,       8,   32,   34, q8_0_to_f32,     NULL)             \
    D(Q2_K,      10,  256,   84, q2_k_to_f32,     NULL)             \
    D(Q3_K,      11,  256,  110, q3_k_to_f32,     NULL)             \
    D(Q4_K,      12,  256,  144, q4_k_to_f32,     NULL)             \
    D(Q5_K,      13,  256,  176, q5_k_to_f32,     NULL)             \
    D(Q6_K,      14,  256,  210, q6_k_to_f32,     NULL)             \
    D(IQ4_NL,    20,   32,   18, iq4_nl_to_f32,   NULL)             \
    D(IQ4_XS,    23,  256,  136, iq4_xs_to_f32,   NULL)             \
    D(IQ3_XXS,   18,  256,   98, iq3_xxs_to_f32,  NULL)             \
    D(IQ3_S,     21,  256,  110, iq3_s_to_f32,    NULL)             \
    D(IQ2_XXS,   16,  256,   66, iq2_xxs_to_f32,  NULL)             \
    D(IQ2_XS,    17,  256,   74, iq2_xs_to_f32,   NULL)             \
    D(IQ2_S,     22,  256,   82, iq2_s_to_f32,    NULL)             \
    D(IQ1_S,     19,  256,   50, iq1_s_to_f32,    NULL)             \
    D(IQ1_M,     29,  256,   56, iq1_m_to_f32,    NULL)             \
    D(TQ1_0,     34,  256,   54, tq1_0_to_f32,    NULL)             \
    D(TQ2_0,     35,  256,   66, tq2_0_to_f32,    NULL)             \
    D(MXFP4,     39,   32,   17, mxfp4_to_f32,    NULL)             \
    D(NVFP4,     40,   64,   36, nvfp4_to_f32,    NULL)
#define DTYPE_MAP(D) DTYPE_PLAIN(D) DTYPE_BLOCKS(D)

enum { DTYPE_MOST_ITEMS = 256 };        /* in a block */

typedef enum {
#define D(id, gguf, items, bytes, widens, reads) DTYPE_##id,
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
bool dtype_of_gguf(uint32_t number, dtype_id *out);
/* GGML's name of a type by its number, also of those that are not read (retired ones, those of working memory);
 * NULL: GGML has none of this number, or it is too new. */
const char *dtype_gguf_name(uint32_t number);
#endif
