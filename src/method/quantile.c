#include "quantile.h"
#include "room.h"
#include <math.h>

enum { HALF = 1 << 16, BUCKETS = 2 * QUANTILES_MOST };

struct quantiles {
    double  share[QUANTILES_MOST];
    int     n;
    int64_t count, nans, high[HALF];
    int64_t rank[BUCKETS];              /* two neighbours of each share; inside the bucket after the turn */
    int32_t bucket[BUCKETS];            /* the upper half that holds it */
    int64_t low[BUCKETS][HALF];
};

static uint32_t place(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 31 ? ~bits : bits | 0x80000000u;
}

static double number(uint32_t at) {
    const uint32_t bits = at >> 31 ? at & 0x7fffffffu : ~at;
    float x;
    memcpy(&x, &bits, sizeof x);
    return (double)x;
}

quantiles *quantiles_new(const double *share, int n) {
    quantiles *q = ROOM(quantiles, 1);
    q->n = n;
    for (int i = 0; i < n; i++) q->share[i] = share[i];
    return q;
}

void quantiles_free(quantiles *q) { free(q); }

void quantiles_first(quantiles *q, const float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        q->nans += isnan(x[i]);
        q->high[place(x[i]) >> 16]++;
    }
    q->count += n;
}

void quantiles_turn(quantiles *q) {
    for (int i = 0; i < 2 * q->n && q->count; i++) {
        int64_t rank = (int64_t)(q->share[i / 2] * (double)(q->count - 1)) + i % 2;
        if (rank > q->count - 1) rank = q->count - 1;
        int32_t b = 0;
        while (rank >= q->high[b]) rank -= q->high[b++];
        q->rank[i] = rank;
        q->bucket[i] = b;
    }
}

void quantiles_second(quantiles *q, const float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        const uint32_t at = place(x[i]);
        for (int b = 0; b < 2 * q->n; b++)
            if ((int32_t)(at >> 16) == q->bucket[b]) q->low[b][at & (HALF - 1)]++;
    }
}

static double ranked(const quantiles *q, int b) {
    int64_t rank = q->rank[b];
    uint32_t low = 0;
    while (rank >= q->low[b][low]) rank -= q->low[b][low++];
    return number((uint32_t)q->bucket[b] << 16 | low);
}

double quantiles_value(const quantiles *q, int i) {
    if (q->nans || !q->count) return NAN;
    const double at = q->share[i] * (double)(q->count - 1), t = at - floor(at);
    const double a = ranked(q, 2 * i), b = ranked(q, 2 * i + 1);
    return t < 0.5 ? a + (b - a) * t : b - (b - a) * (1 - t);
}
