#include "test.h"
#include "format/pack.h"
#include "pack_draws.h"

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
        { DTYPE_Q3_K, 0xeb1cedeb },
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

#define LIST(T)                             \
    T(halves_round_as_in_torch)             \
    T(halves_come_back)                     \
    T(bytes_depend_on_the_numbers_alone)    \
    T(bytes_are_the_same_on_every_machine)
TEST_MAIN(LIST)
