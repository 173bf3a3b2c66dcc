/* lane.h - one sequence on its way through the blocks.
 *
 * A lane has its own tokens, its own list of slots (which block runs where), its
 * own edits, and its own keys and values, one pair of buffers a slot. Positions
 * [first, first + n) are being computed; those below first are in the cache. */
#ifndef SONDE_LANE_H
#define SONDE_LANE_H
#include "bound.h"
#include "site_table.h"
#include "sonde/variants.h"

/* What watches a lane: called at each place it asked for, on the session's thread. `grad`: the value is a gradient. */
typedef struct {
    place       at;
    sonde_view  view;               /* after the edits; "h t s" has s whole, t a block of rows */
    int64_t     first;              /* position of the view's first t */
    bool        grad;
} sighting;
typedef sonde_status (*watch_fn)(void *user, const sighting *s, sonde_error *err);

enum { FLAG_EDIT = 1, FLAG_TAP = 2, FLAG_KEEP = 4, FLAG_GRAD = 8 };     /* FLAG_KEEP: kept as values of a run */

typedef struct { watch_fn fn; void *user; } watcher;

/* Logits of one position. */
typedef sonde_status (*row_fn)(void *user, int64_t position, const float *logits, sonde_error *err);

typedef struct lane {
    struct lane   *source;          /* of an encoder-decoder: the encoder's, which has the same plan; else NULL */
    stack_id       stack;
    const int32_t *tokens, *types;  /* types: of tokens, NULL: all 0 */
    int64_t        length;          /* positions that the run will have in the end */
    int64_t        first, n;        /* being computed now */
    int64_t        turning;         /* positions that the run has so far: rotations may depend on it (rope.h) */
    bound          plan;
    const struct lane *lender;      /* keys and values of positions below `lent` are this lane's, of the same slots; */
    int64_t        lent;            /* 0: all are its own. A lender borrows nothing itself */
    float        **keys, **values;  /* [slots] of [length - lent, kv_heads * e]: of positions from `lent` on */
    float        **cross_keys, **cross_values;      /* [slots] of [source->length, kv_heads * e]; NULL: one stack */
    float         *end;             /* of an encoder's lane: [length, d], what the decoder reads */
    float         *bias_grad;       /* on the way back: [heads, length, length] of REL_POS, NULL: nobody asked */
    float         *x;               /* the stream of positions [first, first + n): [n, d] */
    float        **inputs;          /* [slots] of [length, d]: the stream before each slot, kept for the way back; or NULL */
    const float   *given;           /* [length, d]: the stream in front of slot `begin`, where the lane begins; NULL: it */
    int            begin;           /* begins with its tables */
    float         *behind;          /* [length, d]: gets the stream behind the last slot; NULL: nobody asked. A lender's is also
                                     * that of the positions below `lent` of those that borrow */
    struct exec  **blocks;          /* [slots], of the first of lanes that run alike: their values of each slot, kept for the way
                                     * back; NULL: they are made again */
    int            at;              /* the slot that is to run next */
    int            until;           /* slots from here on are not run: nobody wants anything behind */
    watcher        tap, keep;
    bool           every_row;       /* rows that go through the final norm: all, */
    const int64_t *row; size_t n_rows;      /* or these positions, ascending */
    bool           every_answer;    /* logits: of all rows that go through it; else of `row` */
    bool           pooled;          /* row 0 goes through the heads that read it alone: somebody wants their sites */
    row_fn         on_row; void *row_user;
    const int32_t *only; size_t n_only;     /* tokens: on_row reads the logits of these alone; NULL: of all */
} lane;

/* Somebody looks at this place: what stands behind the blocks is computed as far as it. */
void lane_looks_at(lane *l, place at);
/* Slots run from 0; flags of FRONT and BACK lie before and behind them. */
uint8_t *lane_flags(const lane *l, int slot);           /* [SITE_COUNT] */
program_key lane_key(const lane *l, int slot, bool backward);
/* The slot in which its stack's relative bias is a site; FRONT: none. */
int lane_bias_slot(const lane *l);

/* Rows of a lane inside a stage: positions [first, first + n) stand in rows [row, row + n). */
typedef struct { lane *l; int slot; int64_t first, n, row; } segment;

/* Edits of this place, in order, then taps of it. `view`: rows of the segment only. */
sonde_status lane_mark(const segment *g, site_id site, float *data, int64_t keys, bool quiet, sonde_error *err);
/* The gradient at this place: taps of it, then what the edits pass on. */
sonde_status lane_mark_back(const segment *g, site_id site, float *grad, int64_t keys, sonde_error *err);
#endif
