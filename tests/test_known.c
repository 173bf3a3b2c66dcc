/* Words that were encoded already in the same text, against encoding each. */
#include "base/file.h"
#include "test.h"
#include "text/known.h"
#include "text/tokenizer.h"
#include <stdlib.h>

static const tokenizer_options usual = { .plain = false }, listed = { .merges = true };
static sonde_error err;

static tokenizer *golden(void) {
    file_map f;
    tokenizer *t;
    CHECK_EQ(file_map_open(&f, SONDE_SOURCE_DIR "/tests/golden/tokenizer/tokenizer.json", &err), SONDE_OK);
    const tokenizer_files files = { .json = { (const char *)f.data, f.size, "tokenizer.json" } };
    CHECK_EQ(tokenizer_new(&t, &files, &err), SONDE_OK);
    file_map_close(&f);
    return t;
}

static bool same_spans(const token_list *a, const token_list *b) {
    bool same = a->n == b->n && a->n_words == b->n_words;
    for (size_t i = 0; same && i < a->n; i++)
        same = a->at[i].id == b->at[i].id && a->at[i].start == b->at[i].start && a->at[i].end == b->at[i].end;
    for (size_t i = 0; same && i < a->n_words; i++)
        same = a->words[i].start == b->words[i].start && a->words[i].end == b->words[i].end
            && a->words[i].first == b->words[i].first && a->words[i].n == b->words[i].n;
    return same;
}

/* Words come again in a long text and are looked up then; where merges are listed each is merged. Words of every length up
 * to what is looked up and beyond, with characters cut short at the end of the text. */
static void words_that_come_again_have_the_same_tokens(void) {
    static const char *const bits[] = { "the", "er", "in", "a", "q", "Mary", "caf\xc3\xa9", "\xe4\xb8\xad", "1732", "'s",
                                        "0", "\xf0\x9f\x98\x80", "\xff", "\n", ".", "kite", "<mask>", "            " };
    enum { SIZE = 200000 };
    tokenizer *t = golden();
    char *text = malloc(SIZE + 64);
    uint32_t seed = 11;
    CHECK(text);
    for (int round = 0; round < 8; round++) {
        size_t len = 0;
        while (len < SIZE) {
            seed = seed * 1664525u + 1013904223u;
            const uint32_t word = seed >> 20 & 255;         /* of 256, the later ones longer */
            uint32_t w = word * 2654435761u + (uint32_t)round;
            text[len++] = ' ';
            for (uint32_t n = 1 + word / 16; n > 0 && len < SIZE; n--, w = w * 1664525u + 1013904223u) {
                const char *part = bits[(w >> 24) % (sizeof bits / sizeof *bits)];
                memcpy(text + len, part, strlen(part));
                len += strlen(part);
            }
        }
        token_list again = { 0 }, merged = { 0 };
        arena *a = arena_new();
        const text_bytes whole = { text, len - (size_t)round };
        CHECK_EQ(tokenizer_encode(t, whole, usual, a, &again, &err), SONDE_OK);
        CHECK_EQ(tokenizer_encode(t, whole, listed, a, &merged, &err), SONDE_OK);
        CHECK(merged.n_merges > 0 && again.n > 10000);
        CHECK(same_spans(&again, &merged));
        arena_free(a);
    }
    free(text);
    tokenizer_free(t);
}

/* What is kept is found by all of its bytes, at the end of the text as within it. */
static void a_word_is_found_by_its_bytes(void) {
    static char text[4096];
    for (size_t i = 0; i < sizeof text; i++) text[i] = (char)('a' + i * i % 7);
    const char *const end = text + sizeof text;
    known_words k = known_new(1 << 20);
    CHECK(k.at);
    bool found;
    for (size_t len = 1; len <= KNOWN_LONGEST; len++) {
        known_find(&k, text + 100, len, end, &found)->n = 1;
        CHECK(!found);
        known_find(&k, text + 100, len, end, &found);
        CHECK(found);
        text[100 + len / 2] ^= 1;
        known_find(&k, text + 100, len, end, &found)->n = len > 15 ? 0 : 1;
        CHECK(!found);
        text[100 + len / 2] ^= 1;
    }
    memcpy(text + sizeof text - 9, "\0ab\0abcd", 9);
    for (size_t len = 1; len < 9; len++) {
        known_find(&k, end - len, len, end, &found)->n = 1;
        CHECK(!found);
        memcpy(text, end - len, len);
        known_find(&k, text, len, end, &found);
        CHECK(found);
    }
    known_free(&k);
    CHECK(!known_new(10).at);
}

/* In a small table many words want one place: what is found is always this word's. */
static void words_of_one_place_are_told_apart(void) {
    static char text[64 * 1024];
    known_words k = known_new(1 << 10);
    CHECK(k.at);
    int hits = 0;
    for (int round = 0; round < 3; round++)
        for (int32_t i = 0; i < 1024; i++) {
            char *word = text + 64 * i;
            const size_t len = 9 + (size_t)i % 20;
            snprintf(word, 64, "samehead%04dand a longer tail", (int)i);
            for (int twice = 0; twice < 2; twice++) {
                bool found;
                known_word *w = known_find(&k, word, len, text + sizeof text, &found);
                if (found && len >= 12) CHECK_EQ(w->id[0], i);
                if (found) CHECK_EQ(w->len[0], (int)len);
                hits += found;
                w->n = 1;
                w->id[0] = i;
                w->len[0] = (uint8_t)len;
            }
        }
    CHECK(hits >= 3 * 1024);
    known_free(&k);
}

#define TESTS(T) T(words_of_one_place_are_told_apart) T(words_that_come_again_have_the_same_tokens) T(a_word_is_found_by_its_bytes)
TEST_MAIN(TESTS)
