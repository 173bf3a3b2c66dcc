"""What `heads` should say of a few documents: patterns of transformers in float64, every figure by its definition in numpy.

    python tools/truth/heads.py         writes tests/truth/heads.json
"""
import json
import pathlib

import numpy as np
import torch
from transformers import AutoTokenizer, GPT2LMHeadModel

ROOT = pathlib.Path(__file__).resolve().parents[2]
HELD_OUT = 5
OFFSETS = 5
PIECES = 5
PERMUTATIONS = 4000
WORDS = [            # words that the tokenizer has no token for, among others that it has
    " the cart went to the store and the carmap was happy at the blorf reading",
    "Yesterday a teapot gave the manner to Mary in the museum with a wobbet under the cart",
    " the cat near the frandle was sad because the reading near the carmap was wet",
    "Markson is in the park.<|endoftext|>Plinth and a grumbix met 3rd and the teapot was red",
]
FIGURES = ["previous", "previous_k_mass", "previous_k_mass_no_bos", "first", "self", "duplicate", "induction_text", "entropy_bits",
           "mean_distance"]


def rows_of(pattern, ids, no_bos):
    """figure -> values of one head over the rows that count."""
    n = len(ids)
    out = {name: [] for name in FIGURES}
    profile = [[] for _ in range(OFFSETS)]
    for i in range(n):
        raw = pattern[i, : i + 1]
        if i > 0:
            out["first"].append(raw[0])
        if i >= OFFSETS:
            out["previous_k_mass"].append(raw[i - OFFSETS : i].sum())
        if i > OFFSETS:
            out["previous_k_mass_no_bos"].append(raw[i - OFFSETS : i].sum() / raw[1:].sum())
        if no_bos and i == 0:
            continue
        row = np.where(np.arange(i + 1) > 0, raw, 0) / raw[1:].sum() if no_bos else raw
        keys = [s for s in range(no_bos, i + 1)]
        some = row[keys][row[keys] > 0]
        out["entropy_bits"].append(-(some * np.log2(some)).sum())
        out["mean_distance"].append(sum(row[s] * (i - s) for s in keys))
        out["self"].append(row[i])
        if i - 1 in keys:
            out["previous"].append(row[i - 1])
        same = [s for s in keys if s < i and ids[s] == ids[i]]
        if same:
            out["duplicate"].append(row[same].sum())
        behind = [s + 1 for s in range(i - 1) if ids[s] == ids[i]]
        if behind:
            out["induction_text"].append(row[behind].sum())
        for k in range(1, OFFSETS + 1):
            if i - k in keys:
                profile[k - 1].append(row[i - k])
    return out, profile


def ratio(parts):
    """Mean and standard error of documents' (sum, n)."""
    s, n = np.array([p[0] for p in parts]), np.array([p[1] for p in parts])
    if n.sum() == 0:
        return None, None
    mean, d = s.sum() / n.sum(), len(parts)
    return mean, np.sqrt(d / (d - 1) * ((s - mean * n) ** 2).sum()) / n.sum()


def words_of(pieces):
    """(first, last) of every word of ASCII letters."""
    out, i = [], 0
    plain = [p.isascii() and p.isalpha() for p in pieces]
    while i < len(pieces):
        spaced = pieces[i][:1] == " " and pieces[i][1:].isascii() and pieces[i][1:].isalpha()
        opens = spaced or (plain[i] and (i == 0 or pieces[i - 1] == "<|endoftext|>"))
        j = i + 1
        while opens and j < len(pieces) and plain[j]:
            j += 1
        if opens:
            out.append((i, j - 1))
        i = j if opens else i + 1
    return out


