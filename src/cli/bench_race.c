/* Measurements in turn, and their medians as rows of a table. */
#include "bench_words.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

double bench_now(void) {
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static sonde_status draw_prompt(bench_race *r, int64_t n, sonde_error *err) {
    const sonde_model_info *m = sonde_model_describe(r->o.model);
    r->tokens = malloc((size_t)n * sizeof *r->tokens);
    SONDE_FAIL_IF(!r->tokens, err, SONDE_NOMEM, "bench: no memory for %lld tokens", (long long)n);
    const int64_t words = m->tokens > 0 && m->tokens < m->vocab ? m->tokens : m->vocab;
    for (int64_t i = 0; i < n; i++) r->tokens[i] = (int32_t)(i * 7919 % words);
    r->prompt = (sonde_prompt){ .tokens = r->tokens, .n = n };
    return SONDE_OK;
}

sonde_status bench_open(bench_race *r, bench_word *w, int64_t length, int64_t behind, sonde_error *err) {
    r->word    = w;
    r->threads = (int)w->c->option[OPTION_THREADS].i;
    SONDE_TRY(opened_open(&r->o, w->c, err));
    const sonde_model_info *m = sonde_model_describe(r->o.model);
    SONDE_FAIL_IF(!(m->head & SONDE_HEAD_LM) || m->encoder_layers, err, SONDE_UNSUPPORTED,
                  "bench: %s is no decoder that writes, expected one (bench kernels needs no model)",
                  name_shown(m->name).text);
    const int64_t most = m->context > 0 ? m->context - behind : INT64_MAX;
    SONDE_FAIL_IF(most < 2 || w->length > most, err, SONDE_USAGE, "bench: %lld tokens and %lld behind them do not fit into "
                  "the context of %lld", (long long)(w->length ? w->length : 2), (long long)behind, (long long)m->context);
    if (w->length) length = w->length;
    return draw_prompt(r, length < most ? length : most, err);
}

void bench_close(bench_race *r) {
    free(r->tokens);
    opened_close(&r->o);
}

static sonde_status one_round(bench_race *r, const bench_job *jobs, sonde_error *err) {
    for (int i = 0; i < r->jobs; i++) {
        const int    j = r->rounds % 2 ? r->jobs - 1 - i : i;
        const double begin = bench_now();
        double figure = 0;
        SONDE_FAIL_IF(stop_asked(NULL), err, SONDE_CANCELLED, "interrupted");
        SONDE_TRY(jobs[j](r, &figure, err));
        r->figure[j][r->rounds] = figure > 0 ? figure : bench_now() - begin;
    }
    r->rounds++;
    return SONDE_OK;
}

sonde_status bench_alternate(bench_race *r, const bench_job *jobs, int n, const char *what, sonde_error *err) {
    const double begin = bench_now();
    double took = 0;
    r->jobs = n;
    for (r->rounds = 0; r->rounds < BENCH_ROUNDS && (r->rounds == 0 || took < r->word->seconds); ) {
        progress_show(NULL, what, (int64_t)(1000 * took), (int64_t)(1000 * r->word->seconds) + 1);
        SONDE_TRY(one_round(r, jobs, err));
        took = bench_now() - begin;
    }
    if (r->rounds < 3) return SONDE_OK;
    r->rounds--;
    for (int j = 0; j < n; j++) memmove(r->figure[j], r->figure[j] + 1, (size_t)r->rounds * sizeof **r->figure);
    return SONDE_OK;
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef struct { double middle, least, most; } middles;

static middles middle_of(const bench_race *r, bench_figure figure, double scale) {
    double of[BENCH_ROUNDS];
    for (int i = 0; i < r->rounds; i++) of[i] = figure(r, i, scale);
    qsort(of, (size_t)r->rounds, sizeof *of, by_size);
    return (middles){ (of[r->rounds / 2] + of[(r->rounds - 1) / 2]) / 2, of[0], of[r->rounds - 1] };
}

void bench_put(bench_race *r, const bench_row *row) {
    bench_line line = { .name = row->name, .value = middle_of(r, row->value, row->scale).middle, .unit = row->unit,
                        .beside = row->beside, .bar = row->bar, .least = row->least, .rounds = r->rounds };
    if (row->share) {
        const middles m = middle_of(r, row->share, row->share_scale);
        line.share = m.middle;
        line.best  = row->least ? m.least : m.most;
    }
    bench_put_line(r->word, &line);
}
