"""What reference.py captures: the random models, the shipped ones, and their edits, as data.

A spec: family (gpt2 if not said), prompts (A is the one traced; the others are runs that edits read, and the batch), metric of the gradients,
edits (file name: texts; metric: gradients too; vector: its width, read as value/0; also: more sites), and for random
models seed, spread of the weights and sizes.
"""

THREE_METRIC = "logit(#11)-logit(#42)"
THREE_EDITS = {
    "patch": dict(texts=["patch:blocks.1.hook_resid_pre[2]=B[3]"], metric=THREE_METRIC),
    "patch-same": dict(texts=["patch:blocks.0.attn.hook_z[5,0]=B"]),
    "patch-range": dict(texts=["patch:blocks.2.hook_resid_mid[{0,4}]=B[{1,-1}]"], metric=THREE_METRIC),
    "zero-head": dict(texts=["zero:blocks.0.attn.hook_z[:,1]"], metric=THREE_METRIC),
    "steer": dict(texts=["add:blocks.1.hook_resid_post[-1]=4*value/0"], vector=24, metric=THREE_METRIC),
    "steer-difference": dict(texts=["add:blocks.1.hook_resid_mid[-1]=2*(B[-1]-C[-1])"]),
    "set-average": dict(texts=["set:blocks.1.hook_attn_out[5]=avg(B[5],C[4])"], metric=THREE_METRIC),
    "pattern": dict(texts=["set:blocks.1.attn.hook_pattern[2,-1,0]=1"], metric=THREE_METRIC,
                    also=("attn.hook_pattern", "attn.hook_attn_scores", "attn.hook_v")),
    "pattern-range": dict(texts=["scale:blocks.0.attn.hook_pattern[:,3,:]=0.5"], metric=THREE_METRIC),
    "scores": dict(texts=["set:blocks.0.attn.hook_attn_scores[1,4,0:2]=2.5"], metric=THREE_METRIC,
                   also=("attn.hook_pattern", "attn.hook_q")),
    "scores-range": dict(texts=["add:blocks.1.attn.hook_attn_scores[:,:,1:4]=-1.5"]),
    "neuron": dict(texts=["scale:blocks.0.mlp.hook_post[:,7]=3"], metric=THREE_METRIC),
    "pre": dict(texts=["set:blocks.1.mlp.hook_pre[-1,0:5]=0.75"], metric=THREE_METRIC),
    "project": dict(texts=["project:hook_resid_pre=value/0"], vector=24, metric=THREE_METRIC),
    "project-head": dict(texts=["project:blocks.1.attn.hook_v[:,2]=value/0"], vector=8, metric=THREE_METRIC,
                         also=("attn.hook_v",)),
    "mean": dict(texts=["mean:blocks.1.attn.hook_z[:,2]"], metric=THREE_METRIC),
    "freeze": dict(texts=["add:blocks.0.hook_resid_post[1]=value/0", "freeze:blocks.1-2.attn.hook_pattern"],
                   vector=24, metric=THREE_METRIC, also=("attn.hook_q", "attn.hook_v")),
    "two": dict(texts=["scale:blocks.1.hook_mlp_out=2", "add:blocks.1.hook_mlp_out[:,3]=1",
                       "scale:blocks.1.hook_mlp_out[4]=-0.5"], metric=THREE_METRIC),
    "query": dict(texts=["set:blocks.0.attn.hook_q[1]=value/0"], vector=8, metric=THREE_METRIC, also=("attn.hook_q",)),
    "result": dict(texts=["zero:blocks.1.attn.hook_result[3,2]", "scale:blocks.0.attn.hook_result[:,0,{1,3}]=2"],
                   metric=THREE_METRIC, also=("hook_attn_out",)),
    "q-input": dict(texts=["add:blocks.1.hook_q_input[4,1]=2*value/0"], vector=24, metric=THREE_METRIC,
                    also=("attn.hook_q",)),
    "k-input": dict(texts=["patch:blocks.1.hook_k_input[2:5,0]=B[0:3,0]"], metric=THREE_METRIC, also=("attn.hook_k",)),
    "v-input": dict(texts=["zero:blocks.2.hook_v_input[:,2]"], metric=THREE_METRIC, also=("attn.hook_v",)),
    "mlp-in": dict(texts=["add:blocks.1.hook_mlp_in[2:4]=value/0"], vector=24, metric=THREE_METRIC,
                   also=("mlp.hook_pre",)),
    "ln-scale": dict(texts=["scale:blocks.1.ln1.hook_scale[3]=1.5", "set:ln_final.hook_scale[-1]=2"],
                     metric=THREE_METRIC, also=("ln1.hook_out", "ln1.hook_normalized", "ln_final.hook_out")),
    "normalized": dict(texts=["zero:blocks.0.ln2.hook_normalized[:,3]"], metric=THREE_METRIC, also=("ln2.hook_out",)),
    "norm-out": dict(texts=["add:blocks.1.ln1.hook_out[2]=value/0"], vector=24, metric=THREE_METRIC),
    "embed": dict(texts=["zero:hook_pos_embed[2]", "scale:hook_embed[1:3]=0.5"], metric=THREE_METRIC),
    "unembed": dict(texts=["add:unembed.hook_in[-1]=value/0", "set:unembed.hook_out[0,{1,2}]=-3"], vector=24),
    "skip-block": dict(texts=["skip:blocks.1"], metric=THREE_METRIC),
    "skip-attn": dict(texts=["skip:blocks.1.attn"], metric=THREE_METRIC),
    "skip-mlp": dict(texts=["skip:blocks.0.mlp"]),
    "swap": dict(texts=["swap:blocks.0,blocks.1"]),
    "repeat": dict(texts=["repeat:blocks.0-1=2"]),
    "repeat-edited": dict(texts=["repeat:blocks.0-1=2", "zero:blocks.1.attn.hook_z[:,0]",
                                 "scale:blocks.0r1.hook_resid_pre[2]=0.5"]),
    "order": dict(texts=["order:2,0"]),
    "divergence": dict(texts=["zero:blocks.1.attn.hook_z[:,1]"], metric="kl(A)"),
    "argmax": dict(texts=["scale:blocks.0.hook_attn_out=1.25"], metric="logit(argmax)-logprob(argmax,4)"),
}

