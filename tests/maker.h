/* maker.h - a random checkpoint of any family, from its description alone: a config.json of small sizes, and a tensor for
 * every weight row that such a model has.
 *
 * What a weight's numbers are depends on what it means (id, layer, expert), so other spellings of a tensor hold the same. */
#ifndef MAKER_H
#define MAKER_H
#include "model/arch.h"
#include "base/dtype.h"

typedef struct {                /* a model to make */
    const arch *family;
    const char *class;          /* of config.json */
    const char *more;           /* fields of config.json that come first, "\"a\": 1", or "" */
} maker_case;

typedef struct {
    dtype_id stored;            /* of every tensor; 0 (F64) is taken as F32 */
    dtype_id rounded;           /* values are those that this type holds, whatever they are stored in; 0: any */
    int      spelling;          /* which prefix, and which alternative of each tensor, modulo how many there are */
    bool     wide;              /* widths are multiples of 32, for types of blocks */
    int64_t  layers;            /* 0: 2 */
    int64_t  width;             /* of the stream, a multiple of 4; heads are a quarter, MLPs as wide (not `wide`: 11 more); 0: 32 */
    int64_t  vocab;             /* 0: MAKER_VOCAB */
} maker_how;

enum { MAKER_CONTEXT = 600, MAKER_VOCAB = 37, MOST_MAKER_CASES = 256 };

/* Every family with every option that the table in maker.c has, and every class that has other heads. */
size_t maker_cases(maker_case out[MOST_MAKER_CASES]);
/* How many spellings there are: of prefixes, and of the tensor that has most. */
int    maker_spellings(const arch *a);
/* "bloom", "falcon (\"alibi\": true)"; lent until the next call. */
const char *maker_name(const maker_case *c);
/* Writes config.json and model.safetensors into a new folder. False: a line on stdout says why there is no such model. */
bool   maker_write(const maker_case *c, const maker_how *how, const char *folder);
/* config.json alone, in the arena. */
const char *maker_config(const maker_case *c, const maker_how *how, arena *into);
#endif
