/* method_neurons_prompt.h - what neurons do at one position of a run. */
#ifndef SONDE_METHOD_NEURONS_PROMPT_H
#define SONDE_METHOD_NEURONS_PROMPT_H
#include "method_neurons.h"

typedef struct {
    char   name[40];                    /* "blocks.4r1" */
    int    layer;
    bool   acts, mid;                   /* its MLP runs; there is a state between attention and MLP */
    float *before, *after, *act;        /* [d] stream before and after the MLP, [f] neurons */
} acting_block;

typedef struct {
    neuron_weights *w;
    int64_t         at;                 /* position */
    const sonde_edit *const *edits; size_t n_edits;
    acting_block   *block; size_t n;
} acting;

/* told [n_layers, f]: neurons whose tokens stand in the table; the caller frees it. */
typedef struct { sonde_table *dominant, *tokens, *lens; uint8_t *told; } acting_tables;

/* Runs the prompt (cost: only says what it would cost). */
sonde_status  acting_open(acting *r, sonde_cost *cost, sonde_error *err);
void          acting_close(acting *r);
acting_tables acting_make(const neuron_weights *w, sonde_result *out);
sonde_status  acting_put(acting *r, const char *run, const acting_tables *t, sonde_error *err);
/* Greedy texts without and with the edits. */
sonde_status  acting_texts(const neuron_weights *w, const sonde_edit *const *edits, size_t n_edits, long n,
                           sonde_result *out, sonde_error *err);
#endif
