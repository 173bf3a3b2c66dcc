/* Words and merges of a text: RevLLM's default text with GPT-2's own ids (tools/truth/gpt2_words.py, checked there against
 * the tokenizers library), and what must hold of any text. */
#define _GNU_SOURCE
#include "method_run.h"
#include "tiny_model.h"
#include "truth_numbers.h"

#define REVLLM_TEXT "Hello hello Hello, hello.Hello.  Hello. hellohello helloHello HelloHelloHello"
#define GPT2 SONDE_SOURCE_DIR "/tests/truth/gpt2/"

enum { GPT2_ROWS = 50257 };

static void copy_file(const char *folder, const char *name) {
    static char text[8192];
    char path[512];
    snprintf(path, sizeof path, "%s%s", GPT2, name);
    FILE *f = fopen(path, "rb");
    if (!f) FAIL_("no %s", path);
    const size_t n = fread(text, 1, sizeof text, f);
    fclose(f);
    tiny_write(folder, name, text, n);
}

/* A tiny model with as many rows as GPT-2 and the part of its vocabulary that the text needs. */
static void make_gpt2(void) {
    tiny_model tiny = tiny_new("gpt2", "");
    tiny.config = tiny_config("\"vocab_size\": 50257,");
    tiny.tensor[0].dim[0] = GPT2_ROWS;
    tiny_save(&tiny);
    copy_file("gpt2", "vocab.json");
    copy_file("gpt2", "merges.txt");
}

static method_run *open_gpt2(void) {
    make_gpt2();
    return run_open("./gpt2");
}

static void compare_merges(const sonde_table *t, size_t word, size_t *row) {
    char name[32];
    snprintf(name, sizeof name, "merges.%zu", word);
    if (word == 3 || word == 5 || word == 7 || word == 8 || word == 10) return;       /* of one letter */
    const truth_numbers want = truth_read("gpt2/words.txt", name);
    for (size_t i = 0; i < want.n; i += 3, ++*row) {
        CHECK_EQ(run_int(t, *row, "word"), (int64_t)word);
        CHECK_EQ(run_int(t, *row, "step"), (int64_t)(i / 3) + 1);
        CHECK_EQ(run_token(t, *row, "left"), (int64_t)want.at[i]);
        CHECK_EQ(run_token(t, *row, "right"), (int64_t)want.at[i + 1]);
        CHECK_EQ(run_int(t, *row, "rank"), (int64_t)want.at[i + 2]);
    }
    free(want.at);
}

static void the_tutorials_sentence_has_its_ids(void) {
    method_run *r = open_gpt2();
    run_prompt(r, "Open-source LLMs rock.");
    const sonde_tokens *t = &r->prompt[0].tokens;
    const truth_numbers want = truth_read("gpt2/words.txt", "tutorial");
    CHECK_EQ(t->n, 7);
    CHECK_EQ((int64_t)want.n, 21);
    for (int64_t i = 0; i < t->n; i++) {
        CHECK_EQ(t->id[i], (int64_t)want.at[3 * i]);
        CHECK_EQ(t->start[i], (int64_t)want.at[3 * i + 1]);
        CHECK_EQ(t->end[i], (int64_t)want.at[3 * i + 2]);
    }
    free(want.at);
    run_close(r);
}

