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
    double      *x_number;              /* [nx]; NULL: x is no number */
    double      *value;                 /* [ny, nx] */
    double      *low, *high;            /* the same; NULL: none; NaN: not there */
    uint8_t     *state;                 /* pivot_state of each; NULL: all have a value */
    const char **text;                  /* token of each cell, or NULL; the whole NULL: none */
    size_t       all;                   /* of rows as they come: how many there are; nx may be fewer */
    size_t       hidden;                /* rows that another row of the same place hides */
    bool         own_scale;             /* every line has a scale of its own */
    bool         root;                  /* colours go by the square root */
} pivot;

/* Rows of a table: those of one panel, or all (row NULL). */
typedef struct {
    const sonde_result *r;
    const sonde_table  *t;
    const char         *title;          /* "head 3"; NULL: the only part */
    const size_t       *row;
    size_t              n;
} table_part;

/* One part for each value of column `panel`, in the order of their first row; NULL or unknown: one of all rows. */
size_t table_parts(const sonde_result *r, const sonde_table *t, const char *panel, arena *into, table_part **out);
size_t part_row(const table_part *p, size_t i);

/* A cell as text, and as a number: false for null and for what is none. */
const char *cell_said(const sonde_table *t, size_t row, size_t column, arena *into);
bool        cell_number(const sonde_table *t, size_t row, size_t column, double *out);
bool        column_is_number(const sonde_table *t, size_t column);      /* false for SIZE_MAX */

pivot_state pivot_at(const pivot *v, size_t y, size_t x, double *value);
/* False if the view cannot be drawn so: no such column, or too many cells. */
bool pivot_table(const table_part *p, const sonde_drawing *view, arena *into, pivot *out);
/* The last two axes of an array, at index `outer` of those before them. */
bool pivot_array(const sonde_result *r, const sonde_array *a, int64_t outer, arena *into, pivot *out);
/* How many such pictures an array has, and what one is called: "2.11" of layer head t s. */
int64_t     array_pictures(const sonde_array *a);
const char *array_picture_name(const sonde_array *a, int64_t outer, arena *into);
const char *array_outer_axes(const sonde_array *a, arena *into);        /* "layer.head" */

/* The numbers of every cell as a sample; grid.value is their median. */
typedef struct {
    pivot   grid;
    size_t *from;                       /* [ny nx + 1]: cell i has number[from[i]] .. number[from[i + 1]] */
    double *number;                     /* ascending within a cell, finite */
    size_t  odd;                        /* numbers left out: null, NaN, infinite */
} samples;
bool sample_table(const table_part *p, const sonde_drawing *view, arena *into, samples *out);
bool sample_array(const sonde_result *r, const sonde_array *a, arena *into, samples *out);

/* Quartiles of n > 0 ascending numbers by linear interpolation between the two nearest (Hyndman and Fan, 1996, type 7),
 * whiskers at the last numbers within 1.5 times the box. */
typedef struct { double low, q1, median, q3, high; } box_five;
box_five box_of(const double *sorted, size_t n);
#endif
