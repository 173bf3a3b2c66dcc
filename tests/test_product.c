/* The product gives the bits of its definition: for every shape, storage, cut and instruction set. */
#include "test.h"
#include "kernel/kern.h"
#include <stdint.h>
#include <stdlib.h>

enum { MOST_K = 1100, MOST_N = 100, MOST_ROWS = 40, LDX = MOST_K + 3, LDY = MOST_N + 5, GAP = 7 };

static float   x[MOST_ROWS * LDX], y[MOST_ROWS * LDY], want[MOST_ROWS * LDY], bias[MOST_N];
static float   w[MOST_N * MOST_K];                      /* [n, k], the floats that were stored */
static uint8_t stored[4 * (MOST_N + 40) * (MOST_K + 40) + 64];
static uint32_t seed;

static uint32_t below(uint32_t n) {
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(seed >> 4) * n >> 28);
}

static float as_float(uint32_t bits) { float f; memcpy(&f, &bits, sizeof f); return f; }
static uint32_t as_bits(float f) { uint32_t b; memcpy(&b, &f, sizeof b); return b; }

/* The kinds of data: ordinary, and with the values that padding, flushing or reordering would change. */
typedef enum { ORDINARY, ZEROS, SUBNORMAL, INFINITE, ANY_BITS, KINDS } kind;

static float draw(kind of) {
    const float f = (float)(int32_t)(below(1u << 24) - (1 << 23)) * 0x1p-23f;
    switch (of) {
    case ZEROS:     return below(3) ? (below(2) ? 0.0f : -0.0f) : f;
    case SUBNORMAL: return below(2) ? f * 0x1p-126f : f * 0x1p-30f;
    case INFINITE:  return below(200) ? f : below(2) ? INFINITY : -INFINITY;
    case ANY_BITS:  return as_float(below(1u << 28) << 4 | below(16));
    default:        return f;
    }
}

/* Half precision by its definition. */
static float half_value(uint16_t h) {
    const int e = h >> 10 & 31, m = h & 1023;
    const float sign = h >> 15 ? -1.0f : 1.0f;
    if (e == 31) return m ? NAN : sign * INFINITY;
    return sign * ldexpf((float)(e ? m + 1024 : m), e ? e - 25 : -24);
}

/* Element i of a stored row gets a value like `f`; the float that it stands for comes back. */
static float put(uint8_t *row, size_t i, kern_type type, float f) {
    if (type == KERN_F32) { memcpy(row + 4 * i, &f, 4); return f; }
    uint16_t h = (uint16_t)(as_bits(f) >> 16);
    if (type == KERN_BF16) { memcpy(row + 2 * i, &h, 2); return as_float((uint32_t)h << 16); }
    const int e = (int)(as_bits(f) >> 23 & 255) - 112;  /* half precision: exponent and mantissa cut */
    h = (uint16_t)((h & 0x8000) | (e > 30 ? 31 : e < 1 ? 0 : e) * 1024 | (int)(as_bits(f) >> 13 & 1023));
    if (e > 30 && !isnan(f)) h &= 0xfc00;
    memcpy(row + 2 * i, &h, 2);
    return half_value(h);
}

static kern_weight store(size_t n, size_t k, kern_type type, bool columns, kind of) {
    const size_t size = type == KERN_F32 ? 4 : 2, stride = (columns ? n : k) * size + below(40);
    uint8_t *data = stored + below(9);
    memset(stored, 0xff, sizeof stored);                /* NaN everywhere else */
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < k; i++)
            w[j * k + i] = columns ? put(data + i * stride, j, type, draw(of)) : put(data + j * stride, i, type, draw(of));
    return (kern_weight){ data, type, columns, n, k, stride };
}

/* The rule of sums, word for word. */
static float defined(const float *a, const float *b, size_t k) {
    float s[16] = { 0 };
    for (size_t i = 0; i < k; i++) s[i % 16] = fmaf(a[i], b[i], s[i % 16]);
    for (int half = 8; half; half /= 2)
        for (int i = 0; i < half; i++) s[i] += s[i + half];
    return s[0];
}

static void define(kern_product *p) {
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) want[i] = -77;
    for (size_t r = 0; r < p->rows; r++)
        for (size_t j = p->lo; j < p->hi; j++) {
            const float sum = defined(x + r * p->ldx, w + j * p->w->k, p->w->k);
            want[r * p->ldy + j] = p->bias ? sum + bias[j] : sum;
        }
}

static bool same(float a, float b) { return as_bits(a) == as_bits(b) || (isnan(a) && isnan(b)); }

