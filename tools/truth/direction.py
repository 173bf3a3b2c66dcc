"""What `direction` should say of two lists of prompts: transformers in float64, numpy for the numbers.

    python tools/truth/direction.py        writes tests/truth/direction.json
"""
import json
import pathlib

import numpy
import torch
from sklearn.metrics import roc_auc_score
from transformers import AutoTokenizer, GPT2LMHeadModel

ROOT = pathlib.Path(__file__).resolve().parents[2]
POS = ["Mary was tired when", "At the park, Anna saw", "Emma lost", "Julia was cold when", "Paul said that"]
NEG = ["John was tired when", "At the park, Tom saw", "Peter lost", "Grace said that"]


@torch.no_grad()
def values(model, ids):
    """What the blocks leave in the stream, and what the heads of block 1 pass on, both [t, width]."""
    seen = {}
    hook = model.transformer.h[1].attn.c_proj.register_forward_pre_hook(lambda _, x: seen.update(z=x[0][0].numpy()))
    states = []
    hooks = [b.register_forward_hook(lambda _, x, y: states.append((y[0] if isinstance(y, tuple) else y)[0].numpy()))
             for b in model.transformer.h]
    model(torch.tensor([ids]), use_cache=False)
    for h in [hook, *hooks]:
        h.remove()
    return states, seen["z"]


def figures(rows, yes):
    pos, neg = rows[yes], rows[~yes]
    a, b = pos.mean(0), neg.mean(0)
    v = a - b
    along = rows @ v / numpy.linalg.norm(v)
    spread = (along[yes].var(ddof=1) + along[~yes].var(ddof=1)) / 2
    right = (along > (along[yes].mean() + along[~yes].mean()) / 2) == yes
    out = []
    for i in range(len(rows)):
        keep = numpy.arange(len(rows)) != i
        a2, b2 = rows[keep & yes].mean(0), rows[keep & ~yes].mean(0)
        out.append(((rows[i] - (a2 + b2) / 2) @ (a2 - b2) > 0) == yes[i])
    return {
        "direction": v.tolist(), "norm": numpy.linalg.norm(v), "projection": along.tolist(),
        "cosine": a @ b / numpy.linalg.norm(a) / numpy.linalg.norm(b), "auc": roc_auc_score(yes, along),
        "d_prime": (along[yes].mean() - along[~yes].mean()) / spread ** .5, "accuracy": right.mean(), "accuracy_left_out": numpy.mean(out),
    }


def main():
    folder = ROOT / "models/demo"
    model = GPT2LMHeadModel.from_pretrained(folder, attn_implementation="eager").double().eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    runs = [values(model, tokenizer(text)["input_ids"]) for text in POS + NEG]
    yes = numpy.arange(len(runs)) < len(POS)
    out = {"pos": POS, "neg": NEG,
           "last": [figures(numpy.stack([states[l][-1] for states, _ in runs]), yes) for l in range(len(model.transformer.h))],
           "z": figures(numpy.stack([z.mean(0) for _, z in runs]), yes)}
    rounded = json.loads(json.dumps(out), parse_float=lambda s: float(f"{float(s):.9g}"))
    (ROOT / "tests/truth/direction.json").write_text(json.dumps(rounded, indent=0) + "\n")


if __name__ == "__main__":
    main()
