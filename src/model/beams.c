/* Beam search (Reddy, Speech Understanding Systems, 1977) as transformers 5 (generation/utils.py) does it: scores are float32,
 * added as it adds them, so that the same texts win; of equal scores the one of the lower beam and id.
 *
 * Every beam is a lane. A beam that another one goes on from gets its keys and values behind the prompt; the prompt and its
 * encoder are run once. */
#include "generate_parts.h"
#include "logit_sums.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const float NEVER = -1e9f;

typedef struct { float score; int beam; int32_t id; bool ends; } option;    /* a beam and what follows it */
typedef struct { float score; int32_t *tokens; int64_t n; bool there; } ending;     /* a text that is whole; n: written */

typedef struct {
    generation *g;
    writing    *w;
    int         beams;
    lane       *lane, *next;            /* [beams] now and after a step */
    int32_t   **tokens, **next_tokens;  /* [beams] of [length + 1] */
    float      *score;                  /* [beams] */
    float      *logits;                 /* [beams, v] of the newest rows */
    int64_t     n;                      /* tokens of every beam */
    option     *option;                 /* [2 beams], best first */
    ending     *ending, *merged;        /* [beams], best first; [3 beams] */
    bool        hopeless;               /* no beam can come to be better than the endings */
} search;

typedef struct { search *x; int beam; } beam_rows;

static sonde_status keep_row(void *user, int64_t position, const float *logits, sonde_error *err) {
    (void)err;
    const beam_rows *r = user;
    const int64_t    v = r->x->g->session->model->config.vocab;
    if (position == r->x->n - 1) memcpy(r->x->logits + r->beam * v, logits, (size_t)v * sizeof *logits);
    return SONDE_OK;
}

/* ---- opening ---- */

static sonde_status open_lanes(search *x, beam_rows *rows, sonde_error *err) {
    generation   *g = x->g;
    const int64_t length = x->w->n_prompt + g->o->n;
    for (int i = 0; i < 2 * x->beams; i++) {
        lane *l = i < x->beams ? &x->lane[i] : &x->next[i - x->beams];
        int32_t *tokens = arena_new_array(g->memory, int32_t, (size_t)length + 1);
        memcpy(tokens, x->w->tokens, (size_t)x->w->n_prompt * sizeof *tokens);
        (i < x->beams ? x->tokens : x->next_tokens)[i % x->beams] = tokens;
        SONDE_TRY(lane_fork(g->session, &x->w->edited, tokens, l, err));
        rows[i] = (beam_rows){ x, i % x->beams };
        l->on_row = keep_row;
        l->row_user = &rows[i];
    }
    return SONDE_OK;
}

static sonde_status run_beams(search *x, int n, sonde_error *err) {
    generation *g = x->g;
    int64_t    *goal = arena_new_array(g->memory, int64_t, (size_t)n);
    lane      **lanes = arena_new_array(g->memory, lane *, (size_t)n);
    int64_t     last = x->n - 1;
    for (int i = 0; i < n; i++) {
        x->lane[i].row = &last;
        x->lane[i].n_rows = 1;
        goal[i] = x->n;
        lanes[i] = &x->lane[i];
    }
    return lanes_run(g->session, lanes, n, goal, CHUNK_ROWS, err);
}

/* The prompt, once; the other beams begin where it ends. */
static sonde_status run_prompt(search *x, sonde_error *err) {
    const sonde_model *m = x->g->session->model;
    const int64_t      v = m->config.vocab;
    SONDE_TRY(run_beams(x, 1, err));
    for (int i = 0; i < 2 * x->beams; i++) {
        lane *l = i < x->beams ? &x->lane[i] : &x->next[i - x->beams];
        if (i) lane_take_rows(m, l, &x->lane[0], 0, x->n);
        l->first = x->lane[0].first;
        l->turning = x->lane[0].turning;
        if (i && i < x->beams) memcpy(x->logits + i * v, x->logits, (size_t)v * sizeof(float));
    }
    return SONDE_OK;
}

/* ---- one step ---- */

static bool before(const option *a, const option *b) {
    if (a->score != b->score) return a->score > b->score;
    return a->beam != b->beam ? a->beam < b->beam : a->id < b->id;
}

/* Into the list of the best `most`, of which there are `n`. */
static int insert(option *list, int n, int most, option o) {
    if (n == most && !before(&o, &list[n - 1])) return n;
    int at = n < most ? n : most - 1;
    for (; at > 0 && before(&o, &list[at - 1]); at--) list[at] = list[at - 1];
    list[at] = o;
    return n < most ? n + 1 : n;
}

