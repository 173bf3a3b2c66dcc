#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets into corpus/ beside this script (standard library only)."""
import base64
import json
import os
import struct

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


def message(number, data):
    """A field of kind bytes."""
    return bytes([number << 3 | 2]) + varint(len(data)) + data


def varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7f | 0x80])
        n >>= 7
    return out + bytes([n])


def sentencepiece(pieces, trainer, normalizer):
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
    save("pieces", "bpe", bytes([len(text)]) + sentencepiece(own, b"\x18\x02", b"\x20\x00") + text)
    save("pieces", "unigram", bytes([len(text)]) + sentencepiece(own, b"\x18\x01", message(2, charsmap)) + text)
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


seeds_json()
seeds_pieces()
seeds_safetensors()
seeds_npy()
