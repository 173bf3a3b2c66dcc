/* subjoiner.h - do heads gather words of several tokens at the word's last token? (Lad, Lee, Gurnee and Tegmark, 2024, sub-joiner
 * heads; the score is sonde's own, their notebook picks a head by eye.)
 *
 * A word is a token of a space and ASCII letters (or of letters alone, where a document begins) and all tokens of letters
 * alone behind it. Of a word that ends at e, the attention of e to the places 1, 2, .. before it is kept, for each head. */
#ifndef SONDE_SUBJOINER_H
#define SONDE_SUBJOINER_H
#include "documents.h"
#include "head_scores.h"

typedef struct {
    int64_t pieces;                     /* longer words are passed over */
    int64_t singles;                    /* words of one token that a document gives, evenly spread over it */
    int64_t from;                       /* as in head_row */
} joiner_limits;

/* reach: places before its end that are keys, at most the limit's pieces - 1 */
typedef struct { int64_t pieces, end, reach; } joiner_word;

/* Of one document: its words, and what n_heads heads do at their ends. */
typedef struct {
    joiner_limits limits;
    size_t        n_heads;
    joiner_word  *word; size_t n;
    int64_t      *ends;                 /* [tokens]: the word that ends here, -1 */
    double       *value;                /* [n, n_heads, pieces - 1] */
    double       *decreasing, *mass;    /* [n_heads] sums over words of several tokens */
} joiner_text;

void joiner_text_open(joiner_text *t, const sonde_context *cx, sonde_prompt p, joiner_limits limits, size_t n_heads);
void joiner_text_row(joiner_text *t, size_t head, const head_row *r);
void joiner_text_numbers(const joiner_text *t, numbers *out);
void joiner_text_close(joiner_text *t);

/* Of all documents. */
typedef struct {
    joiner_limits limits;
    size_t        n_heads, n, n_multi;
    joiner_word  *word;
    float        *value;                /* [n, n_heads, pieces - 1] */
    double       *decreasing, *mass;    /* [n_heads] */
} joiner_all;

typedef struct {
    double score, attention, single;    /* score = attention - single; NaN: nothing to compare */
    double p, z;                        /* of the permutations */
} joiner_score;

void         joiner_all_open(joiner_all *a, joiner_limits limits, size_t n_heads);
/* FORMAT: these are not the numbers of a document. */
sonde_status joiner_all_add(joiner_all *a, const double *x, size_t n, sonde_error *err);
/* out [n_heads]; lengths of words are dealt out anew `times` times, drawn by cx's seed. */
sonde_status joiner_all_scores(const joiner_all *a, const sonde_context *cx, int64_t times, joiner_score *out, sonde_error *err);
void         joiner_all_close(joiner_all *a);
#endif
