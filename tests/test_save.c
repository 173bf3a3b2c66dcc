/* Models written as folders and as GGUF files: tensors equal byte by byte, runs bit by bit. What llama.cpp and transformers
 * make of such files is checked by tools/check_saved.py. */
#define _GNU_SOURCE
#include "test.h"
#include "format/gguf_types.h"
#include "format/gguf_writer.h"
#include "format/meta.h"
#include "scratch.h"
#include "sonde/array_file.h"
#include "sonde/save.h"
#include "sonde/sonde.h"
#include "tiny_model.h"
#include <math.h>

#define GOLDEN SONDE_SOURCE_DIR "/tests/golden/"
#define SHIPPED SONDE_SOURCE_DIR "/models/"

static const int32_t prompt[] = { 1, 3, 2, 7, 5, 4 };

static sonde_model *opened(const char *path) {
    sonde_error  err = { 0 };
    sonde_model *m;
    if (sonde_model_open(&m, path, NULL, &err)) FAIL_("%s", err.message);
    return m;
}

typedef struct { char hex[65]; } digest;

/* Of the tokens and the logits of all positions. */
static digest run_of(const char *path) {
    digest         d = { "" };
    sonde_error    err = { 0 };
    sonde_model   *m = opened(path);
    sonde_session *s;
    const sonde_prompt  p = { .tokens = prompt, .n = 6 };
    const sonde_variant v = { 0 };
    const sonde_want    want = { .kind = SONDE_WANT_LOGITS };
    const sonde_batch   b = { .bases = &p, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = &want, .n_wants = 1 };
    if (sonde_session_new(&s, m, (sonde_session_options){ .threads = 1 }, &err)) FAIL_("%s", err.message);
    if (sonde_run_hash(s, &b, d.hex, &err)) FAIL_("%s", err.message);
    sonde_session_free(s);
    sonde_model_close(m);
    return d;
}

static sonde_status save(const char *from, const char *to, const sonde_save_options *o, sonde_error *err) {
    static const sonde_save_options plain;
    sonde_model *m = opened(from);
    const sonde_status s = sonde_model_save(m, to, o ? o : &plain, err);
    sonde_model_close(m);
    return s;
}

static void save_ok(const char *from, const char *to, const sonde_save_options *o) {
    sonde_error err = { 0 };
    if (save(from, to, o, &err)) FAIL_("%s -> %s: %s", from, to, err.message);
}

/* Every tensor of `from` that is one of `to` has the same type, shape and bytes there; those that are not are masks. */
static void equal_tensors(const char *from, const char *to) {
    sonde_error err = { 0 };
    weights    *a, *b;
    if (weights_open(from, &a, &err) || weights_open(to, &b, &err)) FAIL_("%s", err.message);
    size_t same = 0;
    for (size_t i = 0; i < weights_count(a); i++) {
        const stored_tensor *x = weights_at(a, i), *y = weights_find(b, x->name);
        char whole[128];
        snprintf(whole, sizeof whole, "transformer.%s", x->name);       /* the family's own prefix, which files may leave out */
        if (!y) y = weights_find(b, whole);
        if (!y && strstr(x->name, "attn.bias")) continue;
        if (!y) FAIL_("%s: no %s", to, x->name);
        CHECK(x->type == y->type && x->rank == y->rank && !memcmp(x->dim, y->dim, (size_t)x->rank * sizeof *x->dim));
        if (x->bytes != y->bytes || memcmp(x->data, y->data, x->bytes)) FAIL_("%s: %s differs", to, x->name);
        same++;
    }
    CHECK(same == weights_count(b));
    weights_close(a);
    weights_close(b);
}

static const char *const models[] = {
    GOLDEN "three", GOLDEN "one_head", GOLDEN "llama_grouped", GOLDEN "llama_biased", SHIPPED "induction", SHIPPED "demo",
};

static void a_folder_through_gguf_and_back_has_equal_tensors(void) {
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        const scratch s = scratch_new();
        const scratch_path gguf = in_scratch(&s, "m.gguf"), back = in_scratch(&s, "back"), again = in_scratch(&s, "n.gguf");
        save_ok(models[i], gguf.text, NULL);
        save_ok(gguf.text, back.text, NULL);
        save_ok(gguf.text, again.text, NULL);
        equal_tensors(models[i], back.text);
        equal_tensors(gguf.text, again.text);
        const digest was = run_of(models[i]);
        CHECK_STR(run_of(gguf.text).hex, was.hex);
        CHECK_STR(run_of(back.text).hex, was.hex);
        CHECK_STR(run_of(again.text).hex, was.hex);
        scratch_end(&s);
    }
}

