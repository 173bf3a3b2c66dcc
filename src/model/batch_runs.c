/* The other runs of a batch: A of every base, and the named ones; kept as far as edits and metrics read them. */
#include "batch_data.h"
#include "run_parts.h"
#include <stdlib.h>
#include <string.h>

metric_span prompt_span(const sonde_model *m, const positions *p) {
    const arch_config *c = &m->config;
    const int64_t      n = p->length;
    if (!c->bidirectional) return (metric_span){ n, n - 1 };
    if (!run_has_back(c)) return (metric_span){ n, 0 };
    for (int64_t i = 0; i < n; i++)
        if (p->tokens[i] == m->info.mask && m->info.mask >= 0) return (metric_span){ n, i };
    return (metric_span){ n, n - 1 };
}

static sonde_status check(const arch_config *c, const char *what, const positions *p, sonde_error *err) {
    SONDE_FAIL_IF(p->length < 1, err, SONDE_USAGE, "the %s has no tokens, expected at least one", what);
    SONDE_FAIL_IF(p->length > arch_context(c), err, SONDE_USAGE, "the %s has %lld tokens, the context holds %lld", what,
                  (long long)p->length, (long long)arch_context(c));
    for (int64_t i = 0; i < p->length; i++)
        SONDE_FAIL_IF(p->tokens[i] < 0 || p->tokens[i] >= c->vocab, err, SONDE_USAGE,
                      "token %lld is %d, the vocabulary has %lld", (long long)i, (int)p->tokens[i], (long long)c->vocab);
    for (int64_t i = 0; p->types && c->types && i < p->length; i++)
        SONDE_FAIL_IF(p->types[i] < 0 || p->types[i] >= c->types, err, SONDE_USAGE,
                      "token %lld has the type %d, the model has %lld types", (long long)i, (int)p->types[i],
                      (long long)c->types);
    return SONDE_OK;
}

sonde_status prompt_read(const sonde_model *m, const sonde_prompt *p, positions of[2], sonde_error *err) {
    const arch_config *c = &m->config;
    const positions    given = { p->tokens, p->n, p->n, p->types };
    SONDE_FAIL_IF(p->target && !c->encoder, err, SONDE_USAGE, "the prompt has a target, and %s is no encoder-decoder",
                  m->info.name);
    of[STACK_ENCODER] = c->encoder ? given : (positions){ 0 };
    of[STACK_MAIN] = given;
    if (c->encoder) {
        SONDE_FAIL_IF(!p->target && c->start < 0, err, SONDE_USAGE,
                      "%s: names no token that targets start with, expected a target", m->info.name);
        of[STACK_MAIN] = p->target ? (positions){ .tokens = p->target, .prompt = p->n_target, .length = p->n_target }
                                   : (positions){ .tokens = &c->start, .prompt = 1, .length = 1 };
        SONDE_TRY(check(c->encoder, "prompt", &given, err));
    }
    if (p->prompt) of[STACK_MAIN].prompt = p->prompt;
    return check(c, c->encoder ? "target" : "prompt", &of[STACK_MAIN], err);
}

/* ---- what is read ---- */

typedef struct { uint8_t *place; uint8_t *row; int64_t n; slots run; } needed;

static sonde_status needed_open(batch_runs *r, int64_t n, needed *out, sonde_error *err) {
    const arch_config *c = &r->session->model->config;
    SONDE_TRY(plan_slots(r->memory, c, NULL, 0, &out->run, err));
    out->place = arena_alloc(r->memory, (size_t)(out->run.n + 2) * SITE_COUNT);
    out->row = arena_alloc(r->memory, (size_t)n + 1);
    out->n = n;
    return SONDE_OK;
}

static size_t line_of(const slots *run, int at) { return at == FRONT ? 0 : at == BACK ? (size_t)run->n + 1 : (size_t)at + 1; }

