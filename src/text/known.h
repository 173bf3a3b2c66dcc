/* known.h - the words of one call that were encoded already, so that a word that comes again is looked up.
 *
 * A table of fixed size in which a newer word takes the place of an older one. Belongs to one call on one thread. */
#ifndef SONDE_KNOWN_H
#define SONDE_KNOWN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KNOWN_TOKENS = 8, KNOWN_LONGEST = 255 };

/* The tokens of a word tile it; len holds those of all but the last. */
typedef struct {
    uint64_t    key[2];
    const char *at;                     /* the word, where it does not fit into the key */
    uint8_t     n, len[KNOWN_TOKENS - 1];
    int32_t     id[KNOWN_TOKENS];
} known_word;

typedef struct {
    known_word *at;                     /* NULL: nothing is kept */
    size_t      mask;
} known_words;

/* For a text of so many bytes; a short one is not worth a table, and no memory means none. */
known_words known_new(size_t text_len);
void        known_free(known_words *k);

/* The place of a word of 1 to KNOWN_LONGEST bytes; `*found`: it holds the tokens, else the caller fills in n, len and id or
 * sets n to 0. The word must stay where it is; `end`: what may be read behind it. */
known_word *known_find(const known_words *k, const char *word, size_t len, const char *end, bool *found);
#endif