static void revllms_text_has_its_fourteen_words(void) {
    static const char *const words[] = { "Hello", "·hello", "·Hello", ",", "·hello", ".", "Hello", ".", "·", "·Hello",
                                         ".", "·hellohello", "·helloHello", "·HelloHelloHello" };
    method_run *r = open_gpt2();
    run_prompt(r, REVLLM_TEXT);
    RUN_OK(r, "tokens", "words", "yes", "merges", "yes", NULL);
    const sonde_table *t = run_table(r, "words"), *merges = run_table(r, "merges");
    size_t row = 0;
    CHECK_STR(run_columns(t), "word text start end len ids added");
    CHECK_STR(run_columns(merges), "word text step left right merged rank");
    CHECK_EQ(run_rows(t), 14);
    for (size_t i = 0; i < 14; i++) {
        char name[32], ids[64] = "";
        snprintf(name, sizeof name, "word.%zu", i);
        const truth_numbers want = truth_read("gpt2/words.txt", name);
        for (size_t k = 2; k < want.n; k++)
            snprintf(ids + strlen(ids), sizeof ids - strlen(ids), k > 2 ? " %.0f" : "%.0f", want.at[k]);
        CHECK_STR(run_text(t, i, "text"), words[i]);
        CHECK_STR(run_text(t, i, "ids"), ids);
        CHECK_EQ(run_int(t, i, "start"), (int64_t)want.at[0]);
        CHECK_EQ(run_int(t, i, "end"), (int64_t)want.at[1]);
        CHECK_EQ(run_int(t, i, "len"), (int64_t)want.n - 2);
        compare_merges(merges, i, &row);
        free(want.at);
    }
    CHECK_EQ(run_rows(merges), (int64_t)row);
    CHECK_STR(run_text(t, 0, "ids"), "15496");
    CHECK_STR(run_text(t, 1, "ids"), "23748");
    CHECK_STR(run_text(t, 2, "ids"), "18435");
    CHECK_STR(run_text(t, 3, "ids"), "11");
    CHECK_STR(run_text(t, 5, "ids"), "13");
    CHECK_STR(run_text(t, 8, "ids"), "220");
    run_close(r);
}

static void the_tokenizer_is_shown(void) {
    method_run *r = open_gpt2();
    run_prompt(r, "Hello");
    RUN_OK(r, "tokens", "card", "yes", NULL);
    CHECK_EQ(run_int(run_table(r, "tokenizer"), 0, "largest_id"), 50256);
    CHECK_EQ(run_int(run_table(r, "tokenizer"), 0, "rows"), GPT2_ROWS);
    CHECK_STR(run_text(run_table(r, "patterns"), 0, "pattern"),
              "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+");
    CHECK_EQ(run_rows(run_table(r, "patterns")), 1);
    CHECK_EQ(run_rows(run_table(r, "special")), 1);
    CHECK_EQ(run_token(run_table(r, "special"), 0, "token"), 50256);
    CHECK(sonde_token_special(r->model, 50256) && !sonde_token_special(r->model, 11) && !sonde_token_special(r->model, -1));
    run_close(r);
}

/* Merging the bytes of each word step by step ends at its tokens. */
static void replay(const sonde_model *m, const char *text, const sonde_split *s, int64_t word) {
    const sonde_word *w = &s->word[word];
    int32_t part[256];
    int64_t n = 0;
    for (int64_t i = w->start; i < w->end; i++)
        CHECK_EQ(sonde_token_single(m, text + i, 1, &part[n++], NULL), SONDE_OK);
    for (int64_t i = 0; i < s->n_merges; i++) {
        const sonde_merge *x = &s->merge[i];
        if (x->word != word) continue;
        int64_t at = 0;
        while (at + 1 < n && (part[at] != x->left || part[at + 1] != x->right)) at++;
        CHECK(at + 1 < n);
        part[at] = x->made;
        memmove(part + at + 1, part + at + 2, (size_t)(n - at - 2) * sizeof *part);
        n--;
    }
    CHECK_EQ(n, w->n);
    for (int64_t i = 0; i < n; i++) CHECK_EQ(part[i], s->id[w->first + i]);
}

