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

const norm_row norm_rows[NORM_COUNT] = {
#define NORM(place, weight, scale, normalized, out) [NORM_##place] = { weight, scale, normalized, out },
#include "norms.def"
#undef NORM
};

static bool in_block(const arch_config *c, norm_place n) {
    for (const part_spec *p = c->block.part; p < c->block.part + 3 && p->kind; p++)
        if (p->before == n || p->after == n || p->after_sum == n) return true;
    return false;
}

bool norm_exists(const arch_config *c, norm_place n) {
    if (n == NO_NORM) return false;
    if (n == NORM_EMBED) return arch_has(c, W_LNE);
    if (n == NORM_FINAL) return c->final_norm;
    if (n == NORM_MLM) return c->head & HEAD_MLM;
    return in_block(c, n);
}

static norm_place norm_of(site_id s) {
    for (int n = NO_NORM + 1; n < NORM_COUNT; n++)
        if (norm_rows[n].scale == s || norm_rows[n].normalized == s || norm_rows[n].out == s) return (norm_place)n;
    return NO_NORM;
}

/* Is the stream normalised behind its sums? */
static bool post_norm(const arch_config *c) { return c->block.part[0].after_sum != NO_NORM; }

static bool has_part(const arch_config *c, site_part of) {
    switch (of) {
    case SITE_OF_ATTN:  return arch_part(c, PART_SELF) != NULL;
    case SITE_OF_CROSS: return arch_part(c, PART_CROSS) != NULL;
    case SITE_OF_MLP:   return arch_part(c, PART_MLP) != NULL;
    case SITE_OF_ANY:   break;
    }
    return true;
}

bool site_exists(const arch_config *c, site_id s) {
    const bool lm = c->head & (HEAD_LM | HEAD_MLM);
    if (s == SITE_LNE_OUT) return norm_exists(c, NORM_EMBED) && !post_norm(c);
    const norm_place norm = norm_of(s);
    if (norm) return norm_exists(c, norm);
    if (!has_part(c, site_rows[s].part)) return false;
    switch (s) {
    case SITE_POS_EMBED:  return arch_has(c, W_POS);
    case SITE_TYPE_EMBED: return arch_has(c, W_TYPE);
    case SITE_FULL_EMBED: return norm_exists(c, NORM_EMBED) && post_norm(c);
    case SITE_ROT_Q: case SITE_ROT_K: return c->rope.dims > 0;
    case SITE_Q_NORM: case SITE_K_NORM: return c->qk_norm != QK_NONE;
    case SITE_REL_POS:    return c->buckets > 0;
    case SITE_MLP_PRE: case SITE_MLP_POST: return arch_dense_layers(c);
    case SITE_MLP_PRE_LINEAR: return arch_dense_layers(c) && arch_has(c, W_GATE);
    case SITE_EXPERT_WEIGHTS: case SITE_EXPERT_INDICES: return c->experts > 0;
    case SITE_RESID_MID_CROSS: return arch_part(c, PART_CROSS) != NULL;
    case SITE_RESID_MID:  return !c->block.parallel && arch_part(c, PART_SELF) && arch_part(c, PART_MLP);
    case SITE_RESID_NORM: return post_norm(c);
    case SITE_UNEMBED_IN: case SITE_UNEMBED_OUT: return lm;
    case SITE_LOGITS:     return lm && arch_changes_logits(c);
    case SITE_POOLER_OUT: return c->head & HEAD_POOLER;
    case SITE_CLASS_IN: case SITE_CLASS_OUT: return c->head & HEAD_CLASS;
    case SITE_QA_OUT:     return c->head & HEAD_QA;
    case SITE_NSP_OUT:    return c->head & HEAD_NSP;
    default: return true;
    }
}

/* Sites that only some layers have: experts, and what stands in their place. */
static bool in_layer(const arch_config *c, site_id s, int64_t layer) {
    switch (s) {
    case SITE_MLP_PRE: case SITE_MLP_PRE_LINEAR: case SITE_MLP_POST: return !arch_sparse(c, layer);
    case SITE_EXPERT_WEIGHTS: case SITE_EXPERT_INDICES: return arch_sparse(c, layer);
    case SITE_REL_POS: return layer == 0;
    default: return true;
    }
}

