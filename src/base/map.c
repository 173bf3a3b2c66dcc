/* Open addressing, linear probing, at most half full. Sixteen bytes at a time are multiplied, with keys drawn for each map
 * (as Wang Yi's wyhash does it), so that a file cannot choose names that collide: it would have to know the keys.
 * What is probed is small, so that it stays in cache: half a hash and the number of the entry. Entries lie
 * behind each other in the order in which they came. */
#define _GNU_SOURCE
#include "map.h"
#include <string.h>
#include <sys/random.h>
#include <time.h>

typedef struct {
    const void *key;
    size_t      len;
    int64_t     value;
} entry;

typedef struct { uint32_t hash, entry; } place;         /* entry: its number + 1; 0: free */

struct map {
    arena   *mem;
    place   *places;
    entry   *entries;           /* room for half the places */
    size_t   cap, used;         /* cap: places, a power of two */
    uint64_t key[4];
};

__extension__ typedef unsigned __int128 wide;

static uint64_t folded(uint64_t a, uint64_t b) {
    const wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t load(const unsigned char *p, size_t n) {
    uint64_t x = 0;
    memcpy(&x, p, n);
    return x;
}

/* The last sixteen bytes or fewer as two words, which with the length say what they are. */
static uint32_t hash_of(const map *m, const void *key, size_t len) {
    const unsigned char *p = key;
    uint64_t h = m->key[0] ^ len, a = 0, b = 0;
    size_t left = len;
    for (; left > 16; left -= 16, p += 16) h = folded(load(p, 8) ^ m->key[1], load(p + 8, 8) ^ h);
    if (left >= 8) {
        a = load(p, 8);
        b = load(p + left - 8, 8);
    } else if (left >= 4) {
        a = load(p, 4);
        b = load(p + left - 4, 4);
    } else if (left) {
        a = (uint64_t)p[0] << 16 | (uint64_t)p[left / 2] << 8 | p[left - 1];
    }
    h = folded(folded(a ^ m->key[1], b ^ h) ^ m->key[2], m->key[3]);
    return (uint32_t)(h ^ h >> 32);
}

/* The place of this key, or the free one where it belongs. */
static place *find(const map *m, uint32_t hash, const void *key, size_t len) {
    for (size_t i = hash & (m->cap - 1); ; i = (i + 1) & (m->cap - 1)) {
        place *p = &m->places[i];
        if (!p->entry) return p;
        if (p->hash != hash) continue;
        const entry *e = &m->entries[p->entry - 1];
        if (e->len == len && (len == 0 || memcmp(e->key, key, len) == 0)) return p;
    }
}

map *map_new(arena *a, size_t expected) {
    map *m = arena_alloc(a, sizeof *m);
    m->mem = a;
    m->cap = 16;
    while (m->cap / 2 < expected) m->cap *= 2;
    m->places = arena_new_array(a, place, m->cap);
    m->entries = arena_new_array(a, entry, m->cap / 2);
    if (getrandom(m->key, sizeof m->key, 0) != (ssize_t)sizeof m->key) {
        struct timespec t;                      /* no system call for it: better than a constant */
        clock_gettime(CLOCK_MONOTONIC, &t);
        for (uint64_t i = 0; i < sizeof m->key / sizeof *m->key; i++)
            m->key[i] = ((uint64_t)t.tv_nsec + i) * 0x9e3779b97f4a7c15u ^ (uint64_t)(uintptr_t)m->places;
    }
    return m;
}

static void grow(map *m) {
    const place *old = m->places;
    const entry *entries = m->entries;
    const size_t n = m->cap;
    m->cap *= 2;
    m->places = arena_new_array(m->mem, place, m->cap);
    m->entries = arena_new_array(m->mem, entry, n);
    memcpy(m->entries, entries, m->used * sizeof *entries);
    for (size_t i = 0; i < n; i++) {
        if (!old[i].entry) continue;
        size_t at = old[i].hash & (m->cap - 1);
        while (m->places[at].entry) at = (at + 1) & (m->cap - 1);
        m->places[at] = old[i];
    }
}

bool map_put(map *m, const void *key, size_t len, int64_t value) {
    const uint32_t hash = hash_of(m, key, len);
    place *p = find(m, hash, key, len);
    if (p->entry) return false;
    if (m->used + 1 > m->cap / 2) {
        grow(m);
        p = find(m, hash, key, len);
    }
    m->entries[m->used++] = (entry){ .key = key, .len = len, .value = value };
    *p = (place){ hash, (uint32_t)m->used };
    return true;
}

bool map_get(const map *m, const void *key, size_t len, int64_t *value) {
    const place *p = find(m, hash_of(m, key, len), key, len);
    if (!p->entry) return false;
    *value = m->entries[p->entry - 1].value;
    return true;
}

void map_get_many(const map *m, const map_key *key, size_t n, int64_t *value) {
    uint32_t hash[MAP_AT_ONCE];
    for (size_t i = 0; i < n; i++) {
        hash[i] = hash_of(m, key[i].at, key[i].len);
        __builtin_prefetch(&m->places[hash[i] & (m->cap - 1)]);
    }
    for (size_t i = 0; i < n; i++) {
        const uint32_t number = m->places[hash[i] & (m->cap - 1)].entry;
        if (number) __builtin_prefetch(&m->entries[number - 1]);
    }
    for (size_t i = 0; i < n; i++) {
        const uint32_t number = m->places[hash[i] & (m->cap - 1)].entry;
        if (number) __builtin_prefetch(m->entries[number - 1].key);
    }
    for (size_t i = 0; i < n; i++) {
        const place *p = find(m, hash[i], key[i].at, key[i].len);
        if (p->entry) value[i] = m->entries[p->entry - 1].value;
    }
}
