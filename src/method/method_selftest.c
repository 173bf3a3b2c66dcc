/* Does this build, on this machine, compute what it should? The embedded model's held-out cases, with the answers that
 * transformers gave, and the promise that a run is the same in every bit however it is carried out. */
#include "room.h"
#include "selftest_task.h"
#include <math.h>
#include <stdio.h>

enum { SELFTEST_QUICK };
enum { QUICK_STEP = 10, BESIDE = 8, MOST_WRITTEN = 12 };

static const param params[] = {
    [SELFTEST_QUICK] = { "quick", PARAM_FLAG, "", 0, 0, "every tenth case" },
    { 0 },
};

typedef struct {
    sonde_context *cx;
    sonde_model   *model;
    sonde_session *one, *many;          /* of one thread, and of all */
    sonde_cases   *cases;
    sonde_table   *tasks, *checks;
    size_t         step;
    int64_t        done, all;           /* cases */
    sonde_error    first;               /* what is said of the first failure */
    size_t         failed;
} selftest;

static void fail(selftest *t, const char *what, const char *why) {
    if (!t->failed++) sonde_fail(&t->first, SONDE_DIFFERS, "%s: %s", what, why);
}

/* ---- tasks ---- */

/* Missed by the model itself: the recorded value is below the bar too. A tenth of the cases has no value to equal. */
static bool measure_good(const selftest *t, const sonde_measure *m, double got) {
    const bool missed = m->value < m->bar;
    if (t->step > 1) return !isnan(got);
    return fabs(got - m->value) <= 1e-4 * fmax(1, fabs(m->value)) && (missed || got >= m->bar);
}

static void put_measure(selftest *t, const sonde_task *task, const sonde_measure *m, const task_count *c) {
    char why[160];
    const double got = task_measure(c, m->name);
    const bool   good = c->differ == 0 && measure_good(t, m, got);
    sonde_table_row(t->tasks);
    sonde_cell_text(t->tasks, task->name);
    sonde_cell_text(t->tasks, task->title);
    sonde_cell_int(t->tasks, (int64_t)c->cases);
    sonde_cell_text(t->tasks, m->name);
    sonde_cell_float(t->tasks, got);
    sonde_cell_float(t->tasks, m->value);
    sonde_cell_float(t->tasks, m->bar);
    sonde_cell_bool(t->tasks, m->value < m->bar);
    sonde_cell_int(t->tasks, (int64_t)c->differ);
    sonde_cell_bool(t->tasks, good);
    if (c->differ) snprintf(why, sizeof why, "%zu predictions are not those of transformers, the first in case %zu", c->differ, c->first);
    else snprintf(why, sizeof why, "%s is %.6g, recorded is %.6g, the bar %.6g", m->name, got, m->value, m->bar);
    if (!good) fail(t, task->name, why);
}

static sonde_status run_tasks(selftest *t, sonde_error *err) {
    const sonde_task *task;
    for (size_t i = 0; (task = sonde_cases_task(t->cases, i)) != NULL; i++) {
        task_count c = { 0 };
        if (!t->cx->dry_run) SONDE_TRY(task_run(t->many, task, t->step, &c, err));
        t->done += (int64_t)task->n;
        t->cx->progress(t->cx->progress_user, "cases", t->done, t->all);
        for (size_t k = 0; k < task->n_measures && !t->cx->dry_run; k++) put_measure(t, task, &task->measure[k], &c);
    }
    return SONDE_OK;
}

/* ---- the same run in another way ---- */

static void put_check(selftest *t, const char *what, bool good, const char *how) {
    sonde_table_row(t->checks);
    sonde_cell_text(t->checks, what);
    sonde_cell_text(t->checks, how);
    sonde_cell_bool(t->checks, good);
    if (!good) fail(t, what, "the bits differ");
}

static const sonde_case *longest(const selftest *t) {
    const sonde_case *best = NULL;
    const sonde_task *task;
    for (size_t i = 0; (task = sonde_cases_task(t->cases, i)) != NULL; i++)
        for (size_t k = 0; k < task->n; k++)
            if (!best || task->cases[k].n > best->n) best = &task->cases[k];
    return best;
}