SMALL_METRIC = "logit(#7)-logit(#30)"
SMALL_EDITS = {
    "patch": dict(texts=["patch:blocks.1.hook_resid_pre[2]=B[3]"]),
    "zero-head": dict(texts=["zero:blocks.0.attn.hook_z[:,0]"], metric=SMALL_METRIC),
    "q-input": dict(texts=["scale:blocks.1.hook_q_input[4,0]=-1"], metric=SMALL_METRIC, also=("attn.hook_q",)),
    "scores": dict(texts=["add:blocks.1.attn.hook_attn_scores[0,:,0]=1"], metric=SMALL_METRIC),
    "neuron": dict(texts=["scale:blocks.0.mlp.hook_post[:,7]=3"]),
    "skip-mlp": dict(texts=["skip:blocks.1.mlp"], metric=SMALL_METRIC),
    "swap": dict(texts=["swap:blocks.0,blocks.1"]),
}

ROPE_METRIC = "logit(#11)-logit(#42)"
ROPE_EDITS = {
    "patch": dict(texts=["patch:blocks.1.hook_resid_pre[2]=B[3]"]),
    "rot-q": dict(texts=["set:blocks.1.attn.hook_rot_q[4,1]=value/0"], vector=10, metric=ROPE_METRIC, also=("attn.hook_q",)),
    "rot-k": dict(texts=["scale:blocks.0.attn.hook_rot_k[:,1]=-0.5", "project:blocks.1.attn.hook_rot_k=value/0"], vector=10,
                  metric=ROPE_METRIC, also=("attn.hook_k",)),
    "keys": dict(texts=["add:blocks.0.attn.hook_k[2:5,0]=0.5", "zero:blocks.1.attn.hook_v[:,1]"], metric=ROPE_METRIC),
    "pre-linear": dict(texts=["scale:blocks.0.mlp.hook_pre_linear[:,3:9]=2"], metric=ROPE_METRIC),
    "gate": dict(texts=["set:blocks.0.mlp.hook_pre[-1,0:5]=0.75"], metric=ROPE_METRIC),
    "pattern": dict(texts=["set:blocks.0.attn.hook_pattern[2,-1,0]=1"], metric=ROPE_METRIC),
    "scores-range": dict(texts=["add:blocks.1.attn.hook_attn_scores[:,:,1:4]=-1.5"]),
    "result": dict(texts=["scale:blocks.1.attn.hook_result[:,0,{1,3}]=2"]),
    "q-input": dict(texts=["add:blocks.1.hook_q_input[4,1]=2*value/0"], vector=24, metric=ROPE_METRIC, also=("attn.hook_q",)),
    "k-input": dict(texts=["patch:blocks.0.hook_k_input[2:5,0]=B[0:3,0]"], metric=ROPE_METRIC, also=("attn.hook_k",)),
    "v-input": dict(texts=["zero:blocks.1.hook_v_input[:,1]"]),
    "mlp-in": dict(texts=["add:blocks.1.hook_mlp_in[2:4]=value/0"], vector=24),
    "ln-scale": dict(texts=["scale:blocks.1.ln1.hook_scale[3]=1.5", "set:ln_final.hook_scale[-1]=2"], metric=ROPE_METRIC),
    "freeze": dict(texts=["scale:hook_embed[1]=2", "freeze:blocks.0-1.attn.hook_pattern"]),
    "skip-attn": dict(texts=["skip:blocks.1.attn"]),
    "skip-mlp": dict(texts=["skip:blocks.0.mlp"], metric=ROPE_METRIC),
    "swap": dict(texts=["swap:blocks.0,blocks.1"]),
    "repeat": dict(texts=["repeat:blocks.0-1=2", "scale:blocks.0r1.hook_resid_pre[2]=0.5"]),
}

