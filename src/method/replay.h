/* replay.h - what a trace says should be run: its tokens, edits, metric, and the values of other runs (interface.md 6).
 *
 * A file of several prompts has `0/tokens`, `0/SITE`, ..: each prefix is a run of its own. */
#ifndef SONDE_REPLAY_H
#define SONDE_REPLAY_H
#include "method.h"

enum { REPLAY_RUNS = 16 };

typedef struct {
    const sonde_array_file *file;
    char            prefix[24];                 /* "" or "3/" */
    int32_t        *types;                      /* [n]: `token_types`, NULL: none */
    int32_t        *tokens; int64_t n, prompt;  /* prompt: positions from here on were generated, 0: none */
    int32_t        *target; int64_t n_target;   /* of an encoder-decoder: its decoder's, which go on; NULL: none */
    sonde_edit    **edit; size_t n_edits;
    sonde_metric   *metric;                     /* NULL: none */
    sonde_named_run run[REPLAY_RUNS]; size_t n_runs;
    sonde_capture  *capture[REPLAY_RUNS];
    uint64_t        seed;
    int64_t        *position; int64_t n_position;   /* rows that the tensors have; NULL: all */
} replay;

/* The prefix of run i; false: the file has no such run. */
bool         replay_prefix(const sonde_array_file *f, size_t i, char out[24]);
/* Safe to close whatever it returns. */
sonde_status replay_open(replay *r, const sonde_model *m, const sonde_array_file *f, const char *prefix, sonde_error *err);
void         replay_close(replay *r);
/* Value of the metadata's prefix + key, else of key; NULL: none. */
const char  *replay_note(const replay *r, const char *key);
sonde_prompt replay_prompt(const replay *r);
/* The tokens that logits and a generation follow: the target's, if there is one. */
const int32_t *replay_rows(const replay *r, int64_t *n);
/* The same prompt with these in their place. */
sonde_prompt replay_with(const replay *r, const int32_t *rows, int64_t n, int64_t prompt);
/* A note where the file's model_hash is another model's. */
void         replay_warn(const replay *r, const sonde_model *m, sonde_result *out);
#endif
