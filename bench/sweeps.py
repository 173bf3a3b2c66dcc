"""Activation patching cell by cell, and integrated gradients: sonde beside transformer_lens and captum, in turn.

    python bench/sweeps.py [--sweeps build/release/sweeps] [--model FOLDER] [--only PATTERN] [--pairs N] [--threads 2]
                           [--sample 24] [--llama FOLDER] [--every 5] [--out FILE]

A GPT-2 124M-shaped random model (written as a Hugging Face folder, or --model) and prompts of 15 tokens, whose second one differs
in the token at position 4. transformer_lens runs every cell with a hook on the whole run, eight pairs as one batch; --sample
times so many of its cells, evenly spread, and says so. With --llama, a folder of a model of that family is swept instead, 64 tokens
in every --every'th layer, against the same weights in float32. captum runs 50 steps of integrated gradients on 64 tokens, at its
defaults and with 10 steps a batch and last logits only. Numbers are compared first. Needs torch, transformers,
transformer_lens and captum: tools/venv.sh, then `build/venv/bin/pip install captum better_abc` and
`build/venv/bin/pip install --no-deps transformer_lens==2.18.0` (4.0 has no HookedTransformer) with what it imports.
"""
import argparse
import fnmatch
import importlib.metadata
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaForCausalLM

TOKENS, CHANGED, ANSWER, WRONG = 15, 4, 11, 29
STEPS, LONG = 50, 64

# name, site of sonde, axes of the cells behind the layer, pairs of prompts, the ratio to reach
LONG_GRID = ("Llama, resid_pre by layer and position, one pair", "hook_resid_pre", "t", 1, None)
GRIDS = [
    ("resid_pre by layer and position, one pair", "hook_resid_pre", "t", 1, 25),
    ("heads by layer and head, one pair", "attn.hook_z", "h", 1, 15),
    ("heads by layer, position and head, one pair", "attn.hook_z", "th", 1, 25),
    ("resid_pre by layer and position, eight pairs", "hook_resid_pre", "t", 8, 10),
    ("heads by layer and head, eight pairs", "attn.hook_z", "h", 8, 5),
    ("heads by layer, position and head, eight pairs", "attn.hook_z", "th", 8, 10),
]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweeps", default="build/release/sweeps")
    parser.add_argument("--model")
    parser.add_argument("--only", default="*")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sample", type=int, default=24)
    parser.add_argument("--llama")
    parser.add_argument("--every", type=int, default=5)
    parser.add_argument("--out")
    return parser.parse_args()


def tokens_of(vocab, pair, second, n=TOKENS):
    return [(i * 7919 + pair * 104729 + 1 + (13 if second and i == CHANGED else 0)) % vocab for i in range(n)]


