/* Many edited versions of one run. Variants that are asked for metrics and logits run side by side: the rows of a group
 * of them go through each block in one product, and what their edits do not reach is that of the unedited run, which is run
 * once. Where memory is short groups are smaller, less is kept, and in the end each variant runs whole and alone. */
#include "crowd.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_LANES = 512 };

static bool wants_kind(const sonde_batch *b, sonde_want_kind kind) {
    for (size_t i = 0; i < b->n_wants; i++)
        if (b->wants[i].kind == kind) return true;
    return false;
}

/* ---- one group ---- */

static const lender *lender_for(const crowd *c, size_t at) {
    const lender *x = &c->of[c->plan[at].base];
    return x->open ? x : NULL;
}

static sonde_status run_opened(crowd *c, int n, sonde_error *err) {
    sonde_session *s = c->r->session;
    lane         **lanes = arena_new_array(c->wave, lane *, (size_t)n);
    int64_t       *goal = arena_new_array(c->wave, int64_t, (size_t)n);
    for (int i = 0; i < n; i++) {
        lanes[i] = &c->v[i].l;
        goal[i] = c->v[i].way.goal;
    }
    SONDE_TRY(lanes_run(s, lanes, n, goal, CHUNK_ROWS, err));
    for (int i = 0; i < n; i++) SONDE_TRY(variant_done(&c->v[i], err));
    return SONDE_OK;
}

static sonde_status run_group(crowd *c, size_t from, int n, sonde_error *err) {
    workspace           *w = c->r->session->memory;
    const workspace_mark here = workspace_here(w);
    sonde_status         s = SONDE_OK;
    int                  open = 0;
    for (size_t at = from; open < n && s == SONDE_OK; at++) {
        variant_run *v = &c->v[open++];
        v->out = &c->out;
        s = variant_open(v, c->r, c->plan[at].index, lender_for(c, at), err);
        v->beside = true;
    }
    if (s == SONDE_OK) s = run_opened(c, n, err);
    for (int i = 0; i < open; i++) arena_free(c->v[i].memory);
    workspace_release(w, here);
    if (s == SONDE_NOMEM) workspace_trim(w);
    return s;
}

static int64_t rows_of(const planned *p) { return p->way.goal - p->way.first < CHUNK_ROWS ? p->way.goal - p->way.first : CHUNK_ROWS; }

/* How many of those from `from` on run together. */
static int group_of(const crowd *c, size_t from, size_t until) {
    int64_t rows = 0;
    int     n = 0;
    for (; from + (size_t)n < until && n < c->most_lanes; n++) {
        rows += rows_of(&c->plan[from + (size_t)n]);
        if (n && rows > c->most_rows) break;
    }
    return n;
}

/* Where memory runs short it is given back and half as many run; one by itself is tried again in fresh memory. */
static sonde_status run_groups(crowd *c, size_t from, size_t until, sonde_error *err) {
    bool again = false;
    c->most_lanes = MOST_LANES;
    for (size_t at = from; at < until;) {
        const int n = c->out.done[c->plan[at].index] ? 0 : group_of(c, at, until);
        if (!n) {
            at++;
            continue;
        }
        const sonde_status s = run_group(c, at, n, err);
        if (s == SONDE_NOMEM && (n > 1 || !again)) {
            c->most_lanes = n > 1 ? n / 2 : 1;
            again = n == 1;
            continue;
        }
        SONDE_TRY(s);
        at += (size_t)n;
        again = false;
    }
    return SONDE_OK;
}

/* ---- a wave: variants of a few bases, whose unedited runs are kept meanwhile ---- */

static sonde_status run_lenders(crowd *c, const wave *w, sonde_error *err) {
    sonde_session *s = c->r->session;
    lane         **lanes = arena_new_array(c->wave, lane *, w->n_bases + 1);
    int64_t       *goal = arena_new_array(c->wave, int64_t, w->n_bases + 1);
    int            n = 0;
    for (size_t i = 0; i < w->n_bases; i++) {
        const wave_base *b = &w->base[i];
        positions        of[2];
        if (!b->floats) continue;
        SONDE_TRY(prompt_read(s->model, &c->r->batch->bases[b->base], of, err));
        SONDE_TRY(lender_open(s, c->wave, of, b->floats, &c->of[b->base], err));
        lanes[n] = &c->of[b->base].l;
        goal[n++] = of[STACK_MAIN].length;
    }
    return n ? lanes_run(s, lanes, n, goal, CHUNK_ROWS, err) : SONDE_OK;
}

static sonde_status run_wave(crowd *c, const wave *w, sonde_error *err) {
    workspace           *memory = c->r->session->memory;
    const workspace_mark here = workspace_here(memory);
    sonde_status         s = run_lenders(c, w, err);
    if (s == SONDE_OK) s = run_groups(c, w->from, w->until, err);
    workspace_release(memory, here);
    for (size_t i = 0; i < w->n_bases; i++) c->of[w->base[i].base].open = false;
    if (s != SONDE_NOMEM) return s;
    workspace_trim(memory);
    return run_groups(c, w->from, w->until, err);
}

