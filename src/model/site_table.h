/* site_table.h - the sites of one run, by number; patterns that select them.
 *
 * A run is a list of slots: a slot executes one block, whole or without a part.
 * A place is (slot, site); model-level sites have slot FRONT or BACK. In an
 * encoder-decoder the encoder's slots come first, then one for its final norm and
 * one for the decoder's tables; FRONT is the encoder's, BACK the decoder's. */
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

typedef enum { SLOT_BLOCK, SLOT_END, SLOT_START } slot_kind;    /* a block; an encoder's final norm; a decoder's tables */

typedef struct {
    int  block;                                 /* whose weights */
    int  turn;                                  /* 0, then 1, 2 for repetitions: "blocks.4r1" */
    bool no_attn, no_cross, no_mlp;
    stack_id  stack;
    slot_kind kind;
} slot;
typedef struct { slot *at; int n; int source; } slots;          /* [0, source): an encoder's and its end; 0: one stack */

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
/* The slots of a run of these lists of blocks, whole; `encoder` is passed over where the model has none. */
typedef struct { slot *at; int n; } slot_list;
slots slots_join(arena *a, const arch_config *c, slot_list encoder, slot_list main);
slots plain_slots(arena *a, const arch_config *c);
/* The stack that a slot belongs to, what describes it, and which kind of sites it has. */
stack_id           slot_stack(const slots *s, int at);
const arch_config *slot_config(const arch_config *c, const slots *s, int at);
site_where         slot_where(const slots *s, int at);
static inline const arch_config *stack_config(const arch_config *c, stack_id of) {
    return of == STACK_ENCODER ? c->encoder : c;
}
/* "blocks", "encoder" or "decoder": what names of the slot's block begin with. */
const char *slot_word(const slots *s, int at);
/* The slot in which the relative bias of a stack is a site: its first block's; FRONT: it has none. */
int slot_of_bias(const slots *s, stack_id of);
/* Whole name into the arena: "blocks.4r1.attn.hook_z". */
const char *place_name(arena *a, const slots *s, place p);
/* The same without the block's word and number. */
const char *place_tail(const slots *s, place p);
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
/* Which keys the rows of a place's scores and pattern see. */
sight place_sight(const arch_config *c, const slots *s, place p);
/* How many positions each stack has, by stack_id. */
typedef struct { int64_t of[2]; } run_length;
/* Whose positions axis letter 't' or 's' of a place counts. */
stack_id axis_stack(const slots *s, place p, char letter);
/* Dims of a place, outermost first; returns the rank (1..3). */
int place_dims(const arch_config *c, const slots *s, place p, run_length n, int64_t dim[4]);
#endif
