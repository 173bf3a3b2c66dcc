/* Plain types, the table of all, rows over threads. */
#include "pack.h"
#include "base/pool.h"
#include "pack_parts.h"
#include "pack_types.h"

static uint16_t f16_bits(float x) {
    const uint32_t b = bits_of(x), size = b & 0x7fffffff;
    const uint32_t half = f16_round(float_of(size < 0x47800000 ? size : 0x47800000)).bits;     /* 2^16: infinity */
    return (uint16_t)((b >> 16 & 0x8000) | (size > 0x7f800000 ? 0x7e00 : half));
}

static void pack_f32(void *out, const float *x, size_t n) { memcpy(out, x, 4 * n); }

static void pack_f16(void *out, const float *x, size_t n) {
    uint8_t *p = out;
    for (size_t i = 0; i < n; i++) {
        const uint16_t h = f16_bits(x[i]);
        memcpy(p + 2 * i, &h, 2);
    }
}

static void pack_bf16(void *out, const float *x, size_t n) {
    uint8_t *p = out;
    for (size_t i = 0; i < n; i++) {
        const uint32_t b = bits_of(x[i]), up = b + 0x7fff + (b >> 16 & 1);
        const uint16_t h = (uint16_t)((b & 0x7fffffff) > 0x7f800000 ? 0x7fc0 : up >> 16);
        memcpy(p + 2 * i, &h, 2);
    }
}

static const pack_fn pack_table[DTYPE_COUNT] = {
    [DTYPE_F32] = pack_f32,   [DTYPE_F16] = pack_f16,   [DTYPE_BF16] = pack_bf16,
    [DTYPE_Q4_0] = pack_q4_0, [DTYPE_Q4_1] = pack_q4_1, [DTYPE_Q5_0] = pack_q5_0, [DTYPE_Q5_1] = pack_q5_1,
    [DTYPE_Q8_0] = pack_q8_0, [DTYPE_Q2_K] = pack_q2_k, [DTYPE_Q3_K] = pack_q3_k, [DTYPE_Q4_K] = pack_q4_k,
    [DTYPE_Q5_K] = pack_q5_k, [DTYPE_Q6_K] = pack_q6_k,
};

pack_fn pack_find(dtype_id type) { return pack_table[type]; }

size_t pack_bad(const float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        if ((bits_of(x[i]) & 0x7f800000) == 0x7f800000) return i;
    return n;
}

static void some_rows(void *ctx, int64_t from, int64_t to) {
    const pack_matrix *m = ctx;
    const dtype       *t = &dtype_table[m->type];
    const int64_t      bytes = m->cols / t->items * t->bytes;
    for (int64_t r = from; r < to; r++)
        pack_table[m->type]((uint8_t *)m->out + r * bytes, m->x + r * m->cols, (size_t)m->cols);
}

void pack_rows(const pack_matrix *m, int threads) {
    pack_matrix copy = *m;
    pool_for(pool_shared(), threads, m->rows, some_rows, &copy);
}
