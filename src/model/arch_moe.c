/* Decoders whose MLPs are mixtures of experts: Mixtral (Llama's block), Qwen 3 MoE (Qwen 3's, some layers dense), OLMoE
 * (norms of all queries and all keys together) and gpt-oss (biases, windows in every other layer, a sink in every row of
 * scores, gates cut off at a limit). Jiang et al., Mixtral of Experts, 2024; Qwen3 Technical Report, 2025; Muennighoff et al.,
 * OLMoE, 2024; OpenAI, gpt-oss-120b & gpt-oss-20b Model Card, 2025; fields and defaults as transformers 5 (MixtralConfig,
 * Qwen3MoeConfig, OlmoeConfig, GptOssConfig) has them. */
#include "arch_fields.h"
#include <inttypes.h>

enum { MOST_EXPERTS = 4096 };

#define SIZES(head_dim)                                                                                            \
    "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", head_dim, "intermediate_size", \
    "max_position_embeddings"
static const size_names mixtral_sizes = { SIZES("head_dim"), 4096, 32, 32, 8, 0, 14336, 32000, 131072 };
static const size_names qwen_sizes    = { SIZES("head_dim"), 2048, 24, 32, 4, 0, 6144, 151936, 32768 };
static const size_names olmoe_sizes   = { SIZES(NULL), 2048, 16, 16, 0, 0, 2048, 50304, 4096 };
static const size_names gpt_oss_sizes = { SIZES("head_dim"), 2880, 36, 64, 8, 64, 2880, 201088, 131072 };

/* Models write the number of experts under either name. */
static sonde_status read_experts(const json *file, int64_t experts, int64_t chosen, arch_config *c, sonde_error *err) {
    SONDE_TRY(config_int(file, (config_range){ "num_local_experts", "num_experts", experts, 1, MOST_EXPERTS }, &c->experts, err));
    SONDE_TRY(config_int(file, (config_range){ "num_experts_per_tok", NULL, chosen, 1, MOST_EXPERTS }, &c->chosen, err));
    SONDE_FAIL_IF(c->chosen > c->experts, err, SONDE_FORMAT, "num_experts_per_tok is %" PRId64 ", expected at most the number of "
                  "experts, %" PRId64, c->chosen, c->experts);
    c->expert_f = c->f;
    return SONDE_OK;
}

static sonde_status read_common(const json *file, double base, arch_config *c, sonde_error *err) {
    SONDE_TRY(config_activation(file, "hidden_act", "silu", &c->act, err));
    SONDE_TRY(config_bool(file, "tie_word_embeddings", false, &c->tied, err));
    c->gated = true;
    SONDE_TRY(rope_config(file, (rope_fields){ .dims = c->e, .context = c->context, .fallback_base = base }, &c->rope, err));
    c->context = rope_reach(&c->rope, c->context);
    return SONDE_OK;
}

static sonde_status read_mixtral(const json *file, arch_config *c, sonde_error *err) {
    static const char *const others[] = { "attention_bias", "layer_types", NULL };
    SONDE_TRY(arch_sizes(file, &mixtral_sizes, c, err));
    SONDE_TRY(arch_refuse(file, others, err));
    SONDE_TRY(arch_windows(file, 0, 1, c, err));
    SONDE_TRY(arch_tokens(file, 1, 2, c, err));
    SONDE_TRY(read_experts(file, 8, 2, c, err));
    SONDE_TRY(config_double(file, "rms_norm_eps", 1e-5, 1, &c->norm_eps, err));
    c->renormalise = true;
    return read_common(file, 1e6, c, err);
}

