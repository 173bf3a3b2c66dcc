/* vec_avx2.h - v16 as two ymm (AVX2, FMA, F16C). */
#ifndef SONDE_VEC_AVX2_H
#define SONDE_VEC_AVX2_H
#include <immintrin.h>

typedef struct { __m256 lo, hi; } v16;
typedef struct { __m256i lo, hi; } v16i;
typedef struct { __m256 lo, hi; } v16m;                 /* all bits of a lane, or none */

#define BOTH(type, f, ...) (type){ f(lo, __VA_ARGS__), f(hi, __VA_ARGS__) }
#define ONE(half, op, a)         op((a).half)
#define TWO(half, op, a, b)      op((a).half, (b).half)
#define THREE(half, op, a, b, c) op((a).half, (b).half, (c).half)

INLINE v16i v16i_all(int32_t a) { return (v16i){ _mm256_set1_epi32(a), _mm256_set1_epi32(a) }; }
INLINE v16m v16m_first(size_t n) {
    static const int32_t steps[32] = {
        -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    };
    const float *const at = (const float *)(const void *)(steps + 16 - n);
    return (v16m){ _mm256_loadu_ps(at), _mm256_loadu_ps(at + 8) };
}

INLINE v16  v16_all(float a) { return (v16){ _mm256_set1_ps(a), _mm256_set1_ps(a) }; }
INLINE v16  v16_load(const void *p) {
    const float *const f = p;
    return (v16){ _mm256_loadu_ps(f), _mm256_loadu_ps(f + 8) };
}
INLINE void v16_store(float *p, v16 a) {
    _mm256_storeu_ps(p, a.lo);
    _mm256_storeu_ps(p + 8, a.hi);
}
INLINE v16 v16_load_first(const void *p, size_t n) {
    const v16m m = v16m_first(n);
    const float *const f = p;
    return (v16){ _mm256_maskload_ps(f, _mm256_castps_si256(m.lo)),
                  _mm256_maskload_ps(f + 8, _mm256_castps_si256(m.hi)) };
}
INLINE void v16_store_first(float *p, v16 a, size_t n) {
    const v16m m = v16m_first(n);
    _mm256_maskstore_ps(p, _mm256_castps_si256(m.lo), a.lo);
    _mm256_maskstore_ps(p + 8, _mm256_castps_si256(m.hi), a.hi);
}

INLINE v16 v16_add(v16 a, v16 b) { return BOTH(v16, TWO, _mm256_add_ps, a, b); }
INLINE v16 v16_sub(v16 a, v16 b) { return BOTH(v16, TWO, _mm256_sub_ps, a, b); }
INLINE v16 v16_mul(v16 a, v16 b) { return BOTH(v16, TWO, _mm256_mul_ps, a, b); }
INLINE v16 v16_div(v16 a, v16 b) { return BOTH(v16, TWO, _mm256_div_ps, a, b); }
INLINE v16 v16_fma(v16 a, v16 b, v16 c) { return BOTH(v16, THREE, _mm256_fmadd_ps, a, b, c); }
INLINE v16 v16_max(v16 a, v16 b) { return BOTH(v16, TWO, _mm256_max_ps, a, b); }
INLINE v16 v16_min(v16 a, v16 b) { return BOTH(v16, TWO, _mm256_min_ps, a, b); }

INLINE v16m v16_gt(v16 a, v16 b) {
    return (v16m){ _mm256_cmp_ps(a.lo, b.lo, _CMP_GT_OQ), _mm256_cmp_ps(a.hi, b.hi, _CMP_GT_OQ) };
}
INLINE v16m v16_nan(v16 a) {
    return (v16m){ _mm256_cmp_ps(a.lo, a.lo, _CMP_UNORD_Q), _mm256_cmp_ps(a.hi, a.hi, _CMP_UNORD_Q) };
}
INLINE v16m v16m_or(v16m a, v16m b) { return BOTH(v16m, TWO, _mm256_or_ps, a, b); }
INLINE bool v16m_any(v16m a) { return _mm256_movemask_ps(_mm256_or_ps(a.lo, a.hi)) != 0; }
INLINE v16  v16_pick(v16m m, v16 yes, v16 no) { return BOTH(v16, THREE, _mm256_blendv_ps, no, yes, m); }

INLINE v16i v16_bits(v16 a) { return BOTH(v16i, ONE, _mm256_castps_si256, a); }
INLINE v16  v16_of_bits(v16i a) { return BOTH(v16, ONE, _mm256_castsi256_ps, a); }
INLINE v16i v16i_add(v16i a, v16i b) { return BOTH(v16i, TWO, _mm256_add_epi32, a, b); }
INLINE v16i v16i_sub(v16i a, v16i b) { return BOTH(v16i, TWO, _mm256_sub_epi32, a, b); }
INLINE v16i v16i_and(v16i a, v16i b) { return BOTH(v16i, TWO, _mm256_and_si256, a, b); }
INLINE v16i v16i_or(v16i a, v16i b) { return BOTH(v16i, TWO, _mm256_or_si256, a, b); }
INLINE v16i v16i_xor(v16i a, v16i b) { return BOTH(v16i, TWO, _mm256_xor_si256, a, b); }
INLINE v16i v16i_left(v16i a, int by) {
    return (v16i){ _mm256_slli_epi32(a.lo, by), _mm256_slli_epi32(a.hi, by) };
}
INLINE v16i v16i_right(v16i a, int by) {
    return (v16i){ _mm256_srli_epi32(a.lo, by), _mm256_srli_epi32(a.hi, by) };
}
INLINE v16  v16i_float(v16i a) { return BOTH(v16, ONE, _mm256_cvtepi32_ps, a); }