static tiny_model tiny_of(const scratch *s, const char *type) {
    static scratch_path folder;
    folder = in_scratch(s, type);
    tiny_model t = tiny_new(folder.text, "");
    for (int i = 0; i < t.n; i++) t.tensor[i].type = type;
    tiny_save(&t);
    return t;
}

static void sixteen_bits_stay_sixteen(void) {
    static const char *const types[] = { "F16", "BF16" };
    for (size_t i = 0; i < 2; i++) {
        const scratch s = scratch_new();
        const tiny_model   t = tiny_of(&s, types[i]);
        const scratch_path gguf = in_scratch(&s, "m.gguf"), back = in_scratch(&s, "back");
        save_ok(t.folder, gguf.text, NULL);
        save_ok(t.folder, back.text, NULL);
        sonde_error err = { 0 };
        weights    *w;
        if (weights_open(gguf.text, &w, &err)) FAIL_("%s", err.message);
        CHECK_STR(dtype_table[weights_find(w, "token_embd.weight")->type].name, types[i]);
        CHECK_STR(dtype_table[weights_find(w, "output_norm.weight")->type].name, "F32");
        CHECK_EQ(weights_meta(w, "general.file_type")->integer, i ? 32 : 1);
        weights_close(w);
        if (weights_open(back.text, &w, &err)) FAIL_("%s", err.message);
        CHECK_STR(dtype_table[weights_find(w, "ln_f.weight")->type].name, types[i]);
        weights_close(w);
        CHECK_STR(run_of(gguf.text).hex, run_of(t.folder).hex);
        CHECK_STR(run_of(back.text).hex, run_of(t.folder).hex);
        scratch_end(&s);
    }
}

typedef struct { size_t n, fallbacks, widened; double worst; char type[16]; } told;

static void tell(const sonde_saved *x, void *user) {
    told *k = user;
    k->n++;
    k->fallbacks += x->wanted != NULL;
    k->widened += x->widened;
    if (x->rmse > k->worst) k->worst = x->rmse;
    if (!strcmp(x->name, "blk.0.attn_q.weight")) snprintf(k->type, sizeof k->type, "%s", x->to);
}

static void a_model_is_quantised_once(void) {
    const scratch s = scratch_new();
    const scratch_path gguf = in_scratch(&s, "q.gguf"), again = in_scratch(&s, "r.gguf"), back = in_scratch(&s, "back");
    sonde_error err = { 0 };
    told k = { 0 };
    const sonde_save_options q8 = { .type = "Q8_0", .measure = true, .saved = tell, .user = &k };
    save_ok(GOLDEN "llama_grouped", gguf.text, &q8);
    CHECK(k.n > 0 && (k.fallbacks > 0 || k.worst > 0));
    const sonde_save_options q4 = { .type = "Q4_0" }, force = { .type = "Q4_0", .requantize = true };
    sonde_model *m = opened(SHIPPED "induction");
    CHECK_EQ(sonde_model_save(m, gguf.text, &q8, &err), SONDE_OK);
    sonde_model_close(m);
    CHECK_EQ(save(gguf.text, again.text, &q4, &err), SONDE_USAGE);
    CHECK_HAS(err.message, "is Q8_0 already, and packing it again loses more; expected F32, F16 or BF16, or --requantize");
    CHECK(access(again.text, F_OK) != 0);
    save_ok(gguf.text, again.text, &force);
    k = (told){ 0 };
    const sonde_save_options plain = { .saved = tell, .user = &k };
    save_ok(gguf.text, back.text, &plain);
    CHECK(k.widened > 0);
    CHECK_STR(run_of(back.text).hex, run_of(gguf.text).hex);
    scratch_end(&s);
}

static bool always(void *user) {
    (void)user;
    return true;
}

