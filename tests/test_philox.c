#include "test.h"
#include "base/philox.h"

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

#define TESTS(X) \
    X(known_answers) \
    X(every_word_of_key_and_counter_counts)
TEST_MAIN(TESTS)
