/* trie.h - a set of texts, walked byte by byte. Read-only once made. */
#ifndef SONDE_TRIE_H
#define SONDE_TRIE_H
#include "sonde/error.h"
#include "base/arena.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct { const char *text; size_t len; int32_t value; } trie_word;      /* value >= 0 */
typedef struct trie trie;

/* Sorts `words`; the texts are not kept. Of two with one text the one with the smaller value stays, empty ones are left
 * out. UNSUPPORTED: more than 2^31 bytes. */
sonde_status trie_new(const trie **out, arena *into, trie_word *words, size_t n, sonde_error *err);

/* Node 0 is the root. False: no text goes on with this byte, and *node stays. */
bool         trie_step(const trie *t, uint32_t *node, char byte);
int32_t      trie_value(const trie *t, uint32_t node);                          /* -1: no text ends here */
/* Length of the longest of them that text[0, n) begins with, 0 if none does. */
size_t       trie_longest(const trie *t, const char *text, size_t n, int32_t *value);
#endif
