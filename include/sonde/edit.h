/* edit.h - changes of a run, as data with one text grammar (docs/reference/edits.md).
 *
 * An edit is parsed against a model (names of sites, texts of tokens), immutable
 * afterwards, and may be used by any thread. Vector files are read when it is
 * parsed. Its positions are resolved against a prompt when a run starts. */
#ifndef SONDE_EDIT_H
#define SONDE_EDIT_H
#include "sonde/array_file.h"
#include "sonde/error.h"
#include "sonde/model.h"

typedef struct sonde_edit sonde_edit;
typedef struct sonde_metric sonde_metric;

/* One edit or plan of execution. USAGE with what was found and expected; NOT_FOUND, FORMAT for its vector files.
 * `values`: where vectors named "value/N" are read from (a trace file), or NULL. */
SONDE_API sonde_status sonde_edit_parse(sonde_edit **out, const sonde_model *m, const char *text,
                                        const sonde_array_file *values, sonde_error *err);
/* The same with a vector in memory, which the text names value/0 ("set:hook_embed[0:3]=value/0"); the numbers are copied
 * and broadcast as numpy does. */
typedef struct { const float *data; int rank; int64_t dim[3]; } sonde_values;
SONDE_API sonde_status sonde_edit_of_values(sonde_edit **out, const sonde_model *m, const char *text, sonde_values values,
                                            sonde_error *err);
SONDE_API size_t       sonde_edit_format(const sonde_edit *e, char *buf, size_t n);     /* as snprintf */
SONDE_API void         sonde_edit_free(sonde_edit *e);                                  /* accepts NULL */
SONDE_API bool         sonde_edit_is_plan(const sonde_edit *e);         /* skip, swap, repeat, order */
/* Name of the i-th run it reads ("A", "B"), lent; NULL past the last. */
SONDE_API const char  *sonde_edit_run(const sonde_edit *e, size_t i);
/* The vector it reads, or NULL: lent, with its shape. For files that hold what is needed to run again. */
SONDE_API const float *sonde_edit_vector(const sonde_edit *e, sonde_array_spec *shape);
/* The edit's text with its vector's file name replaced by `name` (as snprintf). */
SONDE_API size_t       sonde_edit_format_as(const sonde_edit *e, const char *vector_name, char *buf, size_t n);

/* A metric: sums, differences, products, quotients of functions of the logits. `answer`, `wrong`: what those words
 * mean in it, NULL where they have no meaning. */
SONDE_API sonde_status sonde_metric_parse(sonde_metric **out, const sonde_model *m, const char *text,
                                          const char *answer, const char *wrong, sonde_error *err);
SONDE_API size_t       sonde_metric_format(const sonde_metric *x, char *buf, size_t n); /* as snprintf */
SONDE_API void         sonde_metric_free(sonde_metric *x);                              /* accepts NULL */
SONDE_API const char  *sonde_metric_run(const sonde_metric *x, size_t i);               /* as sonde_edit_run */

/* A metric that is linear in the logits, as weights: it equals *rest + sum of weight * logit(token, position). A token
 * `argmax` has no id here; a position that was not written is -1, the last. */
typedef struct { double weight; int32_t token; bool argmax; int64_t position; bool position_written; } sonde_logit_term;
SONDE_API size_t       sonde_metric_terms(const sonde_metric *x);                       /* length of `out` */
/* USAGE, with what is allowed, where it is not linear. */
SONDE_API sonde_status sonde_metric_linear(const sonde_metric *x, sonde_logit_term *out, double *rest, sonde_error *err);
#endif
