"""Prompt and decode speed of a GPT-2 124M-shaped random model: sonde beside transformers (eager, float32), in turn.

    python bench/compare.py [--speed build/release/speed] [--pairs 5] [--threads 2] [--prompt 256] [--decode 32]

Shared machines are noisy: each pair runs one after the other, the ratio of a pair is what counts, and its median is
printed. Needs the environment of tools/venv.sh.
"""
import argparse
import statistics
import subprocess
import tempfile
import time

import torch
from transformers import GPT2Config, GPT2LMHeadModel


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speed", default="build/release/speed")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--prompt", type=int, default=256)
    parser.add_argument("--decode", type=int, default=32)
    return parser.parse_args()


def time_transformers(model, ids, decode):
    """Seconds for the prompt, and for each token behind it with the cache."""
    with torch.no_grad():
        start = time.perf_counter()
        out = model(ids, use_cache=True, logits_to_keep=1)
        prompt = time.perf_counter() - start
        start = time.perf_counter()
        for _ in range(decode):
            token = out.logits[:, -1:].argmax(-1)
            out = model(token, past_key_values=out.past_key_values, use_cache=True)
        return prompt, (time.perf_counter() - start) / decode


def time_sonde(args, folder):
    command = [args.speed, folder, str(args.prompt), str(args.decode), "2", str(args.threads)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return tuple(float(x) for x in lines[-1].split())


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(attn_implementation="eager")).eval()
    ids = torch.tensor([[i * 7919 % model.config.vocab_size for i in range(args.prompt)]])
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        time_transformers(model, ids, 4)
        pairs = [(time_transformers(model, ids, args.decode), time_sonde(args, folder)) for _ in range(args.pairs)]
    for name, i, unit in (("prompt", 0, args.prompt), ("decode", 1, 1)):
        theirs = statistics.median(p[0][i] for p in pairs)
        ours = statistics.median(p[1][i] for p in pairs)
        ratio = statistics.median(p[0][i] / p[1][i] for p in pairs)
        print(f"{name}: transformers {unit / theirs:.1f} tokens/s, sonde {unit / ours:.1f} tokens/s, ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
