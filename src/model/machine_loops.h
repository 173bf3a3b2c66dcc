/* machine_loops.h - the loops of sonde/machine.h for a caller with a clock of its own. */
#ifndef SONDE_MACHINE_LOOPS_H
#define SONDE_MACHINE_LOOPS_H
#include <stddef.h>

/* Each goes once, on so many threads (0: all cores), and says what it did: floating-point operations; bytes. */
double machine_fma_work(int threads);
double machine_read_work(const void *data, size_t bytes, int threads);
#endif
