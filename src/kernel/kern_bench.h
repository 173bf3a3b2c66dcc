/* kern_bench.h - how fast the kernels are on this machine, beside what the machine can do.
 *
 * Every figure is the median of pairs: the kernel and its reference in turn, so that a disturbed
 * machine disturbs both. Seconds are processor time of the calling thread. Allocates and frees its
 * own buffers (the process stops if there is no memory), uses one thread, prints nothing. */
#ifndef SONDE_KERN_BENCH_H
#define SONDE_KERN_BENCH_H
#include "kern.h"

typedef struct {
    char        name[64];
    double      value;              /* median */
    const char *unit;               /* "GFLOP/s" or "GB/s" */
    double      share_of_reference; /* median value / median of the reference; 1 for a reference */
    double      best;
    int         pairs;
} kern_bench_row;

typedef struct {
    size_t    rows, n, k;
    kern_type type;
    bool      columns;
} kern_bench_shape;

typedef struct {                    /* a stored type, as in kern_rows */
    const char *name;
    void      (*to_f32)(float *out, const void *in, size_t n);
    size_t      items, bytes;
} kern_bench_stored;

/* `as` is for KERN_ROWS, else NULL. Few rows (below 8): GB/s of stored weights, against a loop that only reads the same buffer; else
 * GFLOP/s against fma in registers. `t` must be supported. At least 5 pairs, whatever `seconds`. */
kern_bench_row kern_bench_product(const kern_table *t, kern_bench_shape shape, const kern_bench_stored *as,
                                  double seconds);

/* The references and a list of shapes, `seconds` in all; gives how many rows (at most `most`). */
size_t kern_bench(const kern_table *t, double seconds, kern_bench_row *rows, size_t most);
#endif
