/* variants.h - many edited versions of one run: the entry that every method goes through.
 *
 * A batch names prompts (bases), variants of their runs, and what is wanted of
 * each. Every answer equals, in every bit, that of a full run of its own. One
 * session, one thread. */
#ifndef SONDE_VARIANTS_H
#define SONDE_VARIANTS_H
#include "sonde/capture.h"
#include "sonde/edit.h"
#include "sonde/error.h"
#include "sonde/session.h"
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const int32_t *tokens;  int64_t n;
    int64_t        prompt;                          /* positions from here on were generated; 0: none */
    const int32_t *types;                           /* [n] token types, of models that have them; NULL: all 0 */
    const int32_t *target;  int64_t n_target;       /* of an encoder-decoder: its decoder's tokens, whose positions logits, */
} sonde_prompt;                                     /* metrics and `prompt` count; NULL: the model's start token alone */

typedef struct {                                    /* what edits and metrics call B: a prompt, or values of a run */
    const char          *name;
    sonde_prompt         prompt;                    /* run unedited; used when values is NULL */
    const sonde_capture *values;
} sonde_named_run;

typedef struct {
    int                      base;                  /* index into bases */
    const sonde_edit *const *edits;                 /* in order, plans of execution included; none: the base itself */
    size_t                   n_edits;
} sonde_variant;

typedef enum { SONDE_WANT_METRIC, SONDE_WANT_LOGITS, SONDE_WANT_SITE, SONDE_WANT_GRAD } sonde_want_kind;
typedef struct {
    sonde_want_kind     kind;
    const char         *sites;                      /* pattern; SITE and GRAD */
    const sonde_metric *metric;                     /* METRIC and GRAD */
    const int64_t      *at;  size_t n_at;           /* LOGITS: positions, ascending; none: all */
} sonde_want;

/* Values at a site. Axes as in interface.md 3: "t h e", "h t s"; the last axis is contiguous. */
typedef struct { const char *axes; int rank; int64_t dim[4]; const float *data; } sonde_view;
/* Which axis of such axes answers come along in blocks: t, or the s of what an encoder's positions alone have ("s g e");
 * -1: none, it is one value of the whole text ("d"). */
SONDE_API int sonde_axes_rows(const char *axes);
typedef struct {
    size_t      variant, want;
    const char *site;                               /* SITE, GRAD: its whole name; LOGITS: the model's `answers` */
    int64_t     first;                              /* position of the view's first t */
    sonde_view  value;                              /* lent until the callback returns; METRIC: rank 0, one number */
    double      metric;                             /* METRIC and GRAD: the metric's value */
} sonde_answer;

/* On the session's thread; any status but SONDE_OK ends the run with it. */
typedef sonde_status (*sonde_answer_fn)(const sonde_answer *a, void *user, sonde_error *err);

typedef struct {
    const sonde_prompt    *bases;    size_t n_bases;
    const sonde_variant   *variants; size_t n_variants;
    const sonde_want      *wants;    size_t n_wants;        /* the same of every variant */
    const sonde_named_run *runs;     size_t n_runs;
    uint64_t seed;
} sonde_batch;

typedef struct { double flops; int64_t rows; int64_t bytes; } sonde_cost;   /* bytes: what one variant needs at once */

/* Answers come variant by variant. Inside one: the values of sites as the run reaches them, in ascending blocks of
 * positions (each view of SITE; "h t s" has s whole); logits row by row; then metrics; then gradients, the last place
 * first. NOMEM names what one variant needs. */
SONDE_API sonde_status sonde_variants_run(sonde_session *s, const sonde_batch *b, sonde_answer_fn fn, void *user,
                                          sonde_error *err);
/* What it would cost, and whether everything in it can be resolved; runs nothing. */
SONDE_API sonde_status sonde_variants_cost(sonde_session *s, const sonde_batch *b, sonde_cost *out, sonde_error *err);

/* The sites whose values the variant's edits read of run `run`, by their names in a plain run and separated by commas, ""
 * where they read none ("A": freeze and mean; "reference": mean). Free with sonde_text_free. */
SONDE_API sonde_status sonde_variant_reads(const sonde_model *m, const sonde_variant *v, const char *run, char **out,
                                           sonde_error *err);

/* SHA-256, in hex, of base 0 under variant 0: its tokens as int32 (of an encoder-decoder behind them its target's, the start
 * token alone where none is given), then the float32 logits of every position in order, little-endian, NaN as 0x7fc00000.
 * Wants are passed over. */
SONDE_API sonde_status sonde_run_hash(sonde_session *s, const sonde_batch *b, char out[65], sonde_error *err);

/* One run of one prompt, looked at: a batch of one variant that wants sites. */
typedef struct {
    sonde_prompt             prompt;
    const sonde_edit *const *edits; size_t n_edits;
    const char              *sites;                 /* pattern */
} sonde_single;
SONDE_API sonde_status sonde_run(sonde_session *s, const sonde_single *r, sonde_answer_fn fn, void *user, sonde_error *err);
#endif
