#if defined(__x86_64__)
#include "cpu_f16c.h"
#define ISA           avx512
#define VEC_AVX512
#define ISA_SUPPORTED __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && \
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") && \
                      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && \
                      cpu_has_f16c()
#include "kern_body.inc"
#else
typedef int kern_no_avx512;
#endif
