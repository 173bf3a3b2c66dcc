"""Proof that the golden files notice mistakes: each is made on purpose and must break the tolerances of interface.md 7.

Numbers are max|a-b| divided by what is allowed; above 1 the mistake is noticed. The first two lines of a model are no
mistake: the same run in double precision, which shows how much of the tolerance float32 itself uses up.
"""
import torch
from transformers.activations import ACT2FN

from reference_families import make_run
from reference_files import open_model
from reference_metric import metric_of
from reference_prove_llama import LLAMA_MISTAKES, llama_norm_after, widen
from reference_sets import SHIPPED

NOISE = 0.3        # of the tolerance, at most, may be float32's own rounding
NORMS = ["freeze:ln1.hook_scale", "freeze:ln2.hook_scale", "freeze:ln_final.hook_scale"]


def wrong_activation(model):
    name = model.config.activation_function
    wrong = {"gelu_new": "gelu", "gelu": "gelu_new", "relu": "gelu"}[name]
    for block in model.transformer.h:
        block.mlp.act = ACT2FN[wrong]
    return f"{wrong} for {name}"


def norms_of(model):
    return [n for b in model.transformer.h for n in (b.ln_1, b.ln_2)] + [model.transformer.ln_f]


def wrong_eps(model):
    for norm in norms_of(model):
        norm.eps *= 10
    return "eps x 10"


def swapped_heads(model):
    """Heads 0 and 1 of layer 0 swapped in q, k, v, not in W_O."""
    heads = model.config.n_head
    if heads < 2:
        return None
    order = [1, 0, *range(2, heads)]
    for weight in (model.transformer.h[0].attn.c_attn.weight, model.transformer.h[0].attn.c_attn.bias):
        parts = weight.data.view(*weight.shape[:-1], 3, heads, -1)
        weight.data = parts[..., order, :].reshape(weight.shape)
    return "heads 0 and 1 swapped"


def unbiased_variance(model):
    def forward(norm, x):
        scale = torch.sqrt(x.var(-1, keepdim=True, correction=1) + norm.eps)
        return (x - x.mean(-1, keepdim=True)) / scale * norm.weight + norm.bias
    for norm in norms_of(model):
        norm.forward = lambda x, norm=norm: forward(norm, x)
    return "variance over d - 1"


def wrong_scaling(model):
    for block in model.transformer.h:
        block.attn.scaling = model.config.n_embd ** -0.5 if model.config.n_head > 1 else 1.0
    return "scores by sqrt(d)" if model.config.n_head > 1 else "scores not scaled"


def inverse_layer_lost(model):
    if not model.config.scale_attn_by_inverse_layer_idx:
        return None
    for block in model.transformer.h:
        block.attn.scaling = block.attn.head_dim ** -0.5
    return "inverse layer scale lost"


def shifted_positions(model):
    wpe = model.transformer.wpe.weight
    wpe.data = wpe.data.roll(-1, 0)
    return "positions from 1"


def transposed_projection(model):
    weight = model.transformer.h[0].attn.c_proj.weight
    weight.data = weight.data.T.contiguous()
    return "c_proj transposed"


def value_bias_lost(model):
    model.transformer.h[0].attn.c_attn.bias.data[-model.config.n_embd:] = 0
    return "bias of v lost"


def tied_anyway(model):
    if model.config.tie_word_embeddings:
        return None
    model.lm_head.weight.data = model.transformer.wte.weight.data
    return "lm_head taken as tied"


def norm_after(model, tokens):
    """Every norm behind its part's sum, as the first transformers had it."""
    body, n = model.transformer, len(tokens)
    x = body.wte(torch.tensor([tokens])) + body.wpe(torch.arange(n))[None]
    mask = torch.full((1, 1, n, n), torch.finfo(torch.float32).min).triu(1)
    sites = {}
    for layer, block in enumerate(body.h):
        x = block.ln_1(x + block.attn(x, attention_mask=mask)[0])
        x = block.ln_2(x + block.mlp(x))
        sites[f"blocks.{layer}.hook_resid_post"] = x[0].detach()
    sites["unembed.hook_out"] = model.lm_head(body.ln_f(x))[0].detach()
    return sites


MISTAKES = {
    "gpt2": (wrong_activation, wrong_eps, swapped_heads, unbiased_variance, wrong_scaling, inverse_layer_lost,
             shifted_positions, transposed_projection, value_bias_lost, tied_anyway),
    "llama": LLAMA_MISTAKES,
}
NORM_AFTER = {"gpt2": norm_after, "llama": llama_norm_after}


