#include "test.h"
#include "base/file.h"
#include "text/bytes.h"
#include "text/tokenizer.h"
#include <pthread.h>
#include <stdlib.h>

#define GOLDEN SONDE_SOURCE_DIR "/tests/golden/tokenizer/"

static const tokenizer_options usual = { .plain = false }, plain = { .plain = true };

/* What one encode or decode gave, kept until the next. */
static arena      *memory;
static const token_span *span;
static size_t      n_spans;
static sonde_error err;

static arena *fresh(void) {
    if (memory) arena_reset(memory); else memory = arena_new();
    return memory;
}

static void encode(const tokenizer *t, const char *text, size_t len, tokenizer_options o) {
    token_list list = { 0 };
    CHECK_EQ(tokenizer_encode(t, (text_bytes){ text, len }, o, fresh(), &list, &err), SONDE_OK);
    span = list.at;
    n_spans = list.n;
}

/* "id id id" of a text. */
static const char *ids(const tokenizer *t, const char *text, tokenizer_options o) {
    encode(t, text, strlen(text), o);
    char *out = arena_alloc(memory, 16 * n_spans + 1), *at = out;
    for (size_t i = 0; i < n_spans; i++) at += snprintf(at, 16, "%s%d", i ? " " : "", span[i].id);
    return out;
}

/* "start-end start-end" of the last encode. */
static const char *spans(void) {
    char *out = arena_alloc(memory, 48 * n_spans + 1), *at = out;
    for (size_t i = 0; i < n_spans; i++)
        at += snprintf(at, 48, "%s%lld-%lld", i ? " " : "", (long long)span[i].start, (long long)span[i].end);
    return out;
}

static bool tiles(size_t len) {
    int64_t at = 0;
    for (size_t i = 0; i < n_spans; at = span[i++].end)
        if (span[i].start != at || span[i].end < at) return false;
    return at == (int64_t)len;
}

static text_file file(const char *name) {
    static file_map open[16];
    static int n;
    file_map *f = &open[n++ % 16];
    file_map_close(f);
    CHECK_EQ(file_map_open(f, name, &err), SONDE_OK);
    return (text_file){ (const char *)f->data, f->size, strrchr(name, '/') + 1 };
}

static tokenizer *open_files(tokenizer_files files) {
    tokenizer *t = NULL;
    if (tokenizer_new(&t, &files, &err) != SONDE_OK) FAIL_("%s", err.message);
    return t;
}

static tokenizer *golden(void) { return open_files((tokenizer_files){ .json = file(GOLDEN "tokenizer.json") }); }

static text_file text(const char *s) { return (text_file){ s, strlen(s), NULL }; }

/* A tokenizer.json made of these parts: the vocabulary is the 256 bytes, each with its own value as id, and `more`
 * (each with a comma in front). Written into one of two buffers. */
typedef struct { const char *added, *normalizer, *pre, *post, *more, *merges, *model; } parts;

static const char *or(const char *text, const char *usually) { return text ? text : usually; }

static const char *make_json(parts p) {
    static char buffer[2][16384];
    static int which;
    char *out = buffer[which ^= 1], *at = out, *end = out + sizeof buffer[0];
    at += snprintf(at, (size_t)(end - at), "{\"version\":\"1.0\",\"truncation\":{\"max_length\":2},\"padding\":{\"length\":9},"
                   "\"added_tokens\":[%s],\"normalizer\":%s,\"pre_tokenizer\":%s,\"post_processor\":%s,"
                   "\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",%s\"merges\":[%s],\"vocab\":{",
                   or(p.added, ""), or(p.normalizer, "null"), or(p.pre, "{\"type\":\"ByteLevel\",\"add_prefix_space\":false}"),
                   or(p.post, "null"), or(p.model, ""), or(p.merges, ""));
    for (int b = 0; b < 256; b++) {
        const char byte = (char)b;
        char spelled[2];
        const size_t n = bytes_spell(&byte, 1, spelled);
        const char *escape = byte == '"' || byte == '\\' ? "\\" : "";
        at += snprintf(at, (size_t)(end - at), "%s\"%s%.*s\":%d", b ? "," : "", escape, (int)n, spelled, b);
    }
    snprintf(at, (size_t)(end - at), "%s}}}", or(p.more, ""));
    return out;
}

static tokenizer *made(parts p) { return open_files((tokenizer_files){ .json = text(make_json(p)) }); }

