"""Small GGUF files by the `gguf` package, and what its reader says of them, for tests/test_gguf.c.

    python tools/truth/gguf_files.py [SHARED]    writes tests/truth/gguf/*.gguf and files.tsv; with the folder of shared data
                                                 also shared.tsv: the same of its GGUF files

A line: file, then a pair (key, type, value) or a tensor (name, type, shape outermost first, sha256 of its bytes). Numbers that
are no integers are the bits of a double; texts are hexadecimal; of a list, its items' type and count, and the items separated
by commas, or their sha256 where this is longer than 256 characters.
"""
import hashlib
import pathlib
import struct
import sys

import numpy as np
from gguf import GGMLQuantizationType as Q
from gguf import GGUFReader, GGUFValueType as T, GGUFWriter
from gguf.constants import GGML_QUANT_SIZES

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "tests/truth/gguf"
KINDS = [
    (T.UINT8, [0, 255]), (T.INT8, [-128, 127]), (T.UINT16, [0, 65535]), (T.INT16, [-32768, 32767]),
    (T.UINT32, [1, 2**32 - 1]), (T.INT32, [-(2**31), 2**31 - 1]), (T.FLOAT32, [0.1, -1e-45, float("inf")]),
    (T.BOOL, [True, False]), (T.STRING, ["", "é\t😀", b"\xff\x00raw"]), (T.UINT64, [2**53 + 1, 2**63 - 1]),
    (T.INT64, [-(2**63), 7]), (T.FLOAT64, [0.1, -5e-324]),
]
PLAIN = [Q.F32, Q.F16, Q.BF16, Q.F64, Q.I8, Q.I16, Q.I32, Q.I64]
BLOCKS = [Q.Q4_0, Q.Q4_1, Q.Q5_0, Q.Q5_1, Q.Q8_0, Q.Q2_K, Q.Q3_K, Q.Q4_K, Q.Q5_K, Q.Q6_K, Q.IQ2_XXS, Q.IQ2_XS, Q.IQ2_S, Q.IQ3_XXS,
          Q.IQ3_S, Q.IQ1_S, Q.IQ4_NL, Q.IQ4_XS, Q.TQ1_0, Q.TQ2_0, Q.MXFP4]


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add(writer, rng, name, kind, shape):
    items, size = GGML_QUANT_SIZES[kind]
    rows = shape[:-1] + (shape[-1] // items * size,)
    writer.add_tensor(name, rng.integers(0, 256, rows, dtype=np.uint8), raw_dtype=kind)


def write_kinds(path):
    writer = GGUFWriter(path, "none")
    for kind, values in KINDS:
        for i, value in enumerate(values):
            writer.add_key_value(f"one.{kind.name}.{i}", value, kind)
        writer.add_key_value(f"list.{kind.name}", values, T.ARRAY, kind)
    writer.add_key_value("list.long", [f"token {i}" for i in range(100)], T.ARRAY, T.STRING)
    finish(writer)


def write_types(path):
    rng = np.random.default_rng(1)
    writer = GGUFWriter(path, "none")
    for i, kind in enumerate(PLAIN):
        add(writer, rng, f"plain.{kind.name}", kind, ((3,), (2, 3), (2, 1, 5), (2, 2, 1, 3))[i % 4])
    for i, kind in enumerate(BLOCKS):
        add(writer, rng, f"blocks.{kind.name}", kind, (1 + i % 2, GGML_QUANT_SIZES[kind][0] * (1 + i // 2 % 2)))
    finish(writer)


def write_aligned(path):
    rng = np.random.default_rng(2)
    writer = GGUFWriter(path, "none")
    writer.add_custom_alignment(64)
    for name in ("z", "a"):
        add(writer, rng, name, Q.F32, (5,))
    finish(writer)


def write_split(path):
    rng = np.random.default_rng(3)
    writer = GGUFWriter(path, "none", split_max_tensors=2)
    for i in range(5):
        add(writer, rng, f"t{4 - i}", Q.F32, (i + 1,))
    finish(writer)


def plain(part, kind):
    value = part.tobytes()
    if kind == T.STRING:
        return value.hex()
    if kind in (T.FLOAT32, T.FLOAT64):
        return struct.pack(">d", float(part[0])).hex()
    return str(int(part[0]))


def pairs(reader):
    for field in reader.fields.values():
        if field.name.startswith("GGUF."):
            continue
        if field.types[0] != T.ARRAY:
            yield field.name, str(int(field.types[0])), plain(field.parts[-1], field.types[0])
            continue
        text = ",".join(plain(field.parts[i], field.types[1]) for i in field.data)
        text = text if len(text) <= 256 else hashlib.sha256(text.encode()).hexdigest()
        yield field.name, f"9:{int(field.types[1])}:{len(field.data)}", text


def tensors(readers):
    for t in sorted((t for r in readers for t in r.tensors), key=lambda t: t.name.encode()):
        yield t.name, t.tensor_type.name, "x".join(str(n) for n in reversed(t.shape)), hashlib.sha256(t.data.tobytes()).hexdigest()


def describe(out, name, paths):
    readers = [GGUFReader(path) for path in paths]
    for row in [*pairs(readers[0]), *tensors(readers)]:
        out.write("\t".join([name, *row]) + "\n")


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    write_kinds(OUT / "kinds.gguf")
    write_types(OUT / "types.gguf")
    write_aligned(OUT / "aligned.gguf")
    write_split(OUT / "split.gguf")
    older = bytearray((OUT / "kinds.gguf").read_bytes())
    older[4] = 2
    (OUT / "kinds_v2.gguf").write_bytes(older)
    with open(OUT / "files.tsv", "w", encoding="utf-8", newline="\n") as out:
        for name in ("kinds", "kinds_v2", "types", "aligned"):
            describe(out, name + ".gguf", [OUT / (name + ".gguf")])
        parts = sorted(OUT.glob("split-*.gguf"))
        describe(out, parts[0].name, parts)
    if len(sys.argv) > 1:
        shared = pathlib.Path(sys.argv[1])
        with open(OUT / "shared.tsv", "w", encoding="utf-8", newline="\n") as out:
            for path in sorted([*shared.glob("vocab/*.gguf"), *shared.glob("stories260k/gguf/*.gguf")]):
                describe(out, str(path.relative_to(shared)), [path])


main()
