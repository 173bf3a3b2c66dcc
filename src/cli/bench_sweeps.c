/* bench sweeps: cells a second of a patched run, beside runs of their own. */
#include "bench_words.h"
#include <stdlib.h>
#include <string.h>

enum { PLAIN, STREAM, HEADS, SPOTS, JOBS };
enum { LENGTH = 15, MOST_CELLS = 2000 };

typedef struct { sonde_edit **edit; sonde_variant *variant; int64_t n, all; } cells;
typedef struct { cells of[JOBS]; sonde_metric *metric; sonde_named_run b; int32_t *other; } sweeping;

/* ---- jobs ---- */

static sonde_status pass(const sonde_answer *a, void *user, sonde_error *err) {
    (void)a;
    (void)user;
    (void)err;
    return SONDE_OK;
}

static sonde_status run_cells(bench_race *r, int job, double *figure, sonde_error *err) {
    const sweeping   *s = r->user;
    const sonde_want  want = { .kind = SONDE_WANT_METRIC, .metric = s->metric };
    const sonde_batch b = { .bases = &r->prompt, .n_bases = 1, .variants = s->of[job].variant,
                            .n_variants = (size_t)s->of[job].n, .wants = &want, .n_wants = 1, .runs = &s->b, .n_runs = 1 };
    (void)figure;
    return sonde_variants_run(r->o.session, &b, pass, NULL, err);
}

static sonde_status plain_job(bench_race *r, double *figure, sonde_error *err)  { return run_cells(r, PLAIN, figure, err); }
static sonde_status stream_job(bench_race *r, double *figure, sonde_error *err) { return run_cells(r, STREAM, figure, err); }
static sonde_status heads_job(bench_race *r, double *figure, sonde_error *err)  { return run_cells(r, HEADS, figure, err); }
static sonde_status spots_job(bench_race *r, double *figure, sonde_error *err)  { return run_cells(r, SPOTS, figure, err); }

/* ---- figures ---- */

static const cells *cells_of(const bench_race *r, double job) { return &((const sweeping *)r->user)->of[(int)job]; }
static double milliseconds(const bench_race *r, int i, double job) { return 1e3 * r->figure[(int)job][i]; }
static double rate(const bench_race *r, int i, double job) { return (double)cells_of(r, job)->n / r->figure[(int)job][i]; }
static double faster(const bench_race *r, int i, double job) { return rate(r, i, job) * r->figure[PLAIN][i]; }

static const char *title(const bench_race *r, const char *what, int job) {
    const cells *c = cells_of(r, job);
    arena *memory = r->word->c->memory;
    return c->n == c->all ? arena_printf(memory, "%s: %lld", what, (long long)c->n)
                          : arena_printf(memory, "%s: %lld of %lld", what, (long long)c->n, (long long)c->all);
}

static void put_rows(bench_race *r) {
    static const char beside[] = "whole runs";
    const bench_row rows[] = {
        { arena_printf(r->word->c->memory, "plain run of %lld tokens", (long long)r->prompt.n), "ms", milliseconds, PLAIN },
        { title(r, "stream by layer/position", STREAM), "cells/s", rate, STREAM, beside, faster, STREAM, 0 },
        { title(r, "heads by layer", HEADS), "cells/s", rate, HEADS, beside, faster, HEADS, 0 },
        { title(r, "heads by layer/position", SPOTS), "cells/s", rate, SPOTS, beside, faster, SPOTS, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) bench_put(r, &rows[i]);
}

/* ---- before the race ---- */

/* What cell i of a kind patches from run B. */
static const char *cell_text(arena *into, const bench_race *r, int job, long long i) {
    const long long n = r->prompt.n, heads = sonde_model_describe(r->o.model)->heads;
    switch (job) {
    case STREAM: return arena_printf(into, "patch:blocks.%lld.hook_resid_pre[%lld]=B", i / n, i % n);
    case HEADS:  return arena_printf(into, "patch:blocks.%lld.attn.hook_z[:,%lld]=B", i / heads, i % heads);
    default:
        return arena_printf(into, "patch:blocks.%lld.attn.hook_z[%lld,%lld]=B", i / n / heads, i % n, i / n % heads);
    }
}

static sonde_status plan_cells(bench_race *r, int job, sonde_error *err) {
    sweeping *s = r->user;
    cells    *c = &s->of[job];
    const sonde_model_info *m = sonde_model_describe(r->o.model);
    c->all = job == PLAIN ? 1 : m->layers * (job == STREAM ? r->prompt.n : job == HEADS ? m->heads : m->heads * r->prompt.n);
    const int64_t step = (c->all + MOST_CELLS - 1) / MOST_CELLS;
    c->variant = calloc((size_t)(c->all / step + 1), sizeof *c->variant);
    c->edit    = calloc((size_t)(c->all / step + 1), sizeof(sonde_edit *));
    SONDE_FAIL_IF(!c->variant || !c->edit, err, SONDE_NOMEM, "bench: no memory for %lld cells", (long long)c->all);
    arena *texts = arena_new();
    sonde_status status = SONDE_OK;
    for (int64_t i = 0; i < c->all && status == SONDE_OK; i += step) {
        if (job != PLAIN) {
            status = sonde_edit_parse(&c->edit[c->n], r->o.model, cell_text(texts, r, job, i), NULL, err);
            c->variant[c->n] = (sonde_variant){ .edits = (const sonde_edit *const *)&c->edit[c->n], .n_edits = 1 };
        }
        c->n += status == SONDE_OK;
    }
    arena_free(texts);
    return status;
}

/* Run B: other tokens of the same length. */
static sonde_status plan_other(bench_race *r, sonde_error *err) {
    sweeping     *s = r->user;
    const int64_t n = r->prompt.n;
    s->other = malloc((size_t)n * sizeof *s->other);
    SONDE_FAIL_IF(!s->other, err, SONDE_NOMEM, "bench: no memory for %lld tokens", (long long)n);
    for (int64_t i = 0; i < n; i++) s->other[i] = r->tokens[n - 1 - i];
    s->b = (sonde_named_run){ .name = "B", .prompt = { .tokens = s->other, .n = n } };
    return sonde_metric_parse(&s->metric, r->o.model, "logit(#0) - logit(#1)", NULL, NULL, err);
}

static sonde_status measure(bench_race *r, sonde_error *err) {
    static const bench_job jobs[JOBS] = { plain_job, stream_job, heads_job, spots_job };
    SONDE_TRY(plan_other(r, err));
    for (int job = 0; job < JOBS; job++) SONDE_TRY(plan_cells(r, job, err));
    SONDE_TRY(bench_alternate(r, jobs, JOBS, "bench sweeps", err));
    put_rows(r);
    return SONDE_OK;
}

static void drop(sweeping *s) {
    for (int job = 0; job < JOBS; job++) {
        for (int64_t i = 0; i < s->of[job].n; i++) sonde_edit_free(s->of[job].edit[i]);
        free(s->of[job].edit);
        free(s->of[job].variant);
    }
    sonde_metric_free(s->metric);
    free(s->other);
}

sonde_status bench_sweeps(bench_word *word, sonde_error *err) {
    sweeping   s = { 0 };
    bench_race r = { .user = &s };
    sonde_status status = bench_open(&r, word, LENGTH, 0, err);
    if (status == SONDE_OK) status = measure(&r, err);
    drop(&s);
    bench_close(&r);
    return status;
}
