"""The tiny decoders of tests/golden/families: sizes, and the edits at the sites that are special to a family.

A row: sizes (the config's fields that are not defaults), family (model_type, where it is not the row's name), tokens of the
prompt (7), spread of the weights, seed (0; added to one made of the name), edits (file name: texts), values (vectors that
these read as value/0), also (more prompts, file plain-NAME: the first so many tokens), published (fields put into
config.json, None: taken out, so that it is spelled as checkpoints of before transformers 5 are). Where a model has several
kinds of layers it has three. The sizes are odd on purpose: grouped heads, a head width that is not width / heads, windows
shorter than the prompt.
"""

ROPE = dict(rope_type="default", rope_theta=100.0)
SIZES = dict(hidden_size=16, num_attention_heads=4, num_hidden_layers=2, vocab_size=40, intermediate_size=22,
             max_position_embeddings=32)
GROUPED = dict(SIZES, num_key_value_heads=2, head_dim=6, rms_norm_eps=1e-4, rope_parameters=ROPE)

HEAD = ["scale:blocks.0.attn.hook_z[:,1]=-1.5"]
ROTATED = ["add:blocks.1.attn.hook_rot_k[2:5,0,1]=1", "scale:blocks.0.attn.hook_rot_q[:,1]=0.5"]
SCORES = ["add:blocks.1.attn.hook_attn_scores[:,:,1:4]=-1.5"]
PATTERN = ["set:blocks.1.attn.hook_pattern[2,-1,-2]=1", "scale:blocks.0.attn.hook_pattern[:,3,:]=0.5"]
MLP = ["set:blocks.0.hook_mlp_in[3]=0.75", "scale:blocks.1.mlp.hook_post[:,7]=3"]
NORMS = ["scale:blocks.1.ln1.hook_scale[3]=1.5", "zero:blocks.0.ln2.hook_normalized[:,3]", "add:ln_final.hook_out[-1]=0.5"]
HEAD_NORMS = ["set:blocks.0.attn.q_norm.hook_normalized[:,1,2]=0.5", "scale:blocks.1.attn.k_norm.hook_normalized[3]=-1"]