/* Layers without experts: those named, and all but every `step`-th. */
static sonde_status read_dense(const json *file, arch_config *c, sonde_error *err) {
    int64_t     step, layer;
    const json *named = json_get(file, "mlp_only_layers");
    SONDE_TRY(config_int(file, (config_range){ "decoder_sparse_step", NULL, 1, 1, INT32_MAX }, &step, err));
    for (int64_t l = 0; l < c->layers; l++)
        if ((l + 1) % step) layer_add(c->dense, l);
    if (!named || named->kind == JSON_NULL) return SONDE_OK;
    SONDE_FAIL_IF(named->kind != JSON_ARRAY, err, SONDE_FORMAT, "mlp_only_layers is %s, expected a list of layers",
                  json_shown(named).text);
    for (const json *j = named->child; j; j = j->next) {
        SONDE_FAIL_IF(!json_int(j, &layer) || layer < 0 || layer >= c->layers, err, SONDE_FORMAT,
                      "mlp_only_layers has %s, expected layers from 0 to %" PRId64, json_shown(j).text, c->layers - 1);
        layer_add(c->dense, layer);
    }
    return SONDE_OK;
}

static sonde_status read_qwen(const json *file, arch_config *c, sonde_error *err) {
    static const char *const others[] = { "layer_types", NULL };
    bool on;
    SONDE_TRY(arch_sizes(file, &qwen_sizes, c, err));
    SONDE_TRY(arch_refuse(file, others, err));
    SONDE_TRY(config_bool(file, "use_sliding_window", false, &on, err));
    if (on) SONDE_TRY(arch_windows(file, 4096, 1, c, err));
    SONDE_TRY(arch_tokens(file, -1, -1, c, err));
    SONDE_TRY(read_experts(file, 128, 8, c, err));
    SONDE_TRY(config_int(file, (config_range){ "moe_intermediate_size", NULL, 768, 1, MOST_INNER }, &c->expert_f, err));
    SONDE_TRY(config_bool(file, "norm_topk_prob", false, &c->renormalise, err));
    SONDE_TRY(config_double(file, "rms_norm_eps", 1e-6, 1, &c->norm_eps, err));
    SONDE_TRY(config_bool(file, "attention_bias", false, &c->attn_bias, err));
    SONDE_TRY(read_dense(file, c, err));
    c->out_bias = c->attn_bias;
    c->qk_norm = QK_HEAD;
    return read_common(file, 1e4, c, err);
}

static sonde_status read_olmoe(const json *file, arch_config *c, sonde_error *err) {
    static const char *const others[] = { "sliding_window", "layer_types", NULL };
    SONDE_TRY(arch_sizes(file, &olmoe_sizes, c, err));
    SONDE_TRY(arch_refuse(file, others, err));
    SONDE_TRY(arch_tokens(file, -1, 50279, c, err));
    SONDE_TRY(read_experts(file, 64, 8, c, err));
    SONDE_TRY(config_bool(file, "norm_topk_prob", false, &c->renormalise, err));
    SONDE_TRY(config_double(file, "rms_norm_eps", 1e-5, 1, &c->norm_eps, err));
    SONDE_TRY(config_bool(file, "attention_bias", false, &c->attn_bias, err));
    SONDE_TRY(arch_number(file, "clip_qkv", 1e9, &c->clip_qkv, err));
    c->out_bias = c->attn_bias;
    c->qk_norm = QK_WHOLE;
    return read_common(file, 1e4, c, err);
}

/* Experts are chosen by logits and weighed by the softmax over the chosen: that of all, renormalised. */
static sonde_status read_gpt_oss(const json *file, arch_config *c, sonde_error *err) {
    double sharpness;
    SONDE_TRY(arch_sizes(file, &gpt_oss_sizes, c, err));
    SONDE_TRY(arch_windows(file, 128, 2, c, err));
    SONDE_TRY(arch_tokens(file, -1, -1, c, err));
    SONDE_TRY(read_experts(file, 128, 4, c, err));
    SONDE_TRY(config_double(file, "rms_norm_eps", 1e-5, 1, &c->norm_eps, err));
    SONDE_TRY(config_bool(file, "attention_bias", true, &c->attn_bias, err));
    SONDE_TRY(config_double(file, "swiglu_limit", 7, 1e9, &c->glu_limit, err));
    SONDE_TRY(config_double(file, "swiglu_alpha", 1.702, 1e9, &sharpness, err));
    SONDE_FAIL_IF((float)sharpness != 1.702f, err, SONDE_UNSUPPORTED, "swiglu_alpha is %g, expected 1.702", sharpness);
    SONDE_FAIL_IF(!(c->glu_limit > 0), err, SONDE_FORMAT, "swiglu_limit is %g, expected a number above zero", c->glu_limit);
    SONDE_FAIL_IF(!json_get(file, "rope_parameters") && !json_get(file, "rope_scaling"), err, SONDE_UNSUPPORTED,
                  "rope_parameters is not there, expected the scaling of rotary positions");
    c->out_bias = c->attn_bias;
    c->renormalise = c->clamped_glu = true;
    return read_common(file, 1.5e5, c, err);
}

