/* Blocks of 256 in groups of 16 or 32, each with a whole-numbered scale and offset, and a float16 for all scales and one
 * for all offsets: x' = d scale q - m offset. Scales, offsets and q are not negative. */
#include "pack_parts.h"
#include "pack_types.h"

enum { BLOCK = 256, MOST_GROUPS = 16 };

typedef struct {
    size_t group;               /* numbers in a group */
    int    groups;
    float  top, limit;          /* the largest q; the largest scale and offset */
    int    starts;              /* units that are tried */
} kind;

typedef struct {
    f16_scale d, m;
    float     scale[MOST_GROUPS], offset[MOST_GROUPS];      /* whole numbers */
} scaling;

/* How a group is placed: q = round(inverse (y - from)) within 0..top, y = x + up. */
typedef struct { float up, from, inverse, top; } placed;

/* Sums over the group's q and y. */
typedef struct { float y, q, yq, qq; } line_sums;

static line_sums line_try(const float *x, size_t n, placed p) {
    const v4 up = v4_all(p.up), from = v4_all(p.from), by = v4_all(p.inverse), zero = v4_all(0), hi = v4_all(p.top);
    v4       sum = zero, q = zero, yq = zero, qq = zero;
    for (size_t i = 0; i < n; i += 4) {
        const v4 y = v4_load(x + i) + up, a = v4_round(v4_clamp((y - from) * by, zero, hi));
        sum += y;
        q += a;
        yq += y * a;
        qq += a * a;
    }
    return (line_sums){ v4_sum(sum), v4_sum(q), v4_sum(yq), v4_sum(qq) };
}

static float inverse_of(float step) { return step != 0 ? 1 / step : 0; }

/* A group by itself: x' = step q - down, down >= 0; what a deviation of the step costs. */
typedef struct { float step, down, weight; } group_fit;

/* The best line y' = step q + c for given sums, c <= up; how much of sum(y^2) it explains. */
typedef struct { float step, c, gain; } line;

static line line_solve(line_sums t, float n, float up) {
    const float det = n * t.qq - t.q * t.q;
    line        l = { 0, 0, -1 };
    if (!(det > 0)) return l;
    l.step = (n * t.yq - t.y * t.q) / det;
    l.c = (t.qq * t.y - t.q * t.yq) / det;
    if (l.c > up) {
        l.c = up;
        l.step = (t.yq - up * t.q) / t.qq;
    }
    l.gain = l.step * (2 * t.yq - l.step * t.qq - 2 * l.c * t.q) + l.c * (2 * t.y - n * l.c);
    return l;
}

/* Steps from a bit more to a bit less than the group's range needs, with the least number a third of a step beside a
 * whole one, or on it; then, twice, the best line so far. */
static group_fit fit_group(const float *x, const kind *k) {
    enum { STEPS = 6, SHIFTS = 3 };
    const extremes e = extremes_of(x, k->group);
    const float    up = e.least < 0 ? -e.least : 0, range = e.most + up, n = (float)k->group;
    if (!(range > 0)) return (group_fit){ 0, up, 0 };
    line  best = { 0, 0, -1 };
    float weight = 0;
    for (int i = 0; i < STEPS * SHIFTS + 2; i++) {
        const int    shift = i / STEPS - 1;
        const float  step = range / (k->top - 1 + 0.4f * (float)(i % STEPS));
        const placed at = i < STEPS * SHIFTS ? (placed){ up, (float)shift * step / 3, inverse_of(step), k->top }
                                             : (placed){ up, best.c, inverse_of(best.step), k->top };
        const line_sums t = line_try(x, k->group, at);
        const line      l = line_solve(t, n, up);
        if (!(l.gain > best.gain)) continue;
        best = l;
        weight = t.qq;
    }
    return (group_fit){ best.step, up - best.c, weight };
}

/* A group's squared error with this step and offset. */
static float error_with(const float *x, float step, float down, const kind *k) {
    const v4 up = v4_all(down), by = v4_all(inverse_of(step)), of = v4_all(step), zero = v4_all(0), hi = v4_all(k->top);
    v4       sum = zero;
    for (size_t i = 0; i < k->group; i += 4) {
        const v4 y = v4_load(x + i) + up, off = y - of * v4_round(v4_clamp(y * by, zero, hi));
        sum += off * off;
    }
    return v4_sum(sum);
}

