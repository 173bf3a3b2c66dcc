/* The public list of families: what their rows say, and what their readers of config.json look at. */
#include "sonde/families.h"
#include "arch.h"
#include "model_data.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Fields that change numbers, and a value that not every family computes. */
static const struct { const char *name, *on; } options[] = {
    { "hidden_act", "\"relu\"" }, { "hidden_activation", "\"relu\"" }, { "activation_function", "\"relu\"" },
    { "activation", "\"relu\"" }, { "feed_forward_proj", "\"gated-gelu\"" }, { "tie_word_embeddings", "true" },
    { "attention_bias", "true" }, { "use_qkv_bias", "true" }, { "mlp_bias", "true" }, { "use_bias", "true" },
    { "bias", "true" }, { "enable_bias", "false" }, { "num_key_value_heads", "1" }, { "num_kv_heads", "1" },
    { "multi_query", "false" }, { "head_dim", "64" }, { "sliding_window", "4" }, { "use_sliding_window", "true" },
    { "max_window_layers", "1" }, { "sliding_window_pattern", "2" }, { "window_size", "4" },
    { "layer_types", "[\"full_attention\"]" }, { "attention_types", "[[[\"local\"], 24]]" }, { "rope_theta", "100.0" },
    { "rope_scaling", "{\"rope_type\": \"linear\", \"factor\": 2.0}" }, { "partial_rotary_factor", "0.5" },
    { "rotary_pct", "0.5" }, { "rotary_emb_base", "100.0" }, { "rotary_dim", "32" }, { "rope_local_base_freq", "100.0" },
    { "alibi", "true" }, { "scale_attn_weights", "false" }, { "scale_attn_by_inverse_layer_idx", "true" },
    { "query_pre_attn_scalar", "100.0" }, { "attn_logit_softcapping", "5.0" }, { "final_logit_softcapping", "5.0" },
    { "clip_qkv", "5.0" }, { "qk_layernorm", "true" }, { "use_qk_norm", "true" }, { "use_parallel_residual", "true" },
    { "parallel_attn", "true" }, { "new_decoder_architecture", "true" }, { "do_layer_norm_before", "false" },
    { "_remove_final_layer_norm", "true" }, { "layer_norm_elementwise_affine", "false" }, { "word_embed_proj_dim", "64" },
    { "num_local_experts", "16" }, { "num_experts", "16" }, { "num_experts_per_tok", "1" },
    { "moe_intermediate_size", "64" }, { "norm_topk_prob", "true" }, { "mlp_only_layers", "[0]" },
    { "decoder_sparse_step", "2" }, { "swiglu_limit", "5.0" }, { "swiglu_alpha", "1.0" }, { "scale_embedding", "true" },
    { "relative_attention_num_buckets", "8" }, { "relative_attention_max_distance", "9" },
    { "scale_decoder_outputs", "false" }, { "position_embedding_type", "\"relative_key\"" },
    { "add_cross_attention", "true" }, { "is_decoder", "true" }, { "pretraining_tp", "2" },
    { "use_bidirectional_attention", "true" }, { "apply_residual_connection_post_layernorm", "true" },
};

/* The family's usual model with one field more; NULL: without. */
static sonde_status read_with(const arch *a, const char *name, const char *value, arch_config *out, arena *into) {
    static arch_config  none;
    const json         *config;
    const char         *twice;
    arch_config        *encoder = arena_new_array(into, arch_config, 1);
    static const char usual[] = "\"use_sliding_window\": true, \"rope_scaling\": {\"rope_type\": \"default\"}";
    const char *text = arena_printf(into, "{%s%s%s%s%s}", usual,
                                    name ? ", \"" : "", name ? name : "", name ? "\": " : "", name ? value : "");
    *out = none;
    SONDE_TRY(json_parse_last(text, strlen(text), into, &config, &twice, NULL));
    *out = arch_defaults(a, STACK_MAIN);
    *encoder = arch_defaults(a, STACK_ENCODER);
    if (a->encoder.part[0].kind) out->encoder = encoder;
    return a->config(config, out, NULL);
}

static const char *listed(arena *into, const char *list, const char *item) {
    return arena_printf(into, "%s%s%s", list, *list ? ", " : "", item);
}

