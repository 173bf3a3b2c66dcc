/* The Phi families. Phi 1, 1.5 and 2: one layer norm feeds attention and MLP, part of each head rotates, an unembedding with
 * a bias. Phi 3 and 4: blocks as Llama's with fused matrices and longrope. Gunasekar et al., Textbooks Are All You Need, 2023;
 * Abdin et al., Phi-3 Technical Report, 2024; fields and defaults as transformers 5 (PhiConfig, Phi3Config) has them. */
#include "arch.h"
#include "arch_fields.h"
#include "config.h"
#include <inttypes.h>
#include <stddef.h>

/* ---- Phi ---- */

static const size_names phi_sizes = {
    "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "intermediate_size",
    "max_position_embeddings", 2048, 24, 32, 0, 0, 8192, 51200, 2048,
};

static sonde_status read_phi(const json *file, arch_config *c, sonde_error *err) {
    bool normed;
    SONDE_TRY(arch_sizes(file, &phi_sizes, c, err));
    SONDE_TRY(config_activation(file, "hidden_act", "gelu_new", &c->act, err));
    SONDE_TRY(config_double(file, "layer_norm_eps", 1e-5, 1, &c->norm_eps, err));
    SONDE_TRY(config_bool(file, "qk_layernorm", false, &normed, err));
    SONDE_TRY(config_bool(file, "tie_word_embeddings", false, &c->tied, err));
    SONDE_TRY(arch_tokens(file, 1, 2, c, err));
    c->qk_norm = normed ? QK_HEAD : QK_NONE;
    const rope_fields f = { .shares = true, .even = true, .dims = c->e, .context = c->context, .fallback_share = 0.5 };
    SONDE_TRY(rope_config(file, f, &c->rope, err));
    c->context = rope_reach(&c->rope, c->context);
    return SONDE_OK;
}

#define ATTN(id, hf_name, gguf_name) \
    { id, .hf = "layers.%d.self_attn." hf_name, .gguf = "blk.%d." gguf_name }
#define FUSED(id, i, gguf_name) { id, .gguf = "blk.%d." gguf_name, .part = i, .parts = 3 }

static const weight_row phi_rows[] = {
    { W_EMBED,  .hf = "embed_tokens.weight", .gguf = "token_embd.weight" },
    { W_LN1,    .hf = "layers.%d.input_layernorm.weight", .gguf = "blk.%d.attn_norm.weight" },
    { B_LN1,    .hf = "layers.%d.input_layernorm.bias", .gguf = "blk.%d.attn_norm.bias" },
    ATTN(W_Q, "q_proj.weight", "attn_q.weight"), FUSED(W_Q, 0, "attn_qkv.weight"),
    ATTN(B_Q, "q_proj.bias", "attn_q.bias"),     FUSED(B_Q, 0, "attn_qkv.bias"),
    ATTN(W_K, "k_proj.weight", "attn_k.weight"), FUSED(W_K, 1, "attn_qkv.weight"),
    ATTN(B_K, "k_proj.bias", "attn_k.bias"),     FUSED(B_K, 1, "attn_qkv.bias"),
    ATTN(W_V, "v_proj.weight", "attn_v.weight"), FUSED(W_V, 2, "attn_qkv.weight"),
    ATTN(B_V, "v_proj.bias", "attn_v.bias"),     FUSED(B_V, 2, "attn_qkv.bias"),
    { W_QN,     .hf = "layers.%d.self_attn.q_layernorm.weight", .when = WHEN_QK_NORM },
    { B_QN,     .hf = "layers.%d.self_attn.q_layernorm.bias", .when = WHEN_QK_NORM },
    { W_KN,     .hf = "layers.%d.self_attn.k_layernorm.weight", .when = WHEN_QK_NORM },
    { B_KN,     .hf = "layers.%d.self_attn.k_layernorm.bias", .when = WHEN_QK_NORM },
    ATTN(W_O, "dense.weight", "attn_output.weight"), ATTN(B_O, "dense.bias", "attn_output.bias"),
    { W_LN2,    .hf = "layers.%d.input_layernorm.weight", .gguf = "blk.%d.attn_norm.weight" },  /* one norm feeds both */
    { B_LN2,    .hf = "layers.%d.input_layernorm.bias", .gguf = "blk.%d.attn_norm.bias" },
    { W_IN,     .hf = "layers.%d.mlp.fc1.weight", .gguf = "blk.%d.ffn_up.weight" },
    { B_IN,     .hf = "layers.%d.mlp.fc1.bias", .gguf = "blk.%d.ffn_up.bias" },
    { W_OUT,    .hf = "layers.%d.mlp.fc2.weight", .gguf = "blk.%d.ffn_down.weight" },
    { B_OUT,    .hf = "layers.%d.mlp.fc2.bias", .gguf = "blk.%d.ffn_down.bias" },
    { W_LNF,    .hf = "final_layernorm.weight", .gguf = "output_norm.weight" },
    { B_LNF,    .hf = "final_layernorm.bias", .gguf = "output_norm.bias" },
    { W_UNEMBED, .hf = "lm_head.weight", .gguf = "output.weight", .optional = true },
    { B_UNEMBED, .hf = "lm_head.bias", .gguf = "output.bias" },
    { .id = W_NONE },
};

