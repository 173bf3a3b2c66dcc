/* Every kind of tokenizer on made-up strings: hashes of ids and spans that were taken when tools/fuzz_tokenizers.py had
 * found them equal to the official libraries' (golden/tokenizer/kinds/hashes.txt; SONDE_WRITE_HASHES in the environment
 * writes them anew). */
#include "test.h"
#include "ref/gguf_vocab.h"
#include "text_maker.h"

#define GOLDEN SONDE_SOURCE_DIR "/tests/golden/tokenizer/"
#define KINDS  GOLDEN "kinds/"

enum { STRINGS = 4000, PER_HASH = 1000 };

static sonde_error err;
static const char *write_to;

typedef struct { const char *name; const char *model, *vocab_txt, *json, *config; bool plain; } kind;

static const kind all[] = {
    { .name = "spm-bpe",             .model = KINDS "spm_bpe.model", .plain = true },
    { .name = "spm-bpe-special",     .model = KINDS "spm_bpe.model" },
    { .name = "unigram",             .model = KINDS "unigram.model", .plain = true },
    { .name = "wordpiece-txt",       .vocab_txt = KINDS "wordpiece.txt" },
    { .name = "wordpiece-plain",     .vocab_txt = KINDS "wordpiece.txt", .plain = true },
    { .name = "wordpiece-txt-cased", .vocab_txt = KINDS "wordpiece.txt",
      .config = "{\"do_lower_case\":false,\"strip_accents\":true,\"tokenize_chinese_chars\":false}" },
    { .name = "tiktoken",            .model = KINDS "ranks.tiktoken", .plain = true,
      .config = "{\"tokenizer_class\":\"LlamaTokenizer\"}" },
    { .name = "bpe-json",            .json = GOLDEN "tokenizer.json" },
};
enum { ALL = sizeof all / sizeof *all };

static text_file open_file(file_map *map, const char *path) {
    if (!path) return (text_file){ 0 };
    if (file_map_open(map, path, &err) != SONDE_OK) FAIL_("%s", err.message);
    return (text_file){ (const char *)map->data, map->size, strrchr(path, '/') + 1 };
}

static tokenizer *load(const kind *k) {
    file_map map[3] = { { 0 } };
    const tokenizer_files files = {
        .model = open_file(&map[0], k->model), .vocab_txt = open_file(&map[1], k->vocab_txt),
        .json = open_file(&map[2], k->json), .config = { k->config, k->config ? strlen(k->config) : 0, NULL },
    };
    tokenizer *t;
    if (tokenizer_new(&t, &files, &err) != SONDE_OK) FAIL_("%s: %s", k->name, err.message);
    for (int i = 0; i < 3; i++) file_map_close(&map[i]);
    return t;
}

/* FNV-1a of the little-endian numbers. */
static uint64_t mix(uint64_t h, int64_t v) {
    for (int i = 0; i < 4; i++) h = (h ^ (uint64_t)(v >> (8 * i) & 0xff)) * 0x100000001b3u;
    return h;
}

typedef struct { uint64_t at[STRINGS / PER_HASH]; } hashes;

static hashes hash_of(const tokenizer *t, bool plain, bool spans) {
    hashes out;
    text_maker m;
    CHECK(text_maker_open(&m, 1));
    arena *a = arena_new();
    uint64_t h = 0;
    for (int i = 0; i < STRINGS; i++) {
        token_list list = { 0 };
        const tokenizer_options o = { .plain = plain, .no_specials = true };
        if (i % PER_HASH == 0) h = 0xcbf29ce484222325u;
        if (tokenizer_encode(t, text_maker_string(&m, (uint64_t)i), o, a, &list, &err) != SONDE_OK) FAIL_("%s", err.message);
        h = mix(h, (int64_t)list.n);
        for (size_t k = 0; k < list.n; k++) {
            h = mix(h, list.at[k].id);
            if (spans) h = mix(mix(h, list.at[k].start), list.at[k].end);
        }
        if ((i + 1) % PER_HASH == 0) out.at[i / PER_HASH] = h;
        arena_reset(a);
    }
    arena_free(a);
    arena_free(m.memory);
    return out;
}

