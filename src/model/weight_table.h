/* weight_table.h - what each weight is called and how large it is, whatever file it comes from.
 *
 * Axes are letters as in interface.md 3, and c: rows of the position table,
 * r: pairs of numbers that rotate, w: width of the embeddings, y: token types,
 * b: buckets of distances, m: an expert's MLP width, l: labels, n and 2: two,
 * q, p: what one norm of queries, of keys has weights for. */
#ifndef SONDE_WEIGHT_TABLE_H
#define SONDE_WEIGHT_TABLE_H
#include "arch.h"
#include "base/arena.h"

typedef enum {
    WEIGHT_TABLE,               /* rows that are looked up */
    WEIGHT_MATRIX,              /* y = x W */
    WEIGHT_VECTOR,
} weight_kind;

typedef struct {
    const char *name;           /* TransformerLens's, without "blocks.L."; NULL for W_NONE */
    weight_kind kind;
    bool        block;          /* one in every block */
    const char *axes;           /* TransformerLens's shape, inputs first; tables as they are */
    const char *out, *in;       /* outputs (rows of a table; length of a vector) and inputs (width of a row) */
} weight_meaning;

extern const weight_meaning weight_table[WEIGHT_COUNT];

int64_t weight_axis(const arch_config *c, char axis);
int64_t weight_size(const arch_config *c, const char *axes);   /* their product; 1 for none */
/* Whole name: "blocks.3.attn.W_Q", "embed.W_E". Of two stacks (c: the main one), what belongs to one of them has its word in
 * front; what they share and the unembedding are named alone. layer: -1 outside the blocks. In the arena. */
typedef struct { stack_id stack; int64_t layer; } weight_owner;
const char *weight_name(arena *into, const arch_config *c, weight_owner at, weight_id id);
bool    weight_of_experts(weight_id id);        /* has every expert one of its own */
bool    weight_outside(weight_id id);           /* of a head on top: its name in Hugging Face's files has no prefix */
/* Numbers of a head that the stored W_Q, W_K (and biases) have in pairs, those of any other weight: 0. op_reorder.c */
int64_t weight_in_pairs(const arch_config *c, weight_id id);
#endif
