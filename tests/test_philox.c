#include "test.h"
#include "base/philox.h"
#include "sonde/random.h"

/* Random123's kat_vectors, "philox4x32 10": counter, key, answer. */
static void known_answers(void) {
    static const uint32_t rows[3][10] = {
        { 0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 },
        { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff,
          0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd },
        { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0,
          0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 },
    };
    for (int i = 0; i < 3; i++) {
        const philox_block b = philox4x32(rows[i] + 4, rows[i]);
        for (int k = 0; k < 4; k++) CHECK_EQ(b.word[k], rows[i][6 + k]);
    }
}

static void every_word_of_key_and_counter_counts(void) {
    const uint32_t zero[4] = { 0 };
    const philox_block base = philox4x32(zero, zero);
    for (int i = 0; i < 6; i++) {
        uint32_t word[6] = { 0 };
        word[i] = 1;
        const philox_block b = philox4x32(word + 4, word);
        for (int k = 0; k < 4; k++) CHECK(b.word[k] != base.word[k]);
    }
}

/* Counts of each place of each number over many orders: 20 sigma would be a fault. */
static void orders_are_even(void) {
    enum { N = 5, DRAWS = 20000 };
    int count[N][N] = { { 0 } };
    for (uint64_t stream = 0; stream < DRAWS; stream++) {
        int64_t order[N], seen = 0;
        sonde_random_order(7, stream, order, N);
        for (int i = 0; i < N; i++) {
            count[i][order[i]]++;
            seen |= 1 << order[i];
        }
        CHECK_EQ(seen, (1 << N) - 1);
    }
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++) CHECK_NEAR(count[i][k], DRAWS / N, 250);
}

static void units_are_in_their_interval(void) {
    double sum = 0;
    for (uint64_t i = 0; i < 10000; i++) {
        const double u = sonde_random_unit(3, 1, i);
        CHECK(u >= 0 && u < 1);
        sum += u;
    }
    CHECK_NEAR(sum / 10000, .5, .015);
    CHECK(sonde_random_bits(1, 2, 3) != sonde_random_bits(1, 3, 2) && sonde_random_bits(1, 2, 3) != sonde_random_bits(2, 2, 3));
}

#define TESTS(X) \
    X(known_answers) X(orders_are_even) X(units_are_in_their_interval) \
    X(every_word_of_key_and_counter_counts)
TEST_MAIN(TESTS)
