/* rel_pos.h - which bucket a distance between two positions falls into (Raffel et al., Exploring the Limits of Transfer
 * Learning with a Unified Text-to-Text Transformer, 2020).
 *
 * The first half of the buckets hold one distance each, the others grow with its logarithm up to max_distance. Where a
 * logarithm falls on the edge of a bucket, float32 decides, by the steps that transformers 5 (modeling_t5.py) takes. */
#ifndef SONDE_REL_POS_H
#define SONDE_REL_POS_H
#include "arch.h"
#include "base/arena.h"

/* Buckets of one direction: rows that see both have half of the table for each. */
int64_t rel_buckets(const arch_config *c);
/* Makes c->bucket_from, where c has buckets. */
void    rel_prepare(arch_config *c, arena *a);
/* out[d], d in [0, n): the row of the table for keys that stand d positions before the row, or behind it. */
void    rel_rows(const arch_config *c, bool behind, int64_t n, int32_t *out);
#endif
