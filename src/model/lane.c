/* What happens at a mark: the edits of that place, in order; then whoever watches it sees the value. */
#include "lane.h"
#include <string.h>

uint8_t *lane_flags(const lane *l, int at) {
    const int line = at == FRONT ? 0 : at == BACK ? l->plan.run.n + 1 : at + 1;
    return l->plan.flags + (size_t)line * SITE_COUNT;
}

void lane_looks_at(lane *l, place at) {
    if (at.slot != BACK) return;
    l->pooled |= site_pooled(at.site);
    l->every_row |= !site_pooled(at.site);
    l->every_answer |= at.site == SITE_UNEMBED_OUT || at.site == SITE_LOGITS;
}

program_key lane_key(const lane *l, int at, bool backward) {
    const site_where where = slot_where(&l->plan.run, at);
    const stack_id   stack = slot_stack(&l->plan.run, at);
    if (where != AT_BLOCK) return (program_key){ .stage = where == AT_FRONT ? STAGE_FRONT : STAGE_BACK, .stack = stack };
    const uint8_t *f = lane_flags(l, at);
    const uint8_t  any = (uint8_t)(FLAG_EDIT | FLAG_TAP | FLAG_KEEP | (backward ? FLAG_GRAD : 0));
    /* Behind a parallel attention the MLP's own copy of the stream sums its norm's gradients first: always, or never. */
    const bool     apart = backward && slot_config(l->plan.config, &l->plan.run, at)->block.parallel;
    return (program_key){
        .stage = STAGE_BLOCK, .stack = stack,
        .sparse = arch_sparse(slot_config(l->plan.config, &l->plan.run, at), l->plan.run.at[at].block),
        .no_attn = l->plan.run.at[at].no_attn, .no_cross = l->plan.run.at[at].no_cross, .no_mlp = l->plan.run.at[at].no_mlp,
        .split_q = f[SITE_Q_INPUT] & any, .split_k = f[SITE_K_INPUT] & any, .split_v = f[SITE_V_INPUT] & any,
        .mlp_in = apart || (f[SITE_MLP_IN] & any), .result = f[SITE_RESULT] & any, .cross_result = f[SITE_CROSS_RESULT] & any };
}

int lane_bias_slot(const lane *l) { return slot_of_bias(&l->plan.run, l->stack); }

/* The same name gives the same key on every run: noise depends on the place, not on when it is reached. */
static uint64_t place_key(const segment *g, site_id site) {
    const slots *run = &g->l->plan.run;
    const bool   in_block = g->slot >= 0 && g->slot < run->n;
    uint64_t     h = 14695981039346656037u;
    for (const char *p = site_rows[site].name; *p; p++) h = (h ^ (uint8_t)*p) * 1099511628211u;
    if (run->source) h = (h ^ (uint64_t)slot_stack(run, g->slot)) * 1099511628211u;
    h = (h ^ (uint64_t)(in_block ? run->at[g->slot].block + 1 : 0)) * 1099511628211u;
    return (h ^ (uint64_t)(in_block ? run->at[g->slot].turn : 0)) * 1099511628211u;
}

static mark_view view_of(const segment *g, site_id site, float *data, int64_t keys) {
    const bound *b = &g->l->plan;
    const char  *axes = site_rows[site].axes;
    mark_view    v = { .data = data, .rank = (int)(strlen(axes) + 1) / 2, .t_axis = sonde_axes_rows(axes),
                       .first = g->first, .masked = axes[strlen(axes) - 1] == 's', .key = place_key(g, site) };
    if (v.masked) v.sight = place_sight(b->config, &b->run, (place){ g->slot, site });
    for (int i = 0; i < v.rank; i++) {
        const char letter = axis_letter(axes, i);
        v.dim[i] = i == v.t_axis ? g->n : letter == 's' ? keys
                                        : axis_length(slot_config(b->config, &b->run, g->slot), site, letter, 0);
    }
    return v;
}

static sonde_status show(const segment *g, site_id site, const mark_view *v, uint8_t flag, sonde_error *err) {
    const uint8_t  flags = lane_flags(g->l, g->slot)[site];
    const sighting s = { .at = { g->slot, site }, .first = g->first, .grad = flag == FLAG_GRAD,
                         .view = { .axes = site_rows[site].axes, .rank = v->rank, .data = v->data,
                                   .dim = { v->dim[0], v->dim[1], v->dim[2] } } };
    if (!(flags & flag)) return SONDE_OK;
    const watcher *w = flag == FLAG_KEEP ? &g->l->keep : &g->l->tap;
    return w->fn(w->user, &s, err);
}

sonde_status lane_mark(const segment *g, site_id site, float *data, int64_t keys, bool quiet, sonde_error *err) {
    const bound    *b = &g->l->plan;
    const mark_view v = view_of(g, site, data, keys);
    if (lane_flags(g->l, g->slot)[site] & FLAG_EDIT)
        for (size_t i = 0; i < b->n_edits; i++)
            if (b->edit[i].at.slot == g->slot && b->edit[i].at.site == site) edit_apply(b, &b->edit[i], &v);
    if (quiet) return SONDE_OK;
    SONDE_TRY(show(g, site, &v, FLAG_KEEP, err));
    return show(g, site, &v, FLAG_TAP, err);
}

sonde_status lane_mark_back(const segment *g, site_id site, float *grad, int64_t keys, sonde_error *err) {
    const bound    *b = &g->l->plan;
    const mark_view v = view_of(g, site, grad, keys);
    SONDE_TRY(show(g, site, &v, FLAG_GRAD, err));
    for (size_t i = b->n_edits; i-- > 0;)
        if (b->edit[i].at.slot == g->slot && b->edit[i].at.site == site) edit_back(b, &b->edit[i], &v);
    return SONDE_OK;
}