/* The message a tokenizer.json is refused with; its status goes to `err`. */
static const char *refused(const char *json) {
    tokenizer *t;
    const tokenizer_files files = { .json = text(json) };
    const sonde_status s = tokenizer_new(&t, &files, &err);
    if (s == SONDE_OK) { tokenizer_free(t); return "not refused"; }
    CHECK(t == NULL);
    CHECK_EQ(err.status, s);
    return err.message;
}

/* Replays a .bin file; returns how many strings there were. */
static int replay(const tokenizer *t, const char *name, tokenizer_options o) {
    const text_file f = file(name);
    const uint8_t *p = (const uint8_t *)f.data, *end = p + f.size;
    int strings = 0;
    for (; p < end; strings++) {
        const size_t len = p[0] | (size_t)p[1] << 8;
        const char *bytes = (const char *)p + 2;
        p += 2 + len;
        const size_t n = p[0] | (size_t)p[1] << 8;
        p += 2;
        encode(t, bytes, len, o);
        bool same = n == n_spans;
        for (size_t i = 0; i < n && same; i++) same = span[i].id == (p[2 * i] | p[2 * i + 1] << 8);
        if (!same) FAIL_("string %d of %s, \"%.*s\": other ids than the library's", strings, name, (int)len, bytes);
        CHECK(n == 0 || tiles(len));
        p += 2 * n;
    }
    CHECK(p == end);
    return strings;
}

static void ids_are_those_of_the_library(void) {
    tokenizer *t = golden();
    CHECK(replay(t, GOLDEN "vectors.bin", usual) >= 13000);
    CHECK(replay(t, GOLDEN "plain.bin", plain) >= 2000);
    tokenizer_free(t);
}

static tokenizer_files older_files(void) {
    return (tokenizer_files){ .vocab = file(GOLDEN "vocab.json"), .merges = file(GOLDEN "merges.txt"),
                              .config = file(GOLDEN "tokenizer_config.json") };
}

static void gpt2s_layout_gives_the_same_ids(void) {
    tokenizer *t = open_files(older_files());
    CHECK(replay(t, GOLDEN "vectors.bin", usual) >= 13000);
    CHECK(replay(t, GOLDEN "plain.bin", plain) >= 2000);
    CHECK_EQ(tokenizer_bos(t), 0);
    CHECK_EQ(tokenizer_eos(t), 0);
    CHECK_EQ(tokenizer_size(t), 603);
    tokenizer_free(t);
}

static void the_demo_tokenizer_agrees_too(void) {
    if (!file_exists(GOLDEN "demo/tokenizer.json")) {
        puts("skipped: no " GOLDEN "demo/tokenizer.json");
        return;
    }
    tokenizer *t = open_files((tokenizer_files){ .json = file(GOLDEN "demo/tokenizer.json") });
    CHECK(replay(t, GOLDEN "demo/vectors.bin", usual) >= 5000);
    tokenizer_free(t);
}

static void any_bytes_come_back(void) {
    tokenizer *t = golden();
    uint32_t seed = 1;
    for (int round = 0; round < 3000; round++) {
        char bytes[64];
        const size_t len = (size_t)round % sizeof bytes;
        for (size_t i = 0; i < len; i++) {
            seed = seed * 1664525u + 1013904223u;
            bytes[i] = round % 3 ? (char)(seed >> 24) : "the \xc3\xa9\xf0\x9f\x98\x80'lls\n"[seed >> 24 & 15];
        }
        encode(t, bytes, len, plain);
        CHECK(tiles(len));
        int32_t got[64];
        for (size_t i = 0; i < n_spans; i++) got[i] = span[i].id;
        text_bytes back;
        CHECK_EQ(tokenizer_decode(t, (id_list){ got, n_spans }, false, memory, &back, &err), SONDE_OK);
        CHECK(back.len == len && memcmp(back.at, bytes, len) == 0);
    }
    tokenizer_free(t);
}

static void every_bad_byte_is_a_piece_of_its_own(void) {
    tokenizer *t = made((parts){ .merges = "\"a b\",\"b a\",\"\xc3\xbf \xc3\xbf\",\"a \xc3\xbf\"",
                                 .more = ",\"ab\":256,\"ba\":257,\"\xc3\xbf\xc3\xbf\":258,\"a\xc3\xbf\":259" });
    CHECK_STR(ids(t, "ab\xff\xff" "ab\xc3", usual), "256 255 255 256 195");
    CHECK_STR(spans(), "0-2 2-3 3-4 4-6 6-7");
    CHECK_STR(ids(t, "\xed\xa0\x80 \xc0\x80", usual), "237 160 128 32 192 128");       /* a surrogate, an overlong */
    tokenizer_free(t);
}

