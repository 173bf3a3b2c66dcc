/* Processor time is the clock for one thread: on a busy machine a long job loses the processor and a
 * short one does not, which the time of day would count against the long one. */
#define _POSIX_C_SOURCE 200809L
#include "kern_bench.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FMA_STEPS = 20000 };
static const double shortest = 1e-3;

double kern_bench_fma(const kern_bench_job *job) {
    float out = 0.999f;
    return job->t->peak_fma(&out, FMA_STEPS);
}

double kern_bench_read(const kern_bench_job *job) {
    (void)job->t->peak_read(job->data, job->bytes / sizeof(float));
    return (double)job->bytes;
}

double kern_bench_product(const kern_bench_job *job) {
    job->t->product(job->p);
    return 2.0 * (double)job->p->rows * (double)job->p->w->n * (double)job->p->w->k;
}

static double now(bool wall) {
    struct timespec t;
    clock_gettime(wall ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Work per second of one go, repeated `times` times. */
static double rate(const kern_bench_job *job, int times, bool wall) {
    double work = 0;
    const double begin = now(wall);
    for (int i = 0; i < times; i++) work += job->run(job);
    const double took = now(wall) - begin;
    return took > 0 ? work / took : 0;
}

/* The first go touches memory for the first time, so a short one is timed again. */
static int times_for(const kern_bench_job *job, bool wall) {
    double took = 0;
    for (int go = 0; go < 2 && (go == 0 || took < shortest); go++) {
        const double begin = now(wall);
        job->run(job);
        took = now(wall) - begin;
    }
    return took >= shortest ? 1 : took > 1e-6 ? (int)(shortest / took) + 1 : 1000;
}

void kern_bench_alternate(const kern_bench_job *jobs, size_t count, const kern_bench_limit *limit, kern_bench_rates *to) {
    int times[KERN_BENCH_JOBS];
    const double begin = now(limit->wall);
    to->rounds = 0;
    for (size_t i = 0; i < count; i++) {
        times[i] = times_for(&jobs[i], limit->wall);
        if (limit->stop && limit->stop(limit->user)) return;
    }
    while (to->rounds < KERN_BENCH_ROUNDS) {
        for (size_t i = 0; i < count; i++) {
            to->rate[i][to->rounds] = rate(&jobs[i], times[i], limit->wall);
            if (limit->stop && limit->stop(limit->user)) return;
        }
        to->rounds++;
        const double took = now(limit->wall) - begin;
        if (took >= limit->seconds * (to->rounds < KERN_BENCH_LEAST ? 4 : 1)) return;
    }
}

static int by_value(const void *a, const void *b) {
    const double d = *(const double *)a - *(const double *)b;
    return (d > 0) - (d < 0);
}

double kern_bench_median(const double *v, int n) {
    double sorted[KERN_BENCH_ROUNDS];
    memcpy(sorted, v, (size_t)n * sizeof *v);
    qsort(sorted, (size_t)n, sizeof *sorted, by_value);
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}
