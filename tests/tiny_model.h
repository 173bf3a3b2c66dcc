/* tiny_model.h - writes small GPT-2 folders, right ones and broken ones, for tests.
 *
 * Element i of a tensor is tiny_value(name, i), a number that F32, F16 and BF16 all hold. */
#ifndef SONDE_TINY_MODEL_H
#define SONDE_TINY_MODEL_H
#include "test.h"
#include "sonde/model.h"
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TINY_D = 8, TINY_HEADS = 2, TINY_LAYERS = 2, TINY_VOCAB = 11, TINY_CONTEXT = 6, TINY_TENSORS = 64 };

typedef struct { char name[96]; const char *type; int rank; int64_t dim[3]; float change; } tiny_tensor;

typedef struct {
    const char *folder, *config;        /* config: whole text, or NULL for tiny_config("") */
    const char *file;                   /* NULL: model.safetensors */
    int         n;
    tiny_tensor tensor[TINY_TENSORS];
} tiny_model;

static inline void tiny_write(const char *folder, const char *name, const void *bytes, size_t n) {
    char path[512];
    mkdir(folder, 0777);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, n, f) != n || fclose(f)) abort();
}

static inline void tiny_write_text(const char *folder, const char *name, const char *text) {
    tiny_write(folder, name, text, strlen(text));
}

static inline float tiny_value(const char *name, int64_t i) {
    uint32_t h = 17;
    for (; *name; name++) h = h * 31 + (uint8_t)*name;
    return (float)((int)((h + (uint32_t)i * 37) % 255) - 127) / 64;
}

static inline void tiny_add(tiny_model *t, const char *name, int64_t rows, int64_t cols) {
    tiny_tensor *x = &t->tensor[t->n++];
    *x = (tiny_tensor){ .type = "F32", .rank = cols ? 2 : 1, .dim = { rows, cols } };
    snprintf(x->name, sizeof x->name, "%s", name);
}

static inline tiny_tensor *tiny_find(tiny_model *t, const char *name) {
    for (int i = 0; i < t->n; i++)
        if (strcmp(t->tensor[i].name, name) == 0) return &t->tensor[i];
    return NULL;
}

static inline void tiny_drop(tiny_model *t, const char *name) { *tiny_find(t, name) = t->tensor[--t->n]; }

static inline tiny_model tiny_new(const char *folder, const char *prefix) {
    static const struct { const char *name; int rows, cols; } block[] = {
        { "ln_1.weight", 8, 0 },         { "ln_1.bias", 8, 0 },      { "attn.c_attn.weight", 8, 24 },
        { "attn.c_attn.bias", 24, 0 },   { "attn.c_proj.weight", 8, 8 }, { "attn.c_proj.bias", 8, 0 },
        { "ln_2.weight", 8, 0 },         { "ln_2.bias", 8, 0 },      { "mlp.c_fc.weight", 8, 32 },
        { "mlp.c_fc.bias", 32, 0 },      { "mlp.c_proj.weight", 32, 8 }, { "mlp.c_proj.bias", 8, 0 },
    };
    tiny_model t = { .folder = folder };
    char name[96];
    snprintf(name, sizeof name, "%swte.weight", prefix);
    tiny_add(&t, name, TINY_VOCAB, TINY_D);
    snprintf(name, sizeof name, "%swpe.weight", prefix);
    tiny_add(&t, name, TINY_CONTEXT, TINY_D);
    for (int l = 0; l < TINY_LAYERS; l++)
        for (size_t i = 0; i < sizeof block / sizeof *block; i++) {
            snprintf(name, sizeof name, "%sh.%d.%s", prefix, l, block[i].name);
            tiny_add(&t, name, block[i].rows, block[i].cols);
        }
    snprintf(name, sizeof name, "%sln_f.weight", prefix);
    tiny_add(&t, name, TINY_D, 0);
    snprintf(name, sizeof name, "%sln_f.bias", prefix);
    tiny_add(&t, name, TINY_D, 0);
    return t;
}

static inline size_t tiny_item(const char *type) {
    return strcmp(type, "F32") == 0 ? 4 : strcmp(type, "F64") == 0 || strcmp(type, "I64") == 0 ? 8 : 2;
}

static inline int64_t tiny_count(const tiny_tensor *x) {
    int64_t n = 1;
    for (int i = 0; i < x->rank; i++) n *= x->dim[i];
    return n;
}

/* The number as stored; exact, so rounding plays no part. F16 from the float's bits: no subnormals occur. */
static inline void tiny_store(uint8_t *out, const char *type, float v) {
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    uint16_t half = (uint16_t)(bits >> 16);
    if (strcmp(type, "F16") == 0)
        half = v == 0 ? 0 : (uint16_t)((bits >> 16 & 0x8000) | (((bits >> 23 & 255) - 112) << 10) |
                                       (bits >> 13 & 0x3ff));
    memset(out, 0, tiny_item(type));
    if (strcmp(type, "F32") == 0) memcpy(out, &v, 4);
    else memcpy(out, &half, 2);
}

