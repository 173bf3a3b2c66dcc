/* A file alone, known by its content: SentencePiece's, tiktoken's, vocab.txt, tokenizer.bin or tokenizer.json. The first byte
 * says how much of the end is text to encode besides. What could be read is written as tokenizer.json, which must be read
 * again, and as GGUF's pieces, which must be read again too. */
#include "text/pieces.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool fine) {
    if (!fine) abort();
}

static void use(const tokenizer *t, const char *text, size_t len, arena *a) {
    token_list list;
    sonde_error err = { 0 };
    const tokenizer_options o = { .merges = true };
    if (tokenizer_encode(t, (text_bytes){ text, len }, o, a, &list, &err) != SONDE_OK) {
        check(err.message[0] != '\0');
        return;
    }
    int32_t *ids = arena_new_array(a, int32_t, list.n + 1);
    for (size_t i = 0; i < list.n; i++) {
        check(list.at[i].start >= 0 && list.at[i].start <= list.at[i].end && list.at[i].end <= (int64_t)len);
        check(list.at[i].id >= 0 && list.at[i].id < tokenizer_size(t));
        ids[i] = list.at[i].id;
    }
    text_bytes back;
    if (tokenizer_decode(t, (id_list){ ids, list.n }, false, a, &back, &err) == SONDE_OK && back.len)
        (void)tokenizer_find(t, back.at, back.len);
}

static void write_again(const tokenizer *t, arena *a) {
    text_bytes out;
    vocab_pieces p;
    tokenizer *again;
    sonde_error err = { 0 };
    if (tokenizer_write_json(t, a, &out, &err) == SONDE_OK) {
        const text_file f = { out.at, out.len, "written" };
        if (tokenizer_of_file(&again, &f, &err) == SONDE_OK) tokenizer_free(again);
    }
    if (tokenizer_to_pieces(t, a, &p, &err) == SONDE_OK && tokenizer_of_pieces(&again, &p, &err) == SONDE_OK)
        tokenizer_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    const size_t all = size - 1, most = data[0] % 64u, len = most < all ? most : all;
    char *file = malloc(all - len + 1), *text = malloc(len + 1);    /* blocks of their own, so that reading past is seen */
    check(file && text);
    memcpy(file, data + 1, all - len);
    memcpy(text, data + 1 + all - len, len);
    const text_file f = { file, all - len, NULL };
    tokenizer *t;
    sonde_error err = { 0 };
    if (tokenizer_of_file(&t, &f, &err) == SONDE_OK) {
        arena *a = arena_new();
        use(t, text, len, a);
        use(t, "a b, The 1\xc3\xa9", 12, a);
        write_again(t, a);
        arena_free(a);
        tokenizer_free(t);
    } else {
        check(err.message[0] != '\0');
    }
    free(file);
    free(text);
    return 0;
}
