/* batch_data.h - a batch while it runs: the runs that edits and metrics read, and one variant at a time. */
#ifndef SONDE_BATCH_DATA_H
#define SONDE_BATCH_DATA_H
#include "base/arena.h"
#include "capture_data.h"
#include "metric_data.h"
#include "run.h"
#include "sonde/variants.h"

enum { CHUNK_ROWS = 512 };          /* rows of a long prompt that go through the blocks at once */

typedef struct batch_runs {
    sonde_session     *session;
    const sonde_batch *batch;
    arena             *memory;
    sonde_capture    **base;        /* [n_bases]: run A of each base, or NULL: nobody reads it */
    sonde_capture    **named;       /* [n_runs]: those that were run here, NULL for captures that were given */
    int64_t            budget;      /* bytes left for kept values */
} batch_runs;

/* Checks every prompt, runs A of the bases and the named prompts as far as anything reads them. */
sonde_status batch_runs_open(batch_runs *r, sonde_session *s, const sonde_batch *b, bool dry, sonde_error *err);
void         batch_runs_close(batch_runs *r);

/* How a variant of base `base` reads them. The struct must outlive what is bound with it. */
typedef struct { batch_runs *r; int base; } runs_of_base;
bound_runs   runs_for_edits(runs_of_base *of);
metric_runs  runs_for_metrics(runs_of_base *of);

/* Where a metric that names no position is taken, of what the main stack reads: the last one; encoders: the first mask token,
 * or row 0 where heads read that alone. */
metric_span prompt_span(const sonde_model *m, const positions *p);
/* What each stack reads of a prompt, checked: with one stack, its tokens. */
sonde_status prompt_read(const sonde_model *m, const sonde_prompt *p, positions of[2], sonde_error *err);
#endif
