/* StarCoder 2: layer norms and a plain MLP with rotary positions, grouped heads and a window. Lozhkov et al., StarCoder 2 and
 * The Stack v2, 2024; fields and defaults as transformers 5 (Starcoder2Config) has them. */
#include "arch_fields.h"

static const size_names names = {
    "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", NULL, "intermediate_size",
    "max_position_embeddings", 3072, 30, 24, 2, 0, 12288, 49152, 4096,
};

static sonde_status read_config(const json *file, arch_config *c, sonde_error *err) {
    bool biases;
    SONDE_TRY(arch_sizes(file, &names, c, err));
    SONDE_TRY(config_bool(file, "use_bias", true, &biases, err));
    SONDE_TRY(config_activation(file, "hidden_act", "gelu_pytorch_tanh", &c->act, err));
    SONDE_TRY(config_double(file, "norm_epsilon", 1e-5, 1, &c->norm_eps, err));
    SONDE_TRY(config_bool(file, "tie_word_embeddings", true, &c->tied, err));
    c->attn_bias = c->out_bias = c->mlp_bias = biases;
    SONDE_TRY(arch_windows(file, 0, 1, c, err));
    SONDE_TRY(arch_tokens(file, 50256, 50256, c, err));
    SONDE_TRY(rope_config(file, (rope_fields){ .dims = c->e, .context = c->context }, &c->rope, err));
    c->context = rope_reach(&c->rope, c->context);
    return SONDE_OK;
}

#define BIASED(id, name, other, there) { W_##id, .hf = "layers.%d." name ".weight", .gguf = "blk.%d." other ".weight" }, \
    { B_##id, .hf = "layers.%d." name ".bias", .gguf = "blk.%d." other ".bias", .when = there }

static const weight_row rows[] = {
    { W_EMBED, .hf = "embed_tokens.weight", .gguf = "token_embd.weight" },
    BIASED(LN1, "input_layernorm", "attn_norm", WHEN_ALWAYS),
    BIASED(Q, "self_attn.q_proj", "attn_q", WHEN_ATTN_BIAS),
    BIASED(K, "self_attn.k_proj", "attn_k", WHEN_ATTN_BIAS),
    BIASED(V, "self_attn.v_proj", "attn_v", WHEN_ATTN_BIAS),
    BIASED(O, "self_attn.o_proj", "attn_output", WHEN_OUT_BIAS),
    BIASED(LN2, "post_attention_layernorm", "ffn_norm", WHEN_ALWAYS),
    BIASED(IN, "mlp.c_fc", "ffn_up", WHEN_MLP_BIAS),
    BIASED(OUT, "mlp.c_proj", "ffn_down", WHEN_MLP_BIAS),
    { W_LNF,     .hf = "norm.weight", .gguf = "output_norm.weight" },
    { B_LNF,     .hf = "norm.bias", .gguf = "output_norm.bias" },
    { W_UNEMBED, .hf = "lm_head.weight", .gguf = "output.weight", .optional = true },
    { .id = W_NONE },
};

static const config_row fields[] = {
    { "hidden_size",             .gguf = "embedding_length", SAYS(INT, d), .needed = true },
    { "num_hidden_layers",       .gguf = "block_count", SAYS(INT, layers), .needed = true },
    { "num_attention_heads",     .gguf = "attention.head_count", SAYS(INT, heads), .needed = true },
    { "num_key_value_heads",     .gguf = "attention.head_count_kv", SAYS(INT, kv_heads) },
    { "intermediate_size",       .gguf = "feed_forward_length", SAYS(INT, f), .needed = true },
    { "max_position_embeddings", .gguf = "context_length", SAYS(INT, context), .needed = true },
    { "norm_epsilon",            .gguf = "attention.layer_norm_epsilon", SAYS(NUMBER, norm_eps), .needed = true },
    { "rope_theta",              .gguf = "rope.freq_base", SAYS(NUMBER, rope.base) },
    { "sliding_window",          .gguf = "attention.sliding_window", SAYS(INT, window), .or_null = true },
    { "vocab_size",              .gguf = "vocab_size", SAYS(INT, vocab), .rows_of = W_EMBED },
    { "use_bias",                .there_of = B_Q },
    { .hf = NULL },
};

static const char *const classes[]  = { "Starcoder2ForCausalLM", "Starcoder2Model", NULL };
static const char *const prefixes[] = { "model.", "", NULL };

const arch arch_starcoder2 = {
    .name = "starcoder2", .hf_classes = classes, .hf_type = "starcoder2", .prefixes = prefixes,
    .block = { .part = { { PART_SELF, .before = NORM_1 }, { PART_MLP, .before = NORM_2 } } },
    .norm = NORM_LAYER, .gguf = "starcoder2", .weights = rows, .fields = fields, .config = read_config,
};
