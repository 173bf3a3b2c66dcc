/* sample.h - one token out of a row of logits. */
#ifndef SONDE_SAMPLE_H
#define SONDE_SAMPLE_H
#include "sonde/generate.h"

typedef struct { float logit; double prob; int32_t id; } candidate;

/* Greedy (ties to the lower id), or a draw keyed by (seed, prompt, position). `room` holds v candidates. -1: every logit
 * is NaN. */
int32_t sample(const sonde_sampling *o, const float *logits, int64_t v, uint64_t prompt, uint64_t position, candidate *room);
#endif
