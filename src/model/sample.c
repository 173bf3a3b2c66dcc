/* Temperature, then top-k, top-p (nucleus; Holtzman et al., 2019) and min-p (Nguyen et al., 2024), each on what the one
 * before left, renormalised. In double; exp is our own, so a draw is the same on every machine. */
#include "sample.h"
#include "base/philox.h"
#include "kernel/exact.h"
#include "sonde/logits.h"
#include <math.h>
#include <stdlib.h>

static int by_logit(const void *x, const void *y) {
    const candidate *a = x, *b = y;
    if (a->logit != b->logit) return a->logit > b->logit ? -1 : 1;
    return (a->id > b->id) - (a->id < b->id);
}

static double uniform(uint64_t seed, uint64_t prompt, uint64_t position) {
    const philox_block b = philox4x32((uint32_t[2]){ (uint32_t)seed, (uint32_t)(seed >> 32) },
                                      (uint32_t[4]){ (uint32_t)prompt, (uint32_t)(prompt >> 32), (uint32_t)position,
                                                     (uint32_t)(position >> 32) });
    return (double)((uint64_t)b.word[0] << 21 | b.word[1] >> 11) * 0x1p-53;
}

static double renormalise(candidate *c, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += c[i].prob;
    for (int64_t i = 0; i < n; i++) c[i].prob /= sum;
    return sum;
}

static int64_t cut(const sonde_sampling *o, candidate *c, int64_t n) {
    if (o->top_k > 0 && o->top_k < n) {
        n = o->top_k;
        renormalise(c, n);
    }
    if (o->top_p > 0 && o->top_p < 1) {             /* the smallest set that holds top_p of the mass */
        double  mass = 0;
        int64_t keep = 0;
        while (keep < n && mass < o->top_p) mass += c[keep++].prob;
        n = keep;
        renormalise(c, n);
    }
    if (o->min_p > 0) {
        int64_t keep = 1;
        while (keep < n && c[keep].prob >= o->min_p * c[0].prob) keep++;
        n = keep;
        renormalise(c, n);
    }
    return n;
}

int32_t sample(const sonde_sampling *o, const float *logits, int64_t v, uint64_t prompt, uint64_t position, candidate *room) {
    const bool drawn = o->temperature > 0 || o->top_k > 0 || o->top_p > 0 || o->min_p > 0;
    int64_t n = 0;
    int32_t first;
    if (!drawn) return sonde_logits_top(logits, v, 1, &first) && !isnan(logits[first]) ? first : -1;
    for (int64_t i = 0; i < v; i++)
        if (!isnan(logits[i])) room[n++] = (candidate){ .logit = logits[i], .id = (int32_t)i };
    if (!n) return -1;
    const double t = o->temperature > 0 ? o->temperature : 1;
    qsort(room, (size_t)n, sizeof *room, by_logit);
    for (int64_t i = 0; i < n; i++) room[i].prob = exact_exp(((double)room[i].logit - (double)room[0].logit) / t);
    renormalise(room, n);
    n = cut(o, room, n);
    double left = uniform(o->seed, prompt, position);
    for (int64_t i = 0; i < n - 1; i++) {
        if (left < room[i].prob) return room[i].id;
        left -= room[i].prob;
    }
    return room[n - 1].id;
}
