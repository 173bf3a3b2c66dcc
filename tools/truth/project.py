"""PCA by numpy and scikit-learn, t-SNE's probabilities, gradient and divergence by numpy and scikit-learn, for
tests/test_method_project.c and tests/test_tsne.c.

    python tools/truth/project.py       (numpy, scikit-learn, torch, transformers)
"""
from pathlib import Path
import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.manifold._t_sne import _joint_probabilities
from scipy.spatial.distance import pdist, squareform
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = Path(__file__).resolve().parents[2]
PROMPT = "When Mary and John went to the store, John gave a drink to"


def pca(out, name, x, rows):
    x = np.asarray(x, np.float64)
    fit = PCA(n_components=3, svd_solver="full").fit(x)
    _, s, vt = np.linalg.svd(x - x.mean(0), full_matrices=False)
    assert np.allclose(s[:3] ** 2 / (len(x) - 1), fit.explained_variance_, rtol=1e-9)
    signs = np.sign([c[np.argmax(np.abs(c))] for c in fit.components_])
    y = fit.transform(x) * signs
    out[f"{name}.variance"], out[f"{name}.share"] = fit.explained_variance_, fit.explained_variance_ratio_
    out[f"{name}.y"] = y[rows].ravel()


def joint(x, perplexity):
    """Bisection to the end, in double."""
    d2, n = squareform(pdist(x, "sqeuclidean")), len(x)
    p = np.zeros((n, n))
    for i in range(n):
        others = np.arange(n) != i
        low, high = 1e-30, 1e30
        for _ in range(400):
            beta = np.sqrt(low * high)
            w = np.exp(-beta * (d2[i, others] - d2[i, others].min()))
            q = w / w.sum()
            entropy = -(q[q > 0] * np.log(q[q > 0])).sum()
            low, high = (beta, high) if entropy > np.log(perplexity) else (low, beta)
        p[i, others] = q
    return (p + p.T) / (2 * n)


def gradient(p, y, exaggeration):
    off = y[:, None] - y[None]
    w = 1 / (1 + (off ** 2).sum(-1))
    np.fill_diagonal(w, 0)
    return 4 * (((exaggeration * p - w / w.sum()) * w)[:, :, None] * off).sum(1)


def divergence(p, y):
    w = 1 / (1 + squareform(pdist(y, "sqeuclidean")))
    np.fill_diagonal(w, 0)
    at = p > 0
    return (p[at] * np.log(p[at] / (w / w.sum())[at])).sum()


def tsne(out, table):
    draw = np.random.default_rng(0)
    x = draw.normal(size=(24, 5)).astype(np.float32)
    x[7] = x[3]                                             # a point twice
    p = joint(x.astype(np.float64), 6)
    distances = squareform(pdist(x.astype(np.float64), "sqeuclidean"))
    library = squareform(_joint_probabilities(distances, 6, 0))
    assert np.abs(p - library).max() < 1e-5 * p.max()
    out["tsne.x"], out["tsne.p"] = x.ravel(), p.ravel()
    for dims in (2, 3):
        y = draw.normal(size=(24, dims))
        out[f"tsne.y{dims}"], out[f"tsne.gradient{dims}"] = y.ravel(), gradient(p, y, 3).ravel()
        out[f"tsne.kl{dims}"] = [divergence(p, y)]
    for perplexity in (5, 20):
        fit = TSNE(method="exact", init="pca", perplexity=perplexity, random_state=0).fit(table.astype(np.float64))
        mine = divergence(joint(table.astype(np.float64), perplexity), fit.embedding_.astype(np.float64))
        assert abs(mine - fit.kl_divergence_) < 1e-3
        out[f"tsne.positions.{perplexity}"] = [fit.kl_divergence_]


def main():
    model = AutoModelForCausalLM.from_pretrained(ROOT / "models/demo", attn_implementation="eager", dtype=torch.float64).eval()
    wte, wpe = (w.detach().float().numpy() for w in (model.transformer.wte.weight, model.transformer.wpe.weight))
    out = {}
    pca(out, "vocabulary", wte, slice(1486, 1496))
    pca(out, "part", wte[100:400], slice(0, 10))
    pca(out, "positions", wpe, slice(0, 10))
    kept = []
    for block in model.transformer.h:
        block.register_forward_hook(lambda m, a, o: kept.append((o[0] if isinstance(o, tuple) else o)[0].detach()))
    model(AutoTokenizer.from_pretrained(ROOT / "models/demo")(PROMPT, return_tensors="pt").input_ids)
    pca(out, "prompt", torch.cat([kept[0], kept[3]]).numpy(), slice(0, 28))
    tsne(out, wpe)
    with open(ROOT / "tests/truth/project.txt", "w") as file:
        for name, values in out.items():
            file.write(name + "".join(f" {float(v):.12g}" for v in np.ravel(values)) + "\n")


if __name__ == "__main__":
    main()
