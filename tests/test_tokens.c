#define _GNU_SOURCE
#include "tiny_model.h"

/* The tiny tokenizer: 0 <|endoftext|>, 1 a, 2 b, 3 c, 4 space, 5 ab, 6 " a", 7 " ab". */
static const char adds_bos[] =
    "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<|endoftext|>\",\"type_id\":0}},"
    "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],\"pair\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},"
    "{\"Sequence\":{\"id\":\"B\",\"type_id\":1}}],\"special_tokens\":{\"<|endoftext|>\":{\"id\":\"<|endoftext|>\","
    "\"ids\":[0],\"tokens\":[\"<|endoftext|>\"]}}}";
static const char adds_none[] =
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":false,\"use_regex\":true}";

/* vocab: rows of the model; post: NULL for no tokenizer. */
static sonde_model *tiny(const char *more, const char *post) {
    tiny_model t = tiny_new("tiny", "");
    t.config = tiny_config(more);
    if (strstr(more, "\"vocab_size\": 3")) t.tensor[0].dim[0] = 3;
    if (strstr(more, "\"vocab_size\": 5")) t.tensor[0].dim[0] = 5;
    tiny_save(&t);
    unlink("tiny/tokenizer.json");
    if (post) tiny_save_tokenizer("tiny", post);
    sonde_error err = { 0 };
    sonde_model *m;
    if (sonde_model_open(&m, "tiny", NULL, &err) != SONDE_OK) FAIL_("%s", err.message);
    return m;
}

/* "id@start-end id@start-end", or the error's line. */
static const char *tokens_of(const sonde_model *m, const char *text, sonde_token_options o) {
    static char line[1200];
    sonde_tokens t;
    sonde_error err = { 0 };
    if (sonde_tokenize(m, text, strlen(text), o, &t, &err) != SONDE_OK) {
        CHECK(t.id == NULL && t.n == 0);
        snprintf(line, sizeof line, "%d %s", (int)err.status, err.message);
        return line;
    }
    line[0] = 0;
    for (int64_t i = 0; i < t.n; i++)
        snprintf(line + strlen(line), 64, "%s%d@%" PRId64 "-%" PRId64, i ? " " : "", t.id[i], t.start[i], t.end[i]);
    sonde_tokens_free(&t);
    sonde_tokens_free(&t);
    return line;
}

#define BOS(policy) ((sonde_token_options){ .bos = SONDE_BOS_##policy })

static void bos_is_put_in_front_as_asked(void) {
    sonde_model *m = tiny("", adds_none);
    CHECK(!sonde_model_describe(m)->adds_bos && sonde_model_describe(m)->has_tokenizer);
    CHECK_STR(tokens_of(m, "ab ab", BOS(AUTO)), "5@0-2 7@2-5");
    CHECK_STR(tokens_of(m, "ab ab", BOS(NO)), "5@0-2 7@2-5");
    CHECK_STR(tokens_of(m, "ab ab", BOS(YES)), "0@-1--1 5@0-2 7@2-5");
    CHECK_STR(tokens_of(m, "<|endoftext|>ab", BOS(YES)), "0@0-13 5@13-15");
    CHECK_STR(tokens_of(m, "", BOS(YES)), "0@-1--1");
    CHECK_STR(tokens_of(m, "", BOS(AUTO)), "2 the prompt has 0 tokens, expected at least 1 (a BOS would do)");
    CHECK_STR(tokens_of(m, "", BOS(NO)), "2 the prompt has 0 tokens, expected at least 1 (a BOS would do)");
    sonde_model_close(m);
}

static void bos_of_the_post_processor_is_auto(void) {
    sonde_model *m = tiny("", adds_bos);
    CHECK(sonde_model_describe(m)->adds_bos);
    CHECK_STR(tokens_of(m, "ab ab", BOS(AUTO)), "0@-1--1 5@0-2 7@2-5");
    CHECK_STR(tokens_of(m, "ab ab", BOS(YES)), "0@-1--1 5@0-2 7@2-5");
    CHECK_STR(tokens_of(m, "ab ab", BOS(NO)), "5@0-2 7@2-5");
    CHECK_STR(tokens_of(m, "", BOS(AUTO)), "0@-1--1");
    sonde_model_close(m);
}