/* Adds what the variants of `base` (-1: of any) read of the run `name`. */
static sonde_status needed_add(batch_runs *r, const char *name, int base, needed *out, sonde_error *err) {
    const sonde_batch *b = r->batch;
    const arch_config *c = &r->session->model->config;
    for (size_t i = 0; i < b->n_variants; i++) {
        const sonde_variant *v = &b->variants[i];
        place_list read;
        if (base >= 0 && v->base != base) continue;
        SONDE_TRY(edits_read(r->memory, c, (edit_list){ v->edits, v->n_edits }, name, &read, err));
        for (size_t j = 0; j < read.n; j++)
            out->place[line_of(&out->run, read.at[j].slot) * SITE_COUNT + read.at[j].site] = 1;
    }
    for (size_t i = 0; i < b->n_wants; i++) {
        if (!b->wants[i].metric) continue;
        for (size_t p = 0; p < b->n_bases; p++) {
            position_list read;
            positions     of[2];
            if (base >= 0 && (int)p != base) continue;
            SONDE_TRY(prompt_read(r->session->model, &b->bases[p], of, err));
            const metric_span own = prompt_span(r->session->model, &of[STACK_MAIN]);
            SONDE_TRY(metric_run_positions(r->memory, b->wants[i].metric, name, metric_span_of(own, out->n), &read, err));
            for (size_t j = 0; j < read.n; j++) out->row[read.at[j]] = 1;
        }
    }
    return SONDE_OK;
}

static capture_wants needed_list(batch_runs *r, const needed *in) {
    capture_wants w = { 0 };
    place   *at = arena_new_array(r->memory, place, (size_t)(in->run.n + 2) * SITE_COUNT);
    int64_t *row = arena_new_array(r->memory, int64_t, (size_t)in->n + 1);
    for (int line = 0; line < in->run.n + 2; line++)
        for (int s = 0; s < SITE_COUNT; s++)
            if (in->place[(size_t)line * SITE_COUNT + (size_t)s])
                at[w.n++] = (place){ line == 0 ? FRONT : line == in->run.n + 1 ? BACK : line - 1, (site_id)s };
    for (int64_t i = 0; i < in->n; i++)
        if (in->row[i]) row[w.n_rows++] = i;
    w.at = at;
    w.rows = row;
    return w;
}

/* ---- running them ---- */

/* A run whose values are kept. */
typedef struct { positions of[2]; capture_wants wants; sonde_capture *into; } kept_run;

static sonde_status open_kept(batch_runs *r, const kept_run *k, lane *l, sonde_error *err) {
    const arch_config   *c = &r->session->model->config;
    const capture_wants *w = &k->wants;
    *l = (lane){ .keep = { capture_see, k->into }, .on_row = capture_row, .row_user = k->into, .row = w->rows, .n_rows = w->n_rows };
    SONDE_TRY(bind_edits(r->memory, c, &(bound_prompt){ .of = { k->of[0], k->of[1] } }, &l->plan, err));
    for (size_t i = 0; i < w->n; i++) {
        lane_flags(l, w->at[i].slot)[w->at[i].site] |= FLAG_KEEP;
        lane_looks_at(l, w->at[i]);
    }
    lane_stop_early(l);
    return lane_open(r->session, l, k->of, err);
}

/* Side by side. */
static sonde_status run_kept(batch_runs *r, const kept_run *k, size_t n, sonde_error *err) {
    const workspace_mark here = workspace_here(r->session->memory);
    lane         *l = arena_new_array(r->memory, lane, n);
    lane        **lanes = arena_new_array(r->memory, lane *, n);
    int64_t      *goal = arena_new_array(r->memory, int64_t, n);
    sonde_status  s = SONDE_OK;
    for (size_t i = 0; i < n && s == SONDE_OK; i++) {
        lanes[i] = &l[i];
        goal[i] = k[i].of[STACK_MAIN].length;
        s = open_kept(r, &k[i], &l[i], err);
    }
    if (s == SONDE_OK) s = lanes_run(r->session, lanes, (int)n, goal, CHUNK_ROWS, err);
    workspace_release(r->session->memory, here);
    return s;
}

/* How many of the first of n have the rows of one chunk together. */
static size_t kept_together(const kept_run *k, size_t n) {
    int64_t rows = k[0].of[0].length + k[0].of[1].length;
    size_t  i = 1;
    while (i < n && (rows += k[i].of[0].length + k[i].of[1].length) <= CHUNK_ROWS) i++;
    return i;
}

