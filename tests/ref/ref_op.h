/* ref_op.h - every operation as its formula, in plain double loops, sharing no code with the engine. */
#ifndef SONDE_REF_OP_H
#define SONDE_REF_OP_H
#include <stdbool.h>
#include <stdint.h>

typedef struct { int64_t dim[4]; double *data; } ref_tensor;        /* outermost first */

typedef struct {
    const char    *op;
    ref_tensor     out, in[3];
    const double  *w;               /* [n, k]: output first; tables: n rows */
    int64_t        n, k, heads;
    bool           by_inputs;       /* head_linear: heads cut the inputs, not the outputs */
    const double  *gain, *bias;     /* bias: NULL where there is none */
    double         eps, scale;
    int64_t        first, window;   /* position of the first query row; keys that a row sees at most, 0: any */
    bool           every;           /* rows see every key */
    const double  *key_bias, *row_bias, *sink;      /* [H, S], [H, T, S] of scores, [H] of softmax; NULL: none */
    double         limit, factor;   /* clamp, soft_cap; times */
    bool           capped;          /* attend: scores are soft-capped */
    const char    *act;             /* "gelu_tanh", "gelu", "silu", "relu", "tanh", "quick_gelu" */
    const int32_t *ids;
    const uint8_t *mask;
    const double  *angle;           /* [rows, dims/2] */
    int64_t        dims;            /* numbers of a head that rotate */
    bool           pairs;           /* points are neighbours, not halves */
} ref_call;

/* Fills out.data; false: there is no formula for this operation. */
bool ref_op(const ref_call *c);
#endif
