#include "weight_table.h"
#include <assert.h>
#include <inttypes.h>
#include <stddef.h>

#define FRONT_VECTOR(title, axis)          { title, WEIGHT_VECTOR, false, axis, axis, "" }
#define VECTOR(title, axis)                { title, WEIGHT_VECTOR, true, axis, axis, "" }
#define MATRIX(title, all, out_axes, ins)  { title, WEIGHT_MATRIX, true, all, out_axes, ins }

const weight_meaning weight_table[WEIGHT_COUNT] = {
    [W_EMBED]     = { "embed.W_E", WEIGHT_TABLE, false, "vw", "v", "w" },
    [W_POS]       = { "pos_embed.W_pos", WEIGHT_TABLE, false, "cd", "c", "d" },
    [W_TYPE]      = { "token_type_embed.W_token_type", WEIGHT_TABLE, false, "yd", "y", "d" },
    [W_PROJ_IN]   = { "embed.W_proj", WEIGHT_MATRIX, false, "wd", "d", "w" },
    [W_PROJ_OUT]  = { "unembed.W_proj", WEIGHT_MATRIX, false, "dw", "w", "d" },
    [W_LNE]       = FRONT_VECTOR("embed.ln.w", "d"),
    [B_LNE]       = FRONT_VECTOR("embed.ln.b", "d"),
    [W_LN1]       = VECTOR("ln1.w", "d"),
    [B_LN1]       = VECTOR("ln1.b", "d"),
    [W_LN2]       = VECTOR("ln2.w", "d"),
    [B_LN2]       = VECTOR("ln2.b", "d"),
    [W_LN3]       = VECTOR("ln3.w", "d"),
    [B_LN3]       = VECTOR("ln3.b", "d"),
    [W_LN1_POST]  = VECTOR("ln1_post.w", "d"),
    [B_LN1_POST]  = VECTOR("ln1_post.b", "d"),
    [W_LN2_POST]  = VECTOR("ln2_post.w", "d"),
    [B_LN2_POST]  = VECTOR("ln2_post.b", "d"),
    [W_Q]         = MATRIX("attn.W_Q", "hde", "he", "d"),
    [B_Q]         = VECTOR("attn.b_Q", "he"),
    [W_K]         = MATRIX("attn.W_K", "gde", "ge", "d"),
    [B_K]         = VECTOR("attn.b_K", "ge"),
    [W_V]         = MATRIX("attn.W_V", "gde", "ge", "d"),
    [B_V]         = VECTOR("attn.b_V", "ge"),
    [W_O]         = MATRIX("attn.W_O", "hed", "d", "he"),
    [B_O]         = VECTOR("attn.b_O", "d"),
    [W_QN]        = VECTOR("attn.q_norm.w", "q"),
    [B_QN]        = VECTOR("attn.q_norm.b", "q"),
    [W_KN]        = VECTOR("attn.k_norm.w", "p"),
    [B_KN]        = VECTOR("attn.k_norm.b", "p"),
    [W_SINKS]     = VECTOR("attn.sinks", "h"),
    [W_REL]       = { "attn.rel_pos_bias", WEIGHT_TABLE, false, "bh", "b", "h" },
    [W_CQ]        = MATRIX("cross_attn.W_Q", "hde", "he", "d"),
    [B_CQ]        = VECTOR("cross_attn.b_Q", "he"),
    [W_CK]        = MATRIX("cross_attn.W_K", "gde", "ge", "d"),
    [B_CK]        = VECTOR("cross_attn.b_K", "ge"),
    [W_CV]        = MATRIX("cross_attn.W_V", "gde", "ge", "d"),
    [B_CV]        = VECTOR("cross_attn.b_V", "ge"),
    [W_CO]        = MATRIX("cross_attn.W_O", "hed", "d", "he"),
    [B_CO]        = VECTOR("cross_attn.b_O", "d"),
    [W_GATE]      = MATRIX("mlp.W_gate", "df", "f", "d"),
    [B_GATE]      = VECTOR("mlp.b_gate", "f"),
    [W_IN]        = MATRIX("mlp.W_in", "df", "f", "d"),
    [B_IN]        = VECTOR("mlp.b_in", "f"),
    [W_OUT]       = MATRIX("mlp.W_out", "fd", "d", "f"),
    [B_OUT]       = VECTOR("mlp.b_out", "d"),
    [W_ROUTER]    = MATRIX("mlp.W_router", "dx", "x", "d"),
    [B_ROUTER]    = VECTOR("mlp.b_router", "x"),
    [W_X_GATE]    = MATRIX("mlp.experts.W_gate", "xdm", "xm", "d"),
    [B_X_GATE]    = VECTOR("mlp.experts.b_gate", "xm"),
    [W_X_IN]      = MATRIX("mlp.experts.W_in", "xdm", "xm", "d"),
    [B_X_IN]      = VECTOR("mlp.experts.b_in", "xm"),
    [W_X_OUT]     = MATRIX("mlp.experts.W_out", "xmd", "xd", "m"),
    [B_X_OUT]     = VECTOR("mlp.experts.b_out", "xd"),
    [W_X_BOTH]    = MATRIX("mlp.experts.W_gate_in", "xdmn", "xmn", "d"),
    [B_X_BOTH]    = VECTOR("mlp.experts.b_gate_in", "xmn"),
    [W_LNF]       = FRONT_VECTOR("ln_final.w", "d"),
    [B_LNF]       = FRONT_VECTOR("ln_final.b", "d"),
    [W_UNEMBED]   = { "unembed.W_U", WEIGHT_MATRIX, false, "wv", "v", "w" },
    [B_UNEMBED]   = FRONT_VECTOR("unembed.b_U", "v"),
    [W_MLM]       = { "mlm_head.W", WEIGHT_MATRIX, false, "dd", "d", "d" },
    [B_MLM]       = FRONT_VECTOR("mlm_head.b", "d"),
    [W_LNM]       = FRONT_VECTOR("mlm_head.ln.w", "d"),
    [B_LNM]       = FRONT_VECTOR("mlm_head.ln.b", "d"),
    [W_POOL]      = { "pooler.W", WEIGHT_MATRIX, false, "dd", "d", "d" },
    [B_POOL]      = FRONT_VECTOR("pooler.b", "d"),
    [W_NSP]       = { "nsp_head.W", WEIGHT_MATRIX, false, "d2", "2", "d" },
    [B_NSP]       = FRONT_VECTOR("nsp_head.b", "2"),
    [W_CLASS_IN]  = { "classifier.W_in", WEIGHT_MATRIX, false, "dd", "d", "d" },
    [B_CLASS_IN]  = FRONT_VECTOR("classifier.b_in", "d"),
    [W_CLASS]     = { "classifier.W", WEIGHT_MATRIX, false, "dl", "l", "d" },
    [B_CLASS]     = FRONT_VECTOR("classifier.b", "l"),
    [W_QA]        = { "qa.W", WEIGHT_MATRIX, false, "d2", "2", "d" },
    [B_QA]        = FRONT_VECTOR("qa.b", "2"),
    [W_ROPE]      = FRONT_VECTOR("rope.divisors", "r"),
    [W_ROPE_LONG] = FRONT_VECTOR("rope.long_divisors", "r"),
    [W_ROPE_SHORT] = FRONT_VECTOR("rope.short_divisors", "r"),
};

