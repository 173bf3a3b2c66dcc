/* pairs.h - pairs of texts with a word in common, and whether it is used alike in both (word in context: Pilehvar and
 * Camacho-Collados, 2019). JSON lines, one object a pair: `a`, `b` (texts), `same` (true or false), `word`, or where it
 * stands in bytes (`a_start`, `a_end`, `b_start`, `b_end`), perhaps `group`. Read-only after it is made; any thread. */
#ifndef SONDE_PAIRS_H
#define SONDE_PAIRS_H
#include "sonde/error.h"
#include <stdbool.h>
#include <stddef.h>

typedef struct sonde_pairs sonde_pairs;

typedef struct { const char *text; size_t len, start, end; } sonde_use;         /* the word: bytes [start, end) */
typedef struct {
    sonde_use   use[2];
    bool        same;
    const char *group; size_t group_len;        /* what must not be cut in two; the word where none is given */
} sonde_pair;

/* FORMAT with the line and what is wrong in it: a word without a place must stand once in each text. */
SONDE_API sonde_status      sonde_pairs_read(sonde_pairs **out, const char *text, size_t n, sonde_error *err);
SONDE_API void              sonde_pairs_free(sonde_pairs *p);                   /* accepts NULL */
SONDE_API const sonde_pair *sonde_pairs_at(const sonde_pairs *p, size_t i);     /* lent; NULL past the last */
#endif
