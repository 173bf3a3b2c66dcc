/* method_sweep.h - a sweep: sites, the axes that letters in the index make, and a value for every cell.
 *
 * A cell is a number: cells of a site lie row-major over its letters, site after site, on the longest prompt. A cell
 * that a prompt does not have (its position, a masked entry) is ABSENT there. */
#ifndef SONDE_METHOD_SWEEP_H
#define SONDE_METHOD_SWEEP_H
#include "prompt_runs.h"

enum { SWEEP_AXES = 4 };
typedef enum { CELL_ABSENT, CELL_OPEN, CELL_DONE } cell_state;

typedef struct {
    char       *name;
    int         layer;                      /* -1: none */
    int         rank;
    char        axis[SWEEP_AXES];           /* letters, outermost first */
    int64_t     dim[SWEEP_AXES];            /* for the longest prompt */
    bool        target[SWEEP_AXES];         /* a t or s that counts an encoder-decoder's target */
    bool        causal;                     /* what stands behind a row is masked */
    char       *part[SWEEP_AXES];           /* of the index, as written; NULL: the axis is one of the answer */
    int         parts;                      /* 0: no index at all */
    int64_t     first;                      /* its first cell */
} sweep_site;

typedef struct {
    sweep_site *site; size_t n_sites;
    int64_t     n;                          /* cells */
    char       *op, *value;                 /* "scale" and "2"; value NULL: none */
} sweep_grid;

typedef struct { size_t site; int64_t at[SWEEP_AXES]; } sweep_cell;     /* coordinates on the letters' axes, else -1 */

/* Positions that cells may have: [0] of the prompt, [1] of an encoder-decoder's target. */
typedef struct { int64_t n[2]; } sweep_span;

/* What runs: `over` (sites with indices, commas between), `op` as in "scale=2", for prompts of up to n positions. */
sonde_status sweep_grid_open(sweep_grid *g, const sonde_context *cx, const char *over, const char *op, sonde_error *err);
void         sweep_grid_close(sweep_grid *g);
sweep_cell   sweep_cell_at(const sweep_grid *g, int64_t cell);
/* The edit that a cell is, into buf; false: it does not fit. */
bool         sweep_edit_text(const sweep_grid *g, const sweep_cell *c, char *buf, size_t n);
/* Is the cell one of this prompt? `keep`: positions that it may have (both runs have them). */
bool         sweep_cell_exists(const sweep_grid *g, const sweep_cell *c, const sonde_context *cx, size_t prompt, sweep_span keep);
/* Column and axis of a letter: "position", "head", .. */
const char  *sweep_axis_name(char axis);

typedef struct {                            /* one prompt's answers */
    float   *metric;                        /* [cells] */
    double  *approx;                        /* [cells] change that the gradient foretells; NULL: not asked */
    uint8_t *state;                         /* [cells] cell_state */
    int64_t  n_open, n_done;
    float    a, b;                          /* the metric of the two runs */
    bool     has_a, has_b;
} sweep_values;

typedef struct {
    sonde_context *cx;
    sweep_grid     grid;
    sweep_values  *prompt;                  /* [prompts] */
    bool           patches;                 /* the value is a run: positions that both have */
    char          *beside;                  /* name of the run that `share` is measured against, or NULL */
    const char    *metric;                  /* text */
    bool           approximate;
    sonde_cost     cost;
    int64_t        n_open;                  /* cells in all */
} sweep;

/* Runs everything (dry: adds up what it would cost). CANCELLED leaves what is done. */
sonde_status sweep_measure(sweep *s, sonde_error *err);
/* A prompt's own part of a sweep, as the gradient sees it. `keep`: positions that cells may have. */
typedef struct {
    const sonde_context *cx;
    const sweep_grid    *grid;
    sonde_prompt         prompt;
    const prompt_runs   *runs;
    const sonde_metric  *metric;
    sweep_span           keep;
} sweep_pass;
/* out [cells], zeroed. */
sonde_status sweep_approximate(const sweep_pass *p, double *out, sonde_error *err);
/* Tables cells, mean, runs, the array and the views. */
void         sweep_put(const sweep *s, sonde_result *out);
/* --dry-run: the cells with their edits, and the cost. */
void         sweep_put_dry(const sweep *s, sonde_result *out);
#endif
