/* graph_told.h - what sonde_graph says of an operation beside its shapes: kind, formula, constants. */
#ifndef SONDE_GRAPH_TOLD_H
#define SONDE_GRAPH_TOLD_H
#include "program.h"
#include "sonde/graph.h"

enum { MOST_CONSTANTS = 6 };

/* Room for what a row lends; it must live as long as the row is used. */
typedef struct { sonde_constant at[MOST_CONSTANTS]; size_t n; } told_constants;

typedef struct {
    const arch_config *config;
    int                block;       /* whose weights; -1 outside */
    int64_t            n;           /* positions of the run */
    arena             *memory;
    sight              seen;        /* of attention's rows */
    bool               target;      /* the stack is a decoder behind an encoder */
} told_where;

/* `row` has its bias already. */
void tell_step(told_where w, const step *s, told_constants *room, sonde_operation *row);
void tell_relative_bias(told_where w, told_constants *room, sonde_operation *row);
void tell_mixture(told_where w, told_constants *room, sonde_operation *row);
/* Of attention's own: OP_scores, OP_soft_cap, OP_softmax or OP_mix. */
void tell_attention_part(told_where w, enum op_id id, told_constants *room, sonde_operation *row);
#endif
