/* attention_back.h - what keys and values have in common on the way back. */
#ifndef SONDE_ATTENTION_BACK_H
#define SONDE_ATTENTION_BACK_H
#include "op.h"

typedef struct {
    const float *weights;           /* [H, T, S] */
    const float *rows;              /* [T, H, e] */
    int64_t      T, H, e, S;
    sight        sight;
} rows_back;

/* out[:] = sum over heads of `scale` * sum over the rows t that see key s, ascending, of weights[h,t,s] rows[t,h,:] */
void back_through_rows(const rows_back *b, int64_t s, span heads, float scale, float *out);
#endif
