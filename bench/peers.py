"""Whole runs of sonde beside its peers: prompts of 512 tokens, and 32 tokens decoded behind a prompt of 64.

    python3 bench/peers.py [--pairs 20] [--threads 2,1] [--only gpt2,q8_0/decode] [--out build/peers.json]

Programs: sonde, llama.cpp (llama-cpp-python, built here from its source package for this CPU), transformers in float32
(eager and sdpa), transformer_lens. Models: GPT-2 124M at F32 and F16, a 1.1B Llama shape at F16, Q8_0, Q4_0, Q4_K_M, with
random weights (bench/peer_models.py). Every program is a process of its own that loads once; in each pair all run one
after the other, in turns forwards and backwards, so that what else the machine does meets all alike. Ratios are theirs
divided by ours: above 1 sonde is faster; what counts is the median of the pairs' ratios. Before a race, the programs'
logits are compared.

A CPU with matrix tiles (AMX): llama.cpp is built without them and told so, oneDNN is kept below them.

Without --python an environment is made (build/venv-peers; needs the network, a C++ compiler, minutes and 3 GB). Everything
takes about an hour and 8 GB of memory, --pairs 5 --only gpt2 three minutes. An interrupted run has written what it measured.
"""
import argparse
import contextlib
import fcntl
import fnmatch
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import peer_models

ROOT = Path(__file__).resolve().parent.parent
HERE = Path(__file__).resolve().parent
TILES = "-mno-amx-tile -mno-amx-int8 -mno-amx-bf16"
REQUESTS = {"prompt": "prompt 512", "decode": "decode 64 32"}
# How far logits may be from llama.cpp's (cache of float16; activations rounded to 8 bits for quantised weights, to float16
# for F16) and from float32's: the difference's root mean square as a share of the logits'.
NEAR = {"f32": 0.01, "f16": 0.01, "q8_0": 0.1, "q4_0": 0.1, "q4_k_m": 0.1}
NEAR_FLOAT = 1e-4
# Model, type, the least ratio to the faster peer: prompt, decode; None: reported.
CASES = [
    ("gpt2", "f32", 1.2, 1.0), ("gpt2", "f16", 1.2, 1.0), ("llama11", "f16", 0.95, 1.0), ("llama11", "q8_0", 1.2, 1.0),
    ("llama11", "q4_0", None, 0.7), ("llama11", "q4_k_m", 0.9, 0.7),
]
FLOAT_BARS = {"prompt": 1.6, "decode": 1.9}         # the faster of transformers' two, GPT-2 in float32
OPENS = [("embedded", None, 30), ("gpt2-f32", "gpt2-f32.gguf", 50), ("llama11-q8_0", "llama11-q8_0.gguf", 100)]


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--python",
                   help="a Python that has torch, transformers, llama_cpp (transformer_lens), in place of a new environment")
    p.add_argument("--lens-python", help="a Python that has transformer_lens, where --python's has not")
    p.add_argument("--llama-lib", help="folder of llama.cpp's libraries, in place of those of the package")
    p.add_argument("--build", default=ROOT / "build/release", type=Path, help="folder of sonde and speed")
    p.add_argument("--models", default=ROOT / "build/bench-models", type=Path)
    p.add_argument("--pairs", type=int, default=20)
    p.add_argument("--threads", default="2,1")
    p.add_argument("--only", default="*",
                   help="patterns of MODEL-TYPE/prompt, MODEL-TYPE/decode, open-MODEL; a part of one is enough")
    p.add_argument("--out", type=Path, help="a file for all times, as JSON; what it has already stays")
    p.add_argument("--report", action="store_true", help="measure nothing, print the table of --out")
    p.add_argument("--lock", type=Path, help="a file to lock for each pair, where several measurements share the machine")
    return p.parse_args()


def say(text):
    print(text, file=sys.stderr, flush=True)


def processor():
    """Its name, and whether it has matrix tiles."""
    text = Path("/proc/cpuinfo").read_text() if os.path.exists("/proc/cpuinfo") else ""
    fields = dict(line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line)
    fields = {k.strip(): v.strip() for k, v in fields.items()}
    name = fields.get("model name", "unknown CPU")
    if "model" in fields:
        name += f" (family {fields.get('cpu family')}, model {fields['model']})"
    return name, "amx_tile" in fields.get("flags", "").split()


