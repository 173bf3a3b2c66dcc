/* tokenizer.h - text to token ids and back, exactly as the official library of each kind does it: `tokenizers` for
 * tokenizer.json, vocab.json + merges.txt and vocab.txt, SentencePiece for its own file, tiktoken for its text.
 *
 * Read-only after it is made: any number of threads may encode and decode with one (working memory is per call). Text is
 * bytes: what is not UTF-8 is taken by byte-level tokenizers (each bad byte is a piece of its own) and refused by others
 * (USAGE, with the offset).
 *
 * Known differences: what is a letter or digit for a pattern of a file is Unicode 14's (PCRE2 10.42), so characters assigned
 * later may be cut elsewhere. Spans are exact: the library gives a whole character to each token that has a byte of it, and
 * cuts spaces off where the file says trim_offsets. In byte-level BPE added tokens decode to their own text, where the
 * library reads it in the byte alphabet; bytes that are no UTF-8 together decode to themselves, not to U+FFFD; an unknown
 * piece of SentencePiece to its own text, not to U+2047. Control pieces of SentencePiece are special tokens of the text,
 * unless it is plain. Truncation and padding stored in a file are not applied. */
#ifndef SONDE_TOKENIZER_H
#define SONDE_TOKENIZER_H
#include "sonde/error.h"
#include "base/arena.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tokenizer tokenizer;

typedef struct { const char *at; size_t len; } text_bytes;
/* Bytes [start, end) of text 0, or of text 1, which is its pair; text -1: the post-processor put it there. `type` is what
 * the template says of it: the token types of BERT. */
typedef struct { int32_t id; int16_t text, type; int64_t start, end; } token_span;
/* What the pre-tokenizer cuts out, an added token, or a byte that is not UTF-8: tokens [first, first + n) of the list. */
typedef struct { int64_t start, end; size_t first, n; bool added; } token_word;
typedef struct { size_t word; int32_t left, right, made; uint32_t rank; } token_merge;     /* two ids become one, in order */
typedef struct {
    const token_span  *at;    size_t n;
    const token_word  *words; size_t n_words;           /* what the post-processor adds is in none */
    const token_merge *merges; size_t n_merges;         /* where the options ask for them and the model merges */
} token_list;
typedef struct { const int32_t *at; size_t n; } id_list;

typedef struct { const char *data; size_t size; const char *name; } text_file;  /* name: for messages */

typedef struct {
    text_file json;             /* tokenizer.json; size 0: there is none */
    text_file vocab, merges;    /* vocab.json and merges.txt, used when json has size 0 */
    text_file config;           /* tokenizer_config.json, may be absent */
    text_file model;            /* tokenizer.model, spiece.model: SentencePiece's file, or tiktoken's text */
    text_file vocab_txt;        /* BERT's vocab.txt */
    text_file bin;              /* llama2.c's tokenizer.bin */
    text_file special, added;   /* special_tokens_map.json and added_tokens.json, beside those that are no tokenizer.json */
} tokenizer_files;              /* the first that is there of: json, model, vocab and merges, vocab_txt, bin */

/* FORMAT for what breaks the format, UNSUPPORTED (naming it) for a component that is not known. Nothing of `files` is
 * kept. A tokenizer.json is followed as it stands; beside it `config` only names bos and eos (else they are what the
 * post-processor puts at the ends). Beside the others it names special tokens and the class. Beside vocab.json and
 * merges.txt <|endoftext|> is special, bos and eos. SentencePiece's space in front stands before the text alone, or where
 * `config` says "legacy": true before each stretch between special tokens; bos is put in front of its BPE texts, bos and eos
 * around its Unigram texts where the file has them, if `config` does not say otherwise. */
