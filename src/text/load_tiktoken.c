/* tiktoken's text: lines of base64, a space and a rank, which is the id. Neighbours that are a token together are joined,
 * those with the lowest rank first. The file says neither how texts are cut nor the special tokens: the models that ship
 * such files are told by their class or the number of tokens. */
#include "load.h"
#include "base/text.h"
#include "base64.h"
#include "bytes.h"
#include "load_pre.h"
#include <stdio.h>

enum { LONGEST_TOKEN = 1024, LLAMA_SPECIAL = 256, QWEN_EXTRA = 205 };

typedef struct { const char *at, *end; size_t number; } lines;

static bool next_line(lines *r, const char **line, size_t *len) {
    if (r->at >= r->end) return false;
    const char *stop = memchr(r->at, '\n', (size_t)(r->end - r->at));
    *line = r->at;
    *len = (size_t)((stop ? stop : r->end) - r->at);
    if (*len && (*line)[*len - 1] == '\r') --*len;
    r->at = stop ? stop + 1 : r->end;
    r->number++;
    return true;
}

/* The bytes in `out`, which has room for `len`; false: no such line. */
static bool read_line(const char *line, size_t len, uint8_t *out, size_t *n, int64_t *rank) {
    const char *space = len ? memchr(line, ' ', len) : NULL;
    if (!space || !base64_read(line, (size_t)(space - line), out, n) || *n == 0) return false;
    const char *at = space + 1, *end = line + len;
    if (at == end || end - at > 9) return false;
    for (*rank = 0; at < end; at++) {
        if (*at < '0' || *at > '9') return false;
        *rank = 10 * *rank + (*at - '0');
    }
    return true;
}

bool load_is_tiktoken(const text_file *f) {
    lines r = { f->data, f->size ? f->data + f->size : f->data, 0 };
    const char *line;
    size_t len, n;
    uint8_t bytes[512];
    int64_t rank;
    return next_line(&r, &line, &len) && len < sizeof bytes && read_line(line, len, bytes, &n, &rank);
}

static size_t count_lines(const text_file *f) {
    lines r = { f->data, f->data + f->size, 0 };
    const char *line;
    size_t len, n = 0;
    while (next_line(&r, &line, &len)) n += len > 0;
    return n;
}

static sonde_status read_tokens(loader *l, const text_file *f, size_t n) {
    vocab *v = &l->t->vocab;
    lines r = { f->data, f->data + f->size, 0 };
    const char *line;
    size_t len;
    SONDE_FAIL_IF(n > VOCAB_MOST, l->err, SONDE_UNSUPPORTED, "%zu tokens, at most %d", n, VOCAB_MOST);
    uint8_t *bytes = arena_alloc(l->scratch, 2 * LONGEST_TOKEN);
    char *text = arena_alloc(l->scratch, 2 * LONGEST_TOKEN);
    vocab_begin(v, n, 2 * f->size);
    while (next_line(&r, &line, &len)) {
        int64_t rank;
        size_t size;
        if (len == 0) continue;
        SONDE_FAIL_IF(len > LONGEST_TOKEN, l->err, SONDE_UNSUPPORTED, "line %zu has %zu bytes, at most %d", r.number, len,
                      LONGEST_TOKEN);
        SONDE_FAIL_IF(!read_line(line, len, bytes, &size, &rank), l->err, SONDE_FORMAT,
                      "line %zu: \"%s\", expected base64, a space and a rank", r.number, text_shown(line, len).text);
        SONDE_FAIL_IF(rank >= (int64_t)n, l->err, SONDE_FORMAT, "line %zu: rank %lld, expected less than %zu", r.number,
                      (long long)rank, n);
        const size_t spelled = bytes_spell((const char *)bytes, size, text);
        SONDE_FAIL_IF(vocab_model_id(v, text, spelled) >= 0, l->err, SONDE_FORMAT,
                      "line %zu: the bytes of token %d again", r.number, vocab_model_id(v, text, spelled));
        vocab_put(v, (int32_t)rank, text, spelled, false);
    }
    for (int b = 0; b < 256; b++)
        SONDE_FAIL_IF(v->byte_id[b] < 0, l->err, SONDE_FORMAT, "byte %d has no token", b);
    return vocab_end(v, "ranks", l->err);
}

typedef struct { arena *memory; merge_text *at; size_t n, cap; } merge_list;

/* Every way to make the token of two. */
static void add_splits(const vocab *v, const trie *all, const token *t, merge_list *out) {
    uint32_t node = 0;
    for (size_t i = 0; i + 1 < t->text_len && trie_step(all, &node, t->text[i]); i++) {
        const size_t left = i + 1, right = t->text_len - left;
        if (trie_value(all, node) < 0 || vocab_model_id(v, t->text + left, right) < 0) continue;
        out->at = grow(out->memory, out->at, out->n, out->n + 1, &out->cap, sizeof *out->at);
        out->at[out->n++] = (merge_text){ t->text, t->text + left, left, right };
    }
}

