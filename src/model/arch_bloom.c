/* Bloom: a norm behind the embedding, positions as slopes of the scores (ALiBi), queries, keys and values side by side in
 * each head. BigScience Workshop, BLOOM, 2022; fields and defaults as transformers 5 (BloomConfig) has them. */
#include "arch_fields.h"
#include <inttypes.h>
#include <math.h>

static sonde_status read_config(const json *file, arch_config *c, sonde_error *err) {
    static const char *const others[] = { "apply_residual_connection_post_layernorm", NULL };
    int64_t slices;
    SONDE_TRY(config_int(file, (config_range){ "hidden_size", "n_embed", 64, 1, MOST_WIDTH }, &c->d, err));
    SONDE_TRY(config_int(file, (config_range){ "n_layer", "num_hidden_layers", 2, 1, MOST_LAYERS }, &c->layers, err));
    SONDE_TRY(config_int(file, (config_range){ "n_head", "num_attention_heads", 8, 1, MOST_WIDTH }, &c->heads, err));
    SONDE_TRY(config_int(file, (config_range){ "vocab_size", NULL, 250880, 1, MOST_VOCAB }, &c->vocab, err));
    SONDE_TRY(config_int(file, (config_range){ "seq_length", NULL, 2048, 1, MOST_CONTEXT }, &c->context, err));
    SONDE_FAIL_IF(c->d % c->heads, err, SONDE_FORMAT, "n_head is %" PRId64 ", expected a divisor of hidden_size %" PRId64,
                  c->heads, c->d);
    SONDE_TRY(arch_refuse(file, others, err));
    SONDE_TRY(arch_size_or(file, (config_range){ "pretraining_tp", NULL, 1, INT32_MIN, INT32_MAX }, &slices, err));
    bool exact;
    SONDE_TRY(config_bool(file, "slow_but_exact", false, &exact, err));
    SONDE_FAIL_IF(slices != 1 && exact, err, SONDE_UNSUPPORTED, "pretraining_tp is %" PRId64 " with slow_but_exact, expected 1: "
                  "whole products", slices);
    SONDE_TRY(config_double(file, "layer_norm_epsilon", 1e-5, 1, &c->norm_eps, err));
    SONDE_TRY(config_bool(file, "tie_word_embeddings", true, &c->tied, err));
    c->kv_heads = c->heads;
    c->e = c->d / c->heads;
    c->f = 4 * c->d;
    c->score_scale = 1 / sqrt((double)c->e);
    c->alibi = ALIBI_ADDED;
    c->act = ACT_GELU_TANH;
    return arch_tokens(file, 1, 2, c, err);
}

#define QKV(id, i, kind) { id, .hf = "h.%d.self_attention.query_key_value." kind, .gguf = "blk.%d.attn_qkv." kind, .part = i, \
                           .parts = 3, .fused = FUSED_GROUPS }
#define BOTH(id, name, other) { W_##id, .hf = "h.%d." name ".weight", .gguf = "blk.%d." other ".weight" }, \
                              { B_##id, .hf = "h.%d." name ".bias", .gguf = "blk.%d." other ".bias" }

static const weight_row rows[] = {
    { W_EMBED, .hf = "word_embeddings.weight", .gguf = "token_embd.weight" },
    { W_LNE,   .hf = "word_embeddings_layernorm.weight", .gguf = "token_embd_norm.weight" },
    { B_LNE,   .hf = "word_embeddings_layernorm.bias", .gguf = "token_embd_norm.bias" },
    BOTH(LN1, "input_layernorm", "attn_norm"),
    QKV(W_Q, 0, "weight"), QKV(W_K, 1, "weight"), QKV(W_V, 2, "weight"),
    QKV(B_Q, 0, "bias"), QKV(B_K, 1, "bias"), QKV(B_V, 2, "bias"),
    BOTH(O, "self_attention.dense", "attn_output"),
    BOTH(LN2, "post_attention_layernorm", "ffn_norm"),
    BOTH(IN, "mlp.dense_h_to_4h", "ffn_up"),
    BOTH(OUT, "mlp.dense_4h_to_h", "ffn_down"),
    { W_LNF,     .hf = "ln_f.weight", .gguf = "output_norm.weight" },
    { B_LNF,     .hf = "ln_f.bias", .gguf = "output_norm.bias" },
    { W_UNEMBED, .hf = "lm_head.weight", .gguf = "output.weight", .optional = true },
    { .id = W_NONE },
};

static const config_row fields[] = {
    { "hidden_size",        .gguf = "embedding_length", SAYS(INT, d), .needed = true },
    { "n_layer",            .gguf = "block_count", SAYS(INT, layers), .needed = true },
    { "n_head",             .gguf = "attention.head_count", SAYS(INT, heads), .needed = true },
    { "seq_length",         .gguf = "context_length", SAYS(INT, context), .needed = true },
    { "n_inner",            .gguf = "feed_forward_length", SAYS(INT, f) },
    { "layer_norm_epsilon", .gguf = "attention.layer_norm_epsilon", SAYS(NUMBER, norm_eps), .needed = true },
    { "vocab_size",         .gguf = "vocab_size", SAYS(INT, vocab), .rows_of = W_EMBED },
    { .hf = NULL },
};

static const char *const classes[]  = { "BloomForCausalLM", "BloomModel", NULL };
static const char *const prefixes[] = { "transformer.", "", NULL };

const arch arch_bloom = {
    .name = "bloom", .hf_classes = classes, .hf_type = "bloom", .prefixes = prefixes,
    .block = { .part = { { PART_SELF, .before = NORM_1 }, { PART_MLP, .before = NORM_2 } } },
    .norm = NORM_LAYER, .gguf = "bloom", .weights = rows, .fields = fields, .config = read_config,
};
