/* edit_data.h - a parsed edit (interface.md 4). Names of sites and positions are resolved when a run starts. */
#ifndef SONDE_EDIT_DATA_H
#define SONDE_EDIT_DATA_H
#include "base/arena.h"
#include "site_table.h"
#include "sonde/edit.h"
#include <stdbool.h>
#include <stdint.h>

/*  OP(id, word, values it takes, what it does) */
#define EDIT_OPS(OP)                                                                        \
    OP(ZERO,    "zero",    TAKES_NOTHING,                 "0")                                \
    OP(SET,     "set",     TAKES_NUMBER | TAKES_VECTOR | TAKES_RUN, "the value given")        \
    OP(SCALE,   "scale",   TAKES_NUMBER | TAKES_VECTOR,   "itself times the number or vector") \
    OP(ADD,     "add",     TAKES_ANY,                     "itself plus the value")            \
    OP(PROJECT, "project", TAKES_VECTOR,                  "itself without its part along the vector") \
    OP(NOISE,   "noise",   TAKES_NUMBER,                  "itself plus Gaussian noise of that sd") \
    OP(MEAN,    "mean",    TAKES_NOTHING,                 "its mean over the positions of the unedited prompt") \
    OP(PATCH,   "patch",   TAKES_RUN,                     "the value of another run")         \
    OP(FREEZE,  "freeze",  TAKES_NOTHING,                 "its value in the unedited run")    \
    OP(SKIP,    "skip",    PLAN,                          "leave a block or a part of one out") \
    OP(SWAP,    "swap",    PLAN,                          "two blocks change places")         \
    OP(REPEAT,  "repeat",  PLAN,                          "run a range of blocks several times") \
    OP(ORDER,   "order",   PLAN,                          "run the blocks in this order")

enum { TAKES_NOTHING = 0, TAKES_NUMBER = 1, TAKES_VECTOR = 2, TAKES_RUN = 4, TAKES_ANY = 15, PLAN = 16 };

typedef enum {
#define OP(id, word, takes, doc) EDIT_##id,
    EDIT_OPS(OP)
#undef OP
    EDIT_OP_COUNT
} edit_op;

typedef enum { INDEX_ALL, INDEX_ONE, INDEX_RANGE, INDEX_LIST, INDEX_TOKEN } index_kind;
typedef struct {
    index_kind  kind;
    int64_t     lo, hi;                     /* ONE: lo; RANGE: half-open, negative from the end */
    int64_t    *list; size_t n;             /* LIST */
    int32_t     token;                      /* TOKEN: every position of the prompt with this id (one-token text or #id) */
    const char *text;                       /* TOKEN: as written, for printing back */
} index_part;
typedef struct { index_part part[4]; int n; } index_spec;       /* n: as many as written; missing ones are ALL */

typedef struct {                            /* run = NAME index? | "avg(" run "," run ")" */
    const char *name[2];                    /* [1]: NULL unless avg */
    index_spec  index[2];
} run_ref;

typedef enum { VALUE_NONE, VALUE_NUMBER, VALUE_VECTOR, VALUE_RUN } value_kind;
typedef struct {
    value_kind  kind;
    double      number;                     /* NUMBER; else the factor in front (1 when none was written) */
    bool        factor;                     /* a factor was written */
    const char *file, *array;               /* VECTOR: as written (array: behind '#', or NULL) */
    index_spec  file_index;
    float      *vector; int rank; int64_t dim[4];       /* VECTOR: its values after the index */
    run_ref     run;                        /* RUN */
    bool        minus; run_ref other;       /* RUN: number * (run - other) */
} edit_value;

typedef enum { WHEN_ALL, WHEN_PROMPT, WHEN_GENERATED } edit_when;

struct sonde_edit {
    arena      *memory;
    edit_op     op;
    const char *site;                       /* pattern, as written */
    index_spec  index;
    edit_value  value;
    edit_when   when; bool when_written;
    /* plans: blocks are counted, negative ones resolved */
    stack_id    stack; const char *word;    /* whose blocks: "blocks", "encoder", "decoder" */
    int         block[2]; const char *part; /* SKIP block[0] (part NULL, "attn", "cross_attn", "mlp") or a range block[0]..block[1]; SWAP both; REPEAT range */
    int         times;                      /* REPEAT */
    int        *order; int n_order;         /* ORDER */
};
extern const char *const edit_op_names[EDIT_OP_COUNT];

typedef struct { const sonde_edit *const *at; size_t n; } edit_list;

/* The slots of a run under these edits, in the arena: plans apply first, in order; other edits are passed over. USAGE
 * where a plan names a block that does not run (any more). */
sonde_status plan_slots(arena *a, const arch_config *c, const sonde_edit *const *edits, size_t n, slots *out,
                        sonde_error *err);
#endif
