/* The fields of a Llama's config.json, old and new spellings; what is refused, by name; sites and aliases of the family. */
#define _GNU_SOURCE
#include "shot.h"
#include "scratch.h"

/* The config of tests/golden/llama_grouped; keys that stand in `more` are left out below it. */
static const char *config_with(const char *more) {
    static char text[4096];
    static const struct { const char *key, *value; } usual[] = {
        { "model_type", "\"llama\"" }, { "architectures", "[\"LlamaForCausalLM\"]" }, { "hidden_size", "24" },
        { "num_attention_heads", "4" }, { "num_key_value_heads", "2" }, { "head_dim", "10" }, { "intermediate_size", "37" },
        { "num_hidden_layers", "2" }, { "vocab_size", "61" }, { "max_position_embeddings", "40" }, { "rms_norm_eps", "1e-5" },
    };
    size_t used = (size_t)snprintf(text, sizeof text, "{%s\"used\": 0", more);
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        char quoted[64];
        snprintf(quoted, sizeof quoted, "\"%s\":", usual[i].key);
        if (!strstr(more, quoted))
            used += (size_t)snprintf(text + used, sizeof text - used, ", %s %s", quoted, usual[i].value);
    }
    snprintf(text + used, sizeof text - used, "}");
    return text;
}

/* A folder with these weights of tests/golden and this config. */
static scratch folder_with(const char *weights, const char *config) {
    char from[700];
    scratch dir = scratch_new();
    snprintf(from, sizeof from, "%s/model.safetensors", golden(weights));
    CHECK_EQ(symlink(from, in_scratch(&dir, "model.safetensors").text), 0);
    scratch_write(&dir, "config.json", config, strlen(config));
    return dir;
}

static void hash_of(const char *folder, char out[65]) {
    setting s;
    open_setting(&s, folder, 9, "");
    const sonde_prompt  p = { .tokens = s.tokens, .n = s.n };
    const sonde_variant v = { 0, NULL, 0 };
    const sonde_batch   b = { .bases = &p, .n_bases = 1, .variants = &v, .n_variants = 1 };
    sonde_session *with = session(&s, 1);
    CHECK_EQ(sonde_run_hash(with, &b, out, NULL), SONDE_OK);
    sonde_session_free(with);
    close_setting(&s);
}

static void same_numbers(const char *more, const char *other, bool same_) {
    char a[65], b[65];
    scratch one = folder_with("llama_grouped", config_with(more));
    hash_of(one.path, a);
    scratch_end(&one);
    scratch two = folder_with("llama_grouped", config_with(other));
    hash_of(two.path, b);
    scratch_end(&two);
    if ((strcmp(a, b) == 0) != same_) FAIL_("{%s} and {%s}: expected %s numbers", more, other, same_ ? "the same" : "other");
}

#define SCALED "\"factor\": 4, \"low_freq_factor\": 1, \"high_freq_factor\": 3, \"original_max_position_embeddings\": 24"

static void spellings_mean_the_same(void) {
    same_numbers("", "\"rope_theta\": 10000.0, \"rope_scaling\": null,", true);
    same_numbers("", "\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 10000.0},", true);
    same_numbers("", "\"tie_word_embeddings\": false, \"hidden_act\": \"silu\", \"pretraining_tp\": 1, \"mlp_bias\": false,", true);
    same_numbers("", "\"sliding_window\": null, \"num_experts\": 0, \"attention_dropout\": 0.5,", true);
    same_numbers("", "\"sliding_window\": 7, \"use_sliding_window\": false,", true);
    same_numbers("\"rope_theta\": 500,", "\"rope_parameters\": {\"rope_theta\": 500},", true);
    same_numbers("\"rope_theta\": 500,", "\"rope_theta\": 9, \"rope_parameters\": {\"rope_theta\": 500},", true);
    same_numbers("\"rope_theta\": 500,", "\"rope_theta\": 500, \"rope_scaling\": {},", true);
    same_numbers("\"rope_theta\": 500, \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.0},",
                 "\"rope_parameters\": {\"rope_type\": \"linear\", \"factor\": 2.0, \"rope_theta\": 500.0},", true);
    same_numbers("\"rope_theta\": 500, \"rope_scaling\": {\"rope_type\": \"llama3\", " SCALED "},",
                 "\"rope_parameters\": {\"rope_type\": \"llama3\", \"rope_theta\": 500.0, " SCALED "},", true);
    same_numbers("\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2.0},", "", true);       /* within the original length */
    same_numbers("\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2.0},",
                 "\"rope_parameters\": {\"rope_type\": \"yarn\", \"factor\": 2.0, \"rope_theta\": 10000.0},", true);
    same_numbers("", "\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2.0},", false);
    same_numbers("", "\"rope_theta\": 500,", false);
    same_numbers("\"rope_theta\": 500,", "\"rope_theta\": 500, \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.0},", false);
    same_numbers("\"rope_theta\": 500,", "\"rope_theta\": 500, \"rope_scaling\": {\"type\": \"llama3\", " SCALED "},", false);
    same_numbers("", "\"rms_norm_eps\": 1e-6,", false);
    same_numbers("", "\"hidden_act\": \"gelu\",", false);
}

