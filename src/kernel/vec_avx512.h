/* vec_avx512.h - v16 as one zmm (F, BW, VL, DQ). */
#ifndef SONDE_VEC_AVX512_H
#define SONDE_VEC_AVX512_H
#include <immintrin.h>

typedef __m512    v16;
typedef __m512i   v16i;
typedef __mmask16 v16m;

INLINE v16m v16m_first(size_t n) { return (v16m)((1u << n) - 1); }           /* n <= 16 */

INLINE v16  v16_all(float a) { return _mm512_set1_ps(a); }
INLINE v16  v16_load(const void *p) { return _mm512_loadu_ps(p); }
INLINE void v16_store(float *p, v16 a) { _mm512_storeu_ps(p, a); }
INLINE v16  v16_load_first(const void *p, size_t n) { return _mm512_maskz_loadu_ps(v16m_first(n), p); }
INLINE void v16_store_first(float *p, v16 a, size_t n) { _mm512_mask_storeu_ps(p, v16m_first(n), a); }

INLINE v16 v16_add(v16 a, v16 b) { return _mm512_add_ps(a, b); }
INLINE v16 v16_sub(v16 a, v16 b) { return _mm512_sub_ps(a, b); }
INLINE v16 v16_mul(v16 a, v16 b) { return _mm512_mul_ps(a, b); }
INLINE v16 v16_div(v16 a, v16 b) { return _mm512_div_ps(a, b); }
INLINE v16 v16_fma(v16 a, v16 b, v16 c) { return _mm512_fmadd_ps(a, b, c); }
INLINE v16 v16_max(v16 a, v16 b) { return _mm512_max_ps(a, b); }
INLINE v16 v16_min(v16 a, v16 b) { return _mm512_min_ps(a, b); }

INLINE v16m v16_gt(v16 a, v16 b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
INLINE v16m v16_nan(v16 a) { return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q); }
INLINE v16m v16m_or(v16m a, v16m b) { return (v16m)(a | b); }
INLINE bool v16m_any(v16m a) { return a != 0; }
INLINE v16  v16_pick(v16m m, v16 yes, v16 no) { return _mm512_mask_blend_ps(m, no, yes); }

INLINE v16i v16_bits(v16 a) { return _mm512_castps_si512(a); }
INLINE v16  v16_of_bits(v16i a) { return _mm512_castsi512_ps(a); }
INLINE v16i v16i_all(int32_t a) { return _mm512_set1_epi32(a); }
INLINE v16i v16i_add(v16i a, v16i b) { return _mm512_add_epi32(a, b); }
INLINE v16i v16i_sub(v16i a, v16i b) { return _mm512_sub_epi32(a, b); }
INLINE v16i v16i_and(v16i a, v16i b) { return _mm512_and_si512(a, b); }
INLINE v16i v16i_or(v16i a, v16i b) { return _mm512_or_si512(a, b); }
INLINE v16i v16i_xor(v16i a, v16i b) { return _mm512_xor_si512(a, b); }
INLINE v16i v16i_left(v16i a, int by) { return _mm512_slli_epi32(a, (unsigned)by); }
INLINE v16i v16i_right(v16i a, int by) { return _mm512_srli_epi32(a, (unsigned)by); }
INLINE v16  v16i_float(v16i a) { return _mm512_cvtepi32_ps(a); }

INLINE v16 v16_load_f16(const void *p) { return _mm512_cvtph_ps(_mm256_loadu_si256(p)); }
INLINE v16 v16_load_bf16(const void *p) {
    return v16_of_bits(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(p)), 16));
}

