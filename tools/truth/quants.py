"""What stored numbers of 8 bits and of GGML's blocks are as floats, from torch and from the PyPI package `gguf`.

    python tools/truth/quants.py        writes tests/truth/quants/

TYPE.blocks.bin holds whole blocks of random bytes whose scales are finite, TYPE.f32.bin their floats. 256 bytes of every
8-bit float need no blocks. hashes.txt has SHA-256 of the floats of BLOCKS blocks of any bytes (scales that are infinite or no
number among them; every NaN is written 0x7fc00000): byte i is the upper 8 bits of state i of
state = state * 1664525 + 1013904223 (mod 2^32), the first state made of seed = GGML's number."""
import hashlib
import pathlib

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from gguf.constants import GGML_QUANT_SIZES

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/truth/quants"
BLOCKS = 600
FINITE = 1024                                   # floats of TYPE.f32.bin, about
NAMES = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS", "IQ3_XXS",
         "IQ3_S", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ1_S", "IQ1_M", "TQ1_0", "TQ2_0", "MXFP4", "NVFP4"]


def any_bytes(n, seed):
    out, state = bytearray(n), seed
    for i in range(n):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        out[i] = state >> 24
    return np.frombuffer(bytes(out), np.uint8)


def floats(blocks, kind):
    with np.errstate(all="ignore"):
        y = gguf.quants.dequantize(blocks.reshape(-1, GGML_QUANT_SIZES[kind][1]), kind).astype("<f4").reshape(-1)
    bits = y.view("<u4").copy()
    bits[np.isnan(y)] = 0x7FC00000
    return bits


def finite_blocks(kind, items, size):
    """Random blocks without an infinity or NaN; the first one has only zero bytes."""
    blocks = any_bytes(size * 4000, 99 + kind.value).reshape(-1, size)
    keep = [np.zeros((1, size), np.uint8)]
    good = np.isfinite(floats(blocks, kind).view("<f4").reshape(-1, items)).all(axis=1)
    keep.append(blocks[good][:max(FINITE // items, 4) - 1])
    return np.concatenate(keep)


def main():
    OUT.mkdir(exist_ok=True)
    for name in ("float8_e4m3fn", "float8_e5m2"):
        y = torch.arange(256, dtype=torch.uint8).view(getattr(torch, name)).to(torch.float32).numpy()
        bits = y.view("<u4").copy()
        bits[np.isnan(y)] = 0x7FC00000
        (OUT / f"F8_{name[7:11].upper()}.f32.bin").write_bytes(bits.tobytes())
    lines = []
    for name in NAMES:
        kind = Type[name]
        items, size = GGML_QUANT_SIZES[kind]
        blocks = finite_blocks(kind, items, size)
        (OUT / f"{name}.blocks.bin").write_bytes(blocks.tobytes())
        (OUT / f"{name}.f32.bin").write_bytes(floats(blocks, kind).tobytes())
        digest = hashlib.sha256(floats(any_bytes(size * BLOCKS, kind.value), kind).tobytes()).hexdigest()
        lines.append(f"{name} {kind.value} {items} {size} {BLOCKS} {digest}\n")
    (OUT / "hashes.txt").write_text("".join(lines))


main()
