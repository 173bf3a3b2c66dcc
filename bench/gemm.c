/* gemm - products on request, for bench/sgemm.py: reads lines "ROWS OUTPUTS INPUTS TIMES" and answers each with the seconds of
 * processor time that one product took, by a float32 weight [out, in], one thread. */
#define _POSIX_C_SOURCE 200809L
#include "kernel/kern.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float *numbers(size_t n) {
    float *f = aligned_alloc(64, (n * sizeof *f + 64) / 64 * 64);
    if (!f) abort();
    for (size_t i = 0; i < n; i++) f[i] = (float)(i * 2654435761u % 2048) / 1024 - 1;
    return f;
}

typedef struct { size_t rows, n, k; float *x, *w, *y, *scratch; } sizes;

static void prepare(sizes *s, size_t rows, size_t n, size_t k) {
    if (s->rows == rows && s->n == n && s->k == k) return;
    free(s->x);
    free(s->w);
    free(s->y);
    free(s->scratch);
    const kern_weight w = { .type = KERN_F32, .n = n, .k = k };
    *s = (sizes){ rows, n, k, numbers(rows * k), numbers(n * k), numbers(rows * n),
                  numbers(kern_product_scratch(&w, rows, n) + 1) };
}

int main(void) {
    if (!kern_init(getenv("SONDE_ISA"))) return 2;
    sizes s = { 0 };
    size_t rows, n, k;
    int times;
    printf("%s\n", kern->isa);
    fflush(stdout);
    while (scanf("%zu %zu %zu %d", &rows, &n, &k, &times) == 4 && times > 0) {
        prepare(&s, rows, n, k);
        const kern_weight  w = { .data = s.w, .type = KERN_F32, .n = n, .k = k, .stride = k * sizeof *s.w };
        const kern_product p = { s.y, n, s.x, k, rows, &w, NULL, 0, n, s.scratch };
        const double begin = now();
        for (int i = 0; i < times; i++) kern->product(&p);
        printf("%.9f\n", (now() - begin) / times);
        fflush(stdout);
    }
    return 0;
}
