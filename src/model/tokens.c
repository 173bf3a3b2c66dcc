/* Tokens of a text and back, for users: which BOS is put in front, and what is refused. */
#define _GNU_SOURCE
#include "edit_text.h"
#include "model_files.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SHOWN = 8 };

static bool in_vocabulary(const sonde_model *m, int64_t id) { return id >= 0 && id < m->config.vocab; }

static int32_t choose_bos(const sonde_model *m) {
    const int32_t candidates[] = {
        m->tokenizer ? tokenizer_bos(m->tokenizer) : -1, m->config.bos, m->info.eos,
    };
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++)
        if (in_vocabulary(m, candidates[i])) return candidates[i];
    return -1;
}

/* The post-processor puts the same tokens around any text. */
void model_find_bos(sonde_model *m) {
    m->info.bos = choose_bos(m);
    if (!m->tokenizer) return;
    arena *a = arena_new();
    token_list with;
    const text_bytes letter = { "a", 1 };
    const bool told = tokenizer_encode(m->tokenizer, letter, (tokenizer_options){ 0 }, a, &with, NULL) == SONDE_OK;
    m->info.adds_bos = told && with.n > 0 && with.at[0].text < 0 && with.at[0].id == m->info.bos;
    m->info.takes_pairs = tokenizer_takes_pairs(m->tokenizer);
    arena_free(a);
}

static sonde_status need_tokenizer(const sonde_model *m, sonde_error *err) {
    SONDE_FAIL_IF(!m->tokenizer, err, SONDE_FORMAT,
                  "%s has no tokenizer; give one with --tokenizer PATH, or the prompt as ids with --tokens",
                  name_shown(m->info.name).text);
    return SONDE_OK;
}

/* `text` for a message: the token's bytes in quotes. */
static shown token_shown(const sonde_model *m, int32_t id) {
    const char *bytes = "";
    size_t len = 0;
    if (!tokenizer_bytes(m->tokenizer, id, &bytes, &len)) len = 0;
    return text_shown(bytes, len);
}

static sonde_status check_ids(const sonde_model *m, token_list list, sonde_error *err) {
    for (size_t i = 0; i < list.n; i++)
        SONDE_FAIL_IF(!in_vocabulary(m, list.at[i].id), err, SONDE_USAGE,
                      "token %" PRId32 " (\"%s\") has no row in the model, expected ids below %" PRId64, list.at[i].id,
                      token_shown(m, list.at[i].id).text, m->config.vocab);
    return SONDE_OK;
}

/* Token types that the model would read: a tokenizer alone tells them for any model, a model with one type has no choice. */
static bool tells_types(const sonde_model *m, token_list list) {
    if (m->config.arch && m->config.types < 2) return false;
    for (size_t i = 0; i < list.n; i++)
        if (list.at[i].type) return true;
    return false;
}

static int32_t *new_ids(size_t n) {
    int32_t *ids = malloc(n * sizeof *ids);
    if (!ids) abort();
    return ids;
}

/* `list` as the caller's arrays, behind BOS if `front`; what the post-processor added is at -1. */
static void fill(const sonde_model *m, token_list list, bool front, sonde_tokens *out) {
    const size_t all = list.n + front;
    *out = (sonde_tokens){ .n = (int64_t)all, .id = new_ids(all), .start = malloc(all * sizeof *out->start),
                           .end = malloc(all * sizeof *out->end), .text = new_ids(all),
                           .type = tells_types(m, list) ? new_ids(all) : NULL };
    if (!out->start || !out->end) abort();
    if (front) {
        out->id[0] = m->info.bos;
        out->start[0] = out->end[0] = out->text[0] = -1;
        if (out->type) out->type[0] = 0;
    }
    for (size_t i = 0; i < list.n; i++) {
        const token_span *t = &list.at[i];
        out->id[i + front] = t->id;
        out->start[i + front] = t->text >= 0 ? t->start : -1;
        out->end[i + front] = t->text >= 0 ? t->end : -1;
        out->text[i + front] = t->text;
        if (out->type) out->type[i + front] = t->type;
    }
}

