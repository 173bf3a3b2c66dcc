/* method_lens.h - what the files of method_lens share: the states of one run, read position by position. */
#ifndef SONDE_METHOD_LENS_H
#define SONDE_METHOD_LENS_H
#include "method.h"
#include <stdbool.h>

enum { LENS_LAYERS, LENS_POSITIONS, LENS_K, LENS_MID };

typedef struct { char *name, label[24]; int block; bool shown; double depth; sonde_site site; } lens_state;

typedef struct lens lens;
/* The logits of state s at the i-th position that is read; last: those of the model's answer there. */
typedef void (*lens_cell_fn)(lens *l, size_t i, size_t s, const float *row, const float *last);

struct lens {
    sonde_context *cx;
    sonde_prompt   p;
    const sonde_named_run *runs; size_t n_runs;     /* what edits read */
    bool           mid, normed;                     /* normed: norms stand behind the sums of blocks */
    long          *layer;     size_t n_layers;
    long          *position;  size_t n_positions;   /* ascending */
    lens_state    *state;     size_t n;             /* in the order of the run; the last one is the stream's end */
    int64_t        d, v, k;
    float         *stream;                          /* [positions, states, d] */
    float         *answer;                          /* [positions, v]: the run's own logits; NULL without edits */
    float         *logits;                          /* [states, v] of one position */
    sonde_logit_stats end;                          /* of the model's answer at that position */
    uint8_t       *in_top;                          /* [v]: among the last state's k largest */
    int32_t       *top;                             /* [max(k, --top)] */
    lens_cell_fn   cell;
    void          *user;
};

/* The states that a run of l->p passes; not yet its positions. */
sonde_status lens_open(lens *l, const param *rows, const value *args, sonde_error *err);
void         lens_close(lens *l);
/* Runs the model and hands every state that is shown to `cell`, position by position. */
sonde_status lens_read(lens *l, sonde_error *err);
/* With room for what lens_read keeps. */
sonde_status lens_cost(lens *l, sonde_cost *out, sonde_error *err);
/* Share of the row's k most probable tokens that are among the model's. */
double       lens_overlap(const lens *l, const float *row);

/* Means over the predictions of documents. */
sonde_status lens_text(sonde_context *cx, const param *rows, const value *args, sonde_result *out, sonde_error *err);
#endif
