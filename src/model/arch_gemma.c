/* The Gemma families: embeddings times sqrt(d), norms whose weight is stored less one, tanh-gelu gates; Gemma 2 and 3 with
 * norms on both sides of each part and windows, 2 with soft caps, 3 with norms of queries and keys and two rotations.
 * Gemma Team, Gemma, 2024; Gemma 2, 2024; Gemma 3, 2025; fields and defaults as transformers 5 (GemmaConfig, Gemma2Config,
 * Gemma3TextConfig) has them. */
#include "arch_fields.h"
#include <inttypes.h>
#include <math.h>

#define SIZES "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim", \
              "intermediate_size", "max_position_embeddings"
static const size_names names_1 = { SIZES, 3072, 28, 16, 16, 256, 24576, 256000, 8192 };
static const size_names names_2 = { SIZES, 2304, 26, 8, 4, 256, 9216, 256000, 8192 };
static const size_names names_3 = { SIZES, 2304, 26, 8, 4, 256, 9216, 262208, 131072 };

static sonde_status read_common(const json *file, const size_names *n, arch_config *c, sonde_error *err) {
    static const char *const others[] = { "use_bidirectional_attention", NULL };
    SONDE_TRY(arch_sizes(file, n, c, err));
    SONDE_TRY(arch_refuse(file, others, err));
    SONDE_TRY(config_double(file, "rms_norm_eps", 1e-6, 1, &c->norm_eps, err));
    SONDE_TRY(config_bool(file, "tie_word_embeddings", true, &c->tied, err));
    SONDE_TRY(config_bool(file, "attention_bias", false, &c->attn_bias, err));
    c->embed_scale = sqrt((double)c->d);
    return arch_tokens(file, 2, 1, c, err);
}

/* Where the first releases say gelu they mean its tanh form. */
static sonde_status read_1(const json *file, arch_config *c, sonde_error *err) {
    SONDE_TRY(read_common(file, &names_1, c, err));
    SONDE_TRY(config_activation(file, "hidden_act", "gelu_pytorch_tanh", &c->act, err));
    if (c->act == ACT_GELU) c->act = ACT_GELU_TANH;
    return rope_config(file, (rope_fields){ .dims = c->e, .context = c->context }, &c->rope, err);
}

static sonde_status read_later(const json *file, const size_names *n, int64_t pattern, arch_config *c, sonde_error *err) {
    SONDE_TRY(read_common(file, n, c, err));
    SONDE_TRY(config_activation(file, "hidden_activation", "gelu_pytorch_tanh", &c->act, err));
    double scalar;
    SONDE_TRY(config_double(file, "query_pre_attn_scalar", 256, 1e9, &scalar, err));
    SONDE_FAIL_IF(!(scalar > 0), err, SONDE_FORMAT, "query_pre_attn_scalar is %g, expected a number above zero", scalar);
    c->score_scale = 1 / sqrt(scalar);
    SONDE_TRY(arch_number(file, "attn_logit_softcapping", 1e9, &c->score_cap, err));
    SONDE_TRY(arch_number(file, "final_logit_softcapping", 1e9, &c->logit_cap, err));
    return arch_windows(file, 4096, pattern, c, err);
}

static sonde_status read_2(const json *file, arch_config *c, sonde_error *err) {
    SONDE_TRY(read_later(file, &names_2, 2, c, err));
    if (!json_get(file, "attn_logit_softcapping")) c->score_cap = 50;
    if (!json_get(file, "final_logit_softcapping")) c->logit_cap = 30;
    return rope_config(file, (rope_fields){ .dims = c->e, .context = c->context }, &c->rope, err);
}

static sonde_status read_3(const json *file, arch_config *c, sonde_error *err) {
    int64_t pattern;
    double  base;
    SONDE_TRY(config_int(file, (config_range){ "sliding_window_pattern", NULL, 6, 1, MOST_LAYERS },
                         &pattern, err));
    SONDE_TRY(read_later(file, &names_3, pattern == 1 ? 0 : pattern, c, err));      /* each is the last of its period: none slides */
    c->score_cap = 0;                       /* the field is there, and nothing reads it */
    SONDE_TRY(config_double(file, "rope_local_base_freq", 1e4, 1e12, &base, err));
    c->qk_norm = QK_HEAD;
    SONDE_TRY(rope_config(file, (rope_fields){ .dims = c->e, .context = c->context, .part = "full_attention",
                                               .fallback_base = 1e6 }, &c->rope, err));
    return rope_config(file, (rope_fields){ .dims = c->e, .context = c->context, .part = "sliding_attention",
                                            .fallback_base = base }, &c->rope_local, err);
}