static void a_model_without_bos_takes_its_end_of_text(void) {
    sonde_model *m = tiny("\"bos_token_id\": null, \"eos_token_id\": 3,", adds_none);
    CHECK_EQ(sonde_model_describe(m)->bos, 3);
    CHECK_STR(tokens_of(m, "ab", BOS(YES)), "3@-1--1 5@0-2");
    sonde_model_close(m);
    m = tiny("\"bos_token_id\": null, \"eos_token_id\": null,", adds_none);
    CHECK_EQ(sonde_model_describe(m)->bos, -1);
    CHECK_EQ(sonde_model_describe(m)->eos, -1);
    CHECK_STR(tokens_of(m, "ab", BOS(YES)), "2 tiny has no BOS and no end-of-text token to put in front");
    CHECK_STR(tokens_of(m, "", BOS(AUTO)), "2 the prompt has 0 tokens, expected at least 1");
    sonde_model_close(m);
}

static void plain_takes_special_texts_as_text(void) {
    sonde_model *m = tiny("", adds_none);
    CHECK_STR(tokens_of(m, "a<|endoftext|>b", BOS(AUTO)), "1@0-1 0@1-14 2@14-15");
    sonde_tokens t;
    CHECK_EQ(sonde_tokenize(m, "cab", 3, (sonde_token_options){ .plain = true }, &t, NULL), SONDE_OK);
    CHECK_EQ(t.n, 2);
    sonde_tokens_free(&t);
    CHECK(strcmp(tokens_of(m, "a<|endoftext|>b", (sonde_token_options){ .plain = true }), "1@0-1 0@1-14 2@14-15") != 0);
    sonde_model_close(m);
}

static void the_tokenizer_must_fit_the_model(void) {
    sonde_model *m;
    sonde_error err = { 0 };
    tiny_model t = tiny_new("small", "");
    t.config = tiny_config("\"vocab_size\": 5,");
    t.tensor[0].dim[0] = 5;
    tiny_save(&t);
    tiny_save_tokenizer("small", "null");
    CHECK_EQ(sonde_model_open(&m, "small", NULL, &err), SONDE_FORMAT);
    CHECK_STR(err.message, "small: the tokenizer has token 5, expected ids below vocab_size 5");
    tiny_write_text("small", "tokenizer.json", "{");
    CHECK_EQ(sonde_model_open(&m, "small", NULL, &err), SONDE_FORMAT);
    CHECK(strncmp(err.message, "small/tokenizer.json: ", 22) == 0);
}

/* Special tokens that were added behind the rows of the embedding are refused where they are used. */
static void an_added_token_without_a_row_is_refused_when_it_comes(void) {
    tiny_model t = tiny_new("padded", "");
    t.config = tiny_config("\"vocab_size\": 8,");
    t.tensor[0].dim[0] = 8;
    tiny_save(&t);
    tiny_save_tokenizer("padded", "null");
    char text[4096] = "";
    FILE *f = fopen("padded/tokenizer.json", "rb");
    CHECK(f && fread(text, 1, sizeof text - 1, f) > 0 && fclose(f) == 0);
    char *at = strstr(text, "],\"normalizer\""), rest[4096];
    snprintf(rest, sizeof rest, "%s", at);
    snprintf(at, 512, ",{\"id\":8,\"content\":\"[PAD]\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
             "\"normalized\":false,\"special\":true}");
    strcat(text, rest);
    tiny_write_text("padded", "tokenizer.json", text);
    sonde_model *m;
    sonde_error err = { 0 };
    if (sonde_model_open(&m, "padded", NULL, &err) != SONDE_OK) FAIL_("%s", err.message);
    CHECK_STR(tokens_of(m, "a", BOS(AUTO)), "1@0-1");
    CHECK_STR(tokens_of(m, "a[PAD]", BOS(AUTO)),
              "2 token 8 (\"[PAD]\") has no row in the model, expected ids below 8");
    sonde_model_close(m);
}

static void without_a_tokenizer_only_ids_work(void) {
    sonde_model *m = tiny("", NULL);
    int32_t id;
    char *text;
    size_t len;
    sonde_error err = { 0 };
    CHECK_STR(tokens_of(m, "ab", BOS(AUTO)), "3 tiny has no tokenizer; give one with --tokenizer PATH, or the prompt as "
              "ids with --tokens");
    CHECK_EQ(sonde_token_single(m, "a", 1, &id, &err), SONDE_FORMAT);
    CHECK_EQ(sonde_detokenize(m, &(int32_t){ 1 }, 1, &text, &len, &err), SONDE_FORMAT);
    CHECK(text == NULL);
    sonde_token_bytes(m, 1, &len);
    CHECK_EQ(len == 0, true);
    sonde_model_close(m);
}