def environment(tiles):
    """The Python of a new environment with the peers; what is there already stays."""
    folder = ROOT / "build/venv-peers"
    python = folder / "bin/python"
    if (folder / "done").exists():
        return python
    say(f"making {folder}: some minutes")
    subprocess.run([ROOT / "tools/venv.sh", folder], check=True)
    pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    flags = f"-DCMAKE_C_FLAGS='{TILES}' -DCMAKE_CXX_FLAGS='{TILES}' " if tiles else ""
    subprocess.run([*pip, "--no-binary", "llama-cpp-python", "llama-cpp-python==0.3.36"], check=True,
                   env=os.environ | {"CMAKE_ARGS": flags + "-DGGML_NATIVE=ON"})
    if subprocess.run([*pip, "transformer_lens>=3,<4"]).returncode:       # 4 has no HookedTransformer
        say("transformer_lens cannot be installed beside them; it is left out")
    (folder / "done").touch()
    return python


class Program:
    """A process that answers requests."""

    def __init__(self, name, command, env):
        self.name = name
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        stderr=subprocess.DEVNULL, env=env, cwd=HERE)
        self.about = self.process.stdout.readline().strip()
        if not self.about:
            raise OSError(f"{name} does not start (exit {self.process.wait()})")

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise OSError(f"{self.name} ended in \"{line}\" (exit {self.process.wait()})")
        return float(answer)

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


@contextlib.contextmanager
def turn(args):
    """The machine for ourselves, among those who take the same lock."""
    if not args.lock:
        yield
        return
    with open(args.lock, "a") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def peers_of(args, env, model, kind, threads):
    """(name, command) of each program that runs this model."""
    make = lambda name: peer_models.make(args.models, args.build / "sonde", name, say)  # noqa: E731
    file = make(f"{model}-{kind}.gguf")
    worker = [args.python, HERE / "peer_worker.py"]
    yield "sonde", [args.build / "speed", file, threads]
    yield "llama.cpp", [*worker, "llama.cpp", file, threads]
    if (model, kind) != ("gpt2", "f32"):
        return
    folder = make("gpt2-f32")
    yield "transformers eager", [*worker, "eager", folder, threads]
    yield "transformers sdpa", [*worker, "sdpa", folder, threads]
    for python in (args.lens_python, args.python):
        if python and not subprocess.run([python, "-c", "import transformer_lens"], capture_output=True, env=env).returncode:
            yield "transformer_lens", [python, HERE / "peer_worker.py", "lens", folder, threads]
            return


def check(programs, kind):
    """Stops where the programs do not compute the same model."""
    import array
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        for p in programs:
            path = os.path.join(folder, "logits")
            p.ask(f"logits 64 {path}")
            with open(path, "rb") as f:
                rows[p.name] = array.array("f", f.read())
    ours = rows.pop("sonde")
    size = statistics.fmean(x * x for x in ours) ** 0.5
    for name, row in rows.items():
        least = NEAR[kind] if name == "llama.cpp" else NEAR_FLOAT
        apart = statistics.fmean((a - b) ** 2 for a, b in zip(ours, row)) ** 0.5 / size
        if len(row) != len(ours) or not apart <= least:
            raise OSError(f"{name}'s logits are {apart:.2g} of their size away from sonde's, expected {least} at most")
        say(f"  {name}: logits within {apart:.1g} of their size")


def race(args, programs, wanted):
    """Seconds by what is asked and by program, pair by pair."""
    times = {what: {p.name: [] for p in programs} for what in wanted}
    for what in wanted:
        for i in range(args.pairs):
            with turn(args):
                for p in programs if i % 2 else reversed(programs):
                    time.sleep(0.03)            # so that the one before has stopped spinning
                    times[what][p.name].append(p.ask(REQUESTS[what]))
            last = ", ".join(f"{name} {1e3 * t[-1]:.4g}" for name, t in times[what].items())
            say(f"  {what} {i + 1}/{args.pairs}: {last} ms")
    return times


def median_ratio(theirs, ours):
    ratios = [a / b for a, b in zip(theirs, ours)]
    return statistics.median(ratios), max(ratios)


def ms(seconds):
    return f"{1e3 * seconds:.4g}"


def verdict(ratio, bar):
    if bar is None:
        return "-"
    return f"{bar}: " + ("met" if ratio >= bar else "MISSED")


def rows_of(entry):
    """Table rows of one case: sonde beside each peer; the bar stands beside the faster one, and the faster transformers."""
    times, what = entry["seconds"], entry["what"]
    ours = times["sonde"]
    middle = {n: statistics.median(t) for n, t in times.items() if n != "sonde"}
    faster = min(middle, key=middle.get)
    floats = [n for n in middle if n.startswith("transformers ")]
    for name in middle:
        bars = [entry["bar"]] if name == faster else []
        if floats and name == min(floats, key=middle.get):
            bars.append(FLOAT_BARS[what])
        ratio, best = median_ratio(times[name], ours)
        yield (f"| {entry['model']} {what} | {entry['threads']} | {ms(min(ours))} | {ms(statistics.median(ours))} "
               f"| {name} | {ms(min(times[name]))} | {ms(middle[name])} | {ratio:.2f} | {best:.2f} "
               f"| {'; '.join(verdict(ratio, b) for b in bars) or '-'} |")


