/* Which variants run together, and what is kept for them. */
#include "crowd.h"
#include "experts.h"
#include <stdlib.h>

/* Shares of the memory: what lenders keep, what a group's rows take. */
enum { LENT_SHARE = 2, GROUP_SHARE = 4 };

double variant_row_floats(const arch_config *c) {
    const int64_t turned = c->rope.dims ? (c->heads + c->kv_heads) * c->e : 0;
    const int64_t dense = arch_dense_layers(c) ? (arch_has(c, W_GATE) ? 4 : 2) * c->f : 0;
    const int64_t sparse = c->experts ? experts_floats(c) : 0;
    return (double)(8 * c->d + (dense > sparse ? dense : sparse) + 4 * c->heads * c->e + turned);
}

static int by_departure(const void *x, const void *y) {
    const planned *a = x, *b = y;
    if (a->base != b->base) return a->base < b->base ? -1 : 1;
    if (a->way.slot != b->way.slot) return a->way.slot < b->way.slot ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

/* Those that start together run together. */
static int by_slot(const void *x, const void *y) {
    const planned *a = x, *b = y;
    if (a->way.slot != b->way.slot) return a->way.slot < b->way.slot ? -1 : 1;
    return by_departure(x, y);
}

static sonde_status plan_one(crowd *c, size_t i, const slots *plain, sonde_error *err) {
    variant_run        v = { .out = &c->out };
    const sonde_status s = variant_plan(&v, c->r, i, plain, err);
    const departure    whole = { FRONT, 0, v.way.goal };
    if (s == SONDE_OK)
        c->plan[i] = (planned){ i, v.of.base, v.way, departure_work(&whole, &v.l), departure_work(&v.way, &v.l) };
    arena_free(v.memory);
    return s;
}

sonde_status crowd_open(crowd *c, batch_runs *r, sonde_error *err) {
    const sonde_batch *b = r->batch;
    const slots        plain = plain_slots(r->memory, &r->session->model->config);
    *c = (crowd){ .r = r, .memory = arena_new() };
    c->plan = arena_new_array(c->memory, planned, b->n_variants + 1);
    c->of = arena_new_array(c->memory, lender, b->n_bases + 1);
    c->out.metric = arena_new_array(c->memory, double, b->n_variants * b->n_wants + 1);
    c->out.done = arena_new_array(c->memory, bool, b->n_variants + 1);
    for (size_t i = 0; i < b->n_variants; i++) SONDE_TRY(plan_one(c, i, &plain, err));
    for (size_t i = 0; i < b->n_wants; i++) c->ordered |= b->wants[i].kind == SONDE_WANT_LOGITS;
    if (!c->ordered) qsort(c->plan, b->n_variants, sizeof *c->plan, by_departure);
    return SONDE_OK;
}

void crowd_close(crowd *c) { arena_free(c->memory); }

static int64_t share(const crowd *c, int of) { return c->r->session->budget / (int64_t)sizeof(float) / of; }

int64_t crowd_most_rows(const crowd *c, int64_t rows) {
    const int64_t most = (int64_t)((double)share(c, GROUP_SHARE) / variant_row_floats(&c->r->session->model->config));
    return most < rows ? most : rows;
}

int64_t crowd_kept_rows(const sonde_session *s) {
    const arch_config *c = &s->model->config;
    const double       each = (double)c->layers * (variant_row_floats(c) + (double)(c->d + 2 * c->kv_heads * c->e));
    const int64_t      most = (int64_t)((double)(s->budget / (int64_t)sizeof(float) / GROUP_SHARE) / each);
    return most < KEPT_ROWS ? most : KEPT_ROWS;
}

static wave_base *base_in(wave *w, int base) {
    for (size_t i = w->n_bases; i-- > 0;)
        if (w->base[i].base == base) return &w->base[i];
    return NULL;
}

/* What of each base is kept: all, less, or nothing where that is no gain. */
static void share_memory(const crowd *c, wave *w) {
    const arch_config *a = &c->r->session->model->config;
    const int64_t      each = share(c, LENT_SHARE) / (int64_t)w->n_bases;
    for (size_t i = 0; i < w->n_bases; i++) {
        wave_base        *b = &w->base[i];
        const int64_t     length = c->r->batch->bases[b->base].n;
        const lender_size need = lender_needs(a, length);
        b->floats = b->whole - b->own > length * a->layers && each >= need.least ? (need.all < each ? need.all : each) : 0;
    }
}

wave crowd_wave(const crowd *c, size_t from, int64_t rows) {
    const sonde_batch *b = c->r->batch;
    wave    w = { from, from, arena_new_array(c->wave, wave_base, b->n_bases + 1), 0 };
    int64_t have = 0, lent = 0;
    for (; w.until < b->n_variants; w.until++) {
        const planned *p = &c->plan[w.until];
        wave_base     *of = base_in(&w, p->base);
        if (!of) {
            const int64_t need = lender_needs(&c->r->session->model->config, b->bases[p->base].n).all;
            if (w.n_bases && (have >= rows || lent + need > share(c, LENT_SHARE))) break;
            lent += need;
            of = &w.base[w.n_bases++];
            *of = (wave_base){ .base = p->base };
        }
        of->whole += p->whole;
        of->own += p->own;
        have += p->way.goal - p->way.first;
    }
    share_memory(c, &w);
    if (!c->ordered) qsort(c->plan + from, w.until - from, sizeof *c->plan, by_slot);
    return w;
}