static void a_single_token_or_how_it_splits(void) {
    sonde_model *m = tiny("", adds_bos);
    int32_t id = -1;
    sonde_error err = { 0 };
    CHECK_EQ(sonde_token_single(m, " ab", 3, &id, &err), SONDE_OK);
    CHECK_EQ(id, 7);
    CHECK_EQ(sonde_token_single(m, "<|endoftext|>", 13, &id, &err), SONDE_OK);
    CHECK_EQ(id, 0);
    CHECK_EQ(sonde_token_single(m, "abc a", 5, &id, &err), SONDE_USAGE);
    CHECK_STR(err.message, "\"abc a\" is 3 tokens: \"ab\" \"c\" \" a\", expected exactly one");
    CHECK_EQ(sonde_token_single(m, "ccccccccccc", 11, &id, &err), SONDE_USAGE);
    CHECK_STR(err.message, "\"ccccccccccc\" is 11 tokens: \"c\" \"c\" \"c\" \"c\" \"c\" \"c\" \"c\" \"c\" .., "
              "expected exactly one");
    CHECK_EQ(sonde_token_single(m, "", 0, &id, &err), SONDE_USAGE);
    CHECK_STR(err.message, "\"\" is 0 tokens, expected exactly one");
    sonde_model_close(m);
}

static void ids_become_text_again(void) {
    sonde_model *m = tiny("", adds_bos);
    char *text;
    size_t len;
    sonde_error err = { 0 };
    const int32_t ids[] = { 0, 5, 7, 4, 3 };
    CHECK_EQ(sonde_detokenize(m, ids, 5, &text, &len, &err), SONDE_OK);
    CHECK_STR(text, "<|endoftext|>ab ab c");
    CHECK_EQ(len == 20, true);
    sonde_text_free(text);
    CHECK_EQ(sonde_detokenize(m, ids, 0, &text, &len, &err), SONDE_OK);
    CHECK_STR(text, "");
    sonde_text_free(text);
    CHECK_EQ(sonde_detokenize(m, &(int32_t){ 11 }, 1, &text, &len, &err), SONDE_USAGE);
    CHECK_STR(err.message, "token 11: expected an id from 0 to 10");
    CHECK_EQ(sonde_detokenize(m, &(int32_t){ -1 }, 1, &text, &len, &err), SONDE_USAGE);
    const char *bytes = sonde_token_bytes(m, 7, &len);
    CHECK(len == 3 && memcmp(bytes, " ab", 3) == 0);
    sonde_token_bytes(m, 9, &len);
    CHECK(len == 0);
    sonde_token_bytes(m, INT32_MAX, &len);
    CHECK(len == 0);
    sonde_token_bytes(m, -1, &len);
    CHECK(len == 0);
    sonde_model_close(m);
}

static void the_demo_takes_any_bytes_and_gives_them_back(void) {
    static const char prompt[] = "When Mary and John went to the store, John gave a drink to\n\xff\xc3 caf\xc3\xa9";
    sonde_model *m;
    sonde_tokens t;
    sonde_error err = { 0 };
    char *text;
    size_t len;
    CHECK_EQ(sonde_model_open(&m, NULL, NULL, &err), SONDE_OK);
    CHECK_EQ(sonde_tokenize(m, prompt, sizeof prompt - 1, BOS(AUTO), &t, &err), SONDE_OK);
    CHECK_EQ(t.start[0], 0);
    CHECK_EQ(t.end[t.n - 1], sizeof prompt - 1 == 0 ? 0 : (long long)(sizeof prompt - 1));
    CHECK_EQ(sonde_detokenize(m, t.id, t.n, &text, &len, &err), SONDE_OK);
    CHECK(len > 0);
    char joined[256] = "";
    size_t used = 0;
    for (int64_t i = 0; i < t.n; i++) {
        const char *bytes = sonde_token_bytes(m, t.id[i], &len);
        memcpy(joined + used, bytes, len);
        used += len;
    }
    CHECK(used == sizeof prompt - 1 && memcmp(joined, prompt, used) == 0);
    sonde_text_free(text);
    sonde_tokens_free(&t);
    sonde_model_close(m);
}

#define TESTS(X) \
    X(bos_is_put_in_front_as_asked) \
    X(bos_of_the_post_processor_is_auto) \
    X(a_model_without_bos_takes_its_end_of_text) \
    X(plain_takes_special_texts_as_text) \
    X(the_tokenizer_must_fit_the_model) \
    X(an_added_token_without_a_row_is_refused_when_it_comes) \
    X(without_a_tokenizer_only_ids_work) \
    X(a_single_token_or_how_it_splits) \
    X(ids_become_text_again) \
    X(the_demo_takes_any_bytes_and_gives_them_back)

TEST_MAIN(TESTS)
