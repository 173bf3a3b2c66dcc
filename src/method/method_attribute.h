/* method_attribute.h - which tokens made the model answer so: the state of one round, and the ways of asking.
 *
 * F is the metric as a function of a site's rows (the embeddings) at all positions; x are those of the run under its edits,
 * b those of the run whose token embeddings (hook_embed) are the baseline's. Position and type embeddings stay. A round is
 * one answer: the next token of a step, or one end of a span. */
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
    char *name;                         /* "blocks.3" or "blocks.3r1": what its sites begin with; a stage: its whole site */
    int   block;
} attribute_layer;
typedef struct { attribute_layer *at; int64_t n; } attribute_layers;

/* What the model answers with: the next token of a position, tokens of its masks, labels of the text (or numbers of a
 * pooler), two logits a position as start and end of a span. */
typedef enum { ANSWERS_NEXT, ANSWERS_MASKS, ANSWERS_LABELS, ANSWERS_SPAN } attribute_answers;
enum { SPAN_START, SPAN_END, SPAN_SIDES };
extern const char *const attribute_side_name[SPAN_SIDES];

/* A token (a label, a side of the span) that F is about. token -1: whatever the run makes of it, its most probable one;
 * position -1: the predicted span's. */
typedef struct { int64_t position; int32_t token; double logit, prob; } attribute_answer;

/* Layer conductance: what flows through each layer's output from b to x. */
typedef struct {
    bool    done;
    double *value;                      /* [stages, n, wide] */
    double *score;                      /* [stages, n]: sums of them */
} attribute_flow;

/* The sum of the scores with so many points on the path. */
typedef struct { char *what; int64_t points; double sum; } attribute_sum;

typedef struct attribution {
    sonde_context *cx;
    /* as asked */
    bool     asked[WAYS]; int n_asked;
    bool     conductance, convergence, all_ways;
    bool     trapezoid;
    int64_t  steps, window, samples, neighbours, anchors, bins;
    int64_t  detail;                    /* whose conductance is shown number by number; -1: the token with most of it */
    const char *normalise, *metric_text;
    /* the model */
    attribute_answers kind;
    char    *site;                      /* where x lies */
    int      rank; int64_t dim[4];      /* its shape; dim[0] is that of any n */
    int64_t  d, wide, v;                /* numbers of a row of the site; the model's width; its vocabulary */
    const char *end;                    /* what a block's output is called behind its dot */
    attribute_layers layer;             /* blocks whose attention runs */
    attribute_layers stage;             /* blocks' outputs behind the site, as asked */
    /* the sequence: positions from `prompt` on were appended */
    int32_t *tokens;
    int64_t  n, prompt;
    int64_t  position;                  /* whose answer it is */
    bool     position_given;
    int      side[SPAN_SIDES]; int64_t n_sides;     /* of spans */
    prompt_runs      runs;
    sonde_metric    *metric;
    char            *metric_shown;
    /* values of this round */
    float   *x, *b;                     /* [n, d] */
    float   *embedded;                  /* [n, wide]: hook_embed */
    float   *sides;                     /* [n, 2], of spans */
    float   *baseline;                  /* [wide]: of hook_embed */
    int32_t  baseline_id;               /* -1: it is no token's */
    int32_t *frame; int64_t n_frame;    /* ids that the tokenizer puts around a text */
    bool     keeps_frame;               /* these stay themselves in the baseline */
    float   *vocabulary;                /* [v, wide], discretised alone */
    attribute_answer *answer; int64_t n_answers;
    bool              of_text;          /* they are a text's tokens: log-probabilities are added up */
    double   f_x, f_baseline;
    attribute_scores scores[WAYS];
    attribute_flow   flow;
    attribute_sum   *sums; int64_t n_sums;
    int64_t  done, all;                 /* runs */
} attribution;

/* ---- method_attribute_model.c ---- */

/* What is asked about, and which sites it passes; `pattern` "": the embeddings. */
typedef struct { const char *site, *layers; const param *site_row, *layers_row; } attribute_places;
sonde_status attribute_read_model(attribution *a, const attribute_places *p, sonde_error *err);

/* ---- method_attribute_target.c ---- */

