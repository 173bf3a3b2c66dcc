/* A tokenizer.json up to the first byte 0, then the text to encode. A byte 0 at the begin: the older layout, that is
 * vocab.json, merges.txt, tokenizer_config.json and the text, each ended by a byte 0. Beside not crashing: spans lie in
 * the text, and what every id stands for can be asked. */
#include "text/tokenizer.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LONGEST_TEXT = 512 };            /* a pattern may take its full share of steps at each place */

/* What lies before the next byte 0. */
static text_file next(const uint8_t **at, const uint8_t *end) {
    const uint8_t *begin = *at, *stop = begin == end ? NULL : memchr(begin, 0, (size_t)(end - begin));
    *at = stop ? stop + 1 : end;
    return (text_file){ (const char *)begin, (size_t)((stop ? stop : end) - begin), NULL };
}

static void check(bool fine) {
    if (!fine) abort();
}

static void use(const tokenizer *t, const char *text, size_t len, tokenizer_options o, arena *a) {
    token_list list;
    sonde_error err = { 0 };
    if (tokenizer_encode(t, (text_bytes){ text, len }, o, a, &list, &err) != SONDE_OK) {
        check(err.message[0] != '\0');
        return;
    }
    int32_t *ids = arena_new_array(a, int32_t, list.n + 1);
    for (size_t i = 0; i < list.n; i++) {
        const char *bytes;
        size_t bytes_len;
        check(list.at[i].start >= 0 && list.at[i].start <= list.at[i].end && list.at[i].end <= (int64_t)len);
        check(list.at[i].id < tokenizer_size(t) && tokenizer_bytes(t, list.at[i].id, &bytes, &bytes_len));
        ids[i] = list.at[i].id;
    }
    text_bytes back;
    if (tokenizer_decode(t, (id_list){ ids, list.n }, false, a, &back, &err) != SONDE_OK) check(err.message[0] != '\0');
    else if (back.len) (void)tokenizer_find(t, back.at, back.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint8_t *at = data, *end = data + size;
    tokenizer_files files = { .json = next(&at, end) };
    if (!files.json.size) {
        files.vocab = next(&at, end);
        files.merges = next(&at, end);
        files.merges.name = "merges.txt";
        files.config = next(&at, end);
    }
    const size_t left = (size_t)(end - at), len = left < LONGEST_TEXT ? left : LONGEST_TEXT;
    char *text = malloc(len + 1);       /* its own block, so that reading past it is seen */
    check(text != NULL);
    if (len) memcpy(text, at, len);
    tokenizer *t;
    sonde_error err = { 0 };
    if (tokenizer_new(&t, &files, &err) == SONDE_OK) {
        arena *a = arena_new();
        use(t, text, len, (tokenizer_options){ .plain = false }, a);
        use(t, text, len, (tokenizer_options){ .plain = true, .no_specials = true }, a);
        arena_free(a);
        tokenizer_free(t);
    } else {
        check(err.message[0] != '\0' && t == NULL);
    }
    free(text);
    return 0;
}
