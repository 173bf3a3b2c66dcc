/* graph.h - the operations that a run is made of, in the order in which it reaches them.
 *
 * Nothing is run: sizes and costs are those of n positions at once, with the plans of execution that the edits hold.
 * Attention's scores, softmax and mix are one step of the engine and three operations here; experts are one, under the
 * name of their last weight; so is the relative bias of a stack, which the scores of all its layers read. */
#ifndef SONDE_GRAPH_H
#define SONDE_GRAPH_H
#include "sonde/edit.h"
#include "sonde/error.h"
#include "sonde/model.h"

typedef struct { int rank; int64_t dim[4]; } sonde_shape;

typedef struct {                            /* a number of a formula, or a list of them */
    const char  *name;                      /* as the formula has it: "eps", "scale" */
    double       value;                     /* of one number */
    const float *list; size_t n;            /* NULL: it is one number */
} sonde_constant;

typedef struct {
    int         id;                         /* counted from 0 */
    const char *stack;                      /* "encoder", "decoder"; NULL: the model is one stack */
    int         block;                      /* whose weights, counted in its stack; -1 before and behind the blocks */
    const char *operation;                  /* "linear", "scores" */
    const char *site;                       /* whole names of the sites that its value is, ", " between; or NULL */
    const char *weight, *bias;              /* whole names, or NULL */
    const char *more;                       /* further weights that it reads, ", " between; or NULL */
    const char *formula;                    /* "y = x W + bias": from what it reads, in order, its weights and constants */
    const char *kind;                       /* lookup: what counts its rows, "tokens", "positions", of a decoder behind an
                                             * encoder "target tokens", "target positions"; activation: which function,
                                             * "gelu_tanh"; NULL: there is one kind */
    const sonde_constant *constant; size_t n_constants;         /* lent for the call, as all texts */
    size_t      n_in;
    int         from[3];                    /* ids of the operations whose values it reads */
    sonde_shape in[3], out;
    double      flops, bytes;               /* bytes: read and written, weights included */
} sonde_operation;

typedef sonde_status (*sonde_operation_fn)(const sonde_operation *op, void *user, sonde_error *err);
typedef struct {
    const sonde_edit *const *edits; size_t n_edits;
    int64_t n;                              /* positions, 1 to the context; of an encoder-decoder its encoder's, */
    int64_t n_target;                       /* and its decoder's; else passed over */
} sonde_graph_query;

/* What a run with these edits executes; heads that an edit treats one by one bring operations of their own. USAGE as
 * for sonde_sites. */
SONDE_API sonde_status sonde_graph(const sonde_model *m, sonde_graph_query q, sonde_operation_fn fn, void *user,
                                   sonde_error *err);
#endif
