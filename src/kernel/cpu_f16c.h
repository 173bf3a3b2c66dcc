/* cpu_f16c.h - whether the processor converts to and from half precision: clang before 15 cannot be asked by name. */
#ifndef SONDE_CPU_F16C_H
#define SONDE_CPU_F16C_H
#include <cpuid.h>
#include <stdbool.h>

static inline bool cpu_has_f16c(void) {
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_F16C);
}
#endif
