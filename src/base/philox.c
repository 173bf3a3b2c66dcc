/* Salmon, Moraes, Dror and Shaw, Parallel random numbers: as easy as 1, 2, 3, 2011: Philox4x32 with 10 rounds. */
#include "philox.h"

philox_block philox4x32(const uint32_t key[2], const uint32_t counter[4]) {
    philox_block b = { { counter[0], counter[1], counter[2], counter[3] } };
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)0xd2511f53u * b.word[0];
        const uint64_t p1 = (uint64_t)0xcd9e8d57u * b.word[2];
        b = (philox_block){ { (uint32_t)(p1 >> 32) ^ b.word[1] ^ k0, (uint32_t)p1,
                              (uint32_t)(p0 >> 32) ^ b.word[3] ^ k1, (uint32_t)p0 } };
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
    return b;
}
