/* variant_run.h - one variant of a batch on its way: bound, opened as a lane, answered. */
#ifndef SONDE_VARIANT_RUN_H
#define SONDE_VARIANT_RUN_H
#include "batch_data.h"
#include "lending.h"

/* Where answers go. Those of metrics wait until it is their variant's turn. */
typedef struct {
    sonde_answer_fn fn; void *user;
    size_t          next;           /* the variant whose turn it is */
    int64_t         seen;           /* positions of it whose logits are out: those below */
    double         *metric;         /* [n_variants, n_wants] */
    bool           *done;           /* [n_variants] */
} answers;

/* A gradient that waits for its variant's turn. */
typedef struct held_slope { struct held_slope *next; sighting seen; } held_slope;

typedef struct {
    batch_runs     *runs;
    answers        *out;
    runs_of_base    of;
    size_t          index;
    positions       reads[2];       /* by stack_id */
    arena          *memory;         /* ends with the variant */
    lane            l;
    departure       way;            /* what is computed */
    bound_metric  **metric;         /* [n_wants], NULL where a want has none */
    place_list     *wanted;         /* [n_wants]: of SITE and GRAD */
    size_t          grad;           /* the want whose gradients are under way */
    bool            beside;         /* others are under way: it answers when its last row has come, */
    held_slope     *slopes, **end;  /* and its gradients wait here */
} variant_run;

/* Places and positions alone, nothing is opened: for what it would cost. Free v->memory, then or after an error. */
sonde_status variant_plan(variant_run *v, batch_runs *r, size_t index, const slots *plain, sonde_error *err);
/* Ready to run, from what the lender (or NULL) has; needs v->out. Free v->memory, then or after an error. */
sonde_status variant_open(variant_run *v, batch_runs *r, size_t index, const lender *from, sonde_error *err);
/* Its metrics are known: they leave when it is their turn. */
sonde_status variant_done(variant_run *v, sonde_error *err);
/* Several opened ones that want nothing but metrics and the gradients of one want, their rows in one product forward and back;
 * `keep`: values of blocks are kept meanwhile. *n: how many ran, the first alone where they are not alike. */
sonde_status variants_run_back(variant_run *v, int *n, bool keep, sonde_error *err);
/* Alone and whole, answers as they come: for values and gradients of sites. */
sonde_status variant_run_alone(variant_run *v, sonde_error *err);
#endif
