"""Proof that the tiny decoders of tests/golden/families notice mistakes: each is made on purpose, in the reference, and must
break the tolerances of interface.md 7.

A mistake is a change of the config (the same weights are read with it), or a function that changes the model. A line
says how many times the tolerance the worst site is off, and the logits ("mask": other entries are
masked). The first line of a model is no mistake: the same run in double precision.
"""
import sys
from contextlib import ExitStack, contextmanager

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode
from transformers import AutoConfig
from transformers.activations import ACT2FN

import reference_run
from reference_decoders import DecoderRun, Norm, at
from reference_family import Family

NOISE = 0.3        # of the tolerance, at most, may be float32's own rounding


# Changes of a model. Each gets the run's DecoderRun of that model, to find modules by the family's row, and an ExitStack.

def parts(run, *names):
    """The modules of these names in every block, and in its attention."""
    for block in run.blocks:
        for name in names:
            for owner in (block, at(block, run.row["attn"])):
                if run.row.get(name) and at(owner, run.row[name]) is not None:
                    yield at(owner, run.row[name])


def attentions(run):
    return [at(block, run.row["attn"]) for block in run.blocks]


def modeling(run):
    return sys.modules[type(run.model).__module__]


def replace(undo, owner, name, new):
    undo.callback(setattr, owner, name, getattr(owner, name))
    setattr(owner, name, new)


def eps_tenfold(run, undo):
    for module in run.model.modules():
        for name in ("eps", "variance_epsilon"):
            if hasattr(module, name):
                setattr(module, name, getattr(module, name) * 10)


def scaled_otherwise(run, undo):
    """By the width that one head less would have."""
    width = run.model.config.hidden_size / (run.heads.count + 1)
    for attn in attentions(run):
        for name, value in (("scaling", width ** -0.5), ("scale_attn", width ** 0.5), ("inv_norm_factor", width ** -0.5)):
            if hasattr(attn, name):
                setattr(attn, name, value)


def scaled_at_all(run, undo):
    """GPT-Neo, which does not scale."""
    for attn in attentions(run):
        real = attn._attn
        attn._attn = lambda q, k, v, mask=None, real=real: real(q * run.heads.width ** -0.5, k, v, mask)


def turned(order, rotate):
    """A rotation with the first numbers of a head in another order, and back."""
    def one(x, order):
        return torch.cat([x[..., order], x[..., len(order):]], -1)

    def both(q, k, cos, sin, *rest, **more):
        n = order(cos, q)
        back = n.argsort()
        return tuple(one(x, back) for x in rotate(one(q, n), one(k, n), cos, sin, *rest, **more))
    return both


def pairs_rotate(run, undo):
    """Neighbours rotate together, where halves should."""
    module = modeling(run)

    def order(cos, q):
        n = cos.shape[-1] * (2 if run.model.config.model_type == "gpt_oss" else 1)
        return torch.arange(n).view(-1, 2).T.reshape(-1)
    replace(undo, module, "apply_rotary_pos_emb", turned(order, module.apply_rotary_pos_emb))


def halves_rotate(run, undo):
    """GPT-J: halves rotate together, where neighbours should."""
    module = modeling(run)
    real = module.apply_rotary_pos_emb

    def rotate(x, sin, cos):
        order = torch.arange(x.shape[-1]).view(2, -1).T.reshape(-1)
        return real(x[..., order], sin, cos)[..., order.argsort()]
    replace(undo, module, "apply_rotary_pos_emb", rotate)


def rows_moved(*names, how):
    """The rows of a fused product in another order."""
    def change(run, undo):
        for module in parts(run, *names):
            order = how(run, torch.arange(module.weight.shape[0]))
            for weight in filter(lambda w: w is not None, (module.weight, module.bias)):
                weight.data = weight.data[order]
    return change


