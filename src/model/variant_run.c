/* One variant: what it wants is found, its lane opened and watched; values and gradients of sites are of a run alone. */
#include "variant_run.h"
#include "run_parts.h"
#include <string.h>

static const sonde_want *want_of(const variant_run *v, size_t i) { return &v->runs->batch->wants[i]; }
static size_t wants(const variant_run *v) { return v->runs->batch->n_wants; }

static bool holds(const place_list *p, place at) {
    for (size_t i = 0; i < p->n; i++)
        if (p->at[i].slot == at.slot && p->at[i].site == at.site) return true;
    return false;
}

static sonde_status answer_site(variant_run *v, size_t want, const sighting *s, sonde_error *err) {
    arena             *a = arena_new();
    const sonde_answer x = { .variant = v->index, .want = want, .site = place_name(a, &v->l.plan.run, s->at),
                             .first = s->first, .value = s->view,
                             .metric = v->metric[want] ? metric_value(v->metric[want]) : 0 };
    const sonde_status status = v->out->fn(&x, v->out->user, err);
    arena_free(a);
    return status;
}

static sonde_status hold_slope(variant_run *v, const sighting *s) {
    int64_t n = 1;
    for (int i = 0; i < s->view.rank; i++) n *= s->view.dim[i];
    held_slope *x = arena_alloc(v->memory, sizeof *x);
    float      *data = arena_new_array(v->memory, float, (size_t)n);
    *x = (held_slope){ .seen = *s };
    x->seen.view.data = memcpy(data, s->view.data, (size_t)n * sizeof *data);
    if (!v->end) v->end = &v->slopes;
    *v->end = x;
    v->end = &x->next;
    return SONDE_OK;
}

static sonde_status see(void *user, const sighting *s, sonde_error *err) {
    variant_run *v = user;
    if (s->grad) return v->beside ? hold_slope(v, s) : answer_site(v, v->grad, s, err);
    for (size_t i = 0; i < wants(v); i++)
        if (want_of(v, i)->kind == SONDE_WANT_SITE && holds(&v->wanted[i], s->at)) SONDE_TRY(answer_site(v, i, s, err));
    return SONDE_OK;
}

static bool wants_logits_at(const sonde_want *w, int64_t position) {
    if (w->kind != SONDE_WANT_LOGITS) return false;
    if (!w->n_at) return true;
    for (size_t i = 0; i < w->n_at; i++)
        if (w->at[i] == position) return true;
    return false;
}

static sonde_status give_row(variant_run *v, int64_t position, const float *logits, sonde_error *err) {
    const arch_config *c = &v->runs->session->model->config;
    const int64_t n = arch_answers(c);
    if (v->beside && position < v->out->seen) return SONDE_OK;      /* out before memory ran short */
    for (size_t i = 0; i < wants(v); i++) {
        if (!wants_logits_at(want_of(v, i), position)) continue;
        const sonde_answer x = { .variant = v->index, .want = i, .site = arch_answer_site(c), .first = position,
                                 .value = { .axes = "t v", .rank = 2, .dim = { 1, n }, .data = logits } };
        SONDE_TRY(v->out->fn(&x, v->out->user, err));
        v->out->seen = position + 1;
    }
    return SONDE_OK;
}

static bool last_row(const variant_run *v, int64_t position) {
    if (!run_has_back(&v->runs->session->model->config)) return true;       /* one answer of the whole text */
    return position == (v->l.every_answer ? v->l.length : v->l.row[v->l.n_rows - 1] + 1) - 1;
}

static sonde_status take_row(void *user, int64_t position, const float *logits, sonde_error *err) {
    variant_run *v = user;
    for (size_t i = 0; i < wants(v); i++)
        if (v->metric[i] && metric_needs(v->metric[i], position)) metric_row(v->metric[i], position, logits);
    SONDE_TRY(give_row(v, position, logits, err));
    return v->beside && !v->l.inputs && last_row(v, position) ? variant_done(v, err) : SONDE_OK;
}

/* ---- opening ---- */

