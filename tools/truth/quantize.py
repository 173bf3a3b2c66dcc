"""What llama.cpp makes of matrices and models: tests/truth/quantize/*.tsv.

    VENV/bin/python tools/truth/quantize.py [--into FOLDER]

rmse.tsv: a line a matrix and type: the root mean square error that llama.cpp's own quantisation (no importance matrix)
leaves on the seeded matrices of tests/pack_draws.h (the first 2,048 and 24,576 numbers of each), on the demo model's
matrices and, if ../shared/data has it, on stories260K. What is no whole number of 256 is cut off.

types.tsv: models as "model NAME n_layer n_head n_head_kv n_expert flags", each followed by its tensors: "tensor NAME cols
rows stored" and the types that llama_model_quantize gave them, one for each file type of the line "mixes" that comes first.

Needs the environment of tools/llamacpp.sh and a C compiler.
"""
import ctypes
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import llama_cpp
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
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


def rmse_lines():
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
    return lines


MIXES = {"F32": 0, "F16": 1, "BF16": 32, "Q4_0": 2, "Q4_1": 3, "Q5_0": 8, "Q5_1": 9, "Q8_0": 7, "Q2_K": 10, "Q3_K_S": 11,
         "Q3_K_M": 12, "Q3_K_L": 13, "Q4_K_S": 14, "Q4_K_M": 15, "Q5_K_S": 16, "Q5_K_M": 17, "Q6_K": 18}
MATRICES = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]
FUSED = ["attn_qkv", "attn_output", "ffn_up", "ffn_down"]
EXPERTS = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate_inp", "ffn_gate_exps", "ffn_up_exps", "ffn_down_exps"]
FEW = ["attn_v", "attn_output", "ffn_down"]
# name, architecture, layers, heads, heads of keys, experts, tied, columns, columns of ffn_down, matrices of a layer, flags
MODELS = [
    ("tied", "llama", 6, 4, 4, 0, True, 256, 512, MATRICES, "-"),
    ("untied", "llama", 5, 4, 2, 0, False, 256, 512, MATRICES, "-"),
    ("shared", "llama", 16, 8, 2, 0, False, 256, 512, MATRICES, "-"),
    ("many", "llama", 33, 8, 4, 0, False, 256, 256, FEW, "-"),
    ("70b", "llama", 80, 8, 1, 0, False, 256, 256, FEW, "70b"),
    ("65b", "llama", 80, 8, 8, 0, False, 256, 256, FEW, "-"),
    ("qwen", "qwen2", 80, 8, 8, 0, True, 256, 256, FEW, "70b"),
    ("odd", "llama", 4, 4, 2, 0, False, 288, 352, MATRICES, "-"),
    ("oddest", "llama", 3, 4, 4, 0, True, 72, 100, MATRICES, "-"),
    ("eight", "llama", 4, 8, 2, 8, False, 256, 256, EXPERTS, "-"),
    ("four", "llama", 9, 8, 8, 4, False, 256, 256, EXPERTS, "-"),
    ("gpt2", "gpt2", 12, 4, 4, 0, False, 256, 1024, FUSED, "-"),
    ("gpt2-tied", "gpt2", 4, 5, 5, 0, True, 160, 640, FUSED, "-"),
    ("falcon", "falcon", 32, 8, 1, 0, False, 256, 512, FUSED, "falcon"),
    ("neox", "gptneox", 6, 8, 8, 0, False, 512, 2048, FUSED, "-"),
]


def write_model(path, model):
    """A GGUF file with the shapes of a model and nothing but small numbers in it."""
    import gguf
    _, arch, layers, heads, kv_heads, experts, tied, cols, down, matrices, _ = model
    w = gguf.GGUFWriter(path, arch)
    w.add_block_count(layers)
    w.add_context_length(64)
    w.add_embedding_length(cols)
    w.add_feed_forward_length(down)
    w.add_head_count(heads)
    w.add_head_count_kv(kv_heads)
    w.add_rope_dimension_count(cols // heads)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_layer_norm_eps(1e-5)
    if arch == "gptneox":
        w.add_parallel_residual(True)
    if experts:
        w.add_expert_count(experts)
        w.add_expert_used_count(2)
    rng = np.random.default_rng(1)

    def add(name, *shape):
        w.add_tensor(name, rng.normal(size=shape).astype(np.float32))

    add("token_embd.weight", 3, cols)
    if arch == "gpt2":
        add("position_embd.weight", 4, cols)
    if not tied:
        add("output.weight", 3, cols)
    add("output_norm.weight", cols)
    for layer in range(layers):
        for matrix in matrices:
            name = f"blk.{layer}.{matrix}"
            width = down if "ffn_down" in matrix else cols
            if matrix.endswith("_exps"):
                add(name + ".weight", experts, 2, width)
            else:
                add(name + ".weight", 2, width)
            if layer == 0 and arch == "gpt2":
                add(name + ".bias", 2)
        if layer == 0:
            add("blk.0.attn_norm.weight", cols)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def tensors_of(path):
    import gguf
    return {t.name: (int(t.shape[0]), int(np.prod(t.shape[1:], dtype=np.int64)), t.tensor_type.name)
            for t in gguf.GGUFReader(path).tensors}


def types_lines():
    lines = ["mixes\t" + " ".join(MIXES) + "\n"]
    with tempfile.TemporaryDirectory() as folder:
        source, out = os.path.join(folder, "source.gguf"), os.path.join(folder, "out.gguf")
        for model in MODELS:
            write_model(source, model)
            lines.append("model\t%s\t%d\t%d\t%d\t%d\t%s\n" % (model[0], *model[2:6], model[10]))
            got = {}
            for mix, number in MIXES.items():
                params = llama_cpp.llama_model_quantize_default_params()
                params.ftype = number
                params.nthread = 1
                failed = llama_cpp.llama_model_quantize(source.encode(), out.encode(), ctypes.byref(params))
                assert not failed, (model[0], mix)
                got[mix] = tensors_of(out)
            for name, (cols, rows, stored) in tensors_of(source).items():
                types = " ".join(got[mix][name][2] for mix in MIXES)
                lines.append(f"tensor\t{name}\t{cols}\t{rows}\t{stored}\t{types}\n")
    return lines


if __name__ == "__main__":
    into = Path(sys.argv[2]) if sys.argv[1:2] == ["--into"] else ROOT / "tests" / "truth" / "quantize"
    into.mkdir(exist_ok=True)
    (into / "rmse.tsv").write_text("".join(rmse_lines()))
    (into / "types.tsv").write_text("".join(types_lines()))