def as_parts(run, rows):
    """As if [all q; all k; all v] were stored."""
    n, heads = run.heads.count // run.heads.groups, run.heads
    grouped = rows.view(heads.groups, n + 2, heads.width)
    wrong = torch.empty_like(grouped)
    q, k, v = rows.view(-1, heads.width).split([heads.count, heads.groups, heads.groups])
    wrong[:, :n] = q.view(heads.groups, n, heads.width)
    wrong[:, n], wrong[:, n + 1] = k, v
    return wrong.reshape(-1)


def as_groups(run, rows):
    """As if [group][q .., k, v] were stored."""
    n, heads = run.heads.count // run.heads.groups, run.heads
    q, k, v = rows.view(heads.groups, n + 2, heads.width).split([n, 1, 1], 1)
    return torch.cat([x.reshape(-1) for x in (q, k, v)])


def keys_in_turn(run, undo):
    """Head h reads key head h mod g, where it should be h div (h/g)."""
    order = torch.arange(run.heads.count).view(-1, run.heads.groups).T.reshape(-1)
    module = modeling(run)
    real = module.repeat_kv
    replace(undo, module, "repeat_kv", lambda x, n: real(x, n)[:, order.argsort()])


def without_bias(*names):
    def change(run, undo):
        for module in parts(run, *names):
            module.bias.data.zero_()
    return change


def head_bias_lost(run, undo):
    run.model.get_output_embeddings().bias.data.zero_()


def tied(run, undo):
    run.model.get_output_embeddings().weight.data = run.model.get_input_embeddings().weight.data


def one_lost(run, undo):
    """Gemma's norms without the 1 that they add."""
    for module in run.model.modules():
        if Norm(module).one_more and "RMSNorm" in type(module).__name__:
            module.weight.data -= 1


def embedding_unscaled(run, undo):
    run.model.get_input_embeddings().embed_scale.fill_(1.0)


def activation(name):
    def change(run, undo):
        for module in list(run.model.modules()):
            for place in ("act", "act_fn", "activation_fn", "gelu_impl"):
                if isinstance(getattr(module, place, None), torch.nn.Module):
                    setattr(module, place, ACT2FN[name])
    return change


def norm_swapped(first, second):
    def change(run, undo):
        for a, b in zip(parts(run, first), parts(run, second)):
            a.weight.data, b.weight.data = b.weight.data, a.weight.data
    return change


def head_by_head(run, undo):
    """OLMo 2: q and k normed head by head, where the whole projection should be."""
    for module in parts(run, "q_norm", "k_norm"):
        def forward(x, module=module):
            heads = x.view(*x.shape[:-1], -1, run.heads.width)
            scale = torch.rsqrt(heads.square().mean(-1, keepdim=True) + module.variance_epsilon)
            return (heads * scale).view(x.shape) * module.weight
        module.forward = forward


def norm_behind_rotation(run, undo):
    """q and k rotated first, normed then."""
    module = modeling(run)
    real = module.apply_rotary_pos_emb
    norms = [(a.q_norm, a.k_norm) for a in attentions(run)]
    kept, at_layer = [(q.forward, k.forward) for q, k in norms], iter(range(len(norms)))
    for pair in norms:
        for norm in pair:
            norm.forward = lambda x: x

    def rotate(q, k, *rest, **more):
        layer = next(at_layer)
        return tuple(norm(x) for norm, x in zip(kept[layer], real(q, k, *rest, **more)))
    replace(undo, module, "apply_rotary_pos_emb", rotate)


def first_head_for_all(run, undo):
    for module in parts(run, "q_norm", "k_norm"):
        for norm in module.norms:
            norm.weight.data = module.norms[0].weight.data


def offset_lost(run, undo):
    at(run.body, run.row["positions"]).offset = 0


def plain_powers(heads):
    return 2.0 ** (-8.0 / heads * torch.arange(1, heads + 1))


def bloom_powers(run, undo):
    """Slopes 2^(-8 i / heads) for a number of heads that is no power of two."""
    replace(undo, modeling(run), "_get_alibi_slopes", lambda heads, device: plain_powers(heads))