static const config_row phi_fields[] = {
    { "hidden_size",             .gguf = "embedding_length",     SAYS(INT, d), .needed = true },
    { "num_hidden_layers",       .gguf = "block_count",          SAYS(INT, layers), .needed = true },
    { "num_attention_heads",     .gguf = "attention.head_count", SAYS(INT, heads), .needed = true },
    { "num_key_value_heads",     .gguf = "attention.head_count_kv", SAYS(INT, kv_heads) },
    { "intermediate_size",       .gguf = "feed_forward_length",  SAYS(INT, f), .rows_of = W_IN },
    { "max_position_embeddings", .gguf = "context_length",       SAYS(INT, context), .needed = true },
    { "layer_norm_eps",          .gguf = "attention.layer_norm_epsilon", SAYS(NUMBER, norm_eps), .needed = true },
    { "partial_rotary_factor",   .gguf = "rope.dimension_count", SAYS(SHARE, rope.dims), .needed = true },
    { "rope_theta",              .gguf = "rope.freq_base",       SAYS(NUMBER, rope.base) },
    { "vocab_size",              .gguf = "vocab_size",           SAYS(INT, vocab), .rows_of = W_EMBED },
    { .hf = NULL },
};

static const char *const phi_classes[] = { "PhiForCausalLM", "PhiModel", NULL };
static const char *const prefixes[]    = { "model.", "", NULL };

const arch arch_phi = {
    .name = "phi", .hf_classes = phi_classes, .hf_type = "phi", .prefixes = prefixes,
    .block = { .part = { { PART_SELF, .before = NORM_1 }, { PART_MLP, .before = NORM_2 } }, .parallel = true },
    .norm = NORM_LAYER, .gguf = "phi2", .weights = phi_rows, .fields = phi_fields, .config = read_phi,
};

/* ---- Phi 3 ---- */

static const size_names phi3_sizes = {
    "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "intermediate_size",
    "max_position_embeddings", 3072, 32, 32, 0, 0, 8192, 32064, 4096,
};

static sonde_status read_phi3(const json *file, arch_config *c, sonde_error *err) {
    SONDE_TRY(arch_sizes(file, &phi3_sizes, c, err));
    SONDE_TRY(config_activation(file, "hidden_act", "silu", &c->act, err));
    SONDE_TRY(config_double(file, "rms_norm_eps", 1e-5, 1, &c->norm_eps, err));
    SONDE_TRY(config_bool(file, "tie_word_embeddings", false, &c->tied, err));
    SONDE_TRY(arch_windows(file, 0, 1, c, err));
    SONDE_TRY(arch_tokens(file, 1, 32000, c, err));
    c->gated = true;
    const rope_fields f = { .shares = true, .dims = c->e, .context = c->context, .longrope_older = true };
    SONDE_TRY(rope_config(file, f, &c->rope, err));
    c->context = rope_reach(&c->rope, c->context);
    return SONDE_OK;
}

