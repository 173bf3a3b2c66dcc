/* map.h - bytes to a number, open addressing with a seeded hash (keys are hostile).
 *
 * Keys are not copied: they must outlive the map. Memory comes from the arena. */
#ifndef SONDE_MAP_H
#define SONDE_MAP_H
#include "arena.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct map map;

map    *map_new(arena *a, size_t expected);
/* False if the key is there already (its value stays). */
bool    map_put(map *m, const void *key, size_t len, int64_t value);
/* False if it is not there. */
bool    map_get(const map *m, const void *key, size_t len, int64_t *value);

/* n <= MAP_AT_ONCE of them, whose memory is asked for together; value[i] stays where key i is not there. */
enum { MAP_AT_ONCE = 32 };
typedef struct { const void *at; size_t len; } map_key;
void    map_get_many(const map *m, const map_key *key, size_t n, int64_t *value);
#endif
