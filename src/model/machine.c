/* The two loops that products are measured against, on every thread of a session. */
#include "base/pool.h"
#include "kernel/kern.h"
#include "machine_loops.h"
#include "sonde/machine.h"
#include "sonde/session.h"
#include <stdint.h>
#include <time.h>

/* Every thread's share is cut, so that one that loses its core holds up the others by a part only. */
enum { GOES = 16, MOST = 64, FMA_STEPS = 1 << 17, WHOLE = 512, READ_AT_LEAST = 64 << 20 };

typedef struct { const uint8_t *data; size_t part; int times; double work[MOST * GOES]; float out[MOST * GOES]; } loops;

static double now(void) {
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int threads_of(int threads) {
    const int most = pool_cores() < MOST ? pool_cores() : MOST;
    (void)sonde_isa_name();                 /* chooses the kernels, once */
    return threads > 0 && threads < most ? threads : most;
}

static void fma_span(void *ctx, int64_t lo, int64_t hi) {
    loops *l = ctx;
    for (int64_t i = lo; i < hi; i++) {
        l->out[i]  = 0.999f;
        l->work[i] = kern->peak_fma(&l->out[i], FMA_STEPS);
    }
}

static void read_span(void *ctx, int64_t lo, int64_t hi) {
    loops *l = ctx;
    for (int64_t i = lo; i < hi; i++) {
        for (int k = 0; k < l->times; k++)
            l->out[i] += kern->peak_read(l->data + (size_t)i * l->part, l->part / sizeof(float));
        l->work[i] = (double)l->part * l->times;
    }
}

static double together(loops *l, pool_fn fn, int threads) {
    pool_for(pool_shared(), threads, (int64_t)threads * GOES, fn, l);
    double work = 0;
    for (int i = 0; i < threads * GOES; i++) work += l->work[i];
    return work;
}

double machine_fma_work(int threads) {
    loops l = { 0 };
    return together(&l, fma_span, threads_of(threads));
}

double machine_read_work(const void *data, size_t bytes, int threads) {
    const int n = threads_of(threads);
    loops     l = { .data = data, .part = bytes / (size_t)(n * GOES) / WHOLE * WHOLE };
    l.times = bytes < READ_AT_LEAST ? (int)(READ_AT_LEAST / (bytes + 1)) + 1 : 1;
    return together(&l, read_span, n);
}

static double rate(double work, double begin) {
    const double took = now() - begin;
    return took > 0 ? work / took : 0;
}

double sonde_machine_fma(int threads) {
    const double begin = now();
    return rate(machine_fma_work(threads), begin);
}

double sonde_machine_read(const void *data, size_t bytes, int threads) {
    const double begin = now();
    return rate(machine_read_work(data, bytes, threads), begin);
}