#define NORM_ROW(id, name, other) \
    { W_##id, .hf = "layers.%d." name ".weight", .gguf = "blk.%d." other ".weight", .less_one = true }
#define PRODUCT(id, name, other)  { W_##id, .hf = "layers.%d." name ".weight", .gguf = "blk.%d." other ".weight" }
#define BIAS(id, name, other)     { B_##id, .hf = "layers.%d." name ".bias", .gguf = "blk.%d." other ".bias", .when = WHEN_ATTN_BIAS }
#define ATTENTION                                                                                            \
    PRODUCT(Q, "self_attn.q_proj", "attn_q"), BIAS(Q, "self_attn.q_proj", "attn_q"),                         \
    PRODUCT(K, "self_attn.k_proj", "attn_k"), BIAS(K, "self_attn.k_proj", "attn_k"),                         \
    PRODUCT(V, "self_attn.v_proj", "attn_v"), BIAS(V, "self_attn.v_proj", "attn_v"),                         \
    PRODUCT(O, "self_attn.o_proj", "attn_output"), BIAS(O, "self_attn.o_proj", "attn_output")
#define GATED_MLP \
    PRODUCT(GATE, "mlp.gate_proj", "ffn_gate"), PRODUCT(IN, "mlp.up_proj", "ffn_up"), PRODUCT(OUT, "mlp.down_proj", "ffn_down")
#define ENDS                                                                                \
    { W_LNF,     .hf = "norm.weight", .gguf = "output_norm.weight", .less_one = true },     \
    { W_UNEMBED, .hf = "lm_head.weight", .gguf = "output.weight", .optional = true },       \
    { .id = W_NONE }

static const weight_row rows_1[] = {
    { W_EMBED, .hf = "embed_tokens.weight", .gguf = "token_embd.weight" },
    NORM_ROW(LN1, "input_layernorm", "attn_norm"), ATTENTION,
    NORM_ROW(LN2, "post_attention_layernorm", "ffn_norm"), GATED_MLP, ENDS,
};

#define SANDWICH                                                              \
    NORM_ROW(LN1, "input_layernorm", "attn_norm"), ATTENTION,                 \
    NORM_ROW(LN1_POST, "post_attention_layernorm", "post_attention_norm"),    \
    NORM_ROW(LN2, "pre_feedforward_layernorm", "ffn_norm"), GATED_MLP,        \
    NORM_ROW(LN2_POST, "post_feedforward_layernorm", "post_ffw_norm")

static const weight_row rows_2[] = {
    { W_EMBED, .hf = "embed_tokens.weight", .gguf = "token_embd.weight" }, SANDWICH, ENDS,
};

static const weight_row rows_3[] = {
    { W_EMBED, .hf = "embed_tokens.weight", .gguf = "token_embd.weight" }, SANDWICH,
    NORM_ROW(QN, "self_attn.q_norm", "attn_q_norm"), NORM_ROW(KN, "self_attn.k_norm", "attn_k_norm"), ENDS,
};

#define FIELDS                                                                                             \
    { "hidden_size",             .gguf = "embedding_length", SAYS(INT, d), .needed = true },               \
    { "num_hidden_layers",       .gguf = "block_count", SAYS(INT, layers), .needed = true },               \
    { "num_attention_heads",     .gguf = "attention.head_count", SAYS(INT, heads), .needed = true },       \
    { "num_key_value_heads",     .gguf = "attention.head_count_kv", SAYS(INT, kv_heads) },                 \
    { "head_dim",                .gguf = "attention.key_length", SAYS(INT, e) },                           \
    { "head_dim",                .gguf = "attention.value_length", SAYS(INT, e) },                         \
    { "intermediate_size",       .gguf = "feed_forward_length", SAYS(INT, f), .needed = true },            \
    { "max_position_embeddings", .gguf = "context_length", SAYS(INT, context), .needed = true },           \
    { "rms_norm_eps",            .gguf = "attention.layer_norm_rms_epsilon", SAYS(NUMBER, norm_eps), .needed = true }, \
    { "vocab_size",              .gguf = "vocab_size", SAYS(INT, vocab), .rows_of = W_EMBED },                               \
    { "attention_bias",          .there_of = B_Q }

static const config_row fields_1[] = { FIELDS, { "rope_theta", .gguf = "rope.freq_base", SAYS(NUMBER, rope.base) }, { .hf = NULL } };
static const config_row fields_2[] = {
    FIELDS, { "rope_theta", .gguf = "rope.freq_base", SAYS(NUMBER, rope.base) },
    { "sliding_window",          .gguf = "attention.sliding_window", SAYS(INT, window), .or_null = true },
    { "attn_logit_softcapping",  .gguf = "attn_logit_softcapping", SAYS(NUMBER, score_cap), .or_null = true },
    { "final_logit_softcapping", .gguf = "final_logit_softcapping", SAYS(NUMBER, logit_cap), .or_null = true },
    { "layer_types",             .gguf = "attention.sliding_window_pattern", SAYS(LAYERS, local), .period = 2 },
    { .hf = NULL },
};
static const config_row fields_3[] = {
    FIELDS, { "rope_theta", .gguf = "rope.freq_base", SAYS(NUMBER, rope.base) },
    { "rope_local_base_freq",    .gguf = "rope.freq_base_swa", SAYS(NUMBER, rope_local.base) },
    { "sliding_window",          .gguf = "attention.sliding_window", SAYS(INT, window), .or_null = true },
    { "attn_logit_softcapping",  .gguf = "attn_logit_softcapping", SAYS(NUMBER, score_cap), .or_null = true },
    { "final_logit_softcapping", .gguf = "final_logit_softcapping", SAYS(NUMBER, logit_cap), .or_null = true },
    { "layer_types",             .gguf = "attention.sliding_window_pattern", SAYS(LAYERS, local), .period = 6 },
    { .hf = NULL },
};

/* GGUF has no key for the scale of scores: 1 / sqrt(e), but for the largest model of each family, known by its layers. */
static const char *more(const gguf_words *o, int64_t largest) {
    int64_t d = 0, layers = 0, heads = 1, e = 0;
    json_int(json_get(o->said, "hidden_size"), &d);
    json_int(json_get(o->said, "num_hidden_layers"), &layers);
    json_int(json_get(o->said, "num_attention_heads"), &heads);
    json_int(json_get(o->said, "head_dim"), &e);
    return arena_printf(o->into, "\"query_pre_attn_scalar\": %" PRId64, layers == largest && heads > 0 ? d / heads : e);
}

static const char *more_2(const gguf_words *o) { return more(o, 46); }
static const char *more_3(const gguf_words *o) { return more(o, 62); }

static const char *const prefixes[]  = { "model.", "", NULL };
static const char *const classes_1[] = { "GemmaForCausalLM", "GemmaModel", NULL };
static const char *const classes_2[] = { "Gemma2ForCausalLM", "Gemma2Model", NULL };
static const char *const classes_3[] = { "Gemma3ForCausalLM", "Gemma3TextModel", NULL };

#define SANDWICHED { .part = { { PART_SELF, .before = NORM_1, .after = NORM_1_POST }, \
                               { PART_MLP, .before = NORM_2, .after = NORM_2_POST } } }

const arch arch_gemma = {
    .name = "gemma", .hf_classes = classes_1, .hf_type = "gemma", .prefixes = prefixes,
    .block = { .part = { { PART_SELF, .before = NORM_1 }, { PART_MLP, .before = NORM_2 } } },
    .norm = NORM_RMS, .gguf = "gemma", .weights = rows_1, .fields = fields_1, .config = read_1,
};

const arch arch_gemma2 = {
    .name = "gemma2", .hf_classes = classes_2, .hf_type = "gemma2", .prefixes = prefixes, .block = SANDWICHED,
    .norm = NORM_RMS, .gguf = "gemma2", .weights = rows_2, .fields = fields_2, .gguf_more = more_2, .config = read_2,
};

const arch arch_gemma3 = {
    .name = "gemma3", .hf_classes = classes_3, .hf_type = "gemma3_text", .prefixes = prefixes, .block = SANDWICHED,
    .norm = NORM_RMS, .gguf = "gemma3", .weights = rows_3, .fields = fields_3,
    .gguf_more = more_3, .config = read_3,
};
