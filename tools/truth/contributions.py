"""Direct logit attribution in float64: writes tests/truth/contributions.tsv (case, name, value).

Names are those of the method's rows; "STATE frozen" and "STATE lens" belong to table accumulated, "HEAD@s" to sources.
Run: python tools/truth/contributions.py
"""
import numpy as np

import gpt2

TOP = 8
DEMO = "When Mary and John went to the store, John gave a drink to"


def split(m, ids, weights, at):
    """weights: token -> number."""
    r = gpt2.run(m, ids)
    np.testing.assert_allclose(r.logits, gpt2.as_transformers(m, ids), atol=1e-9)
    column = sum(w * m.unembed[:, t] for t, w in weights.items())
    _, scale = gpt2.normalize(r.post[-1][at], m.eps)
    gamma, beta = m.lnf
    center = lambda x: x - x.mean(-1, keepdims=True)
    value = lambda x: center(np.asarray(x)) / scale * gamma @ column
    rows = [("embed", value(r.embed[at])), ("pos_embed", value(r.pos[at]))]
    whole = list(rows)
    for i, b in enumerate(m.block):
        rows += [(f"L{i}H{h}", value(r.result[i][at, h])) for h in range(m.heads)]
        rows += [(f"L{i} b_O", value(b["attn.c_proj.bias"])), (f"L{i} mlp", value(r.mlp[i][at]))]
        whole += [(f"L{i} attn", value(r.attn[i][at]))]
        each = r.neurons[i][at] * value(b["mlp.c_proj.weight"])
        order = np.argsort(-abs(each))
        whole += [(f"L{i}N{n}", each[n]) for n in order[:TOP]]
        whole += [(f"L{i} others", each[order[TOP:]].sum()), (f"L{i} b_out", value(b["mlp.c_proj.bias"]))]
    bias = beta @ column
    logit = sum(w * r.logits[at, t] for t, w in weights.items())
    assert abs(sum(v for _, v in rows) + bias - logit) < 1e-9 and abs(sum(v for _, v in whole) + bias - logit) < 1e-9
    rows += [x for x in whole if x not in rows] + [("bias", bias), ("logit", logit)]
    states = [("0 pre", r.pre[0])]
    for i in range(m.layers):
        states += [(f"{i} mid", r.mid[i]), (f"{i} post", r.post[i])]
    for name, x in states:
        rows.append((f"{name} frozen", value(x[at]) + bias))
        rows.append((f"{name} lens", sum(w * gpt2.unembed(m, x[at])[t] for t, w in weights.items())))
    last = m.layers - 1
    for h in range(m.heads):
        rows += [(f"L{last}H{h}@{s}", r.pattern[last][h, at, s] * value(r.written[last][h, s])) for s in range(at + 1)]
    return rows


def main():
    demo = gpt2.load("models/demo")
    mary, john = gpt2.demo_ids(" Mary")[0], gpt2.demo_ids(" John")[0]
    ids = gpt2.demo_ids(DEMO)
    cases = {
        "demo": (demo, ids, {mary: 1, john: -1}, len(ids) - 1),
        "limit": (gpt2.load("tests/golden/limit"), [3, 1, 4, 1, 5, 9, 2, 6], {2: 2, 7: -0.5}, 5),
        "inner": (gpt2.load("tests/golden/inner"), [5, 8, 2, 7, 1, 8], {4: 1}, 5),
    }
    with open(gpt2.ROOT / "tests/truth/contributions.tsv", "w") as f:
        for name, case in cases.items():
            for row, value in split(*case):
                f.write(f"{name}\t{row}\t{float(value):.12g}\n")


if __name__ == "__main__":
    main()
