/* One run of one prompt: the vectors that wrote to the stream, and the slopes of the metric behind the final norm. */
#include "method_contributions.h"
#include "room.h"
#include <inttypes.h>
#include <stdio.h>

enum { LONGEST_METRIC = 8192 };

/* ---- the metric ---- */

static sonde_status resolve(const split *s, long written, int64_t *out, sonde_error *err) {
    const int64_t n = s->length, at = written < 0 ? written + n : written;
    SONDE_FAIL_IF(at < 0 || at >= n, err, SONDE_USAGE, "position: %ld, expected %" PRId64 " to %" PRId64, written, -n,
                  n - 1);
    *out = at;
    return SONDE_OK;
}

/* Positions written in the metric must be one; --position is for those that are not written. */
static sonde_status find_position(split *s, sonde_error *err) {
    bool found = false;
    SONDE_TRY(resolve(s, s->position, &s->at, err));
    for (size_t i = 0; i < s->n_terms; i++) {
        int64_t at = s->at;
        if (s->term[i].position_written) SONDE_TRY(resolve(s, (long)s->term[i].position, &at, err));
        SONDE_FAIL_IF((found || s->position_given) && at != s->at, err, SONDE_USAGE, "metric: logits at positions %" PRId64
                      " and %" PRId64 ", expected one position", s->at, at);
        s->at = at;
        found = true;
    }
    SONDE_FAIL_IF(!found, err, SONDE_USAGE, "metric: no logit in it, expected at least one logit(T)");
    return SONDE_OK;
}

static sonde_status take_argmax(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    split *s = user;
    const int32_t best = sonde_logits_stats(a->value.data, s->v).argmax;
    for (size_t i = 0; i < s->n_terms; i++)
        if (s->term[i].argmax) s->term[i].token = best;
    return SONDE_OK;
}

/* `argmax` is run A's, whatever the edits; a run whose cost is all that is wanted takes any token for it. */
static sonde_status find_argmax(split *s, sonde_error *err) {
    bool any = false;
    for (size_t i = 0; i < s->n_terms; i++) any |= s->term[i].argmax;
    if (!any || s->cx->dry_run) return SONDE_OK;
    const sonde_prompt  p = context_prompt(s->cx, s->prompt);
    const sonde_variant v = { 0, NULL, 0 };
    const sonde_want    w = { .kind = SONDE_WANT_LOGITS, .at = &s->at, .n_at = 1 };
    const sonde_batch   b = { .bases = &p, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = &w, .n_wants = 1,
                              .seed = s->cx->seed };
    return sonde_variants_run(s->cx->session, &b, take_argmax, s, err);
}

static const char *metric_text(const split *s, size_t prompt) {
    const method_prompt *p = &s->cx->prompts[prompt];
    if (*s->metric) return s->metric;
    return p->answer && p->wrong ? "logit(answer)-logit(wrong)" : p->answer ? "logit(answer)" : "logit(argmax)";
}

static sonde_status read_terms(split *s, sonde_error *err) {
    const method_prompt *p = &s->cx->prompts[s->prompt];
    const char *text = metric_text(s, s->prompt), *first = metric_text(s, 0);
    sonde_metric *x;
    SONDE_FAIL_IF(strcmp(text, first) != 0, err, SONDE_USAGE, "metric: %s here and %s in prompt 0, expected answers of "
                   "the same kind in every prompt, or --metric", text, first);
    SONDE_TRY(sonde_metric_parse(&x, s->cx->model, text, p->answer, p->wrong, err));
    free(s->term);
    s->n_terms = sonde_metric_terms(x);
    s->term = ROOM(sonde_logit_term, s->n_terms);
    const sonde_status status = sonde_metric_linear(x, s->term, &s->constant, err);
    sonde_metric_free(x);
    return status;
}