static void words_tile_the_text_and_merges_make_its_tokens(void) {
    static const char *const texts[] = { REVLLM_TEXT, DEMO_PROMPT, "a", " The capital<|endoftext|> of  Northland\n\n 1999's",
                                         "<|endoftext|>", "x<|endoftext|><|endoftext|>yz" };
    method_run *r = run_open(NULL);
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
        for (int plain = 0; plain < 2; plain++) {
            const sonde_token_options o = { .plain = plain };
            sonde_split  s;
            sonde_tokens t;
            CHECK_EQ(sonde_split_text(r->model, texts[k], strlen(texts[k]), o, &s, &r->err), SONDE_OK);
            CHECK_EQ(sonde_tokenize(r->model, texts[k], strlen(texts[k]), o, &t, &r->err), SONDE_OK);
            CHECK_EQ(s.n, t.n);
            CHECK(memcmp(s.id, t.id, (size_t)t.n * sizeof *t.id) == 0);
            int64_t at = 0, first = 0;
            for (int64_t i = 0; i < s.n_words; i++) {
                const sonde_word *w = &s.word[i];
                CHECK(w->start == at && w->end > at && w->first == first);
                CHECK_EQ(w->added, !plain && texts[k][at] == '<');
                if (!w->added) replay(r->model, texts[k], &s, i);
                at = w->end;
                first += w->n;
            }
            CHECK_EQ(at, (int64_t)strlen(texts[k]));
            CHECK_EQ(first, s.n);
            sonde_tokens_free(&t);
            sonde_split_free(&s);
        }
    run_close(r);
}

static void broken_bytes_and_empty_texts(void) {
    method_run *r = run_open(NULL);
    sonde_split s;
    CHECK_EQ(sonde_split_text(r->model, "a\xffz", 3, (sonde_token_options){ 0 }, &s, &r->err), SONDE_OK);
    CHECK_EQ(s.n_words, 3);
    CHECK(s.word[1].start == 1 && s.word[1].end == 2);
    sonde_split_free(&s);
    CHECK_EQ(sonde_split_text(r->model, "", 0, (sonde_token_options){ 0 }, &s, &r->err), SONDE_OK);
    CHECK_EQ(s.n_words, 0);
    sonde_split_free(&s);
    sonde_split_free(&s);
    run_prompt(r, "a\xffz");
    RUN_OK(r, "tokens", "words", "yes", NULL);
    CHECK_STR(run_text(run_table(r, "words"), 1, "text"), "<0xFF>");
    run_close(r);
}

static void without_a_text_or_a_tokenizer(void) {
    method_run *r = run_open(NULL);
    run_prompt(r, "The capital");
    r->prompt[0].text = NULL;
    RUN_OK(r, "tokens", NULL);
    CHECK_EQ(run_method(r, "tokens", "words", "yes", NULL), SONDE_USAGE);
    CHECK_STR(r->err.message, "words and merges are of a text, found tokens");
    run_close(r);
    tiny_model tiny = tiny_new("bare", "");
    tiny_save(&tiny);
    r = run_open("./bare");
    sonde_split s;
    CHECK_EQ(sonde_split_text(r->model, "a", 1, (sonde_token_options){ 0 }, &s, &r->err), SONDE_FORMAT);
    CHECK(!sonde_split_pattern(r->model, 0) && !sonde_token_special(r->model, 0));
    CHECK_EQ(run_method(r, "tokens", "card", "yes", NULL), SONDE_FORMAT);
    run_close(r);
}

static void many_prompts_say_which(void) {
    method_run *r = run_open(NULL);
    r->cx.batch = true;
    run_prompt(r, "The capital");
    run_prompt(r, " of");
    RUN_OK(r, "tokens", "words", "yes", "merges", "yes", NULL);
    const sonde_table *t = run_table(r, "words");
    CHECK_STR(run_columns(t), "prompt word text start end len ids added");
    CHECK_EQ(run_int(t, 2, "prompt"), 1);
    CHECK_EQ(run_int(t, 2, "word"), 0);
    const sonde_table *merges = run_table(r, "merges");
    CHECK_EQ(run_int(merges, merges->rows - 1, "prompt"), 1);
    run_close(r);
}

/* ---- against another model ---- */

