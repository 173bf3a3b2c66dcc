#include "graph_told.h"
#include "tensor/act_table.h"
#include <string.h>

static void put(told_constants *room, const char *name, double value) {
    room->at[room->n++] = (sonde_constant){ .name = name, .value = value };
}

static void put_list(told_constants *room, const char *name, const float *list, int64_t n) {
    room->at[room->n++] = (sonde_constant){ .name = name, .list = list, .n = (size_t)n };
}

static void put_constants(told_where w, const step *s, told_constants *room) {
    const arch_config *c = w.config;
    const rope        *r;
    float             *speeds;
    switch ((enum op_id)s->op) {
    case OP_layer_scale:
    case OP_rms_scale:
        put(room, "eps", c->norm_eps);
        break;
    case OP_rotate:
        r = arch_rope(c, w.block);
        speeds = arena_new_array(w.memory, float, (size_t)r->dims / 2);
        rope_speeds(r, w.n, speeds);
        put(room, "base", r->base);
        put(room, "pairs", r->pairs);
        put(room, "factor", r->attention);
        put_list(room, "frequency", speeds, r->dims / 2);
        break;
    case OP_lookup:
        if (s->w == W_POS && c->pos_offset) put(room, "offset", (double)c->pos_offset);
        if (s->w == W_POS && c->pads_stay) put(room, "padding", (double)(c->pos_offset - 1));
        break;
    case OP_times:
        put(room, "factor", s->factor);
        break;
    case OP_clamp:
    case OP_soft_cap:
        put(room, "limit", s->factor);
        break;
    default: break;
    }
}

/* A formula without the bias that a model does not have. */
static const char *without_bias(arena *memory, const char *formula) {
    static const char bias[] = " + bias";
    const char *at = formula ? strstr(formula, bias) : NULL;
    return at ? arena_printf(memory, "%.*s%s", (int)(at - formula), formula, at + sizeof bias - 1) : formula;
}

static void lend(const told_constants *room, sonde_operation *row) {
    row->constant = room->at;
    row->n_constants = room->n;
}

static const char *kind_of_rows(told_where w, weight_id table) {
    if (table == W_TYPE) return "token types";
    if (table == W_POS) return w.target ? "target positions" : "positions";
    return w.target ? "target tokens" : "tokens";
}

void tell_step(told_where w, const step *s, told_constants *room, sonde_operation *row) {
    room->n = 0;
    row->formula = op_table[s->op]->doc;
    if (s->op == OP_activation) {
        row->kind = act_table[s->act].name;
        row->formula = act_table[s->act].formula;
    }
    if (s->op == OP_lookup) row->kind = kind_of_rows(w, s->w);
    if (!row->bias) row->formula = without_bias(w.memory, row->formula);
    put_constants(w, s, room);
    lend(room, row);
}

/* Without the mask, where every row sees every key. */
static const char *formula_of_scores(told_where w, const sonde_operation *row) {
    const char *whole = op_table[OP_scores]->doc;
    const bool  biased = row->n_in > 2 || w.config->alibi;
    const char *formula = biased ? whole : without_bias(w.memory, whole);
    const char *mask = strstr(formula, ", -inf");
    return w.seen.every && mask ? arena_printf(w.memory, "%.*s", (int)(mask - formula), formula) : formula;
}

void tell_relative_bias(told_where w, told_constants *room, sonde_operation *row) {
    room->n = 0;
    row->formula = "r[h,t,s] = table[bucket(s - t),h]: of the n buckets of a direction half are one distance each, the "
                   "others grow with its logarithm, up to most";
    put(room, "both", w.config->bidirectional);
    put(room, "buckets", (double)w.config->buckets);
    put(room, "most", (double)w.config->max_distance);
    lend(room, row);
}

void tell_attention_part(told_where w, enum op_id id, told_constants *room, sonde_operation *row) {
    room->n = 0;
    row->formula = id == OP_scores ? formula_of_scores(w, row) : op_table[id]->doc;
    if (id == OP_scores) {
        put(room, "scale", arch_score_scale(w.config, w.block));
        put(room, "causal", !w.seen.every);
        if (w.seen.window) put(room, "window", (double)w.seen.window);
        if (w.config->alibi) put(room, w.config->alibi == ALIBI_ADDED ? "alibi" : "alibi_scaled", 1);
    }
    if (id == OP_soft_cap) put(room, "limit", w.config->score_cap);
    lend(room, row);
}

void tell_mixture(told_where w, told_constants *room, sonde_operation *row) {
    room->n = 0;
    row->kind = act_table[w.config->act].name;
    row->formula = w.config->clamped_glu
        ? "y = sum over the chosen of p (a sigmoid(1.702 a) (c + 1)) W_out + b, a = min(x W_gate + b, limit), "
          "c = x W_in + b within +- limit"
        : "y = sum over the chosen of p (f(x W_gate) (x W_in)) W_out";
    put(room, "renormalise", w.config->renormalise);
    if (w.config->clamped_glu) put(room, "limit", w.config->glu_limit);
    lend(room, row);
}
