/* generate_parts.h - what writing token by token (generate.c) and searching beams (beams.c) share. */
#ifndef SONDE_GENERATE_PARTS_H
#define SONDE_GENERATE_PARTS_H
#include "batch_data.h"
#include "sample.h"

enum { MOST_BEAMS = 256 };

typedef struct {
    size_t         index;
    runs_of_base   of;
    positions      reads[2];            /* by stack_id */
    int32_t       *tokens;
    int64_t        n_prompt, n;         /* tokens there are */
    lane           edited, plain;       /* plain: run A, if anything reads it */
    sonde_capture *kept;                /* its values */
    float         *logits;              /* of the newest row */
    int64_t        last_row;
    char          *text; size_t text_len, text_cap;     /* what was generated, for --stop */
    bool           done;
    double         score;               /* of beams */
} writing;

typedef struct {
    sonde_session        *session;
    const sonde_sampling *o;
    sonde_generated_fn    fn;
    void                 *user;
    arena                *memory;
    batch_runs            runs;
    writing              *w;
    size_t                n;
    candidate            *room;         /* [v] */
    lane                **lanes;        /* [n], as the goals */
    int64_t              *goal;
    int32_t              *other;        /* alternatives of one token */
    double               *other_prob;
} generation;

/* The logits of a lane's newest row, with what the model forces behind `n` tokens, `written` of them its own. */
void generate_force(const generation *g, float *logits, int64_t n, int64_t written);
/* Tells the caller of the text's newest token, which w->logits stand in front of. */
sonde_status generate_report(generation *g, writing *w, int32_t id, sonde_error *err);

/* The best text of a prompt that is open and has not run; every token is told. */
sonde_status beams_write(generation *g, writing *w, sonde_error *err);
#endif
