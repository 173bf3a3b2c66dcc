/* The public lists of sites. */
#include "edit_data.h"
#include "model_data.h"
#include "sonde/site.h"

typedef struct {
    const sonde_model *m;
    slots              slots;
    int64_t            n;
    sonde_site_fn      fn;
    void              *user;
    sonde_error       *err;
} listing;

static sonde_status tell(arena *a, const listing *l, const place *at, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const site_row *row = &site_rows[at[i].site];
        sonde_site s = { .name = place_name(a, &l->slots, at[i]), .axes = row->axes, .doc = row->doc,
                         .on_request = row->on_request, .block = -1 };
        if (row->where == AT_BLOCK) s.block = l->slots.at[at[i].slot].block;
        s.rank = site_dims(&l->m->config, at[i].site, l->n, s.dim);
        SONDE_TRY(l->fn(&s, l->user, l->err));
    }
    return SONDE_OK;
}

/* NULL: every place there is. */
static sonde_status list(arena *a, listing *l, const char *pattern, const sonde_edit *const *edits, size_t n_edits) {
    SONDE_TRY(plan_slots(a, &l->m->config, edits, n_edits, &l->slots, l->err));
    place *at;
    size_t n = 0;
    if (pattern) SONDE_TRY(places_select(a, &l->m->config, &l->slots, pattern, false, &at, &n, l->err));
    else n = places_all(a, &l->m->config, &l->slots, &at);
    return tell(a, l, at, n);
}

sonde_status sonde_sites(const sonde_model *m, const char *pattern, const sonde_edit *const *edits, size_t n_edits,
                         int64_t n, sonde_site_fn fn, void *user, sonde_error *err) {
    listing l = { .m = m, .n = n, .fn = fn, .user = user, .err = err };
    arena *a = arena_new();
    const sonde_status s = list(a, &l, pattern ? pattern : "**", edits, n_edits);
    arena_free(a);
    return s;
}

sonde_status sonde_sites_all(const sonde_model *m, const sonde_edit *const *edits, size_t n_edits, int64_t n,
                             sonde_site_fn fn, void *user, sonde_error *err) {
    listing l = { .m = m, .n = n, .fn = fn, .user = user, .err = err };
    arena *a = arena_new();
    const sonde_status s = list(a, &l, NULL, edits, n_edits);
    arena_free(a);
    return s;
}
