/* OLMo: Llama's block with norms that have no weights and queries, keys and values cut off at a limit. OLMo 2: norms behind
 * the parts, and of all queries and all keys together. Groeneveld et al., OLMo, 2024; OLMo Team, 2 OLMo 2 Furious, 2024;
 * fields and defaults as transformers 5 (OlmoConfig, Olmo2Config) has them. */
#include "arch_fields.h"

static const size_names names = {
    "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", NULL, "intermediate_size",
    "max_position_embeddings", 4096, 32, 32, 0, 0, 11008, 50304, 2048,
};

static sonde_status read_common(const json *file, arch_config *c, sonde_error *err) {
    SONDE_TRY(arch_sizes(file, &names, c, err));
    SONDE_TRY(config_activation(file, "hidden_act", "silu", &c->act, err));
    SONDE_TRY(config_bool(file, "tie_word_embeddings", false, &c->tied, err));
    SONDE_TRY(config_bool(file, "attention_bias", false, &c->attn_bias, err));
    SONDE_TRY(arch_tokens(file, -1, 50279, c, err));
    SONDE_TRY(rope_config(file, (rope_fields){ .dims = c->e, .context = c->context }, &c->rope, err));
    c->context = rope_reach(&c->rope, c->context);
    return SONDE_OK;
}

static sonde_status read_1(const json *file, arch_config *c, sonde_error *err) {
    SONDE_TRY(read_common(file, c, err));
    SONDE_TRY(config_double(file, "layer_norm_eps", 1e-5, 1, &c->norm_eps, err));      /* no field: what GGUF says */
    SONDE_FAIL_IF((float)c->norm_eps != 1e-5f, err, SONDE_UNSUPPORTED, "layer_norm_eps is %g, expected 1e-05", c->norm_eps);
    c->norm_weights = false;
    return arch_number(file, "clip_qkv", 1e9, &c->clip_qkv, err);
}

static sonde_status read_2(const json *file, arch_config *c, sonde_error *err) {
    static const char *const others[] = { "clip_qkv", NULL };
    SONDE_TRY(read_common(file, c, err));
    SONDE_TRY(arch_refuse(file, others, err));
    c->qk_norm = QK_WHOLE;
    return config_double(file, "rms_norm_eps", 1e-5, 1, &c->norm_eps, err);
}

#define ROW(id, name, other)    { W_##id, .hf = "layers.%d." name ".weight", .gguf = "blk.%d." other ".weight" }
#define BIAS(id, name, other)   { B_##id, .hf = "layers.%d." name ".bias", .gguf = "blk.%d." other ".bias", .when = WHEN_ATTN_BIAS }
#define PAIRS(id, name, other)                                                                                    \
    { W_##id, .hf = "layers.%d." name ".weight", .gguf = "blk.%d." other ".weight", .pairs = true },              \
    { B_##id, .hf = "layers.%d." name ".bias", .gguf = "blk.%d." other ".bias", .when = WHEN_ATTN_BIAS, .pairs = true }
#define HALVES(id, name, other) ROW(id, name, other), BIAS(id, name, other)
#define GATED_MLP ROW(GATE, "mlp.gate_proj", "ffn_gate"), ROW(IN, "mlp.up_proj", "ffn_up"), ROW(OUT, "mlp.down_proj", "ffn_down")

static const weight_row rows_1[] = {
    { W_EMBED, .hf = "embed_tokens.weight", .gguf = "token_embd.weight" },
    PAIRS(Q, "self_attn.q_proj", "attn_q"), PAIRS(K, "self_attn.k_proj", "attn_k"),
    HALVES(V, "self_attn.v_proj", "attn_v"), HALVES(O, "self_attn.o_proj", "attn_output"), GATED_MLP,
    { W_UNEMBED, .hf = "lm_head.weight", .gguf = "output.weight", .optional = true },
    { .id = W_NONE },
};

static const weight_row rows_2[] = {
    { W_EMBED, .hf = "embed_tokens.weight", .gguf = "token_embd.weight" },
    HALVES(Q, "self_attn.q_proj", "attn_q"), HALVES(K, "self_attn.k_proj", "attn_k"),
    HALVES(V, "self_attn.v_proj", "attn_v"), HALVES(O, "self_attn.o_proj", "attn_output"),
    ROW(QN, "self_attn.q_norm", "attn_q_norm"), ROW(KN, "self_attn.k_norm", "attn_k_norm"),
    ROW(LN1_POST, "post_attention_layernorm", "post_attention_norm"), GATED_MLP,
    ROW(LN2_POST, "post_feedforward_layernorm", "post_ffw_norm"),
    { W_LNF,     .hf = "norm.weight", .gguf = "output_norm.weight" },
    { W_UNEMBED, .hf = "lm_head.weight", .gguf = "output.weight", .optional = true },
    { .id = W_NONE },
};

#define FIELDS                                                                                             \
    { "hidden_size",             .gguf = "embedding_length", SAYS(INT, d), .needed = true },               \
    { "num_hidden_layers",       .gguf = "block_count", SAYS(INT, layers), .needed = true },               \
    { "num_attention_heads",     .gguf = "attention.head_count", SAYS(INT, heads), .needed = true },       \
    { "num_key_value_heads",     .gguf = "attention.head_count_kv", SAYS(INT, kv_heads) },                 \
    { "intermediate_size",       .gguf = "feed_forward_length", SAYS(INT, f), .needed = true },            \
    { "max_position_embeddings", .gguf = "context_length", SAYS(INT, context), .needed = true },           \
    { "rope_theta",              .gguf = "rope.freq_base", SAYS(NUMBER, rope.base) },                      \
    { "vocab_size",              .gguf = "vocab_size", SAYS(INT, vocab), .rows_of = W_EMBED },                               \
    { "attention_bias",          .there_of = B_Q }

static const config_row fields_1[] = {
    FIELDS, { "layer_norm_eps", .gguf = "attention.layer_norm_epsilon", SAYS(NUMBER, norm_eps) },
    { "clip_qkv", .gguf = "attention.clamp_kqv", SAYS(NUMBER, clip_qkv), .or_null = true }, { .hf = NULL },
};
static const config_row fields_2[] = {
    FIELDS, { "rms_norm_eps", .gguf = "attention.layer_norm_rms_epsilon", SAYS(NUMBER, norm_eps), .needed = true }, { .hf = NULL },
};

static const char *const prefixes[]  = { "model.", "", NULL };
static const char *const classes_1[] = { "OlmoForCausalLM", "OlmoModel", NULL };
static const char *const classes_2[] = { "Olmo2ForCausalLM", "Olmo2Model", NULL };

const arch arch_olmo = {
    .name = "olmo", .hf_classes = classes_1, .hf_type = "olmo", .prefixes = prefixes,
    .block = { .part = { { PART_SELF, .before = NORM_1 }, { PART_MLP, .before = NORM_2 } } },
    .norm = NORM_LAYER, .gguf = "olmo", .weights = rows_1, .fields = fields_1, .config = read_1,
};

const arch arch_olmo2 = {
    .name = "olmo2", .hf_classes = classes_2, .hf_type = "olmo2", .prefixes = prefixes,
    .block = { .part = { { PART_SELF, .after = NORM_1_POST }, { PART_MLP, .after = NORM_2_POST } } },
    .norm = NORM_RMS, .gguf = "olmo2", .weights = rows_2, .fields = fields_2, .config = read_2,
};
