/* A file alone, known by its content. */
#include "load.h"
#include "base/text.h"

/* Records of u32 length from byte 4 on, each behind four bytes of score, that end with the file. */
static bool is_bin(const text_file *f) {
    size_t at = 4, n = 0;
    for (uint32_t len; at < f->size; n++) {
        if (f->size - at < 8) return false;
        memcpy(&len, f->data + at + 4, sizeof len);
        if (len > f->size - at - 8) return false;
        at += 8 + (size_t)len;
    }
    return at == f->size && n > 256;
}

/* A field of a message, of kind bytes and with number 1. */
static bool is_sentencepiece(const text_file *f) { return f->size > 2 && f->data[0] == 0x0a && f->data[1] != 0x0a; }

/* Lines, one of them what BERT has for unknown words. */
static bool is_vocab_txt(const text_file *f) {
    static const char unknown[] = "[UNK]";
    if (f->size >= INT32_MAX || !utf8_valid(f->data, f->size, NULL)) return false;
    for (size_t at = 0; at < f->size; ) {
        const char *line = f->data + at, *stop = memchr(line, '\n', f->size - at);
        size_t n = stop ? (size_t)(stop - line) : f->size - at;
        at += n + 1;
        if (n && line[n - 1] == '\r') n--;
        if (n == sizeof unknown - 1 && memcmp(line, unknown, n) == 0) return true;
    }
    return false;
}

static bool is_json(const text_file *f) {
    size_t at = 0;
    while (at < f->size && strchr(" \t\r\n", f->data[at]) && f->data[at]) at++;
    return at < f->size && f->data[at] == '{';
}

/* *out: the file in its place; false where it is none that is known. */
static bool place(const text_file *f, tokenizer_files *out) {
    *out = (tokenizer_files){ 0 };
    if (is_json(f)) out->json = *f;
    else if (is_bin(f)) out->bin = *f;
    else if (is_sentencepiece(f) || load_is_tiktoken(f)) out->model = *f;
    else if (is_vocab_txt(f)) out->vocab_txt = *f;
    else return false;
    return true;
}

bool tokenizer_file_known(const text_file *f) {
    tokenizer_files files;
    return place(f, &files);
}

sonde_status tokenizer_of_file(tokenizer **out, const text_file *f, sonde_error *err) {
    tokenizer_files files;
    *out = NULL;
    SONDE_FAIL_IF(!place(f, &files), err, SONDE_FORMAT, "%s: no tokenizer that is known: no tokenizer.json, SentencePiece "
                  "model, tiktoken's text, vocab.txt nor tokenizer.bin", f->name ? f->name : "the file");
    return tokenizer_new(out, &files, err);
}