/* Scale and offset of group j: those it has, or neighbours. */
static void choose(scaling *s, int j, const float *x, const kind *k) {
    const float scale = s->scale[j], offset = s->offset[j];
    float       least = -1;
    for (int i = 0; i < 9; i++) {
        const float a = scale + (float)((i + 1) % 3 - 1), b = offset + (float)((i / 3 + 1) % 3 - 1);
        if (a < 0 || a > k->limit || b < 0 || b > k->limit) continue;
        const float off = error_with(x, a * s->d.value, b * s->m.value, k);
        if (least >= 0 && !(off < least)) continue;
        least = off;
        s->scale[j] = a;
        s->offset[j] = b;
    }
}

/* d and m that are best for the quants that they give now. */
static void solve_units(scaling *s, const float *x, const kind *k) {
    double aa = 0, ab = 0, bb = 0, xa = 0, xb = 0;          /* x' = d a - m b, a = scale q, b = offset */
    for (int j = 0; j < k->groups; j++) {
        const double    sc = s->scale[j], of = s->offset[j];
        const float     step = s->scale[j] * s->d.value, down = s->offset[j] * s->m.value;
        const line_sums t = line_try(x + k->group * (size_t)j, k->group, (placed){ 0, -down, inverse_of(step), k->top });
        aa += sc * sc * t.qq;
        ab += sc * of * t.q;
        bb += of * of * (double)k->group;
        xa += sc * t.yq;
        xb += of * t.y;
    }
    const double det = aa * bb - ab * ab;
    if (det > 1e-6 * aa * bb) {
        s->d = f16_near((float)((xa * bb - xb * ab) / det));
        s->m = f16_near((float)((xa * ab - xb * aa) / det));
    } else if (aa > 0 && bb == 0) {
        s->d = f16_near((float)(xa / aa));
    }
}

static float block_error(const scaling *s, const float *x, const kind *k) {
    float sum = 0;
    for (int j = 0; j < k->groups; j++)
        sum += error_with(x + k->group * (size_t)j, s->scale[j] * s->d.value, s->offset[j] * s->m.value, k);
    return sum;
}

/* All groups by themselves. */
typedef struct { float step[MOST_GROUPS], down[MOST_GROUPS], weight[MOST_GROUPS], most_step, most_down; } fits;

static fits fit_groups(const float *x, const kind *k) {
    fits f = { .most_step = 0 };
    for (int j = 0; j < k->groups; j++) {
        const group_fit g = fit_group(x + k->group * (size_t)j, k);
        f.step[j] = g.step;
        f.down[j] = g.down;
        f.weight[j] = g.weight;
        f.most_step = g.step > f.most_step ? g.step : f.most_step;
        f.most_down = g.down > f.most_down ? g.down : f.most_down;
    }
    return f;
}

/* The unit for which all values are nearly whole multiples, these being round(value inverse), at most limit. */
static float fit_unit(const float *value, const float *weight, const kind *k, float inverse) {
    double vn = 0, nn = 0;
    for (int j = 0; j < k->groups; j++) {
        const double n = round_even(clamp(value[j] * inverse, 0, k->limit));
        vn += weight[j] * n * value[j];
        nn += weight[j] * n * n;
    }
    return nn > 0 ? (float)(vn / nn) : 0;
}

/* From units in which the groups' steps and offsets are nearly whole, the largest offset being `most_offset`: twice, whole
 * numbers are chosen for the units and units solved for the whole numbers. */
static scaling fit_scales(const float *x, const fits *f, float most_offset, const kind *k) {
    static const float ones[MOST_GROUPS] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
    scaling s = { .d = f16_near(fit_unit(f->step, f->weight, k, k->limit * inverse_of(f->most_step))),
                  .m = f16_near(fit_unit(f->down, ones, k, most_offset * inverse_of(f->most_down))) };
    for (int j = 0; j < k->groups; j++) {
        s.scale[j] = round_even(clamp(f->step[j] * inverse_of(s.d.value), 0, k->limit));
        s.offset[j] = round_even(clamp(f->down[j] * inverse_of(s.m.value), 0, k->limit));
    }
    for (int pass = 0; pass < 2; pass++) {
        for (int j = 0; j < k->groups; j++) choose(&s, j, x + k->group * (size_t)j, k);
        solve_units(&s, x, k);
    }
    return s;
}

