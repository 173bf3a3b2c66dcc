/* The loops that figures stand beside: what they give is a rate, whatever the threads and the buffer. */
#include "sonde/machine.h"
#include "test.h"
#include <stdlib.h>
#include <string.h>

static void fma_gives_a_rate(void) {
    for (int threads = 0; threads < 4; threads++) CHECK(sonde_machine_fma(threads) > 1e6);
}

static void more_is_read_than_nothing(void) {
    const size_t most = 3 << 20;
    char *buffer = malloc(most);
    CHECK(buffer);
    memset(buffer, 1, most);
    for (size_t bytes = 1 << 16; bytes <= most; bytes *= 4) CHECK(sonde_machine_read(buffer, bytes, 1) > 1e6);
    CHECK(sonde_machine_read(buffer, most, 0) > 1e6);
    free(buffer);
}

static void nothing_to_read_is_no_rate(void) {
    const char few[100] = { 0 };
    CHECK(sonde_machine_read(few, sizeof few, 1) == 0);
    CHECK(sonde_machine_read(few, 0, 1) == 0);
}

#define CASES(X) X(fma_gives_a_rate) X(more_is_read_than_nothing) X(nothing_to_read_is_no_rate)
TEST_MAIN(CASES)
