/* Falcon: attention and MLP beside each other (or behind each other), under one norm or two; keys and values of one head, of
 * groups or of all; rotary positions or ALiBi. Almazrouei et al., The Falcon Series of Open Language Models, 2023; fields and
 * defaults as transformers 5 (FalconConfig) has them. */
#include "arch_fields.h"
#include "format/weights.h"
#include <inttypes.h>

static const size_names names = {
    "hidden_size", "num_hidden_layers", "num_attention_heads", NULL, NULL, "ffn_hidden_size", "max_position_embeddings",
    4544, 32, 71, 0, 0, 0, 65024, 2048,
};

static sonde_status read_heads(const json *file, arch_config *c, bool *later, sonde_error *err) {
    bool one;
    SONDE_TRY(config_bool(file, "new_decoder_architecture", false, later, err));
    SONDE_TRY(config_bool(file, "multi_query", true, &one, err));
    c->kv_heads = c->heads;
    if (*later)
        SONDE_TRY(arch_size_or(file, (config_range){ "num_kv_heads", NULL, c->heads, 1, MOST_WIDTH }, &c->kv_heads, err));
    else if (one) c->kv_heads = 1;
    SONDE_FAIL_IF(c->heads % c->kv_heads, err, SONDE_FORMAT, "num_kv_heads is %" PRId64 ", expected a divisor of "
                  "num_attention_heads %" PRId64, c->kv_heads, c->heads);
    return SONDE_OK;
}

static sonde_status read_config(const json *file, arch_config *c, sonde_error *err) {
    bool later, alibi, biases, parallel;
    SONDE_TRY(arch_sizes(file, &names, c, err));
    SONDE_TRY(read_heads(file, c, &later, err));
    SONDE_TRY(config_bool(file, "alibi", false, &alibi, err));
    SONDE_TRY(config_bool(file, "parallel_attn", true, &parallel, err));
    SONDE_TRY(config_bool(file, "bias", false, &biases, err));
    SONDE_FAIL_IF(later && !parallel, err, SONDE_UNSUPPORTED, "parallel_attn is false with new_decoder_architecture, expected "
                  "parallel parts");
    SONDE_TRY(config_double(file, "layer_norm_epsilon", 1e-5, 1, &c->norm_eps, err));
    SONDE_TRY(config_bool(file, "tie_word_embeddings", true, &c->tied, err));
    SONDE_TRY(config_activation(file, "activation", "gelu", &c->act, err));
    c->attn_bias = c->out_bias = c->mlp_bias = biases;
    c->block.parallel = later || parallel;
    c->alibi = alibi ? ALIBI_SCALED : ALIBI_NONE;
    SONDE_TRY(arch_tokens(file, 11, 11, c, err));
    return alibi ? SONDE_OK
                 : rope_config(file, (rope_fields){ .dims = c->e, .context = c->context }, &c->rope, err);
}

#define QKV(id, i, kind, there) { id, .hf = "h.%d.self_attention.query_key_value." kind, .gguf = "blk.%d.attn_qkv." kind, \
                                  .part = i, .parts = 3, .fused = FUSED_GROUPS, .when = there }
#define BIASED(id, name, other, there) { W_##id, .hf = "h.%d." name ".weight", .gguf = "blk.%d." other ".weight" }, \
    { B_##id, .hf = "h.%d." name ".bias", .gguf = "blk.%d." other ".bias", .when = there }
#define NORMED(id, name, other) BIASED(id, name, other, WHEN_ALWAYS)

/* A norm that both parts share is the second's too. */
static const weight_row rows[] = {
    { W_EMBED, .hf = "word_embeddings.weight", .gguf = "token_embd.weight" },
    NORMED(LN1, "ln_attn", "attn_norm_2"), NORMED(LN1, "input_layernorm", "attn_norm"),
    QKV(W_Q, 0, "weight", WHEN_ALWAYS), QKV(W_K, 1, "weight", WHEN_ALWAYS), QKV(W_V, 2, "weight", WHEN_ALWAYS),
    QKV(B_Q, 0, "bias", WHEN_ATTN_BIAS), QKV(B_K, 1, "bias", WHEN_ATTN_BIAS), QKV(B_V, 2, "bias", WHEN_ATTN_BIAS),
    BIASED(O, "self_attention.dense", "attn_output", WHEN_OUT_BIAS),
    NORMED(LN2, "ln_mlp", "attn_norm"), NORMED(LN2, "post_attention_layernorm", "ffn_norm"),
    { W_LN2,     .hf = "h.%d.input_layernorm.weight" },
    { B_LN2,     .hf = "h.%d.input_layernorm.bias" },
    BIASED(IN, "mlp.dense_h_to_4h", "ffn_up", WHEN_MLP_BIAS),
    BIASED(OUT, "mlp.dense_4h_to_h", "ffn_down", WHEN_MLP_BIAS),
    { W_LNF,     .hf = "ln_f.weight", .gguf = "output_norm.weight" },
    { B_LNF,     .hf = "ln_f.bias", .gguf = "output_norm.bias" },
    { W_UNEMBED, .hf = "lm_head.weight", .gguf = "output.weight", .optional = true },
    { .id = W_NONE },
};

static const config_row fields[] = {
    { "hidden_size",             .gguf = "embedding_length", SAYS(INT, d), .needed = true },
    { "num_hidden_layers",       .gguf = "block_count", SAYS(INT, layers), .needed = true },
    { "num_attention_heads",     .gguf = "attention.head_count", SAYS(INT, heads), .needed = true },
    { "num_kv_heads",            .gguf = "attention.head_count_kv", SAYS(INT, kv_heads) },
    { "ffn_hidden_size",         .gguf = "feed_forward_length", SAYS(INT, f) },
    { "max_position_embeddings", .gguf = "context_length", SAYS(INT, context), .needed = true },
    { "layer_norm_epsilon",      .gguf = "attention.layer_norm_epsilon", SAYS(NUMBER, norm_eps), .needed = true },
    { "rope_theta",              .gguf = "rope.freq_base", SAYS(NUMBER, rope.base) },
    { "vocab_size",              .gguf = "vocab_size", SAYS(INT, vocab), .rows_of = W_EMBED },
    { "bias",                    .there_of = B_Q },
    { .hf = NULL },
};

/* Two norms, or groups of heads, are the later architecture's. */
static const char *gguf_more(const gguf_words *o) {
    int64_t heads = 0, groups = 0;
    json_int(json_get(o->said, "num_attention_heads"), &heads);
    json_int(json_get(o->said, "num_kv_heads"), &groups);
    const bool two = weights_find(o->w, "blk.0.attn_norm_2.weight"), later = two || (groups != 1 && groups != heads);
    return arena_printf(o->into, "\"new_decoder_architecture\": %s,\n  \"multi_query\": %s%s", later ? "true" : "false",
                        !later && groups == 1 ? "true" : "false",
                        later && !two ? ",\n  \"num_ln_in_parallel_attn\": 1" : "");
}

static const char *const classes[]  = { "FalconForCausalLM", "FalconModel", NULL };
static const char *const prefixes[] = { "transformer.", "", NULL };

const arch arch_falcon = {
    .name = "falcon", .hf_classes = classes, .hf_type = "falcon", .prefixes = prefixes,
    .block = { .part = { { PART_SELF, .before = NORM_1 }, { PART_MLP, .before = NORM_2 } } },
    .norm = NORM_LAYER, .gguf = "falcon", .weights = rows, .fields = fields,
    .gguf_more = gguf_more, .config = read_config,
};
