#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets into corpus/ beside this script (standard library only, but for those of torch's
files: torch 2.13.0 and numpy write them, and they are left out where these cannot be imported)."""
import base64
import io
import json
import os
import struct
import zipfile

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")


def save(folder, name, data):
    os.makedirs(os.path.join(HERE, folder), exist_ok=True)
    with open(os.path.join(HERE, folder, name), "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))


def safetensors(header, data=b"", pad=8):
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % pad)
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def npy(descr, fortran, shape, data=b"", version=1):
    text = "{'descr': %r, 'fortran_order': %s, 'shape': %s, }" % (descr, fortran, shape)
    size = 10 if version == 1 else 12
    text += " " * (-(size + len(text) + 1) % 64) + "\n"
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode("latin-1") + data


def seeds_json():
    save("json", "config", json.dumps({"model_type": "gpt2", "n_embd": 32, "eps": 1e-5, "tie": True, "n_inner": None,
                                       "list": [1, -2, 3.5e-7, [], {}], "rope": {"type": "yarn", "factor": 4.0}}))
    save("json", "escapes", '{"a\\u00e9\\n\\t\\"\\\\\\/":"\\ud83d\\ude00 \\u0000 \\b\\f\\r","é":"日本 😀"}')
    save("json", "numbers", "[0,-0,1e5,1E-5,1.5e+300,9223372036854775807,-9223372036854775808,9223372036854775808,1e999]")
    save("json", "deep", "[" * 64 + "]" * 64)
    save("json", "too_deep", "[" * 65 + "]" * 65)
    save("json", "deep_object", '{"a":' * 40 + "1" + "}" * 40)
    save("json", "many_keys", "{" + ",".join('"k%d":%d' % (i, i) for i in range(40)) + "}")
    save("json", "twice_many", "{" + ",".join('"k%d":%d' % (i % 39, i) for i in range(40)) + "}")
    save("json", "twice", '{"a":1,"\\u0061":2}')
    save("json", "surrogate_high", '"\\ud800"')
    save("json", "surrogate_low", '["\\udc00","\\ud83dx"]')
    save("json", "not_utf8", b'{"a":"\xff\xc0\x80\xed\xa0\x80"}')
    save("json", "trailing", '{"a":1} x')
    save("json", "scalars", " true ")
    save("json", "odd_space", b'[1,\x0c2]')
    save("json", "string_behind", b'"e"")\\ud800')
    save("json", "comment", "/*a*/ 1 // b")
    save("json", "merges", json.dumps({"model": {"type": "BPE", "vocab": {"a": 0, "Ġb": 1}, "merges": ["a Ġb"]}},
                                      ensure_ascii=False))


def seeds_safetensors():
    two = {"__metadata__": {"format": "pt"}, "a": entry("F32", [2, 2], 0, 16), "b.c": entry("I64", [1], 16, 24)}
    save("safetensors", "two", safetensors(two, bytes(range(24))))
    kinds = {}
    at = 0
    for name, size in (("F64", 8), ("F32", 4), ("F16", 2), ("BF16", 2), ("I64", 8), ("I32", 4), ("I16", 2), ("I8", 1),
                       ("U64", 8), ("U32", 4), ("U16", 2), ("U8", 1), ("BOOL", 1)):
        kinds["t" + name] = entry(name, [3], at, at + 3 * size)
        at += 3 * size
    save("safetensors", "kinds", safetensors(kinds, bytes(i * 7 & 255 for i in range(at))))
    save("safetensors", "empty", safetensors({}))
    save("safetensors", "scalar_and_none", safetensors({"s": entry("F32", [], 0, 4), "z": entry("F32", [0, 3], 4, 4)}, b"\0" * 4))
    save("safetensors", "unsorted", safetensors({"b": entry("U8", [2], 3, 5), "a": entry("U8", [3], 0, 3)}, b"abcde", 1))
    save("safetensors", "hole", safetensors({"a": entry("U8", [2], 0, 2), "b": entry("U8", [1], 3, 4)}, b"abcd"))
    save("safetensors", "overlap", safetensors({"a": entry("U8", [2], 0, 2), "b": entry("U8", [2], 1, 3)}, b"abc"))
    save("safetensors", "trailing", safetensors({"a": entry("U8", [2], 0, 2)}, b"abc"))
    save("safetensors", "wraps", safetensors({"a": entry("F32", [2 ** 62, 4], 0, 0)}))
    save("safetensors", "offset_wraps", safetensors({"a": entry("U8", [1], 2 ** 64 - 1, 2 ** 64)}))
    save("safetensors", "length_wraps", struct.pack("<Q", 2 ** 64 - 8) + b"{}")
    save("safetensors", "twice", safetensors(b'{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},'
                                             b'"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'))
    save("safetensors", "f8", safetensors({"a": entry("F8_E4M3", [1], 0, 1)}, b"\0"))
    save("safetensors", "rank9", safetensors({"a": entry("U8", [1] * 9, 0, 1)}, b"\0"))
    save("safetensors", "escape_in_name", safetensors(b'{"\\u001b[31m\\n":{"dtype":"X","shape":[],"data_offsets":[0,0]}}'))


def seeds_npy():
    save("npy", "f4", npy("<f4", False, (2, 3), bytes(24)))
    save("npy", "f8_v2", npy("<f8", False, (3,), bytes(24), 2))
    save("npy", "i8_v3", npy("<i8", False, (), bytes(8), 3))
    save("npy", "b1", npy("|b1", False, (4,), b"\0\1\0\1"))
    save("npy", "empty", npy("<f2", False, (0, 5)))
    save("npy", "fortran", npy("<f4", True, (2, 2), bytes(16)))
    save("npy", "big", npy(">f4", False, (1,), bytes(4)))
    save("npy", "object", npy("|O", False, (1,), bytes(8)))
    save("npy", "records", npy([("a", "<f4")], False, (1,), bytes(4)))
    save("npy", "wraps", npy("<f4", False, (2 ** 62, 4)))
    save("npy", "short", npy("<f4", False, (5,), bytes(19)))
    save("npy", "twice", b"\x93NUMPY\x01\x00\x26\x00{'descr': '<f4', 'descr': '<f4', }     ")


def text(t):
    t = t if isinstance(t, bytes) else t.encode()
    return struct.pack("<Q", len(t)) + t


def pair(key, kind, value):
    return text(key) + struct.pack("<I", kind) + value


def line(name, dims, kind, offset):
    return text(name) + struct.pack("<I%dQIQ" % len(dims), len(dims), *dims, kind, offset)


def gguf(pairs, lines=(), data=b"", version=3, align=32):
    head = b"GGUF" + struct.pack("<IQQ", version, len(lines), len(pairs)) + b"".join([*pairs, *lines])
    return head + b"\0" * (-len(head) % align) + data if lines else head


def items(kind, values):
    return struct.pack("<IQ", kind, len(values)) + b"".join(values)


def seeds_gguf():
    formats = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
    one = [pair("k%d" % k, k, struct.pack("<" + f, 1)) for k, f in formats.items()] + [pair("text", 8, text("a\0é"))]
    lists = [pair("l%d" % k, 9, items(k, [struct.pack("<" + f, i) for i in (0, 1)])) for k, f in formats.items()]
    lists.append(pair("tokenizer.ggml.tokens", 9, items(8, [text("<s>"), text(""), text(b"\xff\xe2\x96\x81")])))
    save("gguf", "kinds", gguf(one))
    save("gguf", "lists", gguf(lists))
    save("gguf", "v2", gguf(one[:2], version=2))
    save("gguf", "empty", gguf([]))
    sizes = [(0, 4, 1), (1, 2, 1), (30, 2, 1), (27, 8, 1), (24, 1, 1), (2, 18, 32), (8, 34, 32), (12, 144, 256), (14, 210, 256)]
    lines, data = [], b""
    for kind, size, block in sizes:
        lines.append(line("t%d" % kind, [block, 2][: 2 if block == 32 else 1], kind, len(data)))
        body = bytes(i * 7 & 255 for i in range(size * (2 if block == 32 else 1)))
        data += body + b"\0" * (-len(body) % 32)
    save("gguf", "tensors", gguf([pair("general.architecture", 8, text("x"))], lines, data))
    save("gguf", "rank4", gguf([], [line("a", [1, 2, 3, 2], 0, 0)], bytes(48)))
    save("gguf", "aligned", gguf([pair("general.alignment", 4, struct.pack("<I", 64))],
                                 [line("b", [3], 0, 0), line("a", [1], 0, 64)], bytes(68), align=64))
    save("gguf", "split", gguf([pair("split.no", 2, b"\0\0"), pair("split.count", 2, b"\2\0"),
                                pair("split.tensors.count", 5, b"\1\0\0\0")], [line("a", [1], 0, 0)], bytes(4)))
    save("gguf", "dims_wrap", gguf([], [line("a", [2 ** 32, 2 ** 32], 0, 0)], bytes(32)))
    save("gguf", "sum_wraps", gguf([], [line(n, [2 ** 61 - 32], 0, i * (2 ** 63 - 128)) for i, n in enumerate("abc")], bytes(32)))
    save("gguf", "count_wraps", gguf([pair("a", 9, struct.pack("<IQ", 10, 2 ** 61 + 1) + bytes(16))]))
    save("gguf", "nested", gguf([pair("a", 9, struct.pack("<IQ", 9, 1) + items(0, [b"\1"]))]))


def seeds_llama2c():
    here = os.path.join(os.path.dirname(HERE), "..", "truth", "llama2c")
    for name in sorted(os.listdir(here)):
        if name.endswith(".bin"):
            with open(os.path.join(here, name), "rb") as f:
                save("llama2c", name[:-4], f.read())


def plain_zip(entries, **options):
    b = io.BytesIO()
    with zipfile.ZipFile(b, "w", **options) as z:
        for name, data in entries:
            z.writestr(zipfile.ZipInfo(name), data)
    return b.getvalue()


def seeds_zip():
    save("zip", "empty", plain_zip([]))
    save("zip", "two", plain_zip([("a/x", b"12"), ("a/y", b"")]))
    z = plain_zip([("a", b"1")])
    save("zip", "suffix", z + b"!")
    save("zip", "prefix", b"!" + z)
    save("zip", "wide", z[:len(z) - 22] + struct.pack("<4sQHHLLQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, 47, 32)
         + struct.pack("<4sLQL", b"PK\6\7", 0, 79, 1) + z[len(z) - 22:])


def seeds_torch():
    try:
        import numpy
        import torch
    except ImportError:
        return

    def saved(value, **options):
        b = io.BytesIO()
        torch.save(value, b, **options)
        return b.getvalue()

    legacy = {"_use_new_zipfile_serialization": False}
    base = torch.arange(12, dtype=torch.float32).view(3, 4)
    views = {"a": base.t(), "b": base[1:, ::2], "c": base}
    net = torch.nn.Linear(2, 2).state_dict()
    more = {"model": {"w": torch.nn.Parameter(torch.ones(2)), "u": torch.ones(2, dtype=torch.uint16),
                      "t": torch.tensor(True), "h": torch.ones(1).bfloat16()},
            "epoch": 3, "loss": 0.5, "big": 2 ** 70, "shape": torch.Size([1]), "at": torch.device("cpu"), "l": [(), None]}
    more["l"].append(more["l"])
    for name, value in (("views", views), ("net", net), ("more", more), ("tensor", base)):
        whole = saved(value)
        save("zip", "torch_" + name, whole)
        pickle = [n for n in zipfile.ZipFile(io.BytesIO(whole)).namelist() if n.endswith("/data.pkl")][0]
        save("pickle", name, zipfile.ZipFile(io.BytesIO(whole)).read(pickle))
        save("pickle", name + "_4", zipfile.ZipFile(io.BytesIO(saved(value, pickle_protocol=4))).read(pickle))
        save("pickle", name + "_legacy", saved(value, **legacy))
    save("pickle", "net_legacy_4", saved(net, pickle_protocol=4, **legacy))
    save("pickle", "system", b"\x80\x02cposix\nsystem\nX\x04\0\0\0trueq\0\x85R.")
    save("pickle", "stack_global", b"\x80\x04\x8c\x02os\x94\x8c\x06system\x93.")
    save("pickle", "itself", b"\x80\x02]q\0h\0h\0\x86a.")
    for name, write in (("npz", numpy.savez), ("npz_deflated", numpy.savez_compressed)):
        b = io.BytesIO()
        write(b, a=numpy.arange(3, dtype=numpy.float32), b=numpy.zeros((2, 0)))
        save("zip", name, b.getvalue())


def u32(n):
    return struct.pack("<I", n & 0xffffffff)


def f32(*x):
    return struct.pack("<%df" % len(x), *x)


def word(key, n):
    return pair(key, 4, u32(n))


def vocabulary(model, tokens, more=()):
    """tokenizer.ggml.* of (text, score, type)."""
    return [pair("tokenizer.ggml.model", 8, text(model)),
            pair("tokenizer.ggml.tokens", 9, items(8, [text(t[0]) for t in tokens])),
            pair("tokenizer.ggml.scores", 9, items(6, [f32(t[1]) for t in tokens])),
            pair("tokenizer.ggml.token_type", 9, items(5, [u32(t[2]) for t in tokens])), *more]


SPM = [("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3), ("c", -1, 1), ("a", -1, 1), ("\u2581a", -2, 1), ("b", -3, 1), ("ab", -4, 1)]
BYTES = [("a", 0, 1), ("b", 0, 1), ("\u0120", 0, 1), ("ab", 0, 1), ("\u0120a", 0, 1), ("<|e|>", 0, 3)]
MERGES = pair("tokenizer.ggml.merges", 9, items(8, [text("a b"), text("\u0120 a")]))


def floats(shapes):
    """Lines and data of F32 tensors (name, dims innermost first)."""
    lines, data = [], b""
    for name, dims in shapes:
        n = 1
        for d in dims:
            n *= d
        lines.append(line(name, dims, 0, len(data)))
        data += f32(*[((i * 7 + len(name)) % 11 - 5) / 8 for i in range(n)])
        data += b"\0" * (-len(data) % 32)
    return lines, data


def tiny_llama():
    a = "llama."
    pairs = [pair("general.architecture", 8, text("llama")), word(a + "embedding_length", 4), word(a + "block_count", 1),
             word(a + "attention.head_count", 2), word(a + "attention.head_count_kv", 1), word(a + "feed_forward_length", 4),
             word(a + "context_length", 8), word(a + "rope.dimension_count", 2),
             pair(a + "attention.layer_norm_rms_epsilon", 6, f32(1e-5)), pair(a + "rope.freq_base", 6, f32(1e4))]
    b = "blk.0."
    shapes = [("token_embd.weight", [4, 8]), (b + "attn_norm.weight", [4]), (b + "attn_q.weight", [4, 4]),
              (b + "attn_k.weight", [4, 2]), (b + "attn_v.weight", [4, 2]), (b + "attn_output.weight", [4, 4]),
              (b + "ffn_norm.weight", [4]), (b + "ffn_gate.weight", [4, 4]), (b + "ffn_up.weight", [4, 4]),
              (b + "ffn_down.weight", [4, 4]), ("output_norm.weight", [4])]
    return gguf(pairs + vocabulary("t5", SPM), *floats(shapes))


def tiny_gpt2():
    a = "gpt2."
    pairs = [pair("general.architecture", 8, text("gpt2")), word(a + "embedding_length", 4), word(a + "block_count", 1),
             word(a + "attention.head_count", 2), word(a + "feed_forward_length", 4), word(a + "context_length", 8),
             pair(a + "attention.layer_norm_epsilon", 6, f32(1e-5))]
    b = "blk.0."
    shapes = [("token_embd.weight", [4, 6]), ("position_embd.weight", [4, 8])]
    for name, rows in (("attn_norm", 0), ("attn_qkv", 12), ("attn_output", 4), ("ffn_norm", 0), ("ffn_up", 4), ("ffn_down", 4)):
        shapes += [(b + name + ".weight", [4, rows] if rows else [4]), (b + name + ".bias", [rows or 4])]
    shapes += [("output_norm.weight", [4]), ("output_norm.bias", [4])]
    return gguf(pairs + vocabulary("gpt2", BYTES, [MERGES, pair("tokenizer.ggml.pre", 8, text("gpt-2"))]), *floats(shapes))


CONFIG = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 4, "num_hidden_layers": 1,
          "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 4, "max_position_embeddings": 8,
          "vocab_size": 8, "rms_norm_eps": 1e-5, "tie_word_embeddings": True}


def tiny_folder():
    b, k = "model.layers.0.", {}
    shapes = [("model.embed_tokens.weight", [8, 4]), (b + "input_layernorm.weight", [4]), (b + "self_attn.q_proj.weight", [4, 4]),
              (b + "self_attn.k_proj.weight", [2, 4]), (b + "self_attn.v_proj.weight", [2, 4]), (b + "self_attn.o_proj.weight", [4, 4]),
              (b + "post_attention_layernorm.weight", [4]), (b + "mlp.gate_proj.weight", [4, 4]), (b + "mlp.up_proj.weight", [4, 4]),
              (b + "mlp.down_proj.weight", [4, 4]), ("model.norm.weight", [4])]
    data = b""
    for name, shape in shapes:
        n = shape[0] * (shape[1] if len(shape) > 1 else 1)
        k[name] = entry("F32", shape, len(data), len(data) + 4 * n)
        data += f32(*[((i * 5 + len(name)) % 9 - 4) / 8 for i in range(n)])
    tokenizer = {"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "\u0120": 2, "ab": 3}, "merges": ["a b"]}, "added_tokens": [],
                 "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}}
    return b"\0".join([json.dumps(CONFIG).encode(), json.dumps(tokenizer).encode(), safetensors(k, data)])


def seeds_models():
    save("model", "llama", tiny_llama())
    save("model", "gpt2", tiny_gpt2())
    save("model", "folder", tiny_folder())
    for name, data in (("llama", tiny_llama()), ("gpt2", tiny_gpt2())):
        save("settings", name, data)
    save("settings", "config", json.dumps(CONFIG))
    save("settings", "config_gpt2", json.dumps({"model_type": "gpt2", "n_embd": 4, "n_head": 2, "n_layer": 1, "n_positions": 8,
                                                "vocab_size": 6, "n_inner": None, "activation_function": "gelu_new"}))
    save("settings", "scaled", json.dumps(dict(CONFIG, head_dim=4, rope_theta=5e5, rope_scaling={
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192})))
    save("settings", "params", json.dumps({"dim": 4, "n_layers": 1, "n_heads": 2, "n_kv_heads": 1, "vocab_size": -1,
                                           "multiple_of": 4, "ffn_dim_multiplier": 1.0, "norm_eps": 1e-5, "rope_theta": 5e5,
                                           "use_scaled_rope": True}))
    save("settings", "quantized", json.dumps({"model_type": "llama", "quantization_config": {"quant_method": "gptq"}}))
    here = os.path.join(os.path.dirname(HERE), "..", "truth", "llama2c")
    with open(os.path.join(here, "v1.bin"), "rb") as f:
        save("settings", "llama2c", f.read())


def seeds_vocabularies():
    flags = [pair("tokenizer.ggml.bos_token_id", 4, u32(1)), pair("tokenizer.ggml.add_bos_token", 7, b"\1"),
             pair("tokenizer.ggml.add_space_prefix", 7, b"\1")]
    every = ["<unk>", "<s>"] + ["<0x%02X>" % i for i in range(256)] + ["a", "b", "ab"]
    save("gguf_vocab", "spm", gguf([pair("tokenizer.ggml.model", 8, text("llama")), pair("tokenizer.ggml.tokens", 9, items(
        8, [text(t) for t in every])), *flags]) + b"ab \xff")
    save("gguf_vocab", "bytes", gguf(vocabulary("gpt2", BYTES, [MERGES, pair("tokenizer.ggml.pre", 8, text("llama-bpe"))])) + b" ab 123 a")
    words = [("[UNK]", 0, 3), ("[CLS]", 0, 3), ("[SEP]", 0, 3), ("\u2581a", 0, 1), ("b", 0, 1), ("\u2581c", 0, 1)]
    ends = [pair("tokenizer.ggml.%s_token_id" % k, 4, u32(i)) for k, i in (("unknown", 0), ("cls", 1), ("seperator", 2))]
    save("gguf_vocab", "bert", gguf(vocabulary("bert", words, ends)) + b"ab c\xc3\xa9")
    # A charsmap of one rule, A to a: the size of the trie, its units, then the texts.
    charsmap = u32(4) + u32(0) + b"a\0"
    save("gguf_vocab", "unigram", gguf(vocabulary("t5", SPM, [pair("tokenizer.ggml.precompiled_charsmap", 9, items(
        0, [bytes([c]) for c in charsmap]))])) + b"a ab")


def message(number, data):
    """A field of kind bytes."""
    return bytes([number << 3 | 2]) + varint(len(data)) + data


def varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7f | 0x80])
        n >>= 7
    return out + bytes([n])


def piece_file(pieces, trainer, normalizer):
    data = b""
    for text, score, kind in pieces:
        data += message(1, message(1, text.encode()) + b"\x15" + struct.pack("<f", score) + b"\x18" + bytes([kind]))
    return data + message(2, trainer) + message(3, normalizer)


def seeds_pieces():
    """One byte for the length of the text at the end, the file, the text."""
    own = [("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3), ("<x>", 0, 4), ("\u2581", -3, 1), ("a", -3, 1), ("b", -3, 1),
           ("ab", -1, 1), ("\u2581a", -2, 1), ("abab", -1.5, 5)]
    charsmap = struct.pack("<I", 8) + struct.pack("<II", 0x400, 0x80000000) + b"x\0"
    text = "abab <x> b".encode()
    save("pieces", "bpe", bytes([len(text)]) + piece_file(own, b"\x18\x02", b"\x20\x00") + text)
    save("pieces", "unigram", bytes([len(text)]) + piece_file(own, b"\x18\x01", message(2, charsmap)) + text)
    words = "[PAD]\n[UNK]\n[CLS]\n[SEP]\nthe\na\n##b\r\n,\n".encode()
    save("pieces", "words", bytes([6]) + words + b"The ab")
    ranks = b"".join(base64.b64encode(bytes([b])) + b" %d\n" % b for b in range(256)) + b"YWI= 256\n"
    save("pieces", "ranks", bytes([4]) + ranks + b"abab")
    save("pieces", "json", bytes([4]) + json.dumps({
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKD"}, {"type": "Lowercase"}, {"type": "Strip"},
                       {"type": "Replace", "pattern": {"Regex": " +"}, "content": "\u2581"}]},
        "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first"},
        "model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0], ["\u2581", -1], ["a", -2], ["ab", -2.5]]},
        "decoder": {"type": "Metaspace", "replacement": "\u2581"}}).encode() + b"A ab")
    save("pieces", "suffix", bytes([4]) + json.dumps({
        "normalizer": {"type": "BertNormalizer"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "BertPreTokenizer"}, {"type": "Digits"}]},
        "model": {"type": "BPE", "end_of_word_suffix": "</w>", "unk_token": "?", "byte_fallback": True,
                  "vocab": {"a": 0, "b</w>": 1, "ab</w>": 2, "?": 3, "<0x41>": 4}, "merges": ["a b</w>"]},
        "decoder": {"type": "BPEDecoder", "suffix": "</w>"}}).encode() + b"ab c")


def wire(number, value):
    """One field: bytes, a whole number, or a float32."""
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    if isinstance(value, float):
        return varint(number << 3 | 5) + f32(value)
    return varint(number << 3) + varint(value)


def one_file(file, text=b"", config=b""):
    config += b" " * (-len(config) % 4)
    return file + config + text + bytes([len(config) // 4, len(text)])


def sentencepiece(kind, pieces, normal=b"", trainer=b""):
    out = b"".join(wire(1, wire(1, t.encode()) + wire(2, float(s)) + wire(3, k)) for t, s, k in pieces)
    return out + wire(2, wire(3, kind) + trainer) + wire(3, normal)


def seeds_tokenizer_files():
    said = b"a ab\xc3\xa9 <s> b"
    config = json.dumps({"bos_token": "<s>", "add_bos_token": True, "legacy": False}).encode()
    normal = wire(3, 1) + wire(4, 0) + wire(5, 1)
    save("sentencepiece", "bpe", one_file(sentencepiece(2, SPM, normal), said, config))
    every = b"".join(wire(1, wire(1, b"<0x%02X>" % i) + wire(3, 6)) for i in range(256))
    save("sentencepiece", "bytes", one_file(sentencepiece(2, SPM, normal, wire(35, 1)) + every, said))
    save("sentencepiece", "unigram", one_file(sentencepiece(1, SPM, wire(2, u32(4) + u32(0) + b"a\0")), said))
    save("sentencepiece", "nul", one_file(sentencepiece(2, [*SPM, ("\0", -5, 1), ("x\0y", -6, 4)]), b"x\0y\0"))
    save("sentencepiece", "varint_of_11", one_file(b"\x0a" + b"\xff" * 10 + b"\1"))
    save("sentencepiece", "past_parent", one_file(wire(1, b"\x0a\x7fa")))
    ranks = "".join("%s %d\n" % (base64.b64encode(t).decode(), i) for i, t in enumerate([bytes([i]) for i in range(256)] + [b"ab", b"abc", b" a"]))
    named = b'{"tokenizer_class": "QWenTokenizer", "add_bos_token": true}'
    save("tiktoken", "ranks", one_file(ranks.encode(), b"abc fed \xc3", named))
    save("tiktoken", "crlf", one_file(ranks.replace("\n", "\r\n").encode(), b"ab", named))
    save("tiktoken", "twice", one_file(b"YQ== 0\nYQ== 1\nYg== 5\n", b"", named))
    words = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\n##a\nc\n!\n\u4e2d\n"
    save("vocab_txt", "words", one_file(words.encode(), "aba! \u4e2d\u00e9 [MASK]".encode(), b'{"do_lower_case": true}'))
    save("vocab_txt", "crlf", one_file(words.replace("\n", "\r\n").encode(), b"cab"))
    save("vocab_txt", "twice", one_file(words.encode() + b"c\n", b"cab"))
    save("vocab_txt", "cased", one_file(words.encode(), b"A a", b'{"do_lower_case": false, "strip_accents": true}'))
    pieces = ["<unk>", "\n<s>\n", "\n</s>\n"] + ["<0x%02X>" % i for i in range(256)] + [" ", "a", "b", " a", "ab"]
    body = b"".join(f32(-float(i)) + u32(len(t.encode())) + t.encode() for i, t in enumerate(pieces))
    save("tokenizer_bin", "bytes", one_file(u32(6) + body, b"a ab\xc3"))
    save("tokenizer_bin", "few", one_file(u32(6) + body[:96], b"a"))
    save("encode", "spm", b"\0 Once upon a \xe2\x96\x81time\t<s>\xff\0")
    save("encode", "unigram", "\1 \u2460 \uff21 e\u0301 caf\u00e9  two  spaces".encode())
    save("encode", "wordpiece", "\2Unbelievable, caf\u00e9 \u4e2d\u6587 [MASK]\u200b\u00ad".encode())
    save("encode", "tiktoken", b"\3it's 12345 <|endoftext|>\r\n  x\xed\xa0\x80")
    save("encode", "bytes", "\4 don't \U0001f600 <|endoftext|>".encode())


seeds_zip()
seeds_torch()
seeds_json()
seeds_pieces()
seeds_safetensors()
seeds_npy()
seeds_gguf()
seeds_llama2c()
seeds_models()
seeds_vocabularies()
seeds_tokenizer_files()
