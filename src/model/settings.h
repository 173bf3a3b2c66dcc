/* settings.h - what a model's config.json says, or would say: the sizes of models whose container has none.
 *
 * GGUF keys, Meta's params.json and llama2.c's header are written as the fields of config.json that the family's table
 * names beside them, so that one reader checks them all, and conversion has its file. */
#ifndef SONDE_SETTINGS_H
#define SONDE_SETTINGS_H
#include "arch.h"
#include "base/arena.h"
#include "format/weights.h"

/* Keys of our own in GGUF files, which have none, lists of float64: factor, low, high and original of LLAMA3 scaling;
 * factor, original, high, low, attention factor and whether bounds are whole of YARN. */
#define SETTINGS_LLAMA3 "sonde.rope.llama3"
#define SETTINGS_YARN   "sonde.rope.yarn"

typedef struct { const char *text; size_t len; } settings_text;     /* JSON, with a NUL behind it */

/* The containers that say sizes themselves; `text` in the arena. UNSUPPORTED names the family that is not known. */
bool         settings_in(const weights *w);
sonde_status settings_of_container(const weights *w, arena *into, settings_text *out, sonde_error *err);
/* The fewest digits that give the float back: files hold float32, config.json the decimal number that was meant. */
const char  *settings_float(arena *into, double v);
/* From params.json, for tensors in Meta's spelling. */
sonde_status settings_of_params(const weights *w, const json *params, arena *into, settings_text *out, sonde_error *err);
#endif