sonde_status tokenizer_new(tokenizer **out, const tokenizer_files *files, sonde_error *err);
/* One file alone, known by its content: tokenizer.json, SentencePiece's file, tiktoken's text, vocab.txt, tokenizer.bin. */
sonde_status tokenizer_of_file(tokenizer **out, const text_file *f, sonde_error *err);
bool         tokenizer_file_known(const text_file *f);                  /* does it look like one of them? */
/* llama2.c's tokenizer.bin of `n_tokens` records; -1: as many as there are. */
sonde_status tokenizer_of_bin(tokenizer **out, const text_file *f, int64_t n_tokens, sonde_error *err);
/* A tokenizer.json that `tokenizers` loads and that gives the same ids, in the arena. UNSUPPORTED for a model that was read
 * from a tokenizer.json itself and is neither byte-level BPE, WordPiece nor Unigram. Known differences of what is written:
 * merges of SentencePiece and tiktoken go to the left among equals, the library's by the order of the list; its charsmap
 * takes whole grapheme clusters, and Unigram finds control pieces in plain text; where each stretch of text has a prefix
 * (GGUF), a user defined piece behind a special token has none. */
sonde_status tokenizer_write_json(const tokenizer *t, arena *into, text_bytes *out, sonde_error *err);
void         tokenizer_free(tokenizer *t);                              /* accepts NULL */

const char  *tokenizer_warning(const tokenizer *t);                     /* a key that stood twice in its files, or NULL */

/* How pieces of text become tokens. */
typedef enum {
    TOKENIZER_BYTE_BPE, TOKENIZER_BPE, TOKENIZER_SCORES, TOKENIZER_UNIGRAM, TOKENIZER_WORDPIECE, TOKENIZER_WORDS,
    TOKENIZER_KINDS
} tokenizer_kind;
typedef struct { const char *name, *doc; } tokenizer_kind_row;
extern const tokenizer_kind_row tokenizer_kind_table[TOKENIZER_KINDS];
tokenizer_kind tokenizer_kind_of(const tokenizer *t);

int64_t      tokenizer_size(const tokenizer *t);                        /* 1 + the largest id */
/* Raw bytes of a token (byte-level decoded, U+2581 a space, <0xNN> that byte; added tokens and WordPiece's: their text).
 * False for an id that has no token. */
bool         tokenizer_bytes(const tokenizer *t, int32_t id, const char **bytes, size_t *len);
bool         tokenizer_special(const tokenizer *t, int32_t id);         /* an added token marked special */
/* Id of the token whose text (as in the vocabulary for added tokens, else raw bytes) is exactly this; -1: none. */
int32_t      tokenizer_find(const tokenizer *t, const char *bytes, size_t len);
int32_t      tokenizer_bos(const tokenizer *t);                         /* -1: none named by the files */
int32_t      tokenizer_eos(const tokenizer *t);

/* Step i of the pre-tokenizer: its pattern as the file has it, "" for a space in front of each piece; NULL past the last. */
const char  *tokenizer_stage(const tokenizer *t, size_t i);

typedef struct {
    bool plain;                 /* texts of special tokens are ordinary text */
    bool no_specials;           /* do not run the post-processor (add_special_tokens=False) */
    bool merges;                /* list them */
    const text_bytes *pair;     /* a second text, put beside the first as the template for pairs says; NULL: none */
} tokenizer_options;

bool         tokenizer_takes_pairs(const tokenizer *t);      /* is there a template for pairs? */

/* UNSUPPORTED for a pair without a template for it. Spans in the arena. They tile the text: what the post-processor adds, and a space that is put in front, is empty;
 * where the normaliser changes characters the first token of them has all their bytes. (Not tiled: where a byte has no
 * token, as white space that a pre-tokenizer or SentencePiece drops, and where an added token begins in the white space
 * that one before it took in.) Worst case O(n log n) in the
 * length of the text, but for a pattern of the file that backtracks. */
sonde_status tokenizer_encode(const tokenizer *t, text_bytes text, tokenizer_options o, arena *into, token_list *out,
                              sonde_error *err);
/* The bytes of the ids, in the arena, by the file's decoder; special tokens are kept unless `skip_special`. An id that
 * has no token gives nothing, as in the library. */
sonde_status tokenizer_decode(const tokenizer *t, id_list ids, bool skip_special, arena *into, text_bytes *out,
                              sonde_error *err);
#endif
