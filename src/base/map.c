/* Open addressing, linear probing, at most half full. SipHash-1-3 (Aumasson and Bernstein, SipHash: a fast
 * short-input PRF, 2012) with a key drawn for each map, so that a file cannot choose names that collide. */
#define _GNU_SOURCE
#include "map.h"
#include <string.h>
#include <sys/random.h>
#include <time.h>

typedef struct {
    const void *key;
    size_t      len;
    uint64_t    hash;           /* never 0 in a used slot */
    int64_t     value;
} slot;

struct map {
    arena   *mem;
    slot    *slots;
    size_t   cap, used;         /* cap: a power of two */
    uint64_t key[2];
};

static uint64_t turn(uint64_t x, int by) { return x << by | x >> (64 - by); }

static void sip_round(uint64_t v[4]) {
    v[0] += v[1]; v[1] = turn(v[1], 13); v[1] ^= v[0]; v[0] = turn(v[0], 32);
    v[2] += v[3]; v[3] = turn(v[3], 16); v[3] ^= v[2];
    v[0] += v[3]; v[3] = turn(v[3], 21); v[3] ^= v[0];
    v[2] += v[1]; v[1] = turn(v[1], 17); v[1] ^= v[2]; v[2] = turn(v[2], 32);
}

static uint64_t hash_of(const map *m, const void *key, size_t len) {
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
    return (v[0] ^ v[1] ^ v[2] ^ v[3]) | 1u << 31;
}

/* The slot of this key, or the free one where it belongs. */
static slot *find(const map *m, uint64_t hash, const void *key, size_t len) {
    for (size_t i = hash & (m->cap - 1); ; i = (i + 1) & (m->cap - 1)) {
        slot *s = &m->slots[i];
        if (!s->hash) return s;
        if (s->hash == hash && s->len == len && (len == 0 || memcmp(s->key, key, len) == 0)) return s;
    }
}

map *map_new(arena *a, size_t expected) {
    map *m = arena_alloc(a, sizeof *m);
    m->mem = a;
    m->cap = 16;
    while (m->cap / 2 < expected) m->cap *= 2;
    m->slots = arena_new_array(a, slot, m->cap);
    if (getrandom(m->key, sizeof m->key, 0) != (ssize_t)sizeof m->key) {
        struct timespec t;                      /* no system call for it: better than a constant */
        clock_gettime(CLOCK_MONOTONIC, &t);
        m->key[0] = (uint64_t)t.tv_nsec * 0x9e3779b97f4a7c15u;
        m->key[1] = (uint64_t)(uintptr_t)m->slots;
    }
    return m;
}

static void grow(map *m) {
    const slot *old = m->slots;
    const size_t n = m->cap;
    m->cap *= 2;
    m->slots = arena_new_array(m->mem, slot, m->cap);
    for (size_t i = 0; i < n; i++)
        if (old[i].hash) *find(m, old[i].hash, old[i].key, old[i].len) = old[i];
}

bool map_put(map *m, const void *key, size_t len, int64_t value) {
    const uint64_t hash = hash_of(m, key, len);
    slot *s = find(m, hash, key, len);
    if (s->hash) return false;
    if (m->used + 1 > m->cap / 2) {
        grow(m);
        s = find(m, hash, key, len);
    }
    *s = (slot){ .key = key, .len = len, .hash = hash, .value = value };
    m->used++;
    return true;
}

bool map_get(const map *m, const void *key, size_t len, int64_t *value) {
    const slot *s = find(m, hash_of(m, key, len), key, len);
    if (!s->hash) return false;
    *value = s->value;
    return true;
}
