#include "test.h"
#include "base/file.h"
#include "format/pack.h"
#include "format/weights.h"
#include "pack_draws.h"
#include "pack_twin.h"
#include "truth_rows.h"
#include <stdlib.h>

/*  TYPE(id, item i of a block) */
#define BLOCK_TYPES(TYPE) \
    TYPE(Q4_0, twin_q4_0) TYPE(Q4_1, twin_q4_1) TYPE(Q5_0, twin_q5_0) TYPE(Q5_1, twin_q5_1) TYPE(Q8_0, twin_q8_0) \
    TYPE(Q2_K, twin_q2_k) TYPE(Q3_K, twin_q3_k) TYPE(Q4_K, twin_q4_k) TYPE(Q5_K, twin_q5_k) TYPE(Q6_K, twin_q6_k)

typedef struct { dtype_id id; double (*item)(const uint8_t *p, int i); } block_type;
static const block_type types[] = {
#define TYPE(name, fn) { DTYPE_##name, fn },
    BLOCK_TYPES(TYPE)
#undef TYPE
};
enum { TYPES = sizeof types / sizeof *types };

/* The root mean square of what packing x[n] into a type leaves. */
static double rms_left(const block_type *t, const float *x, size_t n) {
    const dtype *d = &dtype_table[t->id];
    uint8_t     *packed = calloc(n / (size_t)d->items, (size_t)d->bytes);
    pack_find(t->id)(packed, x, n);
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *block = packed + i / (size_t)d->items * (size_t)d->bytes;
        const double   off = t->item(block, (int)(i % (size_t)d->items)) - (double)x[i];
        sum += off * off;
    }
    free(packed);
    return sqrt(sum / (double)n);
}

static double rms(const float *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i] * x[i];
    return sqrt(sum / (double)n);
}

/* Lines "matrix type error" of what llama.cpp leaves; ours may be larger by the rounding of decoded values alone. */
static void check_against_llamacpp(const char *matrix, const float *x, size_t n) {
    truth_rows   t = truth_read("quantize/rmse.tsv");
    const double rounding = 1e-7 * rms(x, n);
    int          seen = 0;
    for (size_t i = 0; i < t.n; i++)
        for (int k = 0; k < TYPES && strcmp(t.row[i].cell[0], matrix) == 0; k++) {
            if (strcmp(t.row[i].cell[1], dtype_table[types[k].id].name) != 0) continue;
            const double theirs = strtod(t.row[i].cell[2], NULL), ours = rms_left(&types[k], x, n);
            if (!(ours <= theirs * (1 + 1e-6) + rounding))
                FAIL_("%s %s: error %.6e, expected at most %.6e", matrix, t.row[i].cell[1], ours, theirs);
            seen++;
        }
    truth_free(&t);
    CHECK_EQ(seen, TYPES);
}

static void no_more_error_than_llamacpp_on_drawn_matrices(void) {
    static float x[24576];
    for (int kind = 0; kind < DRAW_COUNT; kind++) {
        char name[64];
        draw_matrix(kind, x, 24576);
        snprintf(name, sizeof name, "%s-2048", draw_names[kind]);
        check_against_llamacpp(name, x, 2048);
        snprintf(name, sizeof name, "%s-24576", draw_names[kind]);
        check_against_llamacpp(name, x, 24576);
    }
}

static void no_more_error_than_llamacpp_on_the_demo_model(void) {
    weights    *w = NULL;
    sonde_error err;
    int         matrices = 0;
    CHECK(weights_open(SONDE_SOURCE_DIR "/models/demo", &w, &err) == SONDE_OK);
    for (size_t i = 0; i < weights_count(w); i++) {
        const stored_tensor *t = weights_at(w, i);
        if (t->rank != 2) continue;
        const size_t n = (size_t)(t->dim[0] * t->dim[1]) / 256 * 256;
        float       *x = calloc(n, sizeof *x);
        memcpy(x, t->data, n * sizeof *x);
        check_against_llamacpp(t->name, x, n);
        free(x);
        matrices++;
    }
    weights_close(w);
    CHECK_EQ(matrices, 18);
}