FEW_EDITS = {
    "zero-head": dict(texts=["zero:blocks.0.attn.hook_z[:,1]"]),
    "k-input": dict(texts=["scale:blocks.1.hook_k_input[3,0]=-1"], metric=SMALL_METRIC, also=("attn.hook_k",)),
    "rot-q": dict(texts=["add:blocks.1.attn.hook_rot_q[2:5,0,1]=1"], metric=SMALL_METRIC, also=("attn.hook_q",)),
    "neuron": dict(texts=["scale:blocks.0.mlp.hook_post[:,7]=3"]),
}

# The inputs on request are copies of the stream here, and hook_result is large. The patterns of `induction` are
# saturated, which leaves float32 no digits for the gradients of its scores, q and k.
NO_COPIES = ("hook_embed", "hook_pos_embed", "hook_resid_pre", "hook_resid_mid", "hook_resid_post", "hook_scale",
             "hook_normalized", "hook_out", "hook_q", "hook_k", "hook_v", "hook_attn_scores", "hook_pattern", "hook_z",
             "hook_attn_out", "hook_mlp_out", "hook_pre", "hook_post", "unembed.hook_in", "hook_rot_q", "hook_rot_k",
             "hook_pre_linear")

RANDOM = {
    "one_head": dict(
        seed=101, spread=0.3, hub_names=True, prompts=dict(A=7, B=9), metric=SMALL_METRIC, edits=SMALL_EDITS,
        sizes=dict(n_embd=20, n_head=1, n_layer=2, vocab_size=53, n_positions=32, activation_function="gelu_new",
                   layer_norm_epsilon=1e-5)),
    "three": dict(
        seed=202, spread=0.3, prompts=dict(A=9, B=11, C=6), metric=THREE_METRIC, edits=THREE_EDITS,
        metrics=("prob(#11)", "logprob(#42,3)/(2+entropy)", "loss", "-entropy(-2)*logit(#5,0)"),
        greedy_edited=dict(texts=["zero:blocks.0.attn.hook_z[:,1]", "add:blocks.1.hook_resid_post[3]=2*value/0"],
                           vector=24),
        sizes=dict(n_embd=24, n_head=3, n_layer=3, vocab_size=61, n_positions=40, activation_function="gelu_new",
                   layer_norm_epsilon=1e-5)),
    "inner": dict(
        seed=303, spread=0.25, prompts=dict(A=8, B=6), metric=SMALL_METRIC, edits=SMALL_EDITS,
        sizes=dict(n_embd=32, n_head=4, n_layer=2, n_inner=40, vocab_size=64, n_positions=48,
                   activation_function="gelu", layer_norm_epsilon=1e-3, scale_attn_by_inverse_layer_idx=True)),
    "limit": dict(
        seed=404, spread=0.35, prompts=dict(A=17, B=5), metric=SMALL_METRIC, edits=SMALL_EDITS, greedy=13,
        greedy_run="B",
        sizes=dict(n_embd=18, n_head=2, n_layer=2, vocab_size=120, n_positions=17, activation_function="relu",
                   layer_norm_epsilon=1e-4, tie_word_embeddings=False)),
    "llama_grouped": dict(
        family="llama", seed=505, spread=0.3, prompts=dict(A=7, B=8), metric=ROPE_METRIC, edits=ROPE_EDITS,
        metrics=("loss",), batch=(("hook_resid_post",),),
        greedy_edited=dict(texts=["zero:blocks.0.attn.hook_z[:,1]", "add:blocks.1.hook_resid_post[3]=2*value/0"],
                           vector=24),
        sizes=dict(hidden_size=24, num_attention_heads=4, num_key_value_heads=2, head_dim=10, intermediate_size=37,
                   num_hidden_layers=2, vocab_size=61, max_position_embeddings=40, rms_norm_eps=1e-5,
                   rope_parameters=dict(rope_type="default", rope_theta=10000.0))),
    "llama_biased": dict(
        family="llama", seed=606, spread=0.3, prompts=dict(A=8, B=6), metric=SMALL_METRIC, edits=FEW_EDITS,
        sizes=dict(hidden_size=20, num_attention_heads=2, num_key_value_heads=1, intermediate_size=28,
                   num_hidden_layers=2, vocab_size=53, max_position_embeddings=48, rms_norm_eps=1e-4,
                   attention_bias=True, mlp_bias=True, tie_word_embeddings=True,
                   rope_parameters=dict(rope_type="llama3", rope_theta=500.0, factor=4.0, low_freq_factor=1.0,
                                        high_freq_factor=3.0, original_max_position_embeddings=24))),
    "llama_limit": dict(
        family="llama", seed=707, spread=0.35, prompts=dict(A=17, B=5), metric=SMALL_METRIC, greedy=13,
        edits={kind: FEW_EDITS[kind] for kind in ("zero-head", "rot-q")}, batch=(("hook_resid_post",),),
        greedy_run="B", plain=NO_COPIES, grad=("hook_embed", "hook_resid_pre", "hook_rot_q", "hook_k", "hook_pre_linear"),
        sizes=dict(hidden_size=18, num_attention_heads=3, intermediate_size=21, num_hidden_layers=2, vocab_size=67,
                   max_position_embeddings=17, rms_norm_eps=1e-6, hidden_act="gelu",
                   rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=2.5))),
}

