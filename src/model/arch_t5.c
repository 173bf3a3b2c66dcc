/* The T5 family (v1.0, v1.1, Flan): RMS norm before each part, no biases, a table of distances for each stack in place of
 * positions, scores that are not scaled, an encoder in front. Raffel et al., Exploring the Limits of Transfer Learning with
 * a Unified Text-to-Text Transformer, 2020; fields and defaults as transformers 5 (T5Config) has them. */
#include "arch_fields.h"
#include "config.h"
#include "format/weights.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

static sonde_status read_sizes(const json *file, arch_config *c, sonde_error *err) {
    SONDE_TRY(config_int(file, (config_range){ "d_model", NULL, 512, 1, MOST_WIDTH }, &c->d, err));
    SONDE_TRY(config_int(file, (config_range){ "num_heads", NULL, 8, 1, MOST_WIDTH }, &c->heads, err));
    SONDE_TRY(config_int(file, (config_range){ "d_kv", NULL, 64, 1, MOST_WIDTH }, &c->e, err));
    SONDE_TRY(config_int(file, (config_range){ "d_ff", NULL, 2048, 1, MOST_INNER }, &c->f, err));
    SONDE_TRY(config_int(file, (config_range){ "vocab_size", NULL, 32128, 1, MOST_VOCAB }, &c->vocab, err));
    SONDE_TRY(config_int(file, (config_range){ "n_positions", NULL, 512, 1, MOST_CONTEXT }, &c->context, err));
    SONDE_FAIL_IF(c->e > MOST_WIDTH / c->heads, err, SONDE_FORMAT,
                  "d_kv is %" PRId64 " in %" PRId64 " heads, expected at most %d numbers in all", c->e, c->heads,
                  (int)MOST_WIDTH);
    c->kv_heads = c->heads;
    return SONDE_OK;
}

/* Half of an encoder's buckets are for keys behind the row, and half of each half hold one distance. */
static sonde_status read_distances(const json *file, arch_config *c, sonde_error *err) {
    SONDE_TRY(config_int(file, (config_range){ "relative_attention_num_buckets", NULL, 32, 4, MOST_WIDTH }, &c->buckets,
                         err));
    SONDE_TRY(config_int(file, (config_range){ "relative_attention_max_distance", NULL, 128, 1, MOST_CONTEXT },
                         &c->max_distance, err));
    SONDE_FAIL_IF(c->max_distance <= c->buckets / 2, err, SONDE_FORMAT,
                  "relative_attention_max_distance is %" PRId64 ", expected more than half of the %" PRId64 " buckets",
                  c->max_distance, c->buckets);
    return SONDE_OK;
}

/* "relu", "gated-gelu" (which is gelu_new), "gated-silu". */
static sonde_status read_mlp(const json *file, arch_config *c, sonde_error *err) {
    const char *name;
    SONDE_TRY(config_text(file, "feed_forward_proj", &name, err));
    if (!name) name = "relu";
    c->gated = strncmp(name, "gated-", 6) == 0;
    const char *act = strcmp(name, "gated-gelu") == 0 ? "gelu_new" : c->gated ? name + 6 : name;
    SONDE_TRY(config_activation_named("feed_forward_proj", act, &c->act, err));
    act_kind again;
    bool     gated;
    SONDE_TRY(config_activation(file, "dense_act_fn", act, &again, err));
    SONDE_TRY(config_bool(file, "is_gated_act", c->gated, &gated, err));
    SONDE_FAIL_IF(again != c->act || gated != c->gated, err, SONDE_UNSUPPORTED,
                  "feed_forward_proj is \"%s\", and dense_act_fn or is_gated_act says otherwise, expected them to agree",
                  name_shown(name).text);
    return SONDE_OK;
}