/* Where memory runs short, what the runs before left may be cut in another way, and each runs alone. */
static sonde_status run_all_kept(batch_runs *r, const kept_run *k, size_t n, sonde_error *err) {
    bool alone = false;
    for (size_t at = 0, m; at < n; at += m) {
        m = alone ? 1 : kept_together(k + at, n - at);
        sonde_status s = run_kept(r, k + at, m, err);
        if (s == SONDE_NOMEM) {
            workspace_trim(r->session->memory);
            alone = true;
            m = 1;
            s = run_kept(r, k + at, m, err);
        }
        SONDE_TRY(s);
    }
    return SONDE_OK;
}

/* Room for what is read of a run; *n counts those of which anything is. */
static sonde_status add_kept(batch_runs *r, const needed *what, kept_run *k, size_t *n, sonde_capture **out, sonde_error *err) {
    const arch_config *c = &r->session->model->config;
    k->wants = needed_list(r, what);
    if (!k->wants.n && !k->wants.n_rows) return SONDE_OK;
    *out = k->into = capture_new(c, k->of);
    ++*n;
    return capture_keep(*out, c, &what->run, k->wants, &r->budget, err);
}

static sonde_status add_base(batch_runs *r, size_t i, bool dry, kept_run *k, size_t *n, sonde_error *err) {
    needed what;
    SONDE_TRY(prompt_read(r->session->model, &r->batch->bases[i], k->of, err));
    k->of[STACK_MAIN].prompt = k->of[STACK_MAIN].length;
    SONDE_TRY(needed_open(r, k->of[STACK_MAIN].length, &what, err));
    SONDE_TRY(needed_add(r, "A", (int)i, &what, err));
    return dry ? SONDE_OK : add_kept(r, &what, k, n, &r->base[i], err);
}

static sonde_status add_named(batch_runs *r, size_t i, bool dry, kept_run *k, size_t *n, sonde_error *err) {
    const sonde_named_run *run = &r->batch->runs[i];
    needed what;
    if (run->values) return SONDE_OK;
    const sonde_status s = prompt_read(r->session->model, &run->prompt, k->of, err);
    if (s != SONDE_OK) return sonde_fail_at(err, s, "run %s", run->name);
    SONDE_TRY(needed_open(r, k->of[STACK_MAIN].length, &what, err));
    SONDE_TRY(needed_add(r, run->name, -1, &what, err));
    return dry ? SONDE_OK : add_kept(r, &what, k, n, &r->named[i], err);
}

sonde_status batch_runs_open(batch_runs *r, sonde_session *s, const sonde_batch *b, bool dry, sonde_error *err) {
    *r = (batch_runs){ .session = s, .batch = b, .memory = arena_new(), .budget = s->budget };
    r->base = arena_new_array(r->memory, sonde_capture *, b->n_bases + 1);
    r->named = arena_new_array(r->memory, sonde_capture *, b->n_runs + 1);
    kept_run *k = arena_new_array(r->memory, kept_run, b->n_runs + b->n_bases + 1);
    size_t    n = 0;
    for (size_t i = 0; i < b->n_runs; i++) SONDE_TRY(add_named(r, i, dry, &k[n], &n, err));
    for (size_t i = 0; i < b->n_bases; i++) SONDE_TRY(add_base(r, i, dry, &k[n], &n, err));
    return run_all_kept(r, k, n, err);
}

void batch_runs_close(batch_runs *r) {
    for (size_t i = 0; i < r->batch->n_bases; i++) sonde_capture_free(r->base[i]);
    for (size_t i = 0; i < r->batch->n_runs; i++) sonde_capture_free(r->named[i]);
    arena_free(r->memory);
}

/* ---- reading them ---- */

/* The i-th run of this name, counted from `from`; n_runs past the last. */
static size_t next_named(const batch_runs *r, const char *name, size_t from) {
    while (from < r->batch->n_runs && strcmp(r->batch->runs[from].name, name) != 0) from++;
    return from;
}

static sonde_capture *values_of(const batch_runs *r, size_t i) {
    const sonde_capture *given = r->batch->runs[i].values;
    return given ? (sonde_capture *)(uintptr_t)given : r->named[i];     /* a capture locks itself when it reads its file */
}