static scaling pack_block(int32_t *q, const float *x, const kind *k) {
    static const float part[] = { 1, 0.94f };           /* of the largest offset there can be */
    const fits f = fit_groups(x, k);
    scaling    best = { .d = { 0, 0 } };
    float      least = 0;
    for (int i = 0; i < k->starts; i++) {
        const scaling s = fit_scales(x, &f, k->limit * part[i], k);
        const float   off = block_error(&s, x, k);
        if (i > 0 && !(off < least)) continue;
        least = off;
        best = s;
    }
    for (int j = 0; j < k->groups; j++) {
        const size_t at = k->group * (size_t)j;
        const float  by = inverse_of(best.scale[j] * best.d.value);
        quants_put(q + at, x + at, k->group, (placing){ -best.offset[j] * best.m.value, by, { 0, k->top } });
    }
    return best;
}

/* Two bits each, four numbers 32 apart in a byte; scale and offset of a group share a byte. */
void pack_q2_k(void *out, const float *x, size_t n) {
    static const kind k = { 16, 16, 3, 15, 1 };
    uint8_t *p = out;
    for (; n; n -= BLOCK, x += BLOCK, p += 84) {
        int32_t       q[BLOCK];
        float         room[BLOCK];
        extremes      e;
        const scaling s = pack_block(q, tamed(x, BLOCK, room, &e), &k);
        for (int j = 0; j < 16; j++) p[j] = (uint8_t)((int)s.scale[j] | (int)s.offset[j] << 4);
        for (size_t i = 0; i < 64; i++) {
            const int32_t *v = q + i / 32 * 128 + i % 32;
            p[16 + i] = (uint8_t)(v[0] | v[32] << 2 | v[64] << 4 | v[96] << 6);
        }
        put16(p + 80, s.d.bits);
        put16(p + 82, s.m.bits);
    }
}

/* The head of Q4_K and Q5_K: d, m, and eight scales and offsets of six bits: four of each in the low six bits of a byte,
 * the others' low four bits two in a byte, and their high two bits on top of the first four's. */
static void put_head(uint8_t *p, const scaling *s) {
    put16(p, s->d.bits);
    put16(p + 2, s->m.bits);
    for (int j = 0; j < 4; j++) {
        const int a = (int)s->scale[j], b = (int)s->offset[j], c = (int)s->scale[j + 4], d = (int)s->offset[j + 4];
        p[4 + j] = (uint8_t)(a | c >> 4 << 6);
        p[8 + j] = (uint8_t)(b | d >> 4 << 6);
        p[12 + j] = (uint8_t)((c & 15) | (d & 15) << 4);
    }
}

/* Low four bits: numbers 32 apart share a byte. */
static void put_nibbles(uint8_t *p, const int32_t *q) {
    for (size_t i = 0; i < 128; i++) {
        const int32_t *v = q + i / 32 * 64 + i % 32;
        p[i] = (uint8_t)((v[0] & 15) | (v[32] & 15) << 4);
    }
}

void pack_q4_k(void *out, const float *x, size_t n) {
    static const kind k = { 32, 8, 15, 63, 2 };
    uint8_t *p = out;
    for (; n; n -= BLOCK, x += BLOCK, p += 144) {
        int32_t       q[BLOCK];
        float         room[BLOCK];
        extremes      e;
        const scaling s = pack_block(q, tamed(x, BLOCK, room, &e), &k);
        put_head(p, &s);
        put_nibbles(p + 16, q);
    }
}

void pack_q5_k(void *out, const float *x, size_t n) {
    static const kind k = { 32, 8, 31, 63, 2 };
    uint8_t *p = out;
    for (; n; n -= BLOCK, x += BLOCK, p += 176) {
        int32_t       q[BLOCK];
        float         room[BLOCK];
        extremes      e;
        const scaling s = pack_block(q, tamed(x, BLOCK, room, &e), &k);
        put_head(p, &s);
        for (size_t i = 0; i < 32; i++) {           /* the fifth bits: a byte has those of numbers 32 apart */
            int bits = 0;
            for (size_t g = 0; g < 8; g++) bits |= (q[32 * g + i] >> 4) << g;
            p[16 + i] = (uint8_t)bits;
        }
        put_nibbles(p + 48, q);
    }
}
