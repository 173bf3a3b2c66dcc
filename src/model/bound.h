/* bound.h - edits resolved against one prompt: which places, which elements, which numbers. */
#ifndef SONDE_BOUND_H
#define SONDE_BOUND_H
#include "base/arena.h"
#include "edit_data.h"
#include "program.h"
#include "site_table.h"
#include <stdint.h>

/* Coordinates of one axis that an edit touches. */
typedef struct {
    index_kind kind;                /* ALL, ONE, RANGE or LIST; texts have become lists */
    int64_t    lo, hi;
    int64_t   *list; size_t n;      /* ascending, each once */
    int64_t   *written;             /* the same in the order written: element i of the region is written[i] */
    int64_t   *ordinal;             /* list[i] is element ordinal[i] of the region */
} bound_axis;

/* The numbers of an edit: element (i, j, k) of its region reads data[i * stride[0] + j * stride[1] + k * stride[2]];
 * data NULL: `number`. */
typedef struct {
    double       number;
    const float *data;
    int64_t      stride[3];
    int64_t      rows;              /* region coordinates of t below this have numbers; the others are left alone */
} bound_value;

struct kept;                        /* values of a run at one place (capture.h) */

typedef struct {
    place            at;
    int              order;         /* as given: edits of one place apply in it */
    edit_op          op;
    edit_when        when;
    int64_t          prompt;        /* positions below are the prompt's, the others are generated */
    bound_axis       axis[3];
    bound_value      value;
    int64_t          same;          /* rows below are set to what the unedited run has there */
    const struct kept *live;        /* not NULL: numbers are factor times the kept run's own at the same coordinates */
    const char      *text;          /* for messages */
} bound_edit;

typedef struct {
    slots       run;
    uint8_t    *flags;              /* [run.n + 2][SITE_COUNT] */
    bound_edit *edit; size_t n_edits;       /* sorted by place, then order */
    uint64_t    seed;
    const arch_config *config;
} bound;

/* What the values of an edit are found in: another run, by name and site. */
typedef struct {
    const struct kept *(*find)(void *user, const char *run, const char *site);
    int64_t           (*length)(void *user, const char *run, stack_id of);      /* positions; -1: no such run */
    const int32_t    *(*tokens)(void *user, const char *run, stack_id of);
    int64_t           (*same)(void *user, const char *run);     /* rows below are those of the unedited run, in every bit; or NULL */
    void             *user;
} bound_runs;

/* What a stack reads: tokens, of which the first `prompt` were given; `length`: those that the run will have in the end;
 * types: of tokens, NULL: all 0. */
typedef struct { const int32_t *tokens; int64_t prompt, length; const int32_t *types; } positions;

typedef struct {
    edit_list      edits;           /* plans of execution among them */
    positions      of[2];           /* by stack_id */
    bool           dry;             /* places and positions only: no values are read */
    uint64_t       seed;
    bound_runs     runs;
} bound_prompt;

/* Everything in the arena. USAGE for positions that do not exist, places that only masked entries make up, shapes that
 * do not fit, sites inside skipped parts. */
sonde_status bind_edits(arena *a, const arch_config *c, const bound_prompt *p, bound *out, sonde_error *err);
/* Which places of run `name` the edits read (run "A": freeze and mean too), as places of a plain run, each once. */
sonde_status edits_read(arena *a, const arch_config *c, edit_list edits, const char *name, place_list *out,
                        sonde_error *err);

/* A piece of a value on its way through a mark: dims outermost first, rows of t are positions [first, first + n); t_axis -1:
 * one value of the whole text. masked: the last axis is keys, of which row t sees those of `sight`. */
typedef struct { float *data; int64_t dim[3]; int rank; int t_axis; int64_t first; bool masked; sight sight; uint64_t key; } mark_view;
void edit_apply(const bound *b, const bound_edit *e, const mark_view *v);
void edit_back(const bound *b, const bound_edit *e, const mark_view *v);        /* v holds the gradient */
/* mask[row * heads + h] = 1 where the edit touches any element of (row, head). */
void edit_touch(const bound_edit *e, int64_t first, int64_t n, int64_t heads, uint8_t *mask);
#endif
