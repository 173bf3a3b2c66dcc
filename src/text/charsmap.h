/* charsmap.h - SentencePiece's precompiled_charsmap: texts and what stands in their place. */
#ifndef SONDE_CHARSMAP_H
#define SONDE_CHARSMAP_H
#include "sonde/error.h"
#include "base/arena.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct charsmap charsmap;

/* Copies the bytes. FORMAT: sizes that do not fit, texts that are not UTF-8 or have no end. */
sonde_status charsmap_new(charsmap **out, arena *into, const uint8_t *bytes, size_t n, sonde_error *err);

/* Length of the longest (`shortest`: the shortest) text of the map that text[0, n) begins with, 0 if none does; what
 * stands in its place, which may be empty. */
size_t charsmap_find(const charsmap *m, const char *text, size_t n, bool shortest, const char **with, size_t *with_len);
/* The bytes it was made of. */
const uint8_t *charsmap_blob(const charsmap *m, size_t *n);
#endif