#define QKV(id, i) \
    { id, .hf = "layers.%d.self_attn.qkv_proj.weight", .gguf = "blk.%d.attn_qkv.weight", .part = i, .parts = 3 }

static const weight_row phi3_rows[] = {
    { W_EMBED,  .hf = "embed_tokens.weight", .gguf = "token_embd.weight" },
    { W_LN1,    .hf = "layers.%d.input_layernorm.weight", .gguf = "blk.%d.attn_norm.weight" },
    QKV(W_Q, 0), { W_Q, .gguf = "blk.%d.attn_q.weight" },
    QKV(W_K, 1), { W_K, .gguf = "blk.%d.attn_k.weight" },
    QKV(W_V, 2), { W_V, .gguf = "blk.%d.attn_v.weight" },
    { W_O,      .hf = "layers.%d.self_attn.o_proj.weight", .gguf = "blk.%d.attn_output.weight" },
    { W_LN2,    .hf = "layers.%d.post_attention_layernorm.weight", .gguf = "blk.%d.ffn_norm.weight" },
    { W_GATE,   .hf = "layers.%d.mlp.gate_up_proj.weight", .gguf = "blk.%d.ffn_up.weight", .parts = 2 },
    { W_IN,     .hf = "layers.%d.mlp.gate_up_proj.weight", .gguf = "blk.%d.ffn_up.weight", .part = 1, .parts = 2 },
    { W_OUT,    .hf = "layers.%d.mlp.down_proj.weight", .gguf = "blk.%d.ffn_down.weight" },
    { W_LNF,    .hf = "norm.weight", .gguf = "output_norm.weight" },
    { W_UNEMBED, .hf = "lm_head.weight", .gguf = "output.weight", .optional = true },
    { W_ROPE_SHORT, .gguf = "rope_factors_short.weight", .optional = true },
    { W_ROPE_LONG, .gguf = "rope_factors_long.weight", .optional = true },
    { .id = W_NONE },
};

static const config_row phi3_fields[] = {
    { "hidden_size",             .gguf = "embedding_length",     SAYS(INT, d), .needed = true },
    { "num_hidden_layers",       .gguf = "block_count",          SAYS(INT, layers), .needed = true },
    { "num_attention_heads",     .gguf = "attention.head_count", SAYS(INT, heads), .needed = true },
    { "num_key_value_heads",     .gguf = "attention.head_count_kv", SAYS(INT, kv_heads) },
    { "intermediate_size",       .gguf = "feed_forward_length",  SAYS(INT, f), .needed = true },
    { "max_position_embeddings", .gguf = "context_length",       SAYS(INT, context), .needed = true },
    { "rms_norm_eps",            .gguf = "attention.layer_norm_rms_epsilon", SAYS(NUMBER, norm_eps), .needed = true },
    { "partial_rotary_factor",   .gguf = "rope.dimension_count", SAYS(SHARE, rope.dims) },
    { "rope_theta",              .gguf = "rope.freq_base",       SAYS(NUMBER, rope.base) },
    { "sliding_window",          .gguf = "attention.sliding_window", SAYS(INT, window), .or_null = true },
    { "vocab_size",              .gguf = "vocab_size",           SAYS(INT, vocab), .rows_of = W_EMBED },
    { .hf = NULL },
};

static const char *const phi3_classes[] = { "Phi3ForCausalLM", "Phi3Model", NULL };

const arch arch_phi3 = {
    .name = "phi3", .hf_classes = phi3_classes, .hf_type = "phi3", .prefixes = prefixes,
    .block = { .part = { { PART_SELF, .before = NORM_1 }, { PART_MLP, .before = NORM_2 } } },
    .norm = NORM_RMS, .gguf = "phi3", .weights = phi3_rows, .fields = phi3_fields, .config = read_phi3,
};
