#if defined(__x86_64__)
#define ISA           avx2
#define VEC_AVX2
#define ISA_SUPPORTED __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && \
                      __builtin_cpu_supports("f16c")
#include "kern_body.inc"
#else
typedef int kern_no_avx2;
#endif