DECODERS = {
    "gpt_neox": dict(
        sizes=dict(SIZES, hidden_size=32, num_attention_heads=2, hidden_act="gelu", layer_norm_eps=1e-3,
                   rope_parameters=dict(ROPE, partial_rotary_factor=0.25)),
        edits=dict(rotated=ROTATED, mlp=MLP, norms=NORMS)),
    "gpt_neox_sequential": dict(
        family="gpt_neox",
        sizes=dict(SIZES, hidden_size=24, use_parallel_residual=False, attention_bias=False, hidden_act="gelu_fast",
                   tie_word_embeddings=True, rope_parameters=dict(ROPE, partial_rotary_factor=0.7)),
        published=dict(rope_parameters=None, rotary_pct=0.7, rotary_emb_base=100),
        edits=dict(head=HEAD, middle=["scale:blocks.0.hook_resid_mid[2]=-1"])),
    "gpt_bigcode": dict(
        sizes=dict(n_embd=24, n_head=4, n_layer=2, n_positions=32, vocab_size=40, n_inner=22, layer_norm_epsilon=1e-3),
        edits=dict(keys=["add:blocks.0.attn.hook_k[2:5,0]=0.5", "zero:blocks.1.attn.hook_v[:,0]"], mlp=MLP, norms=NORMS)),
    "gpt_bigcode_heads": dict(
        family="gpt_bigcode",
        sizes=dict(n_embd=20, n_head=4, n_layer=2, n_positions=32, vocab_size=40, n_inner=22, multi_query=False,
                   scale_attn_weights=False, activation_function="gelu", tie_word_embeddings=False),
        edits=dict(head=HEAD)),
    "gptj": dict(
        sizes=dict(n_embd=24, n_head=3, n_layer=2, n_positions=32, vocab_size=40, rotary_dim=4, n_inner=22,
                   layer_norm_epsilon=1e-3),
        edits=dict(rotated=ROTATED, mlp=MLP, norms=NORMS)),
    "gpt_neo": dict(
        sizes=dict(hidden_size=16, num_heads=4, num_layers=3, vocab_size=40, intermediate_size=22, window_size=3,
                   max_position_embeddings=32, attention_types=[[["local"], 1], [["global", "local"], 1]],
                   layer_norm_epsilon=1e-4), seed=1,
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
        sizes=dict(GROUPED, sliding_window=4), published=dict(rope_parameters=None, rope_theta=100.0),
        edits=dict(rotated=ROTATED, pattern=PATTERN)),
    "qwen2": dict(
        sizes=dict(SIZES, num_key_value_heads=2, num_hidden_layers=3, rms_norm_eps=1e-4, rope_parameters=ROPE,
                   use_sliding_window=True, sliding_window=4, max_window_layers=1, tie_word_embeddings=True),
        published=dict(layer_types=None, rope_parameters=None, rope_theta=100.0),
        edits=dict(keys=["add:blocks.0.attn.hook_k[2:5,0]=0.5", "zero:blocks.1.attn.hook_v[:,1]"])),
    "qwen3": dict(
        sizes=dict(GROUPED, num_key_value_heads=1, use_sliding_window=True, sliding_window=3, max_window_layers=1,
                   attention_bias=True),
        edits=dict(norms=HEAD_NORMS, rotated=ROTATED)),
    "opt_bare": dict(
        family="opt",
        sizes=dict(SIZES, ffn_dim=22, pad_token_id=0, enable_bias=False, layer_norm_elementwise_affine=False,
                   _remove_final_layer_norm=True, tie_word_embeddings=False, intermediate_size=None),
        edits=dict(mlp=MLP)),
    "phi": dict(
        sizes=dict(SIZES, hidden_size=32, num_key_value_heads=2, hidden_act="gelu_new", layer_norm_eps=1e-3,
                   rope_parameters=dict(ROPE, partial_rotary_factor=0.5)),
        published=dict(rope_parameters=None, rope_theta=100.0, partial_rotary_factor=0.5), seed=1,
        edits=dict(rotated=ROTATED, mlp=MLP, norms=NORMS)),
    "phi_qk": dict(
        family="phi",
        sizes=dict(SIZES, hidden_size=24, num_attention_heads=3, qk_layernorm=True, hidden_act="gelu", rope_parameters=dict(
            ROPE, partial_rotary_factor=0.75)),
        edits=dict(norms=HEAD_NORMS)),
    "phi3": dict(
        sizes=dict(SIZES, hidden_size=24, num_key_value_heads=2, rms_norm_eps=1e-4, pad_token_id=0, sliding_window=5,
                   max_position_embeddings=20, original_max_position_embeddings=5, rope_parameters=dict(
                       rope_type="longrope", rope_theta=100.0, partial_rotary_factor=0.67,
                       short_factor=[1.1, 1.3], long_factor=[2.0, 7.5])),
        published=dict(rope_parameters=None, rope_theta=100.0, partial_rotary_factor=0.67, rope_scaling=dict(
            type="longrope", short_factor=[1.1, 1.3], long_factor=[2.0, 7.5])),
        also=dict(short=3), edits=dict(rotated=ROTATED, mlp=["scale:blocks.0.mlp.hook_pre_linear[:,3:9]=2",
                                                             "set:blocks.1.mlp.hook_pre[-1,0:5]=0.75"])),
    "gemma": dict(
        sizes=dict(GROUPED, num_key_value_heads=1, pad_token_id=0), spread=0.25,
        published=dict(hidden_act="gelu", rope_parameters=None, rope_theta=100.0),
        edits=dict(embed=["scale:hook_embed[1:3]=0.5"], norms=NORMS)),
    "gemma2": dict(
        sizes=dict(GROUPED, num_hidden_layers=3, pad_token_id=0, sliding_window=3, query_pre_attn_scalar=10,
                   attn_logit_softcapping=3.0, final_logit_softcapping=2.0), spread=0.25,
        published=dict(layer_types=None, rope_parameters=None, rope_theta=100.0),
        edits=dict(scores=SCORES, post=["scale:blocks.1.ln1_post.hook_scale[3]=1.5",
                                        "zero:blocks.0.ln2_post.hook_normalized[:,3]",
                                        "scale:blocks.2.hook_mlp_out[2]=-1"])),
    "gemma3": dict(
        family="gemma3_text",
        sizes=dict(GROUPED, num_hidden_layers=3, pad_token_id=0, sliding_window=3, query_pre_attn_scalar=10,
                   layer_types=["sliding_attention", "sliding_attention", "full_attention"], rope_parameters=dict(
                       full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1000.0),
                       sliding_attention=dict(rope_type="default", rope_theta=50.0))), spread=0.25,
        edits=dict(norms=HEAD_NORMS, rotated=ROTATED)),
    "gemma3_published": dict(
        family="gemma3_text",
        sizes=dict(GROUPED, num_key_value_heads=1, num_hidden_layers=3, pad_token_id=0, sliding_window=4,
                   query_pre_attn_scalar=10, final_logit_softcapping=2.0, attention_bias=True,
                   layer_types=["sliding_attention", "full_attention", "sliding_attention"], rope_parameters=dict(
                       full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1000.0),
                       sliding_attention=dict(rope_type="default", rope_theta=50.0))), spread=0.25, seed=1,
        published=dict(layer_types=None, sliding_window_pattern=2, rope_parameters=None, rope_theta=1000.0,
                       rope_local_base_freq=50.0, rope_scaling=dict(rope_type="linear", factor=8.0)),
        edits=dict(post=["scale:blocks.1.ln1_post.hook_scale[3]=1.5"])),
    "olmo": dict(
        sizes=dict(SIZES, num_key_value_heads=2, pad_token_id=0, clip_qkv=1.5, rope_parameters=ROPE),
        published=dict(rope_parameters=None, rope_theta=100.0),
        edits=dict(clipped=["set:blocks.0.attn.hook_q[3,1]=2", "scale:blocks.1.attn.hook_v[:,0]=3",
                            "add:blocks.1.attn.hook_k[2]=0.5"], norms=NORMS)),
    "olmo2": dict(
        sizes=dict(SIZES, num_key_value_heads=2, pad_token_id=0, attention_bias=True, rms_norm_eps=1e-4,
                   rope_parameters=ROPE),
        edits=dict(norms=HEAD_NORMS, post=[
            "scale:blocks.1.ln1_post.hook_scale[3]=1.5", "scale:blocks.0.hook_resid_mid[2]=-1",
            "set:blocks.0.hook_mlp_in[3]=0.75", "zero:blocks.0.ln2_post.hook_normalized[:,3]"])),
    "stablelm": dict(
        sizes=dict(SIZES, hidden_size=32, num_key_value_heads=2, use_qkv_bias=True, layer_norm_eps=1e-3,
                   rope_parameters=dict(ROPE, partial_rotary_factor=0.51)),
        published=dict(rope_parameters=None, rope_theta=100.0, partial_rotary_factor=0.51),
        edits=dict(rotated=ROTATED, mlp=MLP)),
    "stablelm_parallel": dict(
        family="stablelm",
        sizes=dict(SIZES, num_key_value_heads=2, qk_layernorm=True, use_parallel_residual=True, tie_word_embeddings=True,
                   hidden_act="gelu", rope_parameters=dict(ROPE, partial_rotary_factor=1.0)),
        edits=dict(norms=HEAD_NORMS, mlp=MLP)),
    "falcon": dict(
        sizes=dict(SIZES, ffn_hidden_size=22, intermediate_size=None, layer_norm_epsilon=1e-3, rope_parameters=ROPE),
        published=dict(rope_parameters=None, rope_theta=100.0),
        edits=dict(rotated=ROTATED, norms=NORMS)),
    "falcon_alibi": dict(
        family="falcon",
        sizes=dict(SIZES, hidden_size=24, num_attention_heads=12, ffn_hidden_size=22, intermediate_size=None, alibi=True,
                   bias=True, multi_query=False, parallel_attn=False, activation="gelu_new", tie_word_embeddings=False),
        edits=dict(scores=SCORES)),
    "falcon_new": dict(
        family="falcon",
        sizes=dict(SIZES, num_kv_heads=2, ffn_hidden_size=22, intermediate_size=None, new_decoder_architecture=True,
                   num_ln_in_parallel_attn=2, bias=True, rope_parameters=ROPE),
        edits=dict(keys=["add:blocks.0.attn.hook_k[2:5,0]=0.5", "zero:blocks.1.attn.hook_v[:,1]"], norms=NORMS)),
    "falcon_shared": dict(
        family="falcon",
        sizes=dict(SIZES, num_kv_heads=2, ffn_hidden_size=22, intermediate_size=None, new_decoder_architecture=True,
                   num_ln_in_parallel_attn=1, rope_parameters=ROPE), seed=1,
        edits=dict(mlp=MLP)),
    "starcoder2": dict(
        sizes=dict(SIZES, num_key_value_heads=2, norm_epsilon=1e-3, sliding_window=4, hidden_act="gelu_pytorch_tanh",
                   rope_parameters=ROPE),
        published=dict(rope_parameters=None, rope_theta=100.0),
        edits=dict(rotated=ROTATED, pattern=PATTERN)),
    "llama_dynamic": dict(
        family="llama",
        sizes=dict(GROUPED, max_position_embeddings=5, rope_parameters=dict(
            rope_type="dynamic", rope_theta=100.0, factor=4.0)),
        published=dict(rope_parameters=None, rope_theta=100.0, rope_scaling=dict(type="dynamic", factor=4.0)),
        also=dict(short=3), edits=dict(rotated=ROTATED)),
    "llama_yarn": dict(
        family="llama",
        sizes=dict(GROUPED, head_dim=10, max_position_embeddings=128, rope_parameters=dict(
            rope_type="yarn", rope_theta=100.0, factor=4.0, beta_fast=1.0, beta_slow=0.1, mscale=0.9, mscale_all_dim=0.3,
            original_max_position_embeddings=32)),
        edits=dict(rotated=ROTATED)),
    "mixtral": dict(
        sizes=dict(GROUPED, intermediate_size=10, num_local_experts=5, num_experts_per_tok=2, sliding_window=4), seed=1,
        published=dict(rope_parameters=None, rope_theta=100.0),
        edits=dict(router=["scale:blocks.0.mlp.hook_expert_weights[:,1]=3"],
                   forced=["set:blocks.1.mlp.hook_expert_indices[3]=value/0"]), values=dict(forced=[[0, 3]])),
    "qwen3_moe": dict(
        sizes=dict(GROUPED, num_hidden_layers=4, moe_intermediate_size=8, num_experts=6, num_experts_per_tok=3,
                   norm_topk_prob=True, mlp_only_layers=[3], decoder_sparse_step=2, attention_bias=True),
        edits=dict(router=["zero:blocks.1.mlp.hook_expert_weights[:,{1,4}]"],
                   dense=["scale:blocks.3.mlp.hook_post[:,7]=3"])),
    "olmoe": dict(
        sizes=dict(SIZES, num_key_value_heads=2, intermediate_size=10, pad_token_id=0, num_experts=5, num_experts_per_tok=2,
                   rms_norm_eps=1e-4, norm_topk_prob=False, rope_parameters=ROPE),
        edits=dict(router=["scale:blocks.0.mlp.hook_expert_weights[:,1]=3"], norms=HEAD_NORMS)),
    "gpt_oss": dict(
        sizes=dict(GROUPED, num_hidden_layers=3, max_position_embeddings=128, intermediate_size=10, num_local_experts=5,
                   num_experts_per_tok=2, sliding_window=3, swiglu_limit=0.8, rope_parameters=dict(
                       rope_type="yarn", rope_theta=150.0, factor=4.0, beta_fast=1.0, beta_slow=0.1, truncate=False,
                       original_max_position_embeddings=32)),
        edits=dict(pattern=PATTERN, forced=["set:blocks.1.mlp.hook_expert_indices[3]=value/0"]),
        values=dict(forced=[[0, 3]])),
}
