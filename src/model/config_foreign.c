/* Fields of config.json by which relatives compute other numbers. A family that does not know one would run as if it were
 * not there, so it is refused by its name. */
#include "arch.h"
#include "config.h"
#include <string.h>

/* Off: null, false, zero, an empty list; of a scale also 1. */
static const struct { const char *name; bool scale; } fields[] = {
    { "logit_scale", true },            { "logits_scaling", true },          { "embedding_multiplier", true },
    { "residual_multiplier", true },    { "attention_multiplier", true },    { "scale_emb", true },
    { "scale_depth", true },            { "scale_embedding", false },        { "query_pre_attn_scalar", false },
    { "attn_logit_softcapping", false }, { "final_logit_softcapping", false }, { "clip_qkv", false },
    { "qk_layernorm", false },          { "use_qk_norm", false },            { "use_bidirectional_attention", false },
    { "num_experts", false },           { "num_local_experts", false },      { "n_routed_experts", false },
    { "moe_num_experts", false },       { "n_shared_experts", false },       { "shared_expert_intermediate_size", false },
    { "kv_lora_rank", false },          { "alibi", false },                  { "parallel_attn", false },
    { "use_parallel_residual", false }, { "partial_rotary_factor", true },   { "rotary_pct", true },
    { "rotary_dim", false },            { "rope_interleaved", false },       { "rope_scaling", false },
    { "no_rope_layers", false },        { "attention_chunk_size", false },   { "add_cross_attention", false },
    { "normalize_before", false },      { "add_final_layer_norm", false },   { "sinusoidal_pos_embds", false },
    { "apply_residual_connection_post_layernorm", false },
};

static bool is_off(const json *j, bool scale) {
    bool   on;
    double x;
    if (j->kind == JSON_NULL || ((j->kind == JSON_ARRAY || j->kind == JSON_OBJECT) && !j->len)) return true;
    return (json_bool(j, &on) && !on) || (json_double(j, &x) && (x == 0 || (scale && x == 1)));
}

/* The same object with a text in place of one member's value. */
static const json *with_text(const json *config, const json *member, arena *into) {
    json *copy = arena_new_array(into, json, config->len + 1), *out = copy + config->len;
    size_t n = 0;
    *out = *config;
    out->child = copy;
    for (const json *j = config->child; j; j = j->next, n++) {
        copy[n] = *j;
        if (j == member) copy[n] = (json){ .kind = JSON_STRING, .text = "?", .len = 1, .key = j->key, .key_len = j->key_len };
        copy[n].next = j->next ? &copy[n + 1] : NULL;
    }
    return out;
}

/* A reader that looks at a field does not take any text for it. */
static bool is_read(const arch *a, const json *config, const json *member) {
    arena      *into = arena_new();
    arch_config main = arch_defaults(a, STACK_MAIN), encoder = arch_defaults(a, STACK_ENCODER);
    if (a->encoder.part[0].kind) main.encoder = &encoder;
    const bool read = a->config(with_text(config, member, into), &main, NULL) != SONDE_OK;
    arena_free(into);
    return read;
}

sonde_status config_refuse_foreign(const arch *a, const json *config, sonde_error *err) {
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const json *j = json_get(config, fields[i].name);
        SONDE_FAIL_IF(j && !is_off(j, fields[i].scale) && !is_read(a, config, j), err, SONDE_UNSUPPORTED,
                      "%s is %s, expected a %s model without it", fields[i].name, json_shown(j).text, a->name);
    }
    return SONDE_OK;
}