/* The demo model knows " capital" and no "Hello". */
static void two_tokenizers_stand_side_by_side(void) {
    make_gpt2();
    method_run *r = run_open(NULL);
    run_prompt(r, "Hello hello");
    RUN_OK(r, "tokens", "against", "./gpt2", NULL);
    const sonde_table *t = run_table(r, "tokenizers");
    CHECK_STR(run_columns(t), "side model largest_id special");
    CHECK_STR(run_text(t, 0, "side"), "here");
    CHECK_EQ(run_int(t, 0, "largest_id"), DEMO_VOCAB - 1);
    CHECK_STR(run_text(t, 1, "model"), "./gpt2");
    CHECK_EQ(run_int(t, 1, "largest_id"), 50256);
    t = run_table(r, "against");
    CHECK_STR(run_columns(t), "of here other common_cuts first_difference");
    CHECK_STR(run_text(t, 0, "of"), "words");
    CHECK(run_int(t, 0, "here") == 2 && run_int(t, 0, "other") == 2 && run_int(t, 0, "common_cuts") == 2);
    CHECK(run_null(t, 0, "first_difference"));
    CHECK_STR(run_text(t, 1, "of"), "tokens");
    CHECK_EQ(run_int(t, 1, "here"), r->prompt[0].tokens.n);
    CHECK(run_int(t, 1, "other") == 2 && run_int(t, 1, "common_cuts") == 2);
    CHECK_EQ(run_int(t, 1, "first_difference"), r->prompt[0].tokens.end[0]);
    t = run_table(r, "side_by_side");
    CHECK_STR(run_columns(t), "start end here here_ids other other_ids same");
    CHECK_EQ(run_rows(t), 2);
    CHECK(run_int(t, 0, "start") == 0 && run_int(t, 0, "end") == 5 && run_int(t, 1, "end") == 11);
    CHECK_STR(run_text(t, 0, "other"), "Hello");
    CHECK_STR(run_text(t, 0, "other_ids"), "15496");
    CHECK_STR(run_text(t, 1, "other"), "·hello");
    CHECK_STR(run_text(t, 1, "other_ids"), "23748");
    CHECK(strchr(run_text(t, 0, "here"), ' ') && strchr(run_text(t, 0, "here_ids"), ' '));
    run_close(r);
}

/* With itself nothing differs, whatever the text; rows tile it. */
static void a_tokenizer_is_like_itself(void) {
    static const char *const texts[] = { REVLLM_TEXT, DEMO_PROMPT, "a\xffz<|endoftext|>  \n", "x" };
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
        method_run *r = run_open(NULL);
        run_prompt(r, texts[k]);
        RUN_OK(r, "tokens", "against", "demo", NULL);
        const sonde_table *t = run_table(r, "against"), *side = run_table(r, "side_by_side");
        for (size_t i = 0; i < 2; i++) {
            CHECK(run_null(t, i, "first_difference"));
            CHECK_EQ(run_int(t, i, "here"), run_int(t, i, "common_cuts"));
            CHECK_EQ(run_int(t, i, "other"), run_int(t, i, "common_cuts"));
        }
        CHECK_EQ(run_rows(side), r->prompt[0].tokens.n);
        int64_t at = 0;
        for (size_t i = 0; i < side->rows; i++) {
            CHECK_EQ(run_int(side, i, "start"), at);
            CHECK_STR(run_text(side, i, "here"), run_text(side, i, "other"));
            CHECK_STR(run_text(side, i, "here_ids"), run_text(side, i, "other_ids"));
            at = run_int(side, i, "end");
        }
        CHECK_EQ(at, (int64_t)strlen(texts[k]));
        run_close(r);
    }
}

static void what_cannot_be_compared(void) {
    tiny_model tiny = tiny_new("bare", "");
    tiny_save(&tiny);
    method_run *r = run_open(NULL);
    run_prompt(r, "The capital");
    CHECK_EQ(run_method(r, "tokens", "against", "./none", NULL), SONDE_NOT_FOUND);
    CHECK_HAS(r->err.message, "against: ");
    CHECK_EQ(run_method(r, "tokens", "against", "./bare", NULL), SONDE_FORMAT);
    CHECK_STR(r->err.message, "against: the other model has no tokenizer");
    r->cx.batch = true;
    RUN_OK(r, "tokens", "against", "demo", NULL);
    CHECK_STR(run_columns(run_table(r, "side_by_side")), "prompt start end here here_ids other other_ids same");
    CHECK_STR(run_columns(run_table(r, "against")), "prompt of here other common_cuts first_difference");
    r->prompt[0].text = NULL;
    CHECK_EQ(run_method(r, "tokens", "against", "demo", NULL), SONDE_USAGE);
    CHECK_STR(r->err.message, "against: two tokenizers are compared on a text, found tokens");
    run_close(r);
}