def falcon_slopes(slopes):
    def change(run, undo):
        module = modeling(run)

        def build(mask, heads, dtype):
            return (slopes(module, heads)[:, None] * torch.arange(mask.shape[1])).view(heads, 1, -1).to(dtype)
        replace(undo, module, "build_alibi_tensor", build)
    return change


def exact_slopes(module, heads):
    """Falcon rounds slopes and biases to bfloat16; this does not."""
    from transformers.models.bloom.modeling_bloom import _get_alibi_slopes
    return _get_alibi_slopes(heads, None)


def alibi_twice(run, undo):
    """What eager attention does in transformers 5."""
    run.row["mask_alone"] = False


def cos_sin(change):
    """The rotation's angles, or its factor, made otherwise: change(rotary, model)."""
    def apply(run, undo):
        change(run.body.rotary_emb, run.model.config)
    return apply


def factor_lost(rotary, config):
    rotary.attention_scaling = 1.0


def short_for_long(rotary, config):
    rotary.long_inv_freq = rotary.original_inv_freq


def whole_context(rotary, config):
    """The base of the longest run that there may be, whatever this run's length."""
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
    most = int(config.max_position_embeddings * config.rope_parameters["factor"])
    rotary.original_inv_freq = ROPE_INIT_FUNCTIONS["dynamic"](config, seq_len=most)[0]
    rotary.original_max_seq_len = most


def router_with(answer):
    def change(run, undo):
        for module in parts(run, "router"):
            module.forward = lambda x, module=module: answer(module, x)
    return change


def logits_of(module, x):
    return F.linear(x.reshape(-1, x.shape[-1]), module.weight, getattr(module, "bias", None))


def not_renormalised(module, x):
    logits = logits_of(module, x)
    values, order = torch.topk(F.softmax(logits, -1), module.top_k, dim=-1)
    return logits, values, order


def each_the_same(module, x):
    logits, values, order = not_renormalised(module, x)
    return logits, torch.full_like(values, 1 / module.top_k), order


def branches_swapped(run, undo):
    for block in run.blocks:
        both = block.mlp.experts.gate_up_proj if hasattr(block.mlp, "experts") else block.mlp.gate_up_proj.weight
        axis = both.dim() - 2
        both.data = torch.cat(both.data.chunk(2, axis)[::-1], axis)


def plain_branches_swapped(run, undo):
    for block in run.blocks:
        if hasattr(block.mlp, "gate_proj"):
            block.mlp.gate_proj, block.mlp.up_proj = block.mlp.up_proj, block.mlp.gate_proj


def gate_in_halves(run, undo):
    """gpt_oss: gate and linear branch as halves, where they are by turns."""
    for block in run.blocks:
        experts = block.mlp.experts
        for weight in (experts.gate_up_proj, experts.gate_up_proj_bias):
            n = weight.shape[-1]
            weight.data = weight.data[..., torch.arange(n).view(2, -1).T.reshape(-1)]


def linear_without_one(run, undo):
    for block in run.blocks:
        experts = block.mlp.experts

        def gate(gate_up, experts=experts):
            gate, up = gate_up[..., ::2].clamp(max=experts.limit), gate_up[..., 1::2].clamp(-experts.limit, experts.limit)
            return up * gate * torch.sigmoid(gate * experts.alpha)
        experts._apply_gate = gate


def sinks_lost(run, undo):
    for attn in attentions(run):
        attn.sinks.data.fill_(-1e9)


def embedding_norm_lost(run, undo):
    at(run.body, run.row["embed_norm"]).forward = lambda x: x


def rope(**fields):
    """A change of rope_parameters, in every kind of layer that has its own."""
    def change(config):
        old = config.rope_parameters
        nested = any(isinstance(v, dict) for v in old.values())
        return dict(rope_parameters={k: {**v, **fields} for k, v in old.items()} if nested else {**old, **fields})
    return change


def bases_swapped(config):
    old = config.rope_parameters
    return dict(rope_parameters=dict(full_attention={**old["full_attention"], "rope_theta": 50.0},
                                     sliding_attention={**old["sliding_attention"], "rope_theta": 1000.0}))


