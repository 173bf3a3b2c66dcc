/* One round: the run as it is, the metric, and the ways one after the other. */
#include "clock.h"
#include "method_attribute.h"
#include "room.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static sonde_status (*const ways[WAYS])(attribution *, sonde_error *) = {
    attribute_ig, attribute_sequential, attribute_discretised, attribute_gradient, attribute_occlusion, attribute_zeroing,
    attribute_rollout, attribute_lime, attribute_shap,
};

attribute_scores *attribute_scores_new(attribution *a, attribute_way way, int64_t checks) {
    attribute_scores *s = &a->scores[way];
    *s = (attribute_scores){ .score = ROOM(double, a->n), .check = ROOM(attribute_check, checks), .n_checks = checks };
    return s;
}

void attribute_check_sum(attribution *a, attribute_scores *s) {
    s->check[0] = (attribute_check){ -1, a->f_x, a->f_baseline, 0 };
    for (int64_t t = 0; t < a->n; t++) s->check[0].sum += s->score[t];
}

/* ---- one round ---- */

enum { ANSWER_X, ANSWER_EMBEDDED, ANSWER_LOGITS };

static sonde_status take_base(const sonde_answer *x, void *user, sonde_error *err) {
    attribution *a = user;
    if (x->want == ANSWER_LOGITS) return attribute_take_logits(a, x, err);
    const int64_t cols = x->want == ANSWER_X ? a->d : a->wide;
    float *to = x->want == ANSWER_X ? a->x : a->embedded;
    memcpy(to + x->first * cols, x->value.data, (size_t)(x->value.dim[0] * cols) * sizeof(float));
    return SONDE_OK;
}

/* Values and answers of the run as it is. */
static sonde_status run_base(attribution *a, sonde_error *err) {
    const sonde_prompt  base = attribute_prompt(a);
    const sonde_variant v = { 0, a->cx->edits, a->cx->n_edits };
    int64_t *at = ROOM(int64_t, a->n_answers);
    for (int64_t i = 0; i < a->n_answers; i++) at[i] = a->answer[i].position;
    const bool span = a->kind == ANSWERS_SPAN;
    const sonde_want wants[] = { [ANSWER_X] = { .kind = SONDE_WANT_SITE, .sites = a->site },
                                 [ANSWER_EMBEDDED] = { .kind = SONDE_WANT_SITE, .sites = "hook_embed" },
                                 [ANSWER_LOGITS] = { .kind = SONDE_WANT_LOGITS, .at = at, .n_at = span ? 0 : (size_t)a->n_answers } };
    const sonde_batch b = { .bases = &base, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = wants, .n_wants = 3,
                            .runs = a->runs.run, .n_runs = a->runs.n, .seed = a->cx->seed };
    const sonde_status s = sonde_variants_run(a->cx->session, &b, take_base, a, err);
    free(at);
    if (s == SONDE_OK && span) attribute_choose_span(a);
    return s;
}

static int64_t runs_of(const attribution *a, attribute_way way, int64_t n, bool gradients) {
    const int64_t legs = a->anchors + 1, least = a->trapezoid ? 2 : 1, even = (a->steps + legs - 1) / legs;
    const int64_t per_leg = even < least ? least : even;
    const int64_t plain[WAYS] = { [WAY_SEQUENTIAL] = n, [WAY_OCCLUSION] = n - a->window + 1, [WAY_ZEROING] = a->layer.n * (n + 1),
                                  [WAY_ROLLOUT] = a->layer.n, [WAY_LIME] = a->samples,
                                  [WAY_SHAP] = n <= SHAP_WHOLE ? ((int64_t)1 << (n <= SHAP_WHOLE ? n : 0)) - 2 : a->samples / 2 * 2 };
    const int64_t slopes[WAYS] = { [WAY_IG] = a->steps, [WAY_SEQUENTIAL] = a->steps * n, [WAY_DISCRETISED] = legs * per_leg,
                                   [WAY_GRADIENT] = 1 };
    return gradients ? slopes[way] : plain[way];
}

int64_t attribute_runs(const attribution *a, int64_t n, bool gradients) {
    int64_t all = gradients ? 0 : 2;                /* F(x), F(baseline) */
    for (int i = 0; i < WAYS; i++)
        if (a->asked[i]) all += runs_of(a, (attribute_way)i, n, gradients);
    if (!gradients) return all;
    if (a->conductance) all += a->steps + 1;
    for (int64_t k = 0; (k = attribute_fewer_points(a, k));) all += (a->asked[WAY_IG] ? k : 0) + (a->conductance ? k + 1 : 0);
    return all;
}

