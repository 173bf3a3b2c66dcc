/* arch.h - an architecture is a description, not code.
 *
 * decoder.c reads the description and nothing else: no file but arch_*.c may name
 * an architecture. A new family is a row in archs.def and a file of tables. */
#ifndef SONDE_ARCH_H
#define SONDE_ARCH_H
#include "base/arena.h"
#include "base/json.h"
#include "rope.h"
#include "sonde/error.h"
#include "tensor/act.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { NORM_LAYER, NORM_RMS } norm_kind;

typedef enum { PART_NONE, PART_SELF, PART_MLP } part_kind;

/* Weights by meaning; [..] is the TransformerLens shape, inputs first. */
typedef enum {
    W_NONE,
    W_EMBED, W_POS,                                     /* [v, d] [n_ctx, d] */
    W_LN1, B_LN1, W_LN2, B_LN2, W_LNF, B_LNF,           /* [d] */
    W_Q, B_Q, W_K, B_K, W_V, B_V, W_O, B_O,             /* [h, d, e] [h, e] .. [h, e, d] [d] */
    W_GATE, B_GATE, W_IN, B_IN, W_OUT, B_OUT,           /* [d, f] [f] (gated MLPs) [d, f] [f] [f, d] [d] */
    W_UNEMBED, B_UNEMBED,                               /* [d, v] [v] */
    W_ROPE, W_ROPE_SHORT, W_ROPE_LONG,                  /* [rotary dims / 2] what GGUF divides frequencies by; LONGROPE's two */
    WEIGHT_COUNT
} weight_id;

typedef enum { LAYOUT_OUT_IN, LAYOUT_IN_OUT } layout;   /* Linear; Conv1D */
typedef enum { WHEN_ALWAYS, WHEN_ATTN_BIAS, WHEN_MLP_BIAS } weight_when;        /* by attn_bias, mlp_bias of the model */

/* Whose names a file's tensors have: Hugging Face's, GGUF's, Meta's own. */
typedef enum { SPELLED_HF, SPELLED_GGUF, SPELLED_META } spelling;

typedef struct {                /* where a weight lies in a checkpoint */
    weight_id   id;
    const char *hf;             /* "%d" is the layer; prefixes of the family are tried in front */
    const char *gguf, *meta;    /* the same without prefixes; NULL: not in such files */
    int         part, parts;    /* part i of n fused along the outputs; 0, 1: the whole */
    layout      layout;         /* of hf; the others have [out, in] always */
    bool        optional;
    bool        pairs;          /* rows of a head lie in pairs order in gguf and meta, in halves in hf */
    weight_when when;           /* models of the family that have it; others do not read it, even if it is there */
} weight_row;

typedef enum { FIELD_NONE, FIELD_INT, FIELD_NUMBER } field_kind;

typedef struct {                /* a field of config.json, and where other containers say the same */
    const char *hf;
    const char *gguf;           /* behind "ARCHITECTURE."; two rows of one field must agree */
    const char *meta;           /* in params.json, and behind "llama2c." */
    weight_id   rows_of;        /* where no key says it: the rows of this tensor; W_NONE: left out */
    field_kind  kind;           /* how a written GGUF file says it, from an int64_t or a double of arch_config at `at` */
    size_t      at;
    bool        needed;         /* a container that says sizes itself has to say this one */
} config_row;

#define SAYS(KIND, member) .kind = FIELD_##KIND, .at = offsetof(arch_config, member)

typedef struct {                /* one of up to three parts of a block */
    part_kind kind;
    weight_id before;           /* the norm in front of it (its weight; the bias is the id behind), W_NONE: none */
} part_spec;

typedef struct {                /* sizes and constants of one model */
    const struct arch *arch;
    int64_t  layers, heads, kv_heads, d, e, f, vocab, context;
    double   norm_eps;
    act_kind act;
    double   score_scale;       /* scores are q . k times this */
    bool     scale_by_layer;    /* and divided by layer + 1 */
    bool     attn_bias, mlp_bias;       /* rows of weights that say so are there */
    rope     rope;              /* of q and k; dims 0: none */
    bool     qk_pairs;          /* outputs of the stored W_Q, W_K (and biases) are in pairs, per head: op_reorder.c */
    bool     tied;              /* unembedding is embedding; until bound: it is if the file has no other */
    int32_t  bos, eos;          /* of config.json, -1: none */
    spelling spelled;           /* of the opened tensors; set by model_bind */
} arch_config;

typedef struct arch {
    const char *name;           /* "gpt2"; also what info prints as the family */
    const char *const *hf_classes;      /* config.json "architectures", NULL-terminated, the usual one first */
    const char *hf_type;        /* config.json "model_type" */
    const char *const *prefixes;        /* of tensor names, NULL-terminated, "" allowed */
    part_spec   part[3];
    norm_kind   norm;
    const char *gguf;           /* general.architecture; NULL: GGUF has none */
    const weight_row *weights;  /* ends with W_NONE */
    const config_row *fields;   /* ends with hf NULL; NULL: other containers hold no such model */
    /* More members of config.json ("\"a\": 1, ..", in the arena, or "") that follow from Meta's params.json; NULL: its
     * checkpoints hold no such model. */
    const char *(*meta_more)(const json *params, arena *into);
    /* Reads and checks the fields; `out` comes zeroed; sizes stay below config.h's. */
    sonde_status (*config)(const json *file, arch_config *out, sonde_error *err);
} arch;

/* The name of a row in one spelling, NULL if it has none; and whether inputs lie outermost there. */
const char *row_spelled(const weight_row *r, spelling s);
bool        row_in_out(const weight_row *r, spelling s);
/* `name` behind a prefix, with the layer in place of its "%d"; in the arena. */
const char *row_name(arena *into, const char *prefix, const char *name, int64_t layer);

extern const arch *const arch_table[];          /* NULL-terminated, from archs.def */
/* Does a model of this description have the weight (an optional one: may it)? */
bool arch_has(const arch_config *c, weight_id id);
bool arch_row_holds(const arch_config *c, const weight_row *r);         /* by its `when` */
/* The row for a config.json; UNSUPPORTED names what was found and what there is. */
sonde_status arch_find(const json *config, const arch **out, sonde_error *err);
#endif