def open_rows(entry):
    t, bar = entry["seconds"]["sonde"], entry["bar"]
    forward = entry["forward"]
    least = 1e3 * (statistics.median(t) - forward)
    limit = f"{bar}" if not forward else f"{bar} + {1e3 * forward:.0f} of the forward"
    yield (f"| {entry['model']} open + first token | {entry['threads']} | {ms(min(t))} | {ms(statistics.median(t))} "
           f"| | | | | | {limit}: {'met' if least <= bar else 'MISSED'} |")


def selected(args, name):
    return any(fnmatch.fnmatch(name, f"*{p}*") for p in args.only.split(","))


def keep(args, result, entry):
    same = ("model", "what", "threads")
    result["cases"] = [c for c in result["cases"] if any(c[k] != entry[k] for k in same)] + [entry]
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        part = args.out.with_suffix(".part")
        part.write_text(json.dumps(result, indent=1))
        os.rename(part, args.out)


HEAD = """
| case | threads | sonde min | median | peer | min | median | ratio | best | bar |
|---|---|---|---|---|---|---|---|---|---|"""


def table(result):
    print(HEAD)
    for entry in result["cases"]:
        print(*(open_rows if entry["what"] == "open" else rows_of)(entry), sep="\n")
    print("", *result["programs"], sep="\n")


def run_case(args, env, result, case, threads):
    model, kind, *bars = case
    name = f"{model}-{kind}"
    wanted = [w for w in REQUESTS if selected(args, f"{name}/{w}")]
    if not wanted:
        return
    say(f"{name}, {threads} thread{'s' if threads > 1 else ''}")
    programs = []
    try:
        with turn(args):
            for p in peers_of(args, env, model, kind, threads):
                programs.append(Program(*p, env))
                if programs[-1].about not in result["programs"]:
                    result["programs"].append(programs[-1].about)
            check(programs, kind)
            for p in programs:
                for w in wanted:
                    p.ask(REQUESTS[w])
        times = race(args, programs, wanted)
    finally:
        for p in programs:
            p.end()
    for what in wanted:
        entry = {"model": name, "what": what, "threads": threads, "seconds": times[what],
                 "bar": bars[list(REQUESTS).index(what)]}
        keep(args, result, entry)
        print(*rows_of(entry), sep="\n", flush=True)


def run_open(args, env, result, row, threads):
    """The command from its start to its end: one token behind a word."""
    name, file, bar = row
    if not selected(args, f"open-{name}"):
        return
    sonde, forward = args.build / "sonde", 0.0
    command = [sonde, "generate", "the", "-n", "1", "--threads", str(threads)]
    if file:
        path = peer_models.make(args.models, sonde, file, say)
        command += ["-m", path]
        with turn(args):
            p = Program("sonde", [args.build / "speed", path, threads], env)
            p.ask("prompt 1")
            if name.startswith("llama11"):
                forward = statistics.median(p.ask("prompt 1") for _ in range(5))
            p.end()
    times = []
    with turn(args):
        for _ in range(args.pairs + 1):
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=env)
            times.append(time.perf_counter() - start)
    entry = {"model": name, "what": "open", "threads": threads, "seconds": {"sonde": times[1:]}, "bar": bar,
             "forward": forward}
    keep(args, result, entry)
    print(*open_rows(entry), sep="\n", flush=True)


def main():
    args = arguments()
    if args.report:
        return table(json.loads(args.out.read_text()))
    cpu, tiles = processor()
    args.python = args.python or environment(tiles)
    env = os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_FP16", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    if args.llama_lib:
        env["LLAMA_CPP_LIB_PATH"] = str(Path(args.llama_lib).resolve())
    result = {"cpu": cpu, "tiles": tiles, "cores": len(os.sched_getaffinity(0)), "programs": [], "cases": []}
    if args.out and args.out.exists():
        result = json.loads(args.out.read_text())
    print(f"{cpu}, {result['cores']} cores; Python {args.python}; milliseconds, {args.pairs} pairs", flush=True)
    if tiles:
        print("This CPU has matrix tiles (AMX): the peers run without them.")
    print(HEAD)
    try:
        for threads in map(int, args.threads.split(",")):
            for row in OPENS:
                run_open(args, env, result, row, threads)
            for case in CASES:
                run_case(args, env, result, case, threads)
    except KeyboardInterrupt:
        sys.exit("interrupted")
    except OSError as e:
        sys.exit(f"peers.py: {e}")
    finally:
        print("", *result["programs"], sep="\n")
    if tiles and any("AMX_INT8 = 1" in p for p in result["programs"]):
        print("llama.cpp was built WITH matrix tiles; build it without them (CMAKE_ARGS of this script) for the bars.")


if __name__ == "__main__":
    main()
