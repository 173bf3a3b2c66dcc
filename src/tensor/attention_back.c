#include "attention_back.h"
#include "product_rows.h"
#include "scratch.h"

void back_through_rows(const rows_back *b, int64_t s, span heads, float scale, float *out) {
    const span    seen = rows_seeing(b->sight, s, b->T);
    const int64_t from = seen.lo, n = seen.hi - seen.lo;
    float        *column = scratch_floats(SCRATCH_ROW, (size_t)(n + b->e)), *sum = column + n;
    for (int64_t j = 0; j < b->e; j++) out[j] = 0;
    for (int64_t h = heads.lo; h < heads.hi; h++) {
        for (int64_t t = 0; t < n; t++) column[t] = b->weights[(h * b->T + from + t) * b->S + s];
        const kern_weight w = { .data = b->rows + (from * b->H + h) * b->e, .type = KERN_F32, .columns = true,
                                .n = (size_t)b->e, .k = (size_t)n, .stride = (size_t)(b->H * b->e) * sizeof(float) };
        product_run(&w, NULL, (product_rows){ .x = column, .ldx = n, .rows = 1, .y = sum, .ldy = b->e }, 0, b->e);
        kern->axpy(out, scale, sum, (size_t)b->e);
    }
}
