/* The vocabularies of ../shared/data, each through every kind of file there is of it: ids of the official libraries. */
#include "test.h"
#include "base/file.h"
#include "base/json.h"
#include "ref/gguf_vocab.h"
#include <stdlib.h>

#define DATA  SONDE_SOURCE_DIR "/../shared/data/"
#define VOCAB DATA "vocab/"
#define RAW   VOCAB "raw/"

static sonde_error err;

typedef struct { file_map map; text_file f; } opened;

static text_file open_file(opened *o, const char *path) {
    if (!path) return (text_file){ 0 };
    if (file_map_open(&o->map, path, &err) != SONDE_OK) FAIL_("%s", err.message);
    return (text_file){ (const char *)o->map.data, o->map.size, path };
}

/* The next case of .inp, which ends at the separator; its ids are the next line of .out. */
static const char separator[] = "\n__ggml_vocab_test__\n";

static const char *find(const char *at, const char *end, const char *what, size_t n) {
    for (; (size_t)(end - at) >= n; at++)
        if (memcmp(at, what, n) == 0) return at;
    return NULL;
}

static bool same_ids(const token_list *got, const char **line, const char *end) {
    const char *at = *line, *stop = memchr(at, '\n', (size_t)(end - at));
    size_t n = 0;
    bool same = true;
    *line = stop + 1;
    while (at < stop && *at == ' ') {
        char *behind;
        const long id = strtol(at, &behind, 10);
        same = same && n < got->n && got->at[n].id == id;
        n++;
        at = behind;
    }
    return same && n == got->n;
}

static void replay(const tokenizer *t, const char *name, int cases) {
    opened in = { 0 }, out = { 0 };
    char path[512];
    snprintf(path, sizeof path, VOCAB "ggml-vocab-%s.gguf.inp", name);
    const text_file texts = open_file(&in, path);
    snprintf(path, sizeof path, VOCAB "ggml-vocab-%s.gguf.out", name);
    const text_file ids = open_file(&out, path);
    const char *at = texts.data, *end = at + texts.size, *line = ids.data, *stop;
    arena *a = arena_new();
    int n = 0;
    for (; (stop = find(at, end, separator, sizeof separator - 1)) != NULL; at = stop + sizeof separator - 1, n++) {
        token_list list = { 0 };
        const tokenizer_options bare = { .plain = true, .no_specials = true };
        if (tokenizer_encode(t, (text_bytes){ at, (size_t)(stop - at) }, bare, a, &list, &err) != SONDE_OK)
            FAIL_("%s, case %d: %s", name, n, err.message);
        if (!same_ids(&list, &line, ids.data + ids.size)) FAIL_("%s, case %d: other ids", name, n);
        arena_reset(a);
    }
    CHECK_EQ(n, cases);
    arena_free(a);
    file_map_close(&in.map);
    file_map_close(&out.map);
}

static bool there(void) {
    if (folder_exists(VOCAB)) return true;
    puts("skipped: no " VOCAB);
    return false;
}

static void gguf_files(void) {
    static const struct { const char *name; int cases; } all[] = {
        { "gpt-2", 46 }, { "gpt-neox", 46 }, { "llama-spm", 46 }, { "phi-3", 46 }, { "falcon", 46 }, { "starcoder", 46 },
        { "llama-bpe", 46 }, { "qwen2", 46 }, { "bert-bge", 46 }, { "unigram-albert", 70 }, { "unigram-1k", 70 },
    };
    for (size_t i = 0; there() && i < sizeof all / sizeof *all; i++) {
        char path[512];
        opened o = { 0 };
        snprintf(path, sizeof path, VOCAB "ggml-vocab-%s.gguf", all[i].name);
        const text_file f = open_file(&o, path);
        arena *a = arena_new();
        vocab_pieces p;
        CHECK(gguf_vocab(f.data, f.size, a, &p));
        tokenizer *t;
        if (tokenizer_of_pieces(&t, &p, &err) != SONDE_OK) FAIL_("%s: %s", all[i].name, err.message);
        arena_free(a);
        file_map_close(&o.map);
        replay(t, all[i].name, all[i].cases);
        tokenizer_free(t);
    }
}

