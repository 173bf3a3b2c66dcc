/* bench.h - how fast the inner loops are on this machine, beside what it could do at best. */
#ifndef SONDE_BENCH_H
#define SONDE_BENCH_H
#include "sonde/error.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    const char *name;           /* what was timed: "512 rows, 768x3072 F32" (outputs x inputs) */
    double      value;          /* median */
    const char *unit;           /* "GFLOP/s", "GB/s"; "x" for the gain of a second core */
    const char *beside;         /* what it is compared with, "FMA peak", "read loop"; NULL: nothing, and no shares */
    double      share, best;    /* of that: the median and the best of alternating rounds */
    double      bar, open;      /* the share that is expected, and the one aimed at; 0: none */
    int64_t     rounds;
    int64_t     done, all;      /* rows so far with this one, rows of the whole run */
} sonde_bench_row;
typedef sonde_status (*sonde_bench_fn)(const sonde_bench_row *row, void *user, sonde_error *err);

typedef struct {
    double         seconds;     /* about; each row takes an equal part, but five rounds where that is no more than four */
    const char    *only;        /* rows whose name has this text in it; NULL: all */
    bool         (*stop)(void *user);   /* asked every fraction of a second; NULL: never */
    sonde_bench_fn row;
    void          *user;        /* of both */
} sonde_bench_options;

/* Rows one by one; 600 MB of memory. One thread, but where a row says two cores; on a machine with one those are not there.
 * CANCELLED: `stop` said so; NOT_FOUND: `only` leaves nothing. */
SONDE_API sonde_status sonde_bench_kernels(sonde_bench_options how, sonde_error *err);
#endif
