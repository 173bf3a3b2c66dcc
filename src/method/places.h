/* places.h - sites with a row of numbers for every position, and some of those rows of one run. */
#ifndef SONDE_PLACES_H
#define SONDE_PLACES_H
#include "method.h"

typedef struct {
    char   *name, axes[16];
    int     block;                      /* -1: in none */
    int     rank;
    int64_t dim[4];                     /* dim[0] stands for t */
    int64_t width;                      /* numbers of a position */
} place;
typedef struct { place *at; size_t n; int64_t width; } places;         /* width: of all of them together */

/* In the order of the run. USAGE for a site whose first axis is not t. */
sonde_status places_find(places *p, const sonde_context *cx, const char *pattern, sonde_error *err);
void         places_free(places *p);

typedef struct {
    const places  *p;
    sonde_prompt   prompt;
    const int64_t *at; size_t n;        /* positions, ascending */
    int32_t       *best;                /* [n] the most probable token there; NULL: not wanted */
} rows_query;
/* Rows of one run with the edits of the context: out [places][n, width of the place], one place behind another. */
sonde_status rows_read(const sonde_context *cx, const rows_query *q, float *out, sonde_error *err);
sonde_status rows_cost(const sonde_context *cx, const rows_query *q, sonde_cost *out, sonde_error *err);
#endif
