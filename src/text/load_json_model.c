/* The models of tokenizer.json. */
#include "load_json.h"
#include "base/text.h"
#include <math.h>
#include <stdlib.h>

static sonde_status read_merges(loader *l, const json *array, merge_text **out, sonde_error *err) {
    SONDE_FAIL_IF(!array || array->kind != JSON_ARRAY, err, SONDE_FORMAT, "model.merges: missing or no array");
    merge_text *m = arena_new_array(l->scratch, merge_text, array->len);
    *out = m;
    size_t i = 0;
    for (const json *j = array->child; j; j = j->next, m++, i++) {
        const json *a = j->child;
        const bool pair = j->kind == JSON_ARRAY && j->len == 2 && json_string(a, &m->a, &m->a_len)
                       && json_string(a->next, &m->b, &m->b_len);
        SONDE_FAIL_IF(!pair && !(j->kind == JSON_STRING && load_split_merge(j->text, j->len, m)), err, SONDE_FORMAT,
                      "model.merges[%zu]: expected two texts, or one with a single space", i);
    }
    return SONDE_OK;
}

/* Id of the token that member `key` names; -1: none is named, or it is not in the vocabulary. */
static sonde_status read_named(loader *l, const json *j, const char *key, int32_t *id) {
    const json *text = json_get(j, key);
    SONDE_FAIL_IF(load_is_set(text) && text->kind != JSON_STRING, l->err, SONDE_FORMAT, "model.%s: no text", key);
    *id = load_is_set(text) ? vocab_model_id(&l->t->vocab, text->text, text->len) : -1;
    return SONDE_OK;
}

/* A text that lives as long as the tokenizer. */
static sonde_status read_text(loader *l, const json *j, const char *key, const char *usually, const char **out) {
    const json *text = json_get(j, key);
    *out = usually;
    if (!load_is_set(text)) return SONDE_OK;
    SONDE_FAIL_IF(text->kind != JSON_STRING || strlen(text->text) != text->len || text->len > VOCAB_LONGEST, l->err,
                  SONDE_FORMAT, "model.%s: expected a short text", key);
    *out = arena_printf(l->t->memory, "%s", text->text);
    return SONDE_OK;
}

static sonde_status refuse_dropout(const json *j, sonde_error *err) {
    const json *dropout = json_get(j, "dropout");
    double p = 0;
    SONDE_FAIL_IF(load_is_set(dropout) && !(json_double(dropout, &p) && p == 0), err, SONDE_UNSUPPORTED,
                  "model.dropout: not supported, the same text must give the same ids");
    return SONDE_OK;
}

/* The tokens of the model; a vocabulary in the byte alphabet that is not byte-level BPE's needs the text in it too. */
static sonde_status read_vocab(loader *l, const json *j) {
    return vocab_read(&l->t->vocab, json_get(j, "vocab"), "model.vocab", l->err);
}

static sonde_status to_alphabet(loader *l) {
    if (!l->byte_level) return SONDE_OK;
    return load_stage(l, (stage){ .kind = STAGE_BYTES, .name = "ByteLevel" }, "pre_tokenizer");
}

/* Kept so that the model can be written as one of scores: each merge is of known tokens, model_of_pairs has seen to it. */
static void keep_rules(tokenizer *t, const merge_text *texts, size_t n) {
    t->rules = arena_new_array(t->memory, bpe_rule, n + 1);
    for (size_t i = 0; i < n; i++) {
        const merge_text *m = &texts[i];
        char *whole = malloc(m->a_len + m->b_len + 1);
        if (!whole) abort();
        memcpy(whole, m->a, m->a_len);
        memcpy(whole + m->a_len, m->b, m->b_len);
        t->rules[t->n_rules++] = (bpe_rule){ vocab_model_id(&t->vocab, m->a, m->a_len), vocab_model_id(&t->vocab, m->b, m->b_len),
                                             vocab_model_id(&t->vocab, whole, m->a_len + m->b_len), (uint32_t)i };
        free(whole);
    }
}

static sonde_status read_bpe(loader *l, const json *j, const char *where) {
    tokenizer *t = l->t;
    pair_rules r = { .rest = { .unknown = -1 } };
    SONDE_TRY(refuse_dropout(j, l->err));
    SONDE_TRY(load_bool(j, where, "ignore_merges", &r.ignore_merges, l->err));
    SONDE_TRY(load_bool(j, where, "fuse_unk", &r.rest.fuse, l->err));
    SONDE_TRY(load_bool(j, where, "byte_fallback", &r.rest.bytes, l->err));
    SONDE_TRY(read_text(l, j, "continuing_subword_prefix", "", &r.prefix));
    SONDE_TRY(read_text(l, j, "end_of_word_suffix", "", &r.suffix));
    const bool bytes = l->byte_level && !r.rest.bytes && !*r.prefix && !*r.suffix;
    t->vocab.byte_pieces = r.rest.bytes;
    SONDE_TRY(read_vocab(l, j));
    SONDE_TRY(read_named(l, j, "unk_token", &r.rest.unknown));
    merge_text *texts;
    SONDE_TRY(read_merges(l, json_get(j, "merges"), &texts, l->err));
    r.merges = texts;
    r.n = json_get(j, "merges")->len;
    const bpe_options o = { .ignore_merges = r.ignore_merges, .fuse_unknown = r.rest.fuse, .unknown = r.rest.unknown };
    t->kind = bytes ? KIND_BYTES : KIND_CHARACTERS;
    t->unknown = r.rest.unknown;
    t->ignore_merges = r.ignore_merges;
    const sonde_status s = bytes ? bpe_new(&t->model, &t->vocab, texts, r.n, o, l->err)
                                 : model_of_pairs(&t->text, t->memory, &t->vocab, r, l->err);
    if (s != SONDE_OK) return sonde_fail_at(l->err, s, "model.merges");
    if (r.rest.bytes && !*r.prefix && !*r.suffix && !r.ignore_merges) keep_rules(t, texts, r.n);
    return bytes ? SONDE_OK : to_alphabet(l);
}

