#include "sonde/random.h"
#include "philox.h"

uint64_t sonde_random_bits(uint64_t seed, uint64_t stream, uint64_t i) {
    const uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };
    const uint32_t counter[4] = { (uint32_t)i, (uint32_t)(i >> 32), (uint32_t)stream, (uint32_t)(stream >> 32) };
    const philox_block b = philox4x32(key, counter);
    return (uint64_t)b.word[1] << 32 | b.word[0];
}

double sonde_random_unit(uint64_t seed, uint64_t stream, uint64_t i) {
    return (double)(sonde_random_bits(seed, stream, i) >> 11) * 0x1p-53;
}

int64_t sonde_random_below(uint64_t seed, uint64_t stream, uint64_t i, int64_t n) {
    return (int64_t)(sonde_random_unit(seed, stream, i) * (double)n);
}

/* Fisher and Yates, as Durstenfeld has it (1964). */
void sonde_random_order(uint64_t seed, uint64_t stream, int64_t *out, int64_t n) {
    for (int64_t i = 0; i < n; i++) out[i] = i;
    for (int64_t i = 0; i < n - 1; i++) {
        const int64_t k = i + sonde_random_below(seed, stream, (uint64_t)i, n - i), x = out[i];
        out[i] = out[k];
        out[k] = x;
    }
}