static void no_more_error_than_llamacpp_on_stories260k(void) {
    file_map    map;
    sonde_error err;
    if (file_map_open(&map, SONDE_SOURCE_DIR "/../shared/data/stories260k/stories260K.bin", &err)) {
        puts("skipped: stories260K is not in ../shared/data");
        return;
    }
    const size_t n = (map.size - 28) / 4 / 256 * 256;
    float       *x = calloc(n, sizeof *x);
    memcpy(x, map.data + 28, n * sizeof *x);
    file_map_close(&map);
    check_against_llamacpp("stories260K", x, n);
    free(x);
}

/* Uniform numbers over a range of one, in steps of 1 / steps, are off by steps^-1 / sqrt(12) at most. */
static void every_number_is_near(void) {
    static const struct { dtype_id id; double steps; } most[] = {
        { DTYPE_Q4_0, 15 }, { DTYPE_Q4_1, 15 }, { DTYPE_Q5_0, 31 }, { DTYPE_Q5_1, 31 },
        { DTYPE_Q8_0, 254 }, { DTYPE_Q2_K, 3 }, { DTYPE_Q3_K, 7 },
        { DTYPE_Q4_K, 15 }, { DTYPE_Q5_K, 31 }, { DTYPE_Q6_K, 63 },
    };
    static float x[24576];
    draw_matrix(DRAW_uniform, x, 24576);            /* between -0.5 and 0.5 */
    for (int k = 0; k < TYPES; k++) CHECK(rms_left(&types[k], x, 24576) < 1.08 / most[k].steps / sqrt(12));
}

/* Zeros, and a matrix of three values that types without offsets hold exactly but for the scale's own rounding. */
static void what_fits_is_exact(void) {
    static const dtype_id even[] = { DTYPE_Q4_0, DTYPE_Q5_0, DTYPE_Q8_0, DTYPE_Q3_K, DTYPE_Q6_K };
    float x[256] = { 0 };
    for (int k = 0; k < TYPES; k++) CHECK(rms_left(&types[k], x, 256) == 0);
    for (int i = 0; i < 256; i++) x[i] = (float)(i * 7 % 3 - 1) * 0.3f;
    for (int k = 0; k < TYPES; k++)
        for (size_t e = 0; e < sizeof even / sizeof *even; e++)
            if (types[k].id == even[e]) CHECK(rms_left(&types[k], x, 256) < 0.3 * 0x1p-11);
}

static void types_without_a_packer_have_none(void) {
    CHECK(pack_find(DTYPE_I8) == NULL);
    CHECK(pack_find(DTYPE_IQ4_XS) == NULL);
    CHECK(pack_find(DTYPE_F64) == NULL);
}

static void bad_numbers_are_found(void) {
    float x[9] = { 0, -1, 3e38f, 1e-45f };
    CHECK(pack_bad(x, 9) == 9);
    x[7] = -INFINITY;
    CHECK(pack_bad(x, 9) == 7);
    x[4] = NAN;
    CHECK(pack_bad(x, 9) == 4);
    CHECK(pack_bad(x, 0) == 0);
}

/* Nothing undefined happens (the sanitized build looks on); numbers too large for a scale become finite ones. */
static void any_bits_may_come(void) {
    static float x[2048];
    static const float odd[] = { NAN, INFINITY, -INFINITY, 3.4e38f, -3.4e38f, 1e-45f, -1e-45f, 0, 1, -1, 1e30f, 1e-30f };
    draw_state   g = { 5 };
    uint8_t      packed[8192];
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 2048; i++) x[i] = odd[(int)(draw_unit(&g) * (round % 2 ? 12 : 5 + round % 7))];
        for (int k = 0; k < TYPES; k++) pack_find(types[k].id)(packed, x, 2048);
        for (int i = 0; i < 2048; i++) x[i] = odd[3 + (int)(draw_unit(&g) * 9)];
        for (int k = 0; k < TYPES; k++) CHECK(isfinite(rms_left(&types[k], x, 2048)));
    }
}

#define LIST(T)                                       \
    T(no_more_error_than_llamacpp_on_drawn_matrices)  \
    T(no_more_error_than_llamacpp_on_the_demo_model)  \
    T(no_more_error_than_llamacpp_on_stories260k)     \
    T(every_number_is_near)                           \
    T(what_fits_is_exact)                             \
    T(types_without_a_packer_have_none)               \
    T(bad_numbers_are_found)                          \
    T(any_bits_may_come)
TEST_MAIN(LIST)