static void ids_and_spans_are_those_that_were_checked(void) {
    write_to = getenv("SONDE_WRITE_HASHES");
    FILE *f = fopen(KINDS "hashes.txt", write_to ? "w" : "r");
    CHECK(f != NULL);
    for (int i = 0; i < ALL; i++) {
        tokenizer *t = load(&all[i]);
        const hashes h = hash_of(t, all[i].plain, true);
        tokenizer_free(t);
        for (int k = 0; k < STRINGS / PER_HASH; k++) {
            char name[64];
            unsigned long long want = 0;
            int first = 0;
            if (write_to) {
                fprintf(f, "%s %d %016llx\n", all[i].name, k * PER_HASH, (unsigned long long)h.at[k]);
                continue;
            }
            CHECK(fscanf(f, "%63s %d %llx", name, &first, &want) == 3);
            CHECK_STR(name, all[i].name);
            if (want != h.at[k]) FAIL_("%s: strings %d.. have other ids or spans", name, first);
        }
    }
    fclose(f);
}

/* Ids alone: what is read again may spread spans over dropped characters otherwise. */
static void check_same(const tokenizer *a, const tokenizer *b, const char *name, bool plain) {
    const hashes x = hash_of(a, plain, false), y = hash_of(b, plain, false);
    if (memcmp(&x, &y, sizeof x) != 0) FAIL_("%s: other ids", name);
}

static void what_is_written_as_tokenizer_json_gives_the_same_ids(void) {
    for (int i = 0; i < ALL; i++) {
        if (strcmp(all[i].name, "unigram") == 0) continue;      /* the library's charsmap takes grapheme clusters */
        tokenizer *t = load(&all[i]), *again;
        arena *a = arena_new();
        text_bytes out;
        if (tokenizer_write_json(t, a, &out, &err) != SONDE_OK) FAIL_("%s: %s", all[i].name, err.message);
        const tokenizer_files files = { .json = { out.at, out.len, "written" } };
        if (tokenizer_new(&again, &files, &err) != SONDE_OK) FAIL_("%s: %s", all[i].name, err.message);
        check_same(t, again, all[i].name, all[i].plain);
        tokenizer_free(again);
        tokenizer_free(t);
        arena_free(a);
    }
}

static void pieces_and_back_give_the_same_ids(void) {
    for (int i = 0; i < ALL; i++) {
        const bool cased = strstr(all[i].name, "cased") != NULL, flags = strcmp(all[i].name, "bpe-json") == 0;
        tokenizer *t = load(&all[i]), *again;
        arena *a = arena_new();
        vocab_pieces p;
        const sonde_status s = tokenizer_to_pieces(t, a, &p, &err);
        CHECK_EQ(s, cased ? SONDE_UNSUPPORTED : SONDE_OK);
        if (s == SONDE_OK) {
            if (tokenizer_of_pieces(&again, &p, &err) != SONDE_OK) FAIL_("%s: %s", all[i].name, err.message);
            CHECK_EQ(tokenizer_size(again), tokenizer_size(t));
            CHECK_EQ(tokenizer_bos(again), tokenizer_bos(t));
            /* not said there: flags of added tokens, and that only the first stretch has a prefix */
            if (!flags && strcmp(all[i].name, "spm-bpe-special") != 0) check_same(t, again, all[i].name, all[i].plain);
            tokenizer_free(again);
        }
        tokenizer_free(t);
        arena_free(a);
    }
}

static tokenizer *of_json(const char *text, size_t n) {
    tokenizer *t;
    const tokenizer_files files = { .json = { text, n, "tokenizer.json" } };
    if (tokenizer_new(&t, &files, &err) != SONDE_OK) FAIL_("%s", err.message);
    return t;
}

