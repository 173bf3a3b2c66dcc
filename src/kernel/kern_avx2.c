#if defined(__x86_64__)
#include "cpu_f16c.h"
#define ISA           avx2
#define VEC_AVX2
#define ISA_SUPPORTED __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && \
                      cpu_has_f16c()
#include "kern_body.inc"
#else
typedef int kern_no_avx2;
#endif
