/* Qwen 2, 2.5 and 3: blocks as Llama's; Qwen 2 has biases of queries, keys and values, Qwen 3 norms of each head's queries and
 * keys. Yang et al., Qwen2 Technical Report, 2024; Qwen3 Technical Report, 2025; fields and defaults as transformers 5
 * (Qwen2Config, Qwen3Config) has them. */
#include "arch.h"
#include "arch_fields.h"
#include "config.h"
#include <inttypes.h>
#include <stddef.h>

static const size_names qwen2_sizes = {
    "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "intermediate_size",
    "max_position_embeddings", 4096, 32, 32, 32, 0, 22016, 151936, 32768,
};
static const size_names qwen3_sizes = {
    "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "intermediate_size",
    "max_position_embeddings", 4096, 32, 32, 32, 128, 22016, 151936, 32768,
};

/* Layers from max_window_layers on have a window, where nothing says which. */
static sonde_status read_windows(const json *file, arch_config *c, sonde_error *err) {
    bool    on;
    int64_t full;
    const json *types = json_get(file, "layer_types");
    SONDE_TRY(config_bool(file, "use_sliding_window", false, &on, err));
    if (!on) return SONDE_OK;
    SONDE_TRY(arch_windows(file, 4096, 0, c, err));
    SONDE_TRY(config_int(file, (config_range){ "max_window_layers", NULL, 28, 0, INT32_MAX }, &full, err));
    for (int64_t l = full; c->window && (!types || types->kind == JSON_NULL) && l < c->layers; l++) layer_add(c->local, l);
    return SONDE_OK;
}

static sonde_status read_common(const json *file, arch_config *c, sonde_error *err) {
    SONDE_TRY(config_activation(file, "hidden_act", "silu", &c->act, err));
    SONDE_TRY(config_double(file, "rms_norm_eps", 1e-6, 1, &c->norm_eps, err));
    SONDE_TRY(config_bool(file, "tie_word_embeddings", false, &c->tied, err));
    SONDE_TRY(arch_tokens(file, -1, -1, c, err));
    SONDE_TRY(read_windows(file, c, err));
    c->gated = true;
    SONDE_TRY(rope_config(file, (rope_fields){ .dims = c->e, .context = c->context }, &c->rope, err));
    c->context = rope_reach(&c->rope, c->context);
    return SONDE_OK;
}

static sonde_status read_qwen2(const json *file, arch_config *c, sonde_error *err) {
    SONDE_TRY(arch_sizes(file, &qwen2_sizes, c, err));
    c->attn_bias = true;
    return read_common(file, c, err);
}

static sonde_status read_qwen3(const json *file, arch_config *c, sonde_error *err) {
    SONDE_TRY(arch_sizes(file, &qwen3_sizes, c, err));
    SONDE_TRY(config_bool(file, "attention_bias", false, &c->attn_bias, err));
    c->out_bias = c->attn_bias;
    c->qk_norm = QK_HEAD;
    return read_common(file, c, err);
}

