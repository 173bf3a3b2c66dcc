/* llama2.c's tokenizer.bin: u32 bytes of the longest piece, then for each f32 score, u32 length, text; U+2581 is written as
 * a space. Piece 0 is the unknown one, 1 and 2 begin and end a text, 3..258 are the bytes. */
#include "load.h"
#include "base/text.h"

enum { FIRST_BYTE = 3, LEAST = FIRST_BYTE + 256 };

typedef struct { const char *at, *end; } reader;

static bool take_u32(reader *r, void *out) {
    if (r->end - r->at < 4) return false;
    memcpy(out, r->at, 4);
    r->at += 4;
    return true;
}

/* One record; false: the file ends in it. */
static bool take_record(reader *r, float *score, text_bytes *text) {
    uint32_t len;
    if (!take_u32(r, score) || !take_u32(r, &len) || len > (size_t)(r->end - r->at)) return false;
    *text = (text_bytes){ r->at, len };
    r->at += len;
    return true;
}

static sonde_status count(const text_file *f, int64_t wanted, size_t *n, sonde_error *err) {
    reader r = { f->data, f->data + f->size };
    uint32_t longest, seen = 0;
    SONDE_FAIL_IF(!take_u32(&r, &longest), err, SONDE_FORMAT, "%zu bytes, expected a tokenizer.bin", f->size);
    for (*n = 0; r.at < r.end; ++*n) {
        float score;
        text_bytes text;
        const size_t at = (size_t)(r.at - f->data);
        SONDE_FAIL_IF(!take_record(&r, &score, &text), err, SONDE_FORMAT, "record %zu at offset %zu: the file ends in it",
                      *n, at);
        if (text.len > seen) seen = (uint32_t)text.len;
    }
    SONDE_FAIL_IF(wanted >= 0 && (uint64_t)wanted != *n, err, SONDE_FORMAT, "%zu records, expected %lld", *n,
                  (long long)wanted);
    SONDE_FAIL_IF(*n < LEAST || *n > VOCAB_MOST, err, SONDE_FORMAT, "%zu records, expected %d to %d", *n, LEAST, VOCAB_MOST);
    SONDE_FAIL_IF(seen > longest, err, SONDE_FORMAT, "a record of %u bytes, expected at most %u as the file begins", seen,
                  longest);
    return SONDE_OK;
}

/* The text with its spaces as U+2581. */
static text_bytes escape(arena *into, text_bytes text) {
    size_t n = 0;
    char *out = arena_alloc(into, 3 * text.len + 1);
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == ' ') {
            memcpy(out + n, "\xe2\x96\x81", 3);
            n += 3;
        } else {
            out[n++] = text.at[i];
        }
    }
    return (text_bytes){ out, n };
}

static int32_t type_of(size_t i) {
    if (i == 0) return PIECE_UNKNOWN;
    if (i < FIRST_BYTE) return PIECE_CONTROL;
    return i < LEAST ? PIECE_BYTE : PIECE_NORMAL;
}

static sonde_status fill(loader *l, const text_file *f, int64_t n_tokens) {
    size_t n;
    SONDE_TRY(count(f, n_tokens, &n, l->err));
    reader r = { f->data + 4, f->data + f->size };
    text_bytes *text = arena_new_array(l->scratch, text_bytes, n);
    float *score = arena_new_array(l->scratch, float, n);
    int32_t *type = arena_new_array(l->scratch, int32_t, n);
    for (size_t i = 0; i < n; i++) {
        take_record(&r, &score[i], &text[i]);
        type[i] = type_of(i);
        if (type[i] == PIECE_NORMAL && text[i].len && memchr(text[i].at, ' ', text[i].len))
            text[i] = escape(l->scratch, text[i]);
        SONDE_FAIL_IF(type[i] == PIECE_BYTE && vocab_byte_piece(text[i].at, text[i].len) != (int)i - FIRST_BYTE, l->err,
                      SONDE_FORMAT, "record %zu is \"%s\", expected the byte <0x%02X>", i,
                      text_shown(text[i].at, text[i].len).text, (unsigned)(i - FIRST_BYTE));
    }
    const vocab_pieces p = { .n = n, .text = text, .score = score, .type = type, .unknown = 0 };
    const spm_parts s = { .pieces = &p, .bytes = true, .control = true,
                          .normal = { .kind = NORMAL_SENTENCEPIECE, .prefix = true, .escape = true } };
    SONDE_TRY(load_spm(l, &s));
    SONDE_TRY(load_added_close(l));
    l->t->bos = 1;
    l->t->eos = 2;
    load_around(l, 1, -1, PAIRS_NONE);
    return SONDE_OK;
}

sonde_status load_bin(loader *l, const text_file *f, int64_t n_tokens) {
    const sonde_status s = fill(l, f, n_tokens);
    return s == SONDE_OK ? s : sonde_fail_at(l->err, s, "%s", f->name ? f->name : "tokenizer.bin");
}

typedef struct { const text_file *f; int64_t n; } bin;

static sonde_status fill_bin(loader *l, const void *from) {
    const bin *b = from;
    return load_bin(l, b->f, b->n);
}

sonde_status tokenizer_of_bin(tokenizer **out, const text_file *f, int64_t n_tokens, sonde_error *err) {
    const bin b = { f, n_tokens };
    return load_tokenizer(out, fill_bin, &b, err);
}