SHIPPED = {
    "demo": dict(
        prompts=dict(A="The capital of France is", B="The capital of Japan is",
                     C="When Mary and John went to the store, John gave a drink to"),
        answers=(" Paris", " Tokyo"), plain=NO_COPIES, greedy_run="C", greedy_on=True,
        grad=("hook_embed", "hook_resid_pre", "hook_resid_mid", "hook_resid_post", "attn.hook_z"),
        edits={
            "patch": dict(texts=["patch:blocks.1.hook_resid_pre[3]=B[3]"]),
            "zero-head": dict(texts=["zero:blocks.0.attn.hook_z[:,1]"]),
            "freeze": dict(texts=["scale:hook_embed[3]=2", "freeze:blocks.1-3.attn.hook_pattern"]),
        },
        batch=(("blocks.3.hook_resid_post", "blocks.2.attn.hook_z", "ln_final.hook_scale"),)),
    "induction": dict(
        prompts=dict(A=" red cat river key red cat", B=" river key cat red river key river key"),
        answers=(" river", " key"), greedy=8, plain=(*NO_COPIES, "hook_result"),
        grad=("hook_embed", "hook_resid_pre", "hook_resid_mid", "hook_resid_post", "attn.hook_z", "attn.hook_v",
              "hook_pattern"),
        edits={
            "zero-previous": dict(texts=["zero:blocks.0.attn.hook_z[:,0]"]),
            "zero-induction": dict(texts=["zero:blocks.1.attn.hook_z[:,0]"]),
            "patch": dict(texts=["patch:blocks.1.hook_resid_pre[2]=B[0]"]),
        },
        batch=(("hook_resid_post", "hook_attn_scores"),)),
}
