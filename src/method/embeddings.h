/* embeddings.h - the two halves of the method embeddings: what a table of vectors is like, which lie near one. */
#ifndef SONDE_EMBEDDINGS_H
#define SONDE_EMBEDDINGS_H
#include "vectors.h"

typedef struct {
    const char *near, *analogy;         /* one of them; the other is NULL */
    const char *by;                     /* cosine, euclid, dot */
    long        top;
} near_query;

/* Table `neighbours`. */
sonde_status embeddings_near(const vectors *v, const near_query *q, sonde_result *out, sonde_error *err);

/* Columns of the vector with this number: token (where vectors are tokens, with its id beside it) or position; its cells. */
void embeddings_column(const vectors *v, sonde_table *t);
void embeddings_cell(const vectors *v, sonde_table *t, int64_t i);
#endif
