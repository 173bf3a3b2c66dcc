"""Proof that the captures of encoders and encoder-decoders notice mistakes: each is made in the reference on purpose and
must break the tolerances of interface.md 7 (reference_prove.py has the words and the measure).

A mistake gets the model and an ExitStack for what it changes outside of it; it returns its name, or None where the
model has no such option.
"""
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import torch
from transformers.activations import ACT2FN

import reference_towers
from reference_encoder_files import Case, gradients, make
from reference_encoder_sets import MODELS
from reference_prove import NOISE, gradient_ratios, report, site_ratios
from reference_towers import Tower

OTHER = {"gelu": "gelu_new", "gelu_new": "gelu", "relu": "gelu", "silu": "gelu"}
ACTS = ("intermediate_act_fn", "transform_act_fn", "activation", "activation_fn", "act")


def replace(undo, owner, name, new):
    undo.callback(setattr, owner, name, getattr(owner, name))
    setattr(owner, name, new)


def named(model, *parts):
    """The modules whose path ends so."""
    return [m for name, m in model.named_modules() if name.endswith(parts)]


def eps_tenfold(model, undo):
    """An eps of 1e-12 is beyond float32: nothing could notice it."""
    found = [(m, name) for m in model.modules() for name in ("eps", "variance_epsilon") if getattr(m, name, 0) > 1e-9]
    for module, name in found:
        setattr(module, name, getattr(module, name) * 10)
    return "eps x 10" if found else None


def other_activation(model, undo):
    config = model.config
    name = getattr(config, "hidden_act", None) or getattr(config, "activation", None) or (
        getattr(config, "activation_function", None) or config.dense_act_fn)
    for module in [m for m in model.modules() if type(m).__module__ != "transformers.activations"]:
        for act in ACTS:
            if hasattr(module, act) and not isinstance(getattr(module, act), torch.nn.Tanh):
                setattr(module, act, ACT2FN[OTHER[name]])
    return f"{OTHER[name]} for {name}"


def scaled_otherwise(model, undo):
    for module in model.modules():
        if hasattr(module, "scaling"):
            module.scaling *= 0.5
    return "scores halved"


def norms_swapped(model, undo):
    pairs = (("attention.output.LayerNorm", "output.LayerNorm"), ("sa_layer_norm", "output_layer_norm"),
             ("self_attn_layer_norm", "final_layer_norm"), ("layer.0.layer_norm", "layer.1.layer_norm"))
    for one, other in pairs:
        for name, module in model.named_modules():
            if name.endswith(one):
                twin = model.get_submodule(name.removesuffix(one) + other)
                module.weight.data, twin.weight.data = twin.weight.data, module.weight.data
    return "norms of a block swapped"


def positions_moved(model, undo):
    tables = named(model, "position_embeddings", "embed_positions")
    for table in tables:
        table.weight.data = table.weight.data.roll(1, 0)
    return "positions one row too early" if tables else None


def types_lost(model, undo):
    tables = named(model, "token_type_embeddings")
    for table in tables:
        table.weight.data *= 0
    return "token types lost" if tables else None


def first_type_for_all(model, undo):
    tables = [t for t in named(model, "token_type_embeddings") if t.num_embeddings > 1]
    for table in tables:
        table.weight.data[1:] = table.weight.data[0]
    return "the first type for all" if tables and "Sequence" in type(model).__name__ else None


def embedding_norm_lost(model, undo):
    norms = named(model, "embeddings.LayerNorm", "layernorm_embedding")
    for norm in norms:
        norm.weight.data, norm.bias.data = torch.ones_like(norm.weight), torch.zeros_like(norm.bias)
    return "embedding norm without weights" if norms else None


def key_bias_moved(model, undo):
    """A key's bias alone changes no pattern; the values' does."""
    for linear in named(model, ".value", ".v_lin", ".v_proj"):
        linear.bias.data *= 0
    return "biases of v lost" if named(model, ".value", ".v_lin", ".v_proj") else None


def pooler_without_tanh(model, undo):
    poolers = named(model, "pooler")
    for pooler in poolers:
        pooler.activation = torch.nn.Identity()
    return "pooler without tanh" if poolers else None


def head_as_config(model, undo):
    """RoBERTa's head has gelu whatever the config says; DistilBERT's classifier relu; RoBERTa's tanh."""
    kind = type(model).__name__
    if kind == "RobertaForMaskedLM":
        replace(undo, sys.modules[type(model).__module__], "gelu", ACT2FN[model.config.hidden_act])
        return "the head's gelu as in the blocks"
    if kind == "DistilBertForSequenceClassification":
        replace(undo, torch.nn, "ReLU", torch.nn.Tanh)
        return "tanh for the classifier's relu"
    if kind == "RobertaForSequenceClassification":
        replace(undo, torch, "tanh", lambda x: x)
        return "classifier without tanh"
    return None


def head_bias_lost(model, undo):
    heads = named(model, "predictions.decoder", "lm_head.decoder", "vocab_projector", "qa_outputs", "classifier")
    heads = [h for h in heads if isinstance(h, torch.nn.Linear)]
    for head in heads:
        head.bias.data *= 0
    return "bias of the head lost" if heads else None


def head_scale(model, undo):
    if model.config.model_type != "t5":
        return None
    model.config.scale_decoder_outputs = not model.config.scale_decoder_outputs
    return "head scaled" if model.config.scale_decoder_outputs else "head not scaled"


def relatives(model):
    return [model.get_submodule(f"{stack}.block.0.layer.0.SelfAttention") for stack in ("encoder", "decoder")
            if model.config.model_type == "t5"]


