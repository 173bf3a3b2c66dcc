/* generate.h - one token after the other: greedy, drawn, or the best of several beams.
 *
 * A generation equals, bit for bit, one run over prompt and output with the same edits. Draws are Philox4x32-10
 * (Salmon et al., 2011) keyed by (seed, prompt, position), so they depend on nothing else. Tokens that a model forces (its
 * first, its last) are those that its generation_config.json names. Beams are searched as transformers 5 does. */
#ifndef SONDE_GENERATE_H
#define SONDE_GENERATE_H
#include "sonde/variants.h"

typedef struct {                    /* zeroed: 0 tokens, greedy */
    int64_t  n;                     /* most tokens */
    double   temperature;           /* 0: greedy, ties to the lower id */
    int64_t  top_k;                 /* 0: all; then top_p, then min_p, in this order, on the probabilities at temperature */
    double   top_p;                 /* 0 or 1: all */
    double   min_p;                 /* 0: all */
    uint64_t seed;
    bool     ignore_eos;
    const char *const *stop; size_t n_stop;     /* texts after which a prompt stops (their last token is kept) */
    int64_t  alternatives;          /* most probable tokens reported beside each */
    int64_t  beams;                 /* 2 and more: the best of a beam search, in place of greedy or drawn tokens */
    double   length_penalty;        /* of beams: a text's score is its log-probability over its length to this power */
    bool     early_stopping;        /* of beams: as soon as there are as many texts that end as beams */
} sonde_sampling;

typedef struct {
    size_t         prompt;
    int64_t        position;        /* of the token */
    int32_t        id;
    double         prob;            /* softmax at temperature 1 over the whole vocabulary */
    const int32_t *alternative; const double *alternative_prob; size_t n_alternatives;
    bool           last;            /* this prompt ends with it */
    double         score;           /* of the whole text, where beams were searched; else 0 */
} sonde_generated;
typedef sonde_status (*sonde_generated_fn)(const sonde_generated *g, void *user, sonde_error *err);

typedef struct {                    /* what is to be written: prompts of different lengths side by side, without padding */
    const sonde_prompt      *prompts; size_t n_prompts;
    const sonde_edit *const *edits;   size_t n_edits;       /* of every prompt */
    const sonde_named_run   *runs;    size_t n_runs;        /* what edits call B */
    sonde_sampling           sampling;
    size_t                   first;                         /* what the first prompt is counted as, in draws and answers */
} sonde_writing;

/* USAGE before anything runs where prompt + n - 1 positions do not fit into the context. */
SONDE_API sonde_status sonde_generate(sonde_session *s, const sonde_writing *w, sonde_generated_fn fn, void *user,
                                      sonde_error *err);
#endif
