/* Open addressing, linear probing, at most half full. SipHash-1-3 (Aumasson and Bernstein, SipHash: a fast
 * short-input PRF, 2012) with a key drawn for each map, so that a file cannot choose names that collide.
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
    uint64_t key[2];
};

static uint64_t turn(uint64_t x, int by) { return x << by | x >> (64 - by); }

static void sip_round(uint64_t v[4]) {
    v[0] += v[1]; v[1] = turn(v[1], 13); v[1] ^= v[0]; v[0] = turn(v[0], 32);
    v[2] += v[3]; v[3] = turn(v[3], 16); v[3] ^= v[2];
    v[0] += v[3]; v[3] = turn(v[3], 21); v[3] ^= v[0];
    v[2] += v[1]; v[1] = turn(v[1], 17); v[1] ^= v[2]; v[2] = turn(v[2], 32);
}

static uint32_t hash_of(const map *m, const void *key, size_t len) {
    uint64_t v[4] = { m->key[0] ^ 0x736f6d6570736575u, m->key[1] ^ 0x646f72616e646f6du,
                      m->key[0] ^ 0x6c7967656e657261u, m->key[1] ^ 0x7465646279746573u };
    const unsigned char *p = key;
    for (size_t left = len; ; left -= 8, p += 8) {
        uint64_t word = 0;
        if (left) memcpy(&word, p, left < 8 ? left : 8);
        if (left < 8) word |= (uint64_t)len << 56;
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
        if (left < 8) break;
    }
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++) sip_round(v);
    const uint64_t h = v[0] ^ v[1] ^ v[2] ^ v[3];
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
        m->key[0] = (uint64_t)t.tv_nsec * 0x9e3779b97f4a7c15u;
        m->key[1] = (uint64_t)(uintptr_t)m->places;
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
