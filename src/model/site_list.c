/* The public lists of sites. */
#include "edit_data.h"
#include "model_data.h"
#include "site_names.h"
#include "sonde/site.h"
#include "sonde/variants.h"
#include <stdio.h>
#include <string.h>

typedef struct {
    const sonde_model *m;
    slots              slots;
    run_length         n;
    sonde_site_fn      fn;
    void              *user;
    sonde_error       *err;
} listing;

static sonde_status tell(arena *a, const listing *l, const place *at, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const site_row *row = &site_rows[at[i].site];
        sonde_site s = { .name = place_name(a, &l->slots, at[i]), .axes = row->axes, .doc = row->doc,
                         .on_request = row->on_request, .no_gradient = !site_has_gradient(at[i].site), .block = -1 };
        const slot *in = slot_where(&l->slots, at[i].slot) == AT_BLOCK ? &l->slots.at[at[i].slot] : NULL;
        const char rows = row->axes[0] == 's' ? 's' : 't';
        s.of_target = l->m->config.encoder && axis_stack(&l->slots, at[i], rows) == STACK_MAIN;
        if (in) s.block = in->block;
        if (!in || !in->turn) s.graph_name = site_graph_name(a, &l->m->config, row->name, s.block);
        s.rank = place_dims(&l->m->config, &l->slots, at[i], l->n, s.dim);
        SONDE_TRY(l->fn(&s, l->user, l->err));
    }
    return SONDE_OK;
}

/* NULL: every place there is. */
static sonde_status list(arena *a, listing *l, const char *pattern, const sonde_edit *const *edits, size_t n_edits) {
    SONDE_TRY(plan_slots(a, &l->m->config, edits, n_edits, &l->slots, l->err));
    place_list chosen;
    if (pattern) SONDE_TRY(places_select(a, (place_scope){ &l->m->config, &l->slots, false }, pattern, &chosen, l->err));
    else chosen.n = places_all(a, &l->m->config, &l->slots, &chosen.at);
    return tell(a, l, chosen.at, chosen.n);
}

/* Every row, whoever has it. */
static sonde_status list_rows(sonde_site_fn fn, void *user, sonde_error *err) {
    for (int i = 0; i < SITE_COUNT; i++) {
        const site_row *row = &site_rows[i];
        char name[64];
        snprintf(name, sizeof name, "%s%s", row->where == AT_BLOCK ? "blocks.0." : "", row->name);
        const sonde_site s = { .name = name, .axes = row->axes, .doc = row->doc, .on_request = row->on_request,
                               .no_gradient = !site_has_gradient((site_id)i), .block = row->where == AT_BLOCK ? 0 : -1, .rank = (int)(strlen(row->axes) + 1) / 2 };
        SONDE_TRY(fn(&s, user, err));
    }
    return SONDE_OK;
}

sonde_status sonde_sites(const sonde_model *m, const sonde_site_query *q, sonde_site_fn fn, void *user, sonde_error *err) {
    if (!m) return list_rows(fn, user, err);
    listing l = { .m = m, .n = { { [STACK_MAIN] = m->config.encoder ? (q->n_target ? q->n_target : 1) : q->n, [STACK_ENCODER] = q->n } }, .fn = fn, .user = user, .err = err };
    arena *a = arena_new();
    const sonde_status s = list(a, &l, q->pattern, q->edits, q->n_edits);
    arena_free(a);
    return s;
}

int sonde_axes_rows(const char *axes) {
    const char *t = strchr(axes, 't');
    if (t) return (int)(t - axes) / 2;
    return axes[0] == 's' ? 0 : -1;
}