/* Runs p on one instruction set; y outside the block and memory behind the scratch stay as they were. */
static void run_and_compare(const kern_table *t, kern_product p) {
    const size_t need = kern_product_scratch(p.rows, p.hi - p.lo, p.w->k);
    float *scratch = malloc((need + GAP) * sizeof *scratch);
    for (size_t i = 0; i < GAP; i++) scratch[need + i] = 5;
    for (size_t i = 0; i < sizeof y / sizeof *y; i++) y[i] = -77;
    p.scratch = need ? scratch : NULL;
    t->product(&p);
    bool kept = true;
    for (size_t i = 0; i < GAP; i++) kept = kept && scratch[need + i] == 5;
    free(scratch);
    if (!kept) FAIL_("%s writes behind its scratch", t->isa);
    for (size_t i = 0; i < sizeof y / sizeof *y; i++)
        if (!same(y[i], want[i]))
            FAIL_("%s rows %zu n %zu [%zu, %zu) k %zu type %d columns %d: y[%zu, %zu] is %a, expected %a",
                  t->isa, p.rows, p.w->n, p.lo, p.hi, p.w->k, (int)p.w->type, p.w->columns, i / LDY, i % LDY,
                  (double)y[i], (double)want[i]);
}

static void run_everywhere(kern_product p) {
    define(&p);
    for (const kern_table *const *t = kern_tables; *t; t++)
        if ((*t)->supported()) run_and_compare(*t, p);
}

/* A weight of this shape in a random place, and x and bias. */
static void check_shape(size_t rows, size_t n, size_t k, kind of) {
    const kern_weight v = store(n, k, (kern_type)below(KERN_TYPES), below(2), of);
    for (size_t i = 0; i < sizeof x / sizeof *x; i++) x[i] = as_float(0x7fc00000);
    kern_product p = { .y = y, .ldy = n + below(LDY - MOST_N), .x = x, .ldx = k + below(3), .rows = rows, .w = &v };
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < k; i++) x[r * p.ldx + i] = draw(of);
    for (size_t j = 0; j < n; j++) bias[j] = draw(of);
    p.bias = below(2) ? bias : NULL;
    p.lo = below(2) ? 0 : below((uint32_t)n);
    p.hi = below(2) ? n : p.lo + below((uint32_t)(n - p.lo) + 1);
    run_everywhere(p);
}

static void product_has_the_bits_of_its_definition_for_every_small_shape(void) {
    seed = 1;
    for (int i = 0; i < 1500; i++)
        check_shape(below(MOST_ROWS + 1), 1 + below(MOST_N), below(i % 2 ? 40 : 140), ORDINARY);
}

static void product_has_the_bits_of_its_definition_for_long_sums(void) {
    seed = 2;
    for (int i = 0; i < 40; i++) check_shape(1 + below(30), 1 + below(MOST_N), 1000 + below(100), ORDINARY);
}

static void product_keeps_zeros_subnormals_infinities_and_nan(void) {
    seed = 3;
    for (int i = 0; i < 1000; i++)
        check_shape(1 + below(20), 1 + below(50), below(100), (kind)(ZEROS + i % (KINDS - ZEROS)));
}

/* Every product rounds to -0, so every partial sum is -0 unless a zero is padded. */
static void product_keeps_a_sum_of_minus_zeros(void) {
    static float small[20 * 20];
    for (int i = 0; i < 400; i++) { small[i] = -1e-30f; w[i] = -1e-30f; }
    for (int i = 0; i < 30 * 20; i++) x[i] = 1e-30f;
    for (int i = 0; i < 4; i++) {
        const kern_weight v = { small, KERN_F32, i & 1, 20, 20, 80 };
        run_everywhere((kern_product){ .y = y, .ldy = 20, .x = x, .ldx = 20, .rows = i & 2 ? 1 : 30, .w = &v, .hi = 20 });
        CHECK(signbit(want[0]) && want[0] == 0);
    }
}

static void product_of_nothing_is_the_bias_or_plus_zero(void) {
    for (int with = 0; with < 2; with++)
        for (const kern_table *const *t = kern_tables; *t; t++) {
            if (!(*t)->supported()) continue;
            float b[3] = { 1, -0.0f, 2 }, to[30] = { 0 };
            const kern_weight v = { stored, KERN_F32, false, 3, 0, 0 };
            (*t)->product(&(kern_product){ .y = to, .ldy = 3, .x = x, .rows = 10, .w = &v,
                                           .bias = with ? b : NULL, .lo = 0, .hi = 3 });
            for (int i = 0; i < 30; i++)
                CHECK(as_bits(to[i]) == (with ? as_bits(b[i % 3] + 0.0f) : 0));
        }
}

static void product_of_no_rows_or_no_outputs_writes_nothing(void) {
    seed = 4;
    for (int i = 0; i < 20; i++) {
        const kern_weight v = store(20, 30, KERN_F32, i & 1, ORDINARY);
        run_everywhere((kern_product){ .y = y, .ldy = 20, .x = x, .ldx = 30, .rows = i & 2 ? 0 : 9, .w = &v,
                                       .lo = 5, .hi = i & 2 ? 20 : 5 });
    }
}

