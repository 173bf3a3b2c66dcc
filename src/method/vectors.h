/* vectors.h - the tables of vectors that a model keeps: of its tokens, its positions, its unembedding. They are read in
 * blocks of rows, so that none of them has to lie in memory whole. */
#ifndef SONDE_VECTORS_H
#define SONDE_VECTORS_H
#include "method.h"

typedef enum { VECTORS_EMBED, VECTORS_POS, VECTORS_UNEMBED } vectors_kind;

typedef struct {
    const sonde_context *cx;
    vectors_kind kind;
    const char  *name;              /* the weight's */
    int64_t      n, d;              /* vectors, numbers of each */
    int64_t      known;             /* vectors from here on belong to no token of the tokenizer; n where it has none */
    size_t       weight; int axis;
} vectors;

/* `of`: "embed", "pos", "unembed"; UNSUPPORTED where the model has no such table. */
sonde_status vectors_open(vectors *v, const sonde_context *cx, const char *of, sonde_error *err);

/* Vectors [first, first + n) in order, in blocks; x: [rows, d], lent until the function returns. */
typedef sonde_status (*vectors_fn)(void *user, int64_t first, int64_t rows, const float *x, sonde_error *err);
typedef struct {
    int64_t     first, n;
    const char *what;               /* of the progress; NULL: says nothing */
    vectors_fn  fn;
    void       *user;
} vectors_walk;
sonde_status vectors_each(const vectors *v, const vectors_walk *w, sonde_error *err);

/* The index that stands at *at, which moves behind it: a JSON string or #ID (positions: N or #N), else the letters up to a
 * blank, or up to the end where `whole`. A text has to be one token. */
sonde_status vectors_index(const vectors *v, const char **at, bool whole, int64_t *out, sonde_error *err);
/* How a person names vector i: its token. Positions have none. */
bool         vectors_are_tokens(const vectors *v);
#endif
