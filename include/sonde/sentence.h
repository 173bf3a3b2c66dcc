/* sentence.h - how a folder of sentence-transformers makes one vector of a text (modules.json and the files it names). */
#ifndef SONDE_SENTENCE_H
#define SONDE_SENTENCE_H
#include "sonde/error.h"
#include "sonde/model.h"

/* Over the rows of the last norm; what the tokenizer put around the text is among them. */
typedef enum {
    SONDE_POOL_MEAN, SONDE_POOL_CLS, SONDE_POOL_MAX,            /* cls: row 0 */
    SONDE_POOL_MEAN_SQRT_LEN,                                   /* the sum over the square root of their number */
    SONDE_POOL_WEIGHTED_MEAN,                                   /* row i counts i + 1 times */
    SONDE_POOL_LAST,
    SONDE_POOL_POOLER,                                          /* of the model's own: pooler.hook_pooler_out */
    SONDE_POOLS
} sonde_pool;
/* "mean", "cls", "max", "mean_sqrt_len", "weighted_mean", "last", "pooler" */
SONDE_API const char *sonde_pool_name(sonde_pool p);

typedef struct {
    bool       told;                    /* the folder has modules.json; else: mean, as it is */
    sonde_pool pool[SONDE_POOLS]; size_t n_pools;               /* side by side, at least one */
    bool       normalize;               /* to length 1 */
    int64_t    longest;                 /* tokens of a text, those around it too; the context where nothing says it */
} sonde_sentence;
/* UNSUPPORTED names the module or option that is not computed; FORMAT: a broken file. */
SONDE_API sonde_status sonde_model_sentence(const sonde_model *m, sonde_sentence *out, sonde_error *err);
#endif
