#!/usr/bin/env python3
"""Small files written by torch.save and numpy.savez, with what they hold: tests/truth/torch/*.

    python3 tools/truth/torch_files.py tests/truth/torch        (torch 2.13.0, numpy 2.4)

    python3 tools/truth/torch_files.py tests/truth/torch STORIES260K

tensors.tsv has a line for each array of each file that must open: file, name, dtype, shape, CRC-32 of its bytes in
row-major order, bytes that cannot stay where they lie in the file (0 or the array's own). refused.tsv has the files that
must be refused, with the exit and the line; it is written by hand. Given the folder of the shared stories260K model, only
stories260k.tsv is written: the same of its files, as torch.load gives them. The older files name storages by addresses, so
they differ from run to run.
"""
import json
import os
import sys
import warnings
import zlib

import numpy as np
import torch
from collections import OrderedDict

warnings.simplefilter("ignore")
torch.manual_seed(9)
NAMES = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
         torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
         torch.uint16: "U16", torch.uint32: "U32", torch.uint64: "U64"}
LEGACY = {"_use_new_zipfile_serialization": False}
folder = sys.argv[1]
rows = []


def bytes_of(t):
    t = t.detach().contiguous()
    return t.view(torch.uint8).numpy().tobytes() if t.dim() else t.reshape(1).view(torch.uint8).numpy().tobytes()


def add(file, name, t):
    data = bytes_of(t)
    rows.append((file, name, NAMES[t.dtype], "x".join(map(str, t.shape)) or "-", "%08x" % zlib.crc32(data),
                 0 if t.is_contiguous() else len(data)))


def save(file, value, tensors, **options):
    torch.save(value, os.path.join(folder, file), **options)
    for name, t in tensors.items():
        add(file, name, t)


def of_every_type():
    t = {"f.%s" % d: torch.randn(3, 5, dtype=torch.float64).to(d) for d in NAMES if d.is_floating_point}
    t.update({"i.%s" % d: torch.arange(-3 if d.is_signed else 0, 4).to(d) for d in NAMES
              if not d.is_floating_point and d not in (torch.bool, torch.uint16, torch.uint32, torch.uint64)})
    t["flags"] = torch.tensor([True, False, True])
    t["scalar"] = torch.tensor(2.5)
    t["none"] = torch.zeros(0, 7)
    t["odd"] = torch.tensor([1, 2, 3], dtype=torch.uint8)
    t["after_odd"] = torch.randn(3)
    return t


def views():
    base = torch.randn(6, 8)
    cube = torch.randn(2, 3, 4).to(torch.bfloat16)
    return {"whole": base, "rows": base[2:5], "columns": base[:, 3:6], "transposed": base.t(), "steps": base[::2, ::3],
            "one_row": base[4:5].expand(1, 8), "permuted": cube.permute(2, 0, 1), "column": cube[:, 1, 2],
            "flat": base.view(-1)[5:20]}


def shared():
    e = torch.randn(5, 4).half()
    return {"embed.weight": e, "lm_head.weight": e, "half": e[:2]}


