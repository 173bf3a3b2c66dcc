/* method_attribute.h - which tokens made the model answer so: the state of one step, and the ways of asking.
 *
 * F is the metric as a function of the token embeddings (hook_embed) of all positions; x are those of the run under its
 * edits, the baseline is one row that stands in for any of them. Position embeddings stay. */
#ifndef SONDE_METHOD_ATTRIBUTE_H
#define SONDE_METHOD_ATTRIBUTE_H
#include "prompt_runs.h"

typedef enum {
    WAY_IG, WAY_SEQUENTIAL, WAY_DISCRETISED, WAY_GRADIENT, WAY_OCCLUSION, WAY_ZEROING, WAY_ROLLOUT, WAY_LIME, WAY_SHAP,
    WAYS
} attribute_way;
extern const char *const attribute_way_name[WAYS];

enum { SHAP_WHOLE = 11 };               /* up to so many tokens all coalitions are run */

/* Scores must sum to F(x) - F(baseline), over all tokens or (sequential) each token for itself. */
typedef struct { int64_t position; double f_x, f_baseline, sum; } attribute_check;      /* position -1: all */

typedef struct {
    bool    done;
    double *score;                      /* [n] */
    double *norm, *sum;                 /* [n]: of the gradient, else NULL */
    attribute_check *check; int64_t n_checks;
    double  intercept, r2;              /* of lime */
    float  *layer, *rolled;             /* [layers, n, n]: zeroing: distances, rollout of them; rollout: rolled alone */
} attribute_scores;

typedef struct {
    char *name;                         /* "blocks.3" or "blocks.3r1": what its sites begin with */
    int   block;
} attribute_layer;

/* A token that F is about. token -1: whatever the run makes of it, its most probable one. */
typedef struct { int64_t position; int32_t token; double logit, prob; } attribute_answer;

typedef struct attribution {
    sonde_context *cx;
    /* as asked */
    bool     asked[WAYS]; int n_asked;
    bool     trapezoid;
    int64_t  steps, window, samples, neighbours, anchors;
    const char *normalise, *metric_text;
    /* the sequence: positions from `prompt` on were appended */
    int32_t *tokens;
    int64_t  n, prompt, d, v;
    int64_t  position;                  /* whose answer it is */
    prompt_runs      runs;
    sonde_metric    *metric;
    char            *metric_shown;
    attribute_layer *layer; int64_t n_layers;       /* those whose attention runs */
    /* values of this step */
    float   *x;                         /* [n, d] */
    float   *baseline;                  /* [d] */
    int32_t  baseline_id;               /* -1: it is no token's */
    float   *vocabulary;                /* [v, d], discretised alone */
    attribute_answer *answer; int64_t n_answers;
    bool              of_text;          /* they are a continuation's tokens: log-probabilities are added up */
    double   f_x, f_baseline;
    attribute_scores scores[WAYS];
    int64_t  done, all;                 /* runs */
} attribution;

/* ---- method_attribute_run.c ---- */

sonde_prompt attribute_prompt(const attribution *a);

/* Points in the space of embeddings. make: `point` [n, d] holds x and may be changed; take: F there and, if asked for, its
 * gradient [n, d]. Points come and go in order. */
typedef struct {
    int64_t n;
    bool    gradients;
    void  (*make)(void *user, int64_t i, float *point);
    void  (*take)(void *user, int64_t i, double f, const float *gradient);
    void   *user;
} attribute_points;
sonde_status attribute_run(attribution *a, const attribute_points *p, sonde_error *err);

/* F at one point [n, d]; its gradient [n, d] unless NULL. */
sonde_status attribute_at(attribution *a, const float *point, double *f, float *gradient, sonde_error *err);
/* Embeddings that the model gives to ids, whatever their number, in pieces as long as the context allows. */
typedef void (*attribute_embedding_fn)(void *user, int64_t i, const float *row);
sonde_status attribute_embeddings(attribution *a, const int32_t *ids, int64_t n, attribute_embedding_fn fn, void *user,
                                  sonde_error *err);
/* One run with `edit` (NULL: none) behind the user's edits: a site's value, piece by piece. */
typedef struct { const char *site; sonde_edit **edit; size_t n_edits; sonde_answer_fn fn; void *user; } attribute_look;
/* As many variants as there are edits, each with one of them; with none the run itself. */
sonde_status attribute_look_at(attribution *a, const attribute_look *look, sonde_error *err);
/* Adds to the bar. */
void         attribute_progress(attribution *a, int64_t runs);

/* ---- method_attribute_step.c ---- */

sonde_status attribute_baseline(attribution *a, const char *text, sonde_error *err);
/* Without --metric: the logit of the answer, or the log-probability of the target's tokens. */
sonde_status attribute_make_metric(attribution *a, sonde_error *err);
/* Runs of a step of n positions: plain ones, or gradients. */
int64_t      attribute_runs(const attribution *a, int64_t n, bool gradients);
/* Everything about this step; the first one says what it and those behind it, `count` in all, will take. */
sonde_status attribute_step(attribution *a, int64_t count, sonde_error *err);
void         attribute_step_close(attribution *a);

/* ---- the ways: each fills scores[way] but `done` ---- */

sonde_status attribute_ig(attribution *a, sonde_error *err);
sonde_status attribute_sequential(attribution *a, sonde_error *err);
sonde_status attribute_discretised(attribution *a, sonde_error *err);
sonde_status attribute_gradient(attribution *a, sonde_error *err);
sonde_status attribute_occlusion(attribution *a, sonde_error *err);
sonde_status attribute_lime(attribution *a, sonde_error *err);
sonde_status attribute_shap(attribution *a, sonde_error *err);
sonde_status attribute_zeroing(attribution *a, sonde_error *err);
sonde_status attribute_rollout(attribution *a, sonde_error *err);

/* Room for a way's scores, and one check against F(x) - F(baseline). */
attribute_scores *attribute_scores_new(attribution *a, attribute_way way, int64_t checks);
void              attribute_check_sum(attribution *a, attribute_scores *s);

/* ---- method_attribute_put.c ---- */

typedef struct {
    sonde_result *out;
    bool          many_steps;
    sonde_table  *tokens, *completeness, *target, *metric, *agreement, *zeroing, *fit;
} attribute_tables;

void attribute_tables_make(attribute_tables *t, const attribution *a, sonde_result *out, bool many_steps);
/* What is done of this step. */
void attribute_put(attribute_tables *t, const attribution *a, int64_t step);
#endif
