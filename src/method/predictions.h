/* predictions.h - what a model predicts behind every token of a text, run as it is and changed.
 *
 * One row a prediction: the token it was made behind, the token that came, and what the model said. The last position of a
 * text has nothing to be judged by, and is none. */
#ifndef SONDE_PREDICTIONS_H
#define SONDE_PREDICTIONS_H
#include "method.h"

typedef struct {
    double  loss;               /* nats, of the token that came */
    double  entropy_bits;
    double  kl_nats;            /* KL(variant 0 || this) */
    int32_t best;
} prediction;

typedef struct {
    sonde_prompt         prompt;
    const sonde_variant *variant; size_t n;         /* base 0; the others are compared with variant 0 */
} predictions_query;

/* out [n][prompt.n - 1], variant by variant. */
sonde_status predictions_of(const sonde_context *cx, const predictions_query *q, prediction *out, sonde_error *err);
sonde_status predictions_cost(const sonde_context *cx, const predictions_query *q, sonde_cost *out, sonde_error *err);
#endif
