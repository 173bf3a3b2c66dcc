/* ref_gpt2.h - GPT-2 in plain double loops: a truth for tests that shares no code with the engine.
 *
 * A hook is shown every site of a run, in the order of the forward pass, as doubles that it may
 * change: what follows is computed from the changed values. Central differences, edits and plans
 * can thus be written in a few lines of test. Slow and plain on purpose; any thread, no state. */
#ifndef REF_GPT2_H
#define REF_GPT2_H
#include <stdbool.h>
#include <stdint.h>

typedef enum { REF_GELU_TANH, REF_GELU_ERF, REF_RELU } ref_activation;

typedef struct {
    const float *ln_1_w, *ln_1_b;        /* [d] */
    const float *c_attn_w, *c_attn_b;    /* [d, 3 d], [3 d]: q, k, v */
    const float *c_proj_w, *c_proj_b;    /* [d, d], [d] */
    const float *ln_2_w, *ln_2_b;        /* [d] */
    const float *c_fc_w, *c_fc_b;        /* [d, f], [f] */
    const float *mlp_proj_w, *mlp_proj_b; /* [f, d], [d] */
} ref_layer;

typedef struct {
    int64_t        layers, heads, width, inner, vocab, positions;
    double         eps;
    ref_activation activation;
    bool           inverse_layer_scale;  /* scores are also divided by layer + 1 */
    const float   *wte, *wpe;            /* [v, d], [positions, d] */
    const float   *ln_f_w, *ln_f_b;      /* [d] */
    const float   *lm_head;              /* [v, d]; NULL: tied, wte */
    ref_layer     *layer;                /* [layers] */
    const int     *order;                /* blocks to run, twice is a repeat; NULL: 0, 1, .. */
    int            order_count;
} ref_gpt2;

/* `value` has dims[0] * .. * dims[n_dims - 1] entries, the last axis contiguous. The per-head
 * inputs (hook_q_input ..) are copies: a changed (row, head) gets a norm and product of its own. A
 * hook must leave masked entries (key after query) of hook_attn_scores and hook_pattern alone. */
typedef void (*ref_hook)(void *user, const char *site, double *value, int n_dims,
                         const int64_t *dims);

/* Run the tokens; `logits` is [n, v]. The hook may be NULL. Aborts when memory is out. */
void ref_gpt2_forward(const ref_gpt2 *m, const int32_t *tokens, int64_t n, ref_hook hook,
                      void *user, double *logits);

/* Floats that ref_gpt2_random needs for a model whose sizes are set; `untied` as there. */
int64_t ref_gpt2_floats(const ref_gpt2 *m, bool untied);

/* Fill `memory` with weights drawn from the seed and point the model at them. The caller has set
 * the sizes, eps, activation and `layer` (its own array of m->layers). Norm weights are 1 +- 0.3,
 * biases +- 0.3, the rest nearly normal with standard deviation `spread`. */
void ref_gpt2_random(ref_gpt2 *m, uint64_t seed, double spread, bool untied, float *memory);

/* Write config.json and model.safetensors, as transformers would, into a folder that exists. */
bool ref_gpt2_save(const ref_gpt2 *m, const char *folder);
#endif
