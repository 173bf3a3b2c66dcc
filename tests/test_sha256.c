#include "test.h"
#include "base/sha256.h"

static const char *hex_of(sha256 *h) {
    static char text[65];
    uint8_t digest[32];
    sonde_error err = { 0 };
    CHECK_EQ(sha256_end(h, digest, &err), SONDE_OK);
    sha256_hex(digest, text);
    return text;
}

/* FIPS 180-2, appendix B, and the empty message. */
static void known_answers(void) {
    CHECK_STR(hex_of(sha256_new()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256 *h = sha256_new();
    sha256_add(h, "abc", 3);
    CHECK_STR(hex_of(h), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void pieces_make_the_whole(void) {
    char block[1000];
    memset(block, 'a', sizeof block);
    sha256 *h = sha256_new();
    for (size_t left = 1000000, n = 1; left > 0; left -= n, n = n % 999 + 1) {
        if (n > left) n = left;
        sha256_add(h, block, n);
    }
    CHECK_STR(hex_of(h), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

#define TESTS(X) \
    X(known_answers) \
    X(pieces_make_the_whole)
TEST_MAIN(TESTS)
