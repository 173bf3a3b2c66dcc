/* kern_bench.h - jobs run in turn, and how much of each a second does.
 *
 * Jobs that are compared run alternately, so that a disturbed machine disturbs all of them; what
 * counts is the median of the ratios of a round. Nothing here allocates or prints. */
#ifndef SONDE_KERN_BENCH_H
#define SONDE_KERN_BENCH_H
#include "kern.h"

enum { KERN_BENCH_JOBS = 4, KERN_BENCH_ROUNDS = 500, KERN_BENCH_LEAST = 5 };

typedef struct kern_bench_job {
    double            (*run)(const struct kern_bench_job *);    /* gives the work done: operations, bytes */
    const kern_table   *t;          /* supported */
    const kern_product *p;          /* kern_bench_product */
    const void         *data;       /* kern_bench_read */
    size_t              bytes;
    const void         *of;         /* a caller's own jobs */
    int                 threads;
} kern_bench_job;

double kern_bench_fma(const kern_bench_job *job);       /* fma in registers, for about half a millisecond */
double kern_bench_read(const kern_bench_job *job);      /* `bytes` of data, in order */
double kern_bench_product(const kern_bench_job *job);   /* operations: 2 rows n k */

typedef struct {
    double seconds;                 /* about; KERN_BENCH_LEAST rounds may take up to four times as long */
    bool   wall;                    /* the time of day: jobs with threads; else the calling thread's processor time */
    bool (*stop)(void *user);       /* asked after each job; NULL: never */
    void  *user;
} kern_bench_limit;

typedef struct {
    int    rounds;                  /* whole ones; 0 where `stop` said so before */
    double rate[KERN_BENCH_JOBS][KERN_BENCH_ROUNDS];    /* work a second */
} kern_bench_rates;

/* Each round runs every job for a millisecond or once, whichever is longer. */
void   kern_bench_alternate(const kern_bench_job *jobs, size_t count, const kern_bench_limit *limit, kern_bench_rates *to);
double kern_bench_median(const double *v, int n);       /* n > 0, at most KERN_BENCH_ROUNDS */
#endif