/* ---- info: the tree and the parts ---- */

static void the_tree_adds_up(void) {
    method_run *r = run_open(SONDE_SOURCE_DIR "/tests/golden/limit");
    RUN_OK(r, "info", "tree", "yes", NULL);
    const sonde_table *t = run_table(r, "tree");
    int64_t tops = 0, leaves = 0, blocks = 0;
    for (size_t i = 0; i < t->rows; i++) {
        const bool leaf = !run_null(t, i, "shape");
        if (run_int(t, i, "depth") == 0) tops += run_int(t, i, "parameters");
        if (leaf) leaves += run_int(t, i, "parameters");
        if (run_int(t, i, "depth") == 1 && !leaf) blocks++;
        CHECK_EQ(leaf, !run_null(t, i, "stored_as"));
    }
    CHECK_EQ(tops, sonde_model_describe(r->model)->parameters);
    CHECK_EQ(leaves, tops);
    CHECK_EQ(blocks, 2);
    CHECK_STR(run_text(t, 1, "module"), "embed.W_E");
    CHECK_STR(run_text(t, 1, "shape"), "120 18");
    CHECK_STR(run_text(t, t->rows - 1, "module"), "unembed.W_U");
    CHECK_EQ(run_int(t, t->rows - 1, "parameters"), 120 * 18);
    run_close(r);
}

static void a_tied_weight_is_counted_once(void) {
    static const struct { const char *part; int64_t parameters; } want[] = {
        { "embeddings", 1496 * 160 }, { "positions", 96 * 160 }, { "attention", 4 * (4 * 160 * 160 + 4 * 160) },
        { "mlp", 4 * (2 * 160 * 640 + 640 + 160) }, { "norms", 9 * 2 * 160 },
    };
    method_run *r = run_open(NULL);
    RUN_OK(r, "info", "tree", "yes", NULL);
    const sonde_table *t = run_table(r, "components"), *tree = run_table(r, "tree"), *types = run_table(r, "types");
    double share = 0;
    CHECK_STR(run_columns(t), "component tensors parameters share bytes not_finite");
    CHECK_EQ(run_rows(t), 5);
    for (size_t i = 0; i < 5; i++) {
        CHECK_STR(run_text(t, i, "component"), want[i].part);
        CHECK_EQ(run_int(t, i, "parameters"), want[i].parameters);
        share += run_float(t, i, "share");
    }
    CHECK_NEAR(share, 1, 1e-12);
    CHECK_STR(run_text(tree, tree->rows - 1, "module"), "unembed.W_U");
    CHECK_EQ(run_int(tree, tree->rows - 1, "parameters"), 0);
    CHECK_STR(run_text(types, 0, "type"), "F32");
    CHECK_EQ(run_int(types, 0, "bytes"), sonde_model_describe(r->model)->bytes);
    run_close(r);
}

#define TESTS(T) \
    T(the_tutorials_sentence_has_its_ids) \
    T(revllms_text_has_its_fourteen_words) T(the_tokenizer_is_shown) T(words_tile_the_text_and_merges_make_its_tokens) \
    T(broken_bytes_and_empty_texts) T(without_a_text_or_a_tokenizer) T(many_prompts_say_which) \
    T(two_tokenizers_stand_side_by_side) T(a_tokenizer_is_like_itself) T(what_cannot_be_compared) T(the_tree_adds_up) \
    T(a_tied_weight_is_counted_once)
TEST_MAIN(TESTS)
