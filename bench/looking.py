"""What looking costs, on a random model of GPT-2 124M's shape: ratios to a plain run, which computes the last position's
logits and has no taps.

    python bench/looking.py [--build build/release] [--pairs 10] [--threads 2] [--folder DIR]

Trace: `sonde trace` of every site but those on request, less the time of writing the same pieces in the same order, beside
`sonde generate -n 1` of as many tokens. Site, pattern: one site more than plain, in one process. Lens: `sonde lens` of every
state and position with the ten best, beside its products alone. Shared machines are noisy: programs run in turn, and
the median of the pairs' ratios is printed with the least and the greatest. Needs the environment of tools/venv.sh, and room
for 2.3 GB in --folder (a temporary one).
"""
import argparse
import os
import statistics
import subprocess
import tempfile
import time

TOKENS, LENS_TOKENS, LENS_STATES = 1024, 64, 25


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder")
    return parser.parse_args()


def make_model(folder):
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel
    torch.set_num_threads(1)
    torch.manual_seed(0)
    GPT2LMHeadModel(GPT2Config()).save_pretrained(folder)


def run(command):
    """Seconds, megabytes at most, and what it printed."""
    start = time.perf_counter()
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    lines = program.stdout.read().split("\n")
    _, status, use = os.wait4(program.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)[:80]}..: status {status}")
    return time.perf_counter() - start, use.ru_maxrss / 1024, lines


class Bench:
    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.model = os.path.join(folder, "model")

    def sonde(self, verb, tokens, *more):
        ids = ",".join(str(i * 7919 % 50257) for i in range(tokens))
        threads = str(self.args.threads)
        return run([f"{self.args.build}/sonde", verb, "-m", self.model, "--tokens", ids, "--threads", threads, *more])

    def looking(self, tokens, pairs, what, of):
        lines = run([f"{self.args.build}/looking", self.model, str(tokens), str(self.args.threads), str(pairs), what, of])[2]
        return [[float(x) for x in line.split()] for line in lines if line]

    def plain(self, tokens):
        """Of a full context one token less, so that there is room for the one that is generated; it is not run."""
        return self.sonde("generate", min(tokens, TOKENS - 1), "-n", "1")

    def trace(self):
        """(seconds of trace - seconds of writing) / seconds of plain, and megabytes beyond plain's."""
        out, times, room = os.path.join(self.folder, "t.safetensors"), [], []
        for i in range(self.args.pairs + 1):
            plain, traced = self.plain(TOKENS), self.sonde("trace", TOKENS, "-o", out)
            os.unlink(out)
            writes = self.looking(TOKENS, 1, "writes", out)[0][0]
            if i:
                times.append((traced[0] - writes) / plain[0])
                room.append(traced[1] - plain[1])
        return times, room

    def lens(self):
        """(seconds of lens - seconds of plain, which opens and runs too) / seconds of the products; megabytes."""
        out, times, room = os.path.join(self.folder, "l.json"), [], []
        for i in range(self.args.pairs + 1):
            plain, lens = self.plain(LENS_TOKENS), self.sonde("lens", LENS_TOKENS, "--top", "10", "-o", out)
            products = self.looking(LENS_TOKENS, 1, "products", str(LENS_TOKENS * LENS_STATES))[0][0]
            if i:
                times.append((lens[0] - plain[0]) / products)
                room.append(lens[1] - plain[1])
        return times, room

    def peaks(self):
        """Megabytes of whole commands, by the system's count, the mapped weights with them."""
        for verb, tokens, more in (("generate", TOKENS - 1, ("-n", "1")), ("trace", TOKENS, ()), ("lens", 256, ()),
                                   ("attention", 256, ()),
                                   ("sweep", 15, ("--over", "hook_resid_pre", "--do", "zero", "--metric", "logit(#17)"))):
            out = os.path.join(self.folder, "t.safetensors" if verb == "trace" else "a.json")
            print(f"peak of {verb}, {tokens} tokens: {self.sonde(verb, tokens, *more, '-o', out)[1]:.0f} MB", flush=True)
            os.unlink(out)


def say(name, ratios, bar, room=None):
    memory = f"; {statistics.median(room):+.0f} MB beside plain" if room else ""
    print(f"{name}: {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}), bar {bar}{memory}", flush=True)


def main():
    args = arguments()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        bench = Bench(args, folder)
        make_model(bench.model)
        for name, site, bar in (("one residual site", "blocks.5.hook_resid_post", 1.02),
                                ("one pattern", "blocks.5.attn.hook_pattern", 1.1)):
            say(name, [b / a for a, b in bench.looking(TOKENS, args.pairs, "site", site)], bar)
        ratios, room = bench.lens()
        say("lens, beside its products", ratios, 1.3, room)
        ratios, room = bench.trace()
        say("trace less its writes", ratios, 1.3, room)
        bench.peaks()


if __name__ == "__main__":
    main()