def unchecked(run):
    """Run without the ties between computed and real values, which a mistake breaks on purpose."""
    import reference_run
    kept, reference_run.check = reference_run.check, lambda *a, **k: None
    try:
        return run.forward().values()
    finally:
        reference_run.check = kept


def site_ratios(found, truth):
    """Per site: how much of its tolerance a difference is; infinities must be where they are."""
    ratios = {}
    for name, value in found.items():
        a, b = value.double(), truth[name].double()
        assert torch.equal(a.isinf(), b.isinf()), name
        a, b = a.nan_to_num(neginf=0.0), b.nan_to_num(neginf=0.0)
        ratios[name] = ((a - b).abs().max() / (1e-5 * b.abs().max().clamp(min=1))).item()
    return ratios


def gradient_ratios(found, truth):
    def ratio(a, b):
        tiny = max(a.abs().max(), b.abs().max()) < 1e-7
        return 0.0 if tiny else ((a - b).abs().max() / (1e-4 * b.abs().max())).item()
    return {n: ratio(g, truth[n]) for n, g in found.items()}


def report(what, ratios, last="unembed.hook_out", limit=None):
    """Print a line; True where it is as it must be: above 1, or below the limit for what is no mistake."""
    site, worst = max(ratios.items(), key=lambda item: item[1])
    good = worst > 1 if limit is None else worst <= limit
    at_end = f"{last} {ratios[last]:.3g}" if last in ratios else ""
    print(f"    {'ok  ' if good else 'BAD '} {what:30} {worst:>10.3g}  at {site:34} {at_end}")
    return good


def all_gradients(model, tokens, metric, texts=(), sources=None):
    run = make_run(model, tokens, texts, sources, deep=True).forward()
    found = run.gradients(metric_of(metric, tokens))
    return {n: g for n, g in found.items() if not n.endswith(("q_input", "k_input", "v_input"))}


def prove_noise(subject, metric, wanted=("",)):
    """How much of the tolerances float32 itself uses up: the same run, and the gradients wanted, in double."""
    tokens, wide = subject.prompts["A"], open_model(subject.folder, torch.float64)
    if wide.config.model_type == "llama":
        widen(wide)
    values = {n: v.float() for n, v in make_run(wide, tokens).forward().values().items()}
    good = report("(in double)", site_ratios(values, subject.unedited["A"].values()), limit=NOISE)
    found = {n: g.float() for n, g in all_gradients(wide, tokens, metric).items() if n.endswith(tuple(wanted))}
    truth = all_gradients(subject.model, tokens, metric)
    return report("(gradients in double)", gradient_ratios(found, truth), limit=NOISE) and good


def prove_gradients(subject, metric):
    """Two gradients that forget a path, at the streams."""
    tokens, good = subject.prompts["A"], True
    truth = all_gradients(subject.model, tokens, metric)
    forgotten = {"gradient: norm scale frozen": NORMS, "gradient: pattern frozen": ["freeze:attn.hook_pattern"]}
    for what, texts in forgotten.items():
        found = all_gradients(subject.model, tokens, metric, texts, subject.sources([]))
        good &= report(what, gradient_ratios({n: g for n, g in found.items() if n.endswith("hook_resid_pre")}, truth))
    return good


def prove_model(name):
    from reference import subject_of
    subject, spec = subject_of(name)
    tokens, truth = subject.prompts["A"], subject.unedited["A"].values()
    sizes = subject.config
    print(f"{name}: {sizes.num_hidden_layers} layers, {sizes.num_attention_heads} heads, width {sizes.hidden_size}, "
          f"{len(tokens)} tokens")
    good = prove_noise(subject, spec["metric"], spec.get("grad", ("",)))
    if name in SHIPPED:
        return good
    for mistake in MISTAKES[sizes.model_type]:
        model = open_model(subject.folder)
        if what := mistake(model):
            good &= report(what, site_ratios(unchecked(make_run(model, tokens)), truth))
    good &= report("norm after, not before", site_ratios(NORM_AFTER[sizes.model_type](subject.model, tokens), truth))
    return prove_gradients(subject, spec["metric"]) and good


def prove(names):
    """Exit status: 0 when every mistake is noticed in every random model, and float32 is precise enough in all."""
    print("max|a-b| / allowed, the worst site, and at the product with the vocabulary")
    results = [prove_model(name) for name in names]
    print("every mistake is noticed" if all(results) else "NOT every mistake is noticed")
    return 0 if all(results) else 1