def joiner(documents, head, random):
    """documents: (pattern [heads, n, n], words)."""
    near, lengths, mass, falls = [], [], [], []
    for pattern, words in documents:
        a = pattern[head]
        for first, last in words:
            n = last - first + 1
            if n > PIECES:
                continue
            near.append([a[last, last - k] if last >= k else np.nan for k in range(1, PIECES)])
            lengths.append(n)
            if n > 1:
                own = a[last, first : last + 1]
                mass.append(own[:-1].sum())
                falls.append(bool((np.diff(own) < 0).all()))
    near, lengths = np.array(near), np.array(lengths)

    def score(lengths):
        multi = lengths > 1
        base = np.nanmean(near[~multi], axis=0)
        own = near[np.nonzero(multi)[0], lengths[multi] - 2]
        good = ~np.isnan(own)
        return own[good].mean() - base[lengths[multi] - 2][good].mean(), own[good].mean()

    s, attention = score(lengths)
    dealt = np.array([score(random.permutation(lengths))[0] for _ in range(PERMUTATIONS)])
    return {"score": s, "attention": attention, "decreasing": np.mean(falls), "own_pieces": np.mean(mass),
            "p": (1 + (dealt >= s - 1e-12).sum()) / (1 + PERMUTATIONS), "z": (s - dealt.mean()) / dealt.std(),
            "words": int((lengths > 1).sum()), "singles": int((lengths == 1).sum())}


@torch.no_grad()
def main():
    folder = ROOT / "models/demo"
    model = GPT2LMHeadModel.from_pretrained(folder, attn_implementation="eager").double().eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = (folder / "held-out.txt").read_text().split("\n")[:HELD_OUT] + WORDS
    every = []
    for text in texts:
        ids = tokenizer(text)["input_ids"]
        layers = model(torch.tensor([ids]), output_attentions=True).attentions
        every.append((ids, torch.cat(layers).flatten(0, 1).numpy(), words_of([tokenizer.decode([i]) for i in ids])))
    n_layers, heads = model.config.n_layer, model.config.n_head
    out = {"texts": texts, "tokens": [len(e[0]) for e in every]}
    for no_bos in (0, 1):
        parts = {name: [] for name in FIGURES + [f"offset_{k}" for k in range(1, OFFSETS + 1)]}
        for ids, patterns, _ in every:
            rows = [rows_of(p, ids, no_bos) for p in patterns]
            for name in FIGURES:
                parts[name].append([(sum(r[0][name]), len(r[0][name])) for r in rows])
            for k in range(OFFSETS):
                parts[f"offset_{k + 1}"].append([(sum(r[1][k]), len(r[1][k])) for r in rows])
        section = {}
        for name, documents in parts.items():
            section[name] = [ratio([d[h] for d in documents])[0] for h in range(n_layers * heads)]
            layers = [[np.sum(d[l * heads : (l + 1) * heads], axis=0) for d in documents] for l in range(n_layers)]
            section[name + "_layers"] = [ratio(l)[0] for l in layers]
            section[name + "_layers_se"] = [ratio(l)[1] for l in layers]
        out["no_bos" if no_bos else "plain"] = section
    pooled = []                     # every entry of the first sub-diagonals, of one document and layer
    for ids, patterns, _ in every:
        stack = patterns.reshape(n_layers, heads, len(ids), len(ids))
        diagonals = [np.concatenate([np.diagonal(l, -k, 1, 2).ravel() for k in range(1, OFFSETS + 1)]) for l in stack]
        pooled.append([d.mean() for d in diagonals])
    out["pooled"] = np.mean(pooled, axis=0).tolist()
    out["pooled_sd"] = np.std(pooled, axis=0, ddof=1).tolist()
    random = np.random.default_rng(0)
    out["subjoiner"] = [joiner([(p, w) for _, p, w in every], h, random) for h in range(n_layers * heads)]

    def short(x):
        if isinstance(x, dict):
            return {k: short(v) for k, v in x.items()}
        if isinstance(x, list):
            return [short(v) for v in x]
        return float(f"{x:.9g}") if isinstance(x, float) else x

    (ROOT / "tests/truth/heads.json").write_text(json.dumps(short(out), indent=0) + "\n")


if __name__ == "__main__":
    main()
