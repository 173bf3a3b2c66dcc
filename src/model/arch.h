/* arch.h - an architecture is a description, not code.
 *
 * decoder.c reads the description and nothing else: no file but arch_*.c may name
 * an architecture. A new family is a row in archs.def and a file of tables. */
#ifndef SONDE_ARCH_H
#define SONDE_ARCH_H
#include "base/arena.h"
#include "base/json.h"
#include "config.h"
#include "rope.h"
#include "sonde/error.h"
#include "tensor/act.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { NORM_LAYER, NORM_RMS } norm_kind;

typedef enum { PART_NONE, PART_SELF, PART_CROSS, PART_MLP } part_kind;

/* The places of norms; norms.def has their weights and sites. */
typedef enum {
    NO_NORM,
#define NORM(place, weight, scale, normalized, out) NORM_##place,
#include "norms.def"
#undef NORM
    NORM_COUNT
} norm_place;

/* Weights by meaning; [..] is the TransformerLens shape, inputs first. A bias stands behind its weight. */
typedef enum {
    W_NONE,
    W_EMBED, W_POS, W_TYPE,                             /* [v, d] [n_ctx, d] [token types, d] */
    W_PROJ_IN, W_PROJ_OUT,                              /* [w, d] [d, w]: embeddings of another width w */
    W_LNE, B_LNE, W_LN1, B_LN1, W_LN2, B_LN2, W_LN3, B_LN3,     /* norms, [d]: of the embedding, of a block's parts */
    W_LN1_POST, B_LN1_POST, W_LN2_POST, B_LN2_POST,     /* [d]: of what attention and MLP add */
    W_LNF, B_LNF,                                       /* [d]: the final one */
    W_Q, B_Q, W_K, B_K, W_V, B_V, W_O, B_O,             /* [h, d, e] [h, e] .. [h, e, d] [d] */
    W_QN, B_QN, W_KN, B_KN,                             /* norms of queries and keys: [e], [h, e] or [g, e] */
    W_SINKS,                                            /* [h]: a score in every row that no value belongs to */
    W_REL,                                              /* [buckets, h]: what a distance adds to the scores */
    W_CQ, B_CQ, W_CK, B_CK, W_CV, B_CV, W_CO, B_CO,     /* cross-attention, as W_Q .. B_O */
    W_GATE, B_GATE, W_IN, B_IN, W_OUT, B_OUT,           /* [d, f] [f] (gated MLPs) [d, f] [f] [f, d] [d] */
    W_ROUTER, B_ROUTER,                                 /* [d, x] [x] */
    W_X_GATE, B_X_GATE, W_X_IN, B_X_IN, W_X_OUT, B_X_OUT,       /* experts: [x, d, f] [x, f] .. [x, f, d] [x, d] */
    W_X_BOTH, B_X_BOTH,                                 /* [x, d, 2f] [x, 2f]: gate and linear branch by turns, for W_X_GATE, W_X_IN */
    W_UNEMBED, B_UNEMBED,                               /* [d, v] [v] */
    W_MLM, B_MLM, W_LNM, B_LNM,                         /* a masked LM's head: [d, d] [d], its norm [d] */
    W_POOL, B_POOL, W_NSP, B_NSP,                       /* [d, d] [d], [d, 2] [2] */
    W_CLASS_IN, B_CLASS_IN, W_CLASS, B_CLASS,           /* a classifier: [d, d] [d] (where it has two), [d, labels] [labels] */
    W_QA, B_QA,                                         /* [d, 2] [2]: start and end of a span */
    W_ROPE,                                             /* [rotary dims / 2] what GGUF divides frequencies by */
    W_ROPE_SHORT, W_ROPE_LONG,                          /* the same: LONGROPE's two */
    WEIGHT_COUNT
} weight_id;

typedef enum { LAYOUT_OUT_IN, LAYOUT_IN_OUT } layout;   /* Linear; Conv1D */

