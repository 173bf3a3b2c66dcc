"""The tiny decoders of tests/golden/families: sizes, and the edits at the sites that are special to a family.

A row: sizes (the config's fields that are not defaults), family (model_type, where it is not the row's name), tokens of the
prompt (7), spread of the weights, edits (file name: texts), fused (False: experts are stored one by one). Where a model has
several kinds of layers it has three. The sizes are odd on purpose: grouped heads, a head width that is not width / heads,
windows shorter than the prompt.
"""

ROPE = dict(rope_type="default", rope_theta=100.0)
SIZES = dict(hidden_size=16, num_attention_heads=4, num_hidden_layers=2, vocab_size=40, intermediate_size=22,
             max_position_embeddings=32)
GROUPED = dict(SIZES, num_key_value_heads=2, head_dim=6, rms_norm_eps=1e-4, rope_parameters=ROPE)

HEAD = ["scale:blocks.0.attn.hook_z[:,1]=-1.5"]
ROTATED = ["add:blocks.1.attn.hook_rot_k[2:5,0,1]=1", "scale:blocks.0.attn.hook_rot_q[:,2]=0.5"]
SCORES = ["add:blocks.1.attn.hook_attn_scores[:,:,1:4]=-1.5"]
PATTERN = ["set:blocks.1.attn.hook_pattern[2,-1,-2]=1", "scale:blocks.0.attn.hook_pattern[:,3,:]=0.5"]
MLP = ["set:blocks.0.hook_mlp_in[3]=0.75", "scale:blocks.1.mlp.hook_post[:,7]=3"]
NORMS = ["scale:blocks.1.ln1.hook_scale[3]=1.5", "zero:blocks.0.ln2.hook_normalized[:,3]", "add:ln_final.hook_out[-1]=0.5"]
HEAD_NORMS = ["set:blocks.0.attn.q_norm.hook_normalized[:,1,2]=0.5", "scale:blocks.1.attn.k_norm.hook_normalized[3]=-1"]

DECODERS = {
    "gpt_neox": dict(
        sizes=dict(SIZES, hidden_size=32, hidden_act="gelu", layer_norm_eps=1e-3, rope_parameters=dict(
            ROPE, partial_rotary_factor=0.25)),
        edits=dict(rotated=ROTATED, mlp=MLP, norms=NORMS)),
    "gpt_neox_sequential": dict(
        family="gpt_neox",
        sizes=dict(SIZES, hidden_size=24, use_parallel_residual=False, attention_bias=False, hidden_act="gelu_fast",
                   tie_word_embeddings=True, rope_parameters=dict(ROPE, partial_rotary_factor=0.7)),
        edits=dict(head=HEAD, middle=["scale:blocks.0.hook_resid_mid[2]=-1"])),
    "gptj": dict(
        sizes=dict(n_embd=24, n_head=3, n_layer=2, n_positions=32, vocab_size=40, rotary_dim=4, n_inner=22,
                   layer_norm_epsilon=1e-3),
        edits=dict(rotated=ROTATED, mlp=MLP, norms=NORMS)),
    "gpt_neo": dict(
        sizes=dict(hidden_size=16, num_heads=4, num_layers=3, vocab_size=40, intermediate_size=22, window_size=3,
                   max_position_embeddings=32, attention_types=[[["local"], 1], [["global", "local"], 1]],
                   layer_norm_epsilon=1e-4),
        edits=dict(scores=SCORES, pattern=PATTERN)),
    "opt": dict(
        sizes=dict(SIZES, ffn_dim=22, pad_token_id=0, intermediate_size=None),
        edits=dict(embed=["zero:hook_pos_embed[2]", "scale:hook_embed[1:3]=0.5"], head=HEAD)),
    "opt_post": dict(
        family="opt",
        sizes=dict(SIZES, ffn_dim=22, pad_token_id=0, do_layer_norm_before=False, word_embed_proj_dim=10,
                   tie_word_embeddings=True, activation_function="gelu", intermediate_size=None),
        edits=dict(norms=["scale:blocks.1.ln1.hook_scale[3]=1.5", "zero:blocks.0.ln2.hook_normalized[:,3]"],
                   streams=["scale:blocks.0.hook_resid_mid[2]=-1", "add:blocks.0.hook_resid_post[4]=0.5",
                            "scale:blocks.1.hook_normalized_resid_post[-1]=2"])),
    "bloom": dict(
        sizes=dict(hidden_size=24, n_head=6, n_layer=2, vocab_size=40, layer_norm_epsilon=1e-4),
        edits=dict(scores=SCORES, embed=["scale:embed.ln.hook_scale[2]=2", "scale:hook_embed[1:3]=0.5",
                                         "zero:embed.ln.hook_out[4]"])),
    "mistral": dict(
        sizes=dict(GROUPED, sliding_window=4), edits=dict(rotated=ROTATED, pattern=PATTERN)),
    "qwen2": dict(
        sizes=dict(SIZES, num_key_value_heads=2, num_hidden_layers=3, rms_norm_eps=1e-4, rope_parameters=ROPE,
                   use_sliding_window=True, sliding_window=4, max_window_layers=1, tie_word_embeddings=True),
        edits=dict(keys=["add:blocks.0.attn.hook_k[2:5,0]=0.5", "zero:blocks.1.attn.hook_v[:,1]"])),
    "qwen3": dict(
        sizes=dict(GROUPED, num_key_value_heads=1, use_sliding_window=True, sliding_window=3, max_window_layers=1,
                   attention_bias=True),
        edits=dict(norms=HEAD_NORMS, rotated=ROTATED)),
}
