/* Once the first tokens are written, decoding takes no memory from the system (architecture.md 5): every malloc, calloc
 * and realloc of the library is counted by the linker's --wrap. */
#include "shot.h"
#include <stddef.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static int64_t taken;

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

typedef struct { int64_t at[64], n; } counts;

static sonde_status count(const sonde_generated *g, void *user, sonde_error *err) {
    (void)g;
    (void)err;
    counts *c = user;
    c->at[c->n++] = taken;
    return SONDE_OK;
}

static void decode(const char *model, const char *edits, double temperature) {
    setting s;
    counts  c = { .n = 0 };
    sonde_error err = { 0 };
    open_setting(&s, golden(model), 5, edits);
    sonde_session *with = session(&s, 1);
    const sonde_prompt    p = { .tokens = s.tokens, .n = s.n };
    const sonde_named_run b = { .name = "B", .prompt = { s.other, s.n, 0 } };
    const sonde_writing   w = { .prompts = &p, .n_prompts = 1, .edits = (const sonde_edit *const *)s.edit, .n_edits = s.n_edits,
                                .runs = &b, .n_runs = 1,
                                .sampling = { .n = 12, .temperature = temperature, .ignore_eos = true, .alternatives = 3 } };
    if (sonde_generate(with, &w, count, &c, &err)) FAIL_("%s", err.message);
    CHECK_EQ(c.n, 12);
    CHECK(c.at[0] > 0);                                     /* the counter counts */
    for (int64_t i = 2; i < c.n; i++)
        if (c.at[i] != c.at[i - 1])
            FAIL_("\"%s\": %lld allocations for token %lld", edits, (long long)(c.at[i] - c.at[i - 1]), (long long)i);
    sonde_session_free(with);
    close_setting(&s);
}

static void decoding_takes_no_memory(void) {
    decode("three", "", 0);
    decode("llama_biased", "", 0);
    decode("three", "", 0.8);
    decode("three", "scale:blocks.0.attn.hook_z[:,0]=2;add:hook_resid_mid=1*B[1];noise:hook_embed=0.1@generated", 0.8);
    decode("llama_grouped", "scale:blocks.0.attn.hook_rot_k[:,0]=2;add:blocks.1.hook_q_input[:,1]=0.5@generated", 0.8);
}

#define TESTS(X) \
    X(decoding_takes_no_memory)
TEST_MAIN(TESTS)
