/* sight.h - which keys a row sees, and which rows see a key. */
#ifndef SONDE_SIGHT_H
#define SONDE_SIGHT_H
#include <stdbool.h>
#include <stdint.h>

typedef struct { int64_t lo, hi; } span;        /* [lo, hi) */

/* Row t of a block is position first + t and sees every key, or those up to its own position, and of these the last
 * `window` (0: all). */
typedef struct { int64_t first, window; bool every; } sight;

/* Keys [lo, hi) of S that row t of the block sees. */
static inline span keys_seen(sight a, int64_t t, int64_t S) {
    if (a.every) return (span){ 0, S };
    const int64_t hi = a.first + t + 1;
    return (span){ a.window && hi > a.window ? hi - a.window : 0, hi };
}

/* Rows [lo, hi) of the T of the block that see key s. */
static inline span rows_seeing(sight a, int64_t s, int64_t T) {
    if (a.every) return (span){ 0, T };
    const int64_t from = s > a.first ? s - a.first : 0, lo = from < T ? from : T;
    const int64_t end = a.window ? s + a.window - a.first : T;
    return (span){ lo, end < lo ? lo : end < T ? end : T };
}
#endif