static void flag_sites(variant_run *v, size_t i, uint8_t flag, bool on) {
    for (size_t j = 0; j < v->wanted[i].n; j++) {
        const place at = v->wanted[i].at[j];
        uint8_t    *f = &lane_flags(&v->l, at.slot)[at.site];
        *f = on ? (uint8_t)(*f | flag) : (uint8_t)(*f & ~flag);
        lane_looks_at(&v->l, at);
    }
}

/* Gradients pass over choices, but where nothing else is asked. */
static sonde_status drop_choices(const variant_run *v, place_list *p, sonde_error *err) {
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        if (site_has_gradient(p->at[i].site)) p->at[n++] = p->at[i];
    SONDE_FAIL_IF(p->n && !n, err, SONDE_USAGE, "%s: the choice of experts has no gradient, expected another site, such as "
                  "hook_expert_weights", place_name(v->memory, &v->l.plan.run, p->at[0]));
    p->n = n;
    return SONDE_OK;
}

static sonde_status resolve_want(variant_run *v, size_t i, int64_t n, uint8_t *row, sonde_error *err) {
    const sonde_want  *w = want_of(v, i);
    const arch_config *c = &v->runs->session->model->config;
    if (w->kind == SONDE_WANT_SITE || w->kind == SONDE_WANT_GRAD) {
        SONDE_TRY(places_select(v->memory, (place_scope){ c, &v->l.plan.run, false }, w->sites ? w->sites : "**",
                                &v->wanted[i], err));
        if (w->kind == SONDE_WANT_GRAD) SONDE_TRY(drop_choices(v, &v->wanted[i], err));
        flag_sites(v, i, w->kind == SONDE_WANT_SITE ? FLAG_TAP : FLAG_GRAD, true);
    }
    if (w->kind == SONDE_WANT_GRAD) SONDE_TRY(metric_differentiable(w->metric, err));
    if (w->metric) {
        position_list read;
        SONDE_TRY(metric_positions(v->memory, w->metric, prompt_span(v->runs->session->model, &v->reads[STACK_MAIN]), &read, err));
        for (size_t j = 0; j < read.n; j++) row[read.at[j]] = 1;
    }
    if (w->kind != SONDE_WANT_LOGITS) return SONDE_OK;
    v->l.every_row |= w->n_at == 0;
    v->l.every_answer |= w->n_at == 0;
    for (size_t j = 0; j < w->n_at; j++) {
        SONDE_FAIL_IF(w->at[j] < 0 || w->at[j] >= n, err, SONDE_USAGE, "position %lld of %lld", (long long)w->at[j], (long long)n);
        row[w->at[j]] = 1;
    }
    return SONDE_OK;
}

static sonde_status variant_bind(variant_run *v, bool dry, sonde_error *err) {
    const sonde_batch   *b = v->runs->batch;
    const sonde_variant *x = &b->variants[v->index];
    SONDE_FAIL_IF(x->base < 0 || (size_t)x->base >= b->n_bases, err, SONDE_USAGE, "variant %zu is of base %d, there are %zu",
                  v->index, x->base, b->n_bases);
    SONDE_TRY(prompt_read(v->runs->session->model, &b->bases[x->base], v->reads, err));
    const int64_t      n = v->reads[STACK_MAIN].length;
    const bound_prompt bp = { .edits = { x->edits, x->n_edits }, .of = { v->reads[0], v->reads[1] }, .dry = dry,
                              .seed = b->seed, .runs = runs_for_edits(&v->of) };
    SONDE_TRY(bind_edits(v->memory, &v->runs->session->model->config, &bp, &v->l.plan, err));
    for (size_t i = 0; i < v->l.plan.n_edits; i++)
        lane_flags(&v->l, v->l.plan.edit[i].at.slot)[v->l.plan.edit[i].at.site] |= FLAG_EDIT;
    uint8_t *row = arena_alloc(v->memory, (size_t)n + 1);
    int64_t *list = arena_new_array(v->memory, int64_t, (size_t)n + 1);
    for (size_t i = 0; i < b->n_wants; i++) SONDE_TRY(resolve_want(v, i, n, row, err));
    for (int64_t i = 0; i < n; i++)
        if (row[i]) list[v->l.n_rows++] = i;
    v->l.row = list;
    return SONDE_OK;
}

