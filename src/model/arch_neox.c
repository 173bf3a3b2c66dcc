/* GPT-NeoX (Pythia) and GPT-J: layer norms, attention and MLP that read the same stream, rotation of a part of each head, an
 * unembedding of its own. Black et al., GPT-NeoX-20B, 2022; Wang and Komatsuzaki, GPT-J-6B, 2021; fields and defaults as
 * transformers 5 (GPTNeoXConfig, GPTJConfig) has them. */
#include "arch.h"
#include "arch_fields.h"
#include "config.h"
#include <inttypes.h>
#include <stddef.h>

/* ---- GPT-NeoX ---- */

static const size_names neox_sizes = {
    "hidden_size", "num_hidden_layers", "num_attention_heads", NULL, NULL, "intermediate_size", "max_position_embeddings",
    6144, 44, 64, 0, 0, 24576, 50432, 2048,
};

static sonde_status read_neox(const json *file, arch_config *c, sonde_error *err) {
    double share, base;
    SONDE_TRY(arch_sizes(file, &neox_sizes, c, err));
    SONDE_TRY(config_activation(file, "hidden_act", "gelu", &c->act, err));
    SONDE_TRY(config_double(file, "layer_norm_eps", 1e-5, 1, &c->norm_eps, err));
    SONDE_TRY(config_bool(file, "use_parallel_residual", true, &c->block.parallel, err));
    SONDE_TRY(config_bool(file, "attention_bias", true, &c->attn_bias, err));
    SONDE_TRY(config_bool(file, "tie_word_embeddings", false, &c->tied, err));
    SONDE_TRY(arch_tokens(file, 0, 2, c, err));
    SONDE_TRY(config_double(file, "rotary_pct", 0.25, 1, &share, err));
    SONDE_TRY(config_double(file, "rotary_emb_base", 1e4, 1e12, &base, err));
    const rope_fields f = { .shares = true, .dims = c->e, .context = c->context, .fallback_base = base, .fallback_share = share };
    SONDE_TRY(rope_config(file, f, &c->rope, err));
    c->context = rope_reach(&c->rope, c->context);
    return SONDE_OK;
}

#define QKV(id, i, end) \
    { id, .hf = "layers.%d.attention.query_key_value." end, .gguf = "blk.%d.attn_qkv." end, .part = i, .parts = 3, \
      .fused = FUSED_GROUPS }
#define QKV_BIAS(id, i) \
    { id, .hf = "layers.%d.attention.query_key_value.bias", .gguf = "blk.%d.attn_qkv.bias", .part = i, .parts = 3, \
      .fused = FUSED_GROUPS, .when = WHEN_ATTN_BIAS }

static const weight_row neox_rows[] = {
    { W_EMBED,  .hf = "embed_in.weight", .gguf = "token_embd.weight" },
    { W_LN1,    .hf = "layers.%d.input_layernorm.weight", .gguf = "blk.%d.attn_norm.weight" },
    { B_LN1,    .hf = "layers.%d.input_layernorm.bias", .gguf = "blk.%d.attn_norm.bias" },
    QKV(W_Q, 0, "weight"), QKV(W_K, 1, "weight"), QKV(W_V, 2, "weight"), QKV_BIAS(B_Q, 0), QKV_BIAS(B_K, 1), QKV_BIAS(B_V, 2),
    { W_O,      .hf = "layers.%d.attention.dense.weight", .gguf = "blk.%d.attn_output.weight" },
    { B_O,      .hf = "layers.%d.attention.dense.bias", .gguf = "blk.%d.attn_output.bias", .when = WHEN_ATTN_BIAS },
    { W_LN2,    .hf = "layers.%d.post_attention_layernorm.weight", .gguf = "blk.%d.ffn_norm.weight" },
    { B_LN2,    .hf = "layers.%d.post_attention_layernorm.bias", .gguf = "blk.%d.ffn_norm.bias" },
    { W_IN,     .hf = "layers.%d.mlp.dense_h_to_4h.weight", .gguf = "blk.%d.ffn_up.weight" },
    { B_IN,     .hf = "layers.%d.mlp.dense_h_to_4h.bias", .gguf = "blk.%d.ffn_up.bias" },
    { W_OUT,    .hf = "layers.%d.mlp.dense_4h_to_h.weight", .gguf = "blk.%d.ffn_down.weight" },
    { B_OUT,    .hf = "layers.%d.mlp.dense_4h_to_h.bias", .gguf = "blk.%d.ffn_down.bias" },
    { W_LNF,    .hf = "final_layer_norm.weight", .gguf = "output_norm.weight" },
    { B_LNF,    .hf = "final_layer_norm.bias", .gguf = "output_norm.bias" },
    { W_UNEMBED, .hf = "embed_out.weight", .gguf = "output.weight", .optional = true },
    { W_UNEMBED, .hf = "lm_head.weight", .optional = true },
    { .id = W_NONE },
};

