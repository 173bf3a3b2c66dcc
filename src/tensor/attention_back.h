/* attention_back.h - what keys and values have in common on the way back. */
#ifndef SONDE_ATTENTION_BACK_H
#define SONDE_ATTENTION_BACK_H
#include "op.h"

typedef struct {
    const float *rows;              /* [T, H, e] */
    int64_t      T, H, G, e, S;
    sight        sight;
    float        scale;
    float       *out;               /* [S, G, e] */
    /* weights[s - keys.lo, t] of the rows t that see key s of `keys`, for head h; the others may be anything.
     * `room` has T floats more than weights. */
    void       (*weigh)(const void *ctx, int64_t h, span keys, float *weights, float *room);
    const void  *ctx;
} rows_back;

int64_t back_units(const rows_back *b);
/* out[s,g,:] = sum over the heads h of g of scale * sum over the rows t that see key s of weights[s,t] rows[t,h,:], t in
 * partial sum t mod 16. A unit is a block of keys of one head of theirs. */
void    back_through_rows(const rows_back *b, span units);
#endif
