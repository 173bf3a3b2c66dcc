/* random.h - draws as a pure function of a seed and a place: any order, any thread, every machine.
 *
 * Philox4x32-10 (Salmon, Moraes, Dror and Shaw, Parallel Random Numbers: As Easy as 1, 2, 3, 2011). */
#ifndef SONDE_RANDOM_H
#define SONDE_RANDOM_H
#include "sonde/error.h"
#include <stdint.h>

/* Draw i of a stream: 64 bits; uniform in [0, 1); a whole number in [0, n). Streams of one seed are independent. */
SONDE_API uint64_t sonde_random_bits(uint64_t seed, uint64_t stream, uint64_t i);
SONDE_API double   sonde_random_unit(uint64_t seed, uint64_t stream, uint64_t i);
SONDE_API int64_t  sonde_random_below(uint64_t seed, uint64_t stream, uint64_t i, int64_t n);
/* The numbers 0..n-1 in an order drawn by (seed, stream). */
SONDE_API void     sonde_random_order(uint64_t seed, uint64_t stream, int64_t *out, int64_t n);
#endif
