/* The GPT-2 family: layer norm before each half, learned positions, fused q k v, matrices stored [in, out] (Conv1D).
 * Radford et al., Language Models are Unsupervised Multitask Learners, 2019; fields and defaults as transformers 5
 * (GPT2Config) has them. */
#include "arch.h"
#include "config.h"
#include <inttypes.h>
#include <math.h>
#include <stddef.h>

static sonde_status read_sizes(const json *file, arch_config *c, sonde_error *err) {
    SONDE_TRY(config_int(file, (config_range){ "n_embd", "hidden_size", 768, 1, MOST_WIDTH }, &c->d, err));
    SONDE_TRY(config_int(file, (config_range){ "n_layer", "num_hidden_layers", 12, 1, MOST_LAYERS }, &c->layers, err));
    SONDE_TRY(config_int(file, (config_range){ "n_head", "num_attention_heads", 12, 1, MOST_WIDTH }, &c->heads, err));
    SONDE_TRY(config_int(file, (config_range){ "vocab_size", NULL, 50257, 1, MOST_VOCAB }, &c->vocab, err));
    int64_t n_ctx;
    SONDE_TRY(config_int(file, (config_range){ "n_ctx", NULL, 1024, 1, MOST_CONTEXT }, &n_ctx, err));
    SONDE_TRY(config_int(file, (config_range){ "n_positions", "max_position_embeddings", n_ctx, 1, MOST_CONTEXT },
                         &c->context, err));
    SONDE_FAIL_IF(c->d % c->heads, err, SONDE_FORMAT, "n_head is %" PRId64 ", expected a divisor of n_embd %" PRId64,
                  c->heads, c->d);
    c->kv_heads = c->heads;
    c->e = c->d / c->heads;
    c->f = 4 * c->d;
    const json *inner = json_get(file, "n_inner");
    if (inner && inner->kind != JSON_NULL)
        SONDE_TRY(config_int(file, (config_range){ "n_inner", NULL, 0, 1, MOST_INNER }, &c->f, err));
    return SONDE_OK;
}

static sonde_status read_config(const json *file, arch_config *c, sonde_error *err) {
    bool scale, cross;
    SONDE_TRY(read_sizes(file, c, err));
    SONDE_TRY(config_activation(file, "activation_function", "gelu_new", &c->act, err));
    SONDE_TRY(config_double(file, "layer_norm_epsilon", 1e-5, 1, &c->norm_eps, err));
    SONDE_TRY(config_bool(file, "scale_attn_weights", true, &scale, err));
    SONDE_TRY(config_bool(file, "scale_attn_by_inverse_layer_idx", false, &c->scale_by_layer, err));
    SONDE_TRY(config_bool(file, "tie_word_embeddings", true, &c->tied, err));
    SONDE_TRY(config_bool(file, "add_cross_attention", false, &cross, err));
    SONDE_FAIL_IF(cross, err, SONDE_UNSUPPORTED, "add_cross_attention is true, expected a model of one stack");
    SONDE_TRY(config_token(file, "bos_token_id", 50256, c->vocab, &c->bos, err));
    SONDE_TRY(config_token(file, "eos_token_id", 50256, c->vocab, &c->eos, err));
    c->score_scale = scale ? 1 / sqrt((double)c->e) : 1;
    return SONDE_OK;
}

