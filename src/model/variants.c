/* Many edited versions of one run. Variants that are asked for a metric only share their matrix products; every other
 * one runs alone, since its answers leave as they come. */
#include "batch_data.h"
#include "experts.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_LANES = 64, GROUP_ROWS = 512 };

typedef struct {                        /* one variant on its way */
    batch_runs     *runs;
    runs_of_base    of;
    size_t          index;
    positions       reads[2];           /* by stack_id */
    arena          *memory;             /* ends with the variant */
    lane            l;
    bound_metric  **metric;             /* [n_wants], NULL where a want has none */
    place_list     *wanted;             /* [n_wants]: of SITE and GRAD */
    size_t          grad;               /* the want whose gradients are under way */
    sonde_answer_fn fn;
    void           *user;
} variant_run;

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
    const sonde_status status = v->fn(&x, v->user, err);
    arena_free(a);
    return status;
}

static sonde_status see(void *user, const sighting *s, sonde_error *err) {
    variant_run *v = user;
    if (s->grad) return answer_site(v, v->grad, s, err);
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

static sonde_status take_row(void *user, int64_t position, const float *logits, sonde_error *err) {
    variant_run *v = user;
    const int64_t n = arch_answers(&v->runs->session->model->config);
    for (size_t i = 0; i < wants(v); i++) {
        if (v->metric[i] && metric_needs(v->metric[i], position)) metric_row(v->metric[i], position, logits);
        if (!wants_logits_at(want_of(v, i), position)) continue;
        const sonde_answer x = { .variant = v->index, .want = i, .site = "unembed.hook_out", .first = position,
                                 .value = { .axes = "t v", .rank = 2, .dim = { 1, n }, .data = logits } };
        SONDE_TRY(v->fn(&x, v->user, err));
    }
    return SONDE_OK;
}

/* ---- opening ---- */

static void flag_sites(variant_run *v, size_t i, uint8_t flag, bool on) {
    for (size_t j = 0; j < v->wanted[i].n; j++) {
        const place at = v->wanted[i].at[j];
        uint8_t    *f = &lane_flags(&v->l, at.slot)[at.site];
        *f = on ? (uint8_t)(*f | flag) : (uint8_t)(*f & ~flag);
        v->l.pooled |= at.slot == BACK && site_pooled(at.site);
        v->l.every_row |= at.slot == BACK && !site_pooled(at.site);
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

static sonde_status variant_open(variant_run *v, batch_runs *r, size_t index, sonde_error *err) {
    const sonde_batch *b = r->batch;
    *v = (variant_run){ .runs = r, .of = { r, b->variants[index].base }, .index = index, .memory = arena_new(), .fn = v->fn,
                        .user = v->user };
    v->metric = arena_new_array(v->memory, bound_metric *, b->n_wants + 1);
    v->wanted = arena_new_array(v->memory, place_list, b->n_wants + 1);
    SONDE_TRY(variant_bind(v, false, err));
    const positions    *p = &v->reads[STACK_MAIN];
    const metric_prompt mp = { p->tokens, prompt_span(r->session->model, p), arch_answers(&r->session->model->config),
                               runs_for_metrics(&v->of) };
    for (size_t i = 0; i < b->n_wants; i++)
        if (b->wants[i].metric) SONDE_TRY(metric_bind(v->memory, b->wants[i].metric, &mp, &v->metric[i], err));
    v->l.tap = (watcher){ see, v };
    v->l.on_row = take_row;
    v->l.row_user = v;
    lane_stop_early(&v->l);
    return lane_open(r->session, &v->l, v->reads, err);
}

/* ---- running ---- */

static sonde_status answer_metrics(variant_run *v, sonde_error *err) {
    for (size_t i = 0; i < wants(v); i++) {
        if (want_of(v, i)->kind != SONDE_WANT_METRIC) continue;
        const float        value = (float)metric_value(v->metric[i]);
        const sonde_answer x = { .variant = v->index, .want = i, .value = { .axes = "", .rank = 0, .data = &value },
                                 .metric = metric_value(v->metric[i]) };
        SONDE_TRY(v->fn(&x, v->user, err));
    }
    return SONDE_OK;
}

static void seed_metric(void *user, int64_t position, const float *logits, float *dlogits) {
    const variant_run *v = user;
    if (metric_needs(v->metric[v->grad], position)) metric_gradient(v->metric[v->grad], position, logits, dlogits);
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

static sonde_status run_alone(variant_run *v, sonde_error *err) {
    lane *const  lanes[1] = { &v->l };
    const bool   back = wants_gradient(v->runs->batch);
    if (back) SONDE_TRY(lane_keep_inputs(v->runs->session, &v->l, err));
    SONDE_TRY(lanes_run(v->runs->session, lanes, 1, &v->l.length, back ? 0 : CHUNK_ROWS, err));
    SONDE_TRY(answer_metrics(v, err));
    return back ? run_gradients(v, err) : SONDE_OK;
}

static sonde_status run_together(variant_run *v, int n, sonde_error *err) {
    lane   *lanes[MOST_LANES] = { 0 };
    int64_t goal[MOST_LANES] = { 0 };
    for (int i = 0; i < n; i++) {
        lanes[i] = &v[i].l;
        goal[i] = v[i].l.length;
    }
    SONDE_TRY(lanes_run(v->runs->session, lanes, n, goal, CHUNK_ROWS, err));
    for (int i = 0; i < n; i++) SONDE_TRY(answer_metrics(&v[i], err));
    return SONDE_OK;
}

static bool may_share(const sonde_batch *b) {
    for (size_t i = 0; i < b->n_wants; i++)
        if (b->wants[i].kind != SONDE_WANT_METRIC) return false;
    return true;
}

/* Variants [from, from + the number returned) that run together. */
static int group_of(const sonde_batch *b, size_t from) {
    int64_t rows = 0;
    int     n = 0;
    for (; from + (size_t)n < b->n_variants && n < MOST_LANES; n++) {
        const int base = b->variants[from + (size_t)n].base;
        rows += base >= 0 && (size_t)base < b->n_bases ? b->bases[base].n + b->bases[base].n_target : 0;
        if (n && (rows > GROUP_ROWS || !may_share(b))) break;
    }
    return n;
}

static sonde_status run_group(batch_runs *r, size_t from, int n, variant_run *v, sonde_error *err) {
    const workspace_mark here = workspace_here(r->session->memory);
    sonde_status s = SONDE_OK;
    int          open = 0;
    while (open < n && s == SONDE_OK) {
        s = variant_open(&v[open], r, from + (size_t)open, err);
        open++;
    }
    if (s == SONDE_OK) s = n > 1 ? run_together(v, n, err) : run_alone(v, err);
    for (int i = 0; i < open; i++) arena_free(v[i].memory);
    workspace_release(r->session->memory, here);
    return s;
}

sonde_status sonde_variants_run(sonde_session *s, const sonde_batch *b, sonde_answer_fn fn, void *user, sonde_error *err) {
    const workspace_mark here = workspace_here(s->memory);
    batch_runs   r;
    variant_run *v = calloc(MOST_LANES, sizeof *v);
    if (!v) abort();
    for (int i = 0; i < MOST_LANES; i++) {
        v[i].fn = fn;
        v[i].user = user;
    }
    sonde_status status = batch_runs_open(&r, s, b, false, err);
    for (size_t i = 0; status == SONDE_OK && i < b->n_variants;) {
        const int n = group_of(b, i);
        status = run_group(&r, i, n, v, err);
        i += (size_t)n;
    }
    free(v);
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

/* ---- what it would cost ---- */

static double flops_of_row(const sonde_model *m, const arch_config *c, int64_t layer) {
    const double d = (double)c->d, hd = (double)(c->heads * c->e), gd = (double)(c->kv_heads * c->e);
    const double cross = arch_part(c, PART_CROSS) ? 2 * hd : 0, attention = 2 * d * (2 * hd + 2 * gd + cross);
    if (arch_sparse(c, layer)) return attention + 2 * d * (double)c->experts + experts_cost(m, layer, 1).flops;
    return attention + 2 * (arch_has(c, W_GATE) ? 3 : 2) * d * (double)c->f;
}

/* Floats that a row of a block's program holds. */
static double floats_of_row(const arch_config *c) {
    const int64_t turned = c->rope.dims ? (c->heads + c->kv_heads) * c->e : 0;
    const int64_t dense = arch_dense_layers(c) ? (arch_has(c, W_GATE) ? 4 : 2) * c->f : 0;
    const int64_t sparse = c->experts ? experts_floats(c) : 0;
    return (double)(8 * c->d + (dense > sparse ? dense : sparse) + 4 * c->heads * c->e + turned);
}

/* A pass over n rows of a stack's blocks among the first `until` slots, each of which reads n keys, and those of an encoder
 * (`heard`). */
static double flops_of_stack(const variant_run *v, stack_id of, double n, double heard) {
    const sonde_model *m = v->runs->session->model;
    const arch_config *c = stack_config(&m->config, of);
    const double hd = (double)(c->heads * c->e), gd = (double)(c->kv_heads * c->e);
    const slots *run = &v->l.plan.run;
    double       flops = 0;
    for (int at = 0; at < v->l.until && at < run->n; at++) {
        if (slot_stack(run, at) != of || slot_where(run, at) != AT_BLOCK) continue;
        flops += n * (flops_of_row(m, c, run->at[at].block) + 2 * (n + 2 * heard) * hd) + heard * 4 * (double)c->d * gd;
    }
    return flops;
}

static double bytes_of_stack(const arch_config *c, double n, int blocks, bool whole) {
    return 4 * n * ((double)(2 * (int64_t)blocks * c->kv_heads * c->e) + (double)c->d) +
           4 * (n < CHUNK_ROWS || whole ? n : CHUNK_ROWS) * floats_of_row(c);
}

static void add_cost(const variant_run *v, sonde_cost *out) {
    const arch_config *c = &v->runs->session->model->config;
    const slots *run = &v->l.plan.run;
    const bool   back = wants_gradient(v->runs->batch);
    const double n = (double)v->reads[STACK_MAIN].length, heard = (double)v->reads[STACK_ENCODER].length;
    const double logits = v->l.every_row ? n : (double)v->l.n_rows, passes = back ? 3 : 1;
    double flops = flops_of_stack(v, STACK_MAIN, n, heard) + logits * 2 * (double)c->d * (double)arch_answers(c);
    double bytes = bytes_of_stack(c, n, run->n - run->source, back);
    if (c->encoder) {
        flops += flops_of_stack(v, STACK_ENCODER, heard, 0);
        bytes += bytes_of_stack(c->encoder, heard, run->source, true) +
                 4 * heard * (double)(2 * (run->n - run->source) * c->kv_heads * c->e);
    }
    out->flops += passes * flops;
    out->rows += (int64_t)(n + heard);
    if ((int64_t)bytes > out->bytes) out->bytes = (int64_t)bytes;
}

sonde_status sonde_variants_cost(sonde_session *s, const sonde_batch *b, sonde_cost *out, sonde_error *err) {
    batch_runs   r;
    sonde_status status = batch_runs_open(&r, s, b, true, err);
    *out = (sonde_cost){ 0 };
    for (size_t i = 0; i < b->n_variants && status == SONDE_OK; i++) {
        variant_run v = { .runs = &r, .of = { &r, b->variants[i].base }, .index = i, .memory = arena_new() };
        v.wanted = arena_new_array(v.memory, place_list, b->n_wants + 1);
        status = variant_bind(&v, true, err);
        if (status == SONDE_OK) {
            lane_stop_early(&v.l);
            add_cost(&v, out);
        }
        arena_free(v.memory);
    }
    batch_runs_close(&r);
    return status;
}
