/* small_model.h - a model without weights, for what needs sizes and tokens only: 12 blocks, 4 heads, 2 key/value heads,
 * width 16, heads of 4, 32 neurons, 10 positions.
 *
 * Tokens: 0 <|endoftext|>, 1 a, 2 b, 3 c, 4 space, 5 ab, 6 " a", 7 " ab", 8 ", 9 newline, 10 ], 11 comma. */
#ifndef SONDE_SMALL_MODEL_H
#define SONDE_SMALL_MODEL_H
#include "model/model_data.h"
#include <stdlib.h>

static const char small_tokenizer[] =
    "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[{\"id\":0,\"content\":\"<|endoftext|>\","
    "\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":true}],"
    "\"normalizer\":null,\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,"
    "\"use_regex\":true},\"post_processor\":null,\"decoder\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,"
    "\"trim_offsets\":true,\"use_regex\":true},\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":null,"
    "\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,\"fuse_unk\":false,\"byte_fallback\":false,"
    "\"ignore_merges\":false,\"vocab\":{\"<|endoftext|>\":0,\"a\":1,\"b\":2,\"c\":3,\"\\u0120\":4,\"ab\":5,"
    "\"\\u0120a\":6,\"\\u0120ab\":7,\"\\\"\":8,\"\\u010a\":9,\"]\":10,\",\":11},"
    "\"merges\":[[\"a\",\"b\"],[\"\\u0120\",\"ab\"],[\"\\u0120\",\"a\"]]}}";

static inline sonde_model small_model(void) {
    sonde_model m = { .info = { .name = "small" }, .config = arch_defaults(arch_table[0], STACK_MAIN) };
    arch_config *c = &m.config;
    c->layers = 12, c->heads = 4, c->kv_heads = 2, c->d = c->width = 16, c->e = 4, c->f = 32, c->vocab = 12, c->context = 10;
    const tokenizer_files files = { .json = { small_tokenizer, sizeof small_tokenizer - 1, "tokenizer.json" } };
    sonde_error err = { 0 };
    if (tokenizer_new(&m.tokenizer, &files, &err) != SONDE_OK) { fprintf(stderr, "%s\n", err.message); abort(); }
    return m;
}

static inline void small_model_free(sonde_model *m) { tokenizer_free(m->tokenizer); }
#endif
