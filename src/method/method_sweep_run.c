/* The cells of a sweep, many at a time; every cell is a run of its own (sonde_variants_run), the same bits as alone. */
#include "clock.h"
#include "documents.h"
#include "method_sweep.h"
#include "room.h"
#include <inttypes.h>
#include <stdio.h>

/* Cells under way: LEAST, or as many as have AT_ONCE rows, so that a model's unedited runs are made few times. */
enum { LEAST = 64, MOST = 1024, AT_ONCE = 16384, LONGEST_EDIT = 4096 };

typedef struct {                                    /* one prompt on its way */
    sweep        *s;
    size_t        prompt;
    sweep_values *values;
    prompt_runs   runs;
    sonde_prompt  base[2];                          /* A, B */
    size_t        n_bases;
    sonde_metric *metric;
    sonde_edit   *stand_in;                         /* B's logits put into A, where B is not run itself */
    int           batch;                            /* cells that are under way at once; those that are: */
    int64_t       cell[MOST]; int n;
    sonde_edit   *edit[MOST];
    const sonde_edit **list;                        /* [batch, n_edits + 1] */
    sonde_variant variant[MOST];
} sweep_run;

static sonde_status run_batch(sweep_run *r, const sonde_variant *v, size_t n, sonde_answer_fn fn, sonde_error *err) {
    const sonde_want  want = { .kind = SONDE_WANT_METRIC, .metric = r->metric };
    const sonde_batch b = { .bases = r->base, .n_bases = r->n_bases, .variants = v, .n_variants = n, .wants = &want, .n_wants = 1,
                            .runs = r->runs.run, .n_runs = r->runs.n, .seed = r->s->cx->seed };
    if (!r->s->cx->dry_run) return sonde_variants_run(r->s->cx->session, &b, fn, r, err);
    sonde_cost one, *all = &r->s->cost;
    SONDE_TRY(sonde_variants_cost(r->s->cx->session, &b, &one, err));
    *all = (sonde_cost){ all->flops + one.flops, all->rows + one.rows, one.bytes > all->bytes ? one.bytes : all->bytes };
    return SONDE_OK;
}

/* ---- A and B ---- */

static sonde_status take_a(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    sweep_values *v = ((sweep_run *)user)->values;
    v->a = a->value.data[0];
    v->has_a = true;
    return SONDE_OK;
}

static sonde_status take_b(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    sweep_values *v = ((sweep_run *)user)->values;
    v->b = a->value.data[0];
    v->has_b = true;
    return SONDE_OK;
}

/* B is run on its own; where the metric reads A too (argmax), or B is a trace, its logits stand in for A's. */
static sonde_status measure_b(sweep_run *r, sonde_error *err) {
    const sonde_named_run *b = r->s->beside ? prompt_runs_find(&r->runs, r->s->beside) : NULL;
    if (!b) return SONDE_OK;
    if (!b->values && !metric_reads_a(r->metric)) {
        const sonde_variant v = { 1, NULL, 0 };
        r->base[1] = b->prompt;
        r->n_bases = 2;
        const sonde_status s = run_batch(r, &v, 1, take_b, err);
        r->n_bases = 1;
        return s;
    }
    int64_t rows;
    context_rows(r->s->cx, &r->base[0], &rows);
    if (prompt_runs_length(r->s->cx, b) != rows) return SONDE_OK;
    SONDE_TRY(prompt_runs_stand_in(r->s->cx->model, b, &r->stand_in, err));
    const sonde_edit *const list[] = { r->stand_in };
    const sonde_variant v = { 0, list, 1 };
    const sonde_status s = run_batch(r, &v, 1, take_b, err);
    return s == SONDE_USAGE && b->values ? SONDE_OK : s;       /* a trace without logits: no share */
}

/* What is to come, said before it starts where it takes long. */
static void announce(const sweep_run *r, double seconds_of_one) {
    const double seconds = seconds_of_one * (double)r->values->n_open;
    char text[160];
    if (seconds <= 1) return;
    snprintf(text, sizeof text, "%" PRId64 " cells, about %.0f s (%.2g s each)", r->values->n_open, seconds, seconds_of_one);
    r->s->cx->progress(r->s->cx->progress_user, text, 0, 0);       /* a line of its own */
}

static sonde_status measure_runs(sweep_run *r, sonde_error *err) {
    const sonde_variant a = { 0, r->s->cx->edits, r->s->cx->n_edits };
    const double start = clock_seconds();
    SONDE_TRY(run_batch(r, &a, 1, take_a, err));
    const double seconds = clock_seconds() - start;
    SONDE_TRY(measure_b(r, err));
    if (!r->s->cx->dry_run) announce(r, seconds);
    return SONDE_OK;
}

