#if defined(__aarch64__)
#define ISA           neon
#define VEC_NEON
#define ISA_SUPPORTED true
#include "kern_body.inc"
#else
typedef int kern_no_neon;
#endif