static sonde_status tokenize(const sonde_model *m, text_bytes text, sonde_token_options o, arena *scratch,
                             sonde_tokens *out, sonde_error *err) {
    const text_bytes        pair = { o.pair, o.pair_len };
    const tokenizer_options how = { .plain = o.plain, .no_specials = o.bos == SONDE_BOS_NO, .pair = o.pair ? &pair : NULL };
    token_list list;
    SONDE_TRY(tokenizer_encode(m->tokenizer, text, how, scratch, &list, err));
    SONDE_TRY(check_ids(m, list, err));
    const int32_t bos = m->info.bos;
    SONDE_FAIL_IF(o.bos == SONDE_BOS_YES && bos < 0, err, SONDE_USAGE,
                  "%s has no BOS and no end-of-text token to put in front", name_shown(m->info.name).text);
    const bool front = o.bos == SONDE_BOS_YES && !(list.n > 0 && list.at[0].id == bos);
    SONDE_FAIL_IF(list.n + front == 0, err, SONDE_USAGE, "the prompt has 0 tokens, expected at least 1%s",
                  bos >= 0 ? " (a BOS would do)" : "");
    fill(m, list, front, out);
    return SONDE_OK;
}

sonde_status sonde_tokenize(const sonde_model *m, const char *text, size_t len, sonde_token_options o,
                            sonde_tokens *out, sonde_error *err) {
    *out = (sonde_tokens){ 0 };
    SONDE_TRY(need_tokenizer(m, err));
    arena *scratch = arena_new();
    const sonde_status s = tokenize(m, (text_bytes){ text, len }, o, scratch, out, err);
    arena_free(scratch);
    return s;
}

void sonde_tokens_free(sonde_tokens *t) {
    free(t->id);
    free(t->start);
    free(t->end);
    free(t->text);
    free(t->type);
    *t = (sonde_tokens){ 0 };
}

static void *room(size_t n, size_t size) {
    void *p = calloc(n ? n : 1, size);
    if (!p) abort();
    return p;
}

static void fill_split(token_list list, sonde_split *out) {
    *out = (sonde_split){ .id = room(list.n, sizeof *out->id), .n = (int64_t)list.n,
                          .word = room(list.n_words, sizeof *out->word), .n_words = (int64_t)list.n_words,
                          .merge = room(list.n_merges, sizeof *out->merge), .n_merges = (int64_t)list.n_merges };
    for (size_t i = 0; i < list.n; i++) out->id[i] = list.at[i].id;
    for (size_t i = 0; i < list.n_words; i++) {
        const token_word *w = &list.words[i];
        out->word[i] = (sonde_word){ w->start, w->end, (int64_t)w->first, (int64_t)w->n, w->added };
    }
    for (size_t i = 0; i < list.n_merges; i++) {
        const token_merge *x = &list.merges[i];
        out->merge[i] = (sonde_merge){ (int64_t)x->word, x->left, x->right, x->made, x->rank };
    }
}

static sonde_status split(const sonde_model *m, text_bytes text, bool plain, arena *scratch, sonde_split *out,
                          sonde_error *err) {
    token_list list;
    SONDE_TRY(tokenizer_encode(m->tokenizer, text, (tokenizer_options){ .plain = plain, .no_specials = true, .merges = true }, scratch, &list, err));
    SONDE_TRY(check_ids(m, list, err));
    fill_split(list, out);
    return SONDE_OK;
}

sonde_status sonde_split_text(const sonde_model *m, const char *text, size_t len, sonde_token_options o, sonde_split *out,
                              sonde_error *err) {
    *out = (sonde_split){ 0 };
    SONDE_TRY(need_tokenizer(m, err));
    arena *scratch = arena_new();
    const sonde_status s = split(m, (text_bytes){ text, len }, o.plain, scratch, out, err);
    arena_free(scratch);
    return s;
}

