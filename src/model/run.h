/* run.h - lanes through all their slots, and back.
 *
 * The earliest block that has waiting rows runs next, on the rows of all lanes that
 * wait there: skipped, swapped and repeated blocks, batches, chunks of a prompt and
 * decoding are one mechanism. */
#ifndef SONDE_RUN_H
#define SONDE_RUN_H
#include "exec.h"
#include "sonde/session.h"

enum { MOST_PROGRAMS = 64 };

struct sonde_session {
    const sonde_model *model;
    int                threads;
    int64_t            budget;
    workspace         *memory;
    program           *program[MOST_PROGRAMS];      /* compiled so far */
    int                n_programs;
    bool             (*stop)(void *user);
    void              *stop_user;
};

/* A lane with this plan for what each stack reads: keys and values from the session's memory. Flags and watchers are set by
 * the caller before lanes_run. */
sonde_status lane_open(sonde_session *s, lane *l, const positions of[2], sonde_error *err);
/* Another lane that goes on from the same text: keys and values of its own, the encoder in common. `tokens`: its own. */
sonde_status lane_fork(sonde_session *s, const lane *from, const int32_t *tokens, lane *to, sonde_error *err);
/* Its keys and values of positions [first, until) become those of another lane of the same plan. */
void         lane_take_rows(const sonde_model *m, lane *l, const lane *from, int64_t first, int64_t until);
/* Room for each slot's input, before lanes_run of a lane that is to go back. */
sonde_status lane_keep_inputs(sonde_session *s, lane *l, sonde_error *err);
/* Flags of what `until` must reach; call it after the flags and rows are set. */
void         lane_stop_early(lane *l);

/* Encoders first, each once. Positions [first, goal) of every lane, `chunk` at a time (0: all at once, and inputs are kept for the way back; where rows
 * see what comes behind them, all at once too). */
sonde_status lanes_run(sonde_session *s, lane *const *lanes, int n, const int64_t *goal, int64_t chunk, sonde_error *err);

/* After lanes_run with chunk 0 of this lane alone: gradients at every place with FLAG_GRAD. `seed` adds the metric's
 * gradient at a position to dlogits [v]; false: the metric does not read that position. */
typedef bool (*seed_fn)(void *user, int64_t position, const float *logits, float *dlogits);
sonde_status lane_run_back(sonde_session *s, lane *l, seed_fn seed, void *user, sonde_error *err);

/* Can these lanes go back side by side: one stack, the same programs? */
bool         lanes_alike(const sonde_session *s, lane *const *lanes, int n);
/* Before lanes_run of lanes that are alike: values of their blocks are kept too. */
sonde_status lanes_keep_blocks(sonde_session *s, lane *const *lanes, int n, sonde_error *err);
/* After it, with chunk 0: as lane_run_back of each, places of several lanes by turns; user[i] is lane i's. */
sonde_status lanes_run_back(sonde_session *s, lane *const *lanes, int n, seed_fn seed, void *const *user, sonde_error *err);
#endif
