/* What a batch would cost: the rows that its variants compute in the blocks they run, and the unedited runs kept for them. */
#include "crowd.h"
#include "experts.h"
#include "run_parts.h"

static double flops_of_row(const sonde_model *m, const arch_config *c, int64_t layer) {
    const double d = (double)c->d, hd = (double)(c->heads * c->e), gd = (double)(c->kv_heads * c->e);
    const double cross = arch_part(c, PART_CROSS) ? 2 * hd : 0, attention = 2 * d * (2 * hd + 2 * gd + cross);
    if (arch_sparse(c, layer)) return attention + 2 * d * (double)c->experts + experts_cost(m, layer, 1).flops;
    return attention + 2 * (arch_has(c, W_GATE) ? 3 : 2) * d * (double)c->f;
}

/* What goes through a stack: positions [way.first, way.goal) from slot way.slot on, each of which reads the keys below it; and
 * how many an encoder's stack has. */
typedef struct { stack_id of; departure way; double heard; } passing;

/* Rows of a lane's slot that need more than keys and values. */
static double rows_through(const variant_run *v, const passing *p, int at) {
    const arch_config *c = &v->runs->session->model->config;
    const lane        *l = &v->l;
    const double       n = (double)(p->way.goal - p->way.first);
    const bool last = at + 1 == l->plan.run.n && p->of == STACK_MAIN && !c->bidirectional && !l->every_row && l->n_rows;
    return last && !run_wants_pool(l, c) && (double)l->n_rows < n ? (double)l->n_rows : n;
}

static double flops_of_stack(const variant_run *v, passing p, bool narrow) {
    const sonde_model *m = v->runs->session->model;
    const arch_config *c = stack_config(&m->config, p.of);
    const double hd = (double)(c->heads * c->e), gd = (double)(c->kv_heads * c->e), keys = (double)p.way.goal;
    const slots *run = &v->l.plan.run;
    double       flops = 0;
    for (int at = p.way.slot == FRONT ? 0 : p.way.slot; at < v->l.until && at < run->n; at++) {
        if (slot_stack(run, at) != p.of || slot_where(run, at) != AT_BLOCK) continue;
        const double n = (double)(p.way.goal - p.way.first), through = narrow ? rows_through(v, &p, at) : n;
        flops += through * (flops_of_row(m, c, run->at[at].block) + 2 * (keys + 2 * p.heard) * hd) +
                 ((n - through) + p.heard) * 4 * (double)c->d * gd;
    }
    return flops;
}

static double bytes_of_stack(const arch_config *c, double n, int blocks, bool whole) {
    return 4 * n * ((double)(2 * (int64_t)blocks * c->kv_heads * c->e) + (double)c->d) +
           4 * (n < CHUNK_ROWS || whole ? n : CHUNK_ROWS) * variant_row_floats(c);
}

static bool wants_kind(const sonde_batch *b, sonde_want_kind kind) {
    for (size_t i = 0; i < b->n_wants; i++)
        if (b->wants[i].kind == kind) return true;
    return false;
}

static void add_variant(const variant_run *v, departure way, sonde_cost *out) {
    const arch_config *c = &v->runs->session->model->config;
    const slots *run = &v->l.plan.run;
    const bool   back = wants_kind(v->runs->batch, SONDE_WANT_GRAD), looks = back || wants_kind(v->runs->batch, SONDE_WANT_SITE);
    const double n = (double)v->reads[STACK_MAIN].length, heard = (double)v->reads[STACK_ENCODER].length;
    const double logits = v->l.every_answer ? n : (double)v->l.n_rows, passes = back ? 3 : 1;
    double flops = flops_of_stack(v, (passing){ STACK_MAIN, way, heard }, !looks) + logits * 2 * (double)c->d * (double)arch_answers(c);
    double bytes = bytes_of_stack(c, n, run->n - run->source, back);
    if (c->encoder) {
        flops += flops_of_stack(v, (passing){ STACK_ENCODER, departs_at_start((int64_t)heard), 0 }, false);
        bytes += bytes_of_stack(c->encoder, heard, run->source, true) +
                 4 * heard * (double)(2 * (run->n - run->source) * c->kv_heads * c->e);
    }
    out->flops += passes * flops;
    out->rows += way.goal - way.first + (int64_t)heard;
    if ((int64_t)bytes > out->bytes) out->bytes = (int64_t)bytes;
}

/* The unedited run, whole; its variants have the blocks of a plain one in common. */
static void add_lender(const sonde_model *m, int64_t length, sonde_cost *out) {
    const arch_config *c = &m->config;
    const double       n = (double)length;
    for (int64_t i = 0; i < c->layers; i++)
        out->flops += n * (flops_of_row(m, c, i) + 2 * n * (double)(c->heads * c->e));
    out->rows += length;
}

static sonde_status add_wave(crowd *c, const wave *w, bool looks, sonde_cost *out, sonde_error *err) {
    const sonde_model *m = c->r->session->model;
    const slots        plain = plain_slots(c->wave, &m->config);
    for (size_t i = 0; i < w->n_bases && !looks; i++) {
        c->of[w->base[i].base].open = w->base[i].floats > 0;
        if (w->base[i].floats) add_lender(m, c->r->batch->bases[w->base[i].base].n, out);
    }
    for (size_t at = w->from; at < w->until; at++) {
        const planned *p = &c->plan[at];
        variant_run    v = { .out = &c->out };
        departure      way = p->way;
        const sonde_status s = variant_plan(&v, c->r, p->index, &plain, err);
        if (looks) way = departs_at_start(v.reads[STACK_MAIN].length);
        else if (!c->of[p->base].open) way = (departure){ FRONT, 0, p->way.goal };
        if (s == SONDE_OK) add_variant(&v, way, out);
        arena_free(v.memory);
        SONDE_TRY(s);
    }
    for (size_t i = 0; i < w->n_bases; i++) c->of[w->base[i].base].open = false;
    return SONDE_OK;
}

sonde_status sonde_variants_cost(sonde_session *s, const sonde_batch *b, sonde_cost *out, sonde_error *err) {
    const bool   looks = wants_kind(b, SONDE_WANT_SITE) || wants_kind(b, SONDE_WANT_GRAD);
    batch_runs   r;
    crowd        c;
    sonde_status status = batch_runs_open(&r, s, b, true, err);
    *out = (sonde_cost){ 0 };
    if (status == SONDE_OK) {
        status = crowd_open(&c, &r, err);
        for (size_t at = 0; at < b->n_variants && status == SONDE_OK;) {
            c.wave = arena_new();
            const wave w = crowd_wave(&c, at, WAVE_ROWS);
            status = add_wave(&c, &w, looks, out, err);
            at = w.until;
            arena_free(c.wave);
        }
        crowd_close(&c);
    }
    batch_runs_close(&r);
    return status;
}
