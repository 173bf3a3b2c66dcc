/* What a distance adds to the scores, once more: which row of the table, by the formula of Raffel et al., Exploring the
 * Limits of Transfer Learning with a Unified Text-to-Text Transformer, 2020. */
#include "method_rebuild.h"
#include <math.h>
#include <stdlib.h>

typedef struct { bool both; int64_t buckets, most; } buckets;

/* Of n buckets of one direction. Models were trained with a logarithm in float32, so it decides on edges. */
static int64_t by_distance(const buckets *b, int64_t n, int64_t distance) {
    const int64_t exact = n / 2;
    if (distance < exact) return distance;
    const float span = (float)log((double)b->most / (double)exact);
    const float at = (float)log((double)((float)distance / (float)exact)) / span * (float)(n - exact);
    const int64_t row = exact + (int64_t)at;
    return row < n ? row : n - 1;
}

/* `ahead`: how far the key stands behind the row. Keys that a row does not see fall to its own bucket. */
static int64_t bucket_of(const buckets *b, int64_t ahead) {
    if (!b->both) return by_distance(b, b->buckets, ahead > 0 ? 0 : -ahead);
    const int64_t n = b->buckets / 2;
    return (ahead > 0 ? n : 0) + by_distance(b, n, ahead > 0 ? ahead : -ahead);
}

sonde_status rebuild_relative_bias(const rebuild_call *c, double *y, sonde_error *err) {
    const buckets b = { rebuild_number(c, "both", 0) != 0, (int64_t)rebuild_number(c, "buckets", 0),
                        (int64_t)rebuild_number(c, "most", 0) };
    const int64_t H = c->o->out.dim[0], T = c->o->out.dim[1], S = c->o->out.dim[2];
    float *table;
    sonde_status status = rebuild_read(c, c->o->weight, &table, err);
    if (status == SONDE_OK && !table)
        status = sonde_fail(err, SONDE_UNSUPPORTED, "operation %d: the model lists no %s", c->o->id, c->o->weight);
    for (int64_t i = 0; status == SONDE_OK && i < H * T * S; i++)
        y[i] = (double)table[bucket_of(&b, i % S - i / S % T) * H + i / S / T];
    free(table);
    return status;
}