/* Which models of a family have a weight: others do not read it, even if it is there. */
typedef enum {
    WHEN_ALWAYS, WHEN_ATTN_BIAS, WHEN_OUT_BIAS, WHEN_MLP_BIAS,  /* by attn_bias, out_bias, mlp_bias of the model */
    WHEN_QK_NORM, WHEN_DENSE, WHEN_SPARSE,              /* by qk_norm; layers without, with experts */
    WHEN_NORM_2, WHEN_PROJECTED, WHEN_GATED, WHEN_PLAIN,    /* by its block's norms, its widths, its MLP */
    WHEN_FINAL_NORM, WHEN_NORM_WEIGHTS, WHEN_PARALLEL, WHEN_SEQUENTIAL,     /* by its block's parts */
    WHEN_MLM, WHEN_POOLER, WHEN_NSP, WHEN_CLASS, WHEN_QA,   /* by its heads */
} weight_when;

/* How several weights lie in one tensor of a checkpoint, along its outputs. */
typedef enum {
    FUSED_STACKED,              /* one below the other, each as large as it is (all that there is in GGUF) */
    FUSED_GROUPS,               /* [key/value heads][queries of the group, key, value][e] */
} fusion;

typedef enum { STACK_MAIN, STACK_ENCODER } stack_id;    /* the decoder (or the only one); an encoder in front of it */

/* Whose names a file's tensors have: Hugging Face's, GGUF's, Meta's own. */
typedef enum { SPELLED_HF, SPELLED_GGUF, SPELLED_META } spelling;

/* Where a weight lies in a checkpoint. Rows of one id and stack are alternatives: the first that is there counts. */
typedef struct {
    weight_id   id;
    const char *hf;             /* "%d" is the layer, "%e" the expert; prefixes of the family are tried in front */
    const char *gguf, *meta;    /* the same without prefixes; NULL: not in such files */
    int         part, parts;    /* part i of n fused along the outputs; 0, 1: the whole */
    fusion      fused;          /* of hf */
    layout      layout;         /* of hf; the others have [out, in] always */
    bool        optional;
    bool        pairs;          /* rows of a head lie in pairs order in gguf and meta, in halves in hf */
    bool        less_one;       /* hf stores the weight less 1 */
    bool        heads_apart;    /* hf: "%h" is the head, a tensor each */
    bool        as_row;         /* hf: a vector is stored as [1, n] */
    weight_when when;
    stack_id    stack;
} weight_row;

/* How a GGUF file says a field: an int64_t, double or bool of arch_config; SHARE: an int64_t that config.json gives as a
 * share of the numbers of a head; LAYERS: a layer_set, config.json's layer_types. */
typedef enum { FIELD_NONE, FIELD_INT, FIELD_NUMBER, FIELD_BOOL, FIELD_SHARE, FIELD_LAYERS } field_kind;

typedef struct {                /* a field of config.json, and where other containers say the same */
    const char *hf;
    const char *gguf;           /* behind "ARCHITECTURE."; two rows of one field must agree */
    const char *meta;           /* in params.json, and behind "llama2c." */
    weight_id   rows_of;        /* where no key says it: the rows of this tensor; W_NONE: left out */
    weight_id   there_of;       /* true or false: is there this tensor; no key says it */
    field_kind  kind;           /* NONE: a written GGUF file says nothing of it */
    size_t      at;             /* where it is in arch_config */
    stack_id    stack;          /* of which stack's */
    int64_t     period;         /* LAYERS without a key: all but the last of so many layers, again and again */
    bool        or_null;        /* 0 is config.json's null */
    bool        needed;         /* a container that says sizes itself has to say this one */
} config_row;

struct weights;

typedef struct {                /* a GGUF file, for what its keys leave to the reader's code */
    const struct weights *w;
    const json    *said;        /* the config.json that its keys make */
    arena         *into;
} gguf_words;

#define SAYS(KIND, member) .kind = FIELD_##KIND, .at = offsetof(arch_config, member)

typedef struct {                /* one of up to three parts of a block */
    part_kind  kind;
    norm_place before, after, after_sum;        /* of what it reads, of what it adds, of the stream behind it */
} part_spec;

typedef struct {
    part_spec part[3];
    bool      parallel;         /* the parts read the block's input */
} block_spec;

