/* Two texts by the tokenizer's template: ids and token types as the tokenizers library has them (tools/truth/encoders.py). */
#include "base/file.h"
#include "sonde/sonde.h"
#include "text/tokenizer.h"
#include "truth.h"
#include <stdlib.h>
#include <unistd.h>

#define FAMILIES SONDE_SOURCE_DIR "/tests/golden/families/"

static tokenizer *open_json(const json *row) {
    const char *text, *folder;
    size_t      len;
    char        path[400];
    sonde_error err;
    tokenizer  *t = NULL;
    file_map    map = { 0 };
    if (json_string(json_get(row, "folder"), &folder, &len)) {
        snprintf(path, sizeof path, FAMILIES "%s/tokenizer.json", folder);
        if (file_map_open(&map, path, &err)) FAIL_("%s", err.message);
        text = (const char *)map.data;
        len = map.size;
    } else if (!json_string(truth_of(row, "json"), &text, &len)) FAIL_("no text");
    const tokenizer_files files = { .json = { .data = text, .size = len } };
    if (tokenizer_new(&t, &files, &err)) FAIL_("%s", err.message);
    file_map_close(&map);
    return t;
}

static text_bytes text_of(const json *row, const char *key) {
    text_bytes t = { 0 };
    json_string(json_get(row, key), &t.at, &t.len);
    return t;
}

static size_t check_row(const tokenizer *t, const json *row) {
    const text_bytes a = text_of(row, "a"), b = text_of(row, "b");
    const json *ids = truth_of(row, "ids"), *types = truth_of(row, "types");
    arena      *memory = arena_new();
    token_list  list;
    sonde_error err;
    bool        special;
    if (!json_bool(truth_of(row, "special"), &special)) FAIL_("no flag");
    const tokenizer_options o = { .no_specials = !special, .pair = b.at ? &b : NULL };
    if (tokenizer_encode(t, a, o, memory, &list, &err)) FAIL_("%s", err.message);
    CHECK_EQ((int64_t)list.n, (int64_t)ids->len);
    for (size_t i = 0; i < list.n && i < ids->len; i++) {
        CHECK_EQ(list.at[i].id, (int64_t)truth_item(ids, i));
        CHECK_EQ(list.at[i].type, (int64_t)truth_item(types, i));
    }
    arena_free(memory);
    return list.n;
}

static void ids_and_types_are_the_librarys(void) {
    const truth f = truth_open("encoders");
    size_t      tokens = 0;
    for (const json *x = truth_of(f.all, "pairs")->child; x; x = x->next) {
        tokenizer *t = open_json(x);
        CHECK(tokenizer_takes_pairs(t));
        for (const json *row = truth_of(x, "rows")->child; row; row = row->next) tokens += check_row(t, row);
        tokenizer_free(t);
    }
    CHECK(tokens > 500);
    truth_close(f);
}

/* What is written is read again with the same templates. */
static void templates_are_written(void) {
    const truth f = truth_open("encoders");
    for (const json *x = truth_of(f.all, "pairs")->child; x; x = x->next) {
        tokenizer  *t = open_json(x), *again;
        arena      *memory = arena_new();
        text_bytes  out;
        sonde_error err;
        if (tokenizer_write_json(t, memory, &out, &err)) FAIL_("%s", err.message);
        const tokenizer_files files = { .json = { .data = out.at, .size = out.len } };
        if (tokenizer_new(&again, &files, &err)) FAIL_("%s", err.message);
        for (const json *row = truth_of(x, "rows")->child; row; row = row->next) check_row(again, row);
        tokenizer_free(again);
        tokenizer_free(t);
        arena_free(memory);
    }
    truth_close(f);
}

static sonde_model *open_model(const char *folder) {
    char         path[400];
    sonde_model *m;
    sonde_error  err;
    snprintf(path, sizeof path, FAMILIES "%s", folder);
    if (sonde_model_open(&m, path, NULL, &err)) FAIL_("%s", err.message);
    return m;
}

static const char *line_of(const sonde_model *m, const char *a, sonde_token_options o) {
    static char  line[600];
    sonde_tokens t;
    sonde_error  err;
    size_t       used = 0;
    if (sonde_tokenize(m, a, strlen(a), o, &t, &err)) {
        snprintf(line, sizeof line, "%d %s", (int)err.status, err.message);
        return line;
    }
    *line = 0;
    for (int64_t i = 0; i < t.n; i++)
        used += (size_t)snprintf(line + used, sizeof line - used, "%s%d:%d", i ? " " : "", t.text[i], t.type ? t.type[i] : -1);
    sonde_tokens_free(&t);
    return line;
}

