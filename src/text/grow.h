/* grow.h - arrays of unknown length in an arena: doubled, the old one is left to the arena. */
#ifndef SONDE_GROW_H
#define SONDE_GROW_H
#include "base/arena.h"
#include <string.h>

/* `at` with room for `need` items of `size` bytes, of which `used` are kept. */
static inline void *grow(arena *a, void *at, size_t used, size_t need, size_t *cap, size_t size) {
    if (need <= *cap) return at;
    size_t want = *cap ? *cap : 16;
    while (want < need) want *= 2;
    void *more = arena_alloc(a, want * size);
    if (used) memcpy(more, at, used * size);
    *cap = want;
    return more;
}
#endif
