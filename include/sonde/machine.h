/* machine.h - what this machine can do at most, for figures to stand beside.
 *
 * Each call measures once, so that it can take turns with what it is compared with. `threads` as in a session's options;
 * the loops are those of the instruction set that runs. */
#ifndef SONDE_MACHINE_H
#define SONDE_MACHINE_H
#include "sonde/error.h"
#include <stddef.h>

/* Operations a second (an addition or a multiplication is one) of fma in registers, every thread at it for about 10 ms. */
SONDE_API double sonde_machine_fma(int threads);
/* Bytes a second of a loop that only reads the buffer in order, each thread a part of it: once, a smaller one as often as
 * makes 64 MB. 0 where it has less than 8 KB a thread. */
SONDE_API double sonde_machine_read(const void *data, size_t bytes, int threads);
#endif
