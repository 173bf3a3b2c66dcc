/* The model and the decoder of tokenizer.json. */
#include "write.h"
#include "base/text.h"
#include <stdlib.h>

static const char escaped[] = "\xe2\x96\x81";

static int by_rank(const void *a, const void *b) {
    const model_merge *x = a, *y = b;
    if (x->rank != y->rank) return x->rank < y->rank ? -1 : 1;
    if (x->left != y->left) return x->left < y->left ? -1 : 1;
    return x->right < y->right ? -1 : x->right > y->right;
}

static void of_rules(const tokenizer *t, arena *into, model_merge **out, size_t *n) {
    *n = bpe_rules(t->model, NULL);
    bpe_rule *rules = arena_new_array(into, bpe_rule, *n + 1);
    bpe_rules(t->model, rules);
    *out = arena_new_array(into, model_merge, *n + 1);
    for (size_t i = 0; i < *n; i++)
        (*out)[i] = (model_merge){ rules[i].left, rules[i].right, rules[i].made, rules[i].rank };
}

typedef struct { double score; int32_t id; } scored;

static int by_score(const void *a, const void *b) {
    const scored *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Every way to make a normal piece of two; the rank is its place by score. */
static sonde_status of_pieces(const tokenizer *t, arena *into, model_merge **out, size_t *n, sonde_error *err) {
    const vocab *v = &t->vocab;
    trie_word *words = arena_new_array(into, trie_word, t->n_pieces + 1);
    scored *order = arena_new_array(into, scored, t->n_pieces + 1);
    const trie *all;
    size_t n_words = 0, cap = 0;
    for (size_t i = 0; i < t->n_pieces; i++) {
        const token *k = vocab_token(v, (int32_t)i);
        if (t->type[i] != PIECE_NORMAL || !k) continue;
        order[n_words] = (scored){ t->score[i], (int32_t)i };
        words[n_words++] = (trie_word){ k->text, k->text_len, (int32_t)i };
    }
    SONDE_TRY(trie_new(&all, into, words, n_words, err));
    if (n_words) qsort(order, n_words, sizeof *order, by_score);
    *n = 0;
    for (size_t i = 0; i < n_words; i++) {
        const token *k = vocab_token(v, order[i].id);
        uint32_t node = 0;
        for (size_t left = 1; left < k->text_len && trie_step(all, &node, k->text[left - 1]); left++) {
            const int32_t a = trie_value(all, node), b = vocab_model_id(v, k->text + left, k->text_len - left);
            if (a < 0 || b < 0 || t->type[b] != PIECE_NORMAL) continue;
            *out = grow(into, *out, *n, *n + 1, &cap, sizeof **out);
            (*out)[(*n)++] = (model_merge){ a, b, order[i].id, (uint32_t)i };
        }
    }
    return SONDE_OK;
}

sonde_status model_merges(const tokenizer *t, arena *into, model_merge **out, size_t *n, sonde_error *err) {
    *out = NULL;
    SONDE_FAIL_IF(t->kind != KIND_BYTES && !(t->kind == KIND_PIECES && t->type), err, SONDE_UNSUPPORTED,
                  "the merges of this model are not kept");
    if (t->kind == KIND_BYTES) of_rules(t, into, out, n);
    else SONDE_TRY(of_pieces(t, into, out, n, err));
    if (*n) qsort(*out, *n, sizeof **out, by_rank);
    return SONDE_OK;
}

static void write_vocab(writer *w, const tokenizer *t) {
    const vocab *v = &t->vocab;
    bool any = false;
    write_text(w, "\"vocab\":{");
    for (size_t i = 0; i < v->n; i++) {
        const token *k = &v->at[i];
        if (vocab_model_id(v, k->text, k->text_len) != k->id) continue;         /* added behind the model's */
        if (any) write_text(w, ",\n");
        write_quoted(w, k->text, k->text_len);
        write_format(w, ":%d", k->id);
        any = true;
    }
    write_text(w, "}");
}

static void write_part(writer *w, const tokenizer *t, int32_t id) {
    const token *k = vocab_token(&t->vocab, id);
    write_quoted(w, k->text, k->text_len);
}

static sonde_status write_bpe(writer *w, const tokenizer *t, sonde_error *err) {
    model_merge *merges;
    size_t n;
    SONDE_TRY(model_merges(t, w->memory, &merges, &n, err));
    const bool fuse = t->kind == KIND_PIECES;
    write_format(w, "\"type\":\"BPE\",\"dropout\":null,\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,"
                 "\"fuse_unk\":%s,\"byte_fallback\":%s,\"ignore_merges\":%s,\"unk_token\":", fuse ? "true" : "false",
                 t->vocab.byte_pieces ? "true" : "false", t->ignore_merges ? "true" : "false");
    if (t->unknown < 0) write_text(w, "null"); else write_part(w, t, t->unknown);
    write_text(w, ",");
    write_vocab(w, t);
    write_text(w, ",\n\"merges\":[");
    for (size_t i = 0; i < n; i++) {
        write_text(w, i ? ",\n[" : "[");
        write_part(w, t, merges[i].left);
        write_text(w, ",");
        write_part(w, t, merges[i].right);
        write_text(w, "]");
    }
    write_text(w, "]");
    return SONDE_OK;
}

static void write_unigram(writer *w, const tokenizer *t) {
    write_text(w, "\"type\":\"Unigram\",\"unk_id\":");
    if (t->unknown < 0) write_text(w, "null"); else write_format(w, "%d", t->unknown);
    write_format(w, ",\"byte_fallback\":%s,\"vocab\":[", t->vocab.byte_pieces ? "true" : "false");
    for (size_t i = 0; i < t->n_pieces; i++) {
        write_text(w, i ? ",\n[" : "[");
        write_part(w, t, (int32_t)i);
        write_format(w, ",%.17g]", t->score[i]);
    }
    write_text(w, "]");
}

static void write_wordpiece(writer *w, const tokenizer *t) {
    write_text(w, "\"type\":\"WordPiece\",\"unk_token\":");
    if (t->unknown < 0) write_text(w, "\"[UNK]\""); else write_part(w, t, t->unknown);
    write_text(w, ",\"continuing_subword_prefix\":");
    write_quoted(w, t->prefix, strlen(t->prefix));
    write_format(w, ",\"max_input_chars_per_word\":%zu,", t->longest_word);
    write_vocab(w, t);
}

sonde_status write_model(writer *w, const tokenizer *t, sonde_error *err) {
    write_text(w, "\"model\":{");
    if (t->kind == KIND_BYTES || t->kind == KIND_PIECES) SONDE_TRY(write_bpe(w, t, err));
    else if (t->kind == KIND_PATHS) write_unigram(w, t);
    else write_wordpiece(w, t);
    write_text(w, "}");
    return SONDE_OK;
}

static void write_step(writer *w, const decode_step *k) {
    static const char *const plain[] = {
        [DECODE_BYTES] = "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":true}",
        [DECODE_FUSE] = "{\"type\":\"Fuse\"}", [DECODE_BYTE_PIECES] = "{\"type\":\"ByteFallback\"}",
    };
    switch (k->kind) {
    case DECODE_WORDPIECE:
        write_text(w, "{\"type\":\"WordPiece\",\"prefix\":");
        write_quoted(w, k->text.at, k->text.len);
        write_format(w, ",\"cleanup\":%s}", k->cleanup ? "true" : "false");
        break;
    case DECODE_METASPACE:
        write_text(w, "{\"type\":\"Metaspace\",\"replacement\":");
        write_quoted(w, k->text.at, k->text.len);
        write_format(w, ",\"prepend_scheme\":\"%s\",\"split\":true}", k->flag ? "always" : "never");
        break;
    case DECODE_REPLACE:
        write_text(w, "{\"type\":\"Replace\",\"pattern\":{\"");
        write_text(w, splitter_literal(k->pattern) ? "String\":" : "Regex\":");
        write_quoted(w, splitter_pattern(k->pattern), strlen(splitter_pattern(k->pattern)));
        write_text(w, "},\"content\":");
        write_quoted(w, k->text.at, k->text.len);
        write_text(w, "}");
        break;
    case DECODE_STRIP:
        write_text(w, "{\"type\":\"Strip\",\"content\":");
        write_quoted(w, k->text.at, k->text.len);
        write_format(w, ",\"start\":%zu,\"stop\":%zu}", k->left, k->right);
        break;
    case DECODE_SUFFIX:
        write_text(w, "{\"type\":\"BPEDecoder\",\"suffix\":");
        write_quoted(w, k->text.at, k->text.len);
        write_text(w, "}");
        break;
    case DECODE_CTC:
        write_text(w, "{\"type\":\"CTC\",\"pad_token\":");
        write_quoted(w, k->text.at, k->text.len);
        write_text(w, ",\"word_delimiter_token\":");
        write_quoted(w, k->delimiter.at, k->delimiter.len);
        write_format(w, ",\"cleanup\":%s}", k->cleanup ? "true" : "false");
        break;
    case DECODE_BYTES: case DECODE_FUSE: case DECODE_BYTE_PIECES: write_text(w, plain[k->kind]); break;
    case DECODE_JOIN: break;
    }
}

void write_decoder(writer *w, const tokenizer *t) {
    write_text(w, "\"decoder\":");
    if (t->n_decode == 1 && t->decode[0].kind == DECODE_JOIN) {
        write_text(w, "null,\n");
        return;
    }
    write_text(w, "{\"type\":\"Sequence\",\"decoders\":[");
    for (size_t i = 0; i < t->n_decode; i++) {
        if (i) write_text(w, ",");
        write_step(w, &t->decode[i]);
    }
    if (!t->n_decode && t->kind == KIND_BYTES) write_step(w, &(decode_step){ .kind = DECODE_BYTES });
    if (!t->n_decode && t->kind != KIND_BYTES) {
        write_format(w, "{\"type\":\"Replace\",\"pattern\":{\"String\":\"%s\"},\"content\":\" \"},"
                     "{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"}", escaped);
        if (t->drop_first_space) write_text(w, ",{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}");
    }
    write_text(w, "]},\n");
}
