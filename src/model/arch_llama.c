/* The Llama family (Llama 1, 2, 3 and models of the same shape): RMS norm before each half, rotary positions, grouped
 * key/value heads, gated MLP. Touvron et al., LLaMA: Open and Efficient Foundation Language Models, 2023. And Mistral's,
 * which see a window of positions: Jiang et al., Mistral 7B, 2023. Fields and defaults as transformers 5 (LlamaConfig,
 * MistralConfig) has them. */
#include "arch_fields.h"
#include <inttypes.h>
#include <stddef.h>

static const size_names llama_sizes = {
    "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "intermediate_size",
    "max_position_embeddings", 4096, 32, 32, 0, 0, 11008, 32000, 2048,
};
static const size_names mistral_sizes = {
    "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "intermediate_size",
    "max_position_embeddings", 4096, 32, 32, 8, 0, 14336, 32000, 131072,
};

/* Fields of relatives that compute other numbers: absent, null, false or zero here. */
static sonde_status refuse_relatives(const json *file, sonde_error *err) {
    static const char *const others[] = {
        "sliding_window", "attn_logit_softcapping", "final_logit_softcapping", "logit_scale", "clip_qkv",
        "use_qk_norm", "qk_layernorm", "num_local_experts", "num_experts", NULL,
    };
    bool sliding;
    SONDE_TRY(config_bool(file, "use_sliding_window", true, &sliding, err));
    SONDE_TRY(arch_refuse(file, others + !sliding, err));
    int64_t slices;
    SONDE_TRY(arch_size_or(file, (config_range){ "pretraining_tp", NULL, 1, INT32_MIN, INT32_MAX }, &slices, err));
    SONDE_FAIL_IF(slices != 1, err, SONDE_UNSUPPORTED, "pretraining_tp is %" PRId64 ", expected 1: whole products",
                  slices);
    return SONDE_OK;
}

static sonde_status read_common(const json *file, arch_config *c, sonde_error *err) {
    SONDE_TRY(config_activation(file, "hidden_act", "silu", &c->act, err));
    SONDE_TRY(config_double(file, "rms_norm_eps", 1e-6, 1, &c->norm_eps, err));
    SONDE_TRY(config_bool(file, "tie_word_embeddings", false, &c->tied, err));
    SONDE_TRY(arch_tokens(file, 1, 2, c, err));
    c->gated = true;
    SONDE_TRY(rope_config(file, (rope_fields){ .dims = c->e, .context = c->context }, &c->rope, err));
    c->context = rope_reach(&c->rope, c->context);
    return SONDE_OK;
}

static sonde_status read_llama(const json *file, arch_config *c, sonde_error *err) {
    SONDE_TRY(arch_sizes(file, &llama_sizes, c, err));
    SONDE_TRY(refuse_relatives(file, err));
    SONDE_TRY(config_bool(file, "attention_bias", false, &c->attn_bias, err));
    SONDE_TRY(config_bool(file, "mlp_bias", false, &c->mlp_bias, err));
    return read_common(file, c, err);
}

/* Every layer has the window, if there is one. */
static sonde_status read_mistral(const json *file, arch_config *c, sonde_error *err) {
    SONDE_TRY(arch_sizes(file, &mistral_sizes, c, err));
    SONDE_TRY(arch_windows(file, 4096, 1, c, err));
    return read_common(file, c, err);
}

static const weight_row rows[] = {
    { W_EMBED,   .hf = "embed_tokens.weight",
                 .gguf = "token_embd.weight", .meta = "tok_embeddings.weight" },
    { W_LN1,     .hf = "layers.%d.input_layernorm.weight",
                 .gguf = "blk.%d.attn_norm.weight", .meta = "layers.%d.attention_norm.weight" },
    { W_Q,       .hf = "layers.%d.self_attn.q_proj.weight",
                 .gguf = "blk.%d.attn_q.weight", .meta = "layers.%d.attention.wq.weight", .pairs = true },
    { B_Q,       .hf = "layers.%d.self_attn.q_proj.bias",
                 .gguf = "blk.%d.attn_q.bias", .when = WHEN_ATTN_BIAS, .pairs = true },
    { W_K,       .hf = "layers.%d.self_attn.k_proj.weight",
                 .gguf = "blk.%d.attn_k.weight", .meta = "layers.%d.attention.wk.weight", .pairs = true },
    { B_K,       .hf = "layers.%d.self_attn.k_proj.bias",
                 .gguf = "blk.%d.attn_k.bias", .when = WHEN_ATTN_BIAS, .pairs = true },
    { W_V,       .hf = "layers.%d.self_attn.v_proj.weight",
                 .gguf = "blk.%d.attn_v.weight", .meta = "layers.%d.attention.wv.weight" },
    { B_V,       .hf = "layers.%d.self_attn.v_proj.bias",
                 .gguf = "blk.%d.attn_v.bias", .when = WHEN_ATTN_BIAS },
    { W_O,       .hf = "layers.%d.self_attn.o_proj.weight",
                 .gguf = "blk.%d.attn_output.weight", .meta = "layers.%d.attention.wo.weight" },
    { B_O,       .hf = "layers.%d.self_attn.o_proj.bias",
                 .gguf = "blk.%d.attn_output.bias", .when = WHEN_ATTN_BIAS },
    { W_LN2,     .hf = "layers.%d.post_attention_layernorm.weight",
                 .gguf = "blk.%d.ffn_norm.weight", .meta = "layers.%d.ffn_norm.weight" },
    { W_GATE,    .hf = "layers.%d.mlp.gate_proj.weight",
                 .gguf = "blk.%d.ffn_gate.weight", .meta = "layers.%d.feed_forward.w1.weight" },
    { B_GATE,    .hf = "layers.%d.mlp.gate_proj.bias",
                 .gguf = "blk.%d.ffn_gate.bias", .when = WHEN_MLP_BIAS },
    { W_IN,      .hf = "layers.%d.mlp.up_proj.weight",
                 .gguf = "blk.%d.ffn_up.weight", .meta = "layers.%d.feed_forward.w3.weight" },
    { B_IN,      .hf = "layers.%d.mlp.up_proj.bias",
                 .gguf = "blk.%d.ffn_up.bias", .when = WHEN_MLP_BIAS },
    { W_OUT,     .hf = "layers.%d.mlp.down_proj.weight",
                 .gguf = "blk.%d.ffn_down.weight", .meta = "layers.%d.feed_forward.w2.weight" },
    { B_OUT,     .hf = "layers.%d.mlp.down_proj.bias",
                 .gguf = "blk.%d.ffn_down.bias", .when = WHEN_MLP_BIAS },
    { W_LNF,     .hf = "norm.weight",
                 .gguf = "output_norm.weight", .meta = "norm.weight" },
    { W_UNEMBED, .hf = "lm_head.weight",
                 .gguf = "output.weight", .meta = "output.weight", .optional = true },
    { W_ROPE,    .gguf = "rope_freqs.weight", .optional = true },
    { W_ROPE_SHORT, .gguf = "rope_factors_short.weight", .optional = true },
    { W_ROPE_LONG,  .gguf = "rope_factors_long.weight", .optional = true },
    { .id = W_NONE },
};