static const config_row neox_fields[] = {
    { "hidden_size",             .gguf = "embedding_length",     SAYS(INT, d), .needed = true },
    { "num_hidden_layers",       .gguf = "block_count",          SAYS(INT, layers), .needed = true },
    { "num_attention_heads",     .gguf = "attention.head_count", SAYS(INT, heads), .needed = true },
    { "intermediate_size",       .gguf = "feed_forward_length",  SAYS(INT, f), .rows_of = W_IN },
    { "max_position_embeddings", .gguf = "context_length",       SAYS(INT, context), .needed = true },
    { "layer_norm_eps",          .gguf = "attention.layer_norm_epsilon", SAYS(NUMBER, norm_eps), .needed = true },
    { "use_parallel_residual",   .gguf = "use_parallel_residual", SAYS(BOOL, block.parallel) },
    { "rotary_pct",              .gguf = "rope.dimension_count", SAYS(SHARE, rope.dims), .needed = true },
    { "rotary_emb_base",         .gguf = "rope.freq_base",       SAYS(NUMBER, rope.base) },
    { "vocab_size",              .gguf = "vocab_size",           SAYS(INT, vocab), .rows_of = W_EMBED },
    { "attention_bias",          .there_of = B_Q },
    { .hf = NULL },
};

static const char *const neox_classes[]  = { "GPTNeoXForCausalLM", "GPTNeoXModel", NULL };
static const char *const neox_prefixes[] = { "gpt_neox.", "", NULL };

const arch arch_gpt_neox = {
    .name = "gpt_neox", .hf_classes = neox_classes, .hf_type = "gpt_neox", .prefixes = neox_prefixes,
    .block = { .part = { { PART_SELF, .before = NORM_1 }, { PART_MLP, .before = NORM_2 } }, .parallel = true },
    .norm = NORM_LAYER, .gguf = "gptneox", .weights = neox_rows, .fields = neox_fields, .config = read_neox,
};

/* ---- GPT-J ---- */

static const size_names gptj_sizes = { "n_embd", "n_layer", "n_head", NULL, NULL, "n_inner", "n_positions",
                                       4096, 28, 16, 0, 0, 0, 50400, 2048 };

static sonde_status read_gptj(const json *file, arch_config *c, sonde_error *err) {
    int64_t dims;
    SONDE_TRY(arch_sizes(file, &gptj_sizes, c, err));
    SONDE_TRY(config_activation(file, "activation_function", "gelu_new", &c->act, err));
    SONDE_TRY(config_double(file, "layer_norm_epsilon", 1e-5, 1, &c->norm_eps, err));
    SONDE_TRY(config_bool(file, "tie_word_embeddings", false, &c->tied, err));
    SONDE_TRY(arch_tokens(file, 50256, 50256, c, err));
    SONDE_TRY(config_int(file, (config_range){ "rotary_dim", NULL, 64, 2, MOST_WIDTH }, &dims, err));
    SONDE_FAIL_IF(dims > c->e || dims % 2, err, dims > c->e ? SONDE_FORMAT : SONDE_UNSUPPORTED,
                  "rotary_dim is %" PRId64 ", expected an even number of the %" PRId64 " of a head", dims, c->e);
    c->rope = (rope){ .dims = dims, .pairs = true, .base = 1e4, .attention = 1 };
    return SONDE_OK;
}

/* One norm feeds both halves. */
static const weight_row gptj_rows[] = {
    { W_EMBED,  .hf = "wte.weight" },
    { W_LN1,    .hf = "h.%d.ln_1.weight" },
    { B_LN1,    .hf = "h.%d.ln_1.bias" },
    { W_Q,      .hf = "h.%d.attn.q_proj.weight" },
    { W_K,      .hf = "h.%d.attn.k_proj.weight" },
    { W_V,      .hf = "h.%d.attn.v_proj.weight" },
    { W_O,      .hf = "h.%d.attn.out_proj.weight" },
    { W_LN2,    .hf = "h.%d.ln_1.weight" },
    { B_LN2,    .hf = "h.%d.ln_1.bias" },
    { W_IN,     .hf = "h.%d.mlp.fc_in.weight" },
    { B_IN,     .hf = "h.%d.mlp.fc_in.bias" },
    { W_OUT,    .hf = "h.%d.mlp.fc_out.weight" },
    { B_OUT,    .hf = "h.%d.mlp.fc_out.bias" },
    { W_LNF,    .hf = "ln_f.weight" },
    { B_LNF,    .hf = "ln_f.bias" },
    { W_UNEMBED, .hf = "lm_head.weight", .optional = true },
    { B_UNEMBED, .hf = "lm_head.bias" },
    { .id = W_NONE },
};

static const char *const gptj_classes[]  = { "GPTJForCausalLM", "GPTJModel", NULL };
static const char *const gptj_prefixes[] = { "transformer.", "", NULL };

const arch arch_gptj = {
    .name = "gptj", .hf_classes = gptj_classes, .hf_type = "gptj", .prefixes = gptj_prefixes,
    .block = { .part = { { PART_SELF, .before = NORM_1 }, { PART_MLP, .before = NORM_2 } }, .parallel = true },
    .norm = NORM_LAYER, .weights = gptj_rows, .config = read_gptj,
};
