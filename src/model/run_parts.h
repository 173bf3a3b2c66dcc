/* run_parts.h - what going forward (run.c) and going back (run_back.c) share. */
#ifndef SONDE_RUN_PARTS_H
#define SONDE_RUN_PARTS_H
#include "run.h"

enum { ROWS_OF_LOGITS = 128 };       /* rows that go through the unembedding at once, at least */
/* More where memory allows: a weight is packed once for all of them. */
int64_t run_rows_of_logits(const sonde_session *s);

/* A program ready to run on these segments (their rows are laid out). */
exec run_exec(sonde_session *s, program_key key, int block, segment *g, int n);
/* Tokens, positions and types of the segments' rows, for a front stage. */
sonde_status run_front_rows(sonde_session *s, exec *x, sonde_error *err);
/* The encoder's end ready to run on the whole of its lane, behind the stream `input`. */
sonde_status run_end(sonde_session *s, segment *g, const float *input, exec *x, sonde_error *err);
/* Keys and values of a decoder's slot from the ends of the encoders of these segments' lanes, ready to run. */
sonde_status run_cross(sonde_session *s, segment *g, int n, exec *x, sonde_error *err);
/* Room for n segments. */
sonde_status run_segments(sonde_session *s, int n, segment **out, sonde_error *err);
/* Does the lane want logits of this position? `next` counts on: 0 first, then ascending positions. */
bool run_wants_row(const lane *l, int64_t position, size_t *next);
/* Up to `most` wanted rows of a lane from `position` on, as segments of neighbours; *position moves behind. */
int  run_wanted_rows(lane *l, int64_t *position, int64_t most, segment *g);
/* What the lanes want behind their last slot, of the rows that have just come; `start`: of those that they borrow too. */
sonde_status run_answers(sonde_session *s, lane *const *lanes, int n, bool start, sonde_error *err);
/* The first slot that the way back of a lane with one stack must reach: FRONT, or plan.run.n where nothing is asked. */
int  run_lowest(lane *l);
bool run_same_key(program_key a, program_key b);
/* Has the model something behind its blocks for every row; for row 0 alone; and does the lane want the latter? */
bool run_has_back(const arch_config *c);
bool run_has_pool(const arch_config *c);
bool run_wants_pool(const lane *l, const arch_config *c);
/* The heads of row 0, ready to run on it. */
sonde_status run_pool_row(sonde_session *s, segment *g, exec *x, sonde_error *err);
/* The back stage ready to run on them: whole, or as far as what the unembedding reads. */
sonde_status run_back_rows(sonde_session *s, segment *g, int n, bool whole, exec *x, sonde_error *err);
/* Do the lanes of these segments read few logits? Then those of all rows, a column a token: *out [tokens, rows]. */
typedef struct { int32_t token[16]; int n; } few_tokens;
bool         run_few_tokens(const arch_config *c, const segment *g, int n, few_tokens *out);
sonde_status run_columns(sonde_session *s, exec *x, const few_tokens *t, float **out, sonde_error *err);
/* The gradient of the stream behind the last slot at these rows of logits: by[i] seeds the rows of segment i, and by[i].dx [n, d]
 * gets it at those that a metric reads; whoever looks at the others, nothing comes back through them. */
typedef struct { seed_fn fn; void *user; float *dx; } row_seed;
sonde_status run_back_of_logits(sonde_session *s, segment *g, const row_seed *by, int n, sonde_error *err);
#endif
