/* Tokens of a text and back, for users: which BOS is put in front, and what is refused. */
#define _GNU_SOURCE
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

/* The post-processor puts the same tokens around any text: one letter with it and without it tells which. */
void model_find_bos(sonde_model *m) {
    m->info.bos = choose_bos(m);
    if (!m->tokenizer) return;
    arena *a = arena_new();
    token_span *with, *bare;
    size_t n_with = 0, n_bare = 0, before = 0;
    const tokenizer_options no_specials = { .no_specials = true };
    const bool told =
        tokenizer_encode(m->tokenizer, "a", 1, (tokenizer_options){ 0 }, a, &with, &n_with, NULL) == SONDE_OK &&
        tokenizer_encode(m->tokenizer, "a", 1, no_specials, a, &bare, &n_bare, NULL) == SONDE_OK;
    if (told && n_with > n_bare) {
        while (before < n_with - n_bare && (n_bare == 0 || with[before].id != bare[0].id)) before++;
        m->files->before = before;
        m->files->after = n_with - n_bare - before;
        m->info.adds_bos = before > 0 && with[0].id == m->info.bos;
    }
    arena_free(a);
}

static sonde_status need_tokenizer(const sonde_model *m, sonde_error *err) {
    SONDE_FAIL_IF(!m->tokenizer, err, SONDE_UNSUPPORTED,
                  "%s has no tokenizer that this version reads, expected tokenizer.json or vocab.json and merges.txt",
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

static sonde_status check_ids(const sonde_model *m, const token_span *span, size_t n, sonde_error *err) {
    for (size_t i = 0; i < n; i++)
        SONDE_FAIL_IF(!in_vocabulary(m, span[i].id), err, SONDE_USAGE,
                      "token %" PRId32 " (\"%s\") has no row in the model, expected ids below %" PRId64, span[i].id,
                      token_shown(m, span[i].id).text, m->config.vocab);
    return SONDE_OK;
}

/* `span` as the caller's arrays, behind BOS if `front`; what the post-processor added is at -1. */
static void fill(const sonde_model *m, const token_span *span, size_t n, bool front, bool specials,
                 sonde_tokens *out) {
    const size_t all = n + front;
    const size_t before = specials ? m->files->before : 0, after = specials ? m->files->after : 0;
    *out = (sonde_tokens){ .n = (int64_t)all, .id = malloc(all * sizeof *out->id),
                           .start = malloc(all * sizeof *out->start), .end = malloc(all * sizeof *out->end) };
    if (!out->id || !out->start || !out->end) abort();
    if (front) {
        out->id[0] = m->info.bos;
        out->start[0] = out->end[0] = -1;
    }
    for (size_t i = 0; i < n; i++) {
        const bool of_text = i >= before && i + after < n;
        out->id[i + front] = span[i].id;
        out->start[i + front] = of_text ? span[i].start : -1;
        out->end[i + front] = of_text ? span[i].end : -1;
    }
}

typedef struct { const char *data; size_t len; } bytes;

static sonde_status tokenize(const sonde_model *m, bytes text, sonde_token_options o, arena *scratch,
                             sonde_tokens *out, sonde_error *err) {
    const tokenizer_options how = { .plain = o.plain, .no_specials = o.bos == SONDE_BOS_NO };
    token_span *span;
    size_t n;
    SONDE_TRY(tokenizer_encode(m->tokenizer, text.data, text.len, how, scratch, &span, &n, err));
    SONDE_TRY(check_ids(m, span, n, err));
    const int32_t bos = m->info.bos;
    SONDE_FAIL_IF(o.bos == SONDE_BOS_YES && bos < 0, err, SONDE_USAGE,
                  "%s has no BOS and no end-of-text token to put in front", name_shown(m->info.name).text);
    const bool front = o.bos == SONDE_BOS_YES && !(n > 0 && span[0].id == bos);
    SONDE_FAIL_IF(n + front == 0, err, SONDE_USAGE, "the prompt has 0 tokens, expected at least 1%s",
                  bos >= 0 ? " (a BOS would do)" : "");
    fill(m, span, n, front, !how.no_specials, out);
    return SONDE_OK;
}

sonde_status sonde_tokenize(const sonde_model *m, const char *text, size_t len, sonde_token_options o,
                            sonde_tokens *out, sonde_error *err) {
    *out = (sonde_tokens){ 0 };
    SONDE_TRY(need_tokenizer(m, err));
    arena *scratch = arena_new();
    const sonde_status s = tokenize(m, (bytes){ text, len }, o, scratch, out, err);
    arena_free(scratch);
    return s;
}

void sonde_tokens_free(sonde_tokens *t) {
    free(t->id);
    free(t->start);
    free(t->end);
    *t = (sonde_tokens){ 0 };
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

static sonde_status single(const sonde_model *m, bytes text, arena *scratch, int32_t *out, sonde_error *err) {
    token_span *span;
    size_t n;
    const tokenizer_options how = { .no_specials = true };
    SONDE_TRY(tokenizer_encode(m->tokenizer, text.data, text.len, how, scratch, &span, &n, err));
    SONDE_TRY(check_ids(m, span, n, err));
    if (n == 1) {
        *out = span[0].id;
        return SONDE_OK;
    }
    const char *pieces = "";
    for (size_t i = 0; i < n && i < MOST_SHOWN; i++)
        pieces = arena_printf(scratch, "%s%s\"%s\"", pieces, i ? " " : ": ", token_shown(m, span[i].id).text);
    return sonde_fail(err, SONDE_USAGE, "\"%s\" is %zu tokens%s%s, expected exactly one",
                      text_shown(text.data, text.len).text, n, pieces, n > MOST_SHOWN ? " .." : "");
}

sonde_status sonde_token_single(const sonde_model *m, const char *text, size_t len, int32_t *out, sonde_error *err) {
    SONDE_TRY(need_tokenizer(m, err));
    arena *scratch = arena_new();
    const sonde_status s = single(m, (bytes){ text, len }, scratch, out, err);
    arena_free(scratch);
    return s;
}

static sonde_status decode(const sonde_model *m, const int32_t *ids, size_t n, arena *scratch, bytes *out,
                           sonde_error *err) {
    for (size_t i = 0; i < n; i++)
        SONDE_FAIL_IF(!in_vocabulary(m, ids[i]), err, SONDE_USAGE,
                      "token %" PRId32 ": expected an id from 0 to %" PRId64, ids[i], m->config.vocab - 1);
    char *text;
    SONDE_TRY(tokenizer_decode(m->tokenizer, ids, n, false, scratch, &text, &out->len, err));
    char *copy = malloc(out->len + 1);
    if (!copy) abort();
    if (out->len) memcpy(copy, text, out->len);
    copy[out->len] = 0;
    out->data = copy;
    return SONDE_OK;
}

sonde_status sonde_detokenize(const sonde_model *m, const int32_t *ids, int64_t n, char **out, size_t *len,
                              sonde_error *err) {
    *out = NULL;
    *len = 0;
    SONDE_TRY(need_tokenizer(m, err));
    arena *scratch = arena_new();
    bytes text = { 0 };
    const sonde_status s = decode(m, ids, (size_t)n, scratch, &text, err);
    arena_free(scratch);
    *out = (char *)(uintptr_t)text.data;
    *len = text.len;
    return s;
}

void sonde_text_free(char *text) { free(text); }
