"""The mistakes of reference_prove.py for Llama: each changes a model on purpose and says what it did, or None where the
model has not the part."""
import torch
from transformers.activations import ACT2FN


def norms_of(model):
    layers = model.model.layers
    return [n for b in layers for n in (b.input_layernorm, b.post_attention_layernorm)] + [model.model.norm]


def widen(model):
    """The norms of transformers compute in float32 whatever the model is: in its own type for once."""
    def forward(norm, x):
        return norm.weight * (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + norm.variance_epsilon))
    for norm in norms_of(model):
        norm.forward = lambda x, norm=norm: forward(norm, x)


def wrong_activation(model):
    wrong = {"silu": "gelu", "gelu": "gelu_new"}[model.config.hidden_act]
    for block in model.model.layers:
        block.mlp.act_fn = ACT2FN[wrong]
    return f"{wrong} for {model.config.hidden_act}"


def wrong_eps(model):
    for norm in norms_of(model):
        norm.variance_epsilon *= 10
    return "eps x 10"


def centred_norm(model):
    def forward(norm, x):
        x = x - x.mean(-1, keepdim=True)
        return norm.weight * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + norm.variance_epsilon)
    for norm in norms_of(model):
        norm.forward = lambda x, norm=norm: forward(norm, x)
    return "norm takes the mean away"


def rotate(model, forward):
    """The rotation with other angles: forward(inv_freq, positions) gives them."""
    rotary = model.model.rotary_emb

    def embed(x, position_ids):
        angles = forward(rotary.inv_freq, position_ids[..., None].float())
        angles = torch.cat((angles, angles), -1)
        return angles.cos(), angles.sin()
    rotary.forward = embed


def rotated_pairs(model):
    """Neighbours rotate together, where halves should: rows of q and k in pairs order, and back afterwards."""
    d = model.config.head_dim
    order = torch.arange(d).view(2, -1).T.reshape(-1).argsort()
    for block in model.model.layers:
        for linear in (block.self_attn.q_proj, block.self_attn.k_proj):
            for weight in filter(lambda w: w is not None, (linear.weight, linear.bias)):
                parts = weight.data.view(-1, d, *weight.shape[1:])
                weight.data = parts[:, order].reshape(weight.shape)
    return "pairs rotate, not halves"


def wrong_base(model):
    rope, half = model.config.rope_parameters, model.config.head_dim // 2
    by = torch.arange(half) / half
    rotate(model, lambda inv, at: at * inv * 2 ** by)
    return f"base {rope['rope_theta']:g} halved"


def scaling_lost(model):
    rope = model.config.rope_parameters
    if rope["rope_type"] == "default":
        return None
    plain = rope["rope_theta"] ** -(torch.arange(0, model.config.head_dim, 2) / model.config.head_dim)
    rotate(model, lambda inv, at: at * plain)
    return f"{rope['rope_type']} scaling lost"


def not_blended(model):
    rope = model.config.rope_parameters
    if rope["rope_type"] != "llama3":
        return None
    plain = rope["rope_theta"] ** -(torch.arange(0, model.config.head_dim, 2) / model.config.head_dim)
    rotate(model, lambda inv, at: at * torch.where(inv == plain.float(), inv, plain / rope["factor"]))
    return "llama3 scaling without its blend"


def shifted_positions(model):
    rotate(model, lambda inv, at: (at + 1) * inv)
    return "positions from 1"


def rotated_backwards(model):
    rotate(model, lambda inv, at: -at * inv)
    return "rotated the other way"


def swapped_branches(model):
    for block in model.model.layers:
        block.mlp.gate_proj, block.mlp.up_proj = block.mlp.up_proj, block.mlp.gate_proj
    return "gate and linear branch swapped"


def interleaved_groups(model):
    """Head h reads key head h mod g, where it should be h div (h/g)."""
    c, e = model.config, model.config.head_dim
    if c.num_key_value_heads in (1, c.num_attention_heads):
        return None
    order = torch.arange(c.num_attention_heads).view(-1, c.num_key_value_heads).T.reshape(-1)
    for block in model.model.layers:
        a = block.self_attn
        a.q_proj.weight.data = a.q_proj.weight.data.view(-1, e, c.hidden_size)[order].reshape(a.q_proj.weight.shape)
        a.o_proj.weight.data = a.o_proj.weight.data.view(c.hidden_size, -1, e)[:, order].reshape(a.o_proj.weight.shape)
    return "key/value heads dealt out in turn"


def wrong_scaling(model):
    for block in model.model.layers:
        block.self_attn.scaling = (model.config.hidden_size // model.config.num_attention_heads + 1) ** -0.5
    return "scores by another width"


def biases_lost(model):
    if not model.config.attention_bias:
        return None
    for block in model.model.layers:
        block.self_attn.o_proj.bias.data.zero_()
        block.mlp.gate_proj.bias.data.zero_()
    return "biases of W_O and the gate lost"


def tied_anyway(model):
    if model.config.tie_word_embeddings:
        return None
    model.lm_head.weight.data = model.model.embed_tokens.weight.data
    return "lm_head taken as tied"


LLAMA_MISTAKES = (wrong_activation, wrong_eps, centred_norm, rotated_pairs, wrong_base, scaling_lost, not_blended,
                  shifted_positions, rotated_backwards, swapped_branches, interleaved_groups, wrong_scaling, biases_lost,
                  tied_anyway)


def llama_norm_after(model, tokens):
    """Every norm behind its part's sum."""
    body, n = model.model, len(tokens)
    x = body.embed_tokens(torch.tensor([tokens]))
    mask = torch.full((1, 1, n, n), torch.finfo(torch.float32).min).triu(1)
    turned = body.rotary_emb(x, torch.arange(n)[None])
    sites = {}
    for layer, block in enumerate(body.layers):
        x = block.input_layernorm(x + block.self_attn(x, position_embeddings=turned, attention_mask=mask)[0])
        x = block.post_attention_layernorm(x + block.mlp(x))
        sites[f"blocks.{layer}.hook_resid_post"] = x[0].detach()
    sites["unembed.hook_out"] = model.lm_head(body.norm(x))[0].detach()
    return sites
