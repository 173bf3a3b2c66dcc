/* site_names.h - names of sites as people write them: block numbers, aliases, patterns without a run. */
#ifndef SONDE_SITE_NAMES_H
#define SONDE_SITE_NAMES_H
#include "site_table.h"

/* A block part of a name: `4`, `-1` (the last), `3-5`, `-3--1`, each with an execution behind it: `4r1`. */
typedef struct { int lo, hi; int turn; } block_range;       /* both ends included; turn -1: none written */
/* False where it is not written so, lies outside the model's blocks, or is empty. */
bool block_range_read(const char *text, size_t len, int64_t layers, block_range *out);

/* The name that an alias stands for ("k6": "blocks.6.attn.hook_k", "l_out": "hook_resid_post"), or NULL. */
const char *site_alias(arena *a, const arch_config *c, const char *name);
/* llama.cpp's name of a site, by its name without a block, or NULL. */
const char *site_graph_name(arena *a, const arch_config *c, const char *site, int block);
/* The words of all aliases, without layers, for messages; returns how many. */
size_t site_alias_words(arena *a, const char *const **out);

/* The kinds of sites that a pattern selects in some run of this model, whatever its plan, by stack: what an edit can be
 * checked against before there is a run. USAGE as places_select. */
typedef struct { bool in[2][SITE_COUNT]; } named_sites;
sonde_status sites_named(arena *a, const arch_config *c, const char *pattern, named_sites *out, sonde_error *err);
#endif
