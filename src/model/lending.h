/* lending.h - what an edited run shares with the unedited run of the same prompt: the stream in front of the first slot that
 * its edits touch, and, where rows see nothing that comes behind them, keys and values below the first position. */
#ifndef SONDE_LENDING_H
#define SONDE_LENDING_H
#include "run.h"

typedef struct {
    int     slot;                   /* FRONT: from the tables on; else the stream in front of this slot is the unedited one; */
    int64_t first, goal;            /* positions [first, goal) are computed: none below differs, none behind is read */
} departure;

/* Of a lane that is bound, with its flags and rows set, from a run with these slots; `length`: its positions. */
departure lane_departs(const arch_config *c, const lane *l, const slots *plain, int64_t length);
/* The whole run. */
departure departs_at_start(int64_t length);
/* Rows times blocks. */
int64_t   departure_work(const departure *d, const lane *l);

typedef struct { lane l; bool open; } lender;

/* Floats that a lender takes: with all its streams, and with keys and values alone. */
typedef struct { int64_t all, least; } lender_size;
lender_size lender_needs(const arch_config *c, int64_t length);
/* Room for the unedited run of what the stacks read, as many of its streams as `floats` holds; lanes_run fills it. Flags and
 * watchers of what is kept of the run besides may be set before that. */
sonde_status lender_open(sonde_session *s, arena *a, const positions of[2], int64_t floats, lender *out, sonde_error *err);
/* Before lane_open: the lane begins where it departs, or at the last slot before that whose stream was kept. */
void lane_borrow(const arch_config *c, lane *l, const lender *from, departure at);
#endif