static void files_of_their_own(void) {
    static const struct { const char *name, *model, *vocab, *merges, *json, *vocab_txt, *config; int cases; } all[] = {
        { "llama-spm",      .model = RAW "llama2.tokenizer.model",    .cases = 46 },
        { "unigram-albert", .model = RAW "unigram-albert.spm.model",  .cases = 70 },
        { "unigram-1k",     .model = RAW "unigram-1k.spm.model",      .cases = 70 },
        { "llama-bpe",      .model = RAW "llama3.tokenizer.model",    .cases = 46 },
        { "bert-bge",       .json = RAW "minilm.tokenizer.json",      .cases = 46 },
        { "bert-bge",       .vocab_txt = RAW "minilm.vocab.txt",      .cases = 46 },
        { "qwen2",          .vocab = RAW "qwen2.vocab.json", .merges = RAW "qwen2.merges.txt",
          .config = "{\"tokenizer_class\":\"Qwen2Tokenizer\"}", .cases = 46 },
    };
    for (size_t i = 0; there() && i < sizeof all / sizeof *all; i++) {
        opened o[5] = { 0 };
        const tokenizer_files files = {
            .model = open_file(&o[0], all[i].model), .vocab = open_file(&o[1], all[i].vocab),
            .merges = open_file(&o[2], all[i].merges), .json = open_file(&o[3], all[i].json),
            .vocab_txt = open_file(&o[4], all[i].vocab_txt),
            .config = { all[i].config, all[i].config ? strlen(all[i].config) : 0, NULL },
        };
        tokenizer *t;
        if (tokenizer_new(&t, &files, &err) != SONDE_OK) FAIL_("%s", err.message);
        replay(t, all[i].name, all[i].cases);
        tokenizer_free(t);
        for (int k = 0; k < 5; k++) file_map_close(&o[k].map);
    }
}

static void a_file_alone_is_known_by_its_content(void) {
    static const struct { const char *name, *path; int cases; } all[] = {
        { "llama-spm", RAW "llama2.tokenizer.model",  46 }, { "llama-bpe", RAW "llama3.tokenizer.model", 46 },
        { "bert-bge",  RAW "minilm.tokenizer.json",   46 }, { "bert-bge",  RAW "minilm.vocab.txt",       46 },
    };
    tokenizer *t;
    for (size_t i = 0; there() && i < sizeof all / sizeof *all; i++) {
        opened o = { 0 };
        const text_file f = open_file(&o, all[i].path);
        if (tokenizer_of_file(&t, &f, &err) != SONDE_OK) FAIL_("%s", err.message);
        file_map_close(&o.map);
        replay(t, all[i].name, all[i].cases);
        tokenizer_free(t);
    }
    const text_file other = { "just text\n", 10, "notes.txt" };
    CHECK_EQ(tokenizer_of_file(&t, &other, &err), SONDE_FORMAT);
    CHECK_HAS(err.message, "notes.txt: no tokenizer that is known");
}

static void golden_encode(const tokenizer *t) {
    opened o = { 0 };
    const text_file f = open_file(&o, DATA "stories260k/golden_encode.json");
    arena *a = arena_new();
    const json *root;
    CHECK_EQ(json_parse(f.data, f.size, a, &root, &err), SONDE_OK);
    CHECK(root->len == 10);
    for (const json *c = root->child; c; c = c->next) {
        const char *text;
        size_t len, n = 0;
        token_list list;
        CHECK(json_string(json_get(c, "text"), &text, &len));
        const tokenizer_options plain = { .plain = true };
        CHECK_EQ(tokenizer_encode(t, (text_bytes){ text, len }, plain, a, &list, &err), SONDE_OK);
        for (const json *id = json_get(c, "ids_with_bos")->child; id; id = id->next, n++) {
            int64_t want = -1;
            CHECK(json_int(id, &want) && n < list.n);
            CHECK_EQ(list.at[n].id, want);
        }
        CHECK(list.n == n);
    }
    arena_free(a);
    file_map_close(&o.map);
}

static void tokenizer_bin(void) {
    if (!there()) return;
    opened o = { 0 };
    const text_file f = open_file(&o, DATA "stories260k/tok512.bin");
    tokenizer *t;
    CHECK_EQ(tokenizer_of_bin(&t, &f, 512, &err), SONDE_OK);
    golden_encode(t);
    tokenizer_free(t);
    CHECK_EQ(tokenizer_of_file(&t, &f, &err), SONDE_OK);
    golden_encode(t);
    tokenizer_free(t);
    CHECK_EQ(tokenizer_of_bin(&t, &f, 511, &err), SONDE_FORMAT);
    CHECK_HAS(err.message, "512 records, expected 511");
    file_map_close(&o.map);
}

#define TESTS(X) X(gguf_files) X(files_of_their_own) X(a_file_alone_is_known_by_its_content) X(tokenizer_bin)
TEST_MAIN(TESTS)