class Sonde:
    """The program of sweeps.c, kept open."""

    def __init__(self, program, folder, threads):
        self.run = subprocess.Popen([program, folder, str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.file = tempfile.NamedTemporaryFile()

    def ask(self, request):
        self.run.stdin.write(f"{request} {self.file.name}\n")
        self.run.stdin.flush()
        line = self.run.stdout.readline()
        if not line:
            raise SystemExit("sweeps.py: the program of sweeps.c ended")
        return float(line), np.fromfile(self.file.name, dtype=np.float32)


def lens_model(hf):
    """The same weights, unchanged: nothing is folded or centred, nothing is fetched."""
    from transformer_lens import HookedTransformer, HookedTransformerConfig
    from transformer_lens.pretrained.weight_conversions import convert_gpt2_weights

    c = hf.config
    config = HookedTransformerConfig(n_layers=c.n_layer, d_model=c.n_embd, n_ctx=c.n_positions, d_head=c.n_embd // c.n_head,
                                     n_heads=c.n_head, d_mlp=4 * c.n_embd, d_vocab=c.vocab_size, act_fn="gelu_new",
                                     eps=c.layer_norm_epsilon, normalization_type="LN", device="cpu")
    model = HookedTransformer(config)
    model.load_state_dict(convert_gpt2_weights(hf, config), strict=False)
    return model.eval()


def lens_llama(hf):
    from transformer_lens import HookedTransformer, HookedTransformerConfig
    from transformer_lens.pretrained.weight_conversions import convert_llama_weights

    c = hf.config
    width = c.hidden_size // c.num_attention_heads
    config = HookedTransformerConfig(n_layers=c.num_hidden_layers, d_model=c.hidden_size, n_ctx=c.max_position_embeddings,
                                     d_head=width, n_heads=c.num_attention_heads, d_mlp=c.intermediate_size,
                                     n_key_value_heads=c.num_key_value_heads, d_vocab=c.vocab_size, act_fn="silu",
                                     eps=c.rms_norm_eps, normalization_type="RMS", positional_embedding_type="rotary",
                                     rotary_dim=width, rotary_adjacent_pairs=False, gated_mlp=True, final_rms=True, device="cpu")
    model = HookedTransformer(config)
    model.load_state_dict(convert_llama_weights(hf, config), strict=False)
    return model.eval()


def lens_cells(by, heads, layers, tokens):
    return [(layer, t, h) for layer in layers for t in (range(tokens) if "t" in by else [None])
            for h in (range(heads) if "h" in by else [None])]


def lens_patch(site, t, h, other):
    def hook(value, hook):
        rows = slice(None) if t is None else t
        if h is None:
            value[:, rows] = other[:, rows]
        else:
            value[:, rows, h] = other[:, rows, h]
        return value

    return hook


def time_lens(model, grid, sample, tokens=TOKENS, every=1):
    """Seconds a cell, the cells that were timed and their values [cells, pairs]."""
    _, site, by, pairs, _ = grid
    config = model.cfg
    first = torch.tensor([tokens_of(config.d_vocab, p, False, tokens) for p in range(pairs)])
    second = torch.tensor([tokens_of(config.d_vocab, p, True, tokens) for p in range(pairs)])
    cells = lens_cells(by, config.n_heads, range(every // 2, config.n_layers, every), tokens)
    chosen = sorted({round(i * (len(cells) - 1) / max(1, sample - 1)) for i in range(min(sample, len(cells)))})
    with torch.no_grad():
        _, cache = model.run_with_cache(second, names_filter=lambda name: name.endswith(site))
        values = []
        start = time.perf_counter()
        for i in chosen:
            layer, t, h = cells[i]
            name = f"blocks.{layer}.{site}"
            out = model.run_with_hooks(first, fwd_hooks=[(name, lens_patch(site, t, h, cache[name]))])
            values.append((out[:, -1, ANSWER] - out[:, -1, WRONG]).tolist())
        seconds = (time.perf_counter() - start) / len(chosen)
    return seconds, chosen, np.array(values), len(cells)


class Slopes(torch.nn.Module):
    """The metric of embeddings; `last`: the logits of the last position alone."""

    def __init__(self, hf, last):
        super().__init__()
        self.hf, self.last = hf, last

    def forward(self, embeds):
        logits = self.hf(inputs_embeds=embeds, logits_to_keep=1 if self.last else 0, use_cache=False).logits
        return logits[:, -1, ANSWER] - logits[:, -1, WRONG]


def time_captum(hf, batch, last):
    from captum.attr import IntegratedGradients

    ids = torch.tensor([tokens_of(hf.config.vocab_size, 0, False, LONG)])
    embeds = hf.transformer.wte(ids).detach()
    start = time.perf_counter()
    method = IntegratedGradients(Slopes(hf, last), multiply_by_inputs=True)
    got = method.attribute(embeds, baselines=torch.zeros_like(embeds), n_steps=STEPS, method="riemann_middle",
                           internal_batch_size=batch)
    return time.perf_counter() - start, got.sum(-1)[0].detach().numpy()


def tell(name, theirs, ours, unit, bar, note=""):
    ratios = [a / b for a, b in zip(theirs, ours)]
    middle, best = statistics.median(ratios), max(ratios)
    met = "" if bar is None else f"  bar {bar}x: {'met' if middle >= bar else 'missed'}"
    print(f"{name}: theirs {1e3 * statistics.median(theirs):.2f} ms, sonde {1e3 * statistics.median(ours):.2f} ms {unit}; "
          f"ratio {middle:.1f} (best {best:.1f}; of the fastest times {min(theirs) / min(ours):.1f}){met}{note}", flush=True)
    return {"name": name, "theirs": theirs, "sonde": ours, "ratio": middle, "best": best, "bar": bar}


def run_grid(args, grid, sonde, model, tokens=TOKENS, every=1):
    name, site, by, pairs, bar = grid
    theirs, ours = [], []
    for _ in range(args.pairs):
        seconds, chosen, values, n = time_lens(model, grid, args.sample, tokens, every)
        mine, all_values = sonde.ask(f"cells {site} {by} {pairs} {tokens} {every}")
        all_values = all_values.reshape(n, pairs)
        worst = np.abs(values - all_values[chosen]).max()
        if worst > 1e-4:
            raise SystemExit(f"sweeps.py: {name}: values differ by {worst:.3g}, expected at most 1e-4")
        theirs.append(seconds)
        ours.append(mine / n)
    return tell(name, theirs, ours, "a cell", bar, f"  ({n} cells, {len(chosen)} of them timed there)")


def run_slopes(args, sonde, hf):
    ways = [("integrated gradients, captum 10 steps a batch, last logits", 10, True, 1.5),
            ("integrated gradients, captum's defaults", None, False, 4)]
    for name, batch, last, bar in ways:
        if not fnmatch.fnmatch(name, args.only):
            continue
        theirs, ours = [], []
        for _ in range(args.pairs):
            seconds, values = time_captum(hf, batch, last)
            mine, got = sonde.ask(f"slope {STEPS} {LONG}")
            worst = np.abs(values - got).max() / max(1e-3, np.abs(values).max())
            if worst > 1e-3:
                raise SystemExit(f"sweeps.py: {name}: values differ by {worst:.3g} of the greatest")
            theirs.append(seconds)
            ours.append(mine)
        yield tell(name, theirs, ours, "a run", bar)


def run_llama(args):
    hf = LlamaForCausalLM.from_pretrained(args.llama, dtype=torch.float32).eval().requires_grad_(False)
    sonde = Sonde(args.sweeps, args.llama, args.threads)
    return [run_grid(args, LONG_GRID, sonde, lens_llama(hf), LONG, args.every)]


def run_gpt2(args):
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        if args.model:
            hf = GPT2LMHeadModel.from_pretrained(args.model, dtype=torch.float32)
        else:
            hf = GPT2LMHeadModel(GPT2Config())
            hf.save_pretrained(scratch)
        hf.eval().requires_grad_(False)
        sonde = Sonde(args.sweeps, args.model or scratch, args.threads)
        grids = [g for g in GRIDS if fnmatch.fnmatch(g[0], args.only)]
        if grids:
            model = lens_model(hf)
            results += [run_grid(args, g, sonde, model) for g in grids]
        results += list(run_slopes(args, sonde, hf))
    return results


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    cpu = [line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    peers = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("transformer_lens", "captum"))
    print(f"{cpu[0] if cpu else 'unknown CPU'}, {args.threads} threads, torch {torch.__version__}, {peers}", flush=True)
    results = run_llama(args) if args.llama else run_gpt2(args)
    if args.out:
        Path(args.out).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