typedef uint8_t layer_set[(MOST_LAYERS + 7) / 8];       /* a set of layers */
static inline bool layer_in(const layer_set s, int64_t layer) { return s[layer / 8] >> (layer % 8) & 1; }
static inline void layer_add(layer_set s, int64_t layer) { s[layer / 8] = (uint8_t)(s[layer / 8] | 1 << (layer % 8)); }

/* Scores get slope of the head times the key's position (Press et al., Train Short, Test Long, 2022); SCALED: the product is
 * rounded to bfloat16 and scaled as the scores are. */
typedef enum { ALIBI_NONE, ALIBI_ADDED, ALIBI_SCALED } alibi_kind;
typedef enum { QK_NONE, QK_HEAD, QK_EACH, QK_WHOLE } qk_norm;   /* no norm of q and k; one weight [e] for every head; a
                                                                 * weight a head; one norm over all heads together */
typedef enum { HEAD_LM = 1, HEAD_MLM = 2, HEAD_POOLER = 4, HEAD_NSP = 8, HEAD_CLASS = 16, HEAD_QA = 32 } head_flags;

typedef struct arch_config {    /* sizes and constants of one model, or of one of its stacks */
    const struct arch *arch;
    stack_id stack;
    struct arch_config *encoder;        /* of an encoder-decoder's main stack; else NULL */
    block_spec block;           /* the family's, until `config` changes it */
    int64_t  layers, heads, kv_heads, d, e, f, vocab, context;
    int64_t  width;             /* of the embeddings, where they are projected; else d */
    double   norm_eps;
    bool     final_norm;        /* behind the last block */
    bool     norm_weights;      /* norms have weights (and biases, where the rows say so); true unless `config` says no */
    act_kind act;
    double   score_scale;       /* scores are q . k times this */
    bool     scale_by_layer;    /* and divided by layer + 1 */
    double   score_cap;         /* then cap tanh(score / cap); 0: none */
    bool     bidirectional;     /* every row sees every key */
    int64_t  window;            /* a row of a layer in `local` sees this many keys, itself the last; 0: no such layer */
    layer_set local;
    alibi_kind alibi;
    int64_t  buckets, max_distance;     /* of relative positions; 0: none */
    const int64_t *bucket_from;         /* [buckets of one direction]: the least distance of each; rel_prepare makes it */
    double   clip_qkv;          /* q, k, v are clamped to +- this; 0: not */
    qk_norm  qk_norm;
    bool     attn_bias, out_bias, mlp_bias;     /* rows of weights that say so are there */
    bool     gated;             /* of WHEN_GATED, WHEN_PLAIN */
    rope     rope;              /* of q and k; dims 0: none */
    rope     rope_local;        /* of layers in `local`, where dims is not 0 */
    bool     qk_pairs;          /* outputs of the stored W_Q, W_K (and biases) are in pairs, per head: op_reorder.c */
    int64_t  pos_offset;        /* position 0 is this row of W_POS */
    bool     pads_stay;         /* token pos_offset - 1 is the padding: it has its own row and is not counted */
    int64_t  types;             /* rows of W_TYPE; 0: none */
    double   embed_scale;       /* of rows of W_EMBED; 1: none */
    double   logit_scale, logit_cap;    /* the stream is scaled in front of the unembedding; logits are capped: 1, 0: not */
    bool     logit_bias;        /* of B_UNEMBED: added behind unembed.hook_out, not in it */
    int64_t  experts, chosen, expert_f;     /* of a layer that is not in `dense`; 0: no experts; an expert's MLP width */
    bool     renormalise;       /* weights of the chosen sum to 1 */
    layer_set dense;
    bool     clamped_glu;       /* gate and linear branch are clamped and joined as gpt_oss has it: op_clamped_glu.c */
    double   glu_limit;
    unsigned head;              /* head_flags */
    act_kind mlm_act, class_act;        /* of the heads' first matrices */
    bool     class_pooled;      /* the classifier reads the pooler's output, else row 0 */
    int64_t  labels;            /* of HEAD_CLASS */
    bool     tied;              /* unembedding is embedding; until bound: it is if the file has no other */
    int32_t  bos, eos;          /* of config.json, -1: none */
    int32_t  start;             /* first token of an encoder-decoder's target, -1: none */
    int32_t  forced_bos, forced_eos;    /* what a generation writes first and, where it is cut, last; -1: what it chooses */
    spelling spelled;           /* of the opened tensors; set by model_bind */
} arch_config;

