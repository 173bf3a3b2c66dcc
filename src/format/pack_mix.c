/* Rules first, then the walk over a model. */
#include "pack_mix.h"
#include <string.h>
#include <strings.h>

const pack_mix pack_mixes[PACK_MIX_COUNT] = {
#define MIX(id, label, number, kind) [PACK_##id] = { .name = (label), .file_type = (number), .type = DTYPE_##kind },
    PACK_MIX_MAP(MIX)
#undef MIX
};

bool pack_mix_find(const char *name, pack_mix_id *out) {
    static const struct { const char *name; pack_mix_id id; } also[] = {
        { "Q3_K", PACK_Q3_K_M }, { "Q4_K", PACK_Q4_K_M }, { "Q5_K", PACK_Q5_K_M },
    };
    for (int i = 0; i < PACK_MIX_COUNT; i++)
        if (strcasecmp(name, pack_mixes[i].name) == 0) return *out = (pack_mix_id)i, true;
    for (size_t i = 0; i < sizeof also / sizeof *also; i++)
        if (strcasecmp(name, also[i].name) == 0) return *out = also[i].id, true;
    return false;
}

/* Names that hold one of these are never quantised: small tensors, and such that suffer. */
static const char *const kept[] = {
    "_norm.weight", "ffn_gate_inp.weight", "ffn_gate_tid2eid.weight", "altup", "laurel", "per_layer_model_proj",
    "ssm_conv1d", "shortconv.conv.weight", "indexer.k_proj.weight", "indexer.q_proj.weight", "time_mix_first.weight",
    "time_mix_w0.weight", "time_mix_w1.weight", "time_mix_w2.weight", "time_mix_v0.weight", "time_mix_v1.weight",
    "time_mix_v2.weight", "time_mix_a0.weight", "time_mix_a1.weight", "time_mix_a2.weight", "time_mix_g1.weight",
    "time_mix_g2.weight", "time_mix_decay_w1.weight", "time_mix_decay_w2.weight", "time_mix_lerp_fused.weight",
    "attn_rel_b.weight", ".position_embd", "sam.pos_embd", "sam.neck.", "sam.net_", ".rel_pos", ".patch_embd",
    ".patch_merger", "a.rvq.codebook", "mm.a.code_embd",
};

static bool may_change(const pack_tensor *t) {
    const size_t len = strlen(t->name);
    if (t->rows < 2 || len < 6 || strcmp(t->name + len - 6, "weight") != 0) return false;
    if (strcmp(t->name, "position_embd.weight") == 0 || strcmp(t->name, "token_types.weight") == 0) return false;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (strstr(t->name, kept[i])) return false;
    return true;
}

typedef enum { OTHER, OUTPUT, TOKENS, VALUES, KEYS, ATTENTION_OUT, DOWN } part;

static part part_of(const char *name) {
    static const struct { const char *has; part is; } parts[] = {
        { "attn_qkv.weight", VALUES }, { "attn_kv_b.weight", VALUES }, { "attn_v.weight", VALUES },
        { "attn_k.weight", KEYS },     { "attn_q.weight", OTHER },     { "attn_output.weight", ATTENTION_OUT },
        { "ffn_up", OTHER },           { "ffn_gate", OTHER },          { "ffn_down", DOWN },
    };
    if (strcmp(name, "output.weight") == 0) return OUTPUT;
    if (strcmp(name, "token_embd.weight") == 0 || strcmp(name, "per_layer_token_embd.weight") == 0) return TOKENS;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(name, parts[i].has)) return parts[i].is;
    return OTHER;
}

/* The first and last eighth of n, and every third between. */
static bool more_bits(int i, int n) { return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2; }

/* A model being walked, and a tensor's place in it: number `i` of `n` of its kind. */
typedef struct { pack_mix_id mix; const pack_model *model; int i, n; } place;

static dtype_id values_type(const place *p) {
    dtype_id     type = pack_mixes[p->mix].type;
    const bool   shared = p->model->n_head_kv > 0 && p->model->n_head / p->model->n_head_kv >= 4;
    switch ((int)p->mix) {
    case PACK_Q2_K:   type = shared ? DTYPE_Q4_K : DTYPE_Q3_K; break;
    case PACK_Q3_K_M: type = p->i < 2 ? DTYPE_Q5_K : DTYPE_Q4_K; break;
    case PACK_Q3_K_L: type = DTYPE_Q5_K; break;
    case PACK_Q4_K_S: if (p->i < 4) type = DTYPE_Q5_K; break;
    case PACK_Q4_K_M:
    case PACK_Q5_K_M: if (more_bits(p->i, p->n)) type = DTYPE_Q6_K; break;
    }
    if (p->model->is_70b && (type == DTYPE_Q3_K || type == DTYPE_Q4_K)) type = DTYPE_Q5_K;
    return p->model->n_expert == 8 ? DTYPE_Q8_0 : type;
}

