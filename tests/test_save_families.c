/* The golden models of every family as GGUF files and as folders again: what runs give stays bit for bit, tensors too, but
 * for norms that Hugging Face stores less 1; what GGUF cannot say is refused by name. */
#define _GNU_SOURCE
#include "test.h"
#include "format/weights.h"
#include "scratch.h"
#include "sonde/save.h"
#include "sonde/sonde.h"

#define FAMILIES SONDE_SOURCE_DIR "/tests/golden/families/"
enum { MOST_CHANGES = 4, MOST_CONFIG = 16384 };

static const int32_t prompt[] = { 1, 3, 2, 7, 5, 4 };

typedef struct { const char *was, *is; } change;        /* in the text of config.json */

typedef struct {
    const char *family;
    const char *refused;        /* what the message has; NULL: it can be written */
    bool        pooler;         /* which is lost, and its answer */
    bool        less_one;       /* norms come back as they are multiplied with, less 1 */
    change      changes[MOST_CHANGES];
} family_row;

#define LOST "GGUF has no word for "

static const family_row rows[] = {
    { "bloom" }, { "falcon" }, { "falcon_new" }, { "falcon_shared" },
    { "falcon_alibi", .refused = LOST },
    { "gemma", .less_one = true },
    { "gemma2", .refused = LOST "the scale of attention scores" },
    { "gemma2", .less_one = true, .changes = { { "_scalar\": 10", "_scalar\": 6" } } },
    { "gemma3", .less_one = true, .changes = { { "_scalar\": 10", "_scalar\": 6" } } },
    { "gemma3_published", .less_one = true, .changes = { { "_scalar\": 10", "_scalar\": 6" } } },
    { "gpt_neo", .refused = "GGUF has no such family" }, { "gptj", .refused = "GGUF has no such family" },
    { "opt", .refused = "GGUF has no such family" },
    { "gpt_neox" },
    { "gpt_neox_sequential", .refused = LOST "the activation function" },
    { "gpt_neox_sequential", .changes = { { "\"gelu_fast\"", "\"gelu\"" } } },
    { "gpt_oss", .refused = LOST "the gates of experts" },
    { "gpt_oss", .changes = { { "limit\": 0.8", "limit\": 7.0" } } },
    { "gpt_oss", .changes = { { "limit\": 0.8", "limit\": 7.0" }, { "sliding_attention", "full_attention" } } },
    { "llama_dynamic", .refused = LOST "rotary positions" }, { "llama_yarn" },
    { "mistral" }, { "mixtral" }, { "olmo" }, { "olmo2" }, { "olmoe" },
    { "phi" }, { "phi3" },
    { "phi_qk", .refused = "attn.q_norm.w has no name in such a file" },
    { "qwen2", .refused = LOST "the window of attention" },
    { "qwen2", .changes = { { "\"use_sliding_window\": true", "\"use_sliding_window\": false" } } },
    { "qwen3", .changes = { { "\"use_sliding_window\": true", "\"use_sliding_window\": false" } } },
    { "qwen3_moe", .refused = LOST "the layers without experts" },
    { "stablelm" },
    { "stablelm_parallel", .refused = LOST "the activation function" },
    { "stablelm_parallel", .changes = { { "\"gelu\"", "\"silu\"" } } },
    { "starcoder2" },
    { "t5", .refused = LOST "relative positions" },
    { "t5", .changes = { { "max_distance\": 12", "max_distance\": 128" } } },
    { "t5_gated", .changes = { { "max_distance\": 5", "max_distance\": 128" } } },
    { "t5_saved", .refused = LOST },
    { "bart", .refused = "GGUF has no such family" }, { "bart_scaled", .refused = "GGUF has no such family" },
    { "bert_plain", .pooler = true }, { "bert_mlm", .refused = "mlm_head.W has no name in such a file" },
};

typedef struct { char hex[65]; } digest;

static sonde_model *opened(const char *path) {
    sonde_error  err = { 0 };
    sonde_model *m;
    if (sonde_model_open(&m, path, NULL, &err)) FAIL_("%s", err.message);
    return m;
}

/* Of the tokens and the logits of all positions. */
static digest run_of(const char *path) {
    digest         d = { "" };
    sonde_error    err = { 0 };
    sonde_model   *m = opened(path);
    sonde_session *s;
    const sonde_prompt  p = { prompt, 6, 0 };
    const sonde_variant v = { 0 };
    const sonde_want    want = { .kind = SONDE_WANT_LOGITS };
    const sonde_batch   b = { .bases = &p, .n_bases = 1, .variants = &v, .n_variants = 1, .wants = &want, .n_wants = 1 };
    if (sonde_session_new(&s, m, (sonde_session_options){ .threads = 1 }, &err)) FAIL_("%s", err.message);
    if (sonde_run_hash(s, &b, d.hex, &err)) FAIL_("%s", err.message);
    sonde_session_free(s);
    sonde_model_close(m);
    return d;
}

static sonde_status save(const char *from, const char *to, sonde_error *err) {
    static const sonde_save_options plain;
    sonde_model *m = opened(from);
    const sonde_status s = sonde_model_save(m, to, &plain, err);
    sonde_model_close(m);
    return s;
}

static size_t read_file(const char *path, char **out) {
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END)) FAIL_("%s: cannot be read", path);
    const size_t n = (size_t)ftell(f);
    rewind(f);
    *out = calloc(1, n + 1);
    CHECK(*out && fread(*out, 1, n, f) == n && fclose(f) == 0);
    return n;
}