static void spans_count_bytes_of_the_text(void) {
    tokenizer *t = made((parts){ .merges = "\"\xc3\xa2 \xc4\xa4\"", .more = ",\"\xc3\xa2\xc4\xa4\":256" });
    CHECK_STR(ids(t, "x\xe2\x82\xac", usual), "120 256 172");                           /* the euro sign in two tokens */
    CHECK_STR(spans(), "0-1 1-3 3-4");
    CHECK_STR(ids(t, "", usual), "");
    tokenizer_free(t);
}

static void merges_go_by_rank_and_then_from_the_left(void) {
    tokenizer *t = made((parts){ .merges = "[\"a\",\"a\"],[\"b\",\"c\"],[\"a\",\"b\"],[\"aa\",\"a\"]",
                                 .more = ",\"aa\":256,\"bc\":257,\"ab\":258,\"aaa\":259" });
    CHECK_STR(ids(t, "aaa", usual), "259");
    CHECK_STR(ids(t, "aaaa", usual), "256 256");
    CHECK_STR(ids(t, "aaaaa", usual), "256 259");
    CHECK_STR(ids(t, "abc", usual), "97 257");
    CHECK_STR(ids(t, "ab", usual), "258");
    tokenizer_free(t);
}

static void a_whole_token_is_not_merged_with_ignore_merges(void) {
    const parts p = { .merges = "\"a b\"", .more = ",\"ab\":256,\"abc\":257,\"\xc4\xa0z\":258" };
    tokenizer *t = made(p);
    CHECK_STR(ids(t, "abc z", usual), "256 99 32 122");
    tokenizer_free(t);
    parts q = p;
    q.model = "\"ignore_merges\":true,";
    t = made(q);
    CHECK_STR(ids(t, "abc z abcd", usual), "257 258 32 256 99 100");
    tokenizer_free(t);
}

static void bytes_without_a_token_are_unknown_or_left_out(void) {
    const char *json = "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},\"model\":{\"type\":\"BPE\","
                       "\"vocab\":{\"a\":0,\"b\":1,\"?\":2},\"merges\":[]%s}}";
    char one[512];
    const char *const more[] = { "", ",\"unk_token\":\"?\"", ",\"unk_token\":\"?\",\"fuse_unk\":true" };
    const char *const want[] = { "0 1", "0 2 2 1", "0 2 1" };
    for (int i = 0; i < 3; i++) {
        snprintf(one, sizeof one, json, more[i]);
        tokenizer *t = open_files((tokenizer_files){ .json = text(one) });
        CHECK_STR(ids(t, "axyb", usual), want[i]);
        tokenizer_free(t);
    }
}

static void special_texts_are_tokens_unless_plain(void) {
    tokenizer *t = made((parts){ .added = "{\"id\":7,\"content\":\"<x>\",\"special\":true},"
                                          "{\"id\":8,\"content\":\"yz\",\"special\":false,\"normalized\":false}" });
    CHECK_STR(ids(t, "a<x>yz", usual), "97 256 257");
    CHECK_STR(spans(), "0-1 1-4 4-6");
    CHECK_STR(ids(t, "a<x>yz", plain), "97 60 120 62 257");
    CHECK(tokenizer_special(t, 256));
    CHECK(!tokenizer_special(t, 257));
    CHECK(!tokenizer_special(t, 60));
    CHECK(!tokenizer_special(t, 999));
    tokenizer_free(t);
}

static void the_longest_added_token_wins_and_flags_count(void) {
    tokenizer *t = made((parts){ .added =
        "{\"content\":\"<a>\",\"lstrip\":true},{\"content\":\"<a><b>\"},{\"content\":\"<c>\",\"rstrip\":true},"
        "{\"content\":\"cat\",\"single_word\":true}" });
    CHECK_STR(ids(t, "<a><b> \t<a>", usual), "257 256");
    CHECK_STR(spans(), "0-6 6-11");
    CHECK_STR(ids(t, "<c>\xc2\xa0 z", usual), "258 122");
    CHECK_STR(spans(), "0-6 6-7");
    CHECK_STR(ids(t, "cat cats \xc3\xa9" "cat cat.", usual), "259 32 99 97 116 115 32 195 169 99 97 116 32 259 46");
    tokenizer_free(t);
}

