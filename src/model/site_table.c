/* The rows of sites.def, which of them an architecture has, and the places of a run. */
#include "site_table.h"
#include <assert.h>
#include <stdio.h>

const site_row site_rows[SITE_COUNT] = {
#define SITE(id, name, where, axes, on_request, part, doc) \
    [SITE_##id] = { name, where, axes, on_request, part, doc },
#include "sites.def"
#undef SITE
};

static const part_spec *part_of(const arch *a, part_kind kind) {
    for (int i = 0; i < 3; i++)
        if (a->part[i].kind == kind) return &a->part[i];
    return NULL;
}

static bool has_norm(const part_spec *p) { return p && p->before != W_NONE; }

bool site_exists(const arch_config *c, site_id s) {
    const part_spec *attn = part_of(c->arch, PART_SELF), *mlp = part_of(c->arch, PART_MLP);
    if (site_rows[s].part == SITE_OF_ATTN && !attn) return false;
    if (site_rows[s].part == SITE_OF_MLP && !mlp) return false;
    switch (s) {
    case SITE_POS_EMBED: return arch_has(c, W_POS);
    case SITE_ROT_Q: case SITE_ROT_K: return c->rope.dims > 0;
    case SITE_MLP_PRE_LINEAR: return arch_has(c, W_GATE);
    case SITE_RESID_MID: return attn && mlp;
    case SITE_LN1_SCALE: case SITE_LN1_NORM: case SITE_LN1_OUT: return has_norm(attn);
    case SITE_LN2_SCALE: case SITE_LN2_NORM: case SITE_LN2_OUT: return has_norm(mlp);
    case SITE_LNF_SCALE: case SITE_LNF_NORM: case SITE_LNF_OUT: return arch_has(c, W_LNF);
    default: return true;
    }
}

const char *place_name(arena *a, const slots *s, place p) {
    const site_row *row = &site_rows[p.site];
    if (row->where != AT_BLOCK) return row->name;
    const slot *at = &s->at[p.slot];
    if (at->turn == 0) return arena_printf(a, "blocks.%d.%s", at->block, row->name);
    return arena_printf(a, "blocks.%dr%d.%s", at->block, at->turn, row->name);
}

static bool in_slot(const slot *at, site_id s) {
    if (at->no_attn && site_rows[s].part == SITE_OF_ATTN) return false;
    return !(at->no_mlp && site_rows[s].part == SITE_OF_MLP);
}

static size_t add_places(const arch_config *c, const slots *s, int at, place *out) {
    const site_where where = at == FRONT ? AT_FRONT : at == BACK ? AT_BACK : AT_BLOCK;
    size_t n = 0;
    for (int i = 0; i < SITE_COUNT; i++) {
        const site_id id = (site_id)i;
        if (site_rows[id].where != where || !site_exists(c, id)) continue;
        if (where == AT_BLOCK && !in_slot(&s->at[at], id)) continue;
        out[n++] = (place){ at, id };
    }
    return n;
}

size_t places_all(arena *a, const arch_config *c, const slots *s, place **out) {
    place *all = arena_new_array(a, place, ((size_t)s->n + 2) * SITE_COUNT);
    size_t n = add_places(c, s, FRONT, all);
    for (int i = 0; i < s->n; i++) n += add_places(c, s, i, all + n);
    n += add_places(c, s, BACK, all + n);
    *out = all;
    return n;
}

int64_t axis_length(const arch_config *c, char axis, int64_t n) {
    switch (axis) {
    case 't': case 's': return n;
    case 'h': return c->heads;
    case 'g': return c->kv_heads;
    case 'e': return c->e;
    case 'd': return c->d;
    case 'f': return c->f;
    case 'v': return c->vocab;
    default:  assert(axis == '1'); return 1;
    }
}

int site_dims(const arch_config *c, site_id s, int64_t n, int64_t dim[4]) {
    int rank = 0;
    for (const char *axis = site_rows[s].axes; *axis; axis++)
        if (*axis != ' ') dim[rank++] = axis_length(c, *axis, n);
    return rank;
}