static sonde_status check_threads(selftest *t, const sonde_case *c, sonde_error *err) {
    const sonde_prompt  p = { .tokens = c->t, .n = (int64_t)c->n };
    const sonde_variant v = { 0, NULL, 0 };
    const sonde_batch   b = { .bases = &p, .n_bases = 1, .variants = &v, .n_variants = 1 };
    char a[65], z[65];
    SONDE_TRY(sonde_run_hash(t->one, &b, a, err));
    SONDE_TRY(sonde_run_hash(t->many, &b, z, err));
    put_check(t, "threads", !strcmp(a, z), "one thread, and all: hash of the longest case");
    return SONDE_OK;
}

typedef struct { int32_t id[MOST_WRITTEN]; double prob[MOST_WRITTEN]; size_t n, same; int64_t vocab; } written;

static sonde_status take_token(const sonde_generated *g, void *user, sonde_error *err) {
    (void)err;
    written *w = user;
    w->id[w->n] = g->id;
    w->prob[w->n++] = g->prob;
    return SONDE_OK;
}

static sonde_status take_row(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    written *w = user;
    for (size_t i = 0; i < w->n; i++) {
        if (i != a->want) continue;
        const sonde_logit_stats s = sonde_logits_stats(a->value.data, w->vocab);
        w->same += s.argmax == w->id[i] && sonde_logits_prob(a->value.data, w->vocab, w->id[i]) == w->prob[i];
    }
    return SONDE_OK;
}

/* Token by token with the cache, then all of it in one run. */
static sonde_status check_cache(selftest *t, const sonde_case *c, sonde_error *err) {
    const sonde_prompt  half = { .tokens = c->t, .n = (int64_t)c->n / 2 };
    const sonde_writing w = { .prompts = &half, .n_prompts = 1, .sampling = { .n = MOST_WRITTEN, .ignore_eos = true } };
    written x = { .vocab = sonde_model_describe(t->model)->vocab };
    SONDE_TRY(sonde_generate(t->many, &w, take_token, &x, err));
    int32_t   *tokens = ROOM(int32_t, half.n + MOST_WRITTEN);
    int64_t    at[MOST_WRITTEN];
    sonde_want want[MOST_WRITTEN];
    memcpy(tokens, c->t, (size_t)half.n * sizeof *tokens);
    for (size_t i = 0; i < x.n; i++) {
        tokens[half.n + (int64_t)i] = x.id[i];
        at[i] = half.n - 1 + (int64_t)i;
        want[i] = (sonde_want){ .kind = SONDE_WANT_LOGITS, .at = &at[i], .n_at = 1 };
    }
    const sonde_prompt  whole = { .tokens = tokens, .n = half.n + (int64_t)x.n, .prompt = half.n };
    const sonde_variant v = { 0, NULL, 0 };
    const sonde_batch   b = { .bases = &whole, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = want, .n_wants = x.n };
    const sonde_status  s = sonde_variants_run(t->many, &b, take_row, &x, err);
    free(tokens);
    if (s == SONDE_OK) put_check(t, "cache", x.same == x.n, "generation, and one run over prompt and output");
    return s;
}

typedef struct { double value[BESIDE]; } metrics;

static sonde_status take_metric(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    ((metrics *)user)->value[a->variant] = a->metric;
    return SONDE_OK;
}

static sonde_status run_beside(selftest *t, const sonde_task *task, const sonde_metric *m, sonde_error *err) {
    sonde_prompt  p[BESIDE];
    sonde_variant v[BESIDE];
    const sonde_want w = { .kind = SONDE_WANT_METRIC, .metric = m };
    metrics       together, alone;
    const size_t  n = task->n < BESIDE ? task->n : BESIDE;
    size_t        same = 0;
    for (size_t i = 0; i < n; i++) {
        p[i] = (sonde_prompt){ .tokens = task->cases[i].t, .n = (int64_t)task->cases[i].n, .prompt = 0 };
        v[i] = (sonde_variant){ .base = (int)i };
    }
    const sonde_batch all = { .bases = p, .n_bases = n, .variants = v, .n_variants = n, .wants = &w, .n_wants = 1 };
    SONDE_TRY(sonde_variants_run(t->many, &all, take_metric, &together, err));
    for (size_t i = 0; i < n; i++) {
        const sonde_batch one = { .bases = &p[i], .n_bases = 1, .variants = v, .n_variants = 1, .wants = &w, .n_wants = 1 };
        SONDE_TRY(sonde_variants_run(t->many, &one, take_metric, &alone, err));
        same += alone.value[0] == together.value[i];
    }
    put_check(t, "batch", same == n, "eight cases side by side, and each alone");
    return SONDE_OK;
}