static void what_cannot_be_written(void) {
    const scratch s = scratch_new();
    const scratch_path gguf = in_scratch(&s, "m.gguf"), folder = in_scratch(&s, "m"), no = in_scratch(&s, "none/m.gguf");
    sonde_error err = { 0 };
    CHECK_EQ(save(GOLDEN "three", gguf.text, &(sonde_save_options){ .type = "Q9" }, &err), SONDE_USAGE);
    CHECK_HAS(err.message, "type Q9: expected one of F32, F16, BF16, Q4_0");
    CHECK_EQ(save(GOLDEN "inner", folder.text, &(sonde_save_options){ .type = "Q8_0" }, &err), SONDE_USAGE);
    CHECK_HAS(err.message, "expected a name that ends in .gguf");
    CHECK_EQ(save(GOLDEN "three", no.text, NULL, &err), SONDE_NOT_FOUND);
    CHECK_EQ(save(GOLDEN "inner", gguf.text, NULL, &err), SONDE_UNSUPPORTED);
    CHECK_HAS(err.message, "gpt2: GGUF has no word for the activation function of this model");
    CHECK_EQ(save(GOLDEN "three", gguf.text, &(sonde_save_options){ .stop = always }, &err), SONDE_CANCELLED);
    CHECK(access(gguf.text, F_OK) != 0);
    save_ok(GOLDEN "inner", folder.text, NULL);
    CHECK_EQ(save(GOLDEN "inner", folder.text, NULL, &err), SONDE_USAGE);
    CHECK_HAS(err.message, "holds a config.json already, expected a new folder");
    sonde_model *m = opened(SHIPPED "induction"), *folded;
    if (sonde_model_fold(m, &folded, &err)) FAIL_("%s", err.message);
    CHECK_EQ(sonde_model_save(folded, gguf.text, &(sonde_save_options){ 0 }, &err), SONDE_USAGE);
    CHECK_HAS(err.message, "its norms are folded, expected a model as it was opened");
    sonde_model_close(folded);
    sonde_model_close(m);
    scratch_end(&s);
}

/* ---- what a GGUF file says ---- */

typedef struct {                /* what becomes of a copy */
    meta_value  with;           /* said besides, or instead; key NULL: nothing */
    const char *without;        /* a key, or NULL */
    const char *tensor;         /* one more, of n float32; or NULL */
    float       value[8];
    int64_t     n;
    bool        no_tensors;
} change;

static void change_gguf(const char *from, const char *to, const change *c) {
    sonde_error  err = { 0 };
    weights     *w;
    gguf_writer *out;
    meta_value   meta[64];
    gguf_spec    spec[64];
    gguf_contents holds = { .meta = meta, .tensor = spec };
    if (weights_open(from, &w, &err)) FAIL_("%s", err.message);
    CHECK(weights_count(w) < 60 && weights_meta_count(w) < 60);
    for (size_t i = 0; i < weights_meta_count(w); i++) {
        const meta_value *v = weights_meta_at(w, i);
        const bool other = (c->with.key && !strcmp(v->key, c->with.key)) || (c->without && !strcmp(v->key, c->without));
        if (!other) meta[holds.n_meta++] = *v;
    }
    if (c->with.key) meta[holds.n_meta++] = c->with;
    for (size_t i = 0; i < weights_count(w) && !c->no_tensors; i++) {
        const stored_tensor *t = weights_at(w, i);
        gguf_spec *s = &spec[holds.n++];
        *s = (gguf_spec){ .name = t->name, .type = t->type, .rank = t->rank };
        memcpy(s->dim, t->dim, sizeof s->dim);
    }
    if (c->tensor) spec[holds.n++] = (gguf_spec){ .name = c->tensor, .type = DTYPE_F32, .rank = 1, .dim = { c->n } };
    if (gguf_writer_open(&out, to, &holds, &err)) FAIL_("%s", err.message);
    for (size_t i = 0; i < weights_count(w) && !c->no_tensors; i++)
        CHECK_EQ(gguf_writer_put(out, weights_at(w, i)->data, weights_at(w, i)->bytes, &err), SONDE_OK);
    if (c->tensor) CHECK_EQ(gguf_writer_put(out, c->value, (size_t)c->n * sizeof *c->value, &err), SONDE_OK);
    if (gguf_writer_finish(out, &err)) FAIL_("%s", err.message);
    weights_close(w);
}