static void a_space_is_put_in_front_where_the_file_says(void) {
    tokenizer *t = made((parts){ .pre = "{\"type\":\"ByteLevel\",\"add_prefix_space\":true}",
                                 .added = "{\"content\":\"<x>\"}", .merges = "\"\xc4\xa0 a\"", .more = ",\"\xc4\xa0" "a\":256" });
    CHECK_STR(ids(t, "a", usual), "256");
    CHECK_STR(spans(), "0-1");
    CHECK_STR(ids(t, "b<x> a", usual), "32 98 257 256");
    CHECK_STR(spans(), "0-0 0-1 1-4 4-6");
    CHECK_STR(ids(t, "", usual), "");
    CHECK_STR(ids(t, "\xff" "a", usual), "255 97");
    tokenizer_free(t);
}

static void the_template_goes_around_the_text(void) {
    const char *post = "{\"type\":\"Sequence\",\"processors\":[{\"type\":\"ByteLevel\",\"trim_offsets\":true},"
        "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<s>\",\"type_id\":0}},"
        "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"SpecialToken\":{\"id\":\"</s>\",\"type_id\":0}}],\"pair\":[],"
        "\"special_tokens\":{\"<s>\":{\"ids\":[256]},\"</s>\":{\"ids\":[257,10]}}}]}";
    tokenizer *t = made((parts){ .post = post, .added = "{\"content\":\"<s>\",\"special\":true},{\"content\":\"</s>\"}" });
    CHECK_STR(ids(t, " a", usual), "256 32 97 257 10");
    CHECK_STR(spans(), "0-0 0-1 1-2 2-2 2-2");
    CHECK_STR(ids(t, "a", (tokenizer_options){ .no_specials = true }), "97");
    CHECK_EQ(tokenizer_bos(t), 256);
    CHECK_EQ(tokenizer_eos(t), 10);
    tokenizer_free(t);
}

static void normal_form_c_keeps_the_spans_of_the_text(void) {
    tokenizer *t = made((parts){ .normalizer = "{\"type\":\"NFC\"}", .added = "{\"content\":\"\xc3\xa9\xc3\xa9\"}" });
    CHECK_STR(ids(t, "ae\xcc\x81.", usual), "97 195 169 46");
    CHECK_STR(spans(), "0-1 1-4 4-4 4-5");
    CHECK_STR(ids(t, "e\xcc\x81\xc3\xa9", usual), "256");
    CHECK_STR(spans(), "0-5");
    CHECK_STR(ids(t, "\xff" "e\xcc\x81", usual), "255 195 169");
    tokenizer_free(t);
}

/* Ids of a text of a and b cut by the expression: each piece that is one of these texts is one token. */
static const char *cut_by(const char *regex, const char *string) {
    static char pre[512];
    snprintf(pre, sizeof pre, "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"behavior\":\"Isolated\","
             "\"pattern\":{\"Regex\":\"%s\"}},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}", regex);
    static const char all[] = ",\"aa\":256,\"ab\":257,\"ba\":258,\"bb\":259,\"aab\":260,\"abb\":261,\"aabb\":262";
    tokenizer *t = made((parts){ .pre = pre, .more = all, .model = "\"ignore_merges\":true," });
    const char *out = ids(t, string, usual);
    tokenizer_free(t);
    return out;
}

static void patterns_mean_what_they_mean_in_the_library(void) {
    CHECK_STR(cut_by("b+", "aabb"), "256 259");
    CHECK_STR(cut_by("zzz", "aabb"), "262");
    CHECK_STR(cut_by("(?=b)", "aabb"), "256 98 98");             /* an empty match cuts */
    CHECK_STR(cut_by("\\\\h", "ag"), "97 103");
    CHECK_STR(cut_by("(?m:.)b", "aa\nb"), "256 10 98");
    CHECK_STR(cut_by("\\\\w+", "aa\xcc\x81.bb"), "97 97 204 129 46 259");
    CHECK_STR(cut_by("\\\\p{Han}|[^\\\\S]", "aa\xe3\x88\xb4" "bb\xe1\xa0\x8e" "aa"), "97 97 227 136 180 98 98 225 160 142 97 97");
    CHECK_STR(cut_by("^aa", "aabb"), "256 259");
    CHECK_STR(cut_by("a$", "aab"), "260");
}

