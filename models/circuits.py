"""The circuits of a trained folder: head scores, direct logit attribution, ablation.

Everything is read off GPT2LMHeadModel with forward hooks.  Heads are named
layer.head; a head's z is its input to the attention output projection, and
zeroing z at every position is what ablating the head means here.
"""
import contextlib
import random

import torch

from grammar import NAMES

SCORE_ROWS, SCORE_PERIOD = 60, 40
PROMPTS = 100  # indirect-object prompts of each order
ABLATION_CASES = 60
ABLATED = ["ioi_abba", "ioi_baba", "greater", "induction_ids", "induction_words", "facts_template",
           "agreement", "pronoun", "antonym", "colour", "brackets", "copy", "reverse"]


def size(model):
    config = model.config
    return config.n_layer, config.n_head, config.n_embd // config.n_head


def head_name(layer, head):
    return f"L{layer}H{head}"


@contextlib.contextmanager
def hooks(handles):
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def zero_heads(model, heads):
    """Hooks that set z of the given (layer, head) pairs to 0 at all positions."""
    wide = size(model)[2]

    def hook_for(chosen):
        def hook(_, args):
            z = args[0].clone()
            for head in chosen:
                z[..., head * wide:(head + 1) * wide] = 0
            return (z,)
        return hook
    return [model.transformer.h[layer].attn.c_proj.register_forward_pre_hook(
        hook_for([h for l, h in heads if l == layer])) for layer in {l for l, _ in heads}]


def zero_mlp(model, layer):
    return [model.transformer.h[layer].mlp.register_forward_hook(lambda m, a, out: out * 0)]


# ---- scores on repeated random ids ----

@torch.no_grad()
def head_scores(model):
    """Mean attention to i-1, to i-2, and in the second turn to the token after the
    first occurrence (induction), to the occurrence itself (duplicate), and one past."""
    layers, heads, _ = size(model)
    r, n = random.Random(7), SCORE_PERIOD
    turns = torch.tensor([[r.randrange(model.config.vocab_size) for _ in range(n)]
                          for _ in range(SCORE_ROWS)])
    attention = model(torch.cat((turns, turns), 1), output_attentions=True).attentions
    scores = {}
    for layer in range(layers):
        for head in range(heads):
            pattern = attention[layer][:, head]
            back = lambda k: pattern.diagonal(offset=-k, dim1=1, dim2=2)
            scores[head_name(layer, head)] = {
                "previous": round(back(1).mean().item(), 3),
                "two_back": round(back(2).mean().item(), 3),
                "duplicate": round(back(n).mean().item(), 3),
                # row i of the second turn attends to i-n+1; i = n is its first token
                "induction": round(back(n - 1)[:, 1:].mean().item(), 3),
                "one_past": round(back(n - 2)[:, 2:].mean().item(), 3)}
    return scores


# ---- the indirect object ----

def ioi_prompt(case):
    """Ids up to END with the places of IO, S1, S2 (the last S) and END.

    None where a name opens the text: it is another token there than after a space.
    """
    end = case["at"][0]
    ids, io, s = case["t"][:end + 1], case["t"][end + 1], case["wrong"]
    places = [i for i, t in enumerate(ids) if t == s]
    if io not in ids or len(places) < 2:
        return None
    return {"ids": ids, "io": io, "s": s, "IO": ids.index(io), "S1": places[0], "S2": places[-1],
            "END": end}


@torch.no_grad()
def record(model, ids):
    """Attention patterns, z of every layer, MLP outputs and residuals of one prompt."""
    seen = {"z": [], "attn": [], "mlp": []}
    handles = []
    for block in model.transformer.h:
        handles += [
            block.attn.c_proj.register_forward_pre_hook(lambda m, a: seen["z"].append(a[0][0])),
            block.attn.c_proj.register_forward_hook(lambda m, a, out: seen["attn"].append(out[0])),
            block.mlp.register_forward_hook(lambda m, a, out: seen["mlp"].append(out[0]))]
    with hooks(handles):
        out = model(torch.tensor([ids]), output_attentions=True, output_hidden_states=True)
    seen["pattern"] = [a[0] for a in out.attentions]
    seen["embed"] = out.hidden_states[0][0]
    return seen


def direction(model, seen, end, io, s):
    """The change of logit IO - S per unit of residual at END, the final norm frozen."""
    residual = seen["embed"][end] + sum(seen["attn"][l][end] + seen["mlp"][l][end]
                                        for l in range(len(seen["mlp"])))
    weight = model.lm_head.weight[io] - model.lm_head.weight[s]
    norm = model.transformer.ln_f
    d = weight * norm.weight / (residual.var(unbiased=False) + norm.eps).sqrt()
    return d - d.mean()  # the norm takes the mean away first


def head_outputs(model, seen, layer, position):
    """What each head of a layer adds to the residual at a position."""
    _, heads, wide = size(model)
    weight = model.transformer.h[layer].attn.c_proj.weight.view(heads, wide, -1)
    return torch.einsum("hd,hdm->hm", seen["z"][layer][position].view(heads, wide), weight)