void sonde_split_free(sonde_split *s) {
    free(s->id);
    free(s->word);
    free(s->merge);
    *s = (sonde_split){ 0 };
}

const char *sonde_split_pattern(const sonde_model *m, size_t i) {
    return m->tokenizer ? tokenizer_stage(m->tokenizer, i) : NULL;
}

bool sonde_token_special(const sonde_model *m, int32_t id) {
    return m->tokenizer && tokenizer_special(m->tokenizer, id);
}

const char *sonde_token_bytes(const sonde_model *m, int32_t id, size_t *len) {
    const char *text = "";
    *len = 0;
    if (!m->tokenizer || !tokenizer_bytes(m->tokenizer, id, &text, len)) {
        *len = 0;
        return "";
    }
    return text;
}

static sonde_status single(const sonde_model *m, text_bytes text, arena *scratch, int32_t *out, sonde_error *err) {
    token_list list;
    const tokenizer_options how = { .no_specials = true };
    SONDE_TRY(tokenizer_encode(m->tokenizer, text, how, scratch, &list, err));
    SONDE_TRY(check_ids(m, list, err));
    if (list.n == 1) {
        *out = list.at[0].id;
        return SONDE_OK;
    }
    const char *pieces = "";
    for (size_t i = 0; i < list.n && i < MOST_SHOWN; i++)
        pieces = arena_printf(scratch, "%s%s\"%s\"", pieces, i ? " " : ": ", token_shown(m, list.at[i].id).text);
    return sonde_fail(err, SONDE_USAGE, "\"%s\" is %zu tokens%s%s, expected exactly one",
                      text_shown(text.at, text.len).text, list.n, pieces, list.n > MOST_SHOWN ? " .." : "");
}

sonde_status sonde_token_single(const sonde_model *m, const char *text, size_t len, int32_t *out, sonde_error *err) {
    SONDE_TRY(need_tokenizer(m, err));
    arena *scratch = arena_new();
    const sonde_status s = single(m, (text_bytes){ text, len }, scratch, out, err);
    arena_free(scratch);
    return s;
}

sonde_status sonde_token_read(const sonde_model *m, const char *text, const char **end, int32_t *out, sonde_error *err) {
    arena      *scratch = arena_new();
    const char *as = NULL;
    reader      r = { .at = text, .a = scratch, .model = m, .err = err };
    const sonde_status s = reader_token(&r, out, &as);
    *end = r.at;
    arena_free(scratch);
    return s;
}

static sonde_status decode(const sonde_model *m, id_list ids, arena *scratch, text_bytes *out, sonde_error *err) {
    for (size_t i = 0; i < ids.n; i++)
        SONDE_FAIL_IF(!in_vocabulary(m, ids.at[i]), err, SONDE_USAGE,
                      "token %" PRId32 ": expected an id from 0 to %" PRId64, ids.at[i], m->config.vocab - 1);
    return tokenizer_decode(m->tokenizer, ids, false, scratch, out, err);
}

sonde_status sonde_detokenize(const sonde_model *m, const int32_t *ids, int64_t n, char **out, size_t *len,
                              sonde_error *err) {
    *out = NULL;
    *len = 0;
    SONDE_TRY(need_tokenizer(m, err));
    arena *scratch = arena_new();
    text_bytes text = { 0 };
    const sonde_status s = decode(m, (id_list){ ids, (size_t)n }, scratch, &text, err);
    if (s == SONDE_OK) {
        *out = malloc(text.len + 1);
        if (!*out) abort();
        if (text.len) memcpy(*out, text.at, text.len);
        (*out)[text.len] = 0;
        *len = text.len;
    }
    arena_free(scratch);
    return s;
}

void sonde_text_free(char *text) { free(text); }