/* One half-precision number in all lanes. */
INLINE v16 v16_half(const void *p) {
    short h;
    memcpy(&h, p, sizeof h);
    return _mm512_cvtph_ps(_mm256_set1_epi16(h));
}
/* The half-precision number at p, where 8 bytes may be read. */
INLINE float half_at(const void *p) { return _mm_cvtss_f32(_mm_cvtph_ps(_mm_loadl_epi64(p))); }
INLINE v16i v16i_load_u8(const void *p) { return _mm512_cvtepu8_epi32(_mm_loadu_si128(p)); }
INLINE v16i v16i_load_i8(const void *p) { return _mm512_cvtepi8_epi32(_mm_loadu_si128(p)); }
/* Lane i is the lane of `table` that the low four bits of at[i] name. */
INLINE v16 v16_lookup(v16 table, v16i at) { return _mm512_permutexvar_ps(at, table); }

/* The one tree: lanes 8 apart are added, then 4, 2, 1. */
INLINE float v16_tree(v16 a) {
    const __m256 s8 = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    const __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
    const __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
    return _mm_cvtss_f32(_mm_add_ss(s2, _mm_movehdup_ps(s2)));
}

INLINE __m512 join_pd(__m512 a, __m512 b, const int high) {
    const __m512d x = _mm512_castps_pd(a), y = _mm512_castps_pd(b);
    return _mm512_castpd_ps(high ? _mm512_unpackhi_pd(x, y) : _mm512_unpacklo_pd(x, y));
}
/* Lane i is the tree of v[i]: each step halves two vectors into one (30 shuffles, 15 additions).
 * After `4 apart`, quarter q of f[t] holds four partial sums of v[4q + t]. */
INLINE v16 v16_trees(const v16 v[16]) {
    v16 e[8], f[4], g[2];
    UNROLL for (int t = 0; t < 4; t++) UNROLL for (int h = 0; h < 2; h++) {
        const v16 a = v[8 * h + t], b = v[8 * h + 4 + t];
        e[2 * t + h] = v16_add(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
    }
    UNROLL for (int t = 0; t < 4; t++) {
        const v16 a = e[2 * t], b = e[2 * t + 1];
        f[t] = v16_add(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
    }
    UNROLL for (int t = 0; t < 2; t++)
        g[t] = v16_add(join_pd(f[2 * t], f[2 * t + 1], 0), join_pd(f[2 * t], f[2 * t + 1], 1));
    return v16_add(_mm512_shuffle_ps(g[0], g[1], 0x88), _mm512_shuffle_ps(g[0], g[1], 0xdd));
}

INLINE void transpose4(v16 v[4]) {                      /* 4 x 4 floats in every 128 bits */
    const v16 a = _mm512_unpacklo_ps(v[0], v[1]), b = _mm512_unpackhi_ps(v[0], v[1]);
    const v16 c = _mm512_unpacklo_ps(v[2], v[3]), d = _mm512_unpackhi_ps(v[2], v[3]);
    v[0] = join_pd(a, c, 0);
    v[1] = join_pd(a, c, 1);
    v[2] = join_pd(b, d, 0);
    v[3] = join_pd(b, d, 1);
}
INLINE void v16_transpose(v16 v[16]) {
    UNROLL for (int r = 0; r < 16; r += 4) transpose4(v + r);
    UNROLL for (int j = 0; j < 4; j++) {                /* quarter q of v[r + j]: column j + 4q of rows r.. */
        const v16 a = _mm512_shuffle_f32x4(v[j], v[4 + j], 0x88);
        const v16 b = _mm512_shuffle_f32x4(v[8 + j], v[12 + j], 0x88);
        const v16 c = _mm512_shuffle_f32x4(v[j], v[4 + j], 0xdd);
        const v16 d = _mm512_shuffle_f32x4(v[8 + j], v[12 + j], 0xdd);
        v[j]      = _mm512_shuffle_f32x4(a, b, 0x88);
        v[8 + j]  = _mm512_shuffle_f32x4(a, b, 0xdd);
        v[4 + j]  = _mm512_shuffle_f32x4(c, d, 0x88);
        v[12 + j] = _mm512_shuffle_f32x4(c, d, 0xdd);
    }
}
#endif
