/* rope.h - rotary positions of a model: which numbers of a head turn, and how fast.
 *
 * A point of the plane turns by position * inverse[i] at a position; both are float32 and
 * so is their product, as transformers has them, and cosine and sine are the
 * kernels' (within 2 ulp, the same bits everywhere). */
#ifndef SONDE_ROPE_H
#define SONDE_ROPE_H
#include "base/arena.h"
#include "base/json.h"
#include "sonde/error.h"
#include <stdbool.h>
#include <stdint.h>

typedef enum { ROPE_PLAIN, ROPE_LINEAR, ROPE_LLAMA3 } rope_scaling;

typedef struct {
    int64_t      dims;          /* numbers of each head that turn, even; 0: no rotation */
    bool         pairs;         /* a point is (x_2i, x_2i + 1); else (x_i, x_i + dims/2) */
    double       base;
    rope_scaling scaling;
    double       factor, low, high;             /* LINEAR: factor; LLAMA3: all */
    double       original;                      /* LLAMA3: positions that it was first trained with */
    const float *divisor;       /* [dims/2] of a container, lent as long as the model, in place of `scaling`; NULL: none */
    const float *inverse;       /* [dims/2]: radians a position; rope_prepare makes it */
} rope;

/* The fields of a config.json, in the old spelling (rope_theta, rope_scaling) and the new one (rope_parameters), for heads
 * of `dims` numbers that all turn; `context`: where original_max_position_embeddings is not given.
 * UNSUPPORTED names a kind of scaling that is not computed. */
sonde_status rope_config(const json *file, int64_t dims, int64_t context, rope *out, sonde_error *err);
/* The table `inverse`: base^(-2i/dims) by steps of float32, each rounded correctly; then its scaling. */
void         rope_prepare(rope *r, arena *a);
/* By what each of the dims/2 frequencies is divided (LLAMA3 or `divisor`; else 1), as GGUF files have it. */
void         rope_divisors(const rope *r, float *out);
/* The LLAMA3 scaling of Llama 3.1 and its successors that these divisors are, but for rounding; false: none. */
bool         rope_llama3_of(const float *divisor, int64_t half, double base, rope *out);
/* turn [2, dims/2]: cosines, then sines at a position. */
void         rope_turn(const rope *r, int64_t position, float *turn);
#endif