/* A reader that looks at a field does not take any text for it. */
static void find_options(const arch *a, sonde_family *f, arena *into) {
    f->options = f->refused = "";
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        arch_config c;
        if (read_with(a, options[i].name, "\"?\"", &c, into) == SONDE_OK) continue;
        const bool refused = read_with(a, options[i].name, options[i].on, &c, into) == SONDE_UNSUPPORTED;
        if (refused) f->refused = listed(into, f->refused, options[i].name);
        else f->options = listed(into, f->options, options[i].name);
    }
}

static const char *window_of(const arch_config *c, arena *into) {
    int64_t n = 0;
    for (int64_t l = 0; l < c->layers; l++) n += layer_in(c->local, l);
    return arena_printf(into, "a window of %" PRId64 " in %" PRId64 " of %" PRId64 " layers", c->window, n, c->layers);
}

/* "decoder; layer norms (norm, attention; norm, MLP); a table of positions" */
static const char *block_of(const arch_config *c, arena *into) {
    static const char *const kinds[] = { [PART_SELF] = "attention", [PART_CROSS] = "cross-attention", [PART_MLP] = "MLP" };
    const char *parts = "";
    for (const part_spec *p = c->block.part; p < c->block.part + 3 && p->kind; p++)
        parts = arena_printf(into, "%s%s%s%s%s%s", parts, *parts ? "; " : "", p->before ? "norm, " : "", kinds[p->kind],
                             p->after ? ", norm" : "", p->after_sum ? ", norm of the sum" : "");
    const char *kind = c->encoder ? "encoder-decoder" : c->bidirectional ? "encoder" : "decoder";
    const char *said = arena_printf(into, "%s; %s norms%s (%s%s)", kind, c->arch->norm == NORM_RMS ? "RMS" : "layer",
                                    c->norm_weights ? "" : " without weights", parts, c->block.parallel ? ", beside each other" : "");
    const struct { bool there; const char *what; } rows[] = {
        { arch_has(c, W_LNE) && !c->bidirectional, "a norm of the embedding" },
        { arch_has(c, W_GATE) || arch_has(c, W_X_GATE), "gated MLP" },
        { c->experts > 0, arena_printf(into, "%" PRId64 " of %" PRId64 " experts", c->chosen, c->experts) },
        { c->qk_norm != QK_NONE, "norms of queries and keys" }, { arch_has(c, W_SINKS), "sinks" },
        { c->window > 0, window_of(c, into) },
        { c->score_cap > 0, arena_printf(into, "scores capped at %g", c->score_cap) },
        { c->logit_cap > 0, arena_printf(into, "logits capped at %g", c->logit_cap) },
        { arch_has(c, W_POS), "a table of positions" },         { c->alibi != ALIBI_NONE, "ALiBi" },
        { c->rope.dims > 0, arena_printf(into, "rotary positions (%" PRId64 " of %" PRId64 " numbers of a head)", c->rope.dims, c->e) },
        { arch_has(c, W_REL), "a bias of distances" },          { arch_has(c, W_TYPE), "token types" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].there) said = arena_printf(into, "%s; %s", said, rows[i].what);
    return said;
}

size_t sonde_model_block(const sonde_model *m, char *out, size_t n) {
    arena *into = arena_new();
    const size_t needed = (size_t)snprintf(out, n, "%s", m->config.arch ? block_of(&m->config, into) : "");
    arena_free(into);
    return needed;
}

static sonde_status tell(const arch *a, sonde_family_fn fn, void *user, sonde_error *err) {
    arena       *into = arena_new();
    arch_config  c;
    sonde_family f = { .name = a->name, .type = a->hf_type, .classes = "" };
    for (const char *const *class = a->hf_classes; *class; class++) f.classes = listed(into, f.classes, *class);
    if (read_with(a, NULL, NULL, &c, into) == SONDE_OK) find_options(a, &f, into);
    else {
        f.options = f.refused = "";
        c = arch_defaults(a, STACK_MAIN);
    }
    f.block = block_of(&c, into);
    f.containers = a->gguf ? arena_printf(into, "Hugging Face, GGUF (%s)%s", a->gguf, a->meta_more ? ", Meta, llama2.c" : "")
                           : "Hugging Face";
    const sonde_status s = fn(&f, user, err);
    arena_free(into);
    return s;
}

sonde_status sonde_families_list(sonde_family_fn fn, void *user, sonde_error *err) {
    for (const arch *const *a = arch_table; *a; a++) SONDE_TRY(tell(*a, fn, user, err));
    return SONDE_OK;
}
