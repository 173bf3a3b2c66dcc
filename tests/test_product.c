/* The product gives the bits of its definition: for every shape, storage, cut and instruction set. */
#include "test.h"
#include "stored_rows.h"
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

static stored_rows pieces = { .below = below, .most = 1e6f };

/* KERN_ROWS: any type. Blocks hold ordinary numbers, or any bytes. */
static kern_weight store(size_t n, size_t k, kern_type type, bool columns, kind of) {
    if (type >= KERN_Q8_0) {
        stored_rows_free(&pieces);
        dtype_id id = (dtype_id)below(DTYPE_COUNT);
        pieces.in_place = type != KERN_ROWS;
        pieces.any_bits = pieces.in_place && of == ANY_BITS;
        while (pieces.in_place && kern_type_of(id) != type) id = (id + 1) % DTYPE_COUNT;
        const kern_weight v = stored_rows_make(&pieces, id, (kern_weight){ .columns = columns, .n = n, .k = k }, w);
        pieces.in_place = pieces.any_bits = false;
        return v;
    }
    const size_t size = type == KERN_F32 ? 4 : 2, stride = (columns ? n : k) * size + below(40);
    uint8_t *data = stored + below(9);
    memset(stored, 0xff, sizeof stored);                /* NaN everywhere else */
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < k; i++)
            w[j * k + i] = columns ? put(data + i * stride, j, type, draw(of)) : put(data + j * stride, i, type, draw(of));
    return (kern_weight){ .data = data, .type = type, .columns = columns, .n = n, .k = k, .stride = stride };
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
    const size_t need = p.packed ? kern_panel_scratch(p.w, p.hi - p.lo) : kern_product_scratch(p.w, p.rows, p.hi - p.lo);
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
            FAIL_("%s rows %zu n %zu [%zu, %zu) k %zu type %d columns %d packed %d: y[%zu, %zu] is %a, expected %a",
                  t->isa, p.rows, p.w->n, p.lo, p.hi, p.w->k, (int)p.w->type, p.w->columns, p.packed != NULL, i / LDY, i % LDY,
                  (double)y[i], (double)want[i]);
}

/* The same by packed rows of x, where the product packs any; the second half of them is packed first. */
static void run_packed(const kern_table *t, kern_product p) {
    const size_t tiles = t->x_tiles(&p), floats = kern_packed_floats(p.rows, p.w->k);
    if (!tiles) return;
    float *packed = aligned_alloc(64, ((floats + GAP) * sizeof *packed + 64) / 64 * 64);
    for (size_t i = 0; i < GAP; i++) packed[floats + i] = 5;
    t->pack_x(&p, packed, tiles / 2, tiles);
    t->pack_x(&p, packed, 0, tiles / 2);
    p.packed = packed;
    run_and_compare(t, p);
    for (size_t i = 0; i < GAP; i++) CHECK(packed[floats + i] == 5);
    free(packed);
}

static void run_everywhere(kern_product p) {
    define(&p);
    for (const kern_table *const *t = kern_tables; *t; t++)
        if ((*t)->supported()) {
            run_and_compare(*t, p);
            run_packed(*t, p);
        }
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
        const kern_weight v = { .data = small, .type = KERN_F32, .columns = i & 1, .n = 20, .k = 20, .stride = 80 };
        run_everywhere((kern_product){ .y = y, .ldy = 20, .x = x, .ldx = 20, .rows = i & 2 ? 1 : 30, .w = &v, .hi = 20 });
        CHECK(signbit(want[0]) && want[0] == 0);
    }
}

