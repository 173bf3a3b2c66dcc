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

/* The bits are captured from torch 2.13 (.half(), .bfloat16()): ties, subnormals, the largest, infinities. */
static void halves_round_as_in_torch(void) {
    static const struct { uint32_t in; uint16_t f16, bf16; } want[] = {
        { 0x3f800000, 0x3c00, 0x3f80 }, { 0x33000000, 0x0000, 0x3300 }, { 0x33000001, 0x0001, 0x3300 },
        { 0x33800000, 0x0001, 0x3380 }, { 0x33bfffff, 0x0001, 0x33c0 }, { 0x33c00000, 0x0002, 0x33c0 },
        { 0x387fe000, 0x0400, 0x3880 }, { 0x387fefff, 0x0400, 0x3880 }, { 0x38800000, 0x0400, 0x3880 },
        { 0x477fe000, 0x7bff, 0x4780 }, { 0x477fefff, 0x7bff, 0x4780 }, { 0x477ff000, 0x7c00, 0x4780 },
        { 0x47800000, 0x7c00, 0x4780 }, { 0x7f7fffff, 0x7c00, 0x7f80 }, { 0x7f800000, 0x7c00, 0x7f80 },
        { 0xff800000, 0xfc00, 0xff80 }, { 0x3f801000, 0x3c00, 0x3f80 }, { 0x3f803000, 0x3c02, 0x3f80 },
        { 0x3f802fff, 0x3c01, 0x3f80 }, { 0x3f803001, 0x3c02, 0x3f80 }, { 0x80000000, 0x8000, 0x8000 },
        { 0x80000001, 0x8000, 0x8000 }, { 0xb3000001, 0x8001, 0xb300 }, { 0xc77ff000, 0xfc00, 0xc780 },
        { 0x3f808000, 0x3c04, 0x3f80 }, { 0x3f818000, 0x3c0c, 0x3f82 }, { 0x3f817fff, 0x3c0c, 0x3f81 },
        { 0x7f7f7fff, 0x7c00, 0x7f7f }, { 0x7f7f8000, 0x7c00, 0x7f80 }, { 0x00000001, 0x0000, 0x0000 },
        { 0x00008000, 0x0000, 0x0000 }, { 0x00008001, 0x0000, 0x0001 }, { 0x00018000, 0x0000, 0x0002 },
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        float    x;
        uint16_t got;
        memcpy(&x, &want[i].in, sizeof x);
        pack_find(DTYPE_F16)(&got, &x, 1);
        CHECK_EQ(got, want[i].f16);
        pack_find(DTYPE_BF16)(&got, &x, 1);
        CHECK_EQ(got, want[i].bf16);
    }
}

/* Every finite float16 and bfloat16 comes back; NaN stays one; F32 is the bytes themselves. */
static void halves_come_back(void) {
    for (uint32_t h = 0; h < 65536; h++) {
        static const dtype_id both[] = { DTYPE_F16, DTYPE_BF16 };
        for (int k = 0; k < 2; k++) {
            const uint16_t in = (uint16_t)h;
            uint16_t       out;
            float          x, again;
            dtype_table[both[k]].to_f32(&x, &in, 1);
            pack_find(both[k])(&out, &x, 1);
            dtype_table[both[k]].to_f32(&again, &out, 1);
            if (isnan(x)) CHECK(isnan(again));
            else CHECK_EQ(out, in);
        }
    }
    const float x[] = { 1.5f, -0.0f, 3e38f };
    char        out[sizeof x];
    pack_find(DTYPE_F32)(out, x, 3);
    CHECK(memcmp(out, x, sizeof x) == 0);
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

/* Any number of threads and any address give the same bytes, rows one by one or all at once too. */
static void bytes_depend_on_the_numbers_alone(void) {
    enum { ROWS = 24, COLS = 1024, N = ROWS * COLS };
    static uint8_t want[4 * N + 8], got[4 * N + 8];
    static float   x[N], room[N + 1];
    draw_matrix(DRAW_student, x, N);
    memcpy(room + 1, x, sizeof x);
    for (int type = 0; type < DTYPE_COUNT; type++) {
        const dtype *d = &dtype_table[type];
        if (!pack_find((dtype_id)type)) continue;
        const size_t bytes = (size_t)(N / d->items * d->bytes);
        pack_find((dtype_id)type)(want, x, N);
        for (int threads = 1; threads <= 5; threads += 2) {
            memset(got, 0, sizeof got);
            pack_rows(&(pack_matrix){ .type = (dtype_id)type, .rows = ROWS, .cols = COLS, .x = x, .out = got }, threads);
            CHECK(memcmp(got, want, bytes) == 0);
        }
        memset(got, 0, sizeof got);
        pack_find((dtype_id)type)(got + 3, room + 1, N);
        CHECK(memcmp(got + 3, want, bytes) == 0);
        CHECK_EQ(got[3 + bytes], 0);
    }
}

/* FNV-1a of what is packed from numbers that every machine draws alike. */
static void bytes_are_the_same_on_every_machine(void) {
    static const struct { dtype_id type; uint32_t sum; } want[] = {
        { DTYPE_Q4_0, 0x1233d0e6 },
        { DTYPE_Q4_1, 0x7bfa34ef },
        { DTYPE_Q5_0, 0xe321d562 },
        { DTYPE_Q5_1, 0x97b6ff1a },
        { DTYPE_Q8_0, 0x8ca5aa6d },
        { DTYPE_Q2_K, 0x6a736632 },
        { DTYPE_Q3_K, 0xa30dd61f },
        { DTYPE_Q4_K, 0x3c60dcd7 },
        { DTYPE_Q5_K, 0x51d52770 },
        { DTYPE_Q6_K, 0xd8fa1c7e },
    };
    static float   x[24576];
    static uint8_t packed[4 * 24576];
    draw_matrix(DRAW_uniform, x, 24576);
    for (size_t k = 0; k < sizeof want / sizeof *want; k++) {
        const dtype *d = &dtype_table[want[k].type];
        uint32_t     sum = 2166136261u;
        pack_find(want[k].type)(packed, x, 24576);
        for (int i = 0; i < 24576 / d->items * d->bytes; i++) sum = (sum ^ packed[i]) * 16777619u;
        if (sum != want[k].sum) FAIL_("%s: sum 0x%08x, expected 0x%08x", d->name, sum, want[k].sum);
    }
}

#define LIST(T)                                         \
    T(no_more_error_than_llamacpp_on_drawn_matrices)    \
    T(no_more_error_than_llamacpp_on_the_demo_model)    \
    T(no_more_error_than_llamacpp_on_stories260k)       \
    T(every_number_is_near)                             \
    T(what_fits_is_exact)                               \
    T(halves_round_as_in_torch)                         \
    T(halves_come_back)                                 \
    T(types_without_a_packer_have_none)                 \
    T(bad_numbers_are_found)                            \
    T(any_bits_may_come)                                \
    T(bytes_depend_on_the_numbers_alone)                \
    T(bytes_are_the_same_on_every_machine)
TEST_MAIN(LIST)
