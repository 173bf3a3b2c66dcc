/* pattern.h - from the expressions in tokenizer.json, which are Oniguruma's (Ruby syntax), to PCRE2's.
 *
 * Where the same letters mean something else they are written anew; where that cannot be done here the pattern is
 * refused, so that no pattern is silently read as another. What PCRE2 does not know it refuses itself. */
#ifndef SONDE_PATTERN_H
#define SONDE_PATTERN_H
#include "sonde/error.h"
#include "base/arena.h"
#include <stddef.h>

/* In the arena, NUL-terminated besides. UNSUPPORTED names the offset. */
sonde_status pattern_translate(const char *pattern, size_t len, arena *into, char **out, size_t *out_len,
                               sonde_error *err);
#endif
