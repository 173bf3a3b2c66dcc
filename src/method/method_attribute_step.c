/* One step: the baseline, the run as it is, the metric, and the ways one after the other. */
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

/* ---- the baseline ---- */

static void keep_row(void *user, int64_t i, const float *row) {
    attribution *a = user;
    (void)i;
    memcpy(a->baseline, row, (size_t)a->d * sizeof *row);
}

typedef struct { attribution *a; double *sum; } vocabulary_run;

static void see_row(void *user, int64_t i, const float *row) {
    const vocabulary_run *r = user;
    for (int64_t j = 0; j < r->a->d; j++) r->sum[j] += (double)row[j];
    if (r->a->vocabulary) memcpy(r->a->vocabulary + i * r->a->d, row, (size_t)r->a->d * sizeof *row);
}

static sonde_status read_vocabulary(attribution *a, bool mean, sonde_error *err) {
    int32_t *ids = ROOM(int32_t, a->v);
    vocabulary_run r = { a, ROOM(double, a->d) };
    for (int32_t i = 0; i < a->v; i++) ids[i] = i;
    const sonde_status s = attribute_embeddings(a, ids, a->v, see_row, &r, err);
    for (int64_t j = 0; j < a->d && mean; j++) a->baseline[j] = (float)(r.sum[j] / (double)a->v);
    free(ids);
    free(r.sum);
    return s;
}

static sonde_status baseline_token(const attribution *a, const char *text, int32_t *out, sonde_error *err) {
    char *end;
    if (text[0] != '#') {
        const sonde_status s = sonde_token_single(a->cx->model, text, strlen(text), out, err);
        return s == SONDE_OK ? s : sonde_fail_at(err, s, "baseline");
    }
    const long id = strtol(text + 1, &end, 10);
    SONDE_FAIL_IF(end == text + 1 || *end || id < 0 || id >= a->v, err, SONDE_USAGE, "baseline: found \"%.40s\", expected #0 to #%" PRId64,
                  text, a->v - 1);
    *out = (int32_t)id;
    return SONDE_OK;
}

sonde_status attribute_baseline(attribution *a, const char *text, sonde_error *err) {
    const bool mean = !strcmp(text, "mean"), token = !mean && strcmp(text, "zero") != 0;
    a->baseline = ROOM(float, a->d);
    a->baseline_id = -1;
    if (token) SONDE_TRY(baseline_token(a, text, &a->baseline_id, err));
    if (a->cx->dry_run) return SONDE_OK;
    if (a->asked[WAY_DISCRETISED]) a->vocabulary = ROOM(float, a->v * a->d);
    if (mean || a->vocabulary) SONDE_TRY(read_vocabulary(a, mean, err));
    return token ? attribute_embeddings(a, &a->baseline_id, 1, keep_row, a, err) : SONDE_OK;
}

/* ---- one step ---- */

static sonde_status take_base(const sonde_answer *x, void *user, sonde_error *err) {
    (void)err;
    attribution *a = user;
    if (x->want == 0) {
        memcpy(a->x + x->first * a->d, x->value.data, (size_t)(x->value.dim[0] * a->d) * sizeof(float));
        return SONDE_OK;
    }
    const int64_t answers = sonde_model_describe(a->cx->model)->n_answers;
    for (int64_t i = 0; i < a->n_answers; i++) {
        attribute_answer *y = &a->answer[i];
        if (y->position != x->first) continue;
        if (y->token < 0) y->token = sonde_logits_stats(x->value.data, answers).argmax;
        y->logit = (double)x->value.data[y->token];
        y->prob = sonde_logits_prob(x->value.data, answers, y->token);
    }
    return SONDE_OK;
}

/* The embeddings and the answers of the run as it is. */
static sonde_status run_base(attribution *a, sonde_error *err) {
    const sonde_prompt  base = attribute_prompt(a);
    const sonde_variant v = { 0, a->cx->edits, a->cx->n_edits };
    int64_t *at = ROOM(int64_t, a->n_answers);
    for (int64_t i = 0; i < a->n_answers; i++) at[i] = a->answer[i].position;
    const sonde_want wants[] = { { .kind = SONDE_WANT_SITE, .sites = "hook_embed" },
                                 { .kind = SONDE_WANT_LOGITS, .at = at, .n_at = (size_t)a->n_answers } };
    const sonde_batch b = { .bases = &base, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = wants, .n_wants = 2,
                            .runs = a->runs.run, .n_runs = a->runs.n, .seed = a->cx->seed };
    const sonde_status s = sonde_variants_run(a->cx->session, &b, take_base, a, err);
    free(at);
    return s;
}