static void variant_start(variant_run *v, batch_runs *r, size_t index) {
    answers *const out = v->out;
    *v = (variant_run){ .runs = r, .of = { r, r->batch->variants[index].base }, .index = index, .memory = arena_new(), .out = out };
    v->metric = arena_new_array(v->memory, bound_metric *, r->batch->n_wants + 1);
    v->wanted = arena_new_array(v->memory, place_list, r->batch->n_wants + 1);
}

sonde_status variant_plan(variant_run *v, batch_runs *r, size_t index, const slots *plain, sonde_error *err) {
    variant_start(v, r, index);
    SONDE_TRY(variant_bind(v, true, err));
    lane_stop_early(&v->l);
    v->way = lane_departs(&r->session->model->config, &v->l, plain, v->reads[STACK_MAIN].length);
    return SONDE_OK;
}

static sonde_status bind_metrics(variant_run *v, sonde_error *err) {
    const sonde_model  *m = v->runs->session->model;
    const positions    *p = &v->reads[STACK_MAIN];
    const metric_prompt mp = { p->tokens, prompt_span(m, p), arch_answers(&m->config), runs_for_metrics(&v->of) };
    for (size_t i = 0; i < wants(v); i++)
        if (want_of(v, i)->metric) SONDE_TRY(metric_bind(v->memory, want_of(v, i)->metric, &mp, &v->metric[i], err));
    return SONDE_OK;
}

/* Values and gradients of sites are those of the whole run. */
static bool looks(const sonde_batch *b) {
    for (size_t i = 0; i < b->n_wants; i++)
        if (b->wants[i].kind == SONDE_WANT_SITE || b->wants[i].kind == SONDE_WANT_GRAD) return true;
    return false;
}

/* Metrics that are made of single logits alone need no others. */
static void find_tokens(variant_run *v) {
    size_t most = 1, n = 0;
    for (size_t i = 0; i < wants(v); i++) {
        if (want_of(v, i)->kind == SONDE_WANT_LOGITS || want_of(v, i)->kind == SONDE_WANT_SITE) return;
        most += metric_terms(v->metric[i]);
    }
    int32_t *list = arena_new_array(v->memory, int32_t, most);
    for (size_t i = 0; i < wants(v); i++)
        if (!metric_tokens(v->metric[i], list, &n)) return;
    v->l.only = list;
    v->l.n_only = n;
}

sonde_status variant_open(variant_run *v, batch_runs *r, size_t index, const lender *from, sonde_error *err) {
    const arch_config *c = &r->session->model->config;
    variant_start(v, r, index);
    SONDE_TRY(variant_bind(v, false, err));
    SONDE_TRY(bind_metrics(v, err));
    find_tokens(v);
    v->l.tap = (watcher){ see, v };
    v->l.on_row = take_row;
    v->l.row_user = v;
    lane_stop_early(&v->l);
    v->way = departs_at_start(v->reads[STACK_MAIN].length);
    if (from) {
        v->way = lane_departs(c, &v->l, &from->l.plan.run, from->l.length);
        lane_borrow(c, &v->l, from, v->way);
    } else if (!looks(r->batch)) v->way.goal = lane_departs(c, &v->l, &v->l.plan.run, v->way.goal).goal;
    return lane_open(r->session, &v->l, v->reads, err);
}

/* ---- running ---- */

static sonde_status give_metrics(const answers *out, const sonde_batch *b, size_t variant, const double *exact, sonde_error *err) {
    for (size_t i = 0; i < b->n_wants; i++) {
        const float        value = (float)exact[i];
        const sonde_answer x = { .variant = variant, .want = i, .value = { .axes = "", .rank = 0, .data = &value },
                                 .metric = exact[i] };
        if (b->wants[i].kind == SONDE_WANT_METRIC) SONDE_TRY(out->fn(&x, out->user, err));
    }
    return SONDE_OK;
}

