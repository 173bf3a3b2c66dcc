/* crowd.h - the variants of a batch that run side by side: in which order, and which unedited runs are kept for them. */
#ifndef SONDE_CROWD_H
#define SONDE_CROWD_H
#include "variant_run.h"

/* Rows of a group: products of so many run at full speed; on the way back, and from how many on it pays to keep the values of
 * blocks; of a wave, as many groups. */
enum { GROUP_ROWS = 4096, KEPT_ROWS = 1280, LEAST_KEPT = 512, WAVE_ROWS = 16 * GROUP_ROWS };

typedef struct {
    size_t    index;                    /* of the variant */
    int       base;
    departure way;                      /* from the unedited run */
    int64_t   whole, own;               /* rows times blocks: of its full run; as it departs */
} planned;

typedef struct {
    batch_runs  *r;
    answers      out;
    arena       *memory;
    planned     *plan;                  /* [n_variants], in the order in which they run */
    bool         ordered;               /* the plan's order is the batch's: logits leave as they come */
    lender      *of;                    /* [n_bases]: those of the wave are open */
    arena       *wave;                  /* ends with the wave */
    variant_run *v;                     /* the group's */
    int          most_lanes;            /* of a group */
    int64_t      most_rows;
} crowd;

/* Finds out where each variant departs. Without logits wanted the order is by base and place; the answers' is the batch's.
 * To be closed after an error too. */
sonde_status crowd_open(crowd *c, batch_runs *r, sonde_error *err);
void         crowd_close(crowd *c);

/* Variants [from, until) of the plan, and the bases that are lent to them; floats 0: it does not pay, nothing is kept. */
typedef struct { int base; int64_t floats, whole, own; } wave_base;
typedef struct { size_t from, until; wave_base *base; size_t n_bases; } wave;
/* A few bases, so many that their variants have `rows` rows and memory holds them; in c->wave. */
wave    crowd_wave(const crowd *c, size_t from, int64_t rows);
/* Rows of a group, at most `rows`, so many that they take no more than a part of the memory. */
int64_t crowd_most_rows(const crowd *c, int64_t rows);

/* Rows that go forward and back together: so many that what is kept of all blocks takes a part of the memory. */
int64_t crowd_kept_rows(const sonde_session *s);

/* Floats that a row of a block's program holds. */
double  variant_row_floats(const arch_config *c);
#endif