/* `label`: "", or what --label says; `text`: "", or --target-text; `steps`: -n; `at`: --position. Makes tokens and answers. */
typedef struct { const char *label, *text; int64_t steps, at; } attribute_target;
sonde_status attribute_read_target(attribution *a, const attribute_target *t, sonde_error *err);
/* Without --metric: the logit of the answer, or the log-probability of the target's tokens. */
sonde_status attribute_make_metric(attribution *a, sonde_error *err);
/* Logits of the run as it is, row by row; and when all have come. */
sonde_status attribute_take_logits(attribution *a, const sonde_answer *x, sonde_error *err);
void         attribute_choose_span(attribution *a);
/* Is the id one that the tokenizer puts around texts? */
bool         attribute_in_frame(const attribution *a, int32_t id);

/* ---- method_attribute_base.c ---- */

sonde_status attribute_baseline(attribution *a, const char *text, sonde_error *err);
/* b of this round. */
sonde_status attribute_make_base(attribution *a, sonde_error *err);

/* ---- method_attribute_run.c ---- */

sonde_prompt attribute_prompt(const attribution *a);

/* Points in the space of the site. make: `point` [n, d] holds x and may be changed; take: F there and, if asked for, its
 * gradient [n, d]. Points come and go in order. With `sites` values (want 0) and gradients (want 1) of those go to `see` as
 * they come, `rows` rows of gradients in all, and take has none. */
typedef struct {
    int64_t n;
    bool    gradients;
    const char     *sites; int64_t rows;
    sonde_answer_fn see;
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

/* Runs of a round of n positions: plain ones, or gradients. */
int64_t      attribute_runs(const attribution *a, int64_t n, bool gradients);
/* Everything about this round; the first one says what it and those behind it, `count` in all, will take. */
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

/* The point that lies the share of the way from b to x. */
void         attribute_between(const attribution *a, double share, float *point);
/* Layer conductance, and sums alone with so many points: method_attribute_layers.c. */
sonde_status attribute_conductance(attribution *a, sonde_error *err);
sonde_status attribute_conductance_sums(attribution *a, int64_t steps, sonde_error *err);
sonde_status attribute_ig_sum(attribution *a, int64_t steps, sonde_error *err);
void         attribute_converged(attribution *a, const char *what, int64_t points, double sum);
/* Numbers of points whose sums are compared: 1, 2, 4, .. below --steps (trapezoid: from 2). 0: none is left. */
int64_t      attribute_fewer_points(const attribution *a, int64_t after);

/* Room for a way's scores, and one check against F(x) - F(baseline). */
attribute_scores *attribute_scores_new(attribution *a, attribute_way way, int64_t checks);
void              attribute_check_sum(attribution *a, attribute_scores *s);

/* ---- method_attribute_put.c ---- */

typedef struct {
    sonde_result *out;
    const char   *rounds;               /* the column that says which round a row is of; NULL: there is one */
    sonde_table  *tokens, *completeness, *target, *metric, *agreement, *zeroing, *fit;
    sonde_table  *top, *conductance, *layers, *bins, *convergence;
} attribute_tables;

void attribute_tables_make(attribute_tables *t, const attribution *a, sonde_result *out, int64_t rounds);
/* What is done of this round. */
void attribute_put(attribute_tables *t, const attribution *a, int64_t round);

typedef struct { const char *name, *unit; sonde_column_type type; } attribute_column;
/* A table whose rows begin with their round, where there are several; columns without a name are left out. */
sonde_table *attribute_table(const attribute_tables *t, const char *name, const attribute_column *columns, size_t n);
void         attribute_row(const attribute_tables *t, const attribution *a, sonde_table *x, int64_t round);
void         attribute_number(sonde_table *x, bool is, double v);
/* What the shares of n scores are of. */
double       attribute_whole(const attribution *a, const double *score);

/* ---- method_attribute_put_layers.c ---- */

void attribute_layer_tables(attribute_tables *t, const attribution *a);
void attribute_put_layers(const attribute_tables *t, const attribution *a, int64_t round);
void attribute_put_top(const attribute_tables *t, const attribution *a, int64_t round);
#endif