static sonde_status read_wordpiece(loader *l, const json *j, const char *where) {
    wordpiece_rules r = { .longest_word = 100 };
    int64_t longest = 100;
    const json *most = json_get(j, "max_input_chars_per_word");
    SONDE_FAIL_IF(load_is_set(most) && !(json_int(most, &longest) && longest >= 0), l->err, SONDE_FORMAT,
                  "%s.max_input_chars_per_word: expected a number from 0 on", where);
    r.longest_word = (size_t)longest;
    SONDE_TRY(read_text(l, j, "continuing_subword_prefix", "##", &r.prefix));
    SONDE_TRY(read_vocab(l, j));
    SONDE_TRY(read_named(l, j, "unk_token", &r.unknown));
    SONDE_TRY(load_wordpieces(l, r));
    return to_alphabet(l);
}

static sonde_status read_wordlevel(loader *l, const json *j, const char *where) {
    int32_t unknown;
    (void)where;
    SONDE_TRY(read_vocab(l, j));
    SONDE_TRY(read_named(l, j, "unk_token", &unknown));
    l->t->kind = KIND_WORDS;
    l->t->text = model_of_words(l->t->memory, &l->t->vocab, unknown);
    return to_alphabet(l);
}

/* [[text, score], ..]: the place is the id. */
static sonde_status read_scored(loader *l, const json *list, double *score) {
    vocab *v = &l->t->vocab;
    size_t bytes = 0;
    for (const json *c = list->child; c; c = c->next) bytes += c->child && c->child->kind == JSON_STRING ? c->child->len : 0;
    vocab_begin(v, list->len, bytes);
    size_t i = 0;
    for (const json *c = list->child; c; c = c->next, i++) {
        const json *text = c->child;
        const bool fits = c->kind == JSON_ARRAY && c->len == 2 && text->kind == JSON_STRING && text->len <= VOCAB_LONGEST
                       && json_double(text->next, &score[i]) && isfinite(score[i]);
        SONDE_FAIL_IF(!fits, l->err, SONDE_FORMAT, "model.vocab[%zu]: expected a text and a score", i);
        const int32_t before = vocab_model_id(v, text->text, text->len);
        SONDE_FAIL_IF(before >= 0, l->err, SONDE_FORMAT, "model.vocab[%zu]: the text of token %d again", i, before);
        vocab_put(v, (int32_t)i, text->text, text->len, false);
    }
    return vocab_end(v, "model.vocab", l->err);
}

static sonde_status read_unigram(loader *l, const json *j, const char *where) {
    tokenizer *t = l->t;
    const json *list = json_get(j, "vocab"), *id = json_get(j, "unk_id");
    int64_t unknown = -1;
    SONDE_FAIL_IF(!list || list->kind != JSON_ARRAY, l->err, SONDE_FORMAT, "model.vocab: missing or no array");
    SONDE_FAIL_IF(list->len > VOCAB_MOST, l->err, SONDE_UNSUPPORTED, "model.vocab: %zu tokens, at most %d", list->len,
                  VOCAB_MOST);
    SONDE_FAIL_IF(load_is_set(id) && !(json_int(id, &unknown) && unknown >= 0 && (uint64_t)unknown < list->len), l->err,
                  SONDE_FORMAT, "model.unk_id: expected a number below %zu", list->len);
    score_rules r = { .n = list->len, .rest = { .fuse = true, .unknown = (int32_t)unknown } };
    SONDE_TRY(load_bool(j, where, "byte_fallback", &r.rest.bytes, l->err));
    t->vocab.byte_pieces = r.rest.bytes;
    t->score = arena_new_array(t->memory, double, list->len);
    t->n_pieces = list->len;
    SONDE_TRY(read_scored(l, list, t->score));
    t->kind = KIND_PATHS;
    t->unknown = r.rest.unknown;
    r.score = t->score;
    for (size_t i = 0; i < r.n; i++)
        if (i == 0 || r.score[i] < r.lowest) r.lowest = r.score[i];
    SONDE_TRY(model_of_paths(&t->text, t->memory, &t->vocab, r, l->err));
    return to_alphabet(l);
}

static const part_row models[] = {
    { "BPE", read_bpe }, { "WordPiece", read_wordpiece }, { "WordLevel", read_wordlevel }, { "Unigram", read_unigram },
    { NULL, NULL },
};

sonde_status load_json_model(loader *l, const json *model) {
    SONDE_FAIL_IF(!model || model->kind != JSON_OBJECT, l->err, SONDE_FORMAT, "model: missing or no object");
    const json *list = json_get(model, "vocab");
    if (json_get(model, "type")) return load_part(l, models, model, "model");
    if (json_get(model, "merges")) return read_bpe(l, model, "model");                     /* old files do not say */
    if (list && list->kind == JSON_ARRAY) return read_unigram(l, model, "model");
    if (json_get(model, "continuing_subword_prefix")) return read_wordpiece(l, model, "model");
    return load_part(l, models, model, "model");
}
