/* GPT BigCode (SantaCoder, StarCoder 1): GPT-2's blocks, with one head of keys and values for all queries. Ben Allal et al.,
 * SantaCoder: don't reach for the stars!, 2023; Li et al., StarCoder: may the source be with you!, 2023; fields and defaults as
 * transformers 5 (GPTBigCodeConfig) has them. */
#include "arch_fields.h"

static const size_names names = {
    "n_embd", "n_layer", "n_head", "num_key_value_heads", NULL, "n_inner", "n_positions", 768, 12, 12, 1, 0, 0, 50257, 1024,
};

static sonde_status read_config(const json *file, arch_config *c, sonde_error *err) {
    bool one, scaled;
    SONDE_TRY(arch_sizes(file, &names, c, err));
    SONDE_TRY(config_bool(file, "multi_query", c->kv_heads == 1, &one, err));
    SONDE_TRY(config_bool(file, "scale_attn_weights", true, &scaled, err));
    SONDE_TRY(config_activation(file, "activation_function", "gelu_pytorch_tanh", &c->act, err));
    SONDE_TRY(config_double(file, "layer_norm_epsilon", 1e-5, 1, &c->norm_eps, err));
    SONDE_TRY(config_bool(file, "tie_word_embeddings", true, &c->tied, err));
    c->kv_heads = one ? 1 : c->heads;
    if (!scaled) c->score_scale = 1;
    return arch_tokens(file, 50256, 50256, c, err);
}

/* With one head of keys and values there is one group: all queries, then the key, then the value. */
#define QKV(id, i, kind) { id, .hf = "h.%d.attn.c_attn." kind, .gguf = "blk.%d.attn_qkv." kind, .part = i, .parts = 3, \
                           .fused = FUSED_GROUPS }
#define BOTH(id, name, other) { W_##id, .hf = "h.%d." name ".weight", .gguf = "blk.%d." other ".weight" }, \
                              { B_##id, .hf = "h.%d." name ".bias", .gguf = "blk.%d." other ".bias" }

static const weight_row rows[] = {
    { W_EMBED, .hf = "wte.weight", .gguf = "token_embd.weight" },
    { W_POS,   .hf = "wpe.weight", .gguf = "position_embd.weight" },
    BOTH(LN1, "ln_1", "attn_norm"),
    QKV(W_Q, 0, "weight"), QKV(W_K, 1, "weight"), QKV(W_V, 2, "weight"),
    QKV(B_Q, 0, "bias"), QKV(B_K, 1, "bias"), QKV(B_V, 2, "bias"),
    BOTH(O, "attn.c_proj", "attn_output"),
    BOTH(LN2, "ln_2", "ffn_norm"),
    BOTH(IN, "mlp.c_fc", "ffn_up"),
    BOTH(OUT, "mlp.c_proj", "ffn_down"),
    { W_LNF,     .hf = "ln_f.weight", .gguf = "output_norm.weight" },
    { B_LNF,     .hf = "ln_f.bias", .gguf = "output_norm.bias" },
    { W_UNEMBED, .hf = "lm_head.weight", .gguf = "output.weight", .optional = true },
    { .id = W_NONE },
};

static const config_row fields[] = {
    { "n_embd",              .gguf = "embedding_length", SAYS(INT, d), .needed = true },
    { "n_layer",             .gguf = "block_count", SAYS(INT, layers), .needed = true },
    { "n_head",              .gguf = "attention.head_count", SAYS(INT, heads), .needed = true },
    { "num_key_value_heads", .gguf = "attention.head_count_kv", SAYS(INT, kv_heads), .needed = true },
    { "n_inner",             .gguf = "feed_forward_length", SAYS(INT, f) },
    { "n_positions",         .gguf = "context_length", SAYS(INT, context), .needed = true },
    { "layer_norm_epsilon",  .gguf = "attention.layer_norm_epsilon", SAYS(NUMBER, norm_eps), .needed = true },
    { "vocab_size",          .gguf = "vocab_size", .rows_of = W_EMBED },
    { .hf = NULL },
};

static const char *const classes[]  = { "GPTBigCodeForCausalLM", "GPTBigCodeModel", NULL };
static const char *const prefixes[] = { "transformer.", "", NULL };

const arch arch_gpt_bigcode = {
    .name = "gpt_bigcode", .hf_classes = classes, .hf_type = "gpt_bigcode", .prefixes = prefixes,
    .block = { .part = { { PART_SELF, .before = NORM_1 }, { PART_MLP, .before = NORM_2 } } },
    .norm = NORM_LAYER, .gguf = "starcoder", .weights = rows, .fields = fields, .config = read_config,
};