/* The best 2 beams options of all beams: enough that as many go on as there are beams. */
static sonde_status find_options(search *x, sonde_error *err) {
    const generation *g = x->g;
    const int64_t v = g->session->model->config.vocab, written = x->n - x->w->n_prompt;
    const bool    last = written + 1 >= g->o->n;
    int n = 0;
    for (int b = 0; b < x->beams; b++) {
        float *row = x->logits + b * v;
        generate_force(g, row, x->n, written);
        const logit_sum sum = logits_sum(row, v);
        SONDE_FAIL_IF(isnan(sum.most) || isnan(sum.rest), err, SONDE_FORMAT,
                      "a logit of position %lld is NaN: nothing can be chosen", (long long)x->n - 1);
        for (int64_t i = 0; i < v; i++) {
            const float score = (float)log_prob(row[i], sum) + x->score[b];
            if (isnan(score)) continue;
            const bool ends = last || (!g->o->ignore_eos && i == g->session->model->info.eos);
            n = insert(x->option, n, 2 * x->beams, (option){ score, b, (int32_t)i, ends });
        }
    }
    for (; n < 2 * x->beams; n++) x->option[n] = (option){ .score = -INFINITY, .ends = true };
    return SONDE_OK;
}

/* Best first, the earlier one of equals; only what stands among the best `beams` options may end. */
static void merge_endings(search *x) {
    const int     beams = x->beams, n = 3 * beams;
    const int64_t written = x->n + 1 - x->w->n_prompt;
    const float   by = (float)pow((double)written, x->g->o->length_penalty);
    bool full = x->g->o->early_stopping;
    for (int i = 0; i < beams; i++) full = full && x->ending[i].there;
    memcpy(x->merged, x->ending, (size_t)beams * sizeof *x->merged);
    for (int i = 0; i < 2 * beams; i++) {
        const option *o = &x->option[i];
        const bool    ends = o->ends && i < beams;
        float score = o->score / by;
        if (full) score += NEVER;
        if (x->hopeless) score += NEVER;
        if (!ends) score += NEVER;
        x->merged[beams + i] = (ending){ .score = score, .n = -i - 1, .there = ends };
    }
    for (int i = 0; i < beams; i++) {
        int best = -1;
        for (int k = 0; k < n; k++)
            if (x->merged[k].n != INT64_MAX && (best < 0 || x->merged[k].score > x->merged[best].score)) best = k;
        ending e = x->merged[best];
        x->merged[best].n = INT64_MAX;              /* taken */
        if (best >= beams) {
            const option *o = &x->option[-e.n - 1];
            e.tokens = arena_new_array(x->g->memory, int32_t, (size_t)x->n + 1);
            memcpy(e.tokens, x->tokens[o->beam], (size_t)x->n * sizeof *e.tokens);
            e.tokens[x->n] = o->id;
            e.n = written;
        }
        x->ending[i] = e;
    }
}

/* The best options that do not end become the beams. */
static void go_on(search *x) {
    const sonde_model *m = x->g->session->model;
    const int          beams = x->beams;
    for (int i = 0; i < 2 * beams; i++)
        if (x->option[i].ends) x->option[i].score += NEVER;
    for (int i = 0; i < beams; i++) {
        int best = 0;
        for (int k = 1; k < 2 * beams; k++)
            if (!(x->option[k].score <= x->option[best].score)) best = k;
        const option o = x->option[best];
        x->option[best].score = -INFINITY;
        x->score[i] = o.score;
        memcpy(x->next_tokens[i], x->tokens[o.beam], (size_t)x->n * sizeof(int32_t));
        x->next_tokens[i][x->n] = o.id;
        lane_take_rows(m, &x->next[i], &x->lane[o.beam], x->w->n_prompt, x->n);
        x->next[i].first = x->lane[o.beam].first;
        x->next[i].turning = x->lane[o.beam].turning;
    }
    lane     *l = x->lane;
    int32_t **t = x->tokens;
    x->lane = x->next;
    x->tokens = x->next_tokens;
    x->next = l;
    x->next_tokens = t;
    x->n++;
}

