/* trace_tensor.h - the tensors of a trace: laid out before the run, filled block by block while it runs.
 *
 * Each goes to every file that is open, to its array of the result if it is kept, and into its statistics. */
#ifndef SONDE_TRACE_TENSOR_H
#define SONDE_TRACE_TENSOR_H
#include "method.h"

typedef enum { TENSOR_IDS, TENSOR_VALUE, TENSOR_SITE, TENSOR_GRAD, TENSOR_RUN } tensor_role;

typedef struct {
    tensor_role      role;
    size_t           prompt;
    char            *name;              /* in the file: "0/grad/blocks.3.hook_resid_pre" */
    char            *site;              /* in the run */
    char             axes[16];
    bool             of_target;         /* its rows are positions of an encoder-decoder's target */
    sonde_array_spec spec;              /* with that name */
    const void      *data;              /* IDS and VALUE: all of it, lent until the files are open */
    float           *keep;              /* items of the result's array, or NULL */
    sonde_stats      seen;
} trace_tensor;

typedef struct {
    trace_tensor        *at; size_t n;
    sonde_array_writer **file; size_t n_files;
} trace_tensors;

/* The tensor is lent until the next one is added. */
trace_tensor *tensors_add(trace_tensors *all, tensor_role role, size_t prompt, const char *name);
/* Sizes of a site with `rows` positions kept. */
void          tensor_shape(trace_tensor *t, const sonde_site *s, int64_t rows);
int64_t       tensor_items(const trace_tensor *t);
void          tensors_free(trace_tensors *all);         /* drops files that are still open */

typedef struct { const int64_t *row_of; int64_t rows; } kept_rows;      /* row_of NULL: position p is row p */
/* A view whose first position is `first` into tensor i. */
sonde_status tensors_put(trace_tensors *all, size_t i, const sonde_view *v, int64_t first, kept_rows rows, sonde_error *err);
/* Whole tensors that are there already. */
sonde_status tensors_put_data(trace_tensors *all, sonde_error *err);
#endif
