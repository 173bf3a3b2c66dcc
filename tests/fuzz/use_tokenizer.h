/* use_tokenizer.h - what every target does with a tokenizer: beside not crashing, spans lie in the text, what every id
 * stands for can be asked, and ids can be written back. */
#ifndef SONDE_FUZZ_USE_TOKENIZER_H
#define SONDE_FUZZ_USE_TOKENIZER_H
#include "target.h"
#include "text/tokenizer.h"
#include <string.h>

enum { LONGEST_TEXT = 512 };            /* a pattern may take its full share of steps at each place */

static inline void check_encoding(const tokenizer *t, text_bytes text, tokenizer_options o, arena *a) {
    token_list list;
    sonde_error err = { 0 };
    if (tokenizer_encode(t, text, o, a, &list, &err) != SONDE_OK) {
        PROMISE(err.message[0] != '\0');
        return;
    }
    int32_t *ids = arena_new_array(a, int32_t, list.n + 1);
    for (size_t i = 0; i < list.n; i++) {
        const char *bytes;
        size_t len;
        PROMISE(list.at[i].start >= 0 && list.at[i].start <= list.at[i].end && list.at[i].end <= (int64_t)text.len);
        PROMISE(list.at[i].id < tokenizer_size(t) && tokenizer_bytes(t, list.at[i].id, &bytes, &len));
        ids[i] = list.at[i].id;
    }
    text_bytes back;
    PROMISE(tokenizer_decode(t, (id_list){ ids, list.n }, false, a, &back, &err) == SONDE_OK);
    if (back.len) (void)tokenizer_find(t, back.at, back.len);
}

/* A copy of at most LONGEST_TEXT bytes in a block of its own, so that reading past it is seen. */
static inline void use_tokenizer(const tokenizer *t, const uint8_t *bytes, size_t n) {
    const size_t len = n < LONGEST_TEXT ? n : LONGEST_TEXT;
    char *text = malloc(len + 1);
    arena *a = arena_new();
    PROMISE(text);
    if (len) memcpy(text, bytes, len);
    check_encoding(t, (text_bytes){ text, len }, (tokenizer_options){ .merges = true }, a);
    check_encoding(t, (text_bytes){ text, len }, (tokenizer_options){ .plain = true, .no_specials = true }, a);
    const text_bytes half = { text, len / 2 };
    check_encoding(t, (text_bytes){ text, len }, (tokenizer_options){ .pair = &half }, a);      /* spans of both are within the first */
    arena_free(a);
    free(text);
}

static inline void check_refusal(sonde_status s, const tokenizer *t, const sonde_error *err) {
    PROMISE(!t && (s == SONDE_FORMAT || s == SONDE_UNSUPPORTED));
    PROMISE(err->message[0] && !strchr(err->message, '\n') && !strchr(err->message, 27));
}

/* Ends what tokenizer_new and its like began. */
static inline void use_or_refuse(sonde_status s, tokenizer *t, const sonde_error *err, text_bytes text) {
    if (s != SONDE_OK) {
        check_refusal(s, t, err);
        return;
    }
    use_tokenizer(t, (const uint8_t *)text.at, text.len);
    tokenizer_free(t);
}
#endif
