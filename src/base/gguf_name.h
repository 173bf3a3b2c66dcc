/* gguf_name.h - which of several GGUF files is meant: the files that splits are of one are one, and each is known by the
 * tag that its name ends in (Q4_K_M). */
#ifndef SONDE_GGUF_NAME_H
#define SONDE_GGUF_NAME_H
#include "arena.h"
#include <stdbool.h>
#include <stddef.h>

typedef struct {
    const char *stem;           /* the path without -00001-of-00002 and the ending */
    const char *label;          /* its file's name behind what all have in common in front */
} gguf_group;

bool   gguf_is(const char *path);               /* by its ending */
bool   gguf_is_model(const char *path);         /* and no projector of pictures (mmproj) */
/* `path`: sorted; out: room for n. Paths that are no models are passed over. */
size_t gguf_groups(const char *const *path, size_t n, arena *into, gguf_group *out);
bool   gguf_is_of(const char *path, const gguf_group *g);
/* How many the tag means, the first of them in *which: those whose label it is, else those whose name ends in it.
 * Letter case does not count. */
size_t gguf_meant(const gguf_group *g, size_t n, const char *tag, size_t *which);
#endif
