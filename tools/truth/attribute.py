"""Truth for tests/test_method_attribute*.c: every attribution computed by torch, transformers, scikit-learn and scipy.

    python tools/truth/attribute.py        writes tests/truth/attribute.safetensors and tests/truth/rules.h

The models run in float64 from their float32 weights, the eager attention of transformers, embeddings given as
inputs_embeds. Nothing here reads a number that sonde computed; the draws of LIME are those of Philox4x32-10 as
sonde/random.h has them, written again.
"""
from itertools import combinations
from math import factorial
from pathlib import Path

import numpy
import torch
from safetensors.numpy import save_file
from scipy import stats
from sklearn.linear_model import Ridge
from transformers import AutoTokenizer, GPT2LMHeadModel

ROOT = Path(__file__).resolve().parents[2]
LONG = "When Mary and John went to the store, John gave a drink to"
SHORT = "The hat is red and the cup"


def open_model(folder):
    model = GPT2LMHeadModel.from_pretrained(ROOT / folder, attn_implementation="eager", dtype=torch.float32)
    return model.double().eval()


class Case:
    """F of one prompt: weights over (position, token) of the logits, by default the argmax of the last position."""

    def __init__(self, model, ids, baseline, terms=None):
        self.model, self.ids, self.n = model, ids, len(ids)
        table = model.transformer.wte.weight.detach()
        self.table, self.x = table, table[ids].clone()
        self.d = table.shape[1]
        self.b = torch.zeros(self.d, dtype=torch.float64) if baseline == "zero" else (
            table.mean(0).float().double() if baseline == "mean" else table[baseline].clone())
        self.terms = terms or [(1.0, -1, int(self.logits(self.x)[-1].argmax()))]

    def logits(self, e):
        return self.model(inputs_embeds=e[None]).logits[0]

    def f(self, e):
        y = self.logits(e)
        return sum(w * y[p, t] for w, p, t in self.terms)

    def value(self, e):
        with torch.no_grad():
            return float(self.f(e))

    def gradient(self, e):
        e = e.clone().requires_grad_(True)
        self.f(e).backward()
        return e.grad

    def without(self, gone):
        e = self.x.clone()
        for t in gone:
            e[t] = self.b
        return e


def rule(name, steps):
    if name == "trapezoid":
        at = numpy.linspace(0, 1, steps)
        weight = numpy.array([numpy.trapezoid(numpy.eye(steps)[i], at) for i in range(steps)])
        return at, weight
    at, weight = numpy.polynomial.legendre.leggauss(steps)
    return (at + 1) / 2, weight / 2


def integrated(case, name, steps):
    total = torch.zeros_like(case.x)
    for at, weight in zip(*rule(name, steps)):
        total += weight * case.gradient(case.b + at * (case.x - case.b))
    return ((case.x - case.b) * total).sum(1)


def sequential(case, name, steps):
    out = []
    for t in range(case.n):
        total = torch.zeros(case.d, dtype=torch.float64)
        for at, weight in zip(*rule(name, steps)):
            e = case.x.clone()
            e[t] = case.b + at * (case.x[t] - case.b)
            total += weight * case.gradient(e)[t]
        out.append(((case.x[t] - case.b) * total).sum())
    return torch.stack(out)


def corners(case, t, anchors, neighbours, baseline_id):
    """The path of one position as the help of `attribute` says it."""
    table, here, anchor = case.table.numpy(), case.x[t].numpy(), case.ids[t]
    b, path, used = case.b.numpy(), [case.x[t].numpy()], {baseline_id}
    for left in range(anchors + 1, 1, -1):
        used.add(anchor)
        order = numpy.argsort(((table - table[anchor]) ** 2).sum(1), kind="stable")
        near = [int(i) for i in order if int(i) not in used][:neighbours]
        best = None
        for i in near:
            e = table[i]
            between = ((e >= b) & (e <= here)) | ((e <= b) & (e >= here))
            made = numpy.where(between, e, here + (b - here) / left).astype(numpy.float32).astype(numpy.float64)
            far = ((made - e) ** 2).sum()
            if best is None or far < best[0]:
                best = far, made, i
        here, anchor = best[1], best[2]
        path.append(here)
    return path + [b]


