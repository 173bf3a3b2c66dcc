/* Each job and its reference run in turn, each long enough for the clock (about a millisecond). The
 * clock is this thread's processor time: on a busy machine a long call loses the processor and a
 * short one does not, which the time of day would count against the long one. */
#define _POSIX_C_SOURCE 200809L
#include "kern_bench.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_PAIRS = 2000, FMA_STEPS = 20000 };
enum { FEW_ROWS = 8 };

typedef struct job {
    double (*run)(struct job *);    /* gives the work done, in operations or bytes */
    const kern_table *t;
    kern_product      p;
    const void       *data;
    size_t            bytes;
    float             out;
} job;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double run_fma(job *j) {
    j->out = 0.999f;
    return j->t->peak_fma(&j->out, FMA_STEPS);
}

static double run_read(job *j) {
    j->out += j->t->peak_read(j->data, j->bytes / sizeof(float));
    return (double)j->bytes;
}

static double run_flops(job *j) {
    j->t->product(&j->p);
    return 2.0 * (double)j->p.rows * (double)j->p.w->n * (double)j->p.w->k;
}

static double run_bytes(job *j) {
    j->t->product(&j->p);
    return (double)j->bytes;
}

/* Work per second of one go, repeated `times` times. */
static double rate(job *j, int times) {
    double work = 0;
    const double begin = now();
    for (int i = 0; i < times; i++) work += j->run(j);
    const double took = now() - begin;
    return took > 0 ? work / took : 0;
}

static int times_for(job *j) {
    j->run(j);
    const double begin = now();
    j->run(j);
    const double took = now() - begin;
    return took >= 1e-3 ? 1 : took > 1e-6 ? (int)(1e-3 / took) + 1 : 1000;
}

static int by_value(const void *a, const void *b) {
    const double d = *(const double *)a - *(const double *)b;
    return (d > 0) - (d < 0);
}

/* The row of jobs[0], with jobs[1] as its reference. */
static kern_bench_row compare(job jobs[2], double seconds) {
    static _Thread_local double seen[2][MOST_PAIRS];
    const int    times[2] = { times_for(&jobs[0]), times_for(&jobs[1]) };
    const double begin = now();
    int pairs = 0;
    while (pairs < MOST_PAIRS && (pairs < 5 || now() - begin < seconds)) {
        for (int i = 0; i < 2; i++) seen[i][pairs] = rate(&jobs[i], times[i]);
        pairs++;
    }
    for (int i = 0; i < 2; i++) qsort(seen[i], (size_t)pairs, sizeof seen[i][0], by_value);
    const double median = seen[0][pairs / 2], reference = seen[1][pairs / 2];
    return (kern_bench_row){ .value = median * 1e-9, .best = seen[0][pairs - 1] * 1e-9, .pairs = pairs,
                             .share_of_reference = reference > 0 ? median / reference : 0 };
}

static void *memory(size_t bytes) {
    void *const p = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!p) abort();
    return p;
}

static float *numbers(size_t n) {
    float *const f = memory(n * sizeof *f);
    for (size_t i = 0; i < n; i++) f[i] = (float)(i * 2654435761u % 2048) / 1024 - 1;
    return f;
}

/* Bits that are ordinary numbers in every type: 2^-1 .. 2. */
static uint8_t *weights(size_t bytes) {
    uint8_t *const w = memory(bytes);
    for (size_t i = 0; i < bytes; i++) w[i] = i & 1 ? 0x3c : (uint8_t)(i * 2654435761u >> 16);
    return w;
}

kern_bench_row kern_bench_product(const kern_table *t, kern_bench_shape s, const kern_bench_stored *as, double seconds) {
    static const kern_bench_stored plain[KERN_TYPES] = {
        [KERN_F32] = { "F32", NULL, 1, 4 }, [KERN_F16] = { "F16", NULL, 1, 2 }, [KERN_BF16] = { "BF16", NULL, 1, 2 },
    };
    if (!as) as = &plain[s.type];
    const size_t stride = (s.columns ? s.n : s.k) / as->items * as->bytes, bytes = (s.columns ? s.k : s.n) * stride;
    const bool   is_few = s.rows < FEW_ROWS;
    uint8_t *const data = weights(bytes);
    const kern_piece piece = { data, stride, s.columns ? s.k : s.n };
    const kern_rows  rows = { .piece = &piece, .pieces = 1, .type = KERN_ROWS, .to_f32 = as->to_f32, .items = as->items,
                              .bytes = as->bytes };
    const kern_weight w = { .data = data, .type = s.type, .columns = s.columns, .n = s.n, .k = s.k, .stride = stride,
                            .rows = &rows };
    const size_t need = kern_product_scratch(&w, s.rows, s.n);
    float *const x = numbers(s.rows * s.k), *const y = numbers(s.rows * s.n);
    float *const scratch = need ? numbers(need) : NULL;
    const kern_product p = { y, s.n, x, s.k, s.rows, &w, NULL, 0, s.n, scratch };
    job jobs[2] = {
        { .run = is_few ? run_bytes : run_flops, .t = t, .p = p, .bytes = bytes },
        { .run = is_few ? run_read : run_fma, .t = t, .data = data, .bytes = bytes },
    };
    kern_bench_row row = compare(jobs, seconds);
    row.unit = is_few ? "GB/s" : "GFLOP/s";
    snprintf(row.name, sizeof row.name, "product %zu x %zu x %zu %s %s", s.rows, s.n, s.k, as->name,
             s.columns ? "[in, out]" : "[out, in]");
    free(data);
    free(x);
    free(y);
    free(scratch);
    return row;
}

static kern_bench_row reference(const kern_table *t, bool is_read, double seconds) {
    const size_t bytes = is_read ? (size_t)32 << 20 : 64;
    uint8_t *const data = weights(bytes);
    const job one = { .run = is_read ? run_read : run_fma, .t = t, .data = data, .bytes = bytes };
    job pair[2] = { one, one };
    kern_bench_row row = compare(pair, seconds);
    row.unit = is_read ? "GB/s" : "GFLOP/s";
    row.share_of_reference = 1;
    snprintf(row.name, sizeof row.name, is_read ? "read 32 MiB" : "fma in registers");
    free(data);
    return row;
}

size_t kern_bench(const kern_table *t, double seconds, kern_bench_row *rows, size_t most) {
    static const kern_bench_shape shapes[] = {
        { 512, 768, 768, KERN_F32, false }, { 512, 768, 768, KERN_F32, true },
        { 512, 3072, 768, KERN_F32, false }, { 512, 3072, 768, KERN_F32, true },
        { 512, 768, 3072, KERN_F32, false }, { 512, 768, 3072, KERN_F32, true },
        { 512, 3072, 768, KERN_F16, false }, { 512, 3072, 768, KERN_BF16, false },
        { 64, 512, 64, KERN_F32, false }, { 16, 128, 128, KERN_F32, false },
        { 1, 4096, 768, KERN_F32, false }, { 1, 4096, 768, KERN_F32, true },
        { 1, 16384, 2048, KERN_F32, false }, { 1, 2048, 16384, KERN_F32, true },
        { 1, 16384, 2048, KERN_F16, false }, { 1, 16384, 2048, KERN_BF16, false },
    };
    const size_t count = sizeof shapes / sizeof *shapes;
    const double each = seconds / (double)(count + 2);
    size_t n = 0;
    for (int is_read = 0; is_read < 2 && n < most; is_read++) rows[n++] = reference(t, is_read, each);
    for (size_t i = 0; i < count && n < most; i++) rows[n++] = kern_bench_product(t, shapes[i], NULL, each);
    return n;
}
