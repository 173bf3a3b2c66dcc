/* method_lens.h - what the files of method_lens share: the states of one run, read position by position. */
#ifndef SONDE_METHOD_LENS_H
#define SONDE_METHOD_LENS_H
#include "method.h"
#include <stdbool.h>

enum { LENS_LAYERS, LENS_POSITIONS, LENS_K, LENS_MID };

typedef struct { char *name, label[24]; int block; bool shown; double depth; sonde_site site; } lens_state;

/* What a state of a position answers. */
typedef struct {
    sonde_logit_stats stats;
    float   best, next;             /* logits: its argmax's; the token's that follows (where `next` is asked) */
    int64_t rank;                   /* of the model's own answer */
    bool    same;                   /* its argmax is the model's */
    double  kl, kl_state;           /* nats: KL(model || state); KL(state || model), where `next` is asked */
    double  overlap;                /* share of the k most probable tokens that are among the model's */
    const int32_t *top; const float *top_logit; size_t n_top;
} lens_cell;

typedef struct lens lens;
/* State s at the i-th position that is read, position by position; on the session's thread. */
typedef void (*lens_cell_fn)(lens *l, size_t i, size_t s, const lens_cell *c);

struct lens {
    sonde_context *cx;
    sonde_prompt   p;
    int64_t        rows;                            /* positions of p that logits follow */
    const sonde_named_run *runs; size_t n_runs;     /* what edits read */
    bool           mid;
    bool           two;                             /* the decoder of an encoder-decoder is read */
    bool           post_norm;                       /* norms stand behind the sums: their outputs are the stream */
    bool           next;                            /* the next token's logit and KL from the state are asked, not --top's list */
    long          *layer;     size_t n_layers;
    long          *position;  size_t n_positions;   /* ascending */
    lens_state    *state;     size_t n;             /* in the order of the run; the last one is the stream's end */
    size_t        *read;      size_t n_read;        /* the states that are shown, and the last one */
    int64_t        d, v, k;
    float         *stream;                          /* [positions, n_read, d] */
    float         *answer;                          /* [positions, v]: the run's own logits; NULL without edits */
    struct lens_block *block;                       /* the positions that are read at once */
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
/* Means over the predictions of documents. */
sonde_status lens_text(sonde_context *cx, const param *rows, const value *args, sonde_result *out, sonde_error *err);
#endif
