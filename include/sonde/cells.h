/* cells.h - finished pieces of long work, in one SQLite file that survives the end of the process at any moment.
 *
 * An experiment is a model, a method and its parameters; its cells are named by a document and a name, and hold numbers.
 * Every cell is its own transaction (WAL): after kill -9 each one is there whole or not at all. Several processes may
 * write one file. A handle belongs to one thread. */
#ifndef SONDE_CELLS_H
#define SONDE_CELLS_H
#include "sonde/error.h"
#include "sonde/result.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sonde_cells sonde_cells;

typedef struct {
    const char *model, *model_hash;
    const char *method;
    const char *params;                     /* text that tells runs apart: parameters, edits, BOS, .. */
} sonde_experiment;

/* Opens or makes the file and finds or makes the experiment. FORMAT: not such a file; IO. */
SONDE_API sonde_status sonde_cells_open(sonde_cells **out, const char *path, const sonde_experiment *what, sonde_error *err);
SONDE_API void         sonde_cells_close(sonde_cells *c);                       /* accepts NULL */
/* *out: the numbers, to be freed with sonde_cells_free; NULL if the cell is not there. `document`: its own name (a hash). */
SONDE_API sonde_status sonde_cells_get(sonde_cells *c, const char *document, const char *cell, double **out, size_t *n,
                                       sonde_error *err);
SONDE_API sonde_status sonde_cells_put(sonde_cells *c, const char *document, const char *cell, const double *x, size_t n,
                                       sonde_error *err);
SONDE_API void         sonde_cells_free(double *x);
/* The finished answer, as JSON. */
SONDE_API sonde_status sonde_cells_finish(sonde_cells *c, const sonde_result *r, sonde_error *err);

/* What a file holds. Texts are lent until the callback returns; result: JSON, NULL while it is not finished. */
typedef struct {
    int64_t     id;
    const char *model, *model_hash, *method, *params, *sonde, *begun, *finished;
    int64_t     documents, cells, bytes;
    const char *result; size_t result_len;
} sonde_experiment_info;
typedef sonde_status (*sonde_experiment_fn)(const sonde_experiment_info *e, void *user, sonde_error *err);
SONDE_API sonde_status sonde_cells_list(const char *path, sonde_experiment_fn fn, void *user, sonde_error *err);
typedef struct { const char *document, *cell; const double *x; size_t n; } sonde_cell_info;
typedef sonde_status (*sonde_cell_fn)(const sonde_cell_info *c, void *user, sonde_error *err);
SONDE_API sonde_status sonde_cells_each(const char *path, int64_t experiment, sonde_cell_fn fn, void *user, sonde_error *err);
#endif