#define ROW(id, name, other)    { W_##id, .hf = "layers.%d." name ".weight", .gguf = "blk.%d." other ".weight" }
#define PAIRS(id, name, other)  { W_##id, .hf = "layers.%d." name ".weight", .gguf = "blk.%d." other ".weight", .pairs = true }
#define BIAS(id, when_, name, other) \
    { B_##id, .hf = "layers.%d." name ".bias", .gguf = "blk.%d." other ".bias", .when = when_ }
#define BIASED(id, name, other) ROW(id, name, other), BIAS(id, WHEN_ATTN_BIAS, name, other)
#define SPARSE(id, name, other) { W_##id, .hf = "layers.%d." name ".weight", .gguf = "blk.%d." other ".weight", .when = WHEN_SPARSE }
#define DENSE(id, name, other)  { W_##id, .hf = "layers.%d." name ".weight", .gguf = "blk.%d." other ".weight", .when = WHEN_DENSE }
#define BEGIN  { W_EMBED, .hf = "embed_tokens.weight", .gguf = "token_embd.weight" }, ROW(LN1, "input_layernorm", "attn_norm")
#define END                                                                               \
    { W_LNF,     .hf = "norm.weight", .gguf = "output_norm.weight" },                     \
    { W_UNEMBED, .hf = "lm_head.weight", .gguf = "output.weight", .optional = true },     \
    { W_ROPE,    .gguf = "rope_freqs.weight", .optional = true },                         \
    { .id = W_NONE }
#define ATTENTION                                                                                          \
    BIASED(Q, "self_attn.q_proj", "attn_q"), BIASED(K, "self_attn.k_proj", "attn_k"),                      \
    BIASED(V, "self_attn.v_proj", "attn_v"), ROW(O, "self_attn.o_proj", "attn_output"),                    \
    BIAS(O, WHEN_OUT_BIAS, "self_attn.o_proj", "attn_output")
#define QK_NORMS ROW(QN, "self_attn.q_norm", "attn_q_norm"), ROW(KN, "self_attn.k_norm", "attn_k_norm")
/* As transformers 5 has them in memory, where a state_dict was saved as it is: gate and linear branch of all experts in one
 * array, one below the other. */
#define IN_MEMORY                                                                                                             \
    { W_X_GATE, .hf = "layers.%d.mlp.experts.gate_up_proj", .part = 0, .parts = 2, .when = WHEN_SPARSE },                     \
    { W_X_IN,   .hf = "layers.%d.mlp.experts.gate_up_proj", .part = 1, .parts = 2, .when = WHEN_SPARSE },                     \
    { W_X_OUT,  .hf = "layers.%d.mlp.experts.down_proj", .when = WHEN_SPARSE }
#define EXPERTS                                                          \
    SPARSE(ROUTER, "mlp.gate", "ffn_gate_inp"),                          \
    SPARSE(X_GATE, "mlp.experts.%e.gate_proj", "ffn_gate_exps"),         \
    SPARSE(X_IN, "mlp.experts.%e.up_proj", "ffn_up_exps"),               \
    SPARSE(X_OUT, "mlp.experts.%e.down_proj", "ffn_down_exps"), IN_MEMORY

static const weight_row mixtral_rows[] = {
    BEGIN, PAIRS(Q, "self_attn.q_proj", "attn_q"), PAIRS(K, "self_attn.k_proj", "attn_k"),
    ROW(V, "self_attn.v_proj", "attn_v"), ROW(O, "self_attn.o_proj", "attn_output"),
    ROW(LN2, "post_attention_layernorm", "ffn_norm"),
    ROW(ROUTER, "block_sparse_moe.gate", "ffn_gate_inp"),
    ROW(X_GATE, "block_sparse_moe.experts.%e.w1", "ffn_gate_exps"),
    ROW(X_IN, "block_sparse_moe.experts.%e.w3", "ffn_up_exps"),
    ROW(X_OUT, "block_sparse_moe.experts.%e.w2", "ffn_down_exps"),
    { W_ROUTER, .hf = "layers.%d.mlp.gate.weight" }, IN_MEMORY, END,
};

static const weight_row qwen_rows[] = {
    BEGIN, ATTENTION, QK_NORMS, ROW(LN2, "post_attention_layernorm", "ffn_norm"), EXPERTS,
    DENSE(GATE, "mlp.gate_proj", "ffn_gate"), DENSE(IN, "mlp.up_proj", "ffn_up"), DENSE(OUT, "mlp.down_proj", "ffn_down"), END,
};

static const weight_row olmoe_rows[] = {
    BEGIN, ATTENTION, QK_NORMS, ROW(LN2, "post_attention_layernorm", "ffn_norm"), EXPERTS, END,
};

/* Hugging Face has both branches of all experts in one array, inputs outermost; GGUF each for itself. */
static const weight_row gpt_oss_rows[] = {
    BEGIN, ATTENTION, { W_SINKS, .hf = "layers.%d.self_attn.sinks", .gguf = "blk.%d.attn_sinks.weight" },
    ROW(LN2, "post_attention_layernorm", "post_attention_norm"),
    ROW(ROUTER, "mlp.router", "ffn_gate_inp"), BIAS(ROUTER, WHEN_ALWAYS, "mlp.router", "ffn_gate_inp"),
    { W_X_BOTH, .hf = "layers.%d.mlp.experts.gate_up_proj", .layout = LAYOUT_IN_OUT },
    { B_X_BOTH, .hf = "layers.%d.mlp.experts.gate_up_proj_bias" },
    { W_X_GATE, .gguf = "blk.%d.ffn_gate_exps.weight" }, { B_X_GATE, .gguf = "blk.%d.ffn_gate_exps.bias" },
    { W_X_IN,   .gguf = "blk.%d.ffn_up_exps.weight" },   { B_X_IN,   .gguf = "blk.%d.ffn_up_exps.bias" },
    { W_X_OUT,  .hf = "layers.%d.mlp.experts.down_proj", .gguf = "blk.%d.ffn_down_exps.weight", .layout = LAYOUT_IN_OUT },
    { B_X_OUT,  .hf = "layers.%d.mlp.experts.down_proj_bias", .gguf = "blk.%d.ffn_down_exps.bias" }, END,
};

#define FIELDS                                                                                                          \
    { "hidden_size",             .gguf = "embedding_length",           SAYS(INT, d), .needed = true },                  \
    { "num_hidden_layers",       .gguf = "block_count",                SAYS(INT, layers), .needed = true },             \
    { "num_attention_heads",     .gguf = "attention.head_count",       SAYS(INT, heads), .needed = true },              \
    { "num_key_value_heads",     .gguf = "attention.head_count_kv",    SAYS(INT, kv_heads) },                           \
    { "intermediate_size",       .gguf = "feed_forward_length",        SAYS(INT, f), .needed = true },                  \
    { "max_position_embeddings", .gguf = "context_length",             SAYS(INT, context), .needed = true },            \
    { "rms_norm_eps",            .gguf = "attention.layer_norm_rms_epsilon", SAYS(NUMBER, norm_eps), .needed = true },  \
    { "rope_theta",              .gguf = "rope.freq_base",             SAYS(NUMBER, rope.base) },                       \
    { "vocab_size",              .gguf = "vocab_size",                 SAYS(INT, vocab), .rows_of = W_EMBED },                            \
    { "num_local_experts",       .gguf = "expert_count",               SAYS(INT, experts), .needed = true },            \
    { "num_experts_per_tok",     .gguf = "expert_used_count",          SAYS(INT, chosen), .needed = true }
#define HEAD_DIM                                                                                                        \
    { "head_dim",                .gguf = "attention.key_length",       SAYS(INT, e) },                                  \
    { "head_dim",                .gguf = "attention.value_length",     SAYS(INT, e) }
/* No key says it, but where other readers do not know the family: they renormalise Qwen's, and not OLMoE's. */
#define RENORMALISE { "norm_topk_prob", .gguf = "expert_weights_norm" }, { "attention_bias", .there_of = B_Q }

static const config_row mixtral_fields[] = {
    FIELDS, HEAD_DIM, { "head_dim", .gguf = "rope.dimension_count", SAYS(INT, rope.dims) },
    { "sliding_window", .gguf = "attention.sliding_window", SAYS(INT, window), .or_null = true }, { .hf = NULL },
};
static const config_row qwen_fields[] = {
    FIELDS, HEAD_DIM, { "moe_intermediate_size", .gguf = "expert_feed_forward_length", SAYS(INT, expert_f), .needed = true },
    RENORMALISE, { .hf = NULL },
};
static const char *qwen_more(const gguf_words *o) {
    return json_get(o->said, "norm_topk_prob") ? "" : "\"norm_topk_prob\": true";
}

/* Without a word for a scaling there is none. */
static const char *gpt_oss_more(const gguf_words *o) {
    return json_get(o->said, "rope_scaling") ? "" : "\"rope_scaling\": {\"rope_type\": \"default\"}";
}

static const config_row olmoe_fields[] = { FIELDS, RENORMALISE, { .hf = NULL } };
static const config_row gpt_oss_fields[] = {
    FIELDS, HEAD_DIM, { "intermediate_size", .gguf = "expert_feed_forward_length", SAYS(INT, expert_f) },
    { "sliding_window", .gguf = "attention.sliding_window", SAYS(INT, window), .or_null = true, .needed = true },
    { "layer_types", .gguf = "attention.sliding_window_pattern", SAYS(LAYERS, local), .period = 2 },
    { "attention_bias", .there_of = B_Q }, { .hf = NULL },
};

static const char *const prefixes[] = { "model.", "", NULL };
static const char *const mixtral_classes[] = { "MixtralForCausalLM", "MixtralModel", NULL };
static const char *const qwen_classes[]    = { "Qwen3MoeForCausalLM", "Qwen3MoeModel", NULL };
static const char *const olmoe_classes[]   = { "OlmoeForCausalLM", "OlmoeModel", NULL };
static const char *const gpt_oss_classes[] = { "GptOssForCausalLM", "GptOssModel", NULL };

#define BLOCK .block = { .part = { { PART_SELF, .before = NORM_1 }, { PART_MLP, .before = NORM_2 } } }, .norm = NORM_RMS

const arch arch_mixtral = {
    .name = "mixtral", .hf_classes = mixtral_classes, .hf_type = "mixtral", .prefixes = prefixes, BLOCK,
    .gguf = "llama", .weights = mixtral_rows, .fields = mixtral_fields, .config = read_mixtral,
};

const arch arch_qwen3_moe = {
    .name = "qwen3_moe", .hf_classes = qwen_classes, .hf_type = "qwen3_moe", .prefixes = prefixes, BLOCK,
    .gguf = "qwen3moe", .weights = qwen_rows, .fields = qwen_fields, .gguf_more = qwen_more, .config = read_qwen,
};

const arch arch_olmoe = {
    .name = "olmoe", .hf_classes = olmoe_classes, .hf_type = "olmoe", .prefixes = prefixes, BLOCK,
    .gguf = "olmoe", .weights = olmoe_rows, .fields = olmoe_fields, .config = read_olmoe,
};

const arch arch_gpt_oss = {
    .name = "gpt_oss", .hf_classes = gpt_oss_classes, .hf_type = "gpt_oss", .prefixes = prefixes, BLOCK,
    .gguf = "gpt-oss", .weights = gpt_oss_rows, .fields = gpt_oss_fields, .gguf_more = gpt_oss_more, .config = read_gpt_oss,
};