def copies(model, seen, layer, head, prompt, names):
    """Whether the head, attending to IO alone, would rank IO first among the names."""
    _, heads, wide = size(model)
    block, norm = model.transformer.h[layer], model.transformer.ln_f
    x = seen["embed"][prompt["IO"]] + sum(seen["attn"][l][prompt["IO"]] + seen["mlp"][l][prompt["IO"]]
                                          for l in range(layer))
    start = 2 * heads * wide + head * wide
    v = block.ln_1(x) @ block.attn.c_attn.weight[:, start:start + wide]
    out = v @ block.attn.c_proj.weight[head * wide:(head + 1) * wide]
    scores = model.lm_head.weight[names] @ (out * norm.weight)
    return names[scores.argmax()] == prompt["io"]


def lens(model, seen, end, prompt):
    """IO - S and P(IO) after the embedding and after every attention and MLP."""
    x, rows = seen["embed"][end], []
    stages = [("embed", 0)]
    for layer in range(len(seen["mlp"])):
        stages += [(f"L{layer} attn", seen["attn"][layer][end]), (f"L{layer} MLP", seen["mlp"][layer][end])]
    for name, more in stages:
        x = x + more
        logits = model.lm_head(model.transformer.ln_f(x))
        p = logits.softmax(-1)[prompt["io"]].item()
        rows.append((name, (logits[prompt["io"]] - logits[prompt["s"]]).item(), p))
    return rows


@torch.no_grad()
def indirect_object(model, encoder, cases):
    """Attention from END, direct attribution and copying of every head; the lens."""
    layers, heads, _ = size(model)
    names = [encoder.word(" " + n) for n in NAMES]
    prompts = [p for p in map(ioi_prompt, cases) if p]
    table = {head_name(l, h): dict.fromkeys(("IO", "IO+1", "S1", "S1+1", "S2", "dla", "copies"), 0.0)
             for l in range(layers) for h in range(heads)}
    mlps, reading = [0.0] * layers, {}
    for prompt in prompts:
        seen, end = record(model, prompt["ids"]), prompt["END"]
        d = direction(model, seen, end, prompt["io"], prompt["s"])
        for layer in range(layers):
            mlps[layer] += (seen["mlp"][layer][end] @ d).item()
            added = head_outputs(model, seen, layer, end) @ d
            for head in range(heads):
                row, pattern = table[head_name(layer, head)], seen["pattern"][layer][head, end]
                for key in ("IO", "S1"):
                    row[key] += pattern[prompt[key]].item()
                    row[key + "+1"] += pattern[prompt[key] + 1].item()
                row["S2"] += pattern[prompt["S2"]].item()
                row["dla"] += added[head].item()
                row["copies"] += copies(model, seen, layer, head, prompt, names)
        for name, difference, p in lens(model, seen, end, prompt):
            old = reading.get(name, (0.0, 0.0))
            reading[name] = (old[0] + difference, old[1] + p)
    n = len(prompts)
    mean = lambda value: round(value / n, 3)
    return {"prompts": n, "heads": {k: {f: mean(v) for f, v in row.items()} for k, row in table.items()},
            "mlps": [mean(v) for v in mlps], "lens": {k: [mean(a), mean(b)] for k, (a, b) in reading.items()}}


# ---- ablation ----

@torch.no_grad()
def effect(model, entries):
    """Every task's first measure on a few cases of each, and IO - S."""
    import measure
    out, difference = {}, []
    for entry in entries:
        if entry["name"] not in ABLATED:
            continue
        kind = entry["measures"][-1]["measure"] if entry["name"] == "greater" else "token"
        kind = "argmax" if "sets" in entry and kind == "token" else kind
        total = [0.0, 0]
        step = max(1, len(entry["cases"]) // ABLATION_CASES)
        for case in entry["cases"][::step][:ABLATION_CASES]:
            _, figures = measure.case_figures(case, measure.run_case(model, case),
                                              entry.get("sets"), entry.get("universe"))
            total = [total[0] + figures[kind][0], total[1] + figures[kind][1]]
            if "logit_diff" in figures:
                difference.append(figures["logit_diff"][0])
        out[entry["name"]] = round(total[0] / total[1], 3)
    out["logit_diff"] = round(sum(difference) / len(difference), 2)
    return out


def ablations(model, entries):
    layers, heads, _ = size(model)
    rows = {"nothing": effect(model, entries)}
    for layer in range(layers):
        for head in range(heads):
            with hooks(zero_heads(model, [(layer, head)])):
                rows[head_name(layer, head)] = effect(model, entries)
        with hooks(zero_heads(model, [(layer, h) for h in range(heads)])):
            rows[f"all heads of L{layer}"] = effect(model, entries)
        with hooks(zero_mlp(model, layer)):
            rows[f"MLP {layer}"] = effect(model, entries)
    return rows


def describe(model, encoder, entries):
    """All figures of the circuits, for results.json."""
    ioi = [case for entry in entries if entry["name"] in ("ioi_abba", "ioi_baba")
           for case in entry["cases"][:PROMPTS]]
    return {"scores": head_scores(model), "ioi": indirect_object(model, encoder, ioi),
            "ablation": ablations(model, entries)}
