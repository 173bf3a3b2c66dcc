/* vec_neon.h - v16 as four NEON registers (aarch64). */
#ifndef SONDE_VEC_NEON_H
#define SONDE_VEC_NEON_H
#include <arm_neon.h>

typedef struct { float32x4_t q[4]; } v16;
typedef struct { uint32x4_t q[4]; } v16i;
typedef struct { uint32x4_t q[4]; } v16m;               /* all bits of a lane, or none */

#define EACH_QUARTER UNROLL for (int i = 0; i < 4; i++)

INLINE v16  v16_all(float a) { v16 v; EACH_QUARTER v.q[i] = vdupq_n_f32(a); return v; }
INLINE v16  v16_load(const void *p) {
    const uint8_t *const b = p;
    v16 v;
    EACH_QUARTER v.q[i] = vreinterpretq_f32_u8(vld1q_u8(b + 16 * i));
    return v;
}
INLINE void v16_store(float *p, v16 a) { EACH_QUARTER vst1q_f32(p + 4 * i, a.q[i]); }
INLINE v16  v16_load_first(const void *p, size_t n) {
    float f[16] = { 0 };
    memcpy(f, p, 4 * n);
    return v16_load(f);
}
INLINE void v16_store_first(float *p, v16 a, size_t n) {
    float f[16];
    v16_store(f, a);
    memcpy(p, f, n * sizeof *p);
}

INLINE v16 v16_add(v16 a, v16 b) { EACH_QUARTER a.q[i] = vaddq_f32(a.q[i], b.q[i]); return a; }
INLINE v16 v16_sub(v16 a, v16 b) { EACH_QUARTER a.q[i] = vsubq_f32(a.q[i], b.q[i]); return a; }
INLINE v16 v16_mul(v16 a, v16 b) { EACH_QUARTER a.q[i] = vmulq_f32(a.q[i], b.q[i]); return a; }
INLINE v16 v16_div(v16 a, v16 b) { EACH_QUARTER a.q[i] = vdivq_f32(a.q[i], b.q[i]); return a; }
INLINE v16 v16_fma(v16 a, v16 b, v16 c) {
    EACH_QUARTER c.q[i] = vfmaq_f32(c.q[i], a.q[i], b.q[i]);
    return c;
}
INLINE v16 v16_max(v16 a, v16 b) {
    EACH_QUARTER a.q[i] = vbslq_f32(vcgtq_f32(a.q[i], b.q[i]), a.q[i], b.q[i]);
    return a;
}
INLINE v16 v16_min(v16 a, v16 b) {
    EACH_QUARTER a.q[i] = vbslq_f32(vcltq_f32(a.q[i], b.q[i]), a.q[i], b.q[i]);
    return a;
}

INLINE v16m v16_gt(v16 a, v16 b) { v16m m; EACH_QUARTER m.q[i] = vcgtq_f32(a.q[i], b.q[i]); return m; }
INLINE v16m v16_nan(v16 a) { v16m m; EACH_QUARTER m.q[i] = vmvnq_u32(vceqq_f32(a.q[i], a.q[i])); return m; }
INLINE v16m v16m_first(size_t n) {
    static const uint32_t lane[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
    v16m m;
    EACH_QUARTER m.q[i] = vcltq_u32(vld1q_u32(lane + 4 * i), vdupq_n_u32((uint32_t)n));
    return m;
}
INLINE v16m v16m_or(v16m a, v16m b) { EACH_QUARTER a.q[i] = vorrq_u32(a.q[i], b.q[i]); return a; }
INLINE bool v16m_any(v16m a) {
    return vmaxvq_u32(vorrq_u32(vorrq_u32(a.q[0], a.q[1]), vorrq_u32(a.q[2], a.q[3]))) != 0;
}
INLINE v16 v16_pick(v16m m, v16 yes, v16 no) {
    EACH_QUARTER no.q[i] = vbslq_f32(m.q[i], yes.q[i], no.q[i]);
    return no;
}

INLINE v16i v16_bits(v16 a) { v16i b; EACH_QUARTER b.q[i] = vreinterpretq_u32_f32(a.q[i]); return b; }
INLINE v16  v16_of_bits(v16i a) { v16 b; EACH_QUARTER b.q[i] = vreinterpretq_f32_u32(a.q[i]); return b; }
INLINE v16i v16i_all(int32_t a) { v16i v; EACH_QUARTER v.q[i] = vdupq_n_u32((uint32_t)a); return v; }
INLINE v16i v16i_add(v16i a, v16i b) { EACH_QUARTER a.q[i] = vaddq_u32(a.q[i], b.q[i]); return a; }
INLINE v16i v16i_sub(v16i a, v16i b) { EACH_QUARTER a.q[i] = vsubq_u32(a.q[i], b.q[i]); return a; }
INLINE v16i v16i_and(v16i a, v16i b) { EACH_QUARTER a.q[i] = vandq_u32(a.q[i], b.q[i]); return a; }
INLINE v16i v16i_or(v16i a, v16i b) { EACH_QUARTER a.q[i] = vorrq_u32(a.q[i], b.q[i]); return a; }
INLINE v16i v16i_xor(v16i a, v16i b) { EACH_QUARTER a.q[i] = veorq_u32(a.q[i], b.q[i]); return a; }
INLINE v16i v16i_left(v16i a, int by) {
    EACH_QUARTER a.q[i] = vshlq_u32(a.q[i], vdupq_n_s32(by));
    return a;
}
INLINE v16i v16i_right(v16i a, int by) {
    EACH_QUARTER a.q[i] = vshlq_u32(a.q[i], vdupq_n_s32(-by));
    return a;
}
INLINE v16 v16i_float(v16i a) {
    v16 v;
    EACH_QUARTER v.q[i] = vcvtq_f32_s32(vreinterpretq_s32_u32(a.q[i]));
    return v;
}

INLINE v16 v16_load_f16(const void *p) {
    uint16_t h[16];
    v16 v;
    memcpy(h, p, sizeof h);
    EACH_QUARTER v.q[i] = vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(h + 4 * i)));
    return v;
}
INLINE v16 v16_load_bf16(const void *p) {
    uint16_t h[16];
    v16i v;
    memcpy(h, p, sizeof h);
    EACH_QUARTER v.q[i] = vshll_n_u16(vld1_u16(h + 4 * i), 16);
    return v16_of_bits(v);
}

