"""What `cka` should say: states caught by hooks in transformers, float64; the unbiased estimator with whole matrices of samples in numpy.

    python tools/truth/cka.py           writes tests/truth/cka.json
"""
import json
import pathlib

import numpy as np
import torch
from transformers import AutoTokenizer, GPT2LMHeadModel

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = 12


def hsic(k, l):
    n = len(k)
    k, l, one = k - np.diag(np.diag(k)), l - np.diag(np.diag(l)), np.ones(n)
    first = np.trace(k @ l) + (one @ k @ one) * (one @ l @ one) / ((n - 1) * (n - 2))
    return (first - 2 / (n - 2) * (one @ k @ l @ one)) / (n * (n - 3))


def matrix(views):
    grams = [x @ x.T for x in views]
    own = [hsic(g, g) for g in grams]
    return [[float(f"{hsic(a, b) / np.sqrt(own[i] * own[j]):.9g}") for j, b in enumerate(grams)] for i, a in enumerate(grams)]


@torch.no_grad()
def main():
    folder = ROOT / "models/demo"
    model = GPT2LMHeadModel.from_pretrained(folder, attn_implementation="eager").double().eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    kept = {}
    for i, block in enumerate(model.transformer.h):
        block.register_forward_hook(lambda m, x, y, i=i: kept.__setitem__(i, (y[0] if y[0].dim() == 2 else y[0][0]).numpy()))
    every = []
    for text in (folder / "held-out.txt").read_text().split("\n")[:DOCUMENTS]:
        model(torch.tensor([tokenizer(text)["input_ids"]]), use_cache=False)
        every.append([kept[i] for i in range(model.config.n_layer)])
    layers = range(model.config.n_layer)
    out = {
        "last": matrix([np.stack([d[i][-1] for d in every]) for i in layers]),
        "all": matrix([np.concatenate([d[i] for d in every[:4]]) for i in layers]),
    }
    random = np.random.default_rng(0)           # a few samples of two widths, for the estimator alone
    views = [np.round(random.normal(size=(6, w)) + 3, 3) for w in (2, 3, 3)]
    out["small"] = {"views": [v.tolist() for v in views], "cka": matrix(views)}
    (ROOT / "tests/truth/cka.json").write_text(json.dumps(out, indent=0) + "\n")


if __name__ == "__main__":
    main()
