/* program.h - what a run executes: a list of operation calls with a mark at each site.
 *
 * A program is compiled once per (stage, parts left out, sites on request) by
 * decoder.c from the architecture's description. The number of rows is symbolic and
 * the block whose weights it reads is given when it runs. Edits and taps are no
 * operations: they act at the marks. */
#ifndef SONDE_PROGRAM_H
#define SONDE_PROGRAM_H
#include "arch.h"
#include "site_table.h"
#include "tensor/op.h"

enum { MOST_VALUES = 112, MOST_STEPS = 192, MOST_READERS = 8, NO_VALUE = -1 };

/* POOL: row 0 behind the blocks; CROSS: what an encoder says to keys and values of a decoder's block; KEYS: what a block's
 * attention keeps of rows of which nothing else is wanted. */
typedef enum { STAGE_FRONT, STAGE_BLOCK, STAGE_BACK, STAGE_POOL, STAGE_CROSS, STAGE_KEYS } stage;

/* What a program is compiled for; equal keys share a program. */
typedef struct {
    stage stage;
    stack_id stack;
    bool  no_attn, no_cross, no_mlp;
    bool  sparse;                                   /* the block has experts in its MLP's place */
    bool  split_q, split_k, split_v;                /* hook_q_input .. hook_v_input are edited or differentiated */
    bool  no_answer;                                /* BACK: what the unembedding reads is the program's answer */
    bool  mlp_in, result, cross_result;             /* hook_mlp_in, hook_result are asked for, edited or differentiated */
} program_key;

typedef enum { STEP_OP, STEP_MARK, STEP_ATTEND, STEP_CROSS, STEP_EXPERTS } step_kind;

typedef struct {
    step_kind kind;
    int       op;                   /* enum op_id, of STEP_OP */
    int       out, in[MAX_IN];      /* values; ATTEND: in = q, k, v; CROSS: q; EXPERTS: experts.h; MARK: out */
    site_id   site;                 /* MARK; the site whose edits pick heads, for ops with a mask */
    weight_id w, b;                 /* weight and bias read, W_NONE: none */
    head_split split;
    act_kind  act;                  /* of an activation */
    double    factor;               /* of ops with a number */
} step;

typedef struct {                    /* a value is rows of [heads, cols] */
    int64_t heads, cols;
} value_shape;

typedef struct {
    program_key key;
    value_shape value[MOST_VALUES];
    step        step[MOST_STEPS];
    int         n_values, n_steps;
    int         in, out;            /* the stream before and after; FRONT: in is NO_VALUE; CROSS, KEYS: keys */
    int         also;               /* CROSS, KEYS: values; else NO_VALUE */
} program;

/* Compile for this key (decoder.c). */
void program_compile(program *p, const arch_config *c, program_key key);
#endif
