/* pivot.h - a table or an array as a picture sees it: a grid of numbers with labels on two sides.
 *
 * Names, labels and texts are fit for a terminal. All memory is in the caller's arena. */
#ifndef SONDE_PIVOT_H
#define SONDE_PIVOT_H
#include "result_parts.h"

enum { PIVOT_MOST = 4 << 20 };          /* cells of a picture */

typedef enum { PIVOT_NONE, PIVOT_MISSING, PIVOT_VALUE } pivot_state;

typedef struct {
    const char  *title;                 /* may be NULL */
    const char  *x_name, *y_name, *value_name;
    size_t       nx, ny;
    const char **x_label, **y_label;    /* [nx], [ny]: "3", or "3 ·cat" */
    const char **x_token, **y_token;    /* the same without numbers; NULL: no tokens and no texts there */
    double      *value;                 /* [ny, nx] */
    uint8_t     *state;                 /* pivot_state of each; NULL: all have a value */
    const char **text;                  /* token of each cell, or NULL; the whole NULL: none */
    size_t       hidden;                /* rows that another row of the same place hides */
    bool         own_scale;             /* every line has a scale of its own */
} pivot;

pivot_state pivot_at(const pivot *v, size_t y, size_t x, double *value);
/* False if the view cannot be drawn so: no such column, or too many cells. */
bool pivot_table(const sonde_result *r, const sonde_table *t, const sonde_drawing *view, arena *into, pivot *out);
/* The last two axes of an array, at index `outer` of those before them. */
bool pivot_array(const sonde_result *r, const sonde_array *a, int64_t outer, arena *into, pivot *out);
#endif
