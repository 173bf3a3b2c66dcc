/* method_rebuild.h - a run as stages: what is computed between the sites that are known and the next one.
 *
 * The stages follow from sonde_graph alone. A stage is one operation whose value is a site, with those in front of it
 * whose values are none; stage 1 is the text's way to tokens, and in front of a decoder's tables stands its target's. */
#ifndef SONDE_METHOD_REBUILD_H
#define SONDE_METHOD_REBUILD_H
#include "agree.h"
#include "replay.h"
#include "sonde/graph.h"

enum { REBUILD_STAGE, REBUILD_AGAINST, REBUILD_EXPORT };
extern const param rebuild_params[];

typedef struct {                /* what a run had at a site, as float32 */
    float  *data;               /* NULL: nobody asked for it */
    char    axes[16];
    int     rank;
    int64_t dim[4], items;
    bool    of_target;      /* its rows are positions of an encoder-decoder's target */
} rebuild_value;

typedef struct {
    sonde_operation told;       /* its texts and lists are owned */
    char            name[160];  /* the first of its sites, "": none */
    rebuild_value   value;
} rebuild_op;

typedef struct {
    int  number;                /* counted from 1; the tokens are 1 */
    int  op;                    /* whose value the stage makes; -1: tokens, */
    bool target;                /* an encoder-decoder's target's */
    int *part; size_t n;        /* ids of its operations, ascending, `op` the last */
    char title[160];
    bool shown;
} rebuild_stage;

typedef struct {
    sonde_context     *cx;
    sonde_prompt       prompt;                  /* what is run */
    rebuild_op        *op;     size_t n_ops;
    rebuild_stage     *stage;  size_t n_stages;
    sonde_weight_info *weight; size_t n_weights;
    sonde_array_file  *file;                    /* of --against; NULL: none */
    replay             reference;
    int64_t            done, all;               /* items of sites */
} rebuild;

/* method_rebuild_stages.c: the operations, cut into stages, and which of them are shown. */
sonde_status rebuild_plan(rebuild *r, const value *args, sonde_error *err);
void         rebuild_free(rebuild *r);
const char  *rebuild_title(const char *site);  /* of a site, without its block; NULL: no title but what the site says */
/* Index of a weight by its whole name, SIZE_MAX: none. */
size_t       rebuild_weight(const rebuild *r, const char *name);
/* Name k of "a, b, c" into out; false past the last. */
bool         rebuild_site(const char *names, size_t k, char *out, size_t n);

/* The tokens that a stage without operation makes, *n of them. */
const int32_t *rebuild_tokens(const rebuild *r, bool target, int64_t *n);

/* method_rebuild_values.c: the values of the sites that the shown stages make or read, in one run; `cost`: not run. */
sonde_status rebuild_capture(rebuild *r, sonde_cost *cost, sonde_error *err);
/* The value of a stage from the run's values in front of it, or from the reference's: [items], free it. *out NULL: an
 * operation has no second form, or the values are not there. */
typedef enum { REBUILD_OF_RUN, REBUILD_OF_REFERENCE } rebuild_source;
sonde_status rebuild_compute(const rebuild *r, const rebuild_stage *s, rebuild_source from, double **out, sonde_error *err);

/* What operations are, written once more: plain sums in double, numbers as the file has them (rebuild_ops.c). */
typedef struct {
    const rebuild         *r;
    const sonde_operation *o;
    const double          *in[3];
} rebuild_call;
typedef sonde_status (*rebuild_fn)(const rebuild_call *c, double *y, sonde_error *err);
rebuild_fn   rebuild_reference(const char *operation);      /* NULL: there is none */
int64_t      rebuild_items(const sonde_shape *s);
/* Constant of a formula, `fallback` where it has none of this name. */
double       rebuild_number(const rebuild_call *c, const char *name, double fallback);
/* A whole weight, free it; *out NULL: the model has none of this name. */
sonde_status rebuild_read(const rebuild_call *c, const char *name, float **out, sonde_error *err);
double     (*rebuild_activation(const char *kind))(double x);       /* NULL: there is no such one */
double       rebuild_within(double x, double limit);     /* x between -limit and limit; NaN stays */
sonde_status rebuild_experts(const rebuild_call *c, double *y, sonde_error *err);       /* rebuild_experts.c */
sonde_status rebuild_relative_bias(const rebuild_call *c, double *y, sonde_error *err); /* rebuild_bias.c */
sonde_status rebuild_largest(const rebuild_call *c, double *y, sonde_error *err);

/* method_rebuild_against.c: the reference of --against. */
typedef struct {
    bool   found, ok;                       /* found: it has the stage's site */
    double worst, mean, cosine, allowed;    /* NaN: not to be said */
} rebuild_compared;
sonde_status rebuild_reference_open(rebuild *r, const value *args, sonde_result *out, sonde_error *err);
sonde_status rebuild_compare(const rebuild *r, const rebuild_stage *s, rebuild_compared *out, sonde_error *err);
rebuild_compared rebuild_compare_tokens(const rebuild *r, bool target);
/* The reference's whole value of an operation, [items], free it; NULL: it has none of this shape. */
double      *rebuild_official(const rebuild *r, int op);

/* method_rebuild_export.c: every weight and every stage's value as npy, and an index. */
sonde_status rebuild_export(const rebuild *r, const char *folder, sonde_error *err);

/* method_rebuild_corners.c: the first rows and columns of everything that a shown stage reads and makes. */
typedef struct { const rebuild_stage *stage; const double *computed; } rebuild_look;
sonde_status rebuild_corners(const rebuild *r, rebuild_look look, sonde_table *t, sonde_error *err);
sonde_table *rebuild_corner_table(sonde_result *out);
#endif
