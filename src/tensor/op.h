/* op.h - what an operation is.
 *
 * One row of ops.def and one file op_NAME.c add an operation. Its forward rule,
 * backward rule, shape rule and cost stand next to each other there; the tests,
 * the benchmark and the reference page are made from the table.
 *
 * Work is cut into units (a row, a tile of columns, a row of one head). A unit
 * belongs to one thread and every sum to one unit, so any cut gives the same bits.
 * Backward rules read inputs and the gradient of the output, never the output
 * itself: an edit may have changed it. Weights have a type of their own and no
 * gradient; a tensor holds float32 activations. */
#ifndef SONDE_OP_H
#define SONDE_OP_H
#include "act.h"
#include "kernel/kern.h"
#include "sight.h"
#include "sonde/error.h"
#include <stdbool.h>
#include <stdint.h>

enum { MAX_DIM = 4, MAX_IN = 3 };

typedef struct tensor {
    const char *name;
    int64_t     dim[MAX_DIM];       /* outermost first; unused dims in front are 1 */
    float      *data;
    float      *grad;               /* d metric / d data; NULL: nobody asked for it */
} tensor;

typedef enum { HEAD_OUTPUTS, HEAD_INPUTS } head_split;  /* which side of a weight the heads cut */

typedef union {                     /* typed, one member per op that has any */
    struct { const kern_weight *table; const int32_t *ids; } lookup;    /* ids [rows], below table->n */
    struct { float eps; } norm;
    struct { const float *gain, *bias; } affine;                        /* [cols]; bias may be NULL */
    struct { const kern_weight *w; const float *bias; } linear;
    struct { act_kind kind; } activation;
    struct { int64_t k; } largest;
    struct { const float *turn; int64_t dims; bool pairs; } rotate;     /* turn [rows, 2, dims/2]: cosines, sines */
    struct { int64_t dims; } reorder;
    struct {
        sight        sight;         /* key row s is position s */
        float        scale;
        const float *key_bias;      /* [H, S] added to the scaled scores; NULL: nothing, as for the next two */
        const float *bias;          /* [H, T, S] the same */
        const float *sink;          /* [H] a score in each row that no key has */
        float        limit;         /* attend: scores are soft-capped by it; 0: not at all */
        const struct attend_part *part;     /* what rows see, instead of all of in[1], in[2]: attend_rows.h */
        int64_t      parts;
        float       *kept;          /* attend, on the way back: [3, H, T] that bwd of in[0] leaves for those of in[1], in[2] */
    } attention;
    struct { float limit; } clamp;                      /* clamped_glu too */
    struct { float factor; } times;
    struct { const kern_weight *w; const float *bias; head_split split; } head_linear;
    struct { const uint8_t *mask; } pick;               /* [rows, heads]: which (row, head) */
} op_attr;

typedef struct op_call {
    const struct op *op;
    tensor          *out;
    tensor          *in[MAX_IN];
    float           *part[MAX_IN];  /* where bwd writes the share of in[i]'s gradient that comes through this call */
    op_attr          attr;
} op_call;

typedef struct { double flops, bytes; } op_cost;

enum { FORWARD = -1 };

typedef struct op {
    const char *name, *doc;
    int         n_in;
    bool        masked;             /* treats the (row, head)s of attr.pick apart */
    /* Check the inputs and set out->dim. */
    sonde_status (*shape)(op_call *c, sonde_error *err);
    /* How many units fwd (FORWARD) or bwd for in[which] has. */
    int64_t   (*units)(const op_call *c, int which);
    /* Write these units of out. */
    void      (*fwd)(const op_call *c, span u);
    /* Write these units of part[which] = d(metric)/d(in[which]) through out. NULL: there is no input to differentiate. */
    void      (*bwd)(const op_call *c, int which, span u);
    op_cost   (*cost)(const op_call *c);
    /* The whole call on several threads where they share more than units; NULL: cut into units. */
    void      (*shared)(const op_call *c, int which, int threads);
} op;

enum op_id {
#define OP(name) OP_##name,
#include "ops.def"
#undef OP
    OP_COUNT
};
extern const op *const op_table[OP_COUNT];

int64_t tensor_rows(const tensor *t);           /* product of all dims but the last */
int64_t tensor_cols(const tensor *t);
int64_t tensor_count(const tensor *t);
void    tensor_same_shape(tensor *out, const tensor *as);

/* What most operations are cut into: a row of out, [dim 0, 1, 2]; a position with all its heads, [dim 1]. */
int64_t units_are_rows(const op_call *c, int which);
int64_t units_are_positions(const op_call *c, int which);

/* Parts of a weight, in place: outputs (or inputs) [h * n/heads, (h+1) * n/heads); inputs and outputs exchanged. */
kern_weight weight_head(const kern_weight *w, int64_t heads, int64_t h, head_split split);
kern_weight weight_flipped(const kern_weight *w);
double      weight_bytes(const kern_weight *w);          /* as they are stored */

/* Where number r of a head in halves stands in a head in pairs of which `dims` numbers rotate. */
static inline int64_t reorder_from(int64_t r, int64_t dims) {
    return r >= dims ? r : r < dims / 2 ? 2 * r : 2 * (r - dims / 2) + 1;
}

/* Run a whole call, cut over at most `threads` threads of the process's pool. */
void op_forward(const op_call *c, int threads);
void op_backward(const op_call *c, int which, int threads);
#endif