static void patterns_that_would_mean_something_else_are_refused(void) {
    static const struct { const char *regex, *why; } bad[] = {
        { "a[b&&c]",       "pattern, offset 3: && is not supported" },
        { "[[:alpha:]]",   "pattern, offset 1: [ in a class is not supported" },
        { "a(?i)b",        "pattern, offset 1: an option in the middle is not supported" },
        { "a{2}+",         "pattern, offset 1: + or ? behind {} is not supported" },
        { "a{,2}",         "pattern, offset 1: {, is not supported" },
        { "[\\\\W]",       "pattern, offset 1: \\W is not supported" },
        { "(",             "pattern \"(\": missing closing parenthesis" },
        { "\\\\p{Nonsense}", "pattern \"\\p{Nonsense}\": unknown property after \\P or \\p" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char pre[256], want[256];
        snprintf(pre, sizeof pre, "{\"type\":\"Split\",\"behavior\":\"Isolated\",\"pattern\":{\"Regex\":\"%s\"}}", bad[i].regex);
        snprintf(want, sizeof want, "tokenizer.json: pre_tokenizer: %s", bad[i].why);
        CHECK_STR(refused(make_json((parts){ .pre = pre })), want);
        CHECK_EQ(err.status, SONDE_UNSUPPORTED);
    }
}

static void a_pattern_that_takes_too_long_is_an_error(void) {
    tokenizer *t = made((parts){ .pre = "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"behavior\":\"Isolated\","
        "\"pattern\":{\"Regex\":\"(a|aa)+$\"}},{\"type\":\"ByteLevel\",\"add_prefix_space\":false}]}" });
    char many[200];
    memset(many, 'a', sizeof many);
    many[sizeof many - 1] = 'b';
    token_list list;
    CHECK_EQ(tokenizer_encode(t, (text_bytes){ many, sizeof many }, usual, fresh(), &list, &err), SONDE_UNSUPPORTED);
    CHECK_STR(err.message, "pattern \"(a|aa)+$\" on this text: match limit exceeded");
    tokenizer_free(t);
}

static void unknown_parts_are_refused_by_name(void) {
    static const struct { parts p; const char *why; } bad[] = {
        { { .normalizer = "{\"type\":\"Upper\"}" },
          "tokenizer.json: normalizer: type \"Upper\" is not supported (these are: Sequence, BertNormalizer, Strip, "
          "StripAccents, NFC, NFD, NFKC, NFKD, Lowercase, Nmt, Precompiled, Replace, Prepend, ByteLevel)" },
        { { .pre = "{\"type\":\"UnicodeScripts\"}" },
          "tokenizer.json: pre_tokenizer: type \"UnicodeScripts\" is not supported (these are: Sequence, BertPreTokenizer, "
          "ByteLevel, CharDelimiterSplit, Metaspace, Whitespace, Split, Punctuation, WhitespaceSplit, Digits, FixedLength)" },
        { { .pre = "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"ByteLevel\"},{\"type\":\"Digits\"}]}" },
          "tokenizer.json: pre_tokenizer.pretokenizers[1]: a pre-tokenizer behind ByteLevel is not supported" },
        { { .pre = "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"ByteLevel\"},{\"type\":\"ByteLevel\"}]}" },
          "tokenizer.json: pre_tokenizer.pretokenizers[1]: a pre-tokenizer behind ByteLevel is not supported" },
        { { .pre = "{\"type\":\"Split\",\"behavior\":\"Dropped\",\"pattern\":{\"String\":\" \"}}" },
          "tokenizer.json: pre_tokenizer.behavior: \"Dropped\" is not supported (these are: Isolated, Removed, Contiguous, "
          "MergedWithPrevious, MergedWithNext)" },
        { { .post = "{\"type\":\"Xlnet\"}" },
          "tokenizer.json: post_processor: type \"Xlnet\" is not supported (these are: ByteLevel, TemplateProcessing, "
          "BertProcessing, RobertaProcessing, Sequence)" },
        { { .model = "\"dropout\":0.5," },
          "tokenizer.json: model.dropout: not supported, the same text must give the same ids" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_STR(refused(make_json(bad[i].p)), bad[i].why);
        CHECK_EQ(err.status, SONDE_UNSUPPORTED);
    }
    CHECK_STR(refused("{\"model\":{\"type\":\"Markov\"}}"),
              "tokenizer.json: model: type \"Markov\" is not supported (these are: BPE, WordPiece, WordLevel, Unigram)");
    CHECK_STR(refused("{\"version\":\"2.0\"}"), "tokenizer.json: version \"2.0\", expected \"1.0\"");
}

static void broken_files_say_where(void) {
    static const struct { const char *json, *why; } bad[] = {
        { "[]", "tokenizer.json: expected an object" },
        { "{}", "tokenizer.json: model: missing or no object" },
        { "{\"pre_tokenizer\":{\"type\":3}}", "tokenizer.json: pre_tokenizer.type: missing or no text" },
        { "{\"pre_tokenizer\":7}", "tokenizer.json: pre_tokenizer: expected an object" },
        { "{\"model\":{\"type\":\"BPE\"}}",
          "tokenizer.json: model.vocab: missing, expected an object of token texts and ids" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1}}}",
          "tokenizer.json: model.vocab: the id of \"a\" is no number from 0 to 1073741823" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":3,\"b\":3}}}",
          "tokenizer.json: model.vocab: \"a\" and \"b\" both have id 3" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0}}}", "tokenizer.json: model.merges: missing or no array" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a a a\"]}}",
          "tokenizer.json: model.merges[0]: expected two texts, or one with a single space" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"aa\":1},\"merges\":[\"a a\",[\"a\",\"\\u001b\"]]}}",
          "tokenizer.json: model.merges: merge 1: \"\\x1b\" is not in the vocabulary" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a a\"]}}",
          "tokenizer.json: model.merges: merge 0: \"aa\" is not in the vocabulary" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_STR(refused(bad[i].json), bad[i].why);
        CHECK_EQ(err.status, SONDE_FORMAT);
    }
    CHECK_STR(refused(make_json((parts){ .added = "{\"content\":3}" })),
              "tokenizer.json: added_tokens[0].content: missing or no text");
    CHECK_STR(refused(make_json((parts){ .added = "{\"content\":\"x\",\"lstrip\":1}" })),
              "tokenizer.json: added_tokens[0].lstrip: expected true or false");
    CHECK_STR(refused("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
              "tokenizer.json: a Git LFS pointer, not the file it stands for");
    CHECK_STR(refused(""), "no tokenizer: neither tokenizer.json, tokenizer.model, vocab.json and "
              "merges.txt, vocab.txt nor tokenizer.bin");
}

