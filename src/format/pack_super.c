/* Blocks of 256: sixteen groups of 16, each with a whole-numbered scale, and one float16 for all: x' = d scale q. */
#include "pack_parts.h"
#include "pack_types.h"
#include <stdbool.h>

enum { BLOCK = 256, GROUP = 16, GROUPS = 16 };

typedef struct {
    span         q, scale;
    const float *beyond;        /* what is tried for a group's own scale: its largest number becomes q.lo - beyond[k] */
    int          n_beyond, starts;
} kind;

/* d and the groups' scales, whole numbers. */
typedef struct { f16_scale d; float scale[GROUPS]; } scaling;

typedef struct {
    scaling s;
    int32_t q[BLOCK];           /* less the span's lower end */
} packed;

/* One group by itself: the best scale, and the sum of q^2, which says how much a deviation from it costs. */
typedef struct { float scale, weight; } group_fit;

static group_fit fit_group(const float *x, const kind *k) {
    const float largest = largest_of(extremes_of(x, GROUP));
    if (largest == 0) return (group_fit){ 0, 0 };
    scale_sums best = scale_try(x, GROUP, k->q.lo / largest, k->q);
    double     gain = (double)best.xq * best.xq / best.qq * clearly;
    for (int i = 0; i < k->n_beyond; i++) {
        const scale_sums t = scale_try(x, GROUP, (k->q.lo - k->beyond[i]) / largest, k->q);
        if (!((double)t.xq * t.xq > gain * t.qq)) continue;
        gain = (double)t.xq * t.xq / t.qq;
        best = t;
    }
    return (group_fit){ best.xq / best.qq, best.qq };
}

static float largest_scale(const group_fit *g) {
    float least = 0, most = 0;
    for (int j = 0; j < GROUPS; j++) {
        least = g[j].scale < least ? g[j].scale : least;
        most = g[j].scale > most ? g[j].scale : most;
    }
    return largest_of((extremes){ least, most });
}

/* d so that every group's own scale is nearly a whole multiple of it, these multiples being `inverse` times the scales. */
static float fit_unit(const group_fit *g, float inverse, span s) {
    double sn = 0, nn = 0;
    for (int j = 0; j < GROUPS; j++) {
        const double n = round_even(clamp(g[j].scale * inverse, s.lo, s.hi));
        sn += g[j].weight * n * g[j].scale;
        nn += g[j].weight * n * n;
    }
    return nn > 0 ? (float)(sn / nn) : 0;
}

static float inverse_of(float step) { return step != 0 ? 1 / step : 0; }

/* The group's scale with unit d: the whole number it has, or a neighbour. Its sums with it. */
static scale_sums choose_scale(float *scale, const float *x, float d, const kind *k) {
    float      n[3] = { *scale, clamp(*scale + 1, k->scale.lo, k->scale.hi), clamp(*scale - 1, k->scale.lo, k->scale.hi) };
    float      off[3];                                                  /* the squared error, less the sum of x^2 */
    scale_sums t[3];
    for (int i = 0; i < 3; i++) {
        const float step = n[i] * d;
        t[i] = scale_try(x, GROUP, inverse_of(step), k->q);
        off[i] = step * (step * t[i].qq - 2 * t[i].xq);
    }
    const int   near = off[2] < off[1] ? 2 : 1, best = off[near] < off[0] * clearly ? near : 0;
    *scale = n[best];
    return t[best];
}

/* Starting from a unit: scales are chosen for it, then d is solved for. */
static scaling fit_scales(const float *x, const group_fit *g, float unit, const kind *k) {
    scaling     s = { .d = f16_near(unit) };
    const float inverse = inverse_of(s.d.value);
    double      xq = 0, qq = 0;
    for (int j = 0; j < GROUPS; j++) {
        s.scale[j] = round_even(clamp(g[j].scale * inverse, k->scale.lo, k->scale.hi));
        const scale_sums t = choose_scale(&s.scale[j], x + (size_t)j * GROUP, s.d.value, k);
        xq += (double)s.scale[j] * t.xq;
        qq += (double)s.scale[j] * s.scale[j] * t.qq;
    }
    if (qq > 0) s.d = f16_near((float)(xq / qq));
    return s;
}