/* What a stack reads of the base or the first run of a name; length -1: there is none. */
static positions run_positions(const runs_of_base *of, const char *name, stack_id stack) {
    const batch_runs   *r = of->r;
    const sonde_prompt *p = &r->batch->bases[of->base];
    positions both[2];
    if (strcmp(name, "A") != 0) {
        const size_t i = next_named(r, name, 0);
        if (i == r->batch->n_runs) return (positions){ .length = -1 };
        const sonde_capture *c = r->batch->runs[i].values;
        if (c) return c->of[stack];
        p = &r->batch->runs[i].prompt;
    }
    return prompt_read(r->session->model, p, both, NULL) == SONDE_OK ? both[stack] : (positions){ .length = -1 };
}

static int64_t length_of_run(void *user, const char *name, stack_id of) { return run_positions(user, name, of).length; }
static const int32_t *run_tokens(void *user, const char *name, stack_id of) { return run_positions(user, name, of).tokens; }
static int64_t run_rows(void *user, const char *name) { return length_of_run(user, name, STACK_MAIN); }

/* Where nothing that comes behind a row is seen, and angles do not depend on the length, runs that begin with the same
 * tokens begin with the same rows. */
static int64_t rows_alike(void *user, const char *name) {
    const runs_of_base *of = user;
    const batch_runs   *r = of->r;
    const arch_config  *c = &r->session->model->config;
    positions both[2][2];
    int64_t   n = 0;
    if (c->bidirectional || c->encoder || c->rope.by_length || c->rope_local.by_length || !r->batch->n_bases) return 0;
    const size_t i = next_named(r, name, 0);
    if (!strcmp(name, "A") || i == r->batch->n_runs || r->batch->runs[i].values || next_named(r, name, i + 1) < r->batch->n_runs) return 0;
    if (prompt_read(r->session->model, &r->batch->bases[of->base], both[0], NULL) != SONDE_OK ||
        prompt_read(r->session->model, &r->batch->runs[i].prompt, both[1], NULL) != SONDE_OK)
        return 0;
    const positions *a = &both[0][STACK_MAIN], *b = &both[1][STACK_MAIN];
    if (a->types || b->types) return 0;
    while (n < a->length && n < b->length && a->tokens[n] == b->tokens[n]) n++;
    return n;
}

/* Several runs of one name (the prompts of a reference) are one, their positions one behind the other. */
static const kept *joined(const batch_runs *r, const char *name, const char *site) {
    kept *all = arena_alloc(r->memory, sizeof *all);
    for (int pass = 0; pass < 2; pass++) {
        int64_t at = 0;
        for (size_t i = next_named(r, name, 0); i < r->batch->n_runs; i = next_named(r, name, i + 1)) {
            const kept *k = values_of(r, i) ? capture_find(values_of(r, i), site) : NULL;
            if (!k) return NULL;
            const int64_t row = k->dim[1] * k->dim[2];
            if (pass) memcpy(all->data + at * row, k->data, (size_t)(k->dim[0] * row) * sizeof(float));
            else *all = *k;
            at += k->dim[0];
        }
        if (!pass) {
            all->dim[0] = at;
            all->data = arena_alloc(r->memory, (size_t)(at * all->dim[1] * all->dim[2]) * sizeof(float));
        }
    }
    return all;
}

static const kept *run_find(void *user, const char *name, const char *site) {
    const runs_of_base *of = user;
    const batch_runs   *r = of->r;
    if (!strcmp(name, "A")) return r->base[of->base] ? capture_find(r->base[of->base], site) : NULL;
    const size_t i = next_named(r, name, 0);
    if (i == r->batch->n_runs) return NULL;
    if (next_named(r, name, i + 1) < r->batch->n_runs) return joined(r, name, site);
    return values_of(r, i) ? capture_find(values_of(r, i), site) : NULL;
}

static const float *run_logits(void *user, const char *name, int64_t position) {
    const runs_of_base *of = user;
    const batch_runs   *r = of->r;
    if (!strcmp(name, "A")) return r->base[of->base] ? capture_logits(r->base[of->base], position) : NULL;
    const size_t i = next_named(r, name, 0);
    return i < r->batch->n_runs && values_of(r, i) ? capture_logits(values_of(r, i), position) : NULL;
}

bound_runs  runs_for_edits(runs_of_base *of)   { return (bound_runs){ run_find, length_of_run, run_tokens, rows_alike, of }; }
metric_runs runs_for_metrics(runs_of_base *of) { return (metric_runs){ run_logits, run_rows, of }; }
