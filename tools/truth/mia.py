"""A small file of stories260K, and what every effect of `sonde mia` on it should be, for tests/test_mia.c.

    python tools/truth/mia.py SHARED      writes tests/truth/mia/stories260K-Q4_0.gguf from SHARED/stories260k/gguf/
                                          stories260K-F32.gguf, and truth.tsv

The reference is numpy in float64 on the weights as they are in a file, widened; it knows nothing of sonde. Models: Q4_0, that
file (rows that are no multiple of 32 are F16 in it, as llama.cpp's fallback has them); F16, and F16_of_Q4_0, the values of the
first as F16: the test writes these two itself. A line of truth.tsv: model, case, what, numbers:

    tokens     ids of the prompt
    written    ids written greedily behind it, the effect on them too
    margin     the smallest distance of the best two logits on the way: what a float32 engine must keep
    lens NAME N   the 8 best tokens of row N of a value, behind norm and unembedding, id:score; of the last block's: the logits
    row NAME N    a row of a value before anything is patched
    pixels L H T  min(255, 255 a) of layer L, head H, query T
    inferno       the colour table, rrggbb, from matplotlib
"""
import pathlib
import sys
import tempfile

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Q
from gguf import GGUFReader, GGUFValueType, GGUFWriter
from matplotlib import colormaps

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "tests/truth/mia"
WRITTEN = 12