/* Any cut of rows and outputs over threads gives the bits of the whole. */
static void product_does_not_depend_on_how_it_is_cut(void) {
    seed = 5;
    for (int i = 0; i < 60; i++) {
        const size_t rows = MOST_ROWS, n = MOST_N, k = 1 + below(200), cut = below(MOST_ROWS + 1);
        const kern_weight v = store(n, k, (kern_type)(i % KERN_TYPES), below(2), ORDINARY);
        for (size_t r = 0; r < rows * k; r++) x[r] = draw(ORDINARY);
        kern_product p = { .y = want, .ldy = n, .x = x, .ldx = k, .rows = rows, .w = &v, .hi = n };
        float *scratch = malloc(kern_product_scratch(rows, n, k) * sizeof *scratch);
        p.scratch = scratch;
        kern->product(&p);
        const size_t middle = below(MOST_N + 1);
        const kern_product part[4] = {
            { y, n, x, k, cut, &v, NULL, 0, middle, scratch },
            { y, n, x, k, cut, &v, NULL, middle, n, scratch },
            { y + cut * n, n, x + cut * k, k, rows - cut, &v, NULL, 0, middle, scratch },
            { y + cut * n, n, x + cut * k, k, rows - cut, &v, NULL, middle, n, scratch },
        };
        for (int j = 0; j < 4; j++) kern->product(&part[j]);
        free(scratch);
        CHECK(memcmp(y, want, rows * n * sizeof *y) == 0);
    }
}

/* dx = dy W reads the weight of y = x W^T with `columns` flipped. */
static void product_of_the_flipped_weight_is_the_transposed_product(void) {
    seed = 6;
    for (int i = 0; i < 40; i++) {
        const size_t n = 1 + below(60), k = 1 + below(60), rows = 1 + below(20);
        const kern_weight v = store(n, k, (kern_type)(i % KERN_TYPES), below(2), ORDINARY);
        const kern_weight flipped = { v.data, v.type, !v.columns, k, n, v.stride };
        for (size_t r = 0; r < rows * n; r++) x[r] = draw(ORDINARY);
        static float turned[MOST_N * MOST_K];
        for (size_t j = 0; j < n; j++) for (size_t l = 0; l < k; l++) turned[l * n + j] = w[j * k + l];
        memcpy(w, turned, sizeof w);
        run_everywhere((kern_product){ .y = y, .ldy = k, .x = x, .ldx = n, .rows = rows, .w = &flipped, .hi = k });
    }
}

static void scratch_of_fewer_rows_outputs_or_elements_is_no_bigger(void) {
    for (size_t k = 1; k < 5000; k = k * 3 / 2 + 1)
        for (size_t n = 1; n < 5000; n = n * 3 / 2 + 1)
            for (size_t rows = 1; rows < 20; rows++) {
                const size_t all = kern_product_scratch(rows, n, k);
                CHECK(kern_product_scratch(rows - 1, n, k) <= all);
                CHECK(kern_product_scratch(rows, n - 1, k) <= all);
                CHECK(kern_product_scratch(rows, n, k - 1) <= all);
            }
}

static void widen_gives_what_the_stored_bits_stand_for(void) {
    static uint16_t h[65536 + 1];
    static float    f[65536];
    for (uint32_t i = 0; i < 65536; i++) memcpy((uint8_t *)h + 1 + 2 * i, &(uint16_t){ (uint16_t)i }, 2);
    for (const kern_table *const *t = kern_tables; *t; t++) {
        if (!(*t)->supported()) continue;
        (*t)->widen(f, (uint8_t *)h + 1, KERN_F16, 65536);
        for (uint32_t i = 0; i < 65536; i++) CHECK(same(f[i], half_value((uint16_t)i)));
        (*t)->widen(f, (uint8_t *)h + 1, KERN_BF16, 65536);
        for (uint32_t i = 0; i < 65536; i++) CHECK(same(f[i], as_float(i << 16)));
        for (size_t n = 0; n < 40; n++) {
            for (int i = 0; i < 41; i++) f[i] = -5;
            (*t)->widen(f, x, KERN_F32, n);
            CHECK(memcmp(f, x, n * sizeof *f) == 0 && f[n] == -5);
        }
    }
}

#define TESTS(X) \
    X(product_has_the_bits_of_its_definition_for_every_small_shape) \
    X(product_has_the_bits_of_its_definition_for_long_sums) \
    X(product_keeps_zeros_subnormals_infinities_and_nan) \
    X(product_keeps_a_sum_of_minus_zeros) \
    X(product_of_nothing_is_the_bias_or_plus_zero) \
    X(product_of_no_rows_or_no_outputs_writes_nothing) \
    X(product_does_not_depend_on_how_it_is_cut) \
    X(product_of_the_flipped_weight_is_the_transposed_product) \
    X(scratch_of_fewer_rows_outputs_or_elements_is_no_bigger) \
    X(widen_gives_what_the_stored_bits_stand_for)
TEST_MAIN(TESTS)
