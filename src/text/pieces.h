/* pieces.h - a vocabulary as containers of weights and small binary files hold it: texts with scores and types.
 *
 * GGUF's tokenizer.ggml.* keys and llama2.c's tokenizer.bin both come to this; SentencePiece's file does inside src/text.
 * Everything is lent for the time of the call. */
#ifndef SONDE_PIECES_H
#define SONDE_PIECES_H
#include "tokenizer.h"

/* GGUF's and SentencePiece's numbers. */
typedef enum {
    PIECE_NORMAL = 1, PIECE_UNKNOWN = 2, PIECE_CONTROL = 3, PIECE_USER_DEFINED = 4, PIECE_UNUSED = 5, PIECE_BYTE = 6,
} piece_type;

typedef struct {
    const char       *name;             /* of the file, for messages */
    const char       *model;            /* "gpt2" byte-level BPE, "llama" SentencePiece BPE, "bert", "t5" Unigram */
    const char       *pre;              /* GGUF's word for the pre-tokenizer; NULL: not said */
    const char       *family;           /* GGUF's general.architecture, for files that do not say `pre`; may be NULL */
    size_t            n;
    const text_bytes *text;             /* [n] */
    const float      *score;            /* [n], or NULL */
    const int32_t    *type;             /* [n], or NULL: all normal */
    const text_bytes *merge;            /* [n_merges], "left right" */
    size_t            n_merges;
    const uint8_t    *charsmap;         /* SentencePiece's precompiled_charsmap, or NULL */
    size_t            charsmap_len;
    int32_t           bos, eos, unknown, separator, padding, cls, mask;     /* -1: not said */
    int               add_bos, add_eos, add_space_prefix, remove_extra_whitespaces;     /* -1: not said */
    text_bytes        tokenizer_json;   /* a whole tokenizer.json that the container holds; len 0: none */
} vocab_pieces;

/* Row i of the words for pre-tokenizers; false past the last. patterns: steps that cut. */
typedef struct { const char *name; int patterns; bool nfc, whole_words, adds_bos; } pre_shown;
bool         tokenizer_pre_at(size_t i, pre_shown *out);

/* FORMAT: an id outside the list, a byte piece that is none, a merge of texts that are no pieces, a bad charsmap;
 * UNSUPPORTED names a model or pre-tokenizer that is not known. */
sonde_status tokenizer_of_pieces(tokenizer **out, const vocab_pieces *p, sonde_error *err);

/* The other way: texts and lists lie in the tokenizer and the arena; padding and mask are not said. UNSUPPORTED for what
 * GGUF has no word for: a pre-tokenizer that is not in its table, BPE over characters and Unigram of a tokenizer.json. */
sonde_status tokenizer_to_pieces(const tokenizer *t, arena *into, vocab_pieces *out, sonde_error *err);
#endif