def write(source, path, kind):
    reader = GGUFReader(source)
    writer = GGUFWriter(path, "llama")
    for f in reader.fields.values():
        if f.name.startswith("GGUF.") or f.name == "general.architecture":
            continue
        value = f.contents()
        if f.name == "general.file_type":
            value = {Q.Q4_0: 2, Q.F16: 1}[kind]         # llama.cpp's numbers of file types
        sub = f.types[-1] if f.types[0] == GGUFValueType.ARRAY else None
        writer.add_key_value(f.name, value, f.types[0], sub)
    for t in reader.tensors:
        x = gguf.dequantize(t.data, t.tensor_type).reshape([int(n) for n in reversed(t.shape)])
        to = Q.F32 if x.ndim == 1 else Q.F16 if x.shape[-1] % 32 else kind
        writer.add_tensor(t.name, gguf.quantize(x, to), raw_dtype=to)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class Model:
    def __init__(self, path):
        reader = GGUFReader(path)
        field = lambda name: reader.fields[name].contents()
        self.w = {t.name: gguf.dequantize(t.data, t.tensor_type).astype(np.float64).reshape([int(n) for n in reversed(t.shape)])
                  for t in reader.tensors}
        self.layers, self.heads = field("llama.block_count"), field("llama.attention.head_count")
        self.kv, self.base = field("llama.attention.head_count_kv"), field("llama.rope.freq_base")
        self.eps = field("llama.attention.layer_norm_rms_epsilon")
        self.pieces, self.scores = field("tokenizer.ggml.tokens"), field("tokenizer.ggml.scores")
        self.e = self.w["blk.0.attn_q.weight"].shape[0] // self.heads

    def encode(self, text):
        """SentencePiece's merges: the pair of the best score first, the leftmost of equals; BOS and a space in front."""
        part = list("\u2581" + text.replace(" ", "\u2581"))
        known = {p: i for i, p in enumerate(self.pieces)}
        while True:
            pair = [(-self.scores[known[a + b]], i) for i, (a, b) in enumerate(zip(part, part[1:])) if a + b in known]
            if not pair:
                break
            i = min(pair)[1]
            part[i:i + 2] = [part[i] + part[i + 1]]
        return [1] + [known[p] if p in known else 3 + b for p in part for b in ([0] if p in known else p.encode())]

    def norm(self, x, name):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.eps) * self.w[name + ".weight"]

    def unembed(self, x):
        return self.norm(x, "output_norm") @ self.w["token_embd.weight"].T

    def rotate(self, x):
        t, _, e = x.shape
        angle = np.arange(t)[:, None] * self.base ** (-np.arange(0, e, 2) / e)
        c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
        out = np.empty_like(x)
        out[..., 0::2], out[..., 1::2] = x[..., 0::2] * c - x[..., 1::2] * s, x[..., 0::2] * s + x[..., 1::2] * c
        return out

    def run(self, ids, zero=(), rows=()):
        """zero: (layer, head); rows: (name, position, numbers). Every value by llama.cpp's name."""
        seen = {}

        def tap(name, x):
            for n, at, row in rows:
                if n == name:
                    x = x.copy()
                    x[at] = row
            seen[name] = x
            return x

        t = len(ids)
        x = tap("inp_embd", self.w["token_embd.weight"][ids])
        for l in range(self.layers):
            w = lambda name: self.w[f"blk.{l}.{name}.weight"]
            y = tap(f"attn_norm-{l}", self.norm(x, f"blk.{l}.attn_norm"))
            q = self.rotate((y @ w("attn_q").T).reshape(t, self.heads, self.e))
            k = self.rotate((y @ w("attn_k").T).reshape(t, self.kv, self.e)).repeat(self.heads // self.kv, 1)
            v = (y @ w("attn_v").T).reshape(t, self.kv, self.e).repeat(self.heads // self.kv, 1)
            a = np.einsum("qhe,khe->hqk", q, k) / np.sqrt(self.e)
            a = np.where(np.tril(np.ones((t, t), bool)), a, -np.inf)
            a = np.exp(a - a.max(-1, keepdims=True))
            a /= a.sum(-1, keepdims=True)
            for layer, head in zero:
                if layer == l:
                    a[head] = 0
            seen[f"kq_soft_max-{l}"] = a
            z = np.einsum("hqk,khe->qhe", a, v).reshape(t, -1)
            x = tap(f"ffn_inp-{l}", x + tap(f"kqv_out-{l}", z @ w("attn_output").T))
            y = tap(f"ffn_norm-{l}", self.norm(x, f"blk.{l}.ffn_norm"))
            g = y @ w("ffn_gate").T
            x = x + tap(f"ffn_out-{l}", (g / (1 + np.exp(-g)) * (y @ w("ffn_up").T)) @ w("ffn_down").T)
            x = tap(f"l_out-{l}", x)
        seen["logits"] = self.unembed(x)
        return seen


def numbers(x):
    return "\t".join(f"{v:.9g}" for v in np.asarray(x).ravel())


def put(out, model, case, prompt, zero=(), rows=(), lens=()):
    m, name = model
    line = lambda what, text: out.append(f"{name}\t{case}\t{what}\t{text}")
    ids = m.encode(prompt)
    seen = m.run(ids, zero, rows)
    line("tokens", "\t".join(map(str, ids)))
    whole, margin = list(ids), np.inf
    for _ in range(WRITTEN):
        last = m.run(whole, zero, rows)["logits"][-1]
        best = np.sort(last)[-2:]
        margin = min(margin, best[1] - best[0])
        whole.append(int(last.argmax()))
    line("written", "\t".join(map(str, whole[len(ids):])))
    line("margin", f"{margin:.4g}")
    for value, at in (*lens, (f"l_out-{m.layers - 1}", None)):
        for i in at if at is not None else range(len(ids)):
            scores = m.unembed(seen[value][i])
            top = np.argsort(-scores, kind="stable")[:8]
            line(f"lens {value} {i}", "\t".join(f"{t}:{scores[t]:.9g}" for t in top))
    return seen


def cases(out, m, name):
    model = (m, name)
    born, japan = "William Shakespeare was born in the year", "The capital of Japan is"
    sevens, other = "5 6 7 to 7 6 5, 2 3 4 to 4 ", "1 2 3 to 3 2 1, 7 8 9 to 9 "
    seen = put(out, model, "draw", born)
    for l, h, t in ((0, 0, 24), (1, 3, 10), (2, 7, 5), (4, 7, 24), (3, 4, 0)):
        x = 255 * seen[f"kq_soft_max-{l}"][h, t]
        out.append(f"{name}\tdraw\tpixels {l} {h} {t}\t" + numbers(np.minimum(255, x)))
    put(out, model, "lens", japan, lens=[(f"l_out-{l}", None) for l in range(m.layers - 1)] + [("kqv_out-1", [3]), ("ffn_out-3", [2])])
    every = m.heads
    indices = [*range(0, 9), *range(16, 19), 20, 25, 30, 35, 39]
    put(out, model, "ablate", born, zero=[divmod(i, every) for i in indices])
    put(out, model, "select", born, zero=[(2, h) for h in range(every) if h != 5])
    kept = {}
    for key, text in (("a", sevens), ("b", other)):
        kept[key] = m.run(m.encode(text))
    for value in ("l_out-2", "kqv_out-1"):
        out.append(f"{name}\tsave\trow {value} 4\t" + numbers(kept["a"][value][4]))
    put(out, model, "patch", other, rows=[("l_out-2", 6, kept["a"]["l_out-2"][9])])
    mean = (kept["a"]["l_out-2"][9] + kept["b"]["l_out-2"][9]) / 2
    put(out, model, "patch-avg", other, rows=[("l_out-2", 6, mean)])
    put(out, model, "both", other, zero=[(0, 1), (3, 2)], rows=[("l_out-2", 6, kept["a"]["l_out-2"][9]),
                                                               ("kqv_out-1", 3, kept["a"]["kqv_out-1"][4])])


def main():
    source = pathlib.Path(sys.argv[1]) / "stories260k/gguf/stories260K-F32.gguf"
    OUT.mkdir(exist_ok=True)
    colours = np.rint(np.array(colormaps["inferno"].colors) * 255).astype(int)
    out = ["any\tany\tinferno\t" + "\t".join("%02x%02x%02x" % tuple(c) for c in colours)]
    small = OUT / "stories260K-Q4_0.gguf"
    write(source, small, Q.Q4_0)
    cases(out, Model(small), "Q4_0")
    with tempfile.TemporaryDirectory() as scratch:
        path = pathlib.Path(scratch) / "f16.gguf"
        for name, of in (("F16_of_Q4_0", small), ("F16", source)):
            write(of, path, Q.F16)
            cases(out, Model(path), name)
    (OUT / "truth.tsv").write_text("\n".join(out) + "\n")


main()