static void what_is_not_computed_is_refused_by_name(void) {
    static const struct { const char *more; sonde_status status; const char *line; } cases[] = {
        { "\"rope_scaling\": {\"type\": \"proportional\", \"factor\": 2},", SONDE_UNSUPPORTED,
          "rope_type is \"proportional\", expected default, linear, llama3, dynamic, longrope or yarn" },
        { "\"rope_scaling\": 2,", SONDE_FORMAT, "rope_scaling is 2, expected an object" },
        { "\"rope_scaling\": {\"type\": \"linear\"},", SONDE_FORMAT, "factor is not there, expected a number" },
        { "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 0},", SONDE_FORMAT, "factor is 0, expected a number from 0.001 on" },
        { "\"rope_scaling\": {\"type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": 4, \"high_freq_factor\": 4},", SONDE_FORMAT,
          "high_freq_factor is 4, expected more than low_freq_factor 4" },
        { "\"rope_theta\": 0,", SONDE_FORMAT, "rope_theta is 0, expected a number above 0" },
        { "\"partial_rotary_factor\": 0.5,", SONDE_UNSUPPORTED, 
          "partial_rotary_factor is 0.5, expected a family whose heads rotate in part" },
        { "\"sliding_window\": 4096,", SONDE_UNSUPPORTED, "sliding_window is 4096, expected a model without it" },
        { "\"final_logit_softcapping\": 30.0,", SONDE_UNSUPPORTED, "final_logit_softcapping is 30.0, expected a model without it" },
        { "\"num_local_experts\": 8,", SONDE_UNSUPPORTED, "num_local_experts is 8, expected a model without it" },
        { "\"pretraining_tp\": 2,", SONDE_UNSUPPORTED, "pretraining_tp is 2, expected 1: whole products" },
        { "\"hidden_act\": \"relu2\",", SONDE_UNSUPPORTED, "hidden_act is \"relu2\", expected gelu_new, gelu, quick_gelu, relu, silu or tanh" },
        { "\"num_key_value_heads\": 3,", SONDE_FORMAT, "num_key_value_heads is 3, expected a divisor of num_attention_heads 4" },
        { "\"head_dim\": null, \"hidden_size\": 26,", SONDE_FORMAT, "num_attention_heads is 4, expected a divisor of hidden_size 26" },
        { "\"head_dim\": 9,", SONDE_FORMAT, "head_dim is 9, expected an even number to rotate" },
        { "\"head_dim\": 1048576,", SONDE_FORMAT, "head_dim is 1048576 in 4 heads, expected at most 1048576 numbers in all" },
        { "\"architectures\": [\"LlamaForSequenceClassification\"],", SONDE_UNSUPPORTED,
          "architectures is \"LlamaForSequenceClassification\", expected LlamaForCausalLM" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        scratch      dir = folder_with("llama_grouped", config_with(cases[i].more));
        sonde_model *m;
        sonde_error  err = { 0 };
        CHECK_EQ(sonde_model_open(&m, dir.path, NULL, &err), cases[i].status);
        const char *line = strstr(err.message, "/config.json: ");
        if (!line || strcmp(line + strlen("/config.json: "), cases[i].line))
            FAIL_("%s: \"%s\", expected \"%s\"", cases[i].more, err.message, cases[i].line);
        scratch_end(&dir);
    }
}

static void shapes_and_biases_must_be_there(void) {
    static const struct { const char *more, *line; } cases[] = {
        { "\"head_dim\": null,", ": tensor model.layers.0.self_attn.q_proj.weight: shape is [40, 24], expected [24, 24]" },
        { "\"attention_bias\": true,", ": tensor model.layers.0.self_attn.q_proj.bias: is not there, expected one of shape [40]" },
        { "\"mlp_bias\": true,", ": tensor model.layers.0.mlp.gate_proj.bias: is not there, expected one of shape [37]" },
        { "\"num_hidden_layers\": 3,", ": tensor model.layers.2.input_layernorm.weight: is not there, expected one of shape [24]" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        scratch      dir = folder_with("llama_grouped", config_with(cases[i].more));
        sonde_model *m;
        sonde_error  err = { 0 };
        CHECK_EQ(sonde_model_open(&m, dir.path, NULL, &err), SONDE_FORMAT);
        if (!strstr(err.message, cases[i].line)) FAIL_("\"%s\", expected \"..%s\"", err.message, cases[i].line);
        scratch_end(&dir);
    }
}

/* ---- sites ---- */

typedef struct { char names[8000]; } listed;

static sonde_status list_one(const sonde_site *s, void *user, sonde_error *err) {
    (void)err;
    listed *l = user;
    strcat(strcat(l->names, s->name), " ");
    return SONDE_OK;
}

static const char *selected(const char *folder, const char *pattern) {
    static listed l;
    sonde_error   err = { 0 };
    sonde_model  *m;
    l.names[0] = 0;
    if (sonde_model_open(&m, folder, NULL, &err)) FAIL_("%s", err.message);
    if (sonde_sites(m, &(sonde_site_query){ .pattern = pattern, .n = 3 }, list_one, &l, &err))
        snprintf(l.names, sizeof l.names, "%s", err.message);
    sonde_model_close(m);
    return l.names;
}

static void sites_are_the_familys_own(void) {
    const char *all = selected(golden("llama_grouped"), NULL);
    CHECK(!strstr(all, "hook_pos_embed"));
    CHECK(strstr(all, "blocks.1.attn.hook_v blocks.1.attn.hook_rot_q blocks.1.attn.hook_rot_k blocks.1.attn.hook_attn_scores"));
    CHECK(strstr(all, "blocks.0.mlp.hook_pre blocks.0.mlp.hook_pre_linear blocks.0.mlp.hook_post"));
    all = selected(golden("three"), NULL);
    CHECK(strstr(all, "hook_pos_embed") && !strstr(all, "hook_rot_q") && !strstr(all, "hook_rot_k") && !strstr(all, "pre_linear"));
    CHECK_STR(selected(golden("llama_grouped"), "Qcur-1,Kcur-0"), "blocks.0.attn.hook_rot_k blocks.1.attn.hook_rot_q ");
    CHECK_STR(selected(golden("three"), "Qcur-1,Kcur-0"), "blocks.0.attn.hook_k blocks.1.attn.hook_q ");
    CHECK_STR(selected(golden("llama_grouped"), "rot_q1,pre_linear0,rot_k0attn"),
              "blocks.0.attn.hook_rot_k blocks.0.mlp.hook_pre_linear blocks.1.attn.hook_rot_q ");
    CHECK(strstr(selected(golden("three"), "rot_q1"), "rot_q1"));
    CHECK(strstr(selected(golden("llama_grouped"), "hook_pos_embed"), "no such site"));
}

/* Without a model: what any family has, in the order of a run, with ranks but no sizes. */
static sonde_status check_row(const sonde_site *s, void *user, sonde_error *err) {
    (void)err;
    CHECK(s->doc && s->rank >= 1 && s->rank <= 3 && s->dim[0] == 0);
    return list_one(s, user, NULL);
}

static void all_sites_are_listed_without_a_model(void) {
    static listed l;
    CHECK_EQ(sonde_sites(NULL, NULL, check_row, &l, NULL), SONDE_OK);
    CHECK(strstr(l.names, "hook_pos_embed ") && strstr(l.names, "blocks.0.attn.hook_rot_q ") && strstr(l.names, "unembed.hook_out "));
}

#define TESTS(X) \
    X(spellings_mean_the_same) \
    X(what_is_not_computed_is_refused_by_name) \
    X(shapes_and_biases_must_be_there) \
    X(sites_are_the_familys_own) \
    X(all_sites_are_listed_without_a_model)
TEST_MAIN(TESTS)
