/* head_scores.h - what heads do with their patterns, counted in one way by every method that asks.
 *
 * Patterns arrive block of rows by block of rows; whoever takes them hands in row by row. */
#ifndef SONDE_HEAD_SCORES_H
#define SONDE_HEAD_SCORES_H
#include "method.h"
#include <stdbool.h>

/* The heads that are looked at, of every block whose attention runs. */
typedef struct {
    long  *layer, *head;
    size_t n_layers, n_heads;
    char (*site)[64];                   /* [layers] names of the patterns */
} pattern_heads;

/* rows, args: the parameters "layers" and "heads", in this order. "all" is every block whose attention runs under the plans
 * given; a block named whose attention is skipped is USAGE. */
sonde_status pattern_heads_open(pattern_heads *p, const sonde_context *cx, const param *rows, const value *args,
                                sonde_error *err);
void         pattern_heads_close(pattern_heads *p);

typedef struct {
    const sonde_context   *cx;
    const pattern_heads   *heads;
    sonde_prompt           prompt;
    bool                   edited;
    const sonde_named_run *runs; size_t n_runs;         /* what edits read */
} pattern_query;

/* The patterns of one run; `want` of an answer is the place of its layer. */
sonde_status pattern_run(const pattern_query *q, sonde_answer_fn fn, void *user, sonde_error *err);
sonde_status pattern_cost(const pattern_query *q, sonde_cost *out, sonde_error *err);

typedef struct { double sum, n; } score;                /* a mean: n 0 where there was nothing to count */
enum { SCORE_PREVIOUS, SCORE_FIRST, SCORE_SELF, SCORE_DUPLICATE, SCORE_INDUCTION, SCORE_ENTROPY, SCORE_DISTANCE, SCORES };

typedef struct {
    const int32_t *tokens;
    const float   *row;                 /* attention of position i to its keys, 0 to the last before `end` */
    int64_t        i, end;              /* end: i + 1, or as many as there are where every position sees every other */
    int64_t        from;                /* 1: position 0 is no key, the rest of the row is made to sum to 1; 0: as it is */
} head_row;

/* `end` of row i of a run with so many keys. */
int64_t row_end(const sonde_context *cx, int64_t i, int64_t keys);
/* `first` is that of the row as it is. */
void   scores_add_row(score sum[SCORES], const head_row *r);
/* What the keys that count hold together: what a row is divided by. */
double head_row_mass(const head_row *r);

/* BOS where the model has one, then `period` distinct random ids twice: nothing but the repetition can be attended to. */
typedef struct { int32_t *id; int64_t bos, period; } repeated_ids;     /* period 0: they do not fit into the context */

/* A note where there are fewer than usual. */
void         repeated_ids_open(repeated_ids *r, const sonde_context *cx, sonde_result *out);
void         repeated_ids_close(repeated_ids *r);
sonde_prompt repeated_ids_prompt(const repeated_ids *r);
/* Adds what rows of the second turn attend to behind the first occurrence of their token: sum [layers, heads]. */
void         repeated_ids_take(const repeated_ids *r, const pattern_heads *heads, const sonde_answer *a, score *sum);
#endif