static sonde_status make_model(loader *l) {
    tokenizer *t = l->t;
    const vocab *v = &t->vocab;
    const trie *all;
    trie_word *words = arena_new_array(l->scratch, trie_word, v->n);
    for (size_t i = 0; i < v->n; i++) words[i] = (trie_word){ v->at[i].text, v->at[i].text_len, v->at[i].id };
    SONDE_TRY(trie_new(&all, l->scratch, words, v->n, l->err));
    merge_list list = { .memory = l->scratch };
    for (size_t i = 0; i < v->n; i++) add_splits(v, all, &v->at[i], &list);
    const bpe_options o = { .ignore_merges = true, .by_token = true, .unknown = -1 };
    t->ignore_merges = true;
    return bpe_new(&t->model, v, list.at, list.n, o, l->err);
}

static sonde_status add_special(loader *l, const char *text) {
    return load_added_text(l, (added_entry){ .token = { .text = text, .len = strlen(text), .special = true } }, text);
}

static sonde_status add_numbered(loader *l, const char *pattern, int first, int n) {
    for (int i = 0; i < n; i++) {
        char text[64];
        snprintf(text, sizeof text, "<|%s_%d|>", pattern, first + i);
        SONDE_TRY(add_special(l, text));
    }
    return SONDE_OK;
}

static sonde_status add_llama(loader *l) {
    static const char *const named[] = {
        "<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>",
        "<|finetune_right_pad_id|>", "<|reserved_special_token_2|>", "<|start_header_id|>", "<|end_header_id|>",
        "<|eom_id|>", "<|eot_id|>", "<|python_tag|>",
    };
    enum { NAMED = sizeof named / sizeof *named };
    for (size_t i = 0; i < NAMED; i++) SONDE_TRY(add_special(l, named[i]));
    return add_numbered(l, "reserved_special_token", 3, LLAMA_SPECIAL - NAMED);
}

static sonde_status add_qwen(loader *l) {
    static const char *const named[] = { "<|endoftext|>", "<|im_start|>", "<|im_end|>" };
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) SONDE_TRY(add_special(l, named[i]));
    return add_numbered(l, "extra", 0, QWEN_EXTRA);
}

/* Who ships such files. */
static const struct {
    const char *model, *class, *pre, *bos, *eos;
    size_t      n;
    bool        add_bos;
    sonde_status (*special)(loader *l);
} kinds[] = {
    { "Llama 3", "LlamaTokenizer", "llama-bpe", "<|begin_of_text|>", "<|end_of_text|>", 128000, true, add_llama },
    { "Llama 3", "PreTrainedTokenizer", "llama-bpe", "<|begin_of_text|>", "<|end_of_text|>", 128000, true, add_llama },
    { "Qwen", "QWenTokenizer", "qwen2", "<|endoftext|>", "<|endoftext|>", 151643, false, add_qwen },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* By the class where one is named, else by the number of tokens. */
static sonde_status find_kind(const loader *l, size_t n, size_t *out) {
    const char *class = NULL;
    size_t len = 0;
    if (json_string(json_get(l->config, "tokenizer_class"), &class, &len) && len > 4
        && memcmp(class + len - 4, "Fast", 4) == 0) len -= 4;
    for (*out = 0; *out < KINDS; ++*out) {
        const char *name = kinds[*out].class;
        if (class ? strlen(name) == len && memcmp(name, class, len) == 0 : kinds[*out].n == n) return SONDE_OK;
    }
    return sonde_fail(l->err, SONDE_UNSUPPORTED, "a tiktoken file of %zu tokens%s%s is of no known model (Llama 3 has "
                      "128000, Qwen 151643); save a tokenizer.json", n, class ? " and class " : "",
                      class ? text_shown(class, len).text : "");
}

static sonde_status fill(loader *l, const text_file *f) {
    tokenizer *t = l->t;
    const size_t n = count_lines(f);
    size_t kind;
    SONDE_TRY(find_kind(l, n, &kind));
    SONDE_TRY(load_pre(l, pre_find(kinds[kind].pre, NULL)));
    SONDE_TRY(read_tokens(l, f, n));
    SONDE_TRY(make_model(l));
    SONDE_TRY(kinds[kind].special(l));
    SONDE_TRY(load_config_tokens(l, NULL));
    SONDE_TRY(load_added_close(l));
    t->bos = vocab_id(&t->vocab, kinds[kind].bos, strlen(kinds[kind].bos));
    t->eos = vocab_id(&t->vocab, kinds[kind].eos, strlen(kinds[kind].eos));
    return load_config_ends(l, kinds[kind].add_bos, false, PAIRS_NONE);
}

sonde_status load_tiktoken(loader *l, const text_file *f) {
    const sonde_status s = fill(l, f);
    return s == SONDE_OK ? s : sonde_fail_at(l->err, s, "%s", f->name ? f->name : "tokenizer.model");
}