sonde_status attribute_make_metric(attribution *a, sonde_error *err) {
    const method_prompt *p = &a->cx->prompts[0];
    const size_t room = strlen(a->metric_text) + 64 * (size_t)a->n_answers;
    size_t used = 0;
    a->metric_shown = ROOM(char, room);
    if (*a->metric_text) snprintf(a->metric_shown, room, "%s", a->metric_text);
    for (int64_t i = 0; i < a->n_answers && !*a->metric_text; i++) {
        char token[24] = "argmax";
        if (a->answer[i].token >= 0) snprintf(token, sizeof token, "#%d", (int)a->answer[i].token);
        used += (size_t)snprintf(a->metric_shown + used, room - used, "%s%s(%s,%" PRId64 ")", i ? "+" : "",
                                 a->of_text ? "logprob" : "logit", token, a->answer[i].position);
    }
    return sonde_metric_parse(&a->metric, a->cx->model, a->metric_shown, p->answer, p->wrong, err);
}

static int64_t runs_of(const attribution *a, attribute_way way, int64_t n, bool gradients) {
    const int64_t legs = a->anchors + 1, least = a->trapezoid ? 2 : 1, even = (a->steps + legs - 1) / legs;
    const int64_t per_leg = even < least ? least : even;
    const int64_t plain[WAYS] = { [WAY_SEQUENTIAL] = n, [WAY_OCCLUSION] = n - a->window + 1, [WAY_ZEROING] = a->n_layers * (n + 1),
                                  [WAY_ROLLOUT] = a->n_layers, [WAY_LIME] = a->samples,
                                  [WAY_SHAP] = n <= SHAP_WHOLE ? ((int64_t)1 << (n <= SHAP_WHOLE ? n : 0)) - 2 : a->samples / 2 * 2 };
    const int64_t slopes[WAYS] = { [WAY_IG] = a->steps, [WAY_SEQUENTIAL] = a->steps * n, [WAY_DISCRETISED] = legs * per_leg,
                                   [WAY_GRADIENT] = 1 };
    return gradients ? slopes[way] : plain[way];
}

int64_t attribute_runs(const attribution *a, int64_t n, bool gradients) {
    int64_t all = gradients ? 0 : 2;                /* F(x), F(baseline) */
    for (int i = 0; i < WAYS; i++)
        if (a->asked[i]) all += runs_of(a, (attribute_way)i, n, gradients);
    return all;
}

/* What is to come, said before it starts where it takes long: a gradient costs about three runs. */
static void announce(attribution *a, int64_t count, double seconds_of_one) {
    int64_t plain = 0, gradients = 0;
    char text[160];
    for (int64_t i = 0; i < count; i++) {
        plain += attribute_runs(a, a->n + i, false);
        gradients += attribute_runs(a, a->n + i, true);
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

static sonde_status run_all_baseline(attribution *a, sonde_error *err) {
    float *all = ROOM(float, a->n * a->d);
    for (int64_t i = 0; i < a->n * a->d; i++) all[i] = a->baseline[i % a->d];
    const sonde_status s = attribute_at(a, all, &a->f_baseline, NULL, err);
    free(all);
    return s;
}

sonde_status attribute_step(attribution *a, int64_t count, sonde_error *err) {
    a->x = ROOM(float, a->n * a->d);
    a->f_x = a->f_baseline = NAN;
    const double start = clock_seconds();
    SONDE_TRY(run_base(a, err));
    const double base = clock_seconds() - start;
    SONDE_TRY(attribute_make_metric(a, err));
    const double again = clock_seconds();
    const bool   first = a->all == 0;
    if (first) a->all = 2;
    SONDE_TRY(attribute_at(a, a->x, &a->f_x, NULL, err));
    if (first) announce(a, count, fmin(base, clock_seconds() - again));
    SONDE_TRY(run_all_baseline(a, err));
    return run_ways(a, err);
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
    free(a->x);
    free(a->metric_shown);
    sonde_metric_free(a->metric);
    a->x = NULL;
    a->metric_shown = NULL;
    a->metric = NULL;
}
