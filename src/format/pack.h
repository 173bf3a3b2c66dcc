/* pack.h - float32 rows into the storage types of GGUF files.
 *
 * What is minimised is the plain squared error sum((x - x')^2) of a block. The types, their layouts and the idea of trying
 * several scales for a block and solving for the best one given the rounded values (least squares) are known art, from
 * ggml (ggml-quants.c, MIT); the searches here are their own.
 *
 * Any thread. The same bits on every machine: no fused or reordered sums. Input must be finite (pack_bad); what is not
 * gives bytes that mean nothing, never undefined behaviour. A block with numbers beyond what its scale can hold is
 * clamped to that. */
#ifndef SONDE_PACK_H
#define SONDE_PACK_H
#include "base/dtype.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One row: n floats, n a multiple of dtype_table[type].items, to n / items * bytes bytes at `out`, which may
 * be unaligned. */
typedef void (*pack_fn)(void *out, const float *x, size_t n);

/* NULL: nothing is packed into this type. F16 and BF16 round to nearest, ties to even, beyond the largest to infinity. */
pack_fn pack_find(dtype_id type);

/* The index of the first number that is not finite, or n. */
size_t pack_bad(const float *x, size_t n);

typedef struct {
    dtype_id     type;
    int64_t      rows, cols;        /* cols: a multiple of the type's items */
    const float *x;                 /* [rows, cols] */
    void        *out;               /* [rows] of cols / items * bytes bytes */
} pack_matrix;

/* All rows, by the process's pool. pack_find(m->type) is not NULL. */
void pack_rows(const pack_matrix *m, int threads);
#endif
