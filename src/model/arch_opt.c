/* OPT: norms in front of the parts, or (350m) behind their sums; positions two rows on; perhaps embeddings of another width.
 * Zhang et al., OPT: Open Pre-trained Transformer Language Models, 2022; fields and defaults as transformers 5 (OPTConfig)
 * has them. */
#include "arch_fields.h"

static const size_names names = {
    "hidden_size", "num_hidden_layers", "num_attention_heads", NULL, NULL, "ffn_dim", "max_position_embeddings",
    768, 12, 12, 0, 0, 3072, 50272, 2048,
};

static const block_spec post_norm = { .part = { { PART_SELF, .after_sum = NORM_1 }, { PART_MLP, .after_sum = NORM_2 } } };

static sonde_status read_config(const json *file, arch_config *c, sonde_error *err) {
    bool before, removed, biases;
    SONDE_TRY(arch_sizes(file, &names, c, err));
    SONDE_TRY(arch_size_or(file, (config_range){ "word_embed_proj_dim", NULL, c->d, 1, MOST_WIDTH }, &c->width, err));
    SONDE_TRY(config_bool(file, "do_layer_norm_before", true, &before, err));
    SONDE_TRY(config_bool(file, "_remove_final_layer_norm", false, &removed, err));
    SONDE_TRY(config_bool(file, "enable_bias", true, &biases, err));
    SONDE_TRY(config_bool(file, "layer_norm_elementwise_affine", true, &c->norm_weights, err));
    SONDE_TRY(config_bool(file, "tie_word_embeddings", true, &c->tied, err));
    SONDE_TRY(config_activation(file, "activation_function", "relu", &c->act, err));
    if (!before) c->block = post_norm;
    c->final_norm = before && !removed;
    c->attn_bias = c->out_bias = c->mlp_bias = biases;
    c->pos_offset = 2;
    c->norm_eps = 1e-5;
    return arch_tokens(file, 2, 2, c, err);
}

#define BIASED(id, name, there) \
    { W_##id, .hf = "layers.%d." name ".weight" }, { B_##id, .hf = "layers.%d." name ".bias", .when = there }
#define NORMED(id, name) { W_##id, .hf = "layers.%d." name ".weight", .when = WHEN_NORM_WEIGHTS }, \
                         { B_##id, .hf = "layers.%d." name ".bias", .when = WHEN_NORM_WEIGHTS }

static const weight_row rows[] = {
    { W_EMBED,    .hf = "embed_tokens.weight" },
    { W_PROJ_IN,  .hf = "project_in.weight", .when = WHEN_PROJECTED },
    { W_POS,      .hf = "embed_positions.weight" },
    NORMED(LN1, "self_attn_layer_norm"),
    BIASED(Q, "self_attn.q_proj", WHEN_ATTN_BIAS),
    BIASED(K, "self_attn.k_proj", WHEN_ATTN_BIAS),
    BIASED(V, "self_attn.v_proj", WHEN_ATTN_BIAS),
    BIASED(O, "self_attn.out_proj", WHEN_OUT_BIAS),
    NORMED(LN2, "final_layer_norm"),
    BIASED(IN, "fc1", WHEN_MLP_BIAS),
    BIASED(OUT, "fc2", WHEN_MLP_BIAS),
    { W_LNF,      .hf = "final_layer_norm.weight", .when = WHEN_FINAL_NORM },
    { B_LNF,      .hf = "final_layer_norm.bias", .when = WHEN_FINAL_NORM },
    { W_PROJ_OUT, .hf = "project_out.weight", .when = WHEN_PROJECTED },
    { W_UNEMBED,  .hf = "lm_head.weight", .optional = true },
    { .id = W_NONE },
};

static const char *const classes[]  = { "OPTForCausalLM", "OPTModel", NULL };
static const char *const prefixes[] = { "model.decoder.", "decoder.", "", NULL };

const arch arch_opt = {
    .name = "opt", .hf_classes = classes, .hf_type = "opt", .prefixes = prefixes,
    .block = { .part = { { PART_SELF, .before = NORM_1 }, { PART_MLP, .before = NORM_2 } } },
    .norm = NORM_LAYER, .weights = rows, .config = read_config,
};
