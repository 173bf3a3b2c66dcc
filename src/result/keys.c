#include "keys.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool same_key(const keys *k, size_t a, size_t b) {
    const size_t c = k->column;
    const bool there = table_has(k->t, a, c);
    if (there != table_has(k->t, b, c)) return false;
    if (!there) return true;
    const table_cell va = table_at(k->t, a, c), vb = table_at(k->t, b, c);
    switch (k->t->columns.at[c].type) {
    case SONDE_INT:   return va.i == vb.i;
    case SONDE_FLOAT: return va.f == vb.f || (isnan(va.f) && isnan(vb.f));
    case SONDE_BOOL:  return va.b == vb.b;
    default: break;
    }
    const sonde_token ta = table_token(k->t, a, c), tb = table_token(k->t, b, c);
    return ta.id == tb.id && ta.len == tb.len && memcmp(ta.bytes, tb.bytes, ta.len) == 0;
}

/* FNV-1a. */
static uint64_t mix(uint64_t h, const void *bytes, size_t n) {
    const unsigned char *b = bytes;
    for (size_t i = 0; i < n; i++) h = (h ^ b[i]) * 0x100000001b3u;
    return h;
}

static uint64_t hash_of(const keys *k, size_t row) {
    const uint64_t start = 0xcbf29ce484222325u;
    if (!table_has(k->t, row, k->column)) return start;
    const table_cell v = table_at(k->t, row, k->column);
    const double f = isnan(v.f) ? 1 : v.f == 0 ? 0 : v.f;       /* both zeros, all NaNs */
    switch (k->t->columns.at[k->column].type) {
    case SONDE_INT:   return mix(start, &v.i, sizeof v.i);
    case SONDE_FLOAT: return mix(start, &f, sizeof f);
    case SONDE_BOOL:  return start + 1 + v.b;
    default: break;
    }
    const sonde_token t = table_token(k->t, row, k->column);
    return mix(mix(start, &t.id, sizeof t.id), t.bytes, t.len);
}

/* The slot that has the row's key, or the free one where it belongs. */
static size_t slot_of(const keys *k, size_t row) {
    uint64_t h = hash_of(k, row);
    h ^= h >> 32;
    size_t at = (size_t)h & (k->slots - 1);
    while (k->slot[at] && !same_key(k, k->first.at[k->slot[at] - 1], row)) at = (at + 1) & (k->slots - 1);
    return at;
}

static void grow(keys *k) {
    k->slots = k->slots ? 2 * k->slots : 64;
    free(k->slot);
    k->slot = calloc(k->slots, sizeof *k->slot);
    if (!k->slot) abort();
    for (size_t i = 0; i < k->first.n; i++) k->slot[slot_of(k, k->first.at[i])] = i + 1;
}

size_t keys_of(keys *k, size_t row) {
    if (k->column == SIZE_MAX) {
        if (!k->first.n) *LIST_ADD(k->first) = row;
        return 0;
    }
    if (2 * k->first.n >= k->slots) grow(k);
    const size_t at = slot_of(k, row);
    if (!k->slot[at]) {
        *LIST_ADD(k->first) = row;
        k->slot[at] = k->first.n;
    }
    return k->slot[at] - 1;
}

void keys_free(keys *k) {
    free(k->first.at);
    free(k->slot);
    *k = (keys){ 0 };
}