static dtype_id down_type(const place *p) {
    const dtype_id type = pack_mixes[p->mix].type;
    const bool     other = p->model->eight_bit_output, more = more_bits(p->i, p->n);
    switch ((int)p->mix) {
    case PACK_Q2_K:   return DTYPE_Q3_K;
    case PACK_Q3_K_M: return p->i < p->n / 16 ? DTYPE_Q5_K : !other || more ? DTYPE_Q4_K : DTYPE_Q3_K;
    case PACK_Q3_K_L: return other ? DTYPE_Q4_K : DTYPE_Q5_K;
    case PACK_Q4_K_S: return !other && p->i < p->n / 8 ? DTYPE_Q5_K : type;
    case PACK_Q4_K_M:
        if (!other) return more ? DTYPE_Q6_K : type;
        return p->i < p->n / 16 ? DTYPE_Q6_K : more ? DTYPE_Q5_K : type;
    case PACK_Q5_K_M: return more ? DTYPE_Q6_K : type;
    }
    return type;
}

static dtype_id attention_out_type(const place *p) {
    const dtype_id type = pack_mixes[p->mix].type;
    if (p->model->eight_bit_output) return p->mix == PACK_Q3_K_L ? DTYPE_Q4_K : type;
    const bool eight = p->model->n_expert == 8;
    switch ((int)p->mix) {
    case PACK_Q2_K:   return eight ? DTYPE_Q5_K : DTYPE_Q3_K;
    case PACK_Q3_K_M: return eight ? DTYPE_Q5_K : DTYPE_Q4_K;
    case PACK_Q3_K_L: return eight ? type : DTYPE_Q5_K;
    case PACK_Q3_K_S:
    case PACK_Q4_K_S:
    case PACK_Q4_K_M: return eight ? DTYPE_Q5_K : type;
    }
    return type;
}

static dtype_id output_type(const place *p, int64_t cols) {
    const dtype_id type = pack_mixes[p->mix].type;
    if (p->model->eight_bit_output || cols % dtype_table[type].items != 0 || type == DTYPE_Q8_0) return DTYPE_Q8_0;
    return DTYPE_Q6_K;
}

/* What takes a type's place where rows are no multiple of its block. */
static dtype_id that_fits(dtype_id type, int64_t cols) {
    static const struct { dtype_id type, instead; } smaller[] = {
        { DTYPE_Q2_K, DTYPE_Q4_0 }, { DTYPE_Q3_K, DTYPE_Q4_0 }, { DTYPE_Q4_K, DTYPE_Q5_0 }, { DTYPE_Q5_K, DTYPE_Q5_1 },
        { DTYPE_Q6_K, DTYPE_Q8_0 },
    };
    if (cols % dtype_table[type].items == 0) return type;
    for (size_t i = 0; i < sizeof smaller / sizeof *smaller; i++)
        if (smaller[i].type == type && cols % dtype_table[smaller[i].instead].items == 0) return smaller[i].instead;
    return DTYPE_F16;
}

/* The layer a name says, -1 if none. */
static int layer_of(const char *name) {
    int layer = -1;
    if (strncmp(name, "blk.", 4) != 0) return layer;
    for (const char *c = name + 4; *c >= '0' && *c <= '9' && layer < 1000000; c++)
        layer = (layer < 0 ? 0 : 10 * layer) + (*c - '0');
    return layer;
}

/* llama.cpp's order: by layer, then by name. */
static bool comes_before(const pack_tensor *a, const pack_tensor *b) {
    const int x = layer_of(a->name), y = layer_of(b->name);
    return x != y ? x < y : strcmp(a->name, b->name) < 0;
}

/* Where tensor t[at] stands among those of its part. */
static place place_of(place p, part is, const pack_tensor *t, size_t n, size_t at) {
    p.i = p.n = 0;
    for (size_t k = 0; k < n; k++) {
        if (part_of(t[k].name) != is) continue;
        p.n++;
        if (may_change(&t[k]) && comes_before(&t[k], &t[at])) p.i++;
    }
    if (is != DOWN) return p;
    p.n = p.model->n_layer;
    if (p.model->n_expert > 1 && layer_of(t[at].name) >= 0) p.i = layer_of(t[at].name);
    return p;
}

void pack_choose(pack_mix_id mix, const pack_model *m, pack_tensor *t, size_t n) {
    const dtype_id most = pack_mixes[mix].type;
    const bool     plain = dtype_table[most].items == 1;
    bool           tied = true;
    for (size_t k = 0; k < n; k++)
        if (part_of(t[k].name) == OUTPUT) tied = false;
    for (size_t k = 0; k < n; k++) {
        const part is = part_of(t[k].name);
        place      p = { .mix = mix, .model = m };
        t[k].type = t[k].wanted = t[k].stored;
        if (!may_change(&t[k])) continue;
        t[k].wanted = most;
        if (!plain && (is == VALUES || is == DOWN)) {
            p = place_of(p, is, t, n, k);
            t[k].wanted = is == VALUES ? values_type(&p) : down_type(&p);
        } else if (!plain && (is == OUTPUT || (is == TOKENS && tied))) {
            t[k].wanted = output_type(&p, t[k].cols);
        } else if (!plain && is == ATTENTION_OUT) {
            t[k].wanted = attention_out_type(&p);
        } else if (!plain && is == KEYS && m->n_expert == 8) {
            t[k].wanted = DTYPE_Q8_0;
        }
        t[k].type = that_fits(t[k].wanted, t[k].cols);
    }
}