/* One half-precision number in all lanes. */
INLINE v16 v16_half(const void *p) {
    uint16_t h;
    memcpy(&h, p, sizeof h);
    const float32x4_t f = vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(h)));
    v16 v;
    EACH_QUARTER v.q[i] = f;
    return v;
}
INLINE float half_at(const void *p) { return vgetq_lane_f32(v16_half(p).q[0], 0); }
INLINE v16i v16i_load_u8(const void *p) {
    const uint8x16_t b = vld1q_u8(p);
    const uint16x8_t lo = vmovl_u8(vget_low_u8(b)), hi = vmovl_high_u8(b);
    return (v16i){ { vmovl_u16(vget_low_u16(lo)), vmovl_high_u16(lo), vmovl_u16(vget_low_u16(hi)), vmovl_high_u16(hi) } };
}
INLINE v16i v16i_load_i8(const void *p) {
    const int8x16_t b = vld1q_s8(p);
    const int16x8_t half[2] = { vmovl_s8(vget_low_s8(b)), vmovl_high_s8(b) };
    v16i v;
    EACH_QUARTER v.q[i] = vreinterpretq_u32_s32(i & 1 ? vmovl_high_s16(half[i / 2]) : vmovl_s16(vget_low_s16(half[i / 2])));
    return v;
}

/* The one tree: lanes 8 apart are added, then 4, 2, 1. */
INLINE float32x4_t tree4(v16 a) {
    return vaddq_f32(vaddq_f32(a.q[0], a.q[2]), vaddq_f32(a.q[1], a.q[3]));
}
/* ... of two (a, b, a, b), from four partial sums each */
INLINE float32x4_t tree2(float32x4_t a, float32x4_t b) {
    const float64x2_t x = vreinterpretq_f64_f32(a), y = vreinterpretq_f64_f32(b);
    const float32x4_t low  = vreinterpretq_f32_f64(vtrn1q_f64(x, y));
    const float32x4_t high = vreinterpretq_f32_f64(vtrn2q_f64(x, y));
    return vaddq_f32(low, high);
}
INLINE float v16_tree(v16 a) {
    const float32x4_t s4 = tree4(a), s2 = tree2(s4, s4);
    return vgetq_lane_f32(s2, 0) + vgetq_lane_f32(s2, 1);
}
/* Lane i is the tree of v[i]. */
INLINE v16 v16_trees(const v16 v[16]) {
    v16 sums;
    EACH_QUARTER {
        const v16 *const u = v + 4 * i;
        const float32x4_t a = tree2(tree4(u[0]), tree4(u[1])), b = tree2(tree4(u[2]), tree4(u[3]));
        sums.q[i] = vaddq_f32(vuzp1q_f32(a, b), vuzp2q_f32(a, b));
    }
    return sums;
}

INLINE float64x2_t pairs(float32x4_t a) { return vreinterpretq_f64_f32(a); }
INLINE float32x4_t quad(float64x2_t a) { return vreinterpretq_f32_f64(a); }
INLINE void v16_transpose(v16 v[16]) {
    v16 t[16];
    for (int r = 0; r < 16; r += 4) EACH_QUARTER {      /* block (r, i) goes to block (i, r) */
        const float32x4_t a = vtrn1q_f32(v[r].q[i], v[r + 1].q[i]);
        const float32x4_t b = vtrn2q_f32(v[r].q[i], v[r + 1].q[i]);
        const float32x4_t c = vtrn1q_f32(v[r + 2].q[i], v[r + 3].q[i]);
        const float32x4_t d = vtrn2q_f32(v[r + 2].q[i], v[r + 3].q[i]);
        t[4 * i].q[r / 4]     = quad(vtrn1q_f64(pairs(a), pairs(c)));
        t[4 * i + 1].q[r / 4] = quad(vtrn1q_f64(pairs(b), pairs(d)));
        t[4 * i + 2].q[r / 4] = quad(vtrn2q_f64(pairs(a), pairs(c)));
        t[4 * i + 3].q[r / 4] = quad(vtrn2q_f64(pairs(b), pairs(d)));
    }
    memcpy(v, t, sizeof t);
}
#undef EACH_QUARTER
#endif