#define FIELDS \
    { "hidden_size",             .gguf = "embedding_length",        .meta = "dim",        SAYS(INT, d), .needed = true }, \
    { "num_hidden_layers",       .gguf = "block_count",             .meta = "n_layers",   SAYS(INT, layers), .needed = true }, \
    { "num_attention_heads",     .gguf = "attention.head_count",    .meta = "n_heads",    SAYS(INT, heads), .needed = true }, \
    { "num_key_value_heads",     .gguf = "attention.head_count_kv", .meta = "n_kv_heads", SAYS(INT, kv_heads) }, \
    { "head_dim",                .gguf = "attention.key_length",    .meta = "head_dim",   SAYS(INT, e) }, \
    { "head_dim",                .gguf = "attention.value_length",  SAYS(INT, e) }, \
    { "head_dim",                .gguf = "rope.dimension_count",    SAYS(INT, rope.dims) }, \
    { "intermediate_size",       .gguf = "feed_forward_length",     .meta = "hidden_dim", SAYS(INT, f), .rows_of = W_GATE }, \
    { "max_position_embeddings", .gguf = "context_length",          .meta = "seq_len",    SAYS(INT, context), .needed = true }, \
    { "rms_norm_eps",            .gguf = "attention.layer_norm_rms_epsilon", .meta = "norm_eps", SAYS(NUMBER, norm_eps), \
      .needed = true }, \
    { "rope_theta",              .gguf = "rope.freq_base",          .meta = "rope_theta", SAYS(NUMBER, rope.base) }, \
    { "vocab_size",              .gguf = "vocab_size",              SAYS(INT, vocab), .rows_of = W_EMBED }, \
    { "attention_bias",          .there_of = B_Q }, { "mlp_bias", .there_of = B_GATE },

static const config_row llama_fields[] = {
    FIELDS
    { .hf = NULL },
};
static const config_row mistral_fields[] = {
    FIELDS
    { "sliding_window", .gguf = "attention.sliding_window", SAYS(INT, window), .or_null = true },
    { .hf = NULL },
};

/* What Meta's params.json leaves to the reader's code: Llama 1's and 2's context, Llama 3's (known by its base), and the
 * scaling of 3.1 on. llama2.c's header says its context. Its norm's eps is written nowhere: 1e-5. */
static const char *meta_more(const json *params, arena *into) {
    bool   scaled = false;
    double base = 1e4;
    if (!params) return "\"rms_norm_eps\": 1e-05";
    json_bool(json_get(params, "use_scaled_rope"), &scaled);
    json_double(json_get(params, "rope_theta"), &base);
    const int context = scaled ? 131072 : base >= 5e5 ? 8192 : 4096;
    static const char scaling[] =
        ",\n  \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0, \"low_freq_factor\": 1.0, "
        "\"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 8192}";
    return arena_printf(into, "\"max_position_embeddings\": %d,\n  \"bos_token_id\": null,\n  \"eos_token_id\": null%s",
                        context, scaled ? scaling : "");
}

static const char *const llama_classes[]   = { "LlamaForCausalLM", "LLaMAForCausalLM", NULL };
static const char *const mistral_classes[] = { "MistralForCausalLM", "MistralModel", NULL };
static const char *const prefixes[] = { "model.", "", NULL };

const arch arch_llama = {
    .name = "llama", .hf_classes = llama_classes, .hf_type = "llama", .prefixes = prefixes,
    .block = { .part = { { PART_SELF, .before = NORM_1 }, { PART_MLP, .before = NORM_2 } } },
    .norm = NORM_RMS, .gguf = "llama", .weights = rows, .fields = llama_fields, .meta_more = meta_more,
    .config = read_llama,
};

const arch arch_mistral = {
    .name = "mistral", .hf_classes = mistral_classes, .hf_type = "mistral", .prefixes = prefixes,
    .block = { .part = { { PART_SELF, .before = NORM_1 }, { PART_MLP, .before = NORM_2 } } },
    .norm = NORM_RMS, .gguf = "llama", .weights = rows, .fields = mistral_fields, .config = read_mistral,
};
