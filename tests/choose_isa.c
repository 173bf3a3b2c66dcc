/* Every test program runs the kernels that SONDE_ISA names, as the command does. */
#include "sonde/session.h"
#include <stdio.h>
#include <stdlib.h>

__attribute__((constructor)) static void choose(void) {
    const char *isa = getenv("SONDE_ISA");
    sonde_error err = { 0 };
    if (!isa || !*isa || sonde_isa_choose(isa, &err) == SONDE_OK) return;
    fprintf(stderr, "SONDE_ISA: %s\n", err.message);
    exit(2);
}