#define SAYS_REAL(name, x) .with = { .key = name, .kind = META_NUMBER, .stored = GGUF_F32, .number = x }
#define SAYS_WHOLE(name, x) .with = { .key = name, .kind = META_INT, .stored = GGUF_U32, .integer = x }
#define SAYS_TRUTH(name, x) .with = { .key = name, .kind = META_BOOL, .stored = GGUF_BOOL, .integer = x }

/* Keys and tensors of relatives, which llama.cpp or its other families compute with. */
static void what_a_gguf_file_says_is_computed_or_refused(void) {
    static const struct { change how; sonde_status status; const char *has; } rows[] = {
        { { SAYS_REAL("llama.attention.scale", 0.5) }, SONDE_UNSUPPORTED, "attention.scale is 0.5, expected a model without it" },
        { { SAYS_REAL("llama.attention.scale", 0) }, SONDE_OK, "" },
        { { SAYS_REAL("llama.logit_scale", 2) }, SONDE_UNSUPPORTED, "llama.logit_scale is 2, expected" },
        { { SAYS_REAL("llama.residual_scale", 1) }, SONDE_OK, "" },
        { { SAYS_REAL("llama.rope.scaling.attn_factor", 2) }, SONDE_UNSUPPORTED, "llama.rope.scaling.attn_factor is 2" },
        { { SAYS_TRUTH("llama.attention.causal", 0) }, SONDE_UNSUPPORTED, "llama.attention.causal is 0" },
        { { SAYS_TRUTH("llama.attention.causal", 1) }, SONDE_OK, "" },
        { { SAYS_WHOLE("llama.expert_count", 8) }, SONDE_FORMAT, "llama.expert_used_count: is not there" },
        { { SAYS_WHOLE("llama.expert_count", 0) }, SONDE_OK, "" },
        { { SAYS_WHOLE("llama.attention.sliding_window", 9) }, SONDE_OK, "" },
        { { SAYS_REAL("llama.attention.layer_norm_rms_epsilon", NAN) }, SONDE_FORMAT, "rms_epsilon is nan, expected a finite number" },
        { { .without = "llama.attention.layer_norm_rms_epsilon" }, SONDE_FORMAT, "layer_norm_rms_epsilon: is not there" },
        { { .without = "llama.attention.head_count" }, SONDE_FORMAT, "llama.attention.head_count: is not there" },
        { { .without = "llama.context_length" }, SONDE_FORMAT, "llama.context_length: is not there" },
        { { .tensor = "blk.0.attn_q_norm.weight", .n = 8 }, SONDE_UNSUPPORTED, "blk.0.attn_q_norm.weight: is no part of a llama" },
        { { .tensor = "blk.1.attn_k.bias", .n = 8 }, SONDE_UNSUPPORTED, "blk.1.attn_k.bias: is no part of a llama model here" },
    };
    const scratch s = scratch_new();
    const scratch_path gguf = in_scratch(&s, "m.gguf"), other = in_scratch(&s, "n.gguf");
    save_ok(GOLDEN "llama_grouped", gguf.text, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sonde_error  err = { 0 };
        sonde_model *m;
        change_gguf(gguf.text, other.text, &rows[i].how);
        const sonde_status got = sonde_model_open(&m, other.text, NULL, &err);
        if (got != rows[i].status || !strstr(err.message, rows[i].has)) FAIL_("row %zu: %d, %s", i, (int)got, err.message);
        sonde_model_close(m);
    }
    scratch_end(&s);
}

/* As llama.cpp has it: a factor without a type is linear, and divisors hold besides it. */
static void factors_and_divisors_of_positions_multiply(void) {
    const scratch s = scratch_new();
    const scratch_path gguf = in_scratch(&s, "m.gguf"), half = in_scratch(&s, "n.gguf"), both = in_scratch(&s, "o.gguf");
    save_ok(GOLDEN "llama_grouped", gguf.text, NULL);
    const change factor = { SAYS_REAL("llama.rope.scaling.factor", 4) };
    const change divisors = { .tensor = "rope_freqs.weight", .n = 5, .value = { 4, 4, 4, 4, 4 } };
    const change twos = { SAYS_REAL("llama.rope.scaling.factor", 2), .tensor = "rope_freqs.weight", .n = 5,
                          .value = { 2, 2, 2, 2, 2 } };
    change_gguf(gguf.text, half.text, &factor);
    const digest linear = run_of(half.text);
    CHECK(strcmp(linear.hex, run_of(gguf.text).hex) != 0);
    change_gguf(gguf.text, both.text, &divisors);
    CHECK_STR(run_of(both.text).hex, linear.hex);
    change_gguf(gguf.text, both.text, &twos);
    CHECK_STR(run_of(both.text).hex, linear.hex);
    scratch_end(&s);
}

