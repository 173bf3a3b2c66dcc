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
    switch ((enum op_id)s->op) {
    case OP_layer_scale:
    case OP_rms_scale:
        put(room, "eps", c->norm_eps);
        break;
    case OP_rotate:
        put(room, "base", c->rope.base);
        put(room, "pairs", c->rope.pairs);
        put_list(room, "frequency", c->rope.inverse, c->rope.dims / 2);
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

void tell_step(told_where w, const step *s, told_constants *room, sonde_operation *row) {
    room->n = 0;
    row->formula = op_table[s->op]->doc;
    if (s->op == OP_activation) {
        row->kind = act_table[w.config->act].name;
        row->formula = act_table[w.config->act].formula;
    }
    if (s->op == OP_lookup) row->kind = s->w == W_POS ? "positions" : s->w == W_TYPE ? "token types" : "tokens";
    if (!row->bias) row->formula = without_bias(w.memory, row->formula);
    put_constants(w, s, room);
    lend(room, row);
}

void tell_attention_part(told_where w, enum op_id id, told_constants *room, sonde_operation *row) {
    room->n = 0;
    row->formula = op_table[id]->doc;
    if (id == OP_scores) {
        put(room, "scale", arch_score_scale(w.config, w.block));
        put(room, "causal", 1);
    }
    lend(room, row);
}
