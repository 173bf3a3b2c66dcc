/* Where an edited run leaves the unedited one, and how it goes on from there. */
#include "lending.h"
#include "run_parts.h"
#include <string.h>

departure departs_at_start(int64_t length) { return (departure){ FRONT, 0, length }; }

static bool same_slot(const slot *a, const slot *b) {
    return a->block == b->block && a->turn == b->turn && a->no_attn == b->no_attn && a->no_cross == b->no_cross &&
           a->no_mlp == b->no_mlp;
}

/* The first slot that is another one; run->n where the lists are the same. */
static int first_other(const slots *run, const slots *plain) {
    int i = 0;
    while (i < run->n && i < plain->n && same_slot(&run->at[i], &plain->at[i])) i++;
    return i;
}

/* The first row that an edit changes, and with it those behind; INT64_MAX: it changes none. */
static int64_t first_row(const bound_edit *e) {
    const int t = sonde_axes_rows(site_rows[e->at.site].axes);
    if (t < 0 || e->at.site == SITE_REL_POS) return 0;      /* a bias of distances holds in all layers */
    const bound_axis *x = &e->axis[t];
    const int64_t     from = e->when == WHEN_GENERATED && e->prompt > e->same ? e->prompt : e->same;
    if (x->kind != INDEX_LIST) return x->hi <= from ? INT64_MAX : x->lo > from ? x->lo : from;
    for (size_t i = 0; i < x->n; i++)
        if (x->list[i] >= from) return x->list[i];
    return INT64_MAX;
}

/* Positions that anybody reads; an angle may depend on how many the run has. */
static int64_t last_read(const arch_config *c, const lane *l, int64_t length) {
    if (c->bidirectional || c->rope.by_length || c->rope_local.by_length || l->every_row) return length;
    if (run_wants_pool(l, c) || !l->n_rows) return length;
    return l->row[l->n_rows - 1] + 1;
}

departure lane_departs(const arch_config *c, const lane *l, const slots *plain, int64_t length) {
    const slots *run = &l->plan.run;
    departure    d = { run->n, 0, last_read(c, l, length) };
    if (c->encoder) return departs_at_start(length);
    const int  other = first_other(run, plain);
    const bool causal = !c->bidirectional && !run_wants_pool(l, c), planned = other < run->n || run->n != plain->n;
    d.first = causal && !planned ? d.goal : 0;
    if (planned) d.slot = other;
    for (size_t i = 0; i < l->plan.n_edits; i++) {
        const bound_edit *e = &l->plan.edit[i];
        const int64_t     first = first_row(e);
        if (first >= d.goal) continue;
        if (e->at.slot < d.slot) d.slot = e->at.slot;
        if (first < d.first) d.first = first;
    }
    return d;
}

int64_t departure_work(const departure *d, const lane *l) {
    const int until = l->until, from = d->slot == FRONT ? 0 : d->slot;
    return from < until ? (d->goal - d->first) * (until - from) : 0;
}

/* ---- the unedited run ---- */

lender_size lender_needs(const arch_config *c, int64_t length) {
    const int64_t kept = length * (2 * c->layers * c->kv_heads * c->e + c->d);
    return (lender_size){ .least = kept, .all = kept + length * c->layers * c->d };
}

/* Streams in front of every `step`th slot, counted from the last. */
static sonde_status keep_streams(sonde_session *s, lane *l, int64_t floats, sonde_error *err) {
    const int64_t each = l->length * s->model->config.d;
    const int     n = l->plan.run.n, most = (int)(floats / each < n ? floats / each : n);
    float        *pointers;
    SONDE_TRY(workspace_take(s->memory, (int64_t)((size_t)n * sizeof *l->inputs / sizeof *pointers) + 1, &pointers, err));
    l->inputs = (float **)(void *)pointers;
    memset(l->inputs, 0, (size_t)n * sizeof *l->inputs);
    for (int i = 1, kept = 0; i <= n && kept < most; i++) {
        if (i * most / n == (i - 1) * most / n) continue;
        SONDE_TRY(workspace_take(s->memory, each, &l->inputs[n - i], err));
        kept++;
    }
    return SONDE_OK;
}

sonde_status lender_open(sonde_session *s, arena *a, const positions of[2], int64_t floats, lender *out, sonde_error *err) {
    const arch_config *c = &s->model->config;
    const positions   *own = &of[STACK_MAIN];
    *out = (lender){ 0 };
    SONDE_TRY(bind_edits(a, c, &(bound_prompt){ .of = { of[0], of[1] } }, &out->l.plan, err));
    SONDE_TRY(lane_open(s, &out->l, of, err));
    SONDE_TRY(workspace_take(s->memory, own->length * c->d, &out->l.behind, err));
    SONDE_TRY(keep_streams(s, &out->l, floats - lender_needs(c, own->length).least, err));
    out->l.until = out->l.plan.run.n;
    out->open = true;
    return SONDE_OK;
}

void lane_borrow(const arch_config *c, lane *l, const lender *from, departure at) {
    const lane *x = &from->l;
    int         begin = at.slot;
    if (begin == x->plan.run.n) l->given = x->behind;
    else
        while (begin > 0 && !x->inputs[begin]) begin--;
    if (begin >= 0 && begin < x->plan.run.n) l->given = x->inputs[begin];
    l->begin = begin;
    if (c->bidirectional || !at.first) return;
    l->lender = x;
    l->lent = l->first = at.first;
    l->turning = x->length;
}