/* The block's squared error, from the differences themselves: sums of squares less each other lose too much. */
static float error_of(const float *x, const scaling *s, span q) {
    const v4 lo = v4_all(q.lo), hi = v4_all(q.hi);
    v4       sum = v4_all(0);
    for (int j = 0; j < GROUPS; j++) {
        const float  step = s->scale[j] * s->d.value;
        const v4     by = v4_all(inverse_of(step)), of = v4_all(step);
        const size_t at = (size_t)j * GROUP;
        for (size_t i = 0; i < GROUP; i += 4) {
            const v4 v = v4_load(x + at + i), off = v - of * v4_round(v4_clamp(v * by, lo, hi));
            sum += off * off;
        }
    }
    return v4_sum(sum);
}

static void pack_block(packed *p, const float *x, const kind *k) {
    static const float factor[] = { 1, 0.97f, 1.02f };
    group_fit g[GROUPS];
    for (int j = 0; j < GROUPS; j++) g[j] = fit_group(x + (size_t)j * GROUP, k);
    const float largest = largest_scale(g), inverse = largest != 0 ? k->scale.lo / largest : 0;
    float       least = 0;
    for (int i = 0; i < k->starts; i++) {
        const scaling s = fit_scales(x, g, fit_unit(g, inverse * factor[i], k->scale), k);
        const float   off = error_of(x, &s, k->q);
        if (i > 0 && !(off < least)) continue;
        least = off;
        p->s = s;
    }
    for (int j = 0; j < GROUPS; j++) {
        const size_t at = (size_t)j * GROUP;
        quants_put(p->q + at, x + at, GROUP, (placing){ 0, inverse_of(p->s.scale[j] * p->s.d.value), k->q });
    }
}

/* Two bits each, four numbers 32 apart in a byte; the third bits by rows of 32, the scales' low four bits two in a byte
 * eight apart, and their high two bits four in a byte, four apart. */
static void put_q3_k(uint8_t *out, const packed *p) {
    memset(out, 0, 110);
    for (int i = 0; i < BLOCK; i++) out[i % 32] |= (uint8_t)((p->q[i] >> 2) << (i / 32));
    uint8_t *low = out + 32, *scales = out + 96;
    for (int i = 0; i < BLOCK; i++) low[i / 128 * 32 + i % 32] |= (uint8_t)((p->q[i] & 3) << (i % 128 / 32 * 2));
    for (int j = 0; j < GROUPS; j++) {
        const int s = (int)p->s.scale[j] + 32;
        scales[j % 8] |= (uint8_t)((s & 15) << (j / 8 * 4));
        scales[8 + j % 4] |= (uint8_t)((s >> 4) << (j / 4 * 2));
    }
    put16(out + 108, p->s.d.bits);
}

/* Low four bits, numbers 64 apart in a byte; high two bits, four numbers 32 apart in a byte; scales as signed bytes. */
static void put_q6_k(uint8_t *out, const packed *p) {
    for (size_t i = 0; i < 128; i++) {
        const int32_t *q = p->q + i / 64 * 128 + i % 64;
        out[i] = (uint8_t)((q[0] & 15) | (q[64] & 15) << 4);
    }
    for (size_t i = 0; i < 64; i++) {
        const int32_t *q = p->q + i / 32 * 128 + i % 32;
        out[128 + i] = (uint8_t)(q[0] >> 4 | q[32] >> 4 << 2 | q[64] >> 4 << 4 | q[96] >> 4 << 6);
    }
    for (int j = 0; j < GROUPS; j++) out[192 + j] = (uint8_t)(int)p->s.scale[j];
    put16(out + 208, p->s.d.bits);
}

static void pack_all(uint8_t *out, const float *x, size_t n, const kind *k) {
    const bool six = k->q.lo < -4;
    for (; n; n -= BLOCK, x += BLOCK, out += six ? 210 : 110) {
        float        room[BLOCK];
        extremes     e;
        packed       p;
        pack_block(&p, tamed(x, BLOCK, room, &e), k);
        if (six) put_q6_k(out, &p);
        else put_q3_k(out, &p);
    }
}

void pack_q3_k(void *out, const float *x, size_t n) {
    static const float beyond[] = { -1, -0.2f, 0.7f };
    pack_all(out, x, n, &(kind){ { -4, 3 }, { -32, 31 }, beyond, 3, 1 });
}

void pack_q6_k(void *out, const float *x, size_t n) {
    static const float beyond[] = { -1.5f, -1, -0.75f, -0.5f, -0.25f, 0.25f, 0.5f, 0.75f, 1, 1.25f };
    pack_all(out, x, n, &(kind){ { -32, 31 }, { -128, 127 }, beyond, 10, 3 });
}
