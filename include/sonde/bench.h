/* bench.h - how fast the inner loops are on this machine, beside what it could do at best. */
#ifndef SONDE_BENCH_H
#define SONDE_BENCH_H
#include "sonde/error.h"

typedef struct {
    const char *name;           /* what was timed: "512 x 768 by 768 x 3072, f32 [in, out]" */
    double      value;
    const char *unit;           /* "GFLOP/s", "GB/s" */
    const char *beside;         /* what it is compared with, "FMA peak", "read loop" */
    double      share;          /* of that, medians of alternating pairs; 0: nothing to compare with */
} sonde_bench_row;
typedef sonde_status (*sonde_bench_fn)(const sonde_bench_row *row, void *user, sonde_error *err);

/* One thread, about `seconds` in all, row by row. */
SONDE_API sonde_status sonde_bench_kernels(double seconds, sonde_bench_fn fn, void *user, sonde_error *err);
#endif
