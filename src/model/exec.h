/* exec.h - one program on the rows of some lanes, forward and back. */
#ifndef SONDE_EXEC_H
#define SONDE_EXEC_H
#include "lane.h"
#include "model_data.h"
#include "program.h"
#include "tensor/sight.h"
#include "tensor/workspace.h"

typedef struct exec {
    const sonde_model *model;
    const arch_config *config;              /* of the stack that runs */
    int                threads;
    workspace         *memory;
    const program     *program;
    int                block;               /* whose weights; -1 for FRONT and BACK */
    segment           *segment; int n_segments;
    int64_t            rows;
    const int32_t     *tokens, *positions, *types;      /* of the rows; FRONT only; types NULL: all 0 */
    bool               quiet;               /* run again for the way back: nothing is watched */
    float             *value[MOST_VALUES];  /* [rows, heads, cols] */
    float             *cross_grad[2];       /* on the way back: of the lane's keys and values of its encoder */
    float             *turns;               /* [rows, 2, dims/2] of rope_turn; NULL until an operation rotates */
    uint8_t           *mask[SITE_COUNT];    /* [rows, heads]: which heads of a site are edited */
    float             *part[MOST_STEPS][MAX_IN];
    float             *grad[MOST_VALUES];
} exec;

/* value[program->in] is given (FRONT: nothing). A value that has a place (not NULL) is made there, the others in the
 * workspace, where they stay until the caller releases it. */
sonde_status exec_forward(exec *x, sonde_error *err);
/* May value[out] be made where value[in] stands: has everybody read that by then? */
bool exec_ends_in_place(const exec *x);
/* After exec_forward of whole sequences of lanes: grad_out is d metric / d value[out]; *grad_in gets that of value[in]
 * (or NULL for FRONT). exec_backward_two: of a program that has two values. */
sonde_status exec_backward(exec *x, float *grad_out, float **grad_in, sonde_error *err);
sonde_status exec_backward_two(exec *x, float *const grad_out[2], float **grad_in, sonde_error *err);

/* Attention of one step, segment by segment (attend.c). */
sonde_status attend_forward(exec *x, const step *s, sonde_error *err);
sonde_status attend_backward(exec *x, const step *s, int at, sonde_error *err);     /* fills part[at][0..2] */

const weight *exec_weight(const exec *x, weight_id id);
/* The tensor of a value, [1, rows, heads, cols]. */
tensor exec_tensor(const exec *x, int value);
#endif