typedef struct arch {
    const char *name;           /* "gpt2"; also what info prints as the family */
    const char *const *hf_classes;      /* config.json "architectures", NULL-terminated, the usual one first */
    const char *hf_type;        /* config.json "model_type" */
    const char *const *prefixes;        /* of tensor names, NULL-terminated, "" allowed */
    block_spec  block, encoder; /* encoder: of an encoder-decoder's first stack */
    norm_kind   norm;
    const char *gguf;           /* general.architecture; NULL: GGUF has none */
    const weight_row *weights;  /* ends with W_NONE */
    const config_row *fields;   /* ends with hf NULL; NULL: other containers hold no such model */
    /* More members of config.json ("\"a\": 1, ..", in the arena, or "") that follow from Meta's params.json; NULL: its
     * checkpoints hold no such model. */
    const char *(*meta_more)(const json *params, arena *into);
    const char *(*gguf_more)(const gguf_words *o);      /* the same for GGUF's keys; NULL: nothing */
    /* Reads and checks the fields; `out` has the family's block and defaults, else zeros; sizes stay below config.h's. */
    sonde_status (*config)(const json *file, arch_config *out, sonde_error *err);
} arch;

/* What `config` starts from: the family's block of that stack, no sizes. */
arch_config arch_defaults(const arch *a, stack_id stack);
/* A model's description from its config.json. `encoder` is where that stack's goes, if the family has one; it must live as
 * long as `out`. */
sonde_status arch_read(const arch *a, const json *config, arch_config *out, arch_config *encoder, sonde_error *err);

/* UNSUPPORTED for a field that changes what relatives compute, is on, and is not read by this family's `config`. */
sonde_status config_refuse_foreign(const arch *a, const json *config, sonde_error *err);

/* The name of a row in one spelling, NULL if it has none; and whether inputs lie outermost there. */
const char *row_spelled(const weight_row *r, spelling s);
bool        row_in_out(const weight_row *r, spelling s);
/* `name` behind a prefix, with the layer in place of its "%d" and the expert or head in place of "%e", "%h"; row_name: the
 * first one. In the arena. */
const char *row_item(arena *into, const char *prefix, const char *name, int64_t layer, int64_t item);
const char *row_name(arena *into, const char *prefix, const char *name, int64_t layer);

extern const arch *const arch_table[];          /* NULL-terminated, from archs.def */
/* Does a model of this description have the weight (an optional one: may it)? */
bool arch_has(const arch_config *c, weight_id id);
bool arch_row_holds(const arch_config *c, const weight_row *r);         /* by its `when`, in any layer */
bool arch_row_in(const arch_config *c, const weight_row *r, int64_t layer);
/* The most positions: without limit where only distances count. */
static inline int64_t arch_context(const arch_config *c) { return c->buckets ? MOST_CONTEXT : c->context; }
/* The part of a block, NULL: it has none. */
const part_spec *arch_part(const arch_config *c, part_kind kind);
bool arch_sparse(const arch_config *c, int64_t layer);  /* has the layer experts */
const rope *arch_rope(const arch_config *c, int64_t layer);     /* which one turns its queries and keys */
double arch_score_scale(const arch_config *c, int64_t layer);   /* what q . k is multiplied with */
bool arch_dense_layers(const arch_config *c);           /* is there a layer without */
bool arch_changes_logits(const arch_config *c);         /* are logits more than the unembedding's product */
/* The numbers of a row of what the model answers: the vocabulary, the labels of a classifier, start and end of a span, is next
 * and is not, the pooler's output; 0: a model without head. And the site that has them; NULL: none. */
int64_t arch_answers(const arch_config *c);
const char *arch_answer_site(const arch_config *c);
/* The row for a config.json; UNSUPPORTED names what was found and what there is. */
sonde_status arch_find(const json *config, const arch **out, sonde_error *err);
#endif
