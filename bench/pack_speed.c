/* pack_speed LIBGGML_BASE [PAIRS [TYPE [WEIGHTS]]] - time and error of sonde's packers beside llama.cpp's
 * (libggml-base.so, which tools/llamacpp.sh builds), in turn and on one core, over the seeded matrices of
 * tests/pack_draws.h, or over the float32 numbers of a file: "TYPE MATRIX nanoseconds a number: ours theirs ratio  root
 * mean square error: ours theirs ratio". Times are medians, their ratio is the median over pairs. Both results are decoded
 * by llama.cpp. */
#include "format/pack.h"
#include "pack_draws.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROWS = 128, COLS = 1024, NUMBERS = ROWS * COLS, MOST_PAIRS = 99 };

typedef void (*decode_fn)(const void *in, float *x, int64_t n);
typedef struct {
    size_t (*quantize)(int type, const float *x, void *out, int64_t from, int64_t rows, int64_t cols, const float *weights);
    void *handle;
} library;

typedef struct { const char *name; dtype_id type; const char *decode; } row;

static const row rows[] = {
    { "Q4_0", DTYPE_Q4_0, "dequantize_row_q4_0" }, { "Q4_1", DTYPE_Q4_1, "dequantize_row_q4_1" },
    { "Q5_0", DTYPE_Q5_0, "dequantize_row_q5_0" }, { "Q5_1", DTYPE_Q5_1, "dequantize_row_q5_1" },
    { "Q8_0", DTYPE_Q8_0, "dequantize_row_q8_0" }, { "Q2_K", DTYPE_Q2_K, "dequantize_row_q2_K" },
    { "Q3_K", DTYPE_Q3_K, "dequantize_row_q3_K" }, { "Q4_K", DTYPE_Q4_K, "dequantize_row_q4_K" },
    { "Q5_K", DTYPE_Q5_K, "dequantize_row_q5_K" }, { "Q6_K", DTYPE_Q6_K, "dequantize_row_q6_K" },
    { "F16", DTYPE_F16, "ggml_fp16_to_fp32_row" }, { "BF16", DTYPE_BF16, "ggml_bf16_to_fp32_row" },
};

static double now(void) {
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int n) {
    qsort(v, (size_t)n, sizeof *v, by_size);
    return v[n / 2];
}

static double rms(const float *x, const float *y) {
    double sum = 0;
    for (size_t i = 0; i < NUMBERS; i++) sum += ((double)x[i] - y[i]) * ((double)x[i] - y[i]);
    return sqrt(sum / NUMBERS);
}

static void measure(const library *lib, const row *r, const char *matrix, const float *x, int pairs) {
    static uint8_t ours[4 * NUMBERS], theirs[4 * NUMBERS];
    static float   back[NUMBERS];
    static double  time[3][MOST_PAIRS];
    const pack_matrix m = { .type = r->type, .rows = ROWS, .cols = COLS, .x = x, .out = ours };
    for (int k = 0; k < pairs; k++) {
        const double start = now();
        pack_rows(&m, 1);
        const double half = now();
        lib->quantize(dtype_table[r->type].gguf, x, theirs, 0, ROWS, COLS, NULL);
        time[0][k] = (half - start) / NUMBERS * 1e9;
        time[1][k] = (now() - half) / NUMBERS * 1e9;
        time[2][k] = time[0][k] / time[1][k];
    }
    decode_fn decode;
    void     *symbol = dlsym(lib->handle, r->decode);
    memcpy(&decode, &symbol, sizeof decode);
    decode(ours, back, NUMBERS);
    const double ours_off = rms(x, back);
    decode(theirs, back, NUMBERS);
    const double theirs_off = rms(x, back);
    printf("%-5s %-9s %7.2f %7.2f %5.2f  %.6e %.6e %.4f\n", r->name, matrix, median(time[0], pairs), median(time[1], pairs),
           median(time[2], pairs), ours_off, theirs_off, theirs_off > 0 ? ours_off / theirs_off : 1.0);
}

/* Whole files are matrices of 128 x 1024 numbers; what is left over is not measured. */
static int measure_file(const library *lib, const row *r, const char *path, int pairs) {
    static float x[NUMBERS];
    FILE *f = fopen(path, "rb");
    if (!f) return 1;
    while (fread(x, sizeof *x, NUMBERS, f) == NUMBERS) measure(lib, r, "file", x, pairs);
    return fclose(f);
}

int main(int argc, char **argv) {
    static float x[NUMBERS];
    library      lib = { .handle = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL };
    void        *symbol = lib.handle ? dlsym(lib.handle, "ggml_quantize_chunk") : NULL;
    if (!symbol) {
        fprintf(stderr, "pack_speed LIBGGML_BASE [PAIRS [TYPE [WEIGHTS]]]: no such library (tools/llamacpp.sh)\n");
        return 2;
    }
    memcpy(&lib.quantize, &symbol, sizeof lib.quantize);
    const long wanted = argc > 2 ? strtol(argv[2], NULL, 10) : 9;
    const int  pairs = wanted < 1 ? 1 : wanted > MOST_PAIRS ? MOST_PAIRS : (int)wanted;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        if (argc > 3 && strcmp(argv[3], "all") != 0 && strcmp(argv[3], rows[r].name) != 0) continue;
        if (argc > 4 && measure_file(&lib, &rows[r], argv[4], pairs)) return 7;
        for (int kind = 0; argc <= 4 && kind < DRAW_COUNT; kind++) {
            draw_matrix(kind, x, NUMBERS);
            measure(&lib, &rows[r], draw_names[kind], x, pairs);
        }
    }
    return 0;
}
