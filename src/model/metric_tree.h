/* metric_tree.h - a parsed metric: an expression over terms, children before parents. */
#ifndef SONDE_METRIC_TREE_H
#define SONDE_METRIC_TREE_H
#include "metric_data.h"

/*  FUNCTION(id, word, reads a token, reads a run, takes a position, has a gradient) */
#define METRIC_FUNCTIONS(F)                        \
    F(LOGIT,   "logit",   true,  false, true,  true)  \
    F(PROB,    "prob",    true,  false, true,  true)  \
    F(LOGPROB, "logprob", true,  false, true,  true)  \
    F(RANK,    "rank",    true,  false, true,  false) \
    F(ENTROPY, "entropy", false, false, true,  true)  \
    F(LOSS,    "loss",    false, false, false, true)  \
    F(KL,      "kl",      false, true,  true,  true)

typedef enum {
#define F(id, word, token, run, position, gradient) METRIC_##id,
    METRIC_FUNCTIONS(F)
#undef F
    METRIC_FUNCTION_COUNT
} metric_function;
typedef struct { const char *word; bool token, run, position, gradient; } metric_function_row;
extern const metric_function_row metric_functions[METRIC_FUNCTION_COUNT];

typedef struct {
    metric_function function;
    bool            argmax;         /* the token is run A's argmax at the position */
    int32_t         token;
    const char     *token_text;     /* as it is printed back */
    const char     *run;            /* kl */
    int64_t         position;       /* -1, the last, where none was written */
    bool            position_written;
} metric_term;

typedef enum { NODE_NUMBER, NODE_TERM, NODE_NEGATE, NODE_ADD, NODE_SUBTRACT, NODE_MULTIPLY, NODE_DIVIDE } node_kind;
typedef struct {
    node_kind kind;
    double    number;
    int       a, b;                 /* children; TERM: a is the term */
} metric_node;

enum { MOST_NODES = 1000, MOST_DEPTH = 64 };

struct sonde_metric {
    arena      *memory;
    metric_node node[MOST_NODES];   /* the last one is the whole */
    int         n;
    metric_term term[MOST_NODES];
    int         n_terms;
};
#endif