/* What is to come, said before it starts where it takes long: a gradient costs about three runs. */
static void announce(attribution *a, int64_t count, double seconds_of_one) {
    int64_t plain = 0, gradients = 0;
    char text[160];
    for (int64_t i = 0; i < count; i++) {
        const int64_t n = a->kind == ANSWERS_NEXT ? a->n + i : a->n;
        plain += attribute_runs(a, n, false);
        gradients += attribute_runs(a, n, true);
    }
    a->all = plain + gradients;
    const double seconds = seconds_of_one * ((double)plain + 3 * (double)gradients);
    if (seconds <= 1) return;
    snprintf(text, sizeof text, "%" PRId64 " runs and %" PRId64 " gradients, about %.0f s", plain, gradients, seconds);
    a->cx->progress(a->cx->progress_user, text, 0, 0);
}

static sonde_status run_ways(attribution *a, sonde_error *err) {
    for (int i = 0; i < WAYS; i++) {
        if (!a->asked[i]) continue;
        const sonde_status s = ways[i](a, err);
        if (s != SONDE_OK) return s == SONDE_CANCELLED ? s : sonde_fail_at(err, s, "%s", attribute_way_name[i]);
        a->scores[i].done = true;
    }
    return SONDE_OK;
}

static sonde_status run_layers(attribution *a, sonde_error *err) {
    if (!a->conductance) return SONDE_OK;
    const sonde_status s = attribute_conductance(a, err);
    a->flow.done = s == SONDE_OK;
    return s == SONDE_OK || s == SONDE_CANCELLED ? s : sonde_fail_at(err, s, "conductance");
}

static sonde_status run_fewer_points(attribution *a, sonde_error *err) {
    for (int64_t k = 0; (k = attribute_fewer_points(a, k));) {
        if (a->asked[WAY_IG]) SONDE_TRY(attribute_ig_sum(a, k, err));
        if (a->conductance) SONDE_TRY(attribute_conductance_sums(a, k, err));
    }
    return SONDE_OK;
}

sonde_status attribute_step(attribution *a, int64_t count, sonde_error *err) {
    a->x = ROOM(float, a->n * a->d);
    a->b = ROOM(float, a->n * a->d);
    a->embedded = ROOM(float, a->n * a->wide);
    if (a->kind == ANSWERS_SPAN) a->sides = ROOM(float, a->n * SPAN_SIDES);
    a->f_x = a->f_baseline = NAN;
    const double start = clock_seconds();
    SONDE_TRY(run_base(a, err));
    const double base = clock_seconds() - start;
    SONDE_TRY(attribute_make_base(a, err));
    SONDE_TRY(attribute_make_metric(a, err));
    const double again = clock_seconds();
    const bool   first = a->all == 0;
    if (first) a->all = 2;
    SONDE_TRY(attribute_at(a, a->x, &a->f_x, NULL, err));
    if (first) announce(a, count, fmin(base, clock_seconds() - again));
    SONDE_TRY(attribute_at(a, a->b, &a->f_baseline, NULL, err));
    SONDE_TRY(run_ways(a, err));
    SONDE_TRY(run_layers(a, err));
    return run_fewer_points(a, err);
}

void attribute_step_close(attribution *a) {
    for (int i = 0; i < WAYS; i++) {
        attribute_scores *s = &a->scores[i];
        free(s->score);
        free(s->norm);
        free(s->sum);
        free(s->check);
        free(s->layer);
        free(s->rolled);
        *s = (attribute_scores){ 0 };
    }
    float **const rooms[] = { &a->x, &a->b, &a->embedded, &a->sides };
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        free(*rooms[i]);
        *rooms[i] = NULL;
    }
    for (int64_t i = 0; i < a->n_sums; i++) free(a->sums[i].what);
    free(a->sums);
    a->sums = NULL;
    a->n_sums = 0;
    free(a->flow.value);
    free(a->flow.score);
    a->flow = (attribute_flow){ 0 };
    free(a->metric_shown);
    sonde_metric_free(a->metric);
    a->metric_shown = NULL;
    a->metric = NULL;
}
