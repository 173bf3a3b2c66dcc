/* packs.h - many names of sites as few patterns: each is short enough for one want. */
#ifndef SONDE_PACKS_H
#define SONDE_PACKS_H
#include <stddef.h>

typedef struct { char **text; size_t n, used; } packs;      /* zeroed: none */

void packs_add(packs *p, const char *name);
void packs_free(packs *p);
#endif
