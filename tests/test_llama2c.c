/* The .bin files of llama2.c, against what numpy wrote (tools/truth/llama2c_files.py) and the same weights as GGUF. */
#define _GNU_SOURCE
#include "weights_lines.h"
#include "format/container.h"
#include <unistd.h>

static const char truth[] = SONDE_SOURCE_DIR "/tests/truth/llama2c";
static const char shared_data[] = SONDE_SOURCE_DIR "/../shared/data/stories260k";

static weights *open_truth(const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", truth, name);
    weights *w = NULL;
    CHECK_EQ(weights_open(path, &w, &err), SONDE_OK);
    return w;
}

static void files_hold_what_was_written(void) {
    char tsv[512];
    snprintf(tsv, sizeof tsv, "%s/files.tsv", truth);
    CHECK_EQ(agree_with(tsv, truth), 6);
}

static void only_groups_of_int8_are_copied(void) {
    static const struct { const char *name; long long copied; } rows[] = {
        { "v0.bin", 0 }, { "v0_output.bin", 0 }, { "v1.bin", 0 }, { "v1_output.bin", 0 },
        { "v2.bin", 4 * (5 * 4 + 2 * (2 * 16 + 2 * 8 + 3 * 24)) },
        { "v2_output.bin", 4 * (2 * 5 * 4 + 2 * (2 * 16 + 2 * 8 + 3 * 24)) },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        weights *w = open_truth(rows[i].name);
        CHECK_EQ((long long)weights_copied(w), rows[i].copied);
        weights_close(w);
    }
}

/* Cut anywhere, or with a byte more, no version opens: nothing but the size tells version 0. */
static void a_file_of_another_length_is_refused(void) {
    static const char *const names[] = { "v0.bin", "v0_output.bin", "v1.bin", "v2.bin" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[512];
        uint8_t bytes[8192] = { 0 };
        snprintf(path, sizeof path, "%s/%s", truth, names[i]);
        FILE *f = fopen(path, "rb");
        const size_t n = fread(bytes, 1, sizeof bytes - 1, f);
        fclose(f);
        for (size_t cut = 0; cut <= n + 1; cut++) {
            weights *w = NULL;
            const sonde_status s = llama2c_read((file_map){ .data = bytes, .size = cut }, &w, &err);
            CHECK_EQ(s, cut == n ? SONDE_OK : SONDE_FORMAT);
            weights_close(w);
        }
    }
}

/* The names that GGUF has for the same arrays; %d is the layer. */
static const struct { const char *meta, *gguf; } same[] = {
    { "tok_embeddings.weight", "token_embd.weight" },
    { "norm.weight", "output_norm.weight" },
    { "layers.%d.attention_norm.weight", "blk.%d.attn_norm.weight" },
    { "layers.%d.attention.wq.weight", "blk.%d.attn_q.weight" },
    { "layers.%d.attention.wk.weight", "blk.%d.attn_k.weight" },
    { "layers.%d.attention.wv.weight", "blk.%d.attn_v.weight" },
    { "layers.%d.attention.wo.weight", "blk.%d.attn_output.weight" },
    { "layers.%d.ffn_norm.weight", "blk.%d.ffn_norm.weight" },
    { "layers.%d.feed_forward.w1.weight", "blk.%d.ffn_gate.weight" },
    { "layers.%d.feed_forward.w2.weight", "blk.%d.ffn_down.weight" },
    { "layers.%d.feed_forward.w3.weight", "blk.%d.ffn_up.weight" },
};

static const stored_tensor *find_layer(const weights *w, const char *name, int layer) {
    char whole[64];
    const char *at = strstr(name, "%d");
    if (at) snprintf(whole, sizeof whole, "%.*s%d%s", (int)(at - name), name, layer, at + 2);
    return weights_find(w, at ? whole : name);
}

static void the_small_model_holds_what_its_gguf_holds(void) {
    char path[512];
    weights *bin = NULL, *gguf = NULL;
    if (access(shared_data, R_OK)) {
        printf("skipped: %s is not there\n", shared_data);
        return;
    }
    snprintf(path, sizeof path, "%s/stories260K.bin", shared_data);
    CHECK_EQ(weights_open(path, &bin, &err), SONDE_OK);
    snprintf(path, sizeof path, "%s/gguf/stories260K-F32.gguf", shared_data);
    CHECK_EQ(weights_open(path, &gguf, &err), SONDE_OK);
    size_t found = 0;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        for (int layer = 0; layer < (strstr(same[i].meta, "%d") ? 5 : 1); layer++, found++) {
            const stored_tensor *x = find_layer(bin, same[i].meta, layer), *y = find_layer(gguf, same[i].gguf, layer);
            CHECK(x && y && x->bytes == y->bytes && memcmp(x->data, y->data, x->bytes) == 0);
            CHECK(x->rank == y->rank && memcmp(x->dim, y->dim, sizeof x->dim) == 0);
        }
    CHECK(found == weights_count(bin) && found == weights_count(gguf));
    CHECK_EQ(weights_meta(bin, "llama2c.vocab_size")->integer, 512);
    CHECK_EQ(weights_meta(bin, "llama2c.shared_classifier")->integer, 1);
    weights_close(bin);
    weights_close(gguf);
}

#define TESTS(X) \
    X(files_hold_what_was_written) \
    X(only_groups_of_int8_are_copied) \
    X(a_file_of_another_length_is_refused) \
    X(the_small_model_holds_what_its_gguf_holds)
TEST_MAIN(TESTS)
