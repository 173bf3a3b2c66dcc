"""What `wic` should say of the first pairs that come with the embedded model: transformers in float64, scikit-learn.

    python tools/truth/wic.py        writes tests/truth/wic.json
"""
import json
import pathlib

import numpy
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler
from transformers import AutoTokenizer, GPT2LMHeadModel

import draws

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAIRS, FOLDS, SEED, STREAM = 120, 5, 3, 0x776963


@torch.no_grad()
def states(model, tokenizer, text, end):
    """The embedding and what each block leaves, at the last token before byte `end`."""
    coded = tokenizer(text, return_offsets_mapping=True)
    at = max(i for i, (start, _) in enumerate(coded["offset_mapping"]) if start < end)
    seen = []
    hooks = [model.transformer.h[0].register_forward_pre_hook(lambda _, x: seen.append(x[0][0, at].numpy()))]
    hooks += [b.register_forward_hook(lambda _, x, y: seen.append((y[0] if isinstance(y, tuple) else y)[0, at].numpy()))
              for b in model.transformer.h]
    model(torch.tensor([coded["input_ids"]]), use_cache=False)
    for h in hooks:
        h.remove()
    return numpy.stack(seen).astype(numpy.float32).astype(float)        # as sonde keeps them


def probe(x, same, fold):
    score, train = numpy.zeros(len(x)), []
    for k in range(FOLDS):
        scale = StandardScaler().fit(x[fold != k])
        fit = LogisticRegression(C=1.0, solver="newton-cg", tol=1e-12, max_iter=100000).fit(scale.transform(x[fold != k]), same[fold != k])
        score[fold == k] = fit.decision_function(scale.transform(x[fold == k]))
        train += list(fit.predict(scale.transform(x[fold != k])) == same[fold != k])
    return score, numpy.mean(train)


def threshold(c, same, fold):
    right = numpy.zeros(len(c), bool)
    for k in range(FOLDS):
        candidates = sorted([*c[fold != k], numpy.inf])
        shares = [((c[fold != k] >= t) == same[fold != k]).mean() for t in candidates]
        right[fold == k] = (c[fold == k] >= candidates[int(numpy.argmax(shares))]) == same[fold == k]
    return right.mean()


def main():
    folder = ROOT / "models/demo"
    model = GPT2LMHeadModel.from_pretrained(folder, attn_implementation="eager").double().eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    pairs = [json.loads(line) for line in (folder / "wic.jsonl").read_text().splitlines()[:PAIRS]]
    same = numpy.array([p["same"] for p in pairs])
    words = list(dict.fromkeys(p["word"] for p in pairs))
    place = {words[g]: k for k, g in enumerate(draws.order(SEED, STREAM, len(words)))}
    fold = numpy.array([place[p["word"]] % FOLDS for p in pairs])
    a, b = (numpy.stack([states(model, tokenizer, p[s], p[s + "_end"]) for p in pairs]) for s in "ab")
    out = {"pairs": PAIRS, "seed": SEED, "fold": fold.tolist(), "places": []}
    for l in range(a.shape[1]):
        x, y = a[:, l], b[:, l]
        cosine = (x * y).sum(1) / numpy.sqrt((x * x).sum(1) * (y * y).sum(1))        # 1 of equal ones
        row = {"cosine_accuracy": threshold(cosine, same, fold), "cosine_auc": roc_auc_score(same, cosine)}
        for name, features in ("both", [abs(x - y), x * y]), ("difference", [abs(x - y)]):
            score, train = probe(numpy.concatenate(features, 1), same, fold)
            row[name] = {"accuracy": ((score > 0) == same).mean(), "train": train, "auc": roc_auc_score(same, score),
                         "score": [float(f"{s:.7g}") for s in score]}
        out["places"].append(row)
    (ROOT / "tests/truth/wic.json").write_text(json.dumps(out, indent=0) + "\n")


if __name__ == "__main__":
    main()
