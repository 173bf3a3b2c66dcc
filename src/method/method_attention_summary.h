/* method_attention_summary.h - every pair of positions over all heads at once. */
#ifndef SONDE_METHOD_ATTENTION_SUMMARY_H
#define SONDE_METHOD_ATTENTION_SUMMARY_H
#include "method.h"

typedef struct {
    const sonde_context *cx;
    const int32_t       *query, *key;               /* [n] [keys] tokens */
    int64_t              n, keys;
    const float         *pattern; size_t count;     /* [count, n, keys]: heads of all layers */
    bool                 causal;                    /* no key stands behind its query */
} attention_pairs;

/* Tables summary (keys behind the first) and summary_first (the first token as key, which often is a sink), and their views. */
void attention_put_summary(const attention_pairs *p, sonde_result *out);
/* Table values: each number of each head that is shown. */
typedef struct { const long *layer, *head; size_t n_heads; } attention_names;
void attention_put_values(const attention_pairs *p, attention_names names, sonde_result *out);
#endif
