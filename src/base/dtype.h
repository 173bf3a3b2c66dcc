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
    D(BOOL, "BOOL", -1, 1, 1, boolean)

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
