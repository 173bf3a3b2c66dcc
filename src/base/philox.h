/* philox.h - random numbers as a pure function of a key and a counter: no state, any order, any thread. */
#ifndef SONDE_PHILOX_H
#define SONDE_PHILOX_H
#include <stdint.h>

typedef struct { uint32_t word[4]; } philox_block;

/* Philox4x32-10. */
philox_block philox4x32(const uint32_t key[2], const uint32_t counter[4]);
#endif