/* text:type of every token; -1: all types are 0. */
static void a_model_gets_the_types_that_it_tells_apart(void) {
    const sonde_token_options pair = { .pair = "dogs", .pair_len = 4 }, bare = { .bos = SONDE_BOS_NO, .pair = "dogs", .pair_len = 4 };
    sonde_model *m = open_model("bert_mlm");
    CHECK(sonde_model_describe(m)->takes_pairs && sonde_model_describe(m)->types == 2);
    CHECK_STR(line_of(m, "cat", pair), "-1:0 0:0 -1:0 1:1 1:1 -1:1");
    CHECK_STR(line_of(m, "cat", bare), "0:0 1:1 1:1");
    CHECK_STR(line_of(m, "cat", (sonde_token_options){ 0 }), "-1:-1 0:-1 -1:-1");
    sonde_model_close(m);
    m = open_model("roberta_mlm");
    CHECK_STR(line_of(m, "\xc3", pair), "-1:-1 0:-1 -1:-1 -1:-1 1:-1 1:-1 1:-1 1:-1 -1:-1");
    sonde_model_close(m);
    m = open_model("distilbert_mlm");           /* has no token types */
    CHECK_STR(line_of(m, "cat", pair), "-1:-1 0:-1 -1:-1 1:-1 1:-1 -1:-1");
    sonde_model_close(m);
}

static void a_tokenizer_without_a_template_refuses(void) {
    sonde_model *m;
    sonde_error  err;
    if (sonde_model_open(&m, NULL, NULL, &err)) FAIL_("%s", err.message);
    CHECK(!sonde_model_describe(m)->takes_pairs);
    CHECK_STR(line_of(m, "cat", (sonde_token_options){ .pair = "dog", .pair_len = 3 }),
              "4 a pair of texts: the tokenizer has no template for pairs, expected one text");
    sonde_model_close(m);
    m = open_model("bert_mlm");
    CHECK_STR(line_of(m, "cat", (sonde_token_options){ .pair = "a\xff", .pair_len = 2 }),
              "2 pair: byte 1 of the text is not UTF-8, which this tokenizer needs");
    sonde_model_close(m);
}

/* The template for pairs of a golden tokenizer, `pair` in its place. */
static const char *broken(const char *pair) {
    static char text[8192], out[300];
    const char *from, *to;
    char        whole[8192] = "";
    file_map    map;
    sonde_error err;
    tokenizer  *t;
    if (file_map_open(&map, FAMILIES "bert_mlm/tokenizer.json", &err)) FAIL_("%s", err.message);
    snprintf(text, sizeof text, "%.*s", (int)map.size, (const char *)map.data);
    file_map_close(&map);
    if (!(from = strstr(text, "\"pair\"")) || !(to = strstr(from, "\"special_tokens\""))) FAIL_("another tokenizer.json");
    snprintf(whole, sizeof whole, "%.*s\"pair\": %s, %s", (int)(from - text), text, pair, to);
    const tokenizer_files files = { .json = { .data = whole, .size = strlen(whole) } };
    if (tokenizer_new(&t, &files, &err)) {
        snprintf(out, sizeof out, "%d %s", (int)err.status, err.message);
        return out;
    }
    const bool takes = tokenizer_takes_pairs(t);
    tokenizer_free(t);
    return takes ? "takes" : "none";
}

static void broken_templates_say_where(void) {
    static const char a[] = "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}", b[] = "{\"Sequence\":{\"id\":\"B\",\"type_id\":1}}";
    char text[400];
    snprintf(text, sizeof text, "[%s,%s]", b, a);
    CHECK_STR(broken(text), "takes");
    snprintf(text, sizeof text, "[%s,%s,%s]", a, b, a);
    CHECK_STR(broken(text), "none");
    snprintf(text, sizeof text, "[%s]", a);
    CHECK_STR(broken(text), "none");
    CHECK_STR(broken("null"), "none");
    snprintf(text, sizeof text, "[%s,{\"SpecialToken\":{\"id\":\"[NO]\"}},%s]", a, b);
    CHECK_STR(broken(text), "3 tokenizer.json: post_processor.special_tokens: no ids for \"[NO]\"");
    snprintf(text, sizeof text, "[%s,{\"Sequence\":{\"id\":\"B\",\"type_id\":40000}}]", a);
    CHECK_STR(broken(text), "3 tokenizer.json: post_processor.pair.type_id: expected a number from 0 to 32767");
    snprintf(text, sizeof text, "[%s,{\"Sequence\":{\"id\":\"B\",\"type_id\":-1}}]", a);
    CHECK_STR(broken(text), "3 tokenizer.json: post_processor.pair.type_id: expected a number from 0 to 32767");
    CHECK_STR(broken("[3]"), "3 tokenizer.json: post_processor.pair: expected {\"SpecialToken\": ..} and one "
                             "{\"Sequence\": {\"id\": \"A\"}}");
}