int64_t weight_axis(const arch_config *c, char axis) {
    switch (axis) {
        case 'v': return c->vocab;
        case 'c': return c->context + c->pos_offset;
        case 'w': return c->width;
        case 'y': return c->types;
        case 'b': return c->buckets;
        case 'x': return c->experts;
        case 'm': return c->expert_f;
        case 'n': case '2': return 2;
        case 'l': return c->labels;
        case 'q': return c->qk_norm == QK_HEAD ? c->e : c->heads * c->e;
        case 'p': return c->qk_norm == QK_HEAD ? c->e : c->kv_heads * c->e;
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

const char *weight_name(arena *into, const arch_config *c, weight_owner at, weight_id id) {
    const char *name = weight_table[id].name, *word = at.stack == STACK_ENCODER ? "encoder" : "decoder";
    if (at.layer >= 0) return arena_printf(into, "%s.%" PRId64 ".%s", c->encoder ? word : "blocks", at.layer, name);
    if (!c->encoder || id == W_EMBED || id == W_UNEMBED || id == B_UNEMBED) return name;
    if (id == W_LNF || id == B_LNF) return arena_printf(into, "%s_final_ln.%s", word, id == W_LNF ? "w" : "b");
    return arena_printf(into, "%s.%s%s", word, id == W_REL ? "0." : "", name);
}

bool weight_of_experts(weight_id id) { return weight_table[id].out[0] == 'x' && weight_table[id].out[1]; }

bool weight_outside(weight_id id) { return id >= W_UNEMBED && id <= B_QA && id != W_POOL && id != B_POOL; }

int64_t weight_in_pairs(const arch_config *c, weight_id id) {
    return c->qk_pairs && (id == W_Q || id == B_Q || id == W_K || id == B_K) ? c->rope.dims : 0;
}
