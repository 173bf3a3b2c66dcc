"""GPT-2 in numpy, float64, from the files: what the truth of analyses is computed with. Shares no code with the project.

`load(folder)` reads config.json and model.safetensors; `run(model, ids)` gives every value of one pass by name.
"""
import json
from math import erf, pi, sqrt
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from safetensors.numpy import load_file

ROOT = Path(__file__).resolve().parents[2]

ACTIVATIONS = {
    "gelu_new": lambda x: 0.5 * x * (1 + np.tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))),
    "gelu": lambda x: 0.5 * x * (1 + np.vectorize(erf)(x / sqrt(2))),
    "relu": lambda x: np.maximum(x, 0),
}


def load(folder):
    folder = ROOT / folder
    config = json.loads((folder / "config.json").read_text())
    raw = {k.removeprefix("transformer."): v.astype(np.float64)
           for k, v in load_file(folder / "model.safetensors").items()}
    m = SimpleNamespace(config=config, layers=config["n_layer"], heads=config["n_head"], d=config["n_embd"],
                        eps=config.get("layer_norm_epsilon", 1e-5), act=ACTIVATIONS[config.get("activation_function", "gelu_new")],
                        wte=raw["wte.weight"], wpe=raw["wpe.weight"], lnf=(raw["ln_f.weight"], raw["ln_f.bias"]), folder=folder)
    m.unembed = raw.get("lm_head.weight", m.wte).T
    m.vocab = m.unembed.shape[1]
    m.block = [{k.removeprefix(f"h.{i}."): v for k, v in raw.items() if k.startswith(f"h.{i}.")} for i in range(m.layers)]
    return m


def normalize(x, eps):
    mean = x.mean(-1, keepdims=True)
    scale = np.sqrt(((x - mean) ** 2).mean(-1, keepdims=True) + eps)
    return (x - mean) / scale, scale


def norm(x, weight, bias, eps):
    return normalize(x, eps)[0] * weight + bias


def attention(m, i, x):
    b, n, e = m.block[i], len(x), m.d // m.heads
    q, k, v = np.split(x @ b["attn.c_attn.weight"] + b["attn.c_attn.bias"], 3, axis=-1)
    q, k, v = (t.reshape(n, m.heads, e) for t in (q, k, v))
    scores = np.einsum("the,she->hts", q, k) / sqrt(e)
    if m.config.get("scale_attn_by_inverse_layer_idx"):
        scores /= i + 1
    scores[:, np.triu(np.ones((n, n), bool), 1)] = -np.inf
    pattern = np.exp(scores - scores.max(-1, keepdims=True))
    pattern /= pattern.sum(-1, keepdims=True)
    out = b["attn.c_proj.weight"].reshape(m.heads, e, m.d)
    # [t, s, h, d] would be large: what position s gives head h, then the pattern
    written = np.einsum("she,hed->hsd", v, out)
    return pattern, written, np.einsum("hts,hsd->thd", pattern, written)


def run(m, ids, post_edit=None):
    """post_edit(layer, post) may change the neurons [t, f] in place."""
    r = SimpleNamespace(embed=m.wte[ids], pos=m.wpe[: len(ids)], pre=[], mid=[], post=[], pattern=[], written=[], result=[],
                        neurons=[], attn=[], mlp=[])
    x = r.embed + r.pos
    for i, b in enumerate(m.block):
        r.pre.append(x)
        pattern, written, result = attention(m, i, norm(x, b["ln_1.weight"], b["ln_1.bias"], m.eps))
        attn = result.sum(1) + b["attn.c_proj.bias"]
        x = x + attn
        r.mid.append(x)
        neurons = m.act(norm(x, b["ln_2.weight"], b["ln_2.bias"], m.eps) @ b["mlp.c_fc.weight"] + b["mlp.c_fc.bias"])
        if post_edit:
            post_edit(i, neurons)
        mlp = neurons @ b["mlp.c_proj.weight"] + b["mlp.c_proj.bias"]
        x = x + mlp
        r.post.append(x)
        for name, value in dict(pattern=pattern, written=written, result=result, neurons=neurons, attn=attn, mlp=mlp).items():
            getattr(r, name).append(value)
    r.logits = unembed(m, x)
    return r


def unembed(m, x):
    return norm(x, *m.lnf, m.eps) @ m.unembed


def as_transformers(m, ids):
    """The official library's logits of the same tokens, in float64."""
    import torch
    from transformers import GPT2LMHeadModel
    torch.set_default_dtype(torch.float64)
    model = GPT2LMHeadModel.from_pretrained(m.folder, attn_implementation="eager", dtype=torch.float64).eval()
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0].numpy()


def demo_ids(text):
    from tokenizers import Tokenizer
    return Tokenizer.from_file(str(ROOT / "models/demo/tokenizer.json")).encode(text).ids