/* The product with d^-1/2 in front of the head belongs to tied heads. */
static sonde_status read_head(const json *file, arch_config *c, sonde_error *err) {
    bool scaled;
    SONDE_TRY(config_bool(file, "tie_word_embeddings", true, &c->tied, err));
    SONDE_TRY(config_bool(file, "scale_decoder_outputs", c->tied, &scaled, err));
    if (scaled) c->logit_scale = 1 / sqrt((double)c->d);
    SONDE_TRY(config_token(file, "eos_token_id", 1, c->vocab, &c->eos, err));
    return config_start(file, 0, c->vocab, &c->start, err);
}

static sonde_status read_config(const json *file, arch_config *c, sonde_error *err) {
    arch_config *e = c->encoder;
    SONDE_TRY(read_sizes(file, c, err));
    SONDE_TRY(config_int(file, (config_range){ "num_layers", NULL, 6, 1, MOST_LAYERS }, &e->layers, err));
    SONDE_TRY(arch_size_or(file, (config_range){ "num_decoder_layers", NULL, e->layers, 1, MOST_LAYERS }, &c->layers, err));
    SONDE_TRY(read_distances(file, c, err));
    SONDE_TRY(read_mlp(file, c, err));
    SONDE_TRY(config_double(file, "layer_norm_epsilon", 1e-6, 1, &c->norm_eps, err));
    c->score_scale = 1;
    SONDE_TRY(read_head(file, c, err));
    arch_share(c);
    return SONDE_OK;
}

