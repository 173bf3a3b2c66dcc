/* Once the first tokens are written, decoding takes no memory from the system (architecture.md 5): every malloc, calloc,
 * realloc and aligned_alloc of the library is counted by the linker's --wrap. */
#define _GNU_SOURCE
#include "made.h"
#include "shot.h"
#include <stdatomic.h>
#include <stddef.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t to, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t to, size_t n);

static _Atomic int64_t taken;

void *__wrap_malloc(size_t n) {
    taken++;
    return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size) {
    taken++;
    return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n) {
    taken++;
    return __real_realloc(p, n);
}

void *__wrap_aligned_alloc(size_t to, size_t n) {
    taken++;
    return __real_aligned_alloc(to, n);
}

typedef struct { int64_t at[64], n; } counts;

static sonde_status count(const sonde_generated *g, void *user, sonde_error *err) {
    (void)g;
    (void)err;
    counts *c = user;
    c->at[c->n++] = taken;
    return SONDE_OK;
}

enum { TOKENS = 12 };

static void check_counts(const char *what, const counts *c) {
    CHECK_EQ(c->n, TOKENS);
    CHECK(c->at[0] > 0);                                    /* the counter counts */
    for (int64_t i = 2; i < c->n; i++)
        if (c->at[i] != c->at[i - 1])
            FAIL_("%s: %lld allocations for token %lld", what, (long long)(c->at[i] - c->at[i - 1]), (long long)i);
}

static void decode(const char *model, const char *edits, double temperature, int threads) {
    setting s;
    counts  c = { .n = 0 };
    sonde_error err = { 0 };
    open_setting(&s, golden(model), 5, edits);
    sonde_session *with = session(&s, threads);
    const sonde_prompt    p = { .tokens = s.tokens, .n = s.n };
    const sonde_named_run b = { .name = "B", .prompt = { s.other, s.n, 0 } };
    const sonde_writing   w = { .prompts = &p, .n_prompts = 1, .edits = (const sonde_edit *const *)s.edit, .n_edits = s.n_edits,
                                .runs = &b, .n_runs = 1,
                                .sampling = { .n = TOKENS, .temperature = temperature, .ignore_eos = true, .alternatives = 3 } };
    if (sonde_generate(with, &w, count, &c, &err)) FAIL_("%s", err.message);
    check_counts(edits, &c);
    sonde_session_free(with);
    close_setting(&s);
}

static void decoding_takes_no_memory(void) {
    for (int threads = 1; threads <= 2; threads++) {
        decode("three", "", 0, threads);
        decode("llama_biased", "", 0, threads);
        decode("three", "", 0.8, threads);
        decode("three", "scale:blocks.0.attn.hook_z[:,0]=2;add:hook_resid_mid=1*B[1];noise:hook_embed=0.1@generated", 0.8,
               threads);
        decode("llama_grouped", "scale:blocks.0.attn.hook_rot_k[:,0]=2;add:blocks.1.hook_q_input[:,1]=0.5@generated", 0.8,
               threads);
    }
}

/* Where rotations depend on the length, the token at which they change computes all rows again, and takes memory for that
 * once: there the second text is counted. */
static void write_some(const char *name, const sonde_model *model, const made *m, int threads) {
    counts         c = { .n = 0 };
    sonde_session *with;
    sonde_error    err = { 0 };
    const sonde_prompt  p = { .tokens = m->tokens, .n = MADE_TOKENS };
    const sonde_writing w = { .prompts = &p, .n_prompts = 1, .sampling = { .n = TOKENS, .ignore_eos = true } };
    if (sonde_session_new(&with, model, (sonde_session_options){ .threads = threads }, &err)) FAIL_("%s: %s", name, err.message);
    for (int pass = m->config.rope.by_length ? 0 : 1; pass < 2; pass++) {
        c.n = 0;
        if (sonde_generate(with, &w, count, &c, &err)) FAIL_("%s: %s", name, err.message);
    }
    check_counts(name, &c);
    sonde_session_free(with);
}

/* The same quantised; false: GGUF has no word for such a model. */
static bool write_packed(const char *name, made *m, const char *type, int threads) {
    sonde_error  err = { 0 };
    sonde_model *packed;
    const scratch_path gguf = in_scratch(&m->dir, "m.gguf");
    const sonde_status s = sonde_model_save(m->model, gguf.text, &(sonde_save_options){ .type = type, .threads = 1 }, &err);
    if (s == SONDE_UNSUPPORTED) return false;
    if (s || sonde_model_open(&packed, gguf.text, NULL, &err)) FAIL_("%s: %s", name, err.message);
    write_some(name, packed, m, threads);
    sonde_model_close(packed);
    return true;
}

/* Windows, relative biases, experts, encoders: every family that writes text. */
static void no_family_takes_memory(void) {
    static const char *const types[] = { "Q8_0", "Q4_0" };
    static maker_case all[MOST_MAKER_CASES];
    const size_t n = maker_cases(all);
    size_t       writing = 0, packed = 0;
    for (size_t i = 0; i < n; i++) {
        char name[600];
        made m = made_open(&all[i], &(maker_how){ .wide = true });
        snprintf(name, sizeof name, "%s", maker_name(&all[i]));
        if (m.config.head & HEAD_LM && !m.config.bidirectional) {
            write_some(name, m.model, &m, 1 + (int)(writing++ % 2));
            if (all[i].family->gguf) packed += write_packed(name, &m, types[packed % 2], 1 + (int)(packed % 4 / 2));
        }
        made_close(&m);
    }
    CHECK(writing > 40 && packed > 20);
}

#define TESTS(X) \
    X(decoding_takes_no_memory) \
    X(no_family_takes_memory)
TEST_MAIN(TESTS)