static void broken_templates_say_where(void) {
    static const struct { const char *single, *why; } bad[] = {
        { "3", "post_processor.single: missing or no array" },
        { "[]", "post_processor.single: names the text 0 times, expected once" },
        { "[{\"Sequence\":{\"id\":\"A\"}},{\"SpecialToken\":{\"id\":\"Q\"}}]", "post_processor.special_tokens: no ids for \"Q\"" },
        { "[{\"SpecialToken\":{\"id\":\"Z\"}}]", "post_processor.special_tokens: \"Z\" has an id that no token has" },
        { "[{\"Sequence\":{\"id\":\"B\"}}]",
          "post_processor.single: expected {\"SpecialToken\": ..} and one {\"Sequence\": {\"id\": \"A\"}}" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char post[256], want[256];
        snprintf(post, sizeof post, "{\"type\":\"TemplateProcessing\",\"single\":%s,\"special_tokens\":{\"Z\":{\"ids\":[256]}}}",
                 bad[i].single);
        snprintf(want, sizeof want, "tokenizer.json: %s", bad[i].why);
        CHECK_STR(refused(make_json((parts){ .post = post })), want);
        CHECK_EQ(err.status, SONDE_FORMAT);
    }
}

static const char small_vocab[] = "{\"a\":0,\"b\":1,\"ab\":2,\"\xc4\xa0\":3,\"<|endoftext|>\":4,\"#\":5,\"##\":6}";

static void merges_txt_may_have_a_version_and_crlf(void) {
    tokenizer *t = open_files((tokenizer_files){ .vocab = text(small_vocab),
                                                 .merges = text("#version: 0.2\r\na b\r\n# #\r\n\r\n") });
    CHECK_STR(ids(t, "ab##", usual), "2 6");
    CHECK_STR(ids(t, "a<|endoftext|>b", usual), "0 4 1");
    CHECK_EQ(tokenizer_bos(t), 4);
    CHECK(tokenizer_special(t, 4));
    tokenizer_free(t);
    t = open_files((tokenizer_files){ .vocab = text(small_vocab), .merges = text("a b") });     /* no version, no newline */
    CHECK_STR(ids(t, "ab", usual), "2");
    tokenizer_free(t);
}

static void broken_older_files_say_where(void) {
    static const struct { const char *vocab, *merges, *config, *why; } bad[] = {
        { small_vocab, "a b\n\na b\n", "{}", "merges.txt: line 2 is empty" },
        { small_vocab, "a  b\n", "{}", "merges.txt: line 1: \"a  b\", expected two texts with one space between" },
        { small_vocab, "a b\nb b\n", "{}", "merges.txt: merge 1: \"bb\" is not in the vocabulary" },
        { "[1]", "a b\n", "{}", "vocab.json: no object, expected an object of token texts and ids" },
        { small_vocab, "a b\n", "{\"tokenizer_class\":\"XTokenizer\"}",
          "tokenizer_config.json: tokenizer_class \"XTokenizer\": vocab.json and merges.txt are read as GPT-2's, Qwen2's, "
          "GPT-NeoX's or RoBERTa's only; save a tokenizer.json" },
        { small_vocab, "a b\n", "{\"added_tokens_decoder\":{\"x\":{\"content\":\"a\"}}}",
          "tokenizer_config.json: added_tokens_decoder: \"x\" is no token id" },
        { small_vocab, "a b\n", "{\"add_prefix_space\":1}", "tokenizer_config.json: add_prefix_space: expected true or false" },
        { "{\"a\":0}", "#version: 0.2\n", "{\"add_bos_token\":true}",
          "tokenizer_config.json: add_bos_token: true, but no token is named for it" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tokenizer *t;
        const tokenizer_files files = { .vocab = text(bad[i].vocab), .merges = text(bad[i].merges), .config = text(bad[i].config) };
        CHECK(tokenizer_new(&t, &files, &err) != SONDE_OK);
        CHECK_STR(err.message, bad[i].why);
    }
    tokenizer *t;
    const tokenizer_files alone = { .vocab = text(small_vocab) };
    CHECK_EQ(tokenizer_new(&t, &alone, &err), SONDE_FORMAT);
    CHECK_STR(err.message, "vocab.json without merges.txt");
}

static void the_configuration_names_tokens_of_the_older_layout(void) {
    const char *config = "{\"tokenizer_class\":\"GPT2Tokenizer\",\"add_prefix_space\":true,\"add_bos_token\":true,"
        "\"bos_token\":{\"content\":\"<s>\"},\"pad_token\":\"<pad>\",\"additional_special_tokens\":[\"<m>\"],"
        "\"added_tokens_decoder\":{\"10\":{\"content\":\"zz\"},\"7\":{\"content\":\"<s>\",\"special\":true}}}";
    tokenizer *t = open_files((tokenizer_files){ .vocab = text(small_vocab), .merges = text("a b\n"), .config = text(config) });
    CHECK_STR(ids(t, "ab<s>zz<pad><m>", usual), "7 3 2 7 8 9 10");
    CHECK_EQ(tokenizer_bos(t), 7);
    CHECK_EQ(tokenizer_eos(t), 4);
    CHECK(!tokenizer_special(t, 8));
    CHECK(tokenizer_special(t, 9));
    tokenizer_free(t);
}

static void a_configuration_beside_tokenizer_json_only_names_the_ends(void) {
    tokenizer *t = open_files((tokenizer_files){ .json = text(make_json((parts){ .added = "{\"content\":\"<s>\"}" })),
        .config = text("{\"bos_token\":\"<s>\",\"eos_token\":\"nowhere\",\"add_bos_token\":true,\"add_prefix_space\":true}") });
    CHECK_EQ(tokenizer_bos(t), 256);
    CHECK_EQ(tokenizer_eos(t), -1);
    CHECK_STR(ids(t, "a", usual), "97");
    tokenizer_free(t);
}

static void tokens_can_be_looked_up_both_ways(void) {
    tokenizer *t = made((parts){ .added = "{\"content\":\"\xc3\xa9\"},{\"content\":\"<x> <y>\"}", .merges = "\"\xc4\xa0 a\"",
                                 .more = ",\"\xc4\xa0" "a\":300,\"\xe2\x96\x81z\":301" });
    const char *bytes;
    size_t len;
    CHECK_EQ(tokenizer_size(t), 302);
    CHECK(tokenizer_bytes(t, 300, &bytes, &len) && len == 2 && memcmp(bytes, " a", 2) == 0);
    CHECK_EQ(tokenizer_find(t, " a", 2), 300);
    CHECK_EQ(tokenizer_find(t, "\xc4\xa0" "a", 3), -1);
    CHECK_EQ(tokenizer_find(t, "\n", 1), 10);
    CHECK_EQ(tokenizer_find(t, "", 0), -1);
    CHECK(!tokenizer_bytes(t, -1, &bytes, &len) && !tokenizer_bytes(t, 299, &bytes, &len));
    /* the added token took the id of byte 0xe9, which is spelled so: as in the library */
    CHECK(tokenizer_bytes(t, 233, &bytes, &len) && len == 2 && memcmp(bytes, "\xc3\xa9", 2) == 0);
    CHECK_EQ(tokenizer_find(t, "\xc3\xa9", 2), 233);
    CHECK_EQ(tokenizer_find(t, "<x> <y>", 7), 258);
    CHECK(tokenizer_bytes(t, 301, &bytes, &len) && len == 4 && memcmp(bytes, "\xe2\x96\x81z", 4) == 0);
    tokenizer_free(t);
}

static void decoding_skips_what_is_asked_and_what_is_unknown(void) {
    tokenizer *t = made((parts){ .added = "{\"content\":\"<x>\",\"special\":true}" });
    const int32_t list[] = { 97, 256, 4000, -5, 255, 32 };
    text_bytes out;
    CHECK_EQ(tokenizer_decode(t, (id_list){ list, 6 }, false, fresh(), &out, &err), SONDE_OK);
    CHECK(out.len == 6 && memcmp(out.at, "a<x>\xff ", 6) == 0);
    CHECK_EQ(tokenizer_decode(t, (id_list){ list, 6 }, true, fresh(), &out, &err), SONDE_OK);
    CHECK(out.len == 3 && memcmp(out.at, "a\xff ", 3) == 0);
    CHECK_EQ(tokenizer_decode(t, (id_list){ 0 }, false, fresh(), &out, &err), SONDE_OK);
    CHECK_EQ((long long)out.len, 0);
    tokenizer_free(t);
}

static void a_long_word_does_not_take_square_time(void) {
    tokenizer *t = golden();
    enum { LONG = 1 << 20 };
    char *word = malloc(LONG);
    uint32_t seed = 7;
    for (int i = 0; i < LONG; i++) word[i] = "etaonish"[(seed = seed * 1664525u + 1013904223u) >> 29];
    encode(t, word, LONG, usual);
    CHECK(tiles(LONG));
    memset(word, ' ', LONG);
    encode(t, word, LONG, usual);
    CHECK(tiles(LONG));
    memset(word, 0xff, LONG);
    encode(t, word, LONG, usual);
    CHECK_EQ((long long)n_spans, LONG);
    free(word);
    tokenizer_free(t);
}

static void *encode_many(void *shared) {
    arena *a = arena_new();
    const char *sentence = "When Mary and John <mask> went to the park, caf\xc3\xa9 \xf0\x9f\x98\x80 1732<|endoftext|>\xff";
    const text_bytes text = { sentence, strlen(sentence) };
    token_list first = { 0 }, now;
    bool same = true;
    for (int i = 0; i < 300 && same; i++) {
        same = tokenizer_encode(shared, text, usual, a, &now, NULL) == SONDE_OK;
        if (i == 0) first = now;
        same = same && now.n == first.n;
        for (size_t k = 0; same && k < now.n; k++)
            same = now.at[k].id == first.at[k].id && now.at[k].start == first.at[k].start && now.at[k].end == first.at[k].end;
    }
    arena_free(a);
    return same ? shared : NULL;
}

static void threads_share_one_tokenizer(void) {
    tokenizer *t = golden();
    pthread_t thread[2];
    for (int i = 0; i < 2; i++) CHECK_EQ(pthread_create(&thread[i], NULL, encode_many, t), 0);
    void *fine[2];
    for (int i = 0; i < 2; i++) pthread_join(thread[i], &fine[i]);
    CHECK(fine[0] && fine[1]);
    tokenizer_free(t);
    tokenizer_free(NULL);
}

#define TESTS(X) \
    X(ids_are_those_of_the_library) X(gpt2s_layout_gives_the_same_ids) X(the_demo_tokenizer_agrees_too) \
    X(any_bytes_come_back) X(every_bad_byte_is_a_piece_of_its_own) X(spans_count_bytes_of_the_text) \
    X(merges_go_by_rank_and_then_from_the_left) X(a_whole_token_is_not_merged_with_ignore_merges) \
    X(bytes_without_a_token_are_unknown_or_left_out) X(special_texts_are_tokens_unless_plain) \
    X(the_longest_added_token_wins_and_flags_count) X(a_space_is_put_in_front_where_the_file_says) \
    X(the_template_goes_around_the_text) X(normal_form_c_keeps_the_spans_of_the_text) \
    X(patterns_mean_what_they_mean_in_the_library) X(patterns_that_would_mean_something_else_are_refused) \
    X(a_pattern_that_takes_too_long_is_an_error) X(unknown_parts_are_refused_by_name) X(broken_files_say_where) \
    X(broken_templates_say_where) X(merges_txt_may_have_a_version_and_crlf) X(broken_older_files_say_where) \
    X(the_configuration_names_tokens_of_the_older_layout) \
    X(a_configuration_beside_tokenizer_json_only_names_the_ends) X(tokens_can_be_looked_up_both_ways) \
    X(decoding_skips_what_is_asked_and_what_is_unknown) X(a_long_word_does_not_take_square_time) \
    X(threads_share_one_tokenizer)
TEST_MAIN(TESTS)
