"""What llama.cpp makes of matrices and models: tests/truth/quantize/*.tsv.

    VENV/bin/python tools/truth/quantize.py [rmse] [types]

rmse.tsv: a line a matrix and type: the root mean square error that llama.cpp's own quantisation (no importance matrix)
leaves on the seeded matrices of tests/pack_draws.h (the first 2,048 and 24,576 numbers of each), on the demo model's
matrices and, if ../shared/data has it, on stories260K. What is no whole number of 256 is cut off.

Needs the environment of tools/llamacpp.sh and a C compiler.
"""
import ctypes
import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import llama_cpp
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "tests" / "truth" / "quantize"
LIBS = Path(llama_cpp.__file__).parent / "lib"
# name: number, numbers a block, bytes a block
TYPES = {
    "Q4_0": (2, 32, 18), "Q4_1": (3, 32, 20), "Q5_0": (6, 32, 22), "Q5_1": (7, 32, 24), "Q8_0": (8, 32, 34),
    "Q2_K": (10, 256, 84), "Q3_K": (11, 256, 110), "Q4_K": (12, 256, 144), "Q5_K": (13, 256, 176), "Q6_K": (14, 256, 210),
}


def address(array):
    return ctypes.c_void_p(array.ctypes.data)


def draws():
    """(name, numbers) of the seeded matrices."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "draws.c"
        source.write_text('#include "pack_draws.h"\nvoid draw(int kind, float *x, size_t n) { draw_matrix(kind, x, n); }\n'
                          "const char *name(int kind) { return kind < DRAW_COUNT ? draw_names[kind] : 0; }\n")
        library = Path(folder) / "draws.so"
        subprocess.run(["cc", "-std=c11", "-O2", "-ffp-contract=off", "-shared", "-fPIC", f"-I{ROOT}/tests", "-o", library,
                        source, "-lm"], check=True)
        c = ctypes.CDLL(str(library))
        c.name.restype = ctypes.c_char_p
        kind = 0
        while c.name(kind):
            x = np.zeros(24576, np.float32)
            c.draw(kind, address(x), ctypes.c_size_t(x.size))
            yield c.name(kind).decode() + "-2048", x[:2048].copy()
            yield c.name(kind).decode() + "-24576", x
            kind += 1


def weights():
    """(name, numbers) of real matrices."""
    from safetensors.numpy import load_file
    for name, x in sorted(load_file(ROOT / "models" / "demo" / "model.safetensors").items()):
        if x.ndim == 2:
            yield name, np.ascontiguousarray(x, np.float32).reshape(-1)
    stories = ROOT.parent / "shared" / "data" / "stories260k" / "stories260K.bin"
    if stories.exists():
        yield "stories260K", np.frombuffer(stories.read_bytes()[28:], np.float32).copy()


def write_rmse():
    base = ctypes.CDLL(str(LIBS / "libggml-base.so"))
    quantize = base.ggml_quantize_chunk
    quantize.restype = ctypes.c_size_t
    quantize.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p] + [ctypes.c_int64] * 3 + [ctypes.c_void_p]
    lines = []
    for name, x in [*draws(), *weights()]:
        x = x[: x.size // 256 * 256]
        for kind, (number, items, size) in TYPES.items():
            packed, back = np.zeros(x.size // items * size, np.uint8), np.zeros(x.size, np.float32)
            quantize(number, address(x), address(packed), 0, x.size // 256, 256, None)
            decode = getattr(base, "dequantize_row_" + kind.lower().replace("_k", "_K"))
            decode(address(packed), address(back), ctypes.c_int64(x.size))
            rmse = np.sqrt(np.mean((x.astype(np.float64) - back) ** 2))
            lines.append(f"{name}\t{kind}\t{rmse:.9e}\n")
    (OUT / "rmse.tsv").write_text("".join(lines))


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    asked = sys.argv[1:] or ["rmse", "types"]
    if "rmse" in asked:
        write_rmse()