static sonde_status run_crowd(batch_runs *r, sonde_answer_fn fn, void *user, sonde_error *err) {
    crowd        c;
    sonde_status s = crowd_open(&c, r, err);
    c.out.fn = fn;
    c.out.user = user;
    c.most_rows = crowd_most_rows(&c, GROUP_ROWS);
    c.v = calloc(MOST_LANES, sizeof *c.v);
    if (!c.v) abort();
    for (size_t at = 0; at < r->batch->n_variants && s == SONDE_OK;) {
        c.wave = arena_new();
        const wave w = crowd_wave(&c, at, WAVE_ROWS);
        s = run_wave(&c, &w, err);
        at = w.until;
        arena_free(c.wave);
    }
    free(c.v);
    crowd_close(&c);
    return s;
}

/* ---- values and gradients of sites: each whole ---- */

static int64_t rows_of_base(const sonde_batch *b, size_t variant, int64_t most) {
    const int base = b->variants[variant].base;
    return base >= 0 && (size_t)base < b->n_bases ? b->bases[base].n : most;
}

/* How many variants from `from` on go forward and back together: one want of gradients and no values, and at most `most` rows,
 * those that are left in even parts. */
static int slopes_of(const sonde_batch *b, size_t from, int64_t most) {
    int     n = 0, wanted = 0;
    int64_t left = 0, have = 0;
    for (size_t i = 0; i < b->n_wants; i++) {
        if (b->wants[i].kind == SONDE_WANT_SITE || b->wants[i].kind == SONDE_WANT_LOGITS) return 1;
        wanted += b->wants[i].kind == SONDE_WANT_GRAD;
    }
    for (size_t i = from; i < b->n_variants; i++) left += rows_of_base(b, i, most);
    const int64_t parts = most > 0 ? (left + most - 1) / most : 1, part = (left + parts - 1) / parts;
    for (; wanted == 1 && from + (size_t)n < b->n_variants && n < MOST_LANES; n++) {
        have += rows_of_base(b, from + (size_t)n, most);
        if (n && have > part) break;
    }
    return n ? n : 1;
}

/* Opens *n variants and runs them, or the first alone; *n: how many. */
static sonde_status run_some(batch_runs *r, answers *out, size_t from, int *n, bool keep, sonde_error *err) {
    workspace           *w = r->session->memory;
    const workspace_mark here = workspace_here(w);
    variant_run         *v = calloc((size_t)*n, sizeof *v);
    sonde_status         s = SONDE_OK;
    int                  open = 0;
    if (!v) abort();
    while (open < *n && s == SONDE_OK) {
        v[open].out = out;
        s = variant_open(&v[open], r, from + (size_t)open, NULL, err);
        open++;
    }
    if (s == SONDE_OK) s = variants_run_back(v, n, keep, err);
    for (int i = 0; i < open; i++) arena_free(v[i].memory);
    free(v);
    workspace_release(w, here);
    return s;
}

static sonde_status run_each(batch_runs *r, sonde_answer_fn fn, void *user, sonde_error *err) {
    const sonde_batch *b = r->batch;
    const int64_t      rows = crowd_kept_rows(r->session);
    answers out = { .fn = fn, .user = user, .metric = arena_new_array(r->memory, double, b->n_variants * b->n_wants + 1),
                    .done = arena_new_array(r->memory, bool, b->n_variants + 1) };
    for (size_t at = 0; at < b->n_variants;) {
        int          n = slopes_of(b, at, rows);
        sonde_status s = run_some(r, &out, at, &n, rows >= LEAST_KEPT, err);
        if (s == SONDE_NOMEM && n > 1 && out.next == at) {
            workspace_trim(r->session->memory);
            n = 1;
            s = run_some(r, &out, at, &n, false, err);
        }
        SONDE_TRY(s);
        at += (size_t)n;
    }
    return SONDE_OK;
}

sonde_status sonde_variants_run(sonde_session *s, const sonde_batch *b, sonde_answer_fn fn, void *user, sonde_error *err) {
    const workspace_mark here = workspace_here(s->memory);
    const bool   alone = wants_kind(b, SONDE_WANT_SITE) || wants_kind(b, SONDE_WANT_GRAD);
    batch_runs   r;
    sonde_status status = batch_runs_open(&r, s, b, false, err);
    if (status == SONDE_OK) status = (alone ? run_each : run_crowd)(&r, fn, user, err);
    batch_runs_close(&r);
    workspace_release(s->memory, here);
    return status;
}

sonde_status sonde_run(sonde_session *s, const sonde_single *r, sonde_answer_fn fn, void *user, sonde_error *err) {
    const sonde_variant v = { 0, r->edits, r->n_edits };
    const sonde_want    w = { .kind = SONDE_WANT_SITE, .sites = r->sites };
    return sonde_variants_run(s, &(sonde_batch){ .bases = &r->prompt, .n_bases = 1, .variants = &v, .n_variants = 1,
                                                 .wants = &w, .n_wants = 1 }, fn, user, err);
}