static sonde_status check_batch(selftest *t, sonde_error *err) {
    const sonde_task *task = sonde_cases_task(t->cases, 0);
    sonde_metric *m = NULL;
    if (!task) return SONDE_OK;
    SONDE_TRY(sonde_metric_parse(&m, t->model, "entropy+loss", NULL, NULL, err));
    const sonde_status s = run_beside(t, task, m, err);
    sonde_metric_free(m);
    return s;
}

static sonde_status run_checks(selftest *t, sonde_error *err) {
    const sonde_case *c = longest(t);
    if (!c || t->cx->dry_run) return SONDE_OK;
    SONDE_TRY(check_threads(t, c, err));
    SONDE_TRY(check_cache(t, c, err));
    return check_batch(t, err);
}

/* ---- all of it ---- */

static sonde_status open_all(selftest *t, sonde_error *err) {
    const sonde_task *task;
    size_t      size;
    const char *text = sonde_demo_cases(&size);
    SONDE_TRY(sonde_model_open(&t->model, NULL, NULL, err));
    SONDE_TRY(sonde_session_new(&t->one, t->model, (sonde_session_options){ .threads = 1 }, err));
    SONDE_TRY(sonde_session_new(&t->many, t->model, (sonde_session_options){ 0 }, err));
    sonde_session_stop_when(t->one, t->cx->stop, t->cx->progress_user);
    sonde_session_stop_when(t->many, t->cx->stop, t->cx->progress_user);
    SONDE_TRY(sonde_cases_read(&t->cases, text, size, err));
    for (size_t i = 0; (task = sonde_cases_task(t->cases, i)) != NULL; i++) t->all += (int64_t)task->n;
    return SONDE_OK;
}

static void make_tables(selftest *t, sonde_result *out) {
    static const struct { const char *name; sonde_column_type type; } columns[] = {
        { "task", SONDE_TEXT }, { "title", SONDE_TEXT }, { "cases", SONDE_INT }, { "measure", SONDE_TEXT },
        { "value", SONDE_FLOAT }, { "recorded", SONDE_FLOAT }, { "bar", SONDE_FLOAT }, { "missed", SONDE_BOOL },
        { "differ", SONDE_INT }, { "ok", SONDE_BOOL },
    };
    t->tasks = sonde_result_table(out, "tasks");
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        sonde_table_column(t->tasks, columns[i].name, columns[i].type, "");
    t->checks = sonde_result_table(out, "checks");
    sonde_table_column(t->checks, "check", SONDE_TEXT, "");
    sonde_table_column(t->checks, "what", SONDE_TEXT, "");
    sonde_table_column(t->checks, "ok", SONDE_BOOL, "");
}

extern const method method_selftest;

static sonde_status selftest_run(sonde_context *cx, const value *args, sonde_result *out, sonde_error *err) {
    selftest t = { .cx = cx, .step = args[SELFTEST_QUICK].i ? QUICK_STEP : 1 };
    char     text[128];
    context_head(cx, &method_selftest, out);
    make_tables(&t, out);
    sonde_status s = open_all(&t, err);
    if (s == SONDE_OK) {
        sonde_result_model_of(out, t.model);
        s = run_tasks(&t, err);
    }
    if (s == SONDE_OK) s = run_checks(&t, err);
    snprintf(text, sizeof text, "kernels: %s", sonde_isa_name());
    sonde_result_note(out, text);
    sonde_cases_free(t.cases);
    sonde_session_free(t.one);
    sonde_session_free(t.many);
    sonde_model_close(t.model);
    SONDE_TRY(s);
    SONDE_FAIL_IF(t.failed, err, SONDE_DIFFERS, "%.900s (%zu checks fail)", t.first.message, t.failed);
    return SONDE_OK;
}

const method method_selftest = {
    .name = "selftest",
    .summary = "repeat the embedded model's held-out cases, and the promise of equal bits, on this machine",
    .reference = NULL,
    .formula = "argmax, above: share of cases whose best token is the right one; token: share of judged positions; whole: share of "
               "cases with every judged position right; mass: mean of P(set) - P(rest of the universe); logit_diff: mean of "
               "logit(right) - logit(wrong). recorded: with transformers; bar: what the model was meant to reach, missed where "
               "the recorded value does not; differ: predictions that are not those of transformers. ok: none differ, and the "
               "value is the recorded one. checks: the same run in another way has the same bits. Exit 1 if a row fails",
    .example = "selftest --quick",
    .params = params,
    .takes = 0,
    .run = selftest_run,
};
