/* The T5 family (v1.0, v1.1, Flan): RMS norm before each part, no biases, a table of distances for each stack in place of
 * positions, scores that are not scaled, an encoder in front. Raffel et al., Exploring the Limits of Transfer Learning with
 * a Unified Text-to-Text Transformer, 2020; fields and defaults as transformers 5 (T5Config) has them. */
#include "arch_fields.h"
#include "config.h"
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
    return config_activation_named("feed_forward_proj", act, &c->act, err);
}

/* The product with d^-1/2 in front of the head belongs to tied heads. */
static sonde_status read_head(const json *file, arch_config *c, sonde_error *err) {
    bool scaled;
    SONDE_TRY(config_bool(file, "tie_word_embeddings", true, &c->tied, err));
    SONDE_TRY(config_bool(file, "scale_decoder_outputs", c->tied, &scaled, err));
    if (scaled) c->logit_scale = 1 / sqrt((double)c->d);
    SONDE_TRY(config_token(file, "eos_token_id", 1, c->vocab, &c->eos, err));
    return config_token(file, "decoder_start_token_id", 0, c->vocab, &c->start, err);
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

#define ENCODER(id, name) { W_##id, .hf = "encoder.block.%d.layer." name ".weight", .stack = STACK_ENCODER }
#define DECODER(id, name) { W_##id, .hf = "decoder.block.%d.layer." name ".weight" }

static const weight_row rows[] = {
    { W_EMBED,  .hf = "shared.weight", .stack = STACK_ENCODER },
    { W_REL,    .hf = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", .stack = STACK_ENCODER },
    ENCODER(LN1, "0.layer_norm"),
    ENCODER(Q, "0.SelfAttention.q"), ENCODER(K, "0.SelfAttention.k"),
    ENCODER(V, "0.SelfAttention.v"), ENCODER(O, "0.SelfAttention.o"),
    ENCODER(LN2, "1.layer_norm"),
    { W_GATE,   .hf = "encoder.block.%d.layer.1.DenseReluDense.wi_0.weight", .when = WHEN_GATED, .stack = STACK_ENCODER },
    { W_IN,     .hf = "encoder.block.%d.layer.1.DenseReluDense.wi_1.weight", .when = WHEN_GATED, .stack = STACK_ENCODER },
    { W_IN,     .hf = "encoder.block.%d.layer.1.DenseReluDense.wi.weight", .when = WHEN_PLAIN, .stack = STACK_ENCODER },
    ENCODER(OUT, "1.DenseReluDense.wo"),
    { W_LNF,    .hf = "encoder.final_layer_norm.weight", .stack = STACK_ENCODER },
    { W_EMBED,  .hf = "shared.weight" },
    { W_REL,    .hf = "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight" },
    DECODER(LN1, "0.layer_norm"),
    DECODER(Q, "0.SelfAttention.q"), DECODER(K, "0.SelfAttention.k"),
    DECODER(V, "0.SelfAttention.v"), DECODER(O, "0.SelfAttention.o"),
    DECODER(LN2, "1.layer_norm"),
    DECODER(CQ, "1.EncDecAttention.q"), DECODER(CK, "1.EncDecAttention.k"),
    DECODER(CV, "1.EncDecAttention.v"), DECODER(CO, "1.EncDecAttention.o"),
    DECODER(LN3, "2.layer_norm"),
    { W_GATE,   .hf = "decoder.block.%d.layer.2.DenseReluDense.wi_0.weight", .when = WHEN_GATED },
    { W_IN,     .hf = "decoder.block.%d.layer.2.DenseReluDense.wi_1.weight", .when = WHEN_GATED },
    { W_IN,     .hf = "decoder.block.%d.layer.2.DenseReluDense.wi.weight", .when = WHEN_PLAIN },
    DECODER(OUT, "2.DenseReluDense.wo"),
    { W_LNF,    .hf = "decoder.final_layer_norm.weight" },
    { W_UNEMBED, .hf = "lm_head.weight", .optional = true },
    { .id = W_NONE },
};

static const char *const classes[]  = { "T5ForConditionalGeneration", "T5WithLMHeadModel", "T5Model", NULL };
static const char *const prefixes[] = { "", "transformer.", NULL };

const arch arch_t5 = {
    .name = "t5", .hf_classes = classes, .hf_type = "t5", .prefixes = prefixes,
    .block = { .part = { { PART_SELF, .before = NORM_1 }, { PART_CROSS, .before = NORM_2 }, { PART_MLP, .before = NORM_3 } } },
    .encoder = { .part = { { PART_SELF, .before = NORM_1 }, { PART_MLP, .before = NORM_2 } } },
    .norm = NORM_RMS, .weights = rows, .config = read_config,
};
