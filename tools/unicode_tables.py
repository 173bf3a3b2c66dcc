"""Writes src/text/unicode_tables.inc: what `tokenizers` says of characters, asked of the library itself.

Its parts know different versions of Unicode (BERT's normaliser an old one), and ids must agree. utf8proc has one of its own.
"""
import sys
from pathlib import Path

from tokenizers import normalizers, pre_tokenizers

OUT = Path(__file__).resolve().parent.parent / "src" / "text" / "unicode_tables.inc"


def dropped(normalizer):
    return lambda c: normalizer.normalize_str("a" + chr(c) + "b") == "ab"


def alone(pre_tokenizer):
    return lambda c: len(pre_tokenizer.pre_tokenize_str("a" + chr(c) + "b")) == 3


def flags(**values):
    off = {"clean_text": False, "handle_chinese_chars": False, "strip_accents": False, "lowercase": False}
    return normalizers.BertNormalizer(**(off | values))


CLEAN, ACCENTS = flags(clean_text=True), flags(strip_accents=True)
WORDS = pre_tokenizers.Whitespace()
TABLES = {
    "controls": ("what BertNormalizer drops by clean_text", dropped(CLEAN)),
    "nonspacing": ("what it drops by strip_accents", lambda c: ACCENTS.normalize_str("a" + chr(c)) == "a"),
    "marks": ("what StripAccents drops", dropped(normalizers.StripAccents())),
    "punctuation": ("what BertPreTokenizer cuts off", alone(pre_tokenizers.BertPreTokenizer())),
    "numbers": ("what Digits cuts off", alone(pre_tokenizers.Digits(True))),
    "words": ("what belongs to the word before it for Whitespace: \\w",
              lambda c: WORDS.pre_tokenize_str("a" + chr(c))[0][1] == (0, 2)),
}


def runs(holds):
    out = []
    for c in range(0x110000):
        if 0xD800 <= c < 0xE000 or not holds(c):
            continue
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def main():
    import tokenizers
    lines = [f"/* Written by tools/unicode_tables.py from tokenizers {tokenizers.__version__}: first and last of runs. */"]
    for name, (what, holds) in TABLES.items():
        found = runs(holds)
        lines.append(f"/* {what} */")
        lines.append(f"static const run {name}[] = {{")
        line = ""
        for first, last in found:
            item = f" {{0x{first:x},0x{last:x}}},"
            if len(line) + len(item) > 120:
                lines.append("   " + line)
                line = ""
            line += item
        lines += ["   " + line, "};"]
        print(f"{name}: {len(found)} runs", file=sys.stderr)
    OUT.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
