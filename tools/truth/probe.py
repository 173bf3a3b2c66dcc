"""What `probe` should say of the first held-out documents: transformers in float64, scikit-learn, folded weights by numpy.

    python tools/truth/probe.py        writes tests/truth/probe.json
"""
import json
import pathlib

import numpy
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from transformers import AutoTokenizer, GPT2LMHeadModel

import draws

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS, SEED, EACH, K, MASK = 40, 2, 5, 8, (1 << 64) - 1


def document_hash(ids):
    h = 0xcbf29ce484222325
    for i in ids:
        for b in int(i).to_bytes(4, "little"):
            h = (h ^ b) * 0x100000001b3 & MASK
    return h


def drawn(at, most, stream):
    return at if len(at) <= most else [at[i] for i in draws.order(SEED, stream & MASK, len(at))[:most]]


def positions(ids, member):
    yes = [t for t in range(len(ids) - 1) if member[ids[t + 1]]]
    no = [t for t in range(len(ids) - 1) if not member[ids[t + 1]]]
    n, h = min(len(yes), len(no), EACH), document_hash(ids)
    return sorted(drawn(yes, n, h + 2) + drawn(no, n, h + 1))


def part(ids):
    u = draws.unit(SEED, document_hash(ids), 0)
    return 0 if u < .6 else 1 if u < .8 else 2


@torch.no_grad()
def run(model, ids):
    acts, states = [], []
    hooks = [b.mlp.act.register_forward_hook(lambda _, x, y: acts.append(y[0].numpy())) for b in model.transformer.h]
    hooks += [b.register_forward_hook(lambda _, x, y: states.append((y[0] if isinstance(y, tuple) else y)[0].numpy()))
              for b in model.transformer.h]
    logits = model(torch.tensor([ids]), use_cache=False).logits[0]
    for h in hooks:
        h.remove()
    return numpy.stack(acts), numpy.stack(states), logits.argmax(-1).numpy()


def scores(model, member):
    """Mean of w_out . W_U over the class minus the mean outside, norms folded in and writers centred: [layers, f]."""
    gain = model.transformer.ln_f.weight.detach().numpy()
    u = gain[:, None] * model.lm_head.weight.detach().numpy().T
    u = u - u.mean(0)
    column = u[:, member].mean(1) - u[:, ~member].mean(1)
    rows = numpy.stack([b.mlp.c_proj.weight.detach().numpy() for b in model.transformer.h])
    return (rows - rows.mean(-1, keepdims=True)) @ column


def areas(yes, score):
    """The area under the curve when pairs nearer than float32 tells apart are all lost, or all won."""
    apart = score[yes][:, None] - score[~yes][None]
    return [(apart > 1e-5).mean(), (apart > -1e-5).mean()]


def probe(x, yes, parts):
    scale = StandardScaler().fit(x[parts == 0])
    z = scale.transform(x)
    fit = LogisticRegression(C=1.0, solver="newton-cg", tol=1e-11, max_iter=100000).fit(z[parts == 0], yes[parts == 0])
    score = fit.decision_function(z)
    right = (score > 0) == yes
    return {"w": fit.coef_[0].tolist() if len(fit.coef_[0]) == 1 else [], "b": fit.intercept_[0], "train": right[parts == 0].mean(),
            "validation": right[parts == 1].mean(), "accuracy": right[parts == 2].mean(), "auc": areas(yes[parts == 2], score[parts == 2])}


def main():
    folder = ROOT / "models/demo"
    model = GPT2LMHeadModel.from_pretrained(folder, attn_implementation="eager").double().eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    member = numpy.array([tokenizer.decode([i]).strip()[:1].isupper() for i in range(model.config.vocab_size)])
    score = scores(model, member)
    top = sorted(numpy.ndindex(*score.shape), key=lambda i: -abs(score[i]))[:K]
    neurons, states, yes, best, parts = [], [], [], [], []
    for text in (folder / "held-out.txt").read_text().split("\n")[:DOCUMENTS]:
        ids = tokenizer(text)["input_ids"]
        acts, stream, answers = run(model, ids)
        for t in positions(ids, member):
            neurons.append([acts[l, t, n] for l, n in top])
            states.append(stream[:, t])
            yes.append(member[ids[t + 1]])
            best.append(member[answers[t]])
            parts.append(part(ids))
    x, states, yes, best, parts = (numpy.array(v) for v in (neurons, states, yes, best, parts))
    single = [probe(x[:, [k]], yes, parts) for k in range(K)]
    order = sorted(range(K), key=lambda k: -single[k]["validation"])
    out = {"documents": DOCUMENTS, "seed": SEED, "each": EACH, "k": K, "n": [int((parts == p).sum()) for p in range(3)],
           "model": (best == yes)[parts == 2].mean(), "order": order,
           "neurons": [{"layer": int(l), "neuron": int(n), "score": score[l, n], **single[k]} for k, (l, n) in enumerate(top)],
           "ensembles": [probe(x[:, order[:k + 1]], yes, parts) for k in range(K)],
           "layers": [probe(states[:, l], yes, parts) for l in range(states.shape[1])]}
    (ROOT / "tests/truth/probe.json").write_text(json.dumps(out, indent=0) + "\n")


if __name__ == "__main__":
    main()
