/* GPT-Neo: GPT-2's blocks with scores that are not scaled and a window in every other layer. Black et al., GPT-Neo, 2021;
 * fields and defaults as transformers 5 (GPTNeoConfig) has them. */
#include "arch_fields.h"
#include <inttypes.h>
#include <string.h>

static const size_names names = {
    "hidden_size", "num_layers", "num_heads", NULL, NULL, "intermediate_size", "max_position_embeddings",
    2048, 24, 16, 0, 0, 0, 50257, 2048,
};

static bool is_text(const json *j, const char *text) {
    return j && j->kind == JSON_STRING && j->len == strlen(text) && memcmp(j->text, text, j->len) == 0;
}

/* [[["global", "local"], 12], ..]: lists of kinds and how often each comes. */
static sonde_status read_kinds(const json *file, arch_config *c, sonde_error *err) {
    const json *all = json_get(file, "attention_types");
    int64_t     l = 0;
    if (!all) {
        for (l = 1; l < c->layers; l += 2) layer_add(c->local, l);
        return SONDE_OK;
    }
    SONDE_FAIL_IF(all->kind != JSON_ARRAY, err, SONDE_FORMAT, "attention_types is %s, expected a list", json_shown(all).text);
    for (const json *group = all->child; group; group = group->next) {
        const json *kinds = group->kind == JSON_ARRAY ? group->child : NULL;
        int64_t times;
        SONDE_FAIL_IF(!kinds || kinds->kind != JSON_ARRAY || !kinds->next || !json_int(kinds->next, &times) || times < 0, err,
                      SONDE_FORMAT, "attention_types has %s, expected [[kind, ..], times]", json_shown(group).text);
        SONDE_FAIL_IF(kinds->len > 0 && times > (c->layers - l) / (int64_t)kinds->len, err, SONDE_FORMAT,
                      "attention_types has more kinds than layers, expected one for each of %" PRId64, c->layers);
        for (; times > 0 && kinds->len > 0; times--)
            for (const json *kind = kinds->child; kind; kind = kind->next, l++) {
                SONDE_FAIL_IF(!is_text(kind, "local") && !is_text(kind, "global"), err, SONDE_UNSUPPORTED,
                              "attention_types has %s, expected global or local", json_shown(kind).text);
                if (is_text(kind, "local")) layer_add(c->local, l);
            }
    }
    SONDE_FAIL_IF(l < c->layers, err, SONDE_FORMAT, "attention_types has %" PRId64 " kinds, expected one for each of %" PRId64
                  " layers", l, c->layers);
    return SONDE_OK;
}

/* What attention_types comes to, layer by layer; where both are there this one holds. */
static sonde_status read_layers(const json *file, arch_config *c, sonde_error *err) {
    const json *all = json_get(file, "attention_layers");
    int64_t     l = 0;
    if (!all || all->kind == JSON_NULL) return read_kinds(file, c, err);
    SONDE_FAIL_IF(all->kind != JSON_ARRAY || (int64_t)all->len != c->layers, err, SONDE_FORMAT, "attention_layers is %s, expected "
                  "one kind for each of %" PRId64 " layers", json_shown(all).text, c->layers);
    for (const json *kind = all->child; kind; kind = kind->next, l++) {
        SONDE_FAIL_IF(!is_text(kind, "local") && !is_text(kind, "global"), err, SONDE_UNSUPPORTED,
                      "attention_layers has %s, expected global or local", json_shown(kind).text);
        if (is_text(kind, "local")) layer_add(c->local, l);
    }
    return SONDE_OK;
}

static sonde_status read_config(const json *file, arch_config *c, sonde_error *err) {
    SONDE_TRY(arch_sizes(file, &names, c, err));
    SONDE_TRY(config_int(file, (config_range){ "window_size", NULL, 256, 1, INT32_MAX }, &c->window, err));
    SONDE_TRY(read_layers(file, c, err));
    SONDE_TRY(config_activation(file, "activation_function", "gelu_new", &c->act, err));
    SONDE_TRY(config_double(file, "layer_norm_epsilon", 1e-5, 1, &c->norm_eps, err));
    SONDE_TRY(config_bool(file, "tie_word_embeddings", true, &c->tied, err));
    c->score_scale = 1;
    return arch_tokens(file, 50256, 50256, c, err);
}

#define LAYER(id, name) { W_##id, .hf = "h.%d." name ".weight" }
#define BOTH(id, name)  LAYER(id, name), { B_##id, .hf = "h.%d." name ".bias" }

static const weight_row rows[] = {
    { W_EMBED, .hf = "wte.weight" },
    { W_POS,   .hf = "wpe.weight" },
    BOTH(LN1, "ln_1"),
    LAYER(Q, "attn.attention.q_proj"),
    LAYER(K, "attn.attention.k_proj"),
    LAYER(V, "attn.attention.v_proj"),
    BOTH(O, "attn.attention.out_proj"),
    BOTH(LN2, "ln_2"),
    BOTH(IN, "mlp.c_fc"),
    BOTH(OUT, "mlp.c_proj"),
    { W_LNF,     .hf = "ln_f.weight" },
    { B_LNF,     .hf = "ln_f.bias" },
    { W_UNEMBED, .hf = "lm_head.weight", .optional = true },
    { .id = W_NONE },
};

static const char *const classes[]  = { "GPTNeoForCausalLM", "GPTNeoModel", NULL };
static const char *const prefixes[] = { "transformer.", "", NULL };

const arch arch_gpt_neo = {
    .name = "gpt_neo", .hf_classes = classes, .hf_type = "gpt_neo", .prefixes = prefixes,
    .block = { .part = { { PART_SELF, .before = NORM_1 }, { PART_MLP, .before = NORM_2 } } },
    .norm = NORM_LAYER, .weights = rows, .config = read_config,
};
