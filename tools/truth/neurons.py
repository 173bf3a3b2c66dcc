"""Neurons in float64 numpy: moments of cosines, classes of tokens, a word's ranks, what neurons do in a prompt. Writes
tests/truth/neurons.json. Run: python tools/truth/neurons.py
"""
import json

import numpy as np
from scipy.stats import kurtosis, skew
from sklearn.metrics import roc_auc_score
from tokenizers import Tokenizer

import gpt2

DEMO = "When Mary and John went to the store, John gave a drink to"
OFF = (3, 554)
SPACE = " \t\n\v\f\r"
CLASSES = {
    "end_w_ing": lambda s: s.strip().lower().endswith("ing"),
    "all_symbolic": lambda s: bool(s.strip(SPACE)) and not any(c.isalnum() for c in s.strip(SPACE)) and "\ufffd" not in s,
    "start_capital": lambda s: s.strip()[:1].isupper(),
    "two_digits": lambda s: len(s.strip()) == 2 and s.strip().isdigit(),
    "start_space_letter": lambda s: s[:1] == " " and s[1:2].isalpha(),
    "pronoun_male": lambda s: s.strip().lower() in ("he", "him", "his", "himself"),
    "start_w_re": lambda s: s.strip().lower().startswith("re"),
}


def weights(m, raw):
    """W_out of every block and W_U, as they are or folded and centred."""
    out = [b["mlp.c_proj.weight"] for b in m.block]
    u = m.unembed
    if not raw:
        u = u * m.lnf[0][:, None]
        u = u - u.mean(0)
        u = u - u.mean(1, keepdims=True)
        out = [w - w.mean(1, keepdims=True) for w in out]
    return out, u


def cosines(w, u):
    return (w @ u) / (np.linalg.norm(w, axis=-1, keepdims=True) * np.linalg.norm(u, axis=0))


def moments(name, folder, step):
    m = gpt2.load(folder)
    for raw in (False, True):
        out, u = weights(m, raw)
        for layer, w in enumerate(out):
            c = cosines(w, u)
            for i in range(0, len(w), step):
                yield dict(model=name, raw=raw, layer=layer, neuron=i, mean=c[i].mean(), var=c[i].var(), skew=skew(c[i]),
                           kurtosis=kurtosis(c[i], fisher=False))


def classes(m, texts):
    out, u = weights(m, False)
    layer = 3
    product, cosine = out[layer] @ u, cosines(out[layer], u)
    for name, test in CLASSES.items():
        inside = np.array([test(t) for t in texts])
        for i in range(5, 640, 127):
            a, b = product[i][inside], product[i][~inside]
            pooled = np.sqrt((((a - a.mean()) ** 2).sum() + ((b - b.mean()) ** 2).sum()) / (len(texts) - 2))
            yield {"class": name, "count": int(inside.sum()), "layer": layer, "neuron": i, "true_mean": a.mean(),
                   "false_mean": b.mean(), "diff": abs(a.mean() - b.mean()), "cosine_true": cosine[i][inside].mean(),
                   "cosine_false": cosine[i][~inside].mean(),
                   "cosine_diff": abs(cosine[i][inside].mean() - cosine[i][~inside].mean()),
                   "cohens_d": (a.mean() - b.mean()) / pooled, "auc": roc_auc_score(inside, product[i])}


def search(m, texts, word, k):
    out, u = weights(m, False)
    ids = [i for i, t in enumerate(texts) if t.strip().lower() == word]
    rows = []
    for layer, w in enumerate(out):
        product = w @ u
        for i in ids:
            rank = 1 + (product > product[:, i : i + 1]).sum(1)
            rows += [dict(layer=layer, neuron=int(n), token=i, rank=int(rank[n]), value=product[n, i])
                     for n in np.flatnonzero(rank <= k)]
    return sorted(rows, key=lambda r: (r["rank"], -r["value"]))


def softmax(x):
    x = np.exp(x - x.max())
    return x / x.sum()


def prompt(m, ids, off, top):
    out, u = weights(m, False)

    def edit(layer, post):
        if off and layer == off[0]:
            post[-1, off[1]] = 0

    r = gpt2.run(m, ids, edit)
    dominant, lens = [], []
    for layer, w in enumerate(out):
        a, norm = r.neurons[layer][-1], np.linalg.norm(w, axis=1)
        for rank, i in enumerate(np.argsort(-abs(a) * norm)[:top]):
            product = w[i] @ u
            dominant.append(dict(layer=layer, rank=rank + 1, neuron=int(i), activation=a[i], norm=norm[i], score=abs(a[i]) * norm[i],
                                 best=[int(t) for t in np.argsort(-product)[:top]], worst=[int(t) for t in np.argsort(product)[:top]],
                                 values=[float(x) for x in np.sort(product)[::-1][:top]]))
        for state, x in (("before", r.mid[layer][-1]), ("after", r.post[layer][-1])):
            p = softmax(gpt2.unembed(m, x))
            best = np.argsort(-p)[:top]
            lens.append(dict(layer=layer, state=state, tokens=[int(t) for t in best], probs=[float(x) for x in p[best]]))
    return dict(dominant=dominant, lens=lens)


def main():
    demo = gpt2.load("models/demo")
    tokenizer = Tokenizer.from_file(str(gpt2.ROOT / "models/demo/tokenizer.json"))
    texts = [tokenizer.decode([i], skip_special_tokens=False) for i in range(demo.vocab)]
    ids = gpt2.demo_ids(DEMO)
    assert not set(range(demo.vocab)) - set(tokenizer.get_vocab().values())
    truth = dict(
        moments=[*moments("demo", "models/demo", 71), *moments("limit", "tests/golden/limit", 7),
                 *moments("inner", "tests/golden/inner", 9)],
        classes=list(classes(demo, texts)),
        search=search(demo, texts, "mary", 10),
        off=list(OFF),
        A=prompt(demo, ids, None, 3),
        edited=prompt(demo, ids, OFF, 3),
    )
    round_ = lambda x: float(f"{x:.12g}") if isinstance(x, (float, np.floating)) else x
    walk = lambda x: ({k: walk(v) for k, v in x.items()} if isinstance(x, dict) else [walk(v) for v in x] if isinstance(x, list)
                      else round_(x))
    with open(gpt2.ROOT / "tests/truth/neurons.json", "w") as f:
        json.dump(walk(truth), f, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    main()