def kinds_swapped(config):
    other = {"full_attention": "sliding_attention", "sliding_attention": "full_attention"}
    return dict(layer_types=[other[kind] for kind in config.layer_types])


def window(by):
    return lambda config: dict(sliding_window=config.sliding_window + by)


WINDOW = [("window one wider", window(1)), ("window one narrower", window(-1))]
PAIRS = ("pairs rotate, not halves", pairs_rotate)
BASE = ("base doubled", rope(rope_theta=200.0))
TURN = ("key heads dealt out in turn", keys_in_turn)
SCALE = ("scores scaled otherwise", scaled_otherwise)
TIED = ("head taken as tied", tied)
LAYOUT = ("q, k, v read as three parts", rows_moved("fused", how=as_parts))
NORMS = ("norms behind the parts swapped", norm_swapped("ln1_post", "ln2_post"))
OTHERS = ("window in the other layers", kinds_swapped)
BRANCHES = ("gate and linear branch swapped", branches_swapped)
UNSCALED = ("embedding not scaled", embedding_unscaled)
UNCAPPED = ("logits not capped", dict(final_logit_softcapping=None))
ERF = ("gelu by erf", activation("gelu"))
TANH = ("gelu by tanh", activation("gelu_new"))
WHOLE = ("the whole head rotates", rope(partial_rotary_factor=1.0))
IN_LINE = ("attention before MLP", dict(use_parallel_residual=False))
ONE = ("norms without their 1", one_lost)
HEADS_NORMED = ("q and k normed behind the rotation", norm_behind_rotation)
UNBIASED = ("biases of q, k, v lost", without_bias("q", "k", "v"))
YARN = [("attention factor lost", cos_sin(factor_lost)), ("no scaling", rope(rope_type="default")),
        ("truncate the other way", lambda c: rope(truncate=not c.rope_parameters.get("truncate", True))(c)),
        ("beta_fast 32", rope(beta_fast=32.0))]