/* ---- cells ---- */

static sonde_status take_cell(const sonde_answer *a, void *user, sonde_error *err) {
    (void)err;
    sweep_run *r = user;
    const int64_t cell = r->cell[a->variant];
    r->values->metric[cell] = a->value.data[0];
    r->values->state[cell] = CELL_DONE;
    r->values->n_done++;
    return SONDE_OK;
}

static sonde_status add_cell(sweep_run *r, int64_t cell, sonde_error *err) {
    const sonde_context *cx = r->s->cx;
    char text[LONGEST_EDIT];
    const sweep_cell c = sweep_cell_at(&r->s->grid, cell);
    SONDE_FAIL_IF(!sweep_edit_text(&r->s->grid, &c, text, sizeof text), err, SONDE_USAGE, "the edit of a cell is longer than %d bytes",
                  (int)LONGEST_EDIT);
    SONDE_TRY(sonde_edit_parse(&r->edit[r->n], cx->model, text, NULL, err));
    const sonde_edit **list = r->list + (size_t)r->n * (cx->n_edits + 1);
    for (size_t i = 0; i < cx->n_edits; i++) list[i] = cx->edits[i];
    list[cx->n_edits] = r->edit[r->n];
    r->cell[r->n] = cell;
    r->variant[r->n++] = (sonde_variant){ 0, list, cx->n_edits + 1 };
    return SONDE_OK;
}

/* ---- cells that the results file keeps: a batch is a piece of work ---- */

static uint64_t hash_text(uint64_t h, const char *text) {
    for (const char *c = text ? text : ""; *c; c++) h = (h ^ (unsigned char)*c) * 0x100000001b3u;
    return (h ^ 256) * 0x100000001b3u;
}

/* The prompt with its own target, B, answer and wrong answer; the batch by its cells. */
static void name_batch(const sweep_run *r, char document[160], char cell[64]) {
    const method_prompt *p = &r->s->cx->prompts[r->prompt];
    const document_name  a = document_named(r->base[0]), b = document_named((sonde_prompt){ .tokens = r->runs.b.id, .n = r->runs.b.n });
    const uint64_t target = p->target.n ? document_hash((sonde_prompt){ .tokens = p->target.id, .n = p->target.n }) : 0;
    snprintf(document, 160, "%s %s %016" PRIx64, a.text, r->runs.b.n ? b.text : "-",
             hash_text(hash_text(0xcbf29ce484222325u ^ target, p->answer), p->wrong));
    snprintf(cell, 64, "cells %" PRId64 "-%" PRId64, r->cell[0], r->cell[r->n - 1]);
}

static void put_kept(sweep_run *r, const double *x) {
    for (int i = 0; i < r->n; i++) {
        r->values->metric[r->cell[i]] = (float)x[i];
        r->values->state[r->cell[i]] = CELL_DONE;
        r->values->n_done++;
    }
}

static sonde_status run_or_read(sweep_run *r, sonde_error *err) {
    sonde_cells *cells = r->s->cx->dry_run ? NULL : r->s->cx->cells;
    char    document[160], cell[64];
    double *kept = NULL, x[MOST];
    size_t  n = 0;
    if (!cells) return run_batch(r, r->variant, (size_t)r->n, take_cell, err);
    name_batch(r, document, cell);
    SONDE_TRY(sonde_cells_get(cells, document, cell, &kept, &n, err));
    if (kept && n == (size_t)r->n) put_kept(r, kept);
    const bool known = kept && n == (size_t)r->n;
    sonde_cells_free(kept);
    if (known) return SONDE_OK;
    SONDE_TRY(run_batch(r, r->variant, (size_t)r->n, take_cell, err));
    for (int i = 0; i < r->n; i++) x[i] = (double)r->values->metric[r->cell[i]];
    return sonde_cells_put(cells, document, cell, x, (size_t)r->n, err);
}

static sonde_status run_cells(sweep_run *r, sonde_error *err) {
    const sonde_status s = r->n ? run_or_read(r, err) : SONDE_OK;
    for (int i = 0; i < r->n; i++) sonde_edit_free(r->edit[i]);
    r->n = 0;
    if (!r->s->cx->dry_run)
        r->s->cx->progress(r->s->cx->progress_user, "cells", r->values->n_done, r->values->n_open);
    return s;
}

/* The same for every run of a prompt: a results file knows its cells by them. */
static int cells_at_once(const sonde_prompt *p) {
    const int64_t n = AT_ONCE / (p->n + p->n_target);
    return n < LEAST ? LEAST : n > MOST ? MOST : (int)n;
}