def longer_distance(model, undo):
    for attn in relatives(model):
        attn.relative_attention_max_distance = 128
    return "buckets up to 128" if relatives(model) else None


def one_direction(model, undo):
    for attn in relatives(model)[:1]:
        attn.is_decoder = True
    return "the encoder's buckets as a decoder's" if relatives(model) else None


def both_directions(model, undo):
    for attn in relatives(model)[1:]:
        attn.is_decoder = False
    return "the decoder's buckets as an encoder's" if relatives(model) else None


def tables_swapped(model, undo):
    if not relatives(model):
        return None
    one, other = (attn.relative_attention_bias.weight for attn in relatives(model))
    one.data, other.data = other.data, one.data
    return "tables of the stacks swapped"


def bias_of_first_alone(model, undo):
    """As if only the layer that has the table added its bias."""
    if not relatives(model):
        return None
    for block in [*model.encoder.block[1:], *model.decoder.block[1:]]:
        attn = block.layer[0].SelfAttention
        real = attn.forward
        attn.forward = lambda *a, real=real, position_bias=None, **k: real(*a, position_bias=position_bias * 0, **k)
    return "bias in layer 0 alone"


def gate_swapped(model, undo):
    dense = [m for m in model.modules() if hasattr(m, "wi_0")]
    for mlp in dense:
        mlp.wi_0.weight.data, mlp.wi_1.weight.data = mlp.wi_1.weight.data, mlp.wi_0.weight.data
    return "gate and linear branch swapped" if dense else None


def tied_anyway(model, undo):
    if not hasattr(model, "shared") or torch.equal(model.lm_head.weight, model.shared.weight):
        return None
    model.lm_head.weight.data = model.shared.weight.data
    return "head taken as tied"


def embedding_scale(model, undo):
    if model.config.model_type != "bart":
        return None
    scaled = model.config.scale_embedding
    for table in named(model, "embed_tokens"):
        table.embed_scale = 1.0 if scaled else model.config.d_model ** 0.5
    return "embedding not scaled" if scaled else "embedding scaled"


def logits_bias_lost(model, undo):
    if not hasattr(model, "final_logits_bias") or not model.final_logits_bias.any():
        return None
    model.final_logits_bias.data *= 0
    return "final_logits_bias lost"


def one_head_count(model, undo):
    """The encoder's number of heads in the decoder too."""
    if getattr(model.config, "decoder_attention_heads", None) == model.config.num_attention_heads or (
            model.config.model_type != "bart"):
        return None
    for attn in named(model, "self_attn", "encoder_attn"):
        attn.num_heads = model.config.num_attention_heads
        attn.head_dim = model.config.d_model // attn.num_heads
    return "the encoder's heads in the decoder"


MISTAKES = (eps_tenfold, other_activation, scaled_otherwise, norms_swapped, positions_moved, types_lost, first_type_for_all,
            embedding_norm_lost, key_bias_moved, pooler_without_tanh, head_as_config, head_bias_lost, head_scale,
            longer_distance, one_direction, both_directions, tables_swapped, bias_of_first_alone, gate_swapped, tied_anyway,
            embedding_scale, logits_bias_lost, one_head_count)


def with_logits(run):
    return {**run.values(), "logits": run.value("logits")}


def mistaken(folder, name, mistake):
    """What the mistake is called, and the run's values with it in; sites that its shapes do not fit are left out."""
    case = Case(name, folder)
    with ExitStack() as undo:
        what = mistake(case.model, undo)
        if what is None:
            return None, None, None
        replace(undo, reference_towers, "check", lambda *a, **k: None)
        truth = with_logits(case.unedited)
        found = with_logits(Tower(case.model, case.row, case.inputs).forward())
        return what, {n: v for n, v in found.items() if v.shape == truth[n].shape}, truth


def prove_noise(folder, name):
    """How much of the tolerances float32 itself uses up."""
    case = Case(name, folder)
    metric = case.spelled(case.spec["metric"])
    truth, found = with_logits(case.unedited), gradients(case, metric)[0]
    case.model = case.model.double()
    wide = case.run(deep=True)
    values = {n: v.float() for n, v in with_logits(wide).items()}
    slopes = {n: g.float() for n, g in wide.gradients(case.metric(metric)).items()}
    return [told("(in double)", site_ratios(values, truth), NOISE),
            told("(gradients in double)", gradient_ratios(slopes, found), NOISE)]


def told(what, ratios, limit=None):
    """Print a line; what it says, and whether it is as it must be."""
    return what, f"{max(ratios.values()):.3g}", report(what, ratios, "logits", limit)


def prove_one(folder, name):
    """(what, times the tolerance, as it must be) of the run in double, its gradients, and each mistake."""
    make(folder, MODELS[name])
    results = prove_noise(folder, name)
    for mistake in MISTAKES:
        what, found, truth = mistaken(folder, name, mistake)
        if what is not None:
            results.append(told(what, site_ratios(found, truth)))
    return results


def prove_encoders(names):
    """True when every mistake is noticed in every model, and float32 is precise enough in all. Ends with the table of
    tests/golden/README.md."""
    found = {}
    for name in names:
        print(f"{name}:")
        with tempfile.TemporaryDirectory() as place:
            found[name] = prove_one(Path(place), name)
    for name, (values, slopes, *mistakes) in found.items():
        listed = "; ".join(f"{what} {shown}" for what, shown, _ in mistakes)
        print(f"| `{name}` | {values[1]} | {slopes[1]} | {listed} |")
    return all(good for results in found.values() for _, _, good in results)