bool site_has_gradient(site_id s) { return s != SITE_EXPERT_INDICES; }

slots slots_join(arena *a, const arch_config *c, slot_list encoder, slot_list main) {
    if (!c->encoder) return (slots){ .at = main.at, .n = main.n };
    slots s = { .at = arena_new_array(a, slot, (size_t)encoder.n + (size_t)main.n + 2), .source = encoder.n + 1 };
    for (int i = 0; i < encoder.n; i++) s.at[s.n++] = encoder.at[i];
    s.at[s.n++] = (slot){ .stack = STACK_ENCODER, .kind = SLOT_END };
    s.at[s.n++] = (slot){ .kind = SLOT_START };
    for (int i = 0; i < main.n; i++) s.at[s.n++] = main.at[i];
    return s;
}

static slot_list all_blocks(arena *a, const arch_config *c) {
    slot_list l = { arena_new_array(a, slot, (size_t)c->layers), (int)c->layers };
    for (int i = 0; i < l.n; i++) l.at[i] = (slot){ .block = i, .stack = c->stack };
    return l;
}

slots plain_slots(arena *a, const arch_config *c) {
    const slot_list encoder = c->encoder ? all_blocks(a, c->encoder) : (slot_list){ 0 };
    return slots_join(a, c, encoder, all_blocks(a, c));
}

static bool in_list(const slots *s, int at) { return at >= 0 && at < s->n; }

stack_id slot_stack(const slots *s, int at) {
    if (in_list(s, at)) return s->at[at].stack;
    return at == FRONT && s->source ? STACK_ENCODER : STACK_MAIN;
}

const arch_config *slot_config(const arch_config *c, const slots *s, int at) { return stack_config(c, slot_stack(s, at)); }

site_where slot_where(const slots *s, int at) {
    if (in_list(s, at) && s->at[at].kind == SLOT_BLOCK) return AT_BLOCK;
    return at == FRONT || (in_list(s, at) && s->at[at].kind == SLOT_START) ? AT_FRONT : AT_BACK;
}

const char *slot_word(const slots *s, int at) {
    return !s->source ? "blocks" : slot_stack(s, at) == STACK_ENCODER ? "encoder" : "decoder";
}

int slot_of_bias(const slots *s, stack_id of) {
    for (int i = 0; i < s->n; i++) {
        const slot *at = &s->at[i];
        if (at->stack == of && at->kind == SLOT_BLOCK && at->block == 0 && at->turn == 0) return at->no_attn ? FRONT : i;
    }
    return FRONT;
}

/* Final norms of two stacks are told apart by their names, tables by the word in front of them. */
const char *place_tail(const slots *s, place p) {
    static const struct { site_id site; const char *name[2]; } two[] = {
        { SITE_LNF_SCALE, { "decoder_final_ln.hook_scale", "encoder_final_ln.hook_scale" } },
        { SITE_LNF_NORM,  { "decoder_final_ln.hook_normalized", "encoder_final_ln.hook_normalized" } },
        { SITE_LNF_OUT,   { "decoder_final_ln.hook_out", "encoder_final_ln.hook_out" } },
    };
    for (size_t i = 0; s->source && i < sizeof two / sizeof *two; i++)
        if (two[i].site == p.site) return two[i].name[slot_stack(s, p.slot)];
    return site_rows[p.site].name;
}

const char *place_name(arena *a, const slots *s, place p) {
    const char *tail = place_tail(s, p);
    const slot *at = in_list(s, p.slot) ? &s->at[p.slot] : NULL;
    if (!at || at->kind == SLOT_END) return tail;
    if (at->kind == SLOT_START) return arena_printf(a, "%s.%s", slot_word(s, p.slot), tail);
    if (at->turn == 0) return arena_printf(a, "%s.%d.%s", slot_word(s, p.slot), at->block, tail);
    return arena_printf(a, "%s.%dr%d.%s", slot_word(s, p.slot), at->block, at->turn, tail);
}