INLINE v16 v16_load_f16(const void *p) {
    const __m128i *const h = p;
    return (v16){ _mm256_cvtph_ps(_mm_loadu_si128(h)), _mm256_cvtph_ps(_mm_loadu_si128(h + 1)) };
}
INLINE v16 v16_load_bf16(const void *p) {
    const __m128i *const h = p;
    const v16i v = { _mm256_cvtepu16_epi32(_mm_loadu_si128(h)),
                     _mm256_cvtepu16_epi32(_mm_loadu_si128(h + 1)) };
    return v16_of_bits(v16i_left(v, 16));
}

/* One half-precision number in all lanes. */
INLINE v16 v16_half(const void *p) {
    short h;
    memcpy(&h, p, sizeof h);
    const __m256 f = _mm256_cvtph_ps(_mm_set1_epi16(h));
    return (v16){ f, f };
}
/* The half-precision number at p, where 8 bytes may be read. */
INLINE float half_at(const void *p) { return _mm_cvtss_f32(_mm_cvtph_ps(_mm_loadl_epi64(p))); }
INLINE v16i v16i_load_u8(const void *p) {
    const __m128i b = _mm_loadu_si128(p);
    return (v16i){ _mm256_cvtepu8_epi32(b), _mm256_cvtepu8_epi32(_mm_srli_si128(b, 8)) };
}
INLINE v16i v16i_load_i8(const void *p) {
    const __m128i b = _mm_loadu_si128(p);
    return (v16i){ _mm256_cvtepi8_epi32(b), _mm256_cvtepi8_epi32(_mm_srli_si128(b, 8)) };
}

/* The one tree: lanes 8 apart are added, then 4, 2, 1. */
INLINE float v16_tree(v16 a) {
    const __m256 s8 = _mm256_add_ps(a.lo, a.hi);
    const __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
    const __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
    return _mm_cvtss_f32(_mm_add_ss(s2, _mm_movehdup_ps(s2)));
}

INLINE __m256 join_pd(__m256 a, __m256 b, const int high) {
    const __m256d x = _mm256_castps_pd(a), y = _mm256_castps_pd(b);
    return _mm256_castpd_ps(high ? _mm256_unpackhi_pd(x, y) : _mm256_unpacklo_pd(x, y));
}
/* Lane i is the tree of v[i], for eight of them: each step halves two vectors into one. */
INLINE __m256 trees8(const v16 v[8]) {
    __m256 f[4], g[2];
    UNROLL for (int t = 0; t < 4; t++) {
        const __m256 a = _mm256_add_ps(v[t].lo, v[t].hi);
        const __m256 b = _mm256_add_ps(v[4 + t].lo, v[4 + t].hi);
        f[t] = _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20),
                             _mm256_permute2f128_ps(a, b, 0x31));
    }
    UNROLL for (int t = 0; t < 2; t++)
        g[t] = _mm256_add_ps(join_pd(f[2 * t], f[2 * t + 1], 0),
                             join_pd(f[2 * t], f[2 * t + 1], 1));
    return _mm256_add_ps(_mm256_shuffle_ps(g[0], g[1], 0x88), _mm256_shuffle_ps(g[0], g[1], 0xdd));
}
INLINE v16 v16_trees(const v16 v[16]) { return (v16){ trees8(v), trees8(v + 8) }; }

INLINE void transpose8(__m256 v[8]) {
    UNROLL for (int r = 0; r < 8; r += 4) {             /* 4 x 4 floats in every 128 bits */
        const __m256 a = _mm256_unpacklo_ps(v[r], v[r + 1]);
        const __m256 b = _mm256_unpackhi_ps(v[r], v[r + 1]);
        const __m256 c = _mm256_unpacklo_ps(v[r + 2], v[r + 3]);
        const __m256 d = _mm256_unpackhi_ps(v[r + 2], v[r + 3]);
        v[r]     = join_pd(a, c, 0);
        v[r + 1] = join_pd(a, c, 1);
        v[r + 2] = join_pd(b, d, 0);
        v[r + 3] = join_pd(b, d, 1);
    }
    UNROLL for (int j = 0; j < 4; j++) {
        const __m256 a = v[j], b = v[4 + j];
        v[j]     = _mm256_permute2f128_ps(a, b, 0x20);
        v[4 + j] = _mm256_permute2f128_ps(a, b, 0x31);
    }
}
INLINE void v16_transpose(v16 v[16]) {
    __m256 a[8], b[8];
    UNROLL for (int i = 0; i < 8; i++) { a[i] = v[i].lo; b[i] = v[8 + i].hi; }
    transpose8(a);
    transpose8(b);
    UNROLL for (int i = 0; i < 8; i++) {
        v[i].lo = a[i];
        a[i]    = v[i].hi;
        v[8 + i].hi = b[i];
        b[i]        = v[8 + i].lo;
    }
    transpose8(a);
    transpose8(b);
    UNROLL for (int i = 0; i < 8; i++) { v[8 + i].lo = a[i]; v[i].hi = b[i]; }
}
#undef BOTH
#undef ONE
#undef TWO
#undef THREE
#endif
