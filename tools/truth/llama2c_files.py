"""Small files of karpathy/llama2.c's formats, written by numpy in the layout of its export.py, and what they hold, for
tests/test_llama2c.c.

    python tools/truth/llama2c_files.py         writes tests/truth/llama2c/*.bin and files.tsv

Lines as in gguf_files.py: the numbers as pairs, then the tensors with the sha256 of their float32 values.
"""
import hashlib
import pathlib
import struct

import numpy as np

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/truth/llama2c"
NAMES = ["dim", "hidden_dim", "n_layers", "n_heads", "n_kv_heads", "vocab_size", "seq_len"]
SIZES = [4, 6, 2, 2, 1, 5, 3]
GROUP = 2


def make(seed, shared):
    rng = np.random.default_rng(seed)
    dim, hidden, layers, heads, kv_heads, vocab, _ = SIZES
    kv = dim // heads * kv_heads
    out = {"tok_embeddings": (vocab, dim), "norm": (dim,)}
    for i in range(layers):
        out[f"layers.{i}.attention_norm"] = out[f"layers.{i}.ffn_norm"] = (dim,)
        for name, rows in (("wq", dim), ("wk", kv), ("wv", kv), ("wo", dim)):
            out[f"layers.{i}.attention.{name}"] = (rows, dim)
        for name, shape in (("w1", (hidden, dim)), ("w2", (dim, hidden)), ("w3", (hidden, dim))):
            out[f"layers.{i}.feed_forward.{name}"] = shape
    if not shared:
        out["output"] = (vocab, dim)
    return {name: rng.standard_normal(shape).astype("<f4") for name, shape in out.items()}


def layered(*names):
    return [f"layers.{i}.{name}" for name in names for i in range(SIZES[2])]


MATRICES = [f"attention.{n}" for n in ("wq", "wk", "wv", "wo")], [f"feed_forward.{n}" for n in ("w1", "w2", "w3")]


def version_0(weights, shared):
    head, seq = SIZES[0] // SIZES[3], SIZES[6]
    sizes = [n if shared or name != "vocab_size" else -n for name, n in zip(NAMES, SIZES)]
    order = ["tok_embeddings", *layered("attention_norm", *MATRICES[0], "ffn_norm", *MATRICES[1]), "norm"]
    body = b"".join(weights[name].tobytes() for name in order)
    angles = np.outer(np.arange(seq), 10000.0 ** (-np.arange(0, head, 2) / head)).astype("<f4")
    body += np.cos(angles).tobytes() + np.sin(angles).tobytes()
    return struct.pack("<7i", *sizes) + body + (b"" if shared else weights["output"].tobytes())


def later(weights, shared, version):
    head = struct.pack("<Ii7iB", 0x616B3432, version, *SIZES, shared) + (struct.pack("<i", GROUP) if version == 2 else b"")
    body = b"".join(weights[name].tobytes() for name in [*layered("attention_norm", "ffn_norm"), "norm"])
    for name in ["tok_embeddings", *layered(*MATRICES[0], *MATRICES[1]), *([] if shared else ["output"])]:
        if version == 1:
            body += weights[name].tobytes()
            continue
        groups = weights[name].reshape(-1, GROUP)
        scale = np.abs(groups).max(1, keepdims=True) / np.float32(127)
        whole = np.rint(groups / scale).astype(np.int8)
        body += whole.tobytes() + scale.astype("<f4").tobytes()
        weights[name] = (whole.astype(np.float32) * scale).reshape(weights[name].shape)
    return head.ljust(256, b"\0") + body


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    with open(OUT / "files.tsv", "w", encoding="utf-8", newline="\n") as out:
        for seed, (name, version, shared) in enumerate([("v0", 0, True), ("v0_output", 0, False), ("v1", 1, True),
                                                        ("v1_output", 1, False), ("v2", 2, True), ("v2_output", 2, False)]):
            weights = make(seed, shared)
            (OUT / f"{name}.bin").write_bytes(version_0(weights, shared) if version == 0 else later(weights, shared, version))
            for key, n in [*zip(NAMES, SIZES), ("shared_classifier", int(shared)), ("version", version)]:
                out.write(f"{name}.bin\tllama2c.{key}\t0\t{n}\n")
            for tensor, values in sorted((f"{tensor}.weight", values) for tensor, values in weights.items()):
                digest = hashlib.sha256(values.astype("<f4").tobytes()).hexdigest()
                out.write(f"{name}.bin\t{tensor}\tF32\t{'x'.join(map(str, values.shape))}\t{digest}\n")


main()
