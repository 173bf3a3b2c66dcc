"""sgemm.py [--pairs N] [--rows N] [--gemm PROGRAM] - float32 products of many rows, sonde beside torch.mm, one thread each.

Both compute x [rows, in] by W [out, in] transposed; they run in turn, each for at least 20 ms, in processor time. What counts
is the median of a pair's ratio (torch's seconds / sonde's; above 1 sonde is faster). Needs build/venv (tools/venv.sh) and
build/release/gemm; pin it to one core (taskset -c 0)."""
import argparse
import statistics
import subprocess
import time

import torch

SHAPES = [(768, 768), (3072, 768), (768, 3072), (5632, 2048), (2048, 5632)]      # outputs, inputs
BAR, GOAL = 0.85, 1.0


class Sonde:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.isa = self.process.stdout.readline().strip()

    def seconds(self, rows, n, k, times):
        self.process.stdin.write(f"{rows} {n} {k} {times}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


def torch_seconds(x, w, y, times):
    begin = time.thread_time()
    for _ in range(times):
        torch.mm(x, w.t(), out=y)
    return (time.thread_time() - begin) / times


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--rows", type=int, default=512)
    parser.add_argument("--gemm", default="build/release/gemm")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    sonde, rows = Sonde(arguments.gemm), arguments.rows
    print(f"sonde {sonde.isa}, torch {torch.__version__} ({torch.backends.cpu.get_cpu_capability()}), {rows} rows,"
          f" {arguments.pairs} pairs")
    print("| outputs x inputs | sonde GFLOP/s | torch GFLOP/s | sonde / torch | best | bar | met |")
    print("|---|---|---|---|---|---|---|")
    for n, k in SHAPES:
        x, w, y = torch.rand(rows, k) - 0.5, torch.rand(n, k) - 0.5, torch.empty(rows, n)
        work = 2 * rows * n * k
        times = max(1, round(0.02 * 1e11 / work))
        ours, theirs = [], []
        for pair in range(-1, arguments.pairs):
            a, b = sonde.seconds(rows, n, k, times), torch_seconds(x, w, y, times)
            if pair >= 0:
                ours.append(a)
                theirs.append(b)
        ratios = [b / a for a, b in zip(ours, theirs)]
        ratio = statistics.median(ratios)
        print(f"| {n} x {k} | {work / statistics.median(ours) / 1e9:.0f} | {work / statistics.median(theirs) / 1e9:.0f} |"
              f" {ratio:.2f} | {max(ratios):.2f} | {BAR} (goal {GOAL}) | {'yes' if ratio >= BAR else 'no'} |", flush=True)


main()