#define ENCODER(id, name, other) \
    { W_##id, .hf = "encoder.block.%d.layer." name ".weight", .gguf = "enc.blk.%d." other ".weight", .stack = STACK_ENCODER }
#define DECODER(id, name, other) \
    { W_##id, .hf = "decoder.block.%d.layer." name ".weight", .gguf = "dec.blk.%d." other ".weight" }

static const weight_row rows[] = {
    { W_EMBED,  .hf = "shared.weight", .gguf = "token_embd.weight", .stack = STACK_ENCODER },
    { W_REL,    .hf = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", .gguf = "enc.blk.0.attn_rel_b.weight",
                .stack = STACK_ENCODER },
    ENCODER(LN1, "0.layer_norm", "attn_norm"),
    ENCODER(Q, "0.SelfAttention.q", "attn_q"), ENCODER(K, "0.SelfAttention.k", "attn_k"),
    ENCODER(V, "0.SelfAttention.v", "attn_v"), ENCODER(O, "0.SelfAttention.o", "attn_o"),
    ENCODER(LN2, "1.layer_norm", "ffn_norm"),
    { W_GATE,   .hf = "encoder.block.%d.layer.1.DenseReluDense.wi_0.weight", .gguf = "enc.blk.%d.ffn_gate.weight",
                .when = WHEN_GATED, .stack = STACK_ENCODER },
    { W_IN,     .hf = "encoder.block.%d.layer.1.DenseReluDense.wi_1.weight", .gguf = "enc.blk.%d.ffn_up.weight",
                .when = WHEN_GATED, .stack = STACK_ENCODER },
    { W_IN,     .hf = "encoder.block.%d.layer.1.DenseReluDense.wi.weight", .gguf = "enc.blk.%d.ffn_up.weight",
                .when = WHEN_PLAIN, .stack = STACK_ENCODER },
    ENCODER(OUT, "1.DenseReluDense.wo", "ffn_down"),
    { W_LNF,    .hf = "encoder.final_layer_norm.weight", .gguf = "enc.output_norm.weight", .stack = STACK_ENCODER },
    { W_EMBED,  .hf = "shared.weight", .gguf = "token_embd.weight" },
    { W_REL,    .hf = "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", .gguf = "dec.blk.0.attn_rel_b.weight" },
    DECODER(LN1, "0.layer_norm", "attn_norm"),
    DECODER(Q, "0.SelfAttention.q", "attn_q"), DECODER(K, "0.SelfAttention.k", "attn_k"),
    DECODER(V, "0.SelfAttention.v", "attn_v"), DECODER(O, "0.SelfAttention.o", "attn_o"),
    DECODER(LN2, "1.layer_norm", "cross_attn_norm"),
    DECODER(CQ, "1.EncDecAttention.q", "cross_attn_q"), DECODER(CK, "1.EncDecAttention.k", "cross_attn_k"),
    DECODER(CV, "1.EncDecAttention.v", "cross_attn_v"), DECODER(CO, "1.EncDecAttention.o", "cross_attn_o"),
    DECODER(LN3, "2.layer_norm", "ffn_norm"),
    { W_GATE,   .hf = "decoder.block.%d.layer.2.DenseReluDense.wi_0.weight", .gguf = "dec.blk.%d.ffn_gate.weight",
                .when = WHEN_GATED },
    { W_IN,     .hf = "decoder.block.%d.layer.2.DenseReluDense.wi_1.weight", .gguf = "dec.blk.%d.ffn_up.weight",
                .when = WHEN_GATED },
    { W_IN,     .hf = "decoder.block.%d.layer.2.DenseReluDense.wi.weight", .gguf = "dec.blk.%d.ffn_up.weight",
                .when = WHEN_PLAIN },
    DECODER(OUT, "2.DenseReluDense.wo", "ffn_down"),
    { W_LNF,    .hf = "decoder.final_layer_norm.weight", .gguf = "dec.output_norm.weight" },
    { W_UNEMBED, .hf = "lm_head.weight", .gguf = "output.weight", .optional = true },
    { .id = W_NONE },
};

static const config_row fields[] = {
    { "d_model",      .gguf = "embedding_length",     SAYS(INT, d), .needed = true },
    { "num_layers",   .gguf = "block_count",          SAYS(INT, layers), .stack = STACK_ENCODER, .needed = true },
    { "num_decoder_layers", .gguf = "decoder_block_count", SAYS(INT, layers) },
    { "num_heads",    .gguf = "attention.head_count", SAYS(INT, heads), .needed = true },
    { "d_kv",         .gguf = "attention.key_length", SAYS(INT, e) },
    { "d_kv",         .gguf = "attention.value_length", SAYS(INT, e) },
    { "d_ff",         .gguf = "feed_forward_length",  SAYS(INT, f), .needed = true },
    { "n_positions",  .gguf = "context_length",       SAYS(INT, context), .needed = true },
    { "layer_norm_epsilon", .gguf = "attention.layer_norm_rms_epsilon", SAYS(NUMBER, norm_eps), .needed = true },
    { "layer_norm_epsilon", .gguf = "attention.layer_norm_epsilon", SAYS(NUMBER, norm_eps) },
    { "relative_attention_num_buckets", .gguf = "attention.relative_buckets_count", SAYS(INT, buckets), .needed = true },
    { "decoder_start_token_id", .gguf = "decoder_start_token_id" },
    { "vocab_size",   .gguf = "vocab_size",           SAYS(INT, vocab), .rows_of = W_EMBED },
    { .hf = NULL },
};

/* Only v1.1 and its successors have gates, and those are gelu's. */
static const char *gguf_more(const gguf_words *o) {
    return weights_find(o->w, "enc.blk.0.ffn_gate.weight") ? "\"feed_forward_proj\": \"gated-gelu\"" : "";
}

static const char *const classes[]  = { "T5ForConditionalGeneration", "T5WithLMHeadModel", "T5Model", NULL };
static const char *const prefixes[] = { "", "transformer.", NULL };

const arch arch_t5 = {
    .name = "t5", .hf_classes = classes, .hf_type = "t5", .prefixes = prefixes,
    .block = { .part = { { PART_SELF, .before = NORM_1 }, { PART_CROSS, .before = NORM_2 }, { PART_MLP, .before = NORM_3 } } },
    .encoder = { .part = { { PART_SELF, .before = NORM_1 }, { PART_MLP, .before = NORM_2 } } },
    .norm = NORM_RMS, .gguf = "t5", .weights = rows, .fields = fields, .gguf_more = gguf_more, .config = read_config,
};