static void product_of_nothing_is_the_bias_or_plus_zero(void) {
    for (int with = 0; with < 2; with++)
        for (const kern_table *const *t = kern_tables; *t; t++) {
            if (!(*t)->supported()) continue;
            float b[3] = { 1, -0.0f, 2 }, to[30] = { 0 };
            const kern_weight v = { .data = stored, .type = KERN_F32, .n = 3 };
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
        float *scratch = malloc(kern_product_scratch(&v, rows, n) * sizeof *scratch);
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
        kern_weight flipped = v;
        flipped.columns = !v.columns;
        flipped.n = k;
        flipped.k = n;
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
                const kern_rows blocks = { .items = 256 };
                for (int way = 0; way < 4; way++) {
                    const kern_weight v = { .type = way & 1 ? KERN_ROWS : KERN_F32, .columns = way & 2, .n = n, .k = k,
                                            .rows = &blocks };
                    kern_weight less = v;
                    less.k--;
                    const size_t all = kern_product_scratch(&v, rows, n);
                    CHECK(kern_product_scratch(&v, rows - 1, n) <= all);
                    CHECK(kern_product_scratch(&v, rows, n - 1) <= all);
                    CHECK(kern_product_scratch(&less, rows, n) <= all);
                }
            }
}

/* n elements of a row that begins with the second one of `row`. */
static void widen_one(const kern_table *t, const void *row, kern_type type, size_t first, size_t n) {
    static float f[65536 + 1];
    const kern_weight v = { .data = row, .type = type, .n = 2, .k = first + n, .stride = type == KERN_F32 ? 4 : 2 };
    f[n] = -5;
    t->widen(f, &v, 1, first, n);
    CHECK(f[n] == -5);
    for (size_t i = 0; i < n; i++) {
        const size_t at = 1 + first + i;
        uint16_t h;
        if (type != KERN_F32) memcpy(&h, (const uint8_t *)row + 2 * at, 2);
        CHECK(same(f[i], type == KERN_F32 ? x[at] : type == KERN_F16 ? half_value(h) : as_float((uint32_t)h << 16)));
    }
}

static void widen_gives_what_the_stored_bits_stand_for(void) {
    static uint16_t h[65536 + 1];
    for (uint32_t i = 0; i < 65536; i++) memcpy((uint8_t *)h + 1 + 2 * i, &(uint16_t){ (uint16_t)i }, 2);
    for (const kern_table *const *t = kern_tables; *t; t++) {
        if (!(*t)->supported()) continue;
        for (size_t first = 0; first < 40; first++) {
            widen_one(*t, (uint8_t *)h + 1, KERN_F16, first, 65535 - first);
            widen_one(*t, (uint8_t *)h + 1, KERN_BF16, first, 65535 - first);
            for (size_t n = 0; n < 40; n++) widen_one(*t, x, KERN_F32, first, n);
        }
    }
}

static void widen_reads_any_items_of_any_pieces(void) {
    static float got[MOST_K + 1];
    seed = 7;
    for (int i = 0; i < 20 * DTYPE_COUNT; i++) {
        const size_t n = 1 + below(9), k = 1 + below(600), row = below((uint32_t)n), first = below((uint32_t)k + 1);
        const size_t count = below((uint32_t)(k - first) + 1);
        stored_rows_free(&pieces);
        const kern_weight v = stored_rows_make(&pieces, (dtype_id)(i % DTYPE_COUNT), (kern_weight){ .n = n, .k = k }, w);
        for (const kern_table *const *t = kern_tables; *t; t++) {
            if (!(*t)->supported()) continue;
            got[count] = -5;
            (*t)->widen(got, &v, row, first, count);
            CHECK(got[count] == -5);
            for (size_t j = 0; j < count; j++) CHECK(same(got[j], w[row * k + first + j]));
        }
    }
    stored_rows_free(&pieces);
}