/* tests/golden/llama_grouped with another scaling; run_of's six positions are more than the original length. */
static scratch_path scaled_folder(const scratch *s, const char *name, const char *scaling) {
    const scratch_path folder = in_scratch(s, name);
    char config[1200], file[700];
    CHECK_EQ(mkdir(folder.text, 0777), 0);
    snprintf(config, sizeof config,
             "{\"model_type\": \"llama\", \"architectures\": [\"LlamaForCausalLM\"], \"hidden_size\": 24, "
             "\"num_attention_heads\": 4, \"num_key_value_heads\": 2, \"intermediate_size\": 37, \"num_hidden_layers\": 2, "
             "\"head_dim\": 10, \"vocab_size\": 61, \"rms_norm_eps\": 1e-5, %s}", scaling);
    snprintf(file, sizeof file, "%s/config.json", name);
    scratch_write(s, file, config, strlen(config));
    snprintf(file, sizeof file, "%s/model.safetensors", folder.text);
    CHECK_EQ(symlink(GOLDEN "llama_grouped/model.safetensors", file), 0);
    return folder;
}

#define YARN "\"max_position_embeddings\": 16, \"rope_scaling\": {\"rope_type\": \"yarn\", " \
             "\"original_max_position_embeddings\": 4, "
#define LISTS "\"short_factor\": [1, 1.1, 1.3, 1.6, 2], \"long_factor\": [1, 2, 5.5, 12, 30.1]"