MISTAKES = {
    "gpt_bigcode": [ERF, SCALE, ("biases of W_O lost", without_bias("out"))],
    "gpt_bigcode_heads": [LAYOUT, TANH, TIED],
    "gpt_neox": [IN_LINE, WHOLE, PAIRS, LAYOUT, TANH, SCALE, TIED, BASE,
                 ("biases of W_O lost", without_bias("out"))],
    "gpt_neox_sequential": [("attention beside MLP", dict(use_parallel_residual=True)), WHOLE, ERF],
    "gptj": [("halves rotate, not pairs", halves_rotate), ("two numbers more rotate", dict(rotary_dim=6)), ERF, SCALE, TIED,
             ("bias of the head lost", head_bias_lost)],
    "gpt_neo": [("window one wider", dict(window_size=4)), ("window one narrower", dict(window_size=2)),
                ("scores scaled", scaled_at_all), ("global where local", dict(attention_layers=["global"] * 3)),
                ("biases of W_O lost", without_bias("out")), ERF],
    "opt": [("positions from row 0", offset_lost), ERF, SCALE, UNBIASED],
    "opt_post": [("positions from row 0", offset_lost), ("relu for gelu", activation("relu")), SCALE],
    "opt_bare": [("positions from row 0", offset_lost), TIED],
    "bloom": [("slopes as of a power of two", bloom_powers), LAYOUT, ERF, SCALE,
              ("embedding norm lost", embedding_norm_lost)],
    "mistral": [*WINDOW, BASE, PAIRS, TURN, SCALE, TIED],
    "qwen2": [*WINDOW, ("window in every layer", dict(layer_types=["sliding_attention"] * 3)), UNBIASED, PAIRS, TURN],
    "qwen3": [*WINDOW, HEADS_NORMED, SCALE, PAIRS, UNBIASED,
              ("norms of q and k swapped", norm_swapped("q_norm", "k_norm"))],
    "phi": [WHOLE, PAIRS, TURN, ERF, ("bias of the head lost", head_bias_lost), UNBIASED],
    "phi_qk": [("norms of q and k swapped", norm_swapped("q_norm", "k_norm")), TANH, WHOLE],
    "phi3": [*WINDOW, ("short factors for long", cos_sin(short_for_long)), ("attention factor lost", cos_sin(factor_lost)),
             ("q, k, v read by groups", rows_moved("fused", how=as_groups)), BRANCHES, PAIRS],
    "gemma": [ONE, UNSCALED, ERF, PAIRS, SCALE],
    "gemma2": [ONE, UNSCALED, ERF, *WINDOW, OTHERS, UNCAPPED, NORMS,
               ("scores not capped", dict(attn_logit_softcapping=None)),
               ("scale of the head's width", dict(query_pre_attn_scalar=6))],
    "gemma3": [ONE, UNSCALED, *WINDOW, OTHERS,
               ("bases swapped", bases_swapped), ("scale of the head's width", dict(query_pre_attn_scalar=6)),
               ("linear factor lost", rope(rope_type="default")), HEADS_NORMED],
    "gemma3_published": [OTHERS, ("bases swapped", bases_swapped), UNBIASED, UNCAPPED],
    "olmo": [("q, k, v not clipped", dict(clip_qkv=None)), PAIRS, TURN, SCALE, TIED],
    "olmo2": [("q and k normed head by head", head_by_head), NORMS, PAIRS, TURN,
              ("biases of W_O lost", without_bias("out"))],
    "stablelm": [("attention beside MLP", dict(use_parallel_residual=True)), WHOLE, PAIRS, TURN, UNBIASED, SCALE,
                 ("gate and linear branch swapped", plain_branches_swapped)],
    "stablelm_parallel": [("norms of the first head for all", first_head_for_all), PAIRS,
                          ("silu for gelu", activation("silu"))],
    "falcon": [PAIRS, TANH, BASE, ("relu for gelu", activation("relu"))],
    "falcon_alibi": [("slopes not rounded to bfloat16", falcon_slopes(exact_slopes)),
                     ("slopes as of a power of two", falcon_slopes(lambda m, h: plain_powers(h).bfloat16())),
                     ("ALiBi twice, as in eager attention", alibi_twice), ERF, LAYOUT,
                     ("biases of W_O lost", without_bias("out"))],
    "falcon_new": [LAYOUT, ("both norms swapped", norm_swapped("ln1", "ln2")), PAIRS],
    "falcon_shared": [LAYOUT, PAIRS],
    "starcoder2": [*WINDOW, ERF, UNBIASED, TURN, PAIRS],
    "llama_dynamic": [("no scaling", rope(rope_type="default")), ("linear scaling", rope(rope_type="linear")),
                      ("base of the whole context", cos_sin(whole_context))],
    "llama_yarn": YARN,
    "mixtral": [("weights not renormalised", router_with(not_renormalised)),
                ("three experts for two", dict(num_experts_per_tok=3)),
                ("each expert counts the same", router_with(each_the_same)), BRANCHES, *WINDOW],
    "qwen3_moe": [("weights not renormalised", dict(norm_topk_prob=False)),
                  ("two experts for three", dict(num_experts_per_tok=2)), HEADS_NORMED],
    "olmoe": [("weights renormalised", dict(norm_topk_prob=True)), ("q and k normed head by head", head_by_head)],
    "gpt_oss": [("sinks lost", sinks_lost), ("branches not clipped", dict(swiglu_limit=1e9)), *WINDOW,
                OTHERS, ("linear branch without its 1", linear_without_one),
                ("gate and linear branch as halves", gate_in_halves),
                ("softmax over all experts", router_with(not_renormalised)),
                ("biases of W_O lost", without_bias("out")), PAIRS, *YARN],
}


# Measuring

