/* ggml_blocks.h - GGML's blocks: what ggml_*.c have in common.
 *
 * A block is a few scales and many small numbers. Its floats are those of GGML's own C in every bit: a half-precision
 * scale becomes a float, is multiplied by the integer sub-scale, rounded, and then by the small number. Formulas are facts
 * of GGML (MIT, Copyright (c) 2023 Georgi Gerganov and the ggml authors); b[] are the block's bytes, y[] its floats. */
#ifndef SONDE_GGML_BLOCKS_H
#define SONDE_GGML_BLOCKS_H
#include "dtype.h"
#include "float_bits.h"

enum {
#define D(id, gguf, items, bytes, widens, reads) GGML_ITEMS_##id = items, GGML_BYTES_##id = bytes,
    DTYPE_BLOCKS(D)
#undef D
};

/* The function of a type's row, from that of one block. */
#define GGML_ROWS(id, name)                                                                         \
    void name##_to_f32(float *out, const void *in, size_t n) {                                      \
        const uint8_t *b = in;                                                                      \
        for (size_t i = 0; i < n; i += GGML_ITEMS_##id, b += GGML_BYTES_##id) name(out + i, b);     \
    }

#define D(id, gguf, items, bytes, widens, reads) void widens(float *out, const void *in, size_t n);
DTYPE_BLOCKS(D)
#undef D

static inline float load_half(const uint8_t *p) { return float_of_half(load_u16(p)); }

/* Numbers of 16 codes; MXFP4's are doubled. */
extern const int8_t ggml_iq4_values[16], ggml_fp4_values[16];
#endif