static const weight_row rows[] = {
    { W_EMBED,  .hf = "wte.weight",               .gguf = "token_embd.weight" },
    { W_POS,    .hf = "wpe.weight",               .gguf = "position_embd.weight" },
    { W_LN1,    .hf = "h.%d.ln_1.weight",         .gguf = "blk.%d.attn_norm.weight" },
    { B_LN1,    .hf = "h.%d.ln_1.bias",           .gguf = "blk.%d.attn_norm.bias" },
    { W_Q,      .hf = "h.%d.attn.c_attn.weight",  .gguf = "blk.%d.attn_qkv.weight", .parts = 3,
                  .layout = LAYOUT_IN_OUT },
    { W_K, .hf = "h.%d.attn.c_attn.weight", .gguf = "blk.%d.attn_qkv.weight", .part = 1, .parts = 3,
                  .layout = LAYOUT_IN_OUT },
    { W_V, .hf = "h.%d.attn.c_attn.weight", .gguf = "blk.%d.attn_qkv.weight", .part = 2, .parts = 3,
                  .layout = LAYOUT_IN_OUT },
    { B_Q,      .hf = "h.%d.attn.c_attn.bias",    .gguf = "blk.%d.attn_qkv.bias", .parts = 3 },
    { B_K,      .hf = "h.%d.attn.c_attn.bias",    .gguf = "blk.%d.attn_qkv.bias", .part = 1, .parts = 3 },
    { B_V,      .hf = "h.%d.attn.c_attn.bias",    .gguf = "blk.%d.attn_qkv.bias", .part = 2, .parts = 3 },
    { W_O,      .hf = "h.%d.attn.c_proj.weight",  .gguf = "blk.%d.attn_output.weight", .layout = LAYOUT_IN_OUT },
    { B_O,      .hf = "h.%d.attn.c_proj.bias",    .gguf = "blk.%d.attn_output.bias" },
    { W_LN2,    .hf = "h.%d.ln_2.weight",         .gguf = "blk.%d.ffn_norm.weight" },
    { B_LN2,    .hf = "h.%d.ln_2.bias",           .gguf = "blk.%d.ffn_norm.bias" },
    { W_IN,     .hf = "h.%d.mlp.c_fc.weight",     .gguf = "blk.%d.ffn_up.weight", .layout = LAYOUT_IN_OUT },
    { B_IN,     .hf = "h.%d.mlp.c_fc.bias",       .gguf = "blk.%d.ffn_up.bias" },
    { W_OUT,    .hf = "h.%d.mlp.c_proj.weight",   .gguf = "blk.%d.ffn_down.weight", .layout = LAYOUT_IN_OUT },
    { B_OUT,    .hf = "h.%d.mlp.c_proj.bias",     .gguf = "blk.%d.ffn_down.bias" },
    { W_LNF,    .hf = "ln_f.weight",              .gguf = "output_norm.weight" },
    { B_LNF,    .hf = "ln_f.bias",                .gguf = "output_norm.bias" },
    { W_UNEMBED, .hf = "lm_head.weight",          .gguf = "output.weight", .optional = true },
    { .id = W_NONE },
};

static const config_row fields[] = {
    { "n_embd",             .gguf = "embedding_length", SAYS(INT, d), .needed = true },
    { "n_layer",            .gguf = "block_count", SAYS(INT, layers), .needed = true },
    { "n_head",             .gguf = "attention.head_count", SAYS(INT, heads), .needed = true },
    { "n_inner",            .gguf = "feed_forward_length", SAYS(INT, f) },
    { "n_positions",        .gguf = "context_length", SAYS(INT, context), .needed = true },
    { "layer_norm_epsilon", .gguf = "attention.layer_norm_epsilon", SAYS(NUMBER, norm_eps), .needed = true },
    { "vocab_size",         .gguf = "vocab_size", SAYS(INT, vocab), .rows_of = W_EMBED },
    { .hf = NULL },
};

static const char *const classes[]  = { "GPT2LMHeadModel", "GPT2Model", "GPT2DoubleHeadsModel", NULL };
static const char *const prefixes[] = { "transformer.", "", NULL };

const arch arch_gpt2 = {
    .name = "gpt2", .hf_classes = classes, .hf_type = "gpt2", .prefixes = prefixes,
    .block = { .part = { { PART_SELF, .before = NORM_1 }, { PART_MLP, .before = NORM_2 } } },
    .norm = NORM_LAYER, .gguf = "gpt2", .weights = rows, .fields = fields, .config = read_config,
};
