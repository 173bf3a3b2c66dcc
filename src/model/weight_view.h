/* weight_view.h - from where a weight is stored to what products read, whatever its type and however many pieces.
 *
 * Nothing is copied: the view points to the stored bytes. A type that products read in place (KERN_PLAIN, KERN_BLOCKS), in
 * one piece and from a block's beginning on, is a view of them, everything else goes through kern_rows. */
#ifndef SONDE_WEIGHT_VIEW_H
#define SONDE_WEIGHT_VIEW_H
#include "base/arena.h"
#include "base/dtype.h"
#include "kernel/kern.h"

typedef struct {
    const void *data;               /* any alignment */
    size_t      count;              /* stored rows of it, or, where segments stand side by side, items of every stored row */
    size_t      stride;             /* bytes from one stored row to the next; 0: no gaps */
} weight_segment;

/* A stored row is an output of a matrix [out, in], an input of one stored [in, out] (`columns`); a vector is one stored
 * row: columns, k = 1. Counts of the segments sum to all stored rows, or to all items of one. Types of blocks: every row of
 * every segment is whole blocks. */
typedef struct {
    size_t                n, k;     /* outputs and inputs of this weight */
    bool                  columns;
    size_t                first, all;       /* outputs from `first` on of `all` that are stored as one; all 0: whole */
    dtype_id              type;
    const weight_segment *segment;
    size_t                segments;
    bool                  side_by_side;     /* else one below the other */
} weight_place;

/* What the view needs besides the bytes is taken from `memory`, which must outlive it as the bytes must. */
kern_weight weight_view(arena *memory, const weight_place *p);

/* Bytes that n items take: whole blocks. */
size_t      stored_bytes(dtype_id type, size_t n);
/* The kernels that read a type where it lies; KERN_ROWS: none, its rows are decoded. */
kern_type   kern_type_of(dtype_id type);
#endif
