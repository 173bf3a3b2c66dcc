/* vec_double.h - registers of doubles as compilers know them, for the few loops that compute in double.
 *
 * VD_LANES of them to a vd; sixteen lanes are 16 / VD_LANES of those. Lane i does the same arithmetic on each instruction
 * set, and nothing is fused. Included behind vec.h. */
#ifndef SONDE_VEC_DOUBLE_H
#define SONDE_VEC_DOUBLE_H

#if defined(VEC_AVX512)
#define VD_LANES 8
#elif defined(VEC_AVX2)
#define VD_LANES 4
#else
#define VD_LANES 2
#endif
#define VD_INLINE static inline __attribute__((always_inline))

typedef double  vd __attribute__((vector_size(8 * VD_LANES)));
typedef int64_t vd_bits __attribute__((vector_size(8 * VD_LANES)));        /* of a comparison: -1 yes, 0 no */
typedef float   vd_floats __attribute__((vector_size(4 * VD_LANES)));

VD_INLINE vd vd_all(double x) { return x - (vd){ 0 }; }

VD_INLINE vd vd_of_floats(const float *x) {
    vd_floats f;
    memcpy(&f, x, sizeof f);
    return __builtin_convertvector(f, vd);
}

VD_INLINE vd vd_load(const double *x) {
    vd d;
    memcpy(&d, x, sizeof d);
    return d;
}

VD_INLINE vd vd_pick(vd_bits yes, vd a, vd b) { return (vd)((yes & (vd_bits)a) | (~yes & (vd_bits)b)); }
VD_INLINE vd vd_or_zero(vd_bits yes, vd a) { return (vd)(yes & (vd_bits)a); }
#endif