/* All texts of up to six letters a, b, c have the same ids as pieces. */
static void check_letters(const tokenizer *t, const vocab_pieces *p) {
    tokenizer *again;
    CHECK_EQ(tokenizer_of_pieces(&again, p, &err), SONDE_OK);
    for (int n = 1, all_of_n = 3; n <= 6; n++, all_of_n *= 3)
        for (int which = 0; which < all_of_n; which++) {
            char text[7] = "";
            for (int i = 0, rest = which; i < n; i++, rest /= 3) text[i] = (char)('a' + rest % 3);
            arena *a = arena_new();
            token_list x, y;
            CHECK_EQ(tokenizer_encode(t, (text_bytes){ text, (size_t)n }, (tokenizer_options){ 0 }, a, &x, &err), SONDE_OK);
            CHECK_EQ(tokenizer_encode(again, (text_bytes){ text, (size_t)n }, (tokenizer_options){ 0 }, a, &y, &err), SONDE_OK);
            CHECK(x.n == y.n);
            for (size_t i = 0; i < x.n; i++) CHECK_EQ(x.at[i].id, y.at[i].id);
            arena_free(a);
        }
    tokenizer_free(again);
}

/* A Llama's tokenizer.json has pairs with ranks, GGUF pieces with scores. */
static void pairs_of_a_json_are_pieces_where_they_mean_the_same(void) {
#define PAIRS(vocab, merges) "{\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"\u2581\"}," \
        "\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"?\",\"vocab\":{\"?\":0,\"a\":1,\"b\":2,\"c\":3," vocab \
        "},\"merges\":[" merges "]}}"
    static const struct { const char *json, *refused; } rows[] = {
        { PAIRS("\"ab\":4,\"abc\":5", "\"a b\",\"ab c\""), NULL },
        { PAIRS("\"ab\":4,\"bc\":5,\"abc\":6", "\"b c\",\"a b\",\"ab c\",\"a bc\""), NULL },
        { PAIRS("\"ab\":4,\"bc\":5,\"abc\":6", "\"a b\",\"b c\",\"ab c\""), "a list of merges that leaves some out" },
        { PAIRS("\"ab\":4,\"bc\":5,\"abc\":6", "\"a b\",\"ab c\",\"b c\",\"a bc\""), "this order of merges" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arena *a = arena_new();
        vocab_pieces p;
        tokenizer *t = of_json(rows[i].json, strlen(rows[i].json));
        CHECK_EQ(tokenizer_to_pieces(t, a, &p, &err), rows[i].refused ? SONDE_UNSUPPORTED : SONDE_OK);
        if (rows[i].refused) CHECK(strstr(err.message, rows[i].refused) != NULL);
        else check_letters(t, &p);
        tokenizer_free(t);
        arena_free(a);
    }
}

static const char *decoded(const tokenizer *t, const char *text, bool skip, arena *a) {
    token_list list;
    text_bytes out;
    CHECK_EQ(tokenizer_encode(t, (text_bytes){ text, strlen(text) }, (tokenizer_options){ 0 }, a, &list, &err), SONDE_OK);
    int32_t *ids = arena_new_array(a, int32_t, list.n + 1);
    for (size_t i = 0; i < list.n; i++) ids[i] = list.at[i].id;
    CHECK_EQ(tokenizer_decode(t, (id_list){ ids, list.n }, skip, a, &out, &err), SONDE_OK);
    return arena_printf(a, "%.*s", (int)out.len, out.at);
}

static void texts_come_back(void) {
    arena *a = arena_new();
    tokenizer *t = load(&all[1]);
    CHECK_STR(decoded(t, " The cat \xf0\x9f\x98\x80 sat", true, a), " The cat \xf0\x9f\x98\x80 sat");
    CHECK_STR(decoded(t, "The cat", false, a), "<s>The cat");
    tokenizer_free(t);
    t = load(&all[3]);
    CHECK_STR(decoded(t, "The caf\xc3\xa9 is old, and she went.", true, a), "the cafe is old, and she went.");
    tokenizer_free(t);
    arena_free(a);
}

static void text_that_is_no_utf8_is_refused_with_its_offset(void) {
    for (int i = 0; i < ALL; i++) {
        const bool bytes = strcmp(all[i].name, "tiktoken") == 0 || strcmp(all[i].name, "bpe-json") == 0;
        tokenizer *t = load(&all[i]);
        arena *a = arena_new();
        token_list list;
        const sonde_status s = tokenizer_encode(t, (text_bytes){ "ab\xff", 3 }, (tokenizer_options){ 0 }, a, &list, &err);
        CHECK_EQ(s, bytes ? SONDE_OK : SONDE_USAGE);
        if (!bytes) CHECK_STR(err.message, "byte 2 of the text is not UTF-8, which this tokenizer needs");
        arena_free(a);
        tokenizer_free(t);
    }
}

/* A byte of each file at a time is another, and each file ends early: an error or a tokenizer, never a crash. */
static void broken_files_are_errors(void) {
    static const char *const files[] = { KINDS "spm_bpe.model", KINDS "wordpiece.txt", KINDS "ranks.tiktoken" };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        file_map map = { 0 };
        const text_file f = open_file(&map, files[i]);
        char *copy = malloc(f.size);
        for (size_t at = 0; at < f.size; at += 97) {
            tokenizer *t;
            memcpy(copy, f.data, f.size);
            copy[at] = (char)(copy[at] ^ (char)(1 << at % 8));
            const text_file broken = { copy, f.size, "broken" }, cut = { copy, at, "cut" };
            if (tokenizer_of_file(&t, &broken, &err) == SONDE_OK) tokenizer_free(t);
            if (tokenizer_of_file(&t, &cut, &err) == SONDE_OK) tokenizer_free(t);
        }
        free(copy);
        file_map_close(&map);
    }
}

