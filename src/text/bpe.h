/* bpe.h - byte pair encoding of one piece of text (Sennrich et al. 2016), over bytes.
 *
 * The pair of neighbours with the lowest rank is merged first, among equals the leftmost; O(n log n) in the length
 * of the piece. Read-only once made; the working memory belongs to the caller. */
#ifndef SONDE_BPE_H
#define SONDE_BPE_H
#include "known.h"
#include "vocab.h"

typedef struct { const char *a, *b; size_t a_len, b_len; } merge_text;     /* as the vocabulary spells them */

typedef struct {
    bool    ignore_merges;          /* a piece that is a token is not merged */
    bool    by_token;               /* the rank of a merge is the id of what it makes, as in tiktoken */
    bool    fuse_unknown;           /* neighbouring bytes without a token are one unknown */
    int32_t unknown;                /* for a byte without a token; -1: it is left out, as `tokenizers` does */
} bpe_options;

typedef struct bpe bpe;

/* Rank: the place in `merges`. The vocabulary is lent and must outlive it. */
sonde_status bpe_new(bpe **out, const vocab *v, const merge_text *merges, size_t n, bpe_options o, sonde_error *err);
/* The rules, in no order: `n` of them where `out` is NULL, else into `out`. */
typedef struct { int32_t left, right, made; uint32_t rank; } bpe_rule;
size_t       bpe_rules(const bpe *m, bpe_rule *out);
void         bpe_free(bpe *m);                                              /* accepts NULL */

typedef struct { int32_t id; uint32_t start, len, prev, next; } bpe_symbol;
typedef struct bpe_merge bpe_merge;
typedef struct { int32_t left, right, made; uint32_t rank; } bpe_step;

/* Zeroed but for `memory`; used again for piece after piece. */
typedef struct {
    arena      *memory;
    bpe_symbol *symbols;
    bpe_merge  *heap;
    bpe_step   *steps;              /* of the last piece, in the order made, where `watch` asks for them */
    size_t      symbols_cap, heap_cap, steps_cap, n_steps;
    bool        watch;
    known_words known;              /* of this text; belongs to the caller */
    const char *end;                /* of the text: what may be read behind a piece */
} bpe_work;

/* The first *n of work->symbols are the tokens: id, and bytes [start, start + len) of the piece. n_bytes < 2^31. */
void         bpe_encode(const bpe *m, const char *bytes, size_t n_bytes, bpe_work *work, size_t *n);
#endif