static sonde_status measure_cells(sweep_run *r, sonde_error *err) {
    r->batch = cells_at_once(&r->base[0]);
    r->list = ROOM(const sonde_edit *, (size_t)r->batch * (r->s->cx->n_edits + 1));
    sonde_status s = SONDE_OK;
    for (int64_t i = 0; i < r->s->grid.n && s == SONDE_OK; i++) {
        if (r->values->state[i] == CELL_ABSENT) continue;
        s = add_cell(r, i, err);
        if (s == SONDE_OK && r->n == r->batch) s = run_cells(r, err);
    }
    if (s == SONDE_OK) s = run_cells(r, err);
    for (int i = 0; i < r->n; i++) sonde_edit_free(r->edit[i]);
    free(r->list);
    return s;
}

static void open_cells(sweep *s, size_t prompt, sweep_span keep) {
    sweep_values *v = &s->prompt[prompt];
    v->metric = ROOM(float, s->grid.n);
    v->state = ROOM(uint8_t, s->grid.n);
    for (int64_t i = 0; i < s->grid.n; i++) {
        const sweep_cell c = sweep_cell_at(&s->grid, i);
        if (!sweep_cell_exists(&s->grid, &c, s->cx, prompt, keep)) continue;
        v->state[i] = CELL_OPEN;
        v->n_open++;
    }
    s->n_open += v->n_open;
}

static sonde_status metric_of(sweep *s, size_t prompt, sonde_metric **out, sonde_error *err) {
    const method_prompt *p = &s->cx->prompts[prompt];
    const bool ready = p->answer && p->wrong;
    SONDE_FAIL_IF(!*s->metric && !ready, err, SONDE_USAGE, "metric is required, as --metric 'logit(\" Mary\")-logit(\" John\")'; without "
                  "it: logit(answer)-logit(wrong) of a --prompts file that names both");
    const char *text = *s->metric ? s->metric : "logit(answer)-logit(wrong)";
    return sonde_metric_parse(out, s->cx->model, text, p->answer, p->wrong, err);
}

/* Positions that the prompt has and, where values come from it, b (else NULL) too. */
static sweep_span span_of(const sweep_run *r, const sonde_named_run *b) {
    sweep_span keep;
    for (int k = 0; k < 2; k++) {
        context_positions(r->s->cx, &r->base[0], k, &keep.n[k]);
        const int64_t other = !b ? keep.n[k] : k ? prompt_runs_length(r->s->cx, b) : prompt_runs_prompt(b);
        if (other < keep.n[k]) keep.n[k] = other;
    }
    return keep;
}

static sonde_status measure_prompt(sweep_run *r, sonde_error *err) {
    sweep *s = r->s;
    SONDE_TRY(prompt_runs_open(&r->runs, s->cx, r->prompt, err));
    SONDE_TRY(metric_of(s, r->prompt, &r->metric, err));
    const sonde_named_run *b = s->beside ? prompt_runs_find(&r->runs, s->beside) : NULL;
    SONDE_FAIL_IF(s->patches && !b, err, SONDE_USAGE, "%s=%s: there is no run %s, expected --run %s=\"TEXT\" or --run %s=@FILE",
                  s->grid.op, s->beside, s->beside, s->beside, s->beside);
    const sweep_span keep = span_of(r, s->patches ? b : NULL);
    open_cells(s, r->prompt, keep);
    SONDE_TRY(measure_runs(r, err));
    if (s->approximate && !s->cx->dry_run) {
        r->values->approx = ROOM(double, s->grid.n);
        SONDE_TRY(sweep_approximate(&(sweep_pass){ s->cx, &s->grid, r->base[0], &r->runs, r->metric, keep }, r->values->approx, err));
    }
    return measure_cells(r, err);
}

sonde_status sweep_measure(sweep *s, sonde_error *err) {
    sonde_status status = SONDE_OK;
    for (size_t i = 0; i < s->cx->n_prompts && status == SONDE_OK; i++) {
        sweep_run *r = ROOM(sweep_run, 1);
        *r = (sweep_run){ .s = s, .prompt = i, .values = &s->prompt[i], .base = { context_prompt(s->cx, i) }, .n_bases = 1 };
        status = measure_prompt(r, err);
        prompt_runs_close(&r->runs);
        sonde_metric_free(r->metric);
        sonde_edit_free(r->stand_in);
        free(r);
        if (status != SONDE_OK && prompts_many(s->cx)) sonde_fail_at(err, status, "prompt %zu", i);
    }
    return status;
}
