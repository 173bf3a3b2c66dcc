/* method_probe.h - examples from documents, and probes that learn from some and are judged by others. */
#ifndef SONDE_METHOD_PROBE_H
#define SONDE_METHOD_PROBE_H
#include "classify.h"
#include "documents.h"
#include "method_neurons_class.h"
#include "places.h"

enum { PROBE_CLASS, PROBE_NEURONS, PROBE_K, PROBE_SITE, PROBE_LAYERS, PROBE_EACH, PROBE_C, PROBE_N };
extern const param probe_params[];

typedef enum { PART_TRAIN, PART_VALIDATION, PART_TEST, PARTS } probe_part;

typedef struct { long layer; int64_t neuron; double score; } probe_neuron;     /* score: mean of its w_out . W_U in the class - outside */

typedef struct {
    sonde_context *cx;
    const value   *args;
    uint8_t       *in_class;            /* [vocabulary] of the class */
    places         place;               /* that are read */
    probe_neuron  *neuron; size_t n_neurons;            /* 0: whole rows of the places are kept */
    int64_t        width;               /* numbers of an example */
    int64_t        each;                /* examples of each kind of a document at most */
    double         c;
    /* The examples, in the order of the documents. */
    int64_t        n;
    float         *x;                   /* [n, width] */
    uint8_t       *yes, *best, *part;   /* [n]; best: the model's most probable token is of the class */
    int64_t        documents[PARTS];    /* that gave any */
} probe;

/* What is read and kept; the class's tokens. */
sonde_status probe_open(probe *p, sonde_error *err);
void         probe_close(probe *p);
sonde_status probe_collect(probe *p, sonde_error *err);
sonde_status probe_dry(probe *p, sonde_result *out, sonde_error *err);

/* Columns of all examples, standardised by the training part, beside a classifier that learned from that part. */
typedef struct {
    const probe *p;
    int64_t      d;
    double      *x, *mean, *sd;         /* [n, d], [d], [d] */
    classifier   fit;
    double      *score;                 /* [n] */
} probe_fit;
sonde_status probe_learn(probe_fit *f, const probe *p, const int64_t *column, int64_t d, sonde_error *err);
void         probe_forget(probe_fit *f);
share        probe_share(const probe_fit *f, probe_part part);
double       probe_area(const probe_fit *f, probe_part part);
int64_t      probe_count(const probe *p, probe_part part);

sonde_status probe_put_neurons(const probe *p, sonde_result *out, sonde_error *err);
sonde_status probe_put_places(const probe *p, sonde_result *out, sonde_error *err);
void         probe_put_baseline(const probe *p, sonde_result *out);
#endif
