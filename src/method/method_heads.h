/* method_heads.h - what the files of method_heads share. */
#ifndef SONDE_METHOD_HEADS_H
#define SONDE_METHOD_HEADS_H
#include "documents.h"
#include "head_scores.h"
#include "subjoiner.h"

/* What is counted of each head over documents: SCORES of head_scores.h, then these, then the attention to offsets 1..K. */
enum { HEADS_MASS = SCORES, HEADS_MASS_NO_BOS, HEADS_FIGURES };

enum { HEADS_HAS_OFFSETS = HEADS_FIGURES, HEADS_HAS_RANDOM, HEADS_HAS_SUBJOINER, HEADS_METRICS };

typedef struct { double mean, squares; int64_t n; } spread;     /* of numbers, one a document (Welford, 1962) */

typedef struct {
    sonde_context cx;                   /* its prompt is its document, if it has none */
    pattern_heads heads;
    repeated_ids  random;
    size_t        n;                    /* layers * heads that are looked at */
    size_t        per;                  /* HEADS_FIGURES + offsets */
    int64_t       offsets;
    int64_t       from;                 /* 1: position 0 is no key */
    int64_t       permutations;
    joiner_limits words;
    bool          has[HEADS_METRICS];
    ratio        *head;                 /* [n, per] */
    ratio        *layer;                /* [layers, per] sums over the layer's heads */
    spread       *pooled;               /* [layers] mean over heads, offsets and positions, of each document */
    score        *induction;            /* [n] on random ids */
    joiner_all    joiner;
} heads_work;

sonde_status heads_put(const heads_work *w, sonde_result *out, sonde_error *err);
#endif
