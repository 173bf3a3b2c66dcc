/* method_contributions.h - a logit split over what wrote to the residual stream, with the run's final norm frozen.
 *
 * The shape of the model under its plans of execution is walked once (outline); every prompt then fills the vectors of
 * the outline from one run, and turns them into one number for each component. */
#ifndef SONDE_METHOD_CONTRIBUTIONS_H
#define SONDE_METHOD_CONTRIBUTIONS_H
#include "packs.h"
#include "prompt_runs.h"

typedef enum { BY_LAYER, BY_HEAD, BY_NEURON, BY_ACCUMULATED, BY_POSITION } split_by;

/* Values of one site in a run: one row of it, or all of them. */
typedef struct {
    char   *site;
    float  *data;
    int64_t row;                        /* numbers of one position */
    bool    every;                      /* all positions; else the one asked for */
    bool    keyed;                      /* "h t s": the row is [h, s] */
    int64_t heads;                      /* of a keyed one */
} tapped;

/* What adds to the stream, and the states of the stream between, in the order of the run. */
typedef enum { WRITES_EMBED, WRITES_ATTENTION, WRITES_CROSS, WRITES_MLP, IS_STATE } part_kind;
typedef struct {
    part_kind   kind;
    char        label[24];              /* "embed", "4r1": the block */
    const char *word;                   /* "embed", "attn", "mlp"; a state: "pre", "mid", "post" */
    int         block;
    size_t      tap;                    /* its value */
    bool        split;                  /* into heads or neurons */
    size_t      inner;                  /* its tap of hook_result or hook_post */
    size_t      pattern, values;        /* BY_POSITION */
    int64_t     n;                      /* heads or neurons */
    char       *bias, *weights;         /* names of its weights; bias NULL where it is not shown apart */
    size_t      first;                  /* its first component */
} part;

typedef struct {
    char        name[40];
    const char *kind;
    int         layer, head, neuron;    /* -1: none */
    bool        only_used;              /* a row only where something is in it (edits) */
    double      value;                  /* of the prompt at hand */
    double      mean, square;           /* over the prompts so far: Welford's mean and sum of squared deviations */
    bool        used;
} component;

typedef struct {
    sonde_context *cx;
    split_by    by;
    const char *metric; long position; bool position_given;
    int64_t     d, v, e;
    tapped     *tap;        size_t n_taps;
    part       *part;       size_t n_parts;
    component  *all;        size_t n_all;       /* the last three: edits behind the stream, bias, constant */
    char       *norm;                           /* "ln_final" */
    size_t      scale, normalized;              /* taps */
    bool        post_norms, odd_weights;        /* something could not be split, and why */
    sonde_cost  cost;
    /* of the prompt at hand */
    size_t      prompt;
    int64_t     at, length;
    sonde_logit_term *term; size_t n_terms; double constant;
    double      logit;
    float      *slope;                          /* [d]: d metric / d normalized */
    float      *slope_out, *slope_logits;       /* [d], [v]: behind the norm's weights; the logits */
    double     *direction;                      /* [d]: what a writer is multiplied with */
    /* of all prompts */
    double     *logits;     double *sums;       /* [prompts] */
    double     *frozen, *lens;                  /* [parts]: means over the prompts (states alone), BY_ACCUMULATED */
    size_t      n_done;
} split;

/* Index of a weight, SIZE_MAX where the model has none of this name. */
size_t       weight_find(const sonde_model *m, const char *name, sonde_weight_info *out);

sonde_status split_outline(split *s, sonde_error *err);
void         split_close(split *s);
/* The metric as terms at one position; the position. */
sonde_status split_metric(split *s, sonde_metric **out, sonde_error *err);
/* Runs prompt s->prompt (or adds its cost) and fills components. */
sonde_status split_measure(split *s, sonde_error *err);
/* Values from the vectors of the run at hand. */
sonde_status split_values(split *s, sonde_error *err);
double       split_dot(const split *s, const float *x);

void         split_put(const split *s, sonde_result *out);
sonde_status split_put_sources(const split *s, sonde_result *out, sonde_error *err);

static inline component *component_of(const split *s, const part *p, int64_t i) { return &s->all[p->first + (size_t)i]; }
#endif