static void apply(char *text, const change *c) {
    char *at = strstr(text, c->was);
    if (!at) FAIL_("config.json: no %s", c->was);
    const size_t was = strlen(c->was), is = strlen(c->is);
    CHECK(strlen(text) + is < MOST_CONFIG);
    memmove(at + is, at + was, strlen(at + was) + 1);
    memcpy(at, c->is, is);
}

/* A folder of the family with its config changed, in the scratch folder itself. */
static void write_model(const scratch *s, const family_row *r) {
    char path[512], *bytes, text[MOST_CONFIG];
    snprintf(path, sizeof path, FAMILIES "%s/model.safetensors", r->family);
    const size_t n = read_file(path, &bytes);
    scratch_write(s, "model.safetensors", bytes, n);
    free(bytes);
    snprintf(path, sizeof path, FAMILIES "%s/config.json", r->family);
    read_file(path, &bytes);
    snprintf(text, sizeof text, "%s", bytes);
    free(bytes);
    for (const change *c = r->changes; c < r->changes + MOST_CHANGES && c->was; c++) apply(text, c);
    scratch_write(s, "config.json", text, strlen(text));
}

static bool is_norm(const stored_tensor *t) { return t->rank == 1 && strstr(t->name, "norm"); }

/* Of a table or of a mistake, which nothing reads. */
static bool is_copy(const stored_tensor *t) {
    return strstr(t->name, "coder.embed_tokens.weight") || strstr(t->name, "EncDecAttention.relative_attention_bias") ||
           strstr(t->name, "position_ids") || strstr(t->name, "lm_head.weight");
}

static void equal_tensors(const family_row *r, const char *from, const char *to) {
    sonde_error err = { 0 };
    weights    *a, *b;
    if (weights_open(from, &a, &err) || weights_open(to, &b, &err)) FAIL_("%s", err.message);
    size_t same = 0;
    for (size_t i = 0; i < weights_count(a); i++, same++) {
        const stored_tensor *x = weights_at(a, i), *y = weights_find(b, x->name);
        char whole[128];
        snprintf(whole, sizeof whole, "bert.%s", x->name);      /* a file's own prefix, which GGUF does not keep */
        if (!y) y = weights_find(b, whole);
        if (!y && (is_copy(x) || (r->pooler && strstr(x->name, "pooler.")))) {
            same--;
            continue;
        }
        if (!y || x->type != y->type || x->rank != y->rank || memcmp(x->dim, y->dim, (size_t)x->rank * sizeof *x->dim) != 0)
            FAIL_("%s: %s is another one", r->family, x->name);
        if (memcmp(x->data, y->data, x->bytes) != 0 && !(r->less_one && is_norm(x))) FAIL_("%s: %s differs", r->family, x->name);
    }
    if (same != weights_count(b)) FAIL_("%s: %zu tensors, %zu are new", r->family, weights_count(b), weights_count(b) - same);
    weights_close(a);
    weights_close(b);
}

static void check_row(const family_row *r) {
    const scratch      s = scratch_new();
    const scratch_path gguf = in_scratch(&s, "m.gguf"), back = in_scratch(&s, "back"), again = in_scratch(&s, "again");
    sonde_error        err = { 0 };
    char               folder[320];
    write_model(&s, r);
    snprintf(folder, sizeof folder, "%s", s.path);
    if (save(folder, again.text, &err)) FAIL_("%s: %s", r->family, err.message);
    equal_tensors(&(family_row){ .family = r->family }, folder, again.text);
    const digest       wanted = run_of(folder);
    const sonde_status done = save(folder, gguf.text, &err);
    if (r->refused) {
        CHECK_EQ(done, SONDE_UNSUPPORTED);
        CHECK_HAS(err.message, r->refused);
    } else {
        if (done || save(gguf.text, back.text, &err)) FAIL_("%s: %s", r->family, err.message);
        const digest of_gguf = run_of(gguf.text);
        if (strcmp(of_gguf.hex, wanted.hex) && !r->pooler) FAIL_("%s: the GGUF file runs otherwise", r->family);
        if (strcmp(run_of(back.text).hex, of_gguf.hex)) FAIL_("%s: the folder that was written runs otherwise", r->family);
        equal_tensors(r, folder, back.text);
    }
    scratch_end(&s);
}

static void families_through_gguf_and_back(void) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check_row(&rows[i]);
}

/* The names that transformers has in memory are the same model; what is saved of it too. */
static void experts_may_have_their_names_in_memory(void) {
    static const family_row models[] = { { "mixtral" }, { "qwen3_moe", .refused = LOST } };
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        const family_row *r = &models[i];
        const scratch      s = scratch_new();
        const scratch_path back = in_scratch(&s, "back"), gguf = in_scratch(&s, "m.gguf");
        char               path[512], *bytes;
        sonde_error        err = { 0 };
        write_model(&s, r);
        const digest wanted = run_of(s.path);
        snprintf(path, sizeof path, SONDE_SOURCE_DIR "/tests/truth/experts/%s.safetensors", r->family);
        const size_t n = read_file(path, &bytes);
        scratch_write(&s, "model.safetensors", bytes, n);
        free(bytes);
        if (strcmp(run_of(s.path).hex, wanted.hex)) FAIL_("%s: runs otherwise", r->family);
        if (save(s.path, back.text, &err)) FAIL_("%s: %s", r->family, err.message);
        equal_tensors(r, s.path, back.text);
        if (!r->refused && save(s.path, gguf.text, &err)) FAIL_("%s: %s", r->family, err.message);
        if (strcmp(run_of(r->refused ? back.text : gguf.text).hex, wanted.hex)) FAIL_("%s: saved, it runs otherwise", r->family);
        scratch_end(&s);
    }
}

#define TESTS(X) X(families_through_gguf_and_back) X(experts_may_have_their_names_in_memory)
TEST_MAIN(TESTS)
