/* Scores, mix and attend give the bits of their definition: on every instruction set, for one row and for many, packed or
 * not, wherever the keys lie. */
#include "test.h"
#include "kernel/kern.h"
#include "tensor/attend_rows.h"
#include <stdint.h>
#include <stdlib.h>

static uint32_t seed;
static uint32_t below(uint32_t n) {
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(seed >> 4) * n >> 28);
}

/* Ordinary numbers, or with those that padding would change. */
static float draw(bool odd) {
    static const float some[] = { 0.0f, -0.0f, 1e-42f, -1e-42f, INFINITY, -INFINITY, NAN, 1e19f };
    return odd && below(30) == 0 ? some[below(8)] : (float)(int32_t)(below(1u << 24) - (1 << 23)) * 0x1p-22f;
}

static float *numbers(size_t n, bool odd) {
    float *x = malloc((n + 1) * sizeof *x);
    CHECK(x);
    for (size_t i = 0; i < n; i++) x[i] = draw(odd);
    return x;
}

static bool same(float a, float b) { return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b)); }

static float tree(float s[16]) {
    for (int half = 8; half; half /= 2)
        for (int i = 0; i < half; i++) s[i] += s[i + half];
    return s[0];
}

enum { ROWS_MOST = 40, KEYS_MOST = 200 };

typedef struct {
    size_t      rows, e, keys, stride, split, from, base, top;
    float      *q, *k, *v, *own[ROWS_MOST][2], *bias, *p, *z;
    kern_row    row[ROWS_MOST];
    kern_attend call;
    bool        one;                    /* all rows have the same keys behind split */
} made;

static const float *place(const made *m, size_t i, size_t s, bool values) {
    const kern_row *r = &m->row[i];
    if (s < m->split) return (values ? m->v : m->k) + s * m->stride;
    return (values ? r->v : r->k) + (s - m->split) * m->stride;
}

/* What rows see: all, up to themselves, the last few, or any stretch. */
static void draw_seen(made *m, size_t i, uint32_t how) {
    const size_t S = m->keys, up = S > m->rows ? S - m->rows + i + 1 : 1 + i % S;
    kern_row *r = &m->row[i];
    r->lo = 0;
    r->hi = how == 0 ? S : up;
    if (how == 2) r->lo = up > 7 ? up - 7 : 0;
    if (how < 3) return;
    r->lo = below((uint32_t)S);
    r->hi = r->lo + 1 + below((uint32_t)(S - r->lo));
}

static void make(made *m, bool odd) {
    static const size_t sizes[] = { 1, 3, 8, 16, 24, 32, 40, 64, 72, 80, 128, 200 };
    const uint32_t how = below(4);
    *m = (made){ .rows = 1 + below(ROWS_MOST), .e = sizes[below(12)], .keys = 1 + below(KEYS_MOST), .one = below(2) };
    m->stride = (1 + below(3)) * m->e + below(3);
    m->split = below(2) ? below((uint32_t)m->keys + 1) : m->keys;
    m->q = numbers(m->rows * m->e, odd);
    m->k = numbers(m->keys * m->stride, odd);
    m->v = numbers(m->keys * m->stride, odd);
    m->bias = numbers(2 * m->rows * m->keys, odd);
    m->p = numbers(m->rows * m->keys, odd);
    m->z = numbers(m->rows * m->e, odd);
    size_t lo = SIZE_MAX, hi = 0;
    for (size_t i = 0; i < m->rows; i++) {
        draw_seen(m, i, how);
        for (int w = 0; w < 2; w++) m->own[i][w] = m->one && i ? NULL : numbers((m->keys - m->split) * m->stride, odd);
        m->row[i].q = m->q + i * m->e;
        m->row[i].k = m->own[m->one ? 0 : i][0];
        m->row[i].v = m->own[m->one ? 0 : i][1];
        m->row[i].p = m->p + i * m->keys;
        m->row[i].z = m->z + i * m->e;
        if (below(2)) m->row[i].key_bias = m->bias + 2 * i * m->keys;
        if (below(2)) m->row[i].bias = m->bias + (2 * i + 1) * m->keys;
        if (m->row[i].lo < lo) lo = m->row[i].lo;
        if (m->row[i].hi > hi) hi = m->row[i].hi;
    }
    m->from = below((uint32_t)lo + 1);
    m->base = lo / 32 * 32 + 32 * below(2);
    m->top = below(2) ? hi : below((uint32_t)m->keys + 1);
    if (!m->one && m->top > m->split) m->top = m->split;
    m->call = (kern_attend){ .row = m->row, .rows = m->rows, .e = m->e, .stride = m->stride, .from = m->from, .k = m->k,
                             .v = m->v, .split = m->split, .scale = 0.3f };
}

static void drop(made *m) {
    float *all[] = { m->q, m->k, m->v, m->bias, m->p, m->z };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    for (size_t i = 0; i < m->rows; i++)
        for (int w = 0; w < 2; w++) free(m->own[i][w]);
}

static void check_scores(const made *m, const char *isa) {
    for (size_t i = 0; i < m->rows; i++)
        for (size_t s = m->row[i].lo; s < m->row[i].hi; s++) {
            float sums[16] = { 0 };
            for (size_t j = 0; j < m->e; j++) sums[j % 16] = fmaf(m->row[i].q[j], place(m, i, s, false)[j], sums[j % 16]);
            float want = tree(sums) * 0.3f;
            if (m->row[i].key_bias) want += m->row[i].key_bias[s];
            if (m->row[i].bias) want += m->row[i].bias[s];
            if (!same(want, m->row[i].p[s - m->from]))
                FAIL_("%s, %zu rows of %zu, %zu keys: score (%zu, %zu) is %g, expected %g", isa, m->rows, m->e, m->keys, i, s,
                      (double)m->row[i].p[s - m->from], (double)want);
        }
}