def discretised(case, steps, anchors, neighbours, baseline_id):
    paths = torch.from_numpy(numpy.stack([corners(case, t, anchors, neighbours, baseline_id) for t in range(case.n)]))
    at, weight = rule("gauss-legendre", -(-steps // (anchors + 1)))
    out = torch.zeros(case.n, dtype=torch.float64)
    for leg in range(anchors + 1):
        a, b = paths[:, leg], paths[:, leg + 1]
        for p, w in zip(at, weight):
            out += ((a - b) * w * case.gradient(a + p * (b - a))).sum(1)
    return out


def occlusion(case, window):
    whole, sums, counts = case.value(case.x), numpy.zeros(case.n), numpy.zeros(case.n)
    for i in range(case.n - window + 1):
        drop = whole - case.value(case.without(range(i, i + window)))
        sums[i:i + window] += drop
        counts[i:i + window] += 1
    return sums / counts


def shapley(case):
    """By the definition: the mean gain of a token over all orders, as sums over sets."""
    n, value = case.n, {}
    for k in range(n + 1):
        for stay in combinations(range(n), k):
            value[stay] = case.value(case.without(set(range(n)) - set(stay)))
    out = numpy.zeros(n)
    for t in range(n):
        for stay, v in value.items():
            if t in stay:
                continue
            share = factorial(len(stay)) * factorial(n - len(stay) - 1) / factorial(n)
            out[t] += share * (value[tuple(sorted(stay + (t,)))] - v)
    return out


def bits(seed, stream, i):
    mask = 0xFFFFFFFF
    c = [i & mask, i >> 32, stream & mask, stream >> 32]
    k0, k1 = seed & mask, seed >> 32
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k0, p1 & mask, (p0 >> 32) ^ c[3] ^ k1, p0 & mask]
        k0, k1 = (k0 + 0x9E3779B9) & mask, (k1 + 0xBB67AE85) & mask
    return c[1] << 32 | c[0]


def below(seed, stream, i, n):
    return int((bits(seed, stream, i) >> 11) * 2.0 ** -53 * n)


def order(seed, stream, n):
    out = list(range(n))
    for i in range(n - 1):
        k = i + below(seed, stream, i, n - i)
        out[i], out[k] = out[k], out[i]
    return out


def lime(case, samples, seed):
    stays = numpy.ones((samples, case.n))
    for i in range(1, samples):
        gone = 1 + below(seed, (1 << 56) + 2 * i, 0, case.n)
        stays[i, order(seed, (1 << 56) + 2 * i + 1, case.n)[:gone]] = 0
    f = [case.value(case.without(numpy.flatnonzero(row == 0))) for row in stays]
    norms = numpy.sqrt(stays.sum(1) * case.n)
    cosine = numpy.divide(stays.sum(1), norms, out=numpy.zeros(samples), where=norms > 0)
    weight = numpy.sqrt(numpy.exp(-(100 * (1 - cosine)) ** 2 / 25 ** 2))
    fit = Ridge(alpha=1).fit(stays, f, sample_weight=weight)
    return fit.coef_, numpy.array([fit.intercept_, fit.score(stays, f, sample_weight=weight)])


def drawn_shap(case, samples, seed):
    """Pairs of sets, sizes with probability 1 / (k (n - k)); least squares with its constraint as one linear system."""
    n, stays = case.n, []
    chance = numpy.cumsum([1 / (k * (n - k)) for k in range(1, n)])
    for i in range(0, samples, 2):
        u = (bits(seed, (2 << 56) + i, 0) >> 11) * 2.0 ** -53 * chance[-1]
        size = 1 + int(numpy.searchsorted(chance, u, side="right"))
        row = numpy.zeros(n)
        row[order(seed, (2 << 56) + i + 1, n)[:size]] = 1
        stays += [row, 1 - row]
    stays, whole, empty = numpy.array(stays), case.value(case.x), case.value(case.without(range(n)))
    gain = numpy.array([case.value(case.without(numpy.flatnonzero(row == 0))) for row in stays]) - empty
    system = numpy.ones((n + 1, n + 1))
    system[:n, :n], system[n, n] = stays.T @ stays, 0
    return numpy.linalg.solve(system, numpy.append(stays.T @ gain, whole - empty))[:n]


def roll(mixes):
    out, total = [], numpy.eye(mixes[0].shape[0])
    for mix in mixes:
        total = (mix / mix.sum(1, keepdims=True)) @ total
        out.append(total)
    return numpy.stack(out)


def rollout(case):
    with torch.no_grad():
        patterns = case.model(inputs_embeds=case.x[None], output_attentions=True).attentions
    return roll([0.5 * p[0].mean(0).numpy() + 0.5 * numpy.eye(case.n) for p in patterns])


def zeroing(case):
    blocks, d, layers = case.model.transformer.h, case.d, []
    for block in blocks:
        seen = []
        watch = block.register_forward_hook(lambda m, i, o: seen.append((o[0] if isinstance(o, tuple) else o)[0]))
        case.value(case.x)
        whole, distance = seen.pop().reshape(case.n, d), numpy.zeros((case.n, case.n))
        for s in range(case.n):
            def without_values(module, inputs, output, s=s):
                output = output.clone()
                output[0, s, 2 * d:] = 0
                return output
            edit = block.attn.c_attn.register_forward_hook(without_values)
            case.value(case.x)
            edit.remove()
            moved = seen.pop().reshape(case.n, d)
            distance[:, s] = 1 - torch.cosine_similarity(whole, moved, dim=1).numpy()
            distance[:s, s] = 0
        watch.remove()
        layers.append(distance)
    return numpy.stack(layers)


def put(out, name, x):
    x = x.numpy() if isinstance(x, torch.Tensor) else numpy.asarray(x)
    out[name] = numpy.ascontiguousarray(x.astype(numpy.float32))


def gradients(out, name, case):
    g = case.gradient(case.x)
    put(out, f"{name}/norm", g.norm(dim=1))
    put(out, f"{name}/times_input", (g * case.x).sum(1))
    put(out, f"{name}/sum", g.sum(1))


def ends(out, name, case):
    everything = case.without(range(case.n))
    put(out, f"{name}/ends", [case.value(case.x), case.value(everything)])


def edited(out, model, ids):
    """The edit scale:blocks.0.hook_resid_pre[:,0:80]=2. Without it a layer norm makes every sum of a gradient 0."""
    def twice(module, inputs):
        x = inputs[0].clone()
        x[..., :80] *= 2
        return (x, *inputs[1:])
    hook = model.transformer.h[0].register_forward_pre_hook(twice)
    case = Case(model, ids, "zero")
    gradients(out, "edited", case)
    put(out, "edited/ig", integrated(case, "gauss-legendre", 50))
    hook.remove()


def demo(out):
    model, tokenizer = open_model("models/demo"), AutoTokenizer.from_pretrained(ROOT / "models/demo")
    long = tokenizer(LONG)["input_ids"]
    case = Case(model, long, "zero")
    ends(out, "demo", case)
    put(out, "demo/ig", integrated(case, "gauss-legendre", 50))
    put(out, "demo/ig-trapezoid", integrated(case, "trapezoid", 50))
    put(out, "demo/sequential", sequential(case, "gauss-legendre", 20))
    gradients(out, "demo", case)
    put(out, "demo/occlusion", occlusion(case, 1))
    put(out, "demo/occlusion-3", occlusion(case, 3))
    put(out, "demo/rollout", rollout(case))
    distance = zeroing(case)
    put(out, "demo/value_zeroing", distance)
    put(out, "demo/value_zeroing_rollout", roll(distance))
    coefficients, fit = lime(case, 300, 3)
    put(out, "demo/lime", coefficients)
    put(out, "demo/lime-fit", fit)
    put(out, "demo/shap-drawn", drawn_shap(case, 200, 3))
    put(out, "demo/mean", integrated(Case(model, long, "mean"), "gauss-legendre", 50))
    the = tokenizer(" the")["input_ids"][0]
    put(out, "demo/token", integrated(Case(model, long, the), "gauss-legendre", 50))
    put(out, "demo/discretised", discretised(case, 50, 9, 50, None))
    put(out, "demo/discretised-token", discretised(Case(model, long, the), 60, 4, 20, the))
    edited(out, model, long)
    short = Case(model, tokenizer(SHORT)["input_ids"], "zero")
    assert short.n == 7
    ends(out, "short", short)
    put(out, "short/shapley", shapley(short))


def tiny(out):
    model = open_model("tests/golden/three")
    ids = [7, 33, 2, 58, 19, 33, 41]
    case = Case(model, ids, 5, [(1.0, -1, 11), (-1.0, -1, 40), (2.0, 3, 8)])
    out["three/tokens"] = numpy.array(ids, numpy.int64)
    ends(out, "three", case)
    put(out, "three/ig", integrated(case, "gauss-legendre", 50))
    put(out, "three/ig-trapezoid", integrated(case, "trapezoid", 21))
    put(out, "three/sequential", sequential(case, "trapezoid", 21))
    gradients(out, "three", case)
    put(out, "three/occlusion", occlusion(case, 2))
    put(out, "three/rollout", rollout(case))
    put(out, "three/value_zeroing", zeroing(case))
    put(out, "three/shapley", shapley(case))


def numbers(name, x):
    return f"static const double {name}[] = {{ {', '.join(repr(float(v)) for v in x)} }};\n"


def rules():
    """numpy's nodes and weights, scipy's correlations, as C."""
    text = "/* Made by tools/truth/attribute.py: numpy.polynomial.legendre.leggauss on [0, 1]; scipy.stats. */\n"
    for n in (1, 2, 5, 50):
        at, weight = rule("gauss-legendre", n)
        text += numbers(f"legendre_at_{n}", at) + numbers(f"legendre_weight_{n}", weight)
    at, weight = rule("trapezoid", 7)
    text += numbers("trapezoid_at_7", at) + numbers("trapezoid_weight_7", weight)
    draw = numpy.random.default_rng(1)
    lists = [draw.normal(size=9), draw.normal(size=9), draw.integers(0, 4, 9).astype(float), draw.integers(0, 3, 9).astype(float)]
    for i, x in enumerate(lists):
        text += numbers(f"list_{i}", x)
    pairs = [(i, j) for i in range(4) for j in range(4)]
    text += numbers("list_spearman", [stats.spearmanr(lists[i], lists[j]).statistic for i, j in pairs])
    text += numbers("list_kendall", [stats.kendalltau(lists[i], lists[j]).statistic for i, j in pairs])
    lines = []
    for line in text.splitlines():
        while len(line) > 120:
            cut = line.rindex(", ", 0, 120) + 1
            lines.append(line[:cut])
            line = "    " + line[cut + 1:]
        lines.append(line)
    return "\n".join(lines) + "\n"


def main():
    out = {}
    demo(out)
    tiny(out)
    save_file(out, ROOT / "tests/truth/attribute.safetensors")
    (ROOT / "tests/truth/attribute.safetensors").chmod(0o644)
    (ROOT / "tests/truth/rules.h").write_text(rules())
    for name, x in sorted(out.items()):
        print(name, x.shape, x.reshape(-1)[:4])


if __name__ == "__main__":
    main()