static inline void tiny_save_weights(const tiny_model *t) {
    char *header = calloc(1, 1 << 16);
    size_t used = 8, at = 0;
    for (int i = 0; i < t->n; i++) {
        const tiny_tensor *x = &t->tensor[i];
        const size_t bytes = (size_t)tiny_count(x) * tiny_item(x->type);
        used += (size_t)sprintf(header + used, "%c\"%s\":{\"dtype\":\"%s\",\"shape\":[", i ? ',' : '{', x->name,
                                x->type);
        for (int k = 0; k < x->rank; k++)
            used += (size_t)sprintf(header + used, "%s%" PRId64, k ? "," : "", x->dim[k]);
        used += (size_t)sprintf(header + used, "],\"data_offsets\":[%zu,%zu]}", at, at + bytes);
        at += bytes;
    }
    header[used++] = '}';
    while (used % 8) header[used++] = ' ';
    const uint64_t n = used - 8;
    memcpy(header, &n, sizeof n);
    uint8_t *file = calloc(1, used + at + 1), *data = file + used;
    memcpy(file, header, used);
    for (int i = 0; i < t->n; i++) {
        const tiny_tensor *x = &t->tensor[i];
        for (int64_t k = 0; k < tiny_count(x); k++, data += tiny_item(x->type))
            tiny_store(data, x->type, tiny_value(x->name, k) + (k == 0 ? x->change : 0));
    }
    tiny_write(t->folder, t->file ? t->file : "model.safetensors", file, used + at);
    free(file);
    free(header);
}

/* Fields in front of the usual ones win: `more` is "" or `"n_head": 3,`. Keys of `more` are left out below. */
static inline const char *tiny_config(const char *more) {
    static char text[4096];
    static const struct { const char *key, *value; } usual[] = {
        { "model_type", "\"gpt2\"" }, { "architectures", "[\"GPT2LMHeadModel\"]" }, { "n_embd", "8" },
        { "n_head", "2" }, { "n_layer", "2" }, { "n_positions", "6" }, { "vocab_size", "11" },
        { "bos_token_id", "0" }, { "eos_token_id", "0" },
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

static inline void tiny_save(const tiny_model *t) {
    tiny_save_weights(t);
    tiny_write_text(t->folder, "config.json", t->config ? t->config : tiny_config(""));
}

/* A byte-level tokenizer of 8 tokens; `post` is the post-processor. */
static inline void tiny_save_tokenizer(const char *folder, const char *post) {
    char text[4096];
    snprintf(text, sizeof text,
        "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,"
        "\"added_tokens\":[{\"id\":0,\"content\":\"<|endoftext|>\","
        "\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":true}],"
        "\"normalizer\":null,"
        "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,"
        "\"use_regex\":true},\"post_processor\":%s,\"decoder\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,"
        "\"trim_offsets\":true,\"use_regex\":true},\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":null,"
        "\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,\"fuse_unk\":false,\"byte_fallback\":false,"
        "\"ignore_merges\":false,\"vocab\":{\"<|endoftext|>\":0,\"a\":1,\"b\":2,\"c\":3,\"\\u0120\":4,\"ab\":5,"
        "\"\\u0120a\":6,\"\\u0120ab\":7},\"merges\":[[\"a\",\"b\"],[\"\\u0120\",\"ab\"],[\"\\u0120\",\"a\"]]}}", post);
    tiny_write_text(folder, "tokenizer.json", text);
}

/* Every test program works in a folder of its own, which goes when it ends. */
static char tiny_folder[] = "/tmp/sonde-tiny-XXXXXX";

static inline void tiny_leave(void) {
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", tiny_folder);
    if (chdir("/") || system(command)) puts("the temporary folder stays");
}

__attribute__((constructor)) static void tiny_enter(void) {
    if (!mkdtemp(tiny_folder) || chdir(tiny_folder)) abort();
    atexit(tiny_leave);
}

/* The message of a failure with this status, or "" where it opens. */
static inline const char *opened_line(const char *name, const sonde_model_search *search, sonde_status want) {
    static sonde_error err;
    err = (sonde_error){ 0 };
    sonde_model *m;
    const sonde_status s = sonde_model_open(&m, name, search, &err);
    CHECK_EQ(s, want);
    CHECK(m == NULL || s == SONDE_OK);
    sonde_model_close(m);
    return err.message;
}

static inline sonde_model *open_or_say(const char *name, const sonde_model_search *search) {
    sonde_error err = { 0 };
    sonde_model *m;
    if (sonde_model_open(&m, name, search, &err) != SONDE_OK) FAIL_("%s", err.message);
    return m;
}
#endif
