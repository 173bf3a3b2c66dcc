/* vec.h - sixteen floats, whatever the processor's registers are.
 *
 * v16 is one zmm, two ymm, four NEON registers or sixteen scalars; v16i is the same with 32-bit
 * integers (wrapping), v16m says yes or no per lane. Lane i does the same arithmetic on each, so a
 * body written with them gives the same bits everywhere. fma is fused on every one of them
 * (scalar: fmaf). v16_max(a, b) is a > b ? a : b, v16_min alike. The including file of an
 * instruction set names it: VEC_AVX512, VEC_AVX2, VEC_NEON or none (scalar), so compiler flags
 * decide nothing. */
#ifndef SONDE_VEC_H
#define SONDE_VEC_H
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>


/* UNROLL stands before a loop over registers, which must disappear. Scalar C has no registers to
 * save, and inlined sixteen times over it takes minutes to compile. */
#if defined(VEC_AVX512) || defined(VEC_AVX2) || defined(VEC_NEON)
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")
#else
#define INLINE __attribute__((noinline, unused)) static
#define UNROLL
#endif

#if defined(VEC_AVX512)
#include "vec_avx512.h"
#elif defined(VEC_AVX2)
#include "vec_avx2.h"
#elif defined(VEC_NEON)
#include "vec_neon.h"
#else
#include "vec_scalar.h"
#endif

INLINE v16 v16_zero(void) { return v16_all(0); }

/* Lanes below n only: the others keep c, so nothing is padded and no -0 or NaN appears. */
INLINE v16 v16_fma_first(v16 a, v16 b, v16 c, size_t n) {
    return v16_pick(v16m_first(n), v16_fma(a, b, c), c);
}

INLINE v16 v16_abs(v16 a) {
    return v16_of_bits(v16i_and(v16_bits(a), v16i_all(0x7fffffff)));
}
INLINE v16 v16_neg(v16 a) {
    return v16_of_bits(v16i_xor(v16_bits(a), v16i_all(INT32_MIN)));
}
/* |a| with the sign of s */
INLINE v16 v16_signed(v16 a, v16 s) {
    const v16i sign = v16i_and(v16_bits(s), v16i_all(INT32_MIN));
    return v16_of_bits(v16i_or(v16_bits(v16_abs(a)), sign));
}
#endif
