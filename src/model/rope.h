/* rope.h - rotary positions of a model: which numbers of a head turn, and how fast.
 *
 * A point of the plane turns by position * inverse[i] at a position; both are float32 and
 * so is their product, as transformers has them, and cosine and sine are the
 * kernels' (within 2 ulp, the same bits everywhere), times the attention factor.
 *
 * Where `by_length` is set the table depends on how many positions the whole run has: DYNAMIC's base grows with
 * every position behind `original`, LONGROPE has a second table for runs longer than that. All positions of a
 * run turn by one table: that of a fresh model that is given the whole run at once. */
#ifndef SONDE_ROPE_H
#define SONDE_ROPE_H
#include "base/arena.h"
#include "base/json.h"
#include "sonde/error.h"
#include <stdbool.h>
#include <stdint.h>

typedef enum { ROPE_PLAIN, ROPE_LINEAR, ROPE_LLAMA3, ROPE_DYNAMIC, ROPE_LONGROPE, ROPE_YARN } rope_scaling;

typedef struct {
    int64_t      dims;          /* numbers of each head that turn, even; 0: no rotation */
    int64_t      span;          /* exponents are -2i/span: dims, or dims - 1 where an odd share of a head turns; 0: dims */
    bool         pairs;         /* a point is (x_2i, x_2i + 1); else (x_i, x_i + dims/2) */
    bool         by_length;
    double       base;
    rope_scaling scaling;
    double       factor;                        /* all but PLAIN and LONGROPE */
    double       low, high;                     /* LLAMA3; YARN: beta_slow, beta_fast */
    bool         whole;                         /* YARN: its bounds are rounded to whole indices */
    double       original;                      /* positions that it was first trained with; all but PLAIN and LINEAR */
    double       attention;                     /* cosine and sine are times this; 0: 1 */
    const json  *short_list, *long_list;        /* LONGROPE: [dims/2] numbers of config.json, lent */
    const float *divisor;       /* [dims/2] of a container, lent as long as the model, in place of `scaling`; NULL: none */
    const float *inverse;       /* [dims/2]: radians a position; rope_prepare makes it */
    const float *long_inverse;  /* LONGROPE: the same for runs longer than `original` */
} rope;

typedef struct {
    int64_t     dims;           /* of a whole head; partial_rotary_factor is applied here */
    int64_t     context;        /* max_position_embeddings, also where original_max_position_embeddings is not given */
    const char *part;           /* a sub-object of rope_parameters ("full_attention", "sliding_attention"); NULL: none.
                                 * What stands outside of it holds for NULL and "full_attention" alone. */
    double      fallback_base;  /* without rope_theta; 0: 10000 */
    double      fallback_share; /* without partial_rotary_factor: what share of a head turns; 0: all */
    bool        shares;         /* the family reads partial_rotary_factor; else a share is refused: transformers turns whole heads */
    bool        even;           /* the family cuts a head where the share ends, which an odd one is refused for: transformers fails */
    bool        longrope_older; /* "su" and "yarn" are older names of longrope, as in Phi-3 */
} rope_fields;

/* The fields of a config.json, in the old spelling (rope_theta, rope_scaling) and the new one (rope_parameters). `out`
 * lends lists of `file`. UNSUPPORTED names a kind of scaling that is not computed. */
sonde_status rope_config(const json *file, rope_fields f, rope *out, sonde_error *err);
/* How many positions the scaling reaches, for a config that says `context`: more where that is the length before it. */
int64_t      rope_reach(const rope *r, int64_t context);
/* Do both turn alike, but for rounding to float32 (and for `divisor`)? While their lists live, prepared or not. */
bool         rope_same(const rope *a, const rope *b);

/* The tables: base^(-2i/span) by steps of float32, each rounded correctly; then its scaling. */
void         rope_prepare(rope *r, arena *a);
/* By what each of the dims/2 frequencies is divided (LLAMA3 or `divisor`; else 1), as GGUF files have it. */
void         rope_divisors(const rope *r, float *out);
/* LONGROPE's factors of short or long runs, [dims/2], while the lists live. */
void         rope_factors(const rope *r, bool longer, float *out);
/* The LLAMA3 scaling of Llama 3.1 and its successors that these divisors are, but for rounding; false: none. */
bool         rope_llama3_of(const float *divisor, int64_t half, double base, rope *out);
/* turn [2, dims/2]: cosines, then sines at a position of a run of `length` positions. */
void         rope_turn(const rope *r, int64_t position, int64_t length, float *turn);
/* What a position is multiplied with in a run of `length` positions: radians, [dims/2]. */
void         rope_speeds(const rope *r, int64_t length, float *out);
/* Are the angles of a run of `before` positions other ones than those of a run of `after`? */
bool         rope_crosses(const rope *r, int64_t before, int64_t after);
#endif