/* With words of our own the bits are equal; `others`: also with those alone that llama.cpp has. */
static void scalings_of_positions_pass_through_gguf(void) {
    static const struct { const char *scaling; bool others; } rows[] = {
        { "\"max_position_embeddings\": 16, \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.7}", true },
        { YARN "\"factor\": 4}", true },
        { YARN "\"factor\": 2.7, \"rope_theta\": 10, \"truncate\": false, \"beta_fast\": 1.1, "
          "\"beta_slow\": 0.3}", false },
        { YARN "\"factor\": 4, \"attention_factor\": 0.77}", true },
        { "\"max_position_embeddings\": 16, \"rope_scaling\": {\"rope_type\": \"longrope\", "
          "\"original_max_position_embeddings\": 4, " LISTS "}", true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const scratch      s = scratch_new();
        const scratch_path folder = scaled_folder(&s, "m", rows[i].scaling), gguf = in_scratch(&s, "m.gguf");
        const scratch_path back = in_scratch(&s, "back"), other = in_scratch(&s, "n.gguf");
        const digest       want = run_of(folder.text);
        CHECK(strcmp(want.hex, run_of(GOLDEN "llama_grouped").hex) != 0);
        save_ok(folder.text, gguf.text, NULL);
        CHECK_STR(run_of(gguf.text).hex, want.hex);
        save_ok(gguf.text, back.text, NULL);
        CHECK_STR(run_of(back.text).hex, want.hex);
        change_gguf(gguf.text, other.text, &(change){ .without = "sonde.rope.yarn" });
        if ((strcmp(run_of(other.text).hex, want.hex) == 0) != rows[i].others) FAIL_("row %zu: without our words", i);
        scratch_end(&s);
    }
}

static void take_note(void *user, const char *text) {
    char *all = user;
    snprintf(all + strlen(all), 600 - strlen(all), "%s\n", text);
}

/* llama.cpp has 32 and 1, rounded, whatever the file says: seen in its logits (tools/check_saved.py). */
static void what_llama_cpp_computes_otherwise_is_said(void) {
    static const struct { const char *scaling, *betas; bool rounds; } rows[] = {
        { YARN "\"factor\": 4}", NULL, false }, { YARN "\"factor\": 4, \"beta_fast\": 32, \"beta_slow\": 1.0}", NULL, false },
        { YARN "\"factor\": 4, \"beta_fast\": 16, \"beta_slow\": 0.5}", "--yarn-beta-fast 16 --yarn-beta-slow 0.5\n", false },
        { YARN "\"factor\": 4, \"beta_slow\": 2}", "--yarn-beta-fast 32 --yarn-beta-slow 2\n", false },
        { YARN "\"factor\": 4, \"truncate\": false}", NULL, true },
        { "\"max_position_embeddings\": 16", NULL, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const scratch s = scratch_new();
        char          said[600] = "";
        const scratch_path folder = scaled_folder(&s, "m", rows[i].scaling), gguf = in_scratch(&s, "m.gguf");
        save_ok(folder.text, gguf.text, &(sonde_save_options){ .note = take_note, .user = said });
        const bool betas = strstr(said, "--yarn") != NULL, rounds = strstr(said, "truncate is false") != NULL;
        if (betas != (rows[i].betas != NULL) || rounds != rows[i].rounds || (betas && !strstr(said, rows[i].betas)))
            FAIL_("row %zu: %s", i, said);
        scratch_end(&s);
    }
}

static void scalings_that_gguf_cannot_say_are_refused(void) {
    static const struct { change how; sonde_status status; const char *has; } rows[] = {
        { { SAYS_REAL("llama.rope.scaling.yarn_ext_factor", 0.5) }, SONDE_UNSUPPORTED, "yarn_ext_factor is 0.5, expected" },
        { { SAYS_REAL("llama.rope.scaling.yarn_ext_factor", 1) }, SONDE_OK, "" },
        { { SAYS_REAL("llama.rope.scaling.yarn_log_multiplier", 0.1) }, SONDE_UNSUPPORTED, "yarn_log_multiplier is 0.1" },
        { { SAYS_REAL("llama.rope.scaling.yarn_beta_fast", NAN), .without = "sonde.rope.yarn" }, SONDE_FORMAT,
          "llama.rope.scaling.yarn_beta_fast is not finite" },
        { { SAYS_REAL("llama.rope.scaling.original_context_length", 4), .without = "sonde.rope.yarn" }, SONDE_FORMAT,
          "llama.rope.scaling.original_context_length is no integer" },
        { { .with = { .key = "llama.rope.scaling.type", .kind = META_TEXT, .stored = GGUF_TEXT, .text = { "longrope", 8 } } },
          SONDE_UNSUPPORTED, "llama.rope.scaling.yarn_beta_fast is 32, expected a model without it" },
    };
    const scratch s = scratch_new();
    const scratch_path gguf = in_scratch(&s, "m.gguf"), other = in_scratch(&s, "n.gguf");
    const scratch_path folder = scaled_folder(&s, "m", YARN "\"factor\": 4}");
    const scratch_path dynamic = scaled_folder(&s, "d", "\"max_position_embeddings\": 4, \"rope_scaling\": "
                                               "{\"type\": \"dynamic\", \"factor\": 4}");
    sonde_error err = { 0 };
    save_ok(folder.text, gguf.text, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sonde_model *m;
        change_gguf(gguf.text, other.text, &rows[i].how);
        err = (sonde_error){ 0 };
        const sonde_status got = sonde_model_open(&m, other.text, NULL, &err);
        if (got != rows[i].status || !strstr(err.message, rows[i].has)) FAIL_("row %zu: %d, %s", i, (int)got, err.message);
        sonde_model_close(m);
    }
    CHECK_EQ(save(dynamic.text, in_scratch(&s, "d.gguf").text, NULL, &err), SONDE_UNSUPPORTED);
    CHECK_HAS(err.message, "llama: GGUF has no word for rotary positions of this model");
    scratch_end(&s);
}

/* Of a family that is computed, so that opening comes as far as its tensors; LeakSanitizer looks on. */
static void a_vocabulary_without_tensors_opens(void) {
    const scratch s = scratch_new();
    const scratch_path gguf = in_scratch(&s, "m.gguf"), other = in_scratch(&s, "n.gguf");
    sonde_error  err = { 0 };
    sonde_model *m;
    save_ok(SHIPPED "demo", gguf.text, NULL);
    change_gguf(gguf.text, other.text, &(change){ .no_tensors = true });
    if (sonde_tokenizer_open(&m, other.text, NULL, &err)) FAIL_("%s", err.message);
    sonde_model_close(m);
    scratch_end(&s);
}

/* GGUF's names in a safetensors file: what GGUF cannot hold lies beside them. */
static void tensors_of_another_container_under_ggufs_names(void) {
    const scratch s = scratch_new();
    const scratch_path gguf = in_scratch(&s, "m.gguf"), folder = in_scratch(&s, "f");
    const scratch_path file = in_scratch(&s, "f/model.safetensors"), config = in_scratch(&s, "f/config.json"), back = in_scratch(&s, "n.gguf");
    sonde_error err = { 0 };
    weights    *w;
    sonde_array_writer *out;
    sonde_array_spec    spec[64];
    save_ok(GOLDEN "llama_grouped", folder.text, NULL);         /* for its config.json */
    save_ok(GOLDEN "llama_grouped", gguf.text, NULL);
    if (weights_open(gguf.text, &w, &err)) FAIL_("%s", err.message);
    const size_t n = weights_count(w);
    CHECK(n < 62);
    for (size_t i = 0; i < n; i++) {
        const stored_tensor *t = weights_at(w, i);
        spec[i] = (sonde_array_spec){ .name = t->name, .dtype = dtype_table[t->type].name, .rank = t->rank };
        memcpy(spec[i].dim, t->dim, (size_t)t->rank * sizeof *t->dim);
    }
    spec[n] = (sonde_array_spec){ .name = "deep", .dtype = "F32", .rank = 8, .dim = { 1, 1, 1, 1, 1, 1, 1, 1 } };
    spec[n + 1] = (sonde_array_spec){ .name = "empty", .dtype = "U8", .rank = 1, .dim = { 0 } };
    if (sonde_array_writer_open(&out, file.text, (sonde_array_list){ spec, n + 2, NULL, 0 }, &err)) FAIL_("%s", err.message);
    for (size_t i = 0; i < n; i++)
        CHECK_EQ(sonde_array_write(out, i, 0, weights_at(w, i)->data, (int64_t)weights_at(w, i)->bytes / 4, &err), SONDE_OK);
    if (sonde_array_writer_close(out, &err)) FAIL_("%s", err.message);
    weights_close(w);
    CHECK(access(config.text, F_OK) == 0);
    save_ok(folder.text, back.text, &(sonde_save_options){ .type = "Q8_0" });
    save_ok(folder.text, back.text, NULL);
    CHECK_STR(run_of(back.text).hex, run_of(gguf.text).hex);
    scratch_end(&s);
}

/* The tokenizer given stands in the file, not the one that the GGUF file had. */
static void the_tokenizer_given_is_written(void) {
    const scratch s = scratch_new();
    const scratch_path gguf = in_scratch(&s, "m.gguf"), other = in_scratch(&s, "n.gguf"), bare = in_scratch(&s, "o.gguf");
    const sonde_model_search given = { .tokenizer = SHIPPED "demo" };
    sonde_error  err = { 0 };
    sonde_model *m;
    weights     *w;
    save_ok(SHIPPED "demo", gguf.text, NULL);
    change_gguf(gguf.text, bare.text, &(change){ SAYS_REAL("tokenizer.ggml.add_nothing", 1) });
    if (sonde_model_open(&m, bare.text, &given, &err)) FAIL_("%s", err.message);
    if (sonde_model_save(m, other.text, &(sonde_save_options){ 0 }, &err)) FAIL_("%s", err.message);
    sonde_model_close(m);
    if (weights_open(other.text, &w, &err)) FAIL_("%s", err.message);
    CHECK(weights_meta(w, "tokenizer.ggml.tokens") && !weights_meta(w, "tokenizer.ggml.add_nothing"));
    weights_close(w);
    scratch_end(&s);
}

#define TESTS(X) \
    X(what_a_gguf_file_says_is_computed_or_refused) \
    X(factors_and_divisors_of_positions_multiply) \
    X(scalings_of_positions_pass_through_gguf) \
    X(what_llama_cpp_computes_otherwise_is_said) \
    X(scalings_that_gguf_cannot_say_are_refused) \
    X(a_vocabulary_without_tensors_opens) \
    X(tensors_of_another_container_under_ggufs_names) \
    X(the_tokenizer_given_is_written) \
    X(a_folder_through_gguf_and_back_has_equal_tensors) \
    X(sixteen_bits_stay_sixteen) \
    X(a_model_is_quantised_once) \
    X(what_cannot_be_written)
TEST_MAIN(TESTS)