class Wide(TorchFunctionMode):
    """Double precision where transformers asks for float32 by name."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        def wide(x):
            return torch.float64 if x is torch.float32 else x
        kwargs = {k: wide(v) for k, v in (kwargs or {}).items()}
        if func is torch.Tensor.float:
            return args[0].double()
        return func(*(wide(a) for a in args), **kwargs)


@contextmanager
def unchecked():
    """Without the ties between computed and real values, which a mistake breaks on purpose."""
    kept, reference_run.check = reference_run.check, lambda *a, **k: None
    try:
        yield
    finally:
        reference_run.check = kept


def ratio(a, b, allowed):
    """How many times the tolerance; other infinities are never within it."""
    a, b = a.double(), b.double()
    if not torch.equal(a.isinf(), b.isinf()):
        return float("inf")
    a, b = a.nan_to_num(neginf=0.0), b.nan_to_num(neginf=0.0)
    return ((a - b).abs().max() / allowed(b.abs().max())).item()


def site_ratios(found, truth):
    both = [n for n in found if n in truth]
    return {n: ratio(found[n], truth[n], lambda most: 1e-5 * most.clamp(min=1)) for n in both}


def changed(family, mistake):
    """The values of a run with the mistake in it."""
    config = AutoConfig.from_pretrained(family.folder)
    if not callable(mistake) or mistake.__code__.co_argcount == 1:
        for name, value in (mistake(config) if callable(mistake) else mistake).items():
            setattr(config, name, value)
    with ExitStack() as undo, unchecked():
        run = DecoderRun(family.open(config=config), family.tokens)
        if callable(mistake) and mistake.__code__.co_argcount == 2:
            mistake(run, undo)
        run.forward()
        return {**run.values(), "logits": run.value("logits")}


def noise(family):
    """How much of the tolerances float32 itself uses up: sites, gradients, and how clearly the experts are chosen."""
    wide = family.open(torch.float64)
    with Wide(), unchecked():
        run = DecoderRun(wide, family.tokens, deep=True).forward()
        found = run.gradients(family.metric)
    values = site_ratios({**run.values(), "logits": run.value("logits")}, family.truth())
    truth = DecoderRun(family.model, family.tokens, deep=True).forward().gradients(family.metric)
    tiny = {n for n, g in truth.items() if max(g.abs().max(), found[n].abs().max()) < 1e-7}
    gradients = {n: ratio(found[n], g, lambda most: 1e-4 * most) for n, g in truth.items() if n not in tiny}
    return values, gradients


def told(what, ratios, good):
    """Print a line; what it says, and whether it is as it must be."""
    site, worst = max(ratios.items(), key=lambda item: item[1])
    shown, end = ("mask" if r == float("inf") else f"{r:.3g}" for r in (worst, ratios.get("logits", 0.0)))
    print(f"    {'ok  ' if good(worst) else 'BAD '} {what:38} {shown:>9}  at {site:38} {end:>9}", flush=True)
    return what, shown, good(worst)


def prove_family(name):
    """(what, times the tolerance, as it must be) of the run in double, its gradients, and each mistake."""
    family = Family(name)
    truth = family.truth()
    print(f"{name}: {len(family.tokens)} tokens")
    values, gradients = noise(family)
    results = [told("(in double)", values, lambda worst: worst <= NOISE),
               told("(gradients in double)", gradients, lambda worst: worst <= NOISE)]
    for what, mistake in [("eps x 10", eps_tenfold)] * (name != "olmo") + MISTAKES[name]:
        results.append(told(what, site_ratios(changed(family, mistake), truth), lambda worst: worst > 1))
    return results


def prove_families(names):
    """Exit status: 0 when every mistake is noticed in every model, and float32 is precise enough in all. Ends with the
    table of tests/golden/README.md."""
    print("max|a-b| / allowed, the worst site, at the logits")
    found = {name: prove_family(name) for name in names}
    good = all(ok for results in found.values() for _, _, ok in results)
    for name, (values, gradients, *mistakes) in found.items():
        listed = "; ".join(f"{what} {shown}" for what, shown, _ in mistakes)
        print(f"| `{name}` | {values[1]} | {gradients[1]} | {listed} |")
    print("every mistake is noticed" if good else "NOT every mistake is noticed")
    return 0 if good else 1