sonde_status split_metric(split *s, sonde_metric **out, sonde_error *err) {
    char   text[LONGEST_METRIC];
    size_t used = 0;
    s->length = (int64_t)s->cx->prompts[s->prompt].tokens.n;
    SONDE_TRY(read_terms(s, err));
    SONDE_TRY(find_position(s, err));
    SONDE_TRY(find_argmax(s, err));
    for (size_t i = 0; i < s->n_terms && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.17g*logit(#%" PRId32 ",%" PRId64 ")", i ? "+" : "",
                                 s->term[i].weight, s->term[i].token, s->at);
    SONDE_FAIL_IF(used >= sizeof text, err, SONDE_USAGE, "metric: %zu logits in it, expected fewer", s->n_terms);
    return sonde_metric_parse(out, s->cx->model, text, NULL, NULL, err);
}

/* ---- the run ---- */

typedef struct {
    split *s;
    size_t n_sites;                     /* wants of sites; then the metric and its gradients */
} taker;

static tapped *tap_of(split *s, const char *site) {
    for (size_t i = 0; i < s->n_taps; i++)
        if (!strcmp(s->tap[i].site, site)) return &s->tap[i];
    return NULL;
}

static void take_keyed(tapped *t, const sonde_view *v, int64_t row) {
    const int64_t keys = v->dim[2];
    for (int64_t h = 0; h < v->dim[0]; h++)
        memcpy(t->data + h * keys, v->data + (h * v->dim[1] + row) * keys, (size_t)keys * sizeof(float));
}

static void take_site(split *s, const sonde_answer *a) {
    tapped *t = tap_of(s, a->site);
    if (!t) return;
    const int64_t rows = t->keyed ? a->value.dim[1] : a->value.dim[0], row = s->at - a->first;
    if (t->every) {
        memcpy(t->data + a->first * t->row, a->value.data, (size_t)(rows * t->row) * sizeof(float));
        return;
    }
    if (row < 0 || row >= rows) return;
    if (t->keyed) take_keyed(t, &a->value, row);
    else memcpy(t->data, a->value.data + row * t->row, (size_t)t->row * sizeof(float));
}

static void take_slope(split *s, const sonde_answer *a) {
    const int64_t row = s->at - a->first;
    if (row < 0 || row >= a->value.dim[0]) return;
    const char *last = strrchr(a->site, '.');
    const bool logits = !strncmp(a->site, "unembed.", 8);
    const int64_t n = logits ? s->v : s->d;
    float *out = logits ? s->slope_logits : !strcmp(last, ".hook_out") ? s->slope_out : s->slope;
    memcpy(out, a->value.data + row * n, (size_t)n * sizeof *out);
}

static sonde_status take(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    const taker *t = user;
    if (a->want < t->n_sites) take_site(t->s, a);
    else if (a->want == t->n_sites) t->s->logit = a->metric;
    else take_slope(t->s, a);
    return SONDE_OK;
}

/* Rooms for the vectors; slopes start at zero: what the metric does not reach gets no answer. */
static void make_rooms(split *s) {
    for (size_t i = 0; i < s->n_taps; i++) {
        tapped *t = &s->tap[i];
        free(t->data);
        t->data = ROOM(float, t->keyed ? t->heads * s->length : t->every ? t->row * s->length : t->row);
    }
    free(s->slope);
    free(s->slope_out);
    free(s->slope_logits);
    s->slope = ROOM(float, s->d);
    s->slope_out = ROOM(float, s->d);
    s->slope_logits = ROOM(float, s->v);
}

static sonde_status run_wants(split *s, const sonde_want *want, size_t n, size_t n_sites, sonde_error *err) {
    const sonde_prompt  p = context_prompt(s->cx, s->prompt);
    const sonde_variant v = { 0, s->cx->edits, s->cx->n_edits };
    prompt_runs runs;
    taker       t = { s, n_sites };
    sonde_cost  c = { 0 };
    sonde_status status = prompt_runs_open(&runs, s->cx, s->prompt, err);
    const sonde_batch b = { .bases = &p, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = want, .n_wants = n,
                            .runs = runs.run, .n_runs = runs.n, .seed = s->cx->seed };
    if (status == SONDE_OK) status = s->cx->dry_run ? sonde_variants_cost(s->cx->session, &b, &c, err)
                                                    : sonde_variants_run(s->cx->session, &b, take, &t, err);
    prompt_runs_close(&runs);
    if (status != SONDE_OK || !s->cx->dry_run) return status;
    s->cost.rows += c.rows;
    s->cost.flops += c.flops;
    if (c.bytes > s->cost.bytes) s->cost.bytes = c.bytes;
    return SONDE_OK;
}

sonde_status split_measure(split *s, sonde_error *err) {
    sonde_metric *metric = NULL;
    packs         sites = { 0 };
    char          slopes[256];
    SONDE_TRY(split_metric(s, &metric, err));
    for (size_t i = 0; i < s->n_taps; i++) packs_add(&sites, s->tap[i].site);
    sonde_want *want = ROOM(sonde_want, sites.n + 2);
    for (size_t i = 0; i < sites.n; i++) want[i] = (sonde_want){ .kind = SONDE_WANT_SITE, .sites = sites.text[i] };
    snprintf(slopes, sizeof slopes, "%s.hook_normalized,%s.hook_out,unembed.hook_out", s->norm, s->norm);
    want[sites.n] = (sonde_want){ .kind = SONDE_WANT_METRIC, .metric = metric };
    want[sites.n + 1] = (sonde_want){ .kind = SONDE_WANT_GRAD, .sites = slopes, .metric = metric };
    if (!s->cx->dry_run) make_rooms(s);
    sonde_status status = run_wants(s, want, sites.n + 2, sites.n, err);
    sonde_metric_free(metric);
    packs_free(&sites);
    free(want);
    if (status == SONDE_OK && !s->cx->dry_run) status = split_values(s, err);
    return status;
}