/* Every type, both ways, in pieces, flipped; from one row of x to more than sums are kept for. */
static void product_of_every_stored_type_is_that_of_its_floats(void) {
    seed = 8;
    for (int i = 0; i < 16 * DTYPE_COUNT; i++) {
        const size_t rows = 1 + below(MOST_ROWS), n = 1 + below(MOST_N), k = 1 + below(i % 4 ? 300 : MOST_K);
        stored_rows_free(&pieces);
        const kern_weight v = stored_rows_make(&pieces, (dtype_id)(i / 16),
                                               (kern_weight){ .columns = i & 1, .n = n, .k = k }, w);
        kern_product p = { .y = y, .ldy = LDY, .x = x, .ldx = LDX, .rows = rows, .w = &v, .bias = i & 2 ? bias : NULL,
                           .lo = below((uint32_t)n), .hi = n };
        for (size_t j = 0; j < MOST_N; j++) bias[j] = draw(ORDINARY);
        for (size_t j = 0; j < MOST_ROWS * LDX; j++) x[j] = draw(ORDINARY);
        run_everywhere(p);
    }
    stored_rows_free(&pieces);
}

/* Outputs whose panels are far larger than a group, of blocks that must not be widened too often or too seldom. */
static void check_large(size_t rows, size_t n, size_t k, bool columns, dtype_id type) {
    float *all = malloc(n * k * sizeof *all), *from = malloc(rows * k * sizeof *from);
    float *one = malloc(rows * n * sizeof *one), *other = malloc(rows * n * sizeof *other);
    stored_rows_free(&pieces);
    const kern_weight v = stored_rows_make(&pieces, type, (kern_weight){ .columns = columns, .n = n, .k = k }, all);
    const kern_weight plain = { .data = all, .type = KERN_F32, .n = n, .k = k, .stride = k * sizeof *all };
    const size_t lo = 37 % n, need = kern_product_scratch(&v, rows, n), need_plain = kern_product_scratch(&plain, rows, n);
    float *scratch = malloc(((need > need_plain ? need : need_plain) + 1) * sizeof *scratch);
    for (size_t i = 0; i < rows * k; i++) from[i] = draw(ORDINARY);
    bool equal = true;
    for (const kern_table *const *t = kern_tables; *t; t++) {
        if (!(*t)->supported()) continue;
        kern_product p = { .y = one, .ldy = n, .x = from, .ldx = k, .rows = rows, .w = &plain, .lo = lo, .hi = n,
                           .scratch = scratch };
        memset(one, 0, rows * n * sizeof *one);
        memset(other, 0, rows * n * sizeof *other);
        (*t)->product(&p);
        p.y = other;
        p.w = &v;
        scratch[need] = 5;
        (*t)->product(&p);
        equal = equal && memcmp(one, other, rows * n * sizeof *one) == 0 && scratch[need] == 5;
    }
    free(all);
    free(from);
    free(one);
    free(other);
    free(scratch);
    if (!equal) FAIL_("%zu rows by %zu x %zu %s columns %d", rows, n, k, dtype_table[type].name, columns);
}

static void product_of_large_stored_weights_is_that_of_their_floats(void) {
    seed = 9;
    check_large(12, 700, 1100, true, DTYPE_Q4_K);
    check_large(6, 290, 9000, true, DTYPE_Q6_K);
    check_large(3, 1200, 70, true, DTYPE_Q8_0);
    check_large(33, 300, 1100, false, DTYPE_Q5_K);
    check_large(1, 40, 9000, false, DTYPE_Q4_0);
    for (int in_place = 1; in_place >= 0; in_place--) {
        static const dtype_id types[] = { DTYPE_F32, DTYPE_Q8_0, DTYPE_Q4_0, DTYPE_Q4_K, DTYPE_Q5_K, DTYPE_Q6_K };
        pieces.in_place = in_place;
        for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
            check_large(1, 2500, 70, true, types[i]);       /* more than a strip of outputs */
            check_large(3, 50, 1400, false, types[i]);      /* more than a stretch of items, */
            check_large(9, 50, 1400, false, types[i]);      /* long ones and short ones */
            check_large(27, 50, 1400, false, types[i]);
        }
    }
    stored_rows_free(&pieces);
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
    X(widen_gives_what_the_stored_bits_stand_for) \
    X(widen_reads_any_items_of_any_pieces) \
    X(product_of_every_stored_type_is_that_of_its_floats) \
    X(product_of_large_stored_weights_is_that_of_their_floats)
TEST_MAIN(TESTS)