/* Nothing that goes on can end better than the worst of the endings, if its score stays what it is. */
static void look_ahead(search *x) {
    const float by = (float)pow((double)(x->n - x->w->n_prompt), x->g->o->length_penalty), best = x->score[0] / by;
    float least = x->ending[0].score;
    bool  open = false;
    for (int i = 1; i < x->beams; i++) least = fminf(least, x->ending[i].score);
    for (int i = 0; i < x->beams; i++) open |= best > (x->ending[i].there ? least : NEVER);
    x->hopeless |= !open;
}

static bool goes_on(const search *x) {
    bool full = true, open = false;
    for (int i = 0; i < x->beams; i++) full &= x->ending[i].there;
    for (int i = 0; i < 2 * x->beams; i++) open |= !x->option[i].ends;
    return !x->hopeless && !(full && x->g->o->early_stopping) && open;
}

static sonde_status find_best(search *x, sonde_error *err) {
    SONDE_TRY(run_prompt(x, err));
    for (;;) {
        SONDE_TRY(find_options(x, err));
        merge_endings(x);
        go_on(x);
        look_ahead(x);
        if (!goes_on(x)) return SONDE_OK;
        SONDE_TRY(run_beams(x, x->beams, err));
    }
}

/* ---- the best text ---- */

static sonde_status tell_row(void *user, int64_t position, const float *logits, sonde_error *err) {
    const beam_rows *r = user;
    writing         *w = r->x->w;
    const ending    *best = &r->x->ending[0];
    memcpy(w->logits, logits, (size_t)r->x->g->session->model->config.vocab * sizeof *logits);
    w->n = position + 2;
    generate_force(r->x->g, w->logits, position + 1, position + 1 - w->n_prompt);
    w->done = w->n == w->n_prompt + best->n;
    return generate_report(r->x->g, w, best->tokens[position + 1], err);
}

/* One more run over it: every token is told with the logits that it was chosen by. */
static sonde_status tell_best(search *x, sonde_error *err) {
    writing      *w = x->w;
    const ending *best = &x->ending[0];
    SONDE_FAIL_IF(!best->tokens, err, SONDE_USAGE, "length-penalty is %g: no text's score is above %g, expected a number nearer "
                  "to 0", x->g->o->length_penalty, (double)NEVER);
    const int64_t goal = w->n_prompt + best->n - 1;
    int64_t      *row = arena_new_array(x->g->memory, int64_t, (size_t)best->n);
    beam_rows     rows = { .x = x };
    lane *const   lanes[1] = { &w->edited };
    for (int64_t i = 0; i < best->n; i++) row[i] = w->n_prompt - 1 + i;
    w->score = (double)best->score;
    memcpy(w->tokens, best->tokens, (size_t)(w->n_prompt + best->n) * sizeof *w->tokens);
    w->edited.row = row;
    w->edited.n_rows = (size_t)best->n;
    w->edited.on_row = tell_row;
    w->edited.row_user = &rows;
    return lanes_run(x->g->session, lanes, 1, &goal, CHUNK_ROWS, err);
}

sonde_status beams_write(generation *g, writing *w, sonde_error *err) {
    const size_t         beams = (size_t)g->o->beams;
    const int64_t        v = g->session->model->config.vocab;
    const workspace_mark here = workspace_here(g->session->memory);
    beam_rows           *rows = arena_new_array(g->memory, beam_rows, 2 * beams);
    search x = { .g = g, .w = w, .beams = (int)beams, .n = w->n_prompt };
    SONDE_FAIL_IF(w->kept, err, SONDE_UNSUPPORTED, "num-beams: an edit reads the unedited run, which goes along with one text "
                  "only; expected no freeze or mean");
    x.lane = arena_new_array(g->memory, lane, beams);
    x.next = arena_new_array(g->memory, lane, beams);
    x.tokens = arena_new_array(g->memory, int32_t *, beams);
    x.next_tokens = arena_new_array(g->memory, int32_t *, beams);
    x.score = arena_new_array(g->memory, float, beams);
    x.option = arena_new_array(g->memory, option, 2 * beams);
    x.ending = arena_new_array(g->memory, ending, beams);
    x.merged = arena_new_array(g->memory, ending, 3 * beams);
    for (size_t i = 0; i < beams; i++) {
        x.score[i] = i ? NEVER : 0;
        x.ending[i].score = NEVER;
    }
    SONDE_TRY(workspace_take(g->session->memory, (int64_t)beams * v, &x.logits, err));
    SONDE_TRY(open_lanes(&x, rows, err));
    SONDE_TRY(find_best(&x, err));
    SONDE_TRY(tell_best(&x, err));
    workspace_release(g->session->memory, here);
    return SONDE_OK;
}
