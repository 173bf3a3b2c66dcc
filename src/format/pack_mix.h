/* pack_mix.h - which storage type each tensor of a model gets when it is quantised, as llama.cpp chooses.
 *
 * The rules are facts of llama.cpp (src/llama-quant.cpp, MIT, as in llama-cpp-python 0.3.36), without an importance
 * matrix. tests/truth/quantize/types.tsv holds what it chose for a number of models. */
#ifndef SONDE_PACK_MIX_H
#define SONDE_PACK_MIX_H
#include "base/dtype.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*  MIX(id, name, GGUF's general.file_type, type of most tensors) */
#define PACK_MIX_MAP(MIX)              \
    MIX(F32,    "F32",     0, F32)     \
    MIX(F16,    "F16",     1, F16)     \
    MIX(BF16,   "BF16",   32, BF16)    \
    MIX(Q4_0,   "Q4_0",    2, Q4_0)    \
    MIX(Q4_1,   "Q4_1",    3, Q4_1)    \
    MIX(Q5_0,   "Q5_0",    8, Q5_0)    \
    MIX(Q5_1,   "Q5_1",    9, Q5_1)    \
    MIX(Q8_0,   "Q8_0",    7, Q8_0)    \
    MIX(Q2_K,   "Q2_K",   10, Q2_K)    \
    MIX(Q3_K_S, "Q3_K_S", 11, Q3_K)    \
    MIX(Q3_K_M, "Q3_K_M", 12, Q3_K)    \
    MIX(Q3_K_L, "Q3_K_L", 13, Q3_K)    \
    MIX(Q4_K_S, "Q4_K_S", 14, Q4_K)    \
    MIX(Q4_K_M, "Q4_K_M", 15, Q4_K)    \
    MIX(Q5_K_S, "Q5_K_S", 16, Q5_K)    \
    MIX(Q5_K_M, "Q5_K_M", 17, Q5_K)    \
    MIX(Q6_K,   "Q6_K",   18, Q6_K)

typedef enum {
#define MIX(id, name, file_type, type) PACK_##id,
    PACK_MIX_MAP(MIX)
#undef MIX
    PACK_MIX_COUNT
} pack_mix_id;

typedef struct {
    const char *name;
    int         file_type;
    dtype_id    type;
} pack_mix;

extern const pack_mix pack_mixes[PACK_MIX_COUNT];
/* By name, letters of either size; Q3_K, Q4_K and Q5_K mean their _M, as in llama.cpp's own tool. */
bool pack_mix_find(const char *name, pack_mix_id *out);

/* What of a model the choice depends on. */
typedef struct {
    int  n_layer;
    int  n_head, n_head_kv;         /* of the first layer */
    int  n_expert;                  /* 0 without experts */
    bool is_70b;                    /* 80 layers: llama with n_head_kv < n_head, qwen2, olmo (its "model type") */
    bool eight_bit_output;          /* Falcon: the output matrix is always Q8_0, and other rules for two matrices */
} pack_model;

typedef struct {
    const char *name;               /* GGUF's: "blk.0.attn_v.weight" */
    int64_t     cols, rows;         /* cols: the fastest dimension; rows: the product of all others */
    dtype_id    stored;             /* its type now */
    dtype_id    wanted;             /* out: what the mix asks for */
    dtype_id    type;               /* out: what it gets: `wanted`, or another if cols is no multiple of that type's block */
} pack_tensor;

/* For all tensors of a model at once, in any order. Those that are never quantised (norms, biases, vectors, tables of
 * positions ..) keep `stored`. */
void pack_choose(pack_mix_id mix, const pack_model *m, pack_tensor *t, size_t n);
#endif
