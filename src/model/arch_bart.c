/* BART: norms behind the sums of both stacks, tables of positions two rows on, a bias of the logits apart from the head.
 * Lewis et al., BART: Denoising Sequence-to-Sequence Pre-training, 2019; fields and defaults as transformers 5 (BartConfig)
 * has them. */
#include "arch_fields.h"
#include "config.h"
#include <inttypes.h>
#include <math.h>

typedef struct { const char *layers, *heads, *f; } stack_names;

/* The sizes of one stack, whose d, vocab and context are known. */
static sonde_status read_stack(const json *file, const stack_names *n, arch_config *c, sonde_error *err) {
    SONDE_TRY(config_int(file, (config_range){ n->layers, NULL, 12, 1, MOST_LAYERS }, &c->layers, err));
    SONDE_TRY(config_int(file, (config_range){ n->heads, NULL, 16, 1, MOST_WIDTH }, &c->heads, err));
    SONDE_TRY(config_int(file, (config_range){ n->f, NULL, 4096, 1, MOST_INNER }, &c->f, err));
    SONDE_FAIL_IF(c->d % c->heads, err, SONDE_FORMAT, "%s is %" PRId64 ", expected a divisor of d_model %" PRId64, n->heads,
                  c->heads, c->d);
    c->kv_heads = c->heads;
    c->e = c->d / c->heads;
    c->score_scale = 1 / sqrt((double)c->e);
    return SONDE_OK;
}

static sonde_status read_config(const json *file, arch_config *c, sonde_error *err) {
    static const stack_names encoder = { "encoder_layers", "encoder_attention_heads", "encoder_ffn_dim" },
                             decoder = { "decoder_layers", "decoder_attention_heads", "decoder_ffn_dim" };
    static const char *const others[] = { "normalize_before", "add_final_layer_norm", "static_position_embeddings", NULL };
    bool scaled;
    SONDE_TRY(arch_refuse(file, others, err));
    SONDE_TRY(config_int(file, (config_range){ "d_model", NULL, 1024, 1, MOST_WIDTH }, &c->d, err));
    SONDE_TRY(config_int(file, (config_range){ "vocab_size", NULL, 50265, 1, MOST_VOCAB }, &c->vocab, err));
    SONDE_TRY(config_int(file, (config_range){ "max_position_embeddings", NULL, 1024, 1, MOST_CONTEXT }, &c->context, err));
    SONDE_TRY(config_activation(file, "activation_function", "gelu", &c->act, err));
    SONDE_TRY(config_bool(file, "scale_embedding", false, &scaled, err));
    SONDE_TRY(config_bool(file, "tie_word_embeddings", true, &c->tied, err));
    SONDE_FAIL_IF(!c->tied, err, SONDE_UNSUPPORTED, "tie_word_embeddings is false, expected one table for both stacks and the head");
    SONDE_TRY(arch_tokens(file, 0, 2, c, err));
    SONDE_TRY(config_start(file, 2, c->vocab, &c->start, err));
    SONDE_TRY(config_token(file, "forced_bos_token_id", -1, c->vocab, &c->forced_bos, err));
    SONDE_TRY(config_token(file, "forced_eos_token_id", 2, c->vocab, &c->forced_eos, err));
    c->norm_eps = 1e-5;
    c->final_norm = false;
    c->pos_offset = 2;
    c->logit_bias = true;
    if (scaled) c->embed_scale = sqrt((double)c->d);
    arch_share(c);
    SONDE_TRY(read_stack(file, &encoder, c->encoder, err));
    return read_stack(file, &decoder, c, err);
}

#define BOTH(id, of, name, in) \
    { W_##id, .hf = of ".layers.%d." name ".weight", .stack = in }, { B_##id, .hf = of ".layers.%d." name ".bias", .stack = in }
#define TABLES(of, in)                                              \
    { W_EMBED, .hf = "shared.weight", .stack = in },                \
    { W_POS, .hf = of ".embed_positions.weight", .stack = in },     \
    { W_LNE, .hf = of ".layernorm_embedding.weight", .stack = in }, \
    { B_LNE, .hf = of ".layernorm_embedding.bias", .stack = in }
#define PARTS(of, in)                                                                                               \
    BOTH(Q, of, "self_attn.q_proj", in), BOTH(K, of, "self_attn.k_proj", in), BOTH(V, of, "self_attn.v_proj", in),  \
    BOTH(O, of, "self_attn.out_proj", in), BOTH(LN1, of, "self_attn_layer_norm", in),                               \
    BOTH(IN, of, "fc1", in), BOTH(OUT, of, "fc2", in)

static const weight_row rows[] = {
    TABLES("encoder", STACK_ENCODER), PARTS("encoder", STACK_ENCODER), BOTH(LN2, "encoder", "final_layer_norm", STACK_ENCODER),
    TABLES("decoder", STACK_MAIN), PARTS("decoder", STACK_MAIN),
    BOTH(CQ, "decoder", "encoder_attn.q_proj", STACK_MAIN), BOTH(CK, "decoder", "encoder_attn.k_proj", STACK_MAIN),
    BOTH(CV, "decoder", "encoder_attn.v_proj", STACK_MAIN), BOTH(CO, "decoder", "encoder_attn.out_proj", STACK_MAIN),
    BOTH(LN2, "decoder", "encoder_attn_layer_norm", STACK_MAIN), BOTH(LN3, "decoder", "final_layer_norm", STACK_MAIN),
    { W_UNEMBED, .hf = "lm_head.weight", .optional = true },
    { B_UNEMBED, .hf = "final_logits_bias", .as_row = true, .optional = true },
    { .id = W_NONE },
};

static const char *const classes[]  = { "BartForConditionalGeneration", "BartModel", NULL };
static const char *const prefixes[] = { "model.", "", NULL };

const arch arch_bart = {
    .name = "bart", .hf_classes = classes, .hf_type = "bart", .prefixes = prefixes,
    .block = { .part = { { PART_SELF, .after_sum = NORM_1 }, { PART_CROSS, .after_sum = NORM_2 },
                         { PART_MLP, .after_sum = NORM_3 } } },
    .encoder = { .part = { { PART_SELF, .after_sum = NORM_1 }, { PART_MLP, .after_sum = NORM_2 } } },
    .norm = NORM_LAYER, .weights = rows, .config = read_config,
};