def module():
    class Block(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = torch.nn.LayerNorm(4)
            self.fc = torch.nn.Linear(4, 6)
            self.register_buffer("position_ids", torch.arange(5).expand((1, -1)))

    return torch.nn.ModuleDict({"block": Block(), "embed": torch.nn.Embedding(7, 4)}).state_dict()


def checkpoint(key):
    net = torch.nn.Linear(3, 2)
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    net(torch.ones(1, 3)).sum().backward()
    opt.step()
    sd = net.state_dict()
    loop = [1, 2]
    loop.append(loop)
    return {"epoch": 3, "big": 2 ** 70, "negative": -5, "wide": 2 ** 40, "loss": 0.25, "best": None, "resume": True,
            "names": ["a", "b"], "betas": (0.9, 0.999), "shape": torch.Size([2, 3]), "device": torch.device("cpu"),
            "dtype": torch.float16, "rng_state": torch.zeros(4, dtype=torch.uint8), "loop": loop,
            "optimizer": opt.state_dict(), key: sd}, sd


def good():
    types = of_every_type()
    save("types.pt", types, types)
    save("types_legacy.pt", types, types, **LEGACY)
    save("views.pt", views_ := views(), views_)
    save("views_legacy.pt", views_, views_, **LEGACY)
    save("shared.bin", shared_ := shared(), shared_)
    save("shared_legacy.bin", shared_, shared_, **LEGACY)
    sd = module()
    save("module.bin", sd, sd)
    save("module_4.pth", sd, sd, pickle_protocol=4)
    save("module_legacy_4.pth", sd, sd, pickle_protocol=4, **LEGACY)
    more = {"u16": torch.tensor([1, 65535], dtype=torch.uint16), "u32": torch.tensor([7], dtype=torch.uint32),
            "u64": torch.tensor([[1, 2 ** 63]], dtype=torch.uint64)}
    save("unsigned.pt", more, more)
    save("unsigned_legacy.pt", more, more, **LEGACY)
    p = {"w": torch.nn.Parameter(torch.randn(2, 2)), "frozen": torch.nn.Parameter(torch.ones(3), requires_grad=False)}
    p["frozen"].note = "kept"
    save("parameters.pt", OrderedDict(p), p)
    for i, key in enumerate(("model", "state_dict", "model_state_dict", "module")):
        value, sd = checkpoint(key)
        if i % 3:
            value["bytes"] = b"\0\1\2"                  # protocol 2 has a call for them
        save("under_%s.pt" % key, value, sd, pickle_protocol=2 + i % 3, **(LEGACY if i == 2 else {}))
    folders()
    v = torch.randn(9)
    save("one_tensor.pt", v, {"": v})


def folders():
    """Two shards with their index; two parts of one model, each with half of every tensor."""
    for name in "shards", "meta":
        os.makedirs(os.path.join(folder, name), exist_ok=True)
    shards = {"1.bin": {"a": torch.randn(2, 3), "b": torch.randn(4)[::2]}, "2.bin": {"c": torch.arange(3)}}
    for i, (file, sd) in enumerate(shards.items()):
        torch.save(sd, os.path.join(folder, "shards", file), _use_new_zipfile_serialization=i == 0)
        for name, t in sd.items():
            add("shards", name, t)
    with open(os.path.join(folder, "shards", "pytorch_model.bin.index.json"), "w") as f:
        json.dump({"metadata": {"total_size": 0}, "weight_map": {n: f for f, sd in shards.items() for n in sd}}, f)
    for i in range(2):
        part = {"wq.weight": torch.randn(2, 4).half(), "wo.weight": torch.randn(4, 2).half(), "norm.weight": torch.ones(4).half()}
        save("meta/consolidated.%02d.pth" % i, part, part)


def npz():
    a = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b/c": np.array([1, -2], dtype=np.int64), "s": np.float64(2.5)}
    np.savez(os.path.join(folder, "arrays.npz"), **a)
    np.savez_compressed(os.path.join(folder, "deflated.npz"), **a)
    for name, x in a.items():
        x = np.asarray(x)
        kind = {"float32": "F32", "int64": "I64", "float64": "F64"}[str(x.dtype)]
        rows.append(("arrays.npz", name, kind, "x".join(map(str, x.shape)) or "-", "%08x" % zlib.crc32(x.tobytes()), 0))


def put(file, value, **options):
    torch.save(value, os.path.join(folder, file), **options)


def refused():
    """What each must say stands in refused.tsv, written by hand."""
    put("float8.pt", {"w": torch.zeros(4, dtype=torch.float8_e4m3fn)})
    put("complex.pt", {"w": torch.zeros(2, dtype=torch.complex64)})
    put("expanded.pt", {"w": torch.ones(1).expand(1000)})
    put("sparse.pt", {"w": torch.eye(3).to_sparse()})
    put("whole_module.pt", torch.nn.Linear(2, 2))
    put("whole_module_legacy.pt", torch.nn.Linear(2, 2), **LEGACY)
    put("numpy_scalar.pt", {"w": torch.ones(1), "loss": np.float64(0.5)})
    put("a_list.pt", [torch.ones(1)])
    put("no_tensors.pt", {"a": 1})
    put("two_models.pt", {"model": {"a": torch.ones(1)}, "module": {"a": torch.ones(1)}})
    put("set.pt", {"w": torch.ones(1), "s": {1, 2}}, pickle_protocol=4)
    put("negated.pt", {"w": torch.conj(torch.tensor([1 + 2j])).imag})
    put("rank_9.pt", {"w": torch.ones([1] * 9)})
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(1, 2)), os.path.join(folder, "script.pt"))


def stories(source):
    for file in ("hf-bin-zip/pytorch_model.bin", "hf-bin-legacy/pytorch_model.bin", "meta/consolidated.00.pth",
                 "meta-mp2/consolidated.00.pth", "meta-mp2/consolidated.01.pth"):
        for name, t in torch.load(os.path.join(source, file), weights_only=True).items():
            add(file, name, t)


def write_rows(name):
    with open(os.path.join(folder, name), "w") as f:
        f.write("# file\tname\tdtype\tshape\tcrc32\tcopied; written by tools/truth/torch_files.py\n")
        f.writelines("\t".join(map(str, r)) + "\n" for r in rows)


if len(sys.argv) > 2:
    stories(sys.argv[2])
    write_rows("stories260k.tsv")
else:
    os.makedirs(folder, exist_ok=True)
    good()
    npz()
    refused()
    write_rows("tensors.tsv")
