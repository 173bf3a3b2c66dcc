/* room.h - small memory of a method: zeroed, never NULL (the process stops when small memory is gone). */
#ifndef SONDE_ROOM_H
#define SONDE_ROOM_H
#include <stdlib.h>
#include <string.h>

static inline void *room_bytes(size_t n, size_t size) {
    void *p = calloc(n ? n : 1, size);
    if (!p) abort();
    return p;
}

#define ROOM(type, n) ((type *)room_bytes((size_t)(n), sizeof(type)))

static inline char *room_text(const char *text, size_t len) {
    char *copy = ROOM(char, len + 1);
    if (len) memcpy(copy, text, len);
    return copy;
}

/* Room for `more` items behind the first n, as realloc: in sizes that double. */
static inline void *room_grow(void *items, size_t n, size_t more, size_t size) {
    size_t have = 16;
    while (have < n) have *= 2;
    if (items && n + more <= have) return items;
    while (have < n + more) have *= 2;
    void *p = realloc(items, have * size);
    if (!p) abort();
    return p;
}
#endif
