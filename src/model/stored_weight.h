/* stored_weight.h - where one weight lies among the named arrays of a file: under which names, in which shape, as which
 * piece of them. For model_bind.c and what it is checked by. */
#ifndef SONDE_STORED_WEIGHT_H
#define SONDE_STORED_WEIGHT_H
#include "base/map.h"
#include "format/weights.h"
#include "model_data.h"

typedef struct {
    const weights *file;
    arena         *memory;      /* of views, as long as the model */
    arena         *names;       /* of what messages and look-ups need */
    map           *read;        /* names of arrays that some weight was bound to */
    spelling       spelled;
    const char    *prefix;      /* of Hugging Face's names */
    sonde_error   *err;
} weight_source;

/* Is there an array (the first of several) for this row? */
bool         stored_there(const weight_source *s, const weight_row *r, int64_t layer);
/* Checks type and shape, and fills all of `out` but the widened vector. */
sonde_status stored_bind(const weight_source *s, const arch_config *c, const weight_row *r, int64_t layer, weight *out);
/* FORMAT, naming what was looked for. */
sonde_status stored_missing(const weight_source *s, const arch_config *c, const weight_row *r, int64_t layer);
#endif
