/* settings_rope.h - what a GGUF file says of the scaling of rotary positions, as config.json says it; for settings.c. */
#ifndef SONDE_SETTINGS_ROPE_H
#define SONDE_SETTINGS_ROPE_H
#include "arch.h"
#include "format/weights.h"

typedef struct {
    const weights *w;
    const arch    *a;
    const char    *begin;       /* what stands in front of each key of the family */
    arena         *into;
    sonde_error   *err;
} rope_words;

/* The member "rope_scaling" as text in the arena; NULL: there is none. A type that is not known stands there as it is, to
 * be refused by name. */
sonde_status settings_rope(const rope_words *o, const char **out);
/* Is this key, behind `begin`, read there? */
bool         settings_rope_reads(const rope_words *o, const char *key);
#endif