static void check_mix(const made *m, const char *isa) {
    for (size_t i = 0; i < m->rows; i++)
        for (size_t j = 0; j < m->e; j++) {
            float sums[16] = { 0 };
            for (size_t s = m->row[i].lo; s < m->row[i].hi; s++)
                sums[s % 16] = fmaf(m->row[i].p[s - m->from], place(m, i, s, true)[j], sums[s % 16]);
            const float want = tree(sums);
            if (!same(want, m->row[i].z[j]))
                FAIL_("%s, %zu rows of %zu, %zu keys: z (%zu, %zu) is %g, expected %g", isa, m->rows, m->e, m->keys, i, j,
                      (double)m->row[i].z[j], (double)want);
        }
}

static float *room(size_t n) {
    float *x = malloc(n * sizeof *x);
    CHECK(x);
    memset(x, 0xff, n * sizeof *x);         /* NaN: nobody may count on zeros */
    return x;
}

static void one_draw(const kern_table *t, bool packed) {
    made m;
    make(&m, below(2));
    kern_panels panels = { .base = m.base, .top = m.top };
    packed &= m.top > m.base;
    if (packed) {
        const size_t n = m.top - m.base;
        panels.keys = room(kern_panel_keys(m.e, n));
        panels.values = room(kern_panel_values(m.e, n));
        m.call.scratch = room(kern_attend_scratch(m.rows, m.e, n));
        m.call.panels = &panels;
        t->pack_keys(&m.call);
        t->pack_values(&m.call);
    }
    t->scores(&m.call);
    check_scores(&m, t->isa);
    for (size_t i = 0; i < m.rows * m.keys; i++) m.p[i] = draw(true);
    t->mix(&m.call);
    check_mix(&m, t->isa);
    free(panels.keys);
    free(panels.values);
    free(m.call.scratch);
    drop(&m);
}

static void sums_have_the_one_order(void) {
    for (int i = 0; kern_tables[i]; i++) {
        if (!kern_tables[i]->supported()) continue;
        seed = 3;
        for (int draws = 0; draws < 150; draws++) one_draw(kern_tables[i], draws % 3 > 0);
    }
}

/* ---- rows of a sequence that borrows keys, beside others that do, are those of the sequence alone ---- */

enum { H = 6, G = 2, E = 24, LENT = 37, OWN = 9, LANES = 5, ALL = LENT + OWN, W = G * E };

typedef struct { float q[LANES * OWN * H * E], z[LANES * OWN * H * E], alone[OWN * H * E], lent[2][LENT * W], own[2][LANES][OWN * W]; } borrowers;

static void run_attend(const attend_part *part, int64_t parts, float *q, float *z, int64_t rows, int threads) {
    tensor  tq = { .dim = { 1, rows, H, E }, .data = q }, tk = { .dim = { 1, ALL, G, E } }, out = { .data = z };
    op_call c = { .op = op_table[OP_attend], .in = { &tq, &tk, &tk }, .out = &out,
                  .attr = { .attention = { .sight = part->sight, .scale = 0.2f, .part = part, .parts = parts } } };
    CHECK_EQ(c.op->shape(&c, NULL), SONDE_OK);
    op_forward(&c, threads);
}

static void borrowed_keys_are_the_same_keys(void) {
    static borrowers b;
    static float whole[2][ALL * W];
    const int64_t windows[] = { 0, 5, 20 };
    seed = 11;
    for (size_t i = 0; i < sizeof b / sizeof(float); i++) ((float *)(void *)&b)[i] = draw(false);
    for (size_t w = 0; w < 3; w++) {
        attend_part part[LANES];
        for (int i = 0; i < LANES; i++)
            part[i] = (attend_part){ .row = i * OWN, .n = OWN, .sight = { .first = LENT, .window = windows[w] }, .keys = ALL,
                                     .lent = LENT, .lent_k = b.lent[0], .lent_v = b.lent[1], .k = b.own[0][i], .v = b.own[1][i] };
        run_attend(part, LANES, b.q, b.z, LANES * OWN, 2);
        for (int i = 0; i < LANES; i++) {
            for (int j = 0; j < 2; j++) {
                memcpy(whole[j], b.lent[j], sizeof b.lent[j]);
                memcpy(whole[j] + LENT * W, b.own[j][i], sizeof b.own[j][i]);
            }
            for (int64_t rows = 1; rows <= OWN; rows += OWN - 1)            /* one row alone, and all of the lane */
                for (int64_t t = 0; t < OWN; t += rows) {
                    const attend_part one = { .n = rows, .sight = { .first = LENT + t, .window = windows[w] },
                                              .keys = LENT + t + rows, .k = whole[0], .v = whole[1] };
                    run_attend(&one, 1, b.q + (i * OWN + t) * H * E, b.alone, rows, 1);
                    for (int64_t j = 0; j < rows * H * E; j++)
                        if (!same(b.alone[j], b.z[(i * OWN + t) * H * E + j]))
                            FAIL_("window %d, lane %d, row %d: borrowed %g, alone %g", (int)windows[w], i, (int)t,
                                  (double)b.z[(i * OWN + t) * H * E + j], (double)b.alone[j]);
                }
        }
    }
}

#define TESTS(X) \
    X(sums_have_the_one_order) \
    X(borrowed_keys_are_the_same_keys)
TEST_MAIN(TESTS)
