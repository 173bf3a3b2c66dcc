#include "weight_table.h"
#include <assert.h>
#include <stddef.h>

#define TABLE(title, out_axis)             { title, WEIGHT_TABLE, false, out_axis "d", out_axis, "d" }
#define FRONT_VECTOR(title, axis)          { title, WEIGHT_VECTOR, false, axis, axis, "" }
#define VECTOR(title, axis)                { title, WEIGHT_VECTOR, true, axis, axis, "" }
#define MATRIX(title, all, out_axes, ins)  { title, WEIGHT_MATRIX, true, all, out_axes, ins }

const weight_meaning weight_table[WEIGHT_COUNT] = {
    [W_EMBED]   = TABLE("embed.W_E", "v"),
    [W_POS]     = TABLE("pos_embed.W_pos", "c"),
    [W_LN1]     = VECTOR("ln1.w", "d"),
    [B_LN1]     = VECTOR("ln1.b", "d"),
    [W_Q]       = MATRIX("attn.W_Q", "hde", "he", "d"),
    [B_Q]       = VECTOR("attn.b_Q", "he"),
    [W_K]       = MATRIX("attn.W_K", "gde", "ge", "d"),
    [B_K]       = VECTOR("attn.b_K", "ge"),
    [W_V]       = MATRIX("attn.W_V", "gde", "ge", "d"),
    [B_V]       = VECTOR("attn.b_V", "ge"),
    [W_O]       = MATRIX("attn.W_O", "hed", "d", "he"),
    [B_O]       = VECTOR("attn.b_O", "d"),
    [W_LN2]     = VECTOR("ln2.w", "d"),
    [B_LN2]     = VECTOR("ln2.b", "d"),
    [W_GATE]    = MATRIX("mlp.W_gate", "df", "f", "d"),
    [B_GATE]    = VECTOR("mlp.b_gate", "f"),
    [W_IN]      = MATRIX("mlp.W_in", "df", "f", "d"),
    [B_IN]      = VECTOR("mlp.b_in", "f"),
    [W_OUT]     = MATRIX("mlp.W_out", "fd", "d", "f"),
    [B_OUT]     = VECTOR("mlp.b_out", "d"),
    [W_LNF]     = FRONT_VECTOR("ln_final.w", "d"),
    [B_LNF]     = FRONT_VECTOR("ln_final.b", "d"),
    [W_UNEMBED] = { "unembed.W_U", WEIGHT_MATRIX, false, "dv", "v", "d" },
    [B_UNEMBED] = FRONT_VECTOR("unembed.b_U", "v"),
    [W_ROPE]    = FRONT_VECTOR("rope.divisors", "r"),
    [W_ROPE_SHORT] = FRONT_VECTOR("rope.short_divisors", "r"),
    [W_ROPE_LONG]  = FRONT_VECTOR("rope.long_divisors", "r"),
};

int64_t weight_axis(const arch_config *c, char axis) {
    switch (axis) {
        case 'v': return c->vocab;
        case 'c': return c->context;
        case 'd': return c->d;
        case 'h': return c->heads;
        case 'g': return c->kv_heads;
        case 'e': return c->e;
        case 'f': return c->f;
        case 'r': return c->rope.dims / 2;
        default:  assert(false && "an axis of weight_table"); return 0;
    }
}

int64_t weight_size(const arch_config *c, const char *axes) {
    int64_t n = 1;
    for (; *axes; axes++) n *= weight_axis(c, *axes);
    return n;
}

int64_t weight_in_pairs(const arch_config *c, weight_id id) {
    return c->qk_pairs && (id == W_Q || id == B_Q || id == W_K || id == B_K) ? c->rope.dims : 0;
}
