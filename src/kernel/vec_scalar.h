/* vec_scalar.h - v16 as sixteen scalars: what every other set must equal. */
#ifndef SONDE_VEC_SCALAR_H
#define SONDE_VEC_SCALAR_H

typedef struct { float at[16]; } v16;
typedef struct { uint32_t at[16]; } v16i;
typedef struct { uint32_t at[16]; } v16m;               /* 0 or 1 */

#define EACH_LANE for (size_t i = 0; i < 16; i++)

INLINE v16  v16_all(float a) { v16 v; EACH_LANE v.at[i] = a; return v; }
INLINE v16  v16_load(const void *p) { v16 v; memcpy(&v, p, sizeof v); return v; }
INLINE void v16_store(float *p, v16 a) { memcpy(p, &a, sizeof a); }
INLINE v16  v16_load_first(const void *p, size_t n) {
    v16 v = v16_all(0);
    memcpy(&v, p, 4 * n);
    return v;
}
INLINE void v16_store_first(float *p, v16 a, size_t n) { memcpy(p, &a, n * sizeof *p); }

INLINE v16 v16_add(v16 a, v16 b) { EACH_LANE a.at[i] += b.at[i]; return a; }
INLINE v16 v16_sub(v16 a, v16 b) { EACH_LANE a.at[i] -= b.at[i]; return a; }
INLINE v16 v16_mul(v16 a, v16 b) { EACH_LANE a.at[i] *= b.at[i]; return a; }
INLINE v16 v16_div(v16 a, v16 b) { EACH_LANE a.at[i] /= b.at[i]; return a; }
INLINE v16 v16_fma(v16 a, v16 b, v16 c) {
    EACH_LANE c.at[i] = fmaf(a.at[i], b.at[i], c.at[i]);
    return c;
}
INLINE v16 v16_max(v16 a, v16 b) {
    EACH_LANE a.at[i] = a.at[i] > b.at[i] ? a.at[i] : b.at[i];
    return a;
}
INLINE v16 v16_min(v16 a, v16 b) {
    EACH_LANE a.at[i] = a.at[i] < b.at[i] ? a.at[i] : b.at[i];
    return a;
}

INLINE v16m v16_gt(v16 a, v16 b) { v16m m; EACH_LANE m.at[i] = a.at[i] > b.at[i]; return m; }
INLINE v16m v16_nan(v16 a) { v16m m; EACH_LANE m.at[i] = a.at[i] != a.at[i]; return m; }
INLINE v16m v16m_first(size_t n) { v16m m; EACH_LANE m.at[i] = i < n; return m; }
INLINE v16m v16m_or(v16m a, v16m b) { EACH_LANE a.at[i] |= b.at[i]; return a; }
INLINE bool v16m_any(v16m a) {
    uint32_t any = 0;
    EACH_LANE any |= a.at[i];
    return any != 0;
}
INLINE v16 v16_pick(v16m m, v16 yes, v16 no) {
    EACH_LANE no.at[i] = m.at[i] ? yes.at[i] : no.at[i];
    return no;
}

INLINE v16i v16_bits(v16 a) { v16i b; memcpy(&b, &a, sizeof b); return b; }
INLINE v16  v16_of_bits(v16i a) { v16 b; memcpy(&b, &a, sizeof b); return b; }
INLINE v16i v16i_all(int32_t a) { v16i v; EACH_LANE v.at[i] = (uint32_t)a; return v; }
INLINE v16i v16i_add(v16i a, v16i b) { EACH_LANE a.at[i] += b.at[i]; return a; }
INLINE v16i v16i_sub(v16i a, v16i b) { EACH_LANE a.at[i] -= b.at[i]; return a; }
INLINE v16i v16i_and(v16i a, v16i b) { EACH_LANE a.at[i] &= b.at[i]; return a; }
INLINE v16i v16i_or(v16i a, v16i b) { EACH_LANE a.at[i] |= b.at[i]; return a; }
INLINE v16i v16i_xor(v16i a, v16i b) { EACH_LANE a.at[i] ^= b.at[i]; return a; }
INLINE v16i v16i_left(v16i a, int by) { EACH_LANE a.at[i] <<= by; return a; }
INLINE v16i v16i_right(v16i a, int by) { EACH_LANE a.at[i] >>= by; return a; }   /* zeros enter */
INLINE v16  v16i_float(v16i a) { v16 v; EACH_LANE v.at[i] = (float)(int32_t)a.at[i]; return v; }

/* The number that half-precision bits stand for: exact; a subnormal is mantissa * 2^-24. */
INLINE float half_to_float(uint16_t h) {
    const uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, mantissa = h & 0x3ff;
    uint32_t bits = sign | (exponent + 112) << 23 | mantissa << 13;
    if (exponent == 31) bits = sign | 0x7f800000 | mantissa << 13;
    float f;
    memcpy(&f, &bits, sizeof f);
    if (exponent == 0) f = (sign ? -0x1p-24f : 0x1p-24f) * (float)mantissa;
    return f;
}
INLINE v16 v16_load_f16(const void *p) {
    uint16_t h[16];
    v16 v;
    memcpy(h, p, sizeof h);
    EACH_LANE v.at[i] = half_to_float(h[i]);
    return v;
}
INLINE v16 v16_load_bf16(const void *p) {
    uint16_t h[16];
    v16i v;
    memcpy(h, p, sizeof h);
    EACH_LANE v.at[i] = (uint32_t)h[i] << 16;
    return v16_of_bits(v);
}

/* One half-precision number in all lanes. */
INLINE v16 v16_half(const void *p) {
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return v16_all(half_to_float(h));
}
INLINE float half_at(const void *p) {
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return half_to_float(h);
}
INLINE v16i v16i_load_u8(const void *p) {
    const uint8_t *const b = p;
    v16i v;
    EACH_LANE v.at[i] = b[i];
    return v;
}
INLINE v16i v16i_load_i8(const void *p) {
    const int8_t *const b = p;
    v16i v;
    EACH_LANE v.at[i] = (uint32_t)(int32_t)b[i];
    return v;
}

/* The one tree: lanes 8 apart are added, then 4, 2, 1. */
INLINE float v16_tree(v16 a) {
    for (size_t half = 8; half; half /= 2)
        for (size_t i = 0; i < half; i++) a.at[i] += a.at[i + half];
    return a.at[0];
}
/* Lane i is the tree of v[i]. */
INLINE v16 v16_trees(const v16 v[16]) {
    v16 sums;
    EACH_LANE sums.at[i] = v16_tree(v[i]);
    return sums;
}
INLINE void v16_transpose(v16 v[16]) {
    for (size_t r = 0; r < 16; r++)
        for (size_t c = 0; c < r; c++) {
            const float f = v[r].at[c];
            v[r].at[c] = v[c].at[r];
            v[c].at[r] = f;
        }
}
#undef EACH_LANE
#endif
