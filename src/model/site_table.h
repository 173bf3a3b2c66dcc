/* site_table.h - the sites of one run, by number; patterns that select them.
 *
 * A run is a list of slots: a slot executes one block, whole or without a part.
 * A place is (slot, site); model-level sites have slot FRONT or BACK. */
#ifndef SONDE_SITE_TABLE_H
#define SONDE_SITE_TABLE_H
#include "arch.h"
#include "base/arena.h"
#include "sonde/error.h"
#include "sonde/site.h"
#include "tensor/sight.h"
#include <stddef.h>
#include <stdint.h>

typedef enum {
#define SITE(id, name, where, axes, on_request, part, doc) SITE_##id,
#include "sites.def"
#undef SITE
    SITE_COUNT
} site_id;

enum { FRONT = -1, BACK = INT32_MAX };          /* slots of model-level sites: before and behind the blocks */
typedef enum { AT_FRONT, AT_BLOCK, AT_BACK } site_where;
typedef enum { SITE_OF_ANY, SITE_OF_ATTN, SITE_OF_CROSS, SITE_OF_MLP } site_part;     /* gone when that part is skipped */

typedef struct {
    const char *name;                           /* without "blocks.L." */
    site_where  where;
    const char *axes;                           /* "t h e" */
    bool        on_request;
    site_part   part;
    const char *doc;
} site_row;
extern const site_row site_rows[SITE_COUNT];

typedef struct {
    int  block;                                 /* whose weights */
    int  turn;                                  /* 0, then 1, 2 for repetitions: "blocks.4r1" */
    bool no_attn, no_cross, no_mlp;
} slot;
typedef struct { slot *at; int n; } slots;

typedef struct { int slot; site_id site; } place;       /* ordered by slot, then site: the order of a run */
typedef struct { place *at; size_t n; } place_list;

/* Weight and sites of a norm, by its place. */
typedef struct { weight_id weight; site_id scale, normalized, out; } norm_row;
extern const norm_row norm_rows[NORM_COUNT];

/* Has the model the norm: the block, the weights or the family say so. */
bool norm_exists(const arch_config *c, norm_place n);
/* Does this architecture have the site at all, in any layer? */
bool site_exists(const arch_config *c, site_id s);
/* False of a choice: which experts were taken. */
bool site_has_gradient(site_id s);
/* Whole name into the arena: "blocks.4r1.attn.hook_z". */
const char *place_name(arena *a, const slots *s, place p);
/* All places of a run, on request ones too, in order. */
size_t places_all(arena *a, const arch_config *c, const slots *s, place **out);
/* Places that a pattern (commas, wildcards, aliases, short names) selects, in order, each once. `every_turn`: a
 * block's number means all its executions (edits), else the first (taps). interface.md 3. */
typedef struct { const arch_config *config; const slots *run; bool every_turn; } place_scope;
sonde_status places_select(arena *a, place_scope in, const char *pattern, place_list *out, sonde_error *err);
/* Letter of the i-th axis of "t h e". */
static inline char axis_letter(const char *axes, int i) { return axes[2 * (size_t)i]; }
/* Length of axis letter `axis` of a site for n positions ('t' 's': n). What an unembedding of another width reads has that
 * width as its d. */
int64_t axis_length(const arch_config *c, site_id s, char axis, int64_t n);
/* Is it of a head that reads row 0 alone: a value of the whole text? */
bool site_pooled(site_id s);
/* Which keys the rows of a layer's scores and pattern see. */
sight site_sight(const arch_config *c, int64_t layer);
/* Dims of a site for n positions, outermost first; returns the rank (1..3). */
int site_dims(const arch_config *c, site_id s, int64_t n, int64_t dim[4]);
#endif