/* The part whose norm a site belongs to, else the site's own. */
static site_part part_of(const arch_config *c, site_id s) {
    static const site_part of[] = { [PART_NONE] = SITE_OF_ANY, [PART_SELF] = SITE_OF_ATTN, [PART_CROSS] = SITE_OF_CROSS,
                                    [PART_MLP] = SITE_OF_MLP };
    const norm_place n = norm_of(s);
    for (const part_spec *p = c->block.part; n && p < c->block.part + 3 && p->kind; p++)
        if (p->before == n || p->after == n || p->after_sum == n) return of[p->kind];
    return site_rows[s].part;
}

static bool in_slot(const arch_config *c, const slot *at, site_id s) {
    const site_part part = part_of(c, s);
    if ((at->no_attn && part == SITE_OF_ATTN) || (at->no_cross && part == SITE_OF_CROSS)) return false;
    if (s == SITE_REL_POS && at->turn) return false;        /* it is made once, whatever runs it again */
    return !(at->no_mlp && part == SITE_OF_MLP) && in_layer(c, s, at->block);
}

/* The list has norms where most families reach them: norms behind a sum come behind it, that of a cross-attention in front. */
static int run_rank(const arch_config *c, site_id s) {
    const norm_place n = norm_of(s);
    for (const part_spec *p = c->block.part; n && p < c->block.part + 3 && p->kind; p++) {
        if (p->before == n && p->kind == PART_CROSS) return 2 * SITE_CROSS_Q - 1;
        if (p->after_sum != n) continue;
        const bool before_mlp = p + 1 < c->block.part + 3 && p[1].kind == PART_MLP;
        return 2 * (p->kind == PART_MLP ? SITE_RESID_POST : before_mlp ? SITE_MLP_IN : SITE_RESID_MID) + 1;
    }
    return 2 * (int)s;
}

static void in_run_order(const arch_config *c, place *all, size_t n) {
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k && run_rank(c, all[k].site) < run_rank(c, all[k - 1].site); k--) {
            const place other = all[k];
            all[k] = all[k - 1];
            all[k - 1] = other;
        }
}

static size_t add_places(const arch_config *c, const slots *s, int at, place *out) {
    const site_where where = slot_where(s, at);
    size_t n = 0;
    c = slot_config(c, s, at);
    for (int i = 0; i < SITE_COUNT; i++) {
        const site_id id = (site_id)i;
        if (site_rows[id].where != where || !site_exists(c, id)) continue;
        if (where == AT_BLOCK && !in_slot(c, &s->at[at], id)) continue;
        out[n++] = (place){ at, id };
    }
    if (where == AT_BLOCK) in_run_order(c, out, n);
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

int64_t axis_length(const arch_config *c, site_id s, char axis, int64_t n) {
    switch (axis) {
    case 't': case 's': return n;
    case 'h': return c->heads;
    case 'g': return c->kv_heads;
    case 'e': return c->e;
    case 'd': return s == SITE_UNEMBED_IN ? c->width : c->d;
    case 'f': return c->f;
    case 'v': return c->vocab;
    case 'x': return c->experts;
    case 'k': return c->chosen;
    case 'c': return c->labels;
    case '2': return 2;
    default:  assert(axis == '1'); return 1;
    }
}

bool site_pooled(site_id s) { return site_rows[s].where == AT_BACK && site_rows[s].axes[0] != 't'; }

sight place_sight(const arch_config *c, const slots *s, place p) {
    const arch_config *of = slot_config(c, s, p.slot);
    if (site_rows[p.site].part == SITE_OF_CROSS || p.site == SITE_REL_POS) return (sight){ .every = true };
    return (sight){ 0, layer_in(of->local, s->at[p.slot].block) ? of->window : 0, of->bidirectional };
}

stack_id axis_stack(const slots *s, place p, char letter) {
    return letter == 's' && site_rows[p.site].part == SITE_OF_CROSS ? STACK_ENCODER : slot_stack(s, p.slot);
}

int place_dims(const arch_config *c, const slots *s, place p, run_length n, int64_t dim[4]) {
    int rank = 0;
    for (const char *axis = site_rows[p.site].axes; *axis; axis++)
        if (*axis != ' ')
            dim[rank++] = axis_length(slot_config(c, s, p.slot), p.site, *axis, n.of[axis_stack(s, p, *axis)]);
    return rank;
}