static const weight_row rows[] = {
    { W_EMBED, .hf = "embed_tokens.weight", .gguf = "token_embd.weight" },
    { W_LN1,  .hf = "layers.%d.input_layernorm.weight", .gguf = "blk.%d.attn_norm.weight" },
    { W_Q,    .hf = "layers.%d.self_attn.q_proj.weight", .gguf = "blk.%d.attn_q.weight" },
    { B_Q,    .hf = "layers.%d.self_attn.q_proj.bias", .gguf = "blk.%d.attn_q.bias", .when = WHEN_ATTN_BIAS },
    { W_K,    .hf = "layers.%d.self_attn.k_proj.weight", .gguf = "blk.%d.attn_k.weight" },
    { B_K,    .hf = "layers.%d.self_attn.k_proj.bias", .gguf = "blk.%d.attn_k.bias", .when = WHEN_ATTN_BIAS },
    { W_V,    .hf = "layers.%d.self_attn.v_proj.weight", .gguf = "blk.%d.attn_v.weight" },
    { B_V,    .hf = "layers.%d.self_attn.v_proj.bias", .gguf = "blk.%d.attn_v.bias", .when = WHEN_ATTN_BIAS },
    { W_QN,   .hf = "layers.%d.self_attn.q_norm.weight", .gguf = "blk.%d.attn_q_norm.weight", .when = WHEN_QK_NORM },
    { W_KN,   .hf = "layers.%d.self_attn.k_norm.weight", .gguf = "blk.%d.attn_k_norm.weight", .when = WHEN_QK_NORM },
    { W_O,    .hf = "layers.%d.self_attn.o_proj.weight", .gguf = "blk.%d.attn_output.weight" },
    { B_O,    .hf = "layers.%d.self_attn.o_proj.bias", .gguf = "blk.%d.attn_output.bias", .when = WHEN_OUT_BIAS },
    { W_LN2,  .hf = "layers.%d.post_attention_layernorm.weight", .gguf = "blk.%d.ffn_norm.weight" },
    { W_GATE, .hf = "layers.%d.mlp.gate_proj.weight", .gguf = "blk.%d.ffn_gate.weight" },
    { W_IN,   .hf = "layers.%d.mlp.up_proj.weight", .gguf = "blk.%d.ffn_up.weight" },
    { W_OUT,  .hf = "layers.%d.mlp.down_proj.weight", .gguf = "blk.%d.ffn_down.weight" },
    { W_LNF,  .hf = "norm.weight", .gguf = "output_norm.weight" },
    { W_UNEMBED, .hf = "lm_head.weight", .gguf = "output.weight", .optional = true },
    { W_ROPE, .gguf = "rope_freqs.weight", .optional = true },
    { .id = W_NONE },
};

static const config_row fields[] = {
    { "hidden_size",             .gguf = "embedding_length",        SAYS(INT, d), .needed = true },
    { "num_hidden_layers",       .gguf = "block_count",             SAYS(INT, layers), .needed = true },
    { "num_attention_heads",     .gguf = "attention.head_count",    SAYS(INT, heads), .needed = true },
    { "num_key_value_heads",     .gguf = "attention.head_count_kv", SAYS(INT, kv_heads), .needed = true },
    { "head_dim",                .gguf = "attention.key_length",    SAYS(INT, e) },
    { "head_dim",                .gguf = "attention.value_length",  SAYS(INT, e) },
    { "intermediate_size",       .gguf = "feed_forward_length",     SAYS(INT, f), .rows_of = W_IN },
    { "max_position_embeddings", .gguf = "context_length",          SAYS(INT, context), .needed = true },
    { "rms_norm_eps",            .gguf = "attention.layer_norm_rms_epsilon", SAYS(NUMBER, norm_eps), .needed = true },
    { "rope_theta",              .gguf = "rope.freq_base",          SAYS(NUMBER, rope.base) },
    { "vocab_size",              .gguf = "vocab_size",              SAYS(INT, vocab), .rows_of = W_EMBED },
    { "attention_bias",          .there_of = B_Q },
    { .hf = NULL },
};

static const char *const qwen2_classes[] = { "Qwen2ForCausalLM", "Qwen2Model", NULL };
static const char *const qwen3_classes[] = { "Qwen3ForCausalLM", "Qwen3Model", NULL };
static const char *const prefixes[] = { "model.", "", NULL };

const arch arch_qwen2 = {
    .name = "qwen2", .hf_classes = qwen2_classes, .hf_type = "qwen2", .prefixes = prefixes,
    .block = { .part = { { PART_SELF, .before = NORM_1 }, { PART_MLP, .before = NORM_2 } } },
    .norm = NORM_RMS, .gguf = "qwen2", .weights = rows, .fields = fields, .config = read_qwen2,
};

const arch arch_qwen3 = {
    .name = "qwen3", .hf_classes = qwen3_classes, .hf_type = "qwen3", .prefixes = prefixes,
    .block = { .part = { { PART_SELF, .before = NORM_1 }, { PART_MLP, .before = NORM_2 } } },
    .norm = NORM_RMS, .gguf = "qwen3", .weights = rows, .fields = fields, .config = read_qwen3,
};
