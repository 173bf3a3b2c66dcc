/* product_rows.h - the matrix product as operations call it: scratch found, tiles of outputs as units. */
#ifndef SONDE_PRODUCT_ROWS_H
#define SONDE_PRODUCT_ROWS_H
#include "op.h"

enum { PRODUCT_TILE = 32 };         /* outputs of a unit: the width of the register tile */

typedef struct { const float *x; int64_t ldx, rows; float *y; int64_t ldy; } product_rows;

/* y[r, j] = sum_k x[r, k] w(j, k) + bias[j] for outputs [lo, hi) */
void    product_run(const kern_weight *w, const float *bias, product_rows p, int64_t lo, int64_t hi);
/* The same for all outputs, on at most `threads` threads of the process's pool; what is packed of x is packed once. */
void    product_shared(const kern_weight *w, const float *bias, product_rows p, int threads);
int64_t product_tiles(int64_t outputs);
#endif
