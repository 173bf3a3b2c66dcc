/* ref_experts.h - a stack of mixtures of experts without attention, in plain double loops: a truth for tests that shares no
 * code with the engine. Blocks are x + experts(rms(x)) or x + dense(rms(x)); a row meets no other. */
#ifndef REF_EXPERTS_H
#define REF_EXPERTS_H
#include "ref_gpt2.h"

typedef struct {
    bool         dense;             /* one gated MLP of width f: gate, in, out of expert 0 */
    const float *norm;              /* [d] */
    const float *router, *router_b; /* [x, d] [x]; biases: NULL where there are none */
    const float *gate, *gate_b;     /* [x, f, d] [x, f] */
    const float *in, *in_b;         /* [x, f, d] [x, f] */
    const float *out, *out_b;       /* [x, d, f] [x, d] */
} ref_expert_layer;

typedef struct {
    int64_t layers, d, f, experts, chosen, vocab;
    bool    renormalise, clamped;   /* clamped: gpt-oss's unit, else silu(gate) * in */
    double  limit, eps;
    const float *embed, *norm, *unembed;        /* [v, d] [d] [v, d] */
    const ref_expert_layer *layer;              /* [layers] */
} ref_experts;

/* Sites: hook_resid_pre, mlp.hook_expert_weights, mlp.hook_expert_indices, hook_mlp_out of every block; the hook may
 * change them. `logits` is [n, v]. */
void ref_experts_forward(const ref_experts *m, const int32_t *tokens, int64_t n, ref_hook hook, void *user, double *logits);
#endif
