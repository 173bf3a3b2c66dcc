"""Statistics, neighbours and analogies of embedding tables by numpy, for tests/test_method_embeddings.c.

    python tools/truth/embeddings.py        (numpy, scipy where there is one; reads the safetensors files itself)
"""
import json, struct
from pathlib import Path
import numpy as np

ROOT = Path(__file__).resolve().parents[2]


def tensors(path):
    raw = path.read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    head = json.loads(raw[8:8 + size])
    head.pop("__metadata__", None)
    return {name: np.frombuffer(raw[8 + size + x["data_offsets"][0]:8 + size + x["data_offsets"][1]], "<f4").reshape(x["shape"])
            for name, x in head.items()}


def find(weights, ending):
    return next(w for name, w in weights.items() if name.endswith(ending)).astype(np.float64)


def describe(out, name, w):
    low, high = np.quantile(w, [0.001, 0.999])
    out[f"{name}.statistics"] = [w.min(), w.max(), w.mean(), w.std(), low, high, high - low]
    z = (w - w.mean(0)) / w.std(0)
    out[f"{name}.mean"], out[f"{name}.sd"] = w.mean(0), w.std(0)
    out[f"{name}.skew"], out[f"{name}.excess_kurtosis"] = (z ** 3).mean(0), (z ** 4).mean(0) - 3
    out[f"{name}.norm"] = np.linalg.norm(w, axis=1)[-5:]
    out[f"{name}.matrix"] = np.clip(0.5 + w / (2 * (high - low)), 0, 1)[-5:, :7].ravel()
    try:
        from scipy import stats
        assert np.allclose(stats.kurtosis(w, axis=0), out[f"{name}.excess_kurtosis"], rtol=1e-9)
        assert np.allclose(stats.skew(w, axis=0), out[f"{name}.skew"], rtol=1e-9)
    except ImportError:
        pass


def near(out, name, w, x, left_out, k=6):
    values = {
        "cosine": (w @ x) / np.linalg.norm(w, axis=1) / np.linalg.norm(x),
        "euclid": np.linalg.norm(w - x, axis=1), "dot": w @ x,
    }
    for by, v in values.items():
        order = [i for i in np.argsort(v if by == "euclid" else -v, kind="stable") if i not in left_out][:k]
        out[f"{name}.{by}.rows"], out[f"{name}.{by}.values"] = order, v[order]


def main():
    out = {}
    demo = tensors(ROOT / "models/demo/model.safetensors")
    vocab = json.loads((ROOT / "models/demo/vocab.json").read_text())
    wte, wpe = find(demo, "wte.weight"), find(demo, "wpe.weight")
    describe(out, "embed", wte)
    describe(out, "pos", wpe)
    describe(out, "unembed", find(tensors(ROOT / "tests/golden/limit/model.safetensors"), "lm_head.weight"))
    red, a, b = (vocab["Ġ" + word] for word in ("red", "Mary", "John"))
    near(out, "near", wte, wte[red], {red})
    near(out, "position", wpe, wpe[4], {4})
    near(out, "analogy", wte, wte[red] - wte[a] + wte[b], {red, a, b})
    with open(ROOT / "tests/truth/embeddings.txt", "w") as file:
        for name, values in out.items():
            file.write(name + "".join(f" {float(v):.17g}" for v in values) + "\n")


if __name__ == "__main__":
    main()
