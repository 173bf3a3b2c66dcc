/* StableLM: layer norms, rotation of a quarter of each head, gated MLP; StableLM 2 12B: attention and MLP read one norm, and
 * each head's queries and keys have a norm of their own. Bellagamba et al., Stable LM 2 Technical Report, 2024; fields and
 * defaults as transformers 5 (StableLmConfig) has them. */
#include "arch.h"
#include "arch_fields.h"
#include "config.h"
#include <inttypes.h>
#include <stddef.h>

static const size_names sizes = {
    "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", NULL, "intermediate_size",
    "max_position_embeddings", 2560, 32, 32, 32, 0, 6912, 50304, 4096,
};

static sonde_status read_config(const json *file, arch_config *c, sonde_error *err) {
    bool normed;
    SONDE_TRY(arch_sizes(file, &sizes, c, err));
    SONDE_TRY(config_activation(file, "hidden_act", "silu", &c->act, err));
    SONDE_TRY(config_double(file, "layer_norm_eps", 1e-5, 1, &c->norm_eps, err));
    SONDE_TRY(config_bool(file, "use_qkv_bias", false, &c->attn_bias, err));
    SONDE_TRY(config_bool(file, "qk_layernorm", false, &normed, err));
    SONDE_TRY(config_bool(file, "use_parallel_residual", false, &c->block.parallel, err));
    SONDE_TRY(config_bool(file, "tie_word_embeddings", false, &c->tied, err));
    SONDE_TRY(arch_tokens(file, 0, 0, c, err));
    c->qk_norm = normed ? QK_EACH : QK_NONE;
    c->gated = true;
    const rope_fields f = { .shares = true, .even = true, .dims = c->e, .context = c->context, .fallback_share = 0.25 };
    SONDE_TRY(rope_config(file, f, &c->rope, err));
    c->context = rope_reach(&c->rope, c->context);
    return SONDE_OK;
}

#define HEADS(id, name, gguf_name) \
    { id, .hf = "layers.%d.self_attn." name ".norms.%h.weight", .gguf = "blk.%d." gguf_name ".weight", .heads_apart = true, \
      .when = WHEN_QK_NORM }

static const weight_row rows[] = {
    { W_EMBED, .hf = "embed_tokens.weight", .gguf = "token_embd.weight" },
    { W_LN1,  .hf = "layers.%d.input_layernorm.weight", .gguf = "blk.%d.attn_norm.weight" },
    { B_LN1,  .hf = "layers.%d.input_layernorm.bias", .gguf = "blk.%d.attn_norm.bias" },
    { W_Q,    .hf = "layers.%d.self_attn.q_proj.weight", .gguf = "blk.%d.attn_q.weight" },
    { B_Q,    .hf = "layers.%d.self_attn.q_proj.bias", .gguf = "blk.%d.attn_q.bias", .when = WHEN_ATTN_BIAS },
    { W_K,    .hf = "layers.%d.self_attn.k_proj.weight", .gguf = "blk.%d.attn_k.weight" },
    { B_K,    .hf = "layers.%d.self_attn.k_proj.bias", .gguf = "blk.%d.attn_k.bias", .when = WHEN_ATTN_BIAS },
    { W_V,    .hf = "layers.%d.self_attn.v_proj.weight", .gguf = "blk.%d.attn_v.weight" },
    { B_V,    .hf = "layers.%d.self_attn.v_proj.bias", .gguf = "blk.%d.attn_v.bias", .when = WHEN_ATTN_BIAS },
    HEADS(W_QN, "q_layernorm", "attn_q_norm"), HEADS(W_KN, "k_layernorm", "attn_k_norm"),
    { W_O,    .hf = "layers.%d.self_attn.o_proj.weight", .gguf = "blk.%d.attn_output.weight" },
    { W_LN2,  .hf = "layers.%d.post_attention_layernorm.weight", .gguf = "blk.%d.ffn_norm.weight", .when = WHEN_SEQUENTIAL },
    { W_LN2,  .hf = "layers.%d.input_layernorm.weight", .gguf = "blk.%d.attn_norm.weight", .when = WHEN_PARALLEL },
    { B_LN2,  .hf = "layers.%d.post_attention_layernorm.bias", .gguf = "blk.%d.ffn_norm.bias", .when = WHEN_SEQUENTIAL },
    { B_LN2,  .hf = "layers.%d.input_layernorm.bias", .gguf = "blk.%d.attn_norm.bias", .when = WHEN_PARALLEL },
    { W_GATE, .hf = "layers.%d.mlp.gate_proj.weight", .gguf = "blk.%d.ffn_gate.weight" },
    { W_IN,   .hf = "layers.%d.mlp.up_proj.weight", .gguf = "blk.%d.ffn_up.weight" },
    { W_OUT,  .hf = "layers.%d.mlp.down_proj.weight", .gguf = "blk.%d.ffn_down.weight" },
    { W_LNF,  .hf = "norm.weight", .gguf = "output_norm.weight" },
    { B_LNF,  .hf = "norm.bias", .gguf = "output_norm.bias" },
    { W_UNEMBED, .hf = "lm_head.weight", .gguf = "output.weight", .optional = true },
    { .id = W_NONE },
};

static const config_row fields[] = {
    { "hidden_size",             .gguf = "embedding_length",     SAYS(INT, d), .needed = true },
    { "num_hidden_layers",       .gguf = "block_count",          SAYS(INT, layers), .needed = true },
    { "num_attention_heads",     .gguf = "attention.head_count", SAYS(INT, heads), .needed = true },
    { "num_key_value_heads",     .gguf = "attention.head_count_kv", SAYS(INT, kv_heads), .needed = true },
    { "intermediate_size",       .gguf = "feed_forward_length",  SAYS(INT, f), .rows_of = W_IN },
    { "max_position_embeddings", .gguf = "context_length",       SAYS(INT, context), .needed = true },
    { "layer_norm_eps",          .gguf = "attention.layer_norm_epsilon", SAYS(NUMBER, norm_eps), .needed = true },
    { "use_parallel_residual",   .gguf = "use_parallel_residual", SAYS(BOOL, block.parallel) },
    { "partial_rotary_factor",   .gguf = "rope.dimension_count", SAYS(SHARE, rope.dims), .needed = true },
    { "rope_theta",              .gguf = "rope.freq_base",       SAYS(NUMBER, rope.base) },
    { "vocab_size",              .gguf = "vocab_size",           SAYS(INT, vocab), .rows_of = W_EMBED },
    { "use_qkv_bias",            .there_of = B_Q },
    { "qk_layernorm",            .there_of = W_QN },
    { .hf = NULL },
};

static const char *const classes[]  = { "StableLmForCausalLM", "StableLmModel", NULL };
static const char *const prefixes[] = { "model.", "", NULL };

const arch arch_stablelm = {
    .name = "stablelm", .hf_classes = classes, .hf_type = "stablelm", .prefixes = prefixes,
    .block = { .part = { { PART_SELF, .before = NORM_1 }, { PART_MLP, .before = NORM_2 } } },
    .norm = NORM_LAYER, .gguf = "stablelm", .weights = rows, .fields = fields, .config = read_config,
};