sonde_status variant_done(variant_run *v, sonde_error *err) {
    answers           *out = v->out;
    const sonde_batch *b = v->runs->batch;
    if (out->done[v->index]) return SONDE_OK;
    for (size_t i = 0; i < b->n_wants; i++)
        if (v->metric[i]) out->metric[v->index * b->n_wants + i] = metric_value(v->metric[i]);
    out->done[v->index] = true;
    for (; out->next < b->n_variants && out->done[out->next]; out->next++, out->seen = 0)
        SONDE_TRY(give_metrics(out, b, out->next, out->metric + out->next * b->n_wants, err));
    return SONDE_OK;
}

static bool seed_metric(void *user, int64_t position, const float *logits, float *dlogits) {
    const variant_run *v = user;
    const bool         reads = metric_needs(v->metric[v->grad], position);
    if (reads) metric_gradient(v->metric[v->grad], position, logits, dlogits);
    return reads;
}

static bool wants_gradient(const sonde_batch *b) {
    for (size_t i = 0; i < b->n_wants; i++)
        if (b->wants[i].kind == SONDE_WANT_GRAD) return true;
    return false;
}

/* Gradients of one want after the other: each has a metric of its own. */
static sonde_status run_gradients(variant_run *v, sonde_error *err) {
    for (size_t i = 0; i < wants(v); i++)
        if (want_of(v, i)->kind == SONDE_WANT_GRAD) flag_sites(v, i, FLAG_GRAD, false);
    for (size_t i = 0; i < wants(v); i++) {
        if (want_of(v, i)->kind != SONDE_WANT_GRAD) continue;
        v->grad = i;
        flag_sites(v, i, FLAG_GRAD, true);
        SONDE_TRY(lane_run_back(v->runs->session, &v->l, seed_metric, v, err));
        flag_sites(v, i, FLAG_GRAD, false);
    }
    return SONDE_OK;
}

sonde_status variant_run_alone(variant_run *v, sonde_error *err) {
    lane *const  lanes[1] = { &v->l };
    const bool   back = wants_gradient(v->runs->batch);
    if (back) SONDE_TRY(lane_keep_inputs(v->runs->session, &v->l, err));
    SONDE_TRY(lanes_run(v->runs->session, lanes, 1, &v->l.length, back ? 0 : CHUNK_ROWS, err));
    SONDE_TRY(variant_done(v, err));
    return back ? run_gradients(v, err) : SONDE_OK;
}

static sonde_status run_together(variant_run *v, int n, lane *const *lanes, bool keep, sonde_error *err) {
    sonde_session *s = v->runs->session;
    int64_t       *goal = arena_new_array(v->memory, int64_t, (size_t)n);
    void         **user = arena_new_array(v->memory, void *, (size_t)n);
    for (int i = 0; i < n; i++) {
        SONDE_TRY(lane_keep_inputs(s, lanes[i], err));
        v[i].beside = true;
        user[i] = &v[i];
        goal[i] = lanes[i]->length;
        while (want_of(&v[i], v[i].grad)->kind != SONDE_WANT_GRAD) v[i].grad++;
    }
    if (keep) SONDE_TRY(lanes_keep_blocks(s, lanes, n, err));
    SONDE_TRY(lanes_run(s, lanes, n, goal, 0, err));
    return lanes_run_back(s, lanes, n, seed_metric, user, err);
}

sonde_status variants_run_back(variant_run *v, int *n, bool keep, sonde_error *err) {
    lane **lanes = arena_new_array(v->memory, lane *, (size_t)*n);
    for (int i = 0; i < *n; i++) lanes[i] = &v[i].l;
    if (*n == 1 || !lanes_alike(v->runs->session, lanes, *n)) {
        *n = 1;
        return variant_run_alone(v, err);
    }
    SONDE_TRY(run_together(v, *n, lanes, keep, err));
    for (int i = 0; i < *n; i++) {
        SONDE_TRY(variant_done(&v[i], err));
        for (const held_slope *x = v[i].slopes; x; x = x->next) SONDE_TRY(answer_site(&v[i], v[i].grad, &x->seen, err));
    }
    return SONDE_OK;
}