/* Published vocabularies, outside of the repository: tokenizer.json, vocab.txt, GGUF. */
static void published_layouts_make_the_same_pairs(void) {
    static const char *const files[] = { "raw/minilm.tokenizer.json", "raw/minilm.vocab.txt", "ggml-vocab-bert-bge.gguf" };
    const truth f = truth_open("encoders");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char         path[400];
        sonde_model *m;
        sonde_error  err;
        snprintf(path, sizeof path, SONDE_SOURCE_DIR "/../shared/data/vocab/%s", files[i]);
        if (access(path, F_OK) != 0) {
            printf("%s is not here: skipped\n", files[i]);
            continue;
        }
        if (sonde_tokenizer_open(&m, path, NULL, &err)) FAIL_("%s", err.message);
        for (const json *row = truth_of(f.all, "shared")->child; row; row = row->next) {
            const text_bytes a = text_of(row, "a"), b = text_of(row, "b");
            const json *ids = truth_of(row, "ids"), *types = truth_of(row, "types");
            sonde_tokens t;
            bool         special;
            json_bool(truth_of(row, "special"), &special);
            const sonde_token_options o = { .bos = special ? SONDE_BOS_AUTO : SONDE_BOS_NO, .pair = b.at, .pair_len = b.len };
            if (sonde_tokenize(m, a.at, a.len, o, &t, &err)) FAIL_("%s: %s", files[i], err.message);
            CHECK_EQ(t.n, (int64_t)ids->len);
            for (int64_t k = 0; k < t.n; k++) {
                CHECK_EQ(t.id[k], (int64_t)truth_item(ids, (size_t)k));
                CHECK_EQ(t.type ? t.type[k] : 0, (int64_t)truth_item(types, (size_t)k));
            }
            sonde_tokens_free(&t);
        }
        sonde_model_close(m);
    }
    truth_close(f);
}

/* RoBERTa's older layout. */
static void vocab_and_merges_of_roberta_take_pairs(void) {
    static const char vocab[] = "{\"<s>\":0,\"</s>\":1,\"a\":2,\"b\":3}", merges[] = "#version: 0.2\n",
                      config[] = "{\"tokenizer_class\": \"RobertaTokenizer\", \"bos_token\": \"<s>\", \"eos_token\": \"</s>\"}";
    const tokenizer_files files = { .vocab = { .data = vocab, .size = strlen(vocab) }, .config = { .data = config, .size = strlen(config) },
                                    .merges = { .data = merges, .size = strlen(merges) } };
    static const int32_t want[] = { 0, 2, 1, 1, 3, 3, 1 };
    const text_bytes b = { "bb", 2 };
    tokenizer  *t;
    sonde_error err;
    token_list  list;
    arena      *memory = arena_new();
    if (tokenizer_new(&t, &files, &err)) FAIL_("%s", err.message);
    if (tokenizer_encode(t, (text_bytes){ "a", 1 }, (tokenizer_options){ .pair = &b }, memory, &list, &err)) FAIL_("%s", err.message);
    CHECK_EQ((int64_t)list.n, 7);
    for (size_t i = 0; i < list.n && i < 7; i++) CHECK(list.at[i].id == want[i] && list.at[i].type == 0);
    tokenizer_free(t);
    arena_free(memory);
}

#define TESTS(X) X(ids_and_types_are_the_librarys) X(templates_are_written) X(a_model_gets_the_types_that_it_tells_apart) \
    X(a_tokenizer_without_a_template_refuses) X(broken_templates_say_where) \
    X(published_layouts_make_the_same_pairs) X(vocab_and_merges_of_roberta_take_pairs)
TEST_MAIN(TESTS)
