/* model.h - what turns a piece of text into tokens, for every kind but byte-level BPE (bpe.h).
 *
 * Texts are UTF-8. A model lies in the arena it was made in, and lends the vocabulary; it is read-only once made. The
 * working memory belongs to the caller: zeroed but for `memory`, and used again for piece after piece. */
#ifndef SONDE_MODEL_H
#define SONDE_MODEL_H
#include "bpe.h"
#include "tokenizer.h"
#include "trie.h"

typedef struct { int32_t id; size_t start, len; } model_token;              /* bytes of the piece */

typedef struct merge_symbol merge_symbol;
typedef struct path_node path_node;

typedef struct {
    arena        *memory;
    model_token  *tokens;
    size_t        n, cap;
    bpe_step     *steps;            /* merges in the order made, where `watch` asks for them; an id may be -1 */
    size_t        n_steps, steps_cap;
    bool          watch;
    merge_symbol *symbols;
    uint64_t     *heap;             /* pairs of a key and an id */
    uint64_t     *halves;           /* of pieces that are split again at the end: number of the call, length of the left */
    uint64_t      calls;
    size_t        symbols_cap, heap_cap;
    path_node    *paths;
    size_t        paths_cap;
} model_work;

/* What a text without a token becomes. */
typedef struct {
    bool    bytes;                  /* the tokens of its bytes, where all have one */
    bool    fuse;                   /* else neighbours are one unknown */
    int32_t unknown;                /* -1: it is left out */
} rest_rule;

typedef struct text_model text_model;

/* BPE over characters as `tokenizers` does it: a pair of tokens has a rank. */
typedef struct {
    const merge_text *merges;
    size_t            n;
    rest_rule         rest;
    bool              ignore_merges;
    const char       *prefix, *suffix;      /* "" or spelled in front of what continues, behind what ends a word */
} pair_rules;
sonde_status model_of_pairs(const text_model **out, arena *into, const vocab *v, pair_rules r, sonde_error *err);

/* What a piece of SentencePiece is, for [0, n) ids. */
typedef struct {
    const double  *score;
    const uint8_t *type;                    /* piece_type */
    size_t         n;
    rest_rule      rest;
    const trie    *whole;                   /* user defined pieces: never cut or joined; may be NULL */
    bool           single;                  /* sums of scores are floats, as in SentencePiece; else doubles */
    double         lowest;                  /* Unigram: of the scores of normal pieces */
} score_rules;
/* BPE as SentencePiece does it: of two neighbours that are a piece together those with the highest score are joined. */
sonde_status model_of_scores(const text_model **out, arena *into, const vocab *v, score_rules r, sonde_error *err);
/* The path of the highest sum of scores. */
sonde_status model_of_paths(const text_model **out, arena *into, const vocab *v, score_rules r, sonde_error *err);

typedef struct {
    const char *prefix;                     /* of what continues a word, "##" */
    size_t      longest_word;               /* characters; longer ones are unknown */
    int32_t     unknown;
} wordpiece_rules;
sonde_status model_of_wordpieces(const text_model **out, arena *into, const vocab *v, wordpiece_rules r,
                                 sonde_error *err);
/* A piece is a token. */
const text_model *model_of_words(arena *into, const vocab *v, int32_t unknown);

/* The tokens of text[0, n) are work->tokens[0, work->n). USAGE: there is no token, not even an unknown one. */
sonde_status model_encode(const text_model *m, const char *text, size_t n, model_work *w, sonde_error *err);

/* Shared by the kinds. */
void model_emit(model_work *w, int32_t id, size_t start, size_t len);
/* text[start, start + len) has no token. */
void model_emit_rest(model_work *w, const vocab *v, const rest_rule *f, const char *text, model_token t);

struct text_model {
    sonde_status (*encode)(const text_model *m, const char *text, size_t n, model_work *w, sonde_error *err);
    const void *data;
    tokenizer_kind kind;
};
#endif