/* The library that wrote the flag and the file's own would give other ids. */
static void a_flag_against_the_models_own_is_refused(void) {
    static const struct { const char *config; sonde_status status; } rows[] = {
        { "{\"add_prefix_space\":false}", SONDE_UNSUPPORTED }, { "{\"add_prefix_space\":true}", SONDE_OK },
        { "{\"add_prefix_space\":null}", SONDE_OK },           { "{\"add_prefix_space\":1}", SONDE_FORMAT },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        file_map map = { 0 };
        tokenizer *t;
        const tokenizer_files files = { .model = open_file(&map, KINDS "spm_bpe.model"),
                                        .config = { rows[i].config, strlen(rows[i].config), NULL } };
        CHECK_EQ(tokenizer_new(&t, &files, &err), rows[i].status);
        if (i == 0) CHECK_HAS(err.message, "add_prefix_space: false, but the model's own add_dummy_prefix is not");
        tokenizer_free(t);
        file_map_close(&map);
    }
}

static void long_texts_do_not_take_square_time(void) {
    enum { LONG = 400000 };
    char *text = malloc(LONG);
    for (int i = 0; i < ALL; i++) {
        tokenizer *t = load(&all[i]);
        arena *a = arena_new();
        token_list list;
        memset(text, "ae .1'"[i % 6], LONG);
        CHECK_EQ(tokenizer_encode(t, (text_bytes){ text, LONG }, (tokenizer_options){ 0 }, a, &list, &err), SONDE_OK);
        arena_free(a);
        tokenizer_free(t);
    }
    free(text);
}

#define TESTS(X) \
    X(ids_and_spans_are_those_that_were_checked) X(what_is_written_as_tokenizer_json_gives_the_same_ids) \
    X(pieces_and_back_give_the_same_ids) X(pairs_of_a_json_are_pieces_where_they_mean_the_same) X(texts_come_back) X(text_that_is_no_utf8_is_refused_with_its_offset) \
    X(broken_files_are_errors) X(a_flag_against_the_models_own_is_refused) X(long_texts_do_not_take_square_time)
TEST_MAIN(TESTS)
