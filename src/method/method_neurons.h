/* method_neurons.h - neurons by what their rows of W_out say to the unembedding, and by what they do in a prompt. */
#ifndef SONDE_METHOD_NEURONS_H
#define SONDE_METHOD_NEURONS_H
#include "prompt_runs.h"

enum {
    NEURONS_LAYERS, NEURONS_KURTOSIS, NEURONS_VARIANCE, NEURONS_CLASS, NEURONS_ALL, NEURONS_BY, NEURONS_SEARCH, NEURONS_K,
    NEURONS_RAW, NEURONS_POSITION, NEURONS_OFF, NEURONS_ON, NEURONS_WHERE, NEURONS_N
};

/* The weights that are read: a layer's W_out at a time. */
typedef struct {
    sonde_context     *cx;
    const sonde_model *model;           /* `folded`, or the one as it is */
    sonde_model       *folded;
    long    *layer;    size_t n_layers;
    int64_t  d, f, vocab;
    int64_t  n;                     /* columns of W_U that are tokens: padding behind the tokenizer's is left out */
    float   *unembed;               /* [d, vocab] */
    double  *column;                /* [n]: 1 / norm of a column; 0 for a zero one */
    float   *w_out;                 /* [f, d] of the layer read last */
    double  *row;                   /* [f]: 1 / norm of a row; 0 for a zero one */
} neuron_weights;

sonde_status neurons_open(neuron_weights *w, const value *args, sonde_error *err);
void         neurons_close(neuron_weights *w);
sonde_status neurons_read(neuron_weights *w, long layer, sonde_error *err);
/* All neurons of the layer at hand and all tokens. */
sonde_matrices neurons_matrices(const neuron_weights *w);
/* Parameters of the table of neurons, in the order of the enum. */
extern const param neurons_params[];

/* What --kurtosis and --variance call a neuron. */
typedef enum { KIND_NONE, KIND_PREDICTION, KIND_SUPPRESSION, KIND_PARTITION, KIND_COUNT } neuron_kind;
typedef struct { double kurtosis, variance; } neuron_bounds;
neuron_kind neuron_kind_of(const sonde_moments *m, neuron_bounds b);

/* Moments of the cosines of every neuron of the chosen layers: [n_layers, f], the caller's. */
sonde_status neurons_moments(neuron_weights *w, sonde_moments *out, sonde_error *err);

sonde_status neurons_table(neuron_weights *w, const value *args, sonde_result *out, sonde_error *err);
sonde_status neurons_classes(neuron_weights *w, const value *args, sonde_result *out, sonde_error *err);
sonde_status neurons_search(neuron_weights *w, const value *args, sonde_result *out, sonde_error *err);
sonde_status neurons_prompt(neuron_weights *w, const value *args, sonde_result *out, sonde_error *err);
#endif
