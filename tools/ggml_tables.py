#!/usr/bin/env python3
"""Writes src/base/ggml_tables.c: the code books of the IQ block types, from the PyPI package `gguf` (MIT, the ggml authors).

    pip install gguf==0.19.0 numpy && tools/ggml_tables.py

The package keeps each book packed as we do: two bits an element (eight elements a word), or four bits (four elements)."""
import importlib.metadata
import pathlib

from gguf import quants

BOOKS = [("iq2_xxs", quants.IQ2_XXS), ("iq2_xs", quants.IQ2_XS), ("iq2_s", quants.IQ2_S), ("iq3_xxs", quants.IQ3_XXS),
         ("iq3_s", quants.IQ3_S), ("iq1", quants.IQ1_S)]


def words(book):
    packed = bytes.fromhex(book.grid_hex.decode())
    each = 2
    assert len(packed) == each * book.grid_shape[0], book
    return [int.from_bytes(packed[i:i + each], "little") for i in range(0, len(packed), each)]


def check(book, all_words):
    """The words give the package's own unpacked grid."""
    book.init_grid()
    grid = book.grid.reshape(book.grid_shape)
    bits = 16 // book.grid_shape[1]
    for word, row in zip(all_words, grid):
        assert [book.grid_map[word >> bits * i & (1 << bits) - 1] for i in range(len(row))] == list(row)


def main():
    out = ["/* Written by tools/ggml_tables.py: the code books of the IQ block types, numbers of the PyPI package gguf",
           f" * {importlib.metadata.version('gguf')} (MIT, Copyright (c) 2023 Georgi Gerganov and the ggml authors). */",
           '#include "ggml_tables.h"', ""]
    for name, book in BOOKS:
        all_words = words(book)
        check(book, all_words)
        out.append(f"const uint16_t ggml_{name}_book[{len(all_words)}] = {{")
        for i in range(0, len(all_words), 14):
            out.append("    " + " ".join(f"0x{w:04x}," for w in all_words[i:i + 14]))
        out += ["};", ""]
    root = pathlib.Path(__file__).resolve().parent.parent
    (root / "src/base/ggml_tables.c").write_text("\n".join(out[:-1]) + "\n")


main()
