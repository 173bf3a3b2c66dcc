/* Words of up to 15 bytes are their own key, with the length in the last byte; longer ones have a hash for a key and are
 * compared where they lie. */
#include "known.h"
#include <stdlib.h>
#include <string.h>

enum { SHORT = 15, FEWEST_BYTES = 1 << 10, MOST_WORDS = 1 << 15, BYTES_A_WORD = 16 };

static const uint64_t FIRST = 0x9e3779b97f4a7c15u, SECOND = 0xbf58476d1ce4e5b9u;

known_words known_new(size_t text_len) {
    known_words k = { 0 };
    if (text_len < FEWEST_BYTES) return k;
    size_t n = FEWEST_BYTES / BYTES_A_WORD;
    while (n < MOST_WORDS && n < text_len / BYTES_A_WORD) n *= 2;
    k.at = calloc(n, sizeof *k.at);
    k.mask = n - 1;
    return k;
}

void known_free(known_words *k) {
    free(k->at);
    *k = (known_words){ 0 };
}

static uint64_t load(const char *p, size_t n) {
    uint64_t x = 0;
    memcpy(&x, p, n);
    return x;
}

static uint64_t mixed(uint64_t a, uint64_t b) {
    uint64_t h = (a ^ b * SECOND) * FIRST;
    h ^= h >> 32;
    return h * SECOND;
}

/* The word, zeros, its length: sixteen bytes without a branch where as many may be read. */
static void short_key(const char *word, size_t len, const char *end, uint64_t key[2]) {
    static const char keep[32] = { -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 };
    static const char length[SHORT + 1][8] = {
        { 0 }, { [7] = 1 }, { [7] = 2 }, { [7] = 3 }, { [7] = 4 }, { [7] = 5 }, { [7] = 6 }, { [7] = 7 }, { [7] = 8 },
        { [7] = 9 }, { [7] = 10 }, { [7] = 11 }, { [7] = 12 }, { [7] = 13 }, { [7] = 14 }, { [7] = 15 },
    };
    if (end - word >= 16) {
        key[0] = load(word, 8) & load(keep + 16 - len, 8);
        key[1] = load(word + 8, 8) & load(keep + 24 - len, 8);
    } else {
        key[0] = load(word, len < 8 ? len : 8);
        key[1] = len > 8 ? load(word + 8, len - 8) : 0;
    }
    key[1] |= load(length[len], 8);
}

static void long_key(const char *word, size_t len, uint64_t key[2]) {
    static const char above[8] = { [7] = SHORT + 1 };
    uint64_t h = 0;
    for (size_t i = 0; i + 8 < len; i += 8) h = mixed(h, load(word + i, 8));
    key[0] = mixed(h, load(word + len - 8, 8));
    key[1] = len | load(above, 8);
}

known_word *known_find(const known_words *k, const char *word, size_t len, const char *end, bool *found) {
    uint64_t key[2];
    if (len <= SHORT) short_key(word, len, end, key); else long_key(word, len, key);
    known_word *w = &k->at[mixed(key[0], key[1]) >> 32 & k->mask];
    *found = w->key[0] == key[0] && w->key[1] == key[1] && w->n && (len <= SHORT || memcmp(w->at, word, len) == 0);
    if (*found) return w;
    w->key[0] = key[0];
    w->key[1] = key[1];
    w->at = word;
    return w;
}
