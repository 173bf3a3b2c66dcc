"""Where the pre-tokenizers of well-known families cut, by the tokenizers library: tests/truth/pretokenizers.txt.

    python tools/truth/pretokenizers.py

Lines: "family NAME"; "stage PATTERN" as a JSON string, each cutting what the one before left; "text HEX END END .." with the
ends of the pieces in bytes. For Falcon, StarCoder and Command-R the library runs its own parts (Punctuation, Digits,
ByteLevel) where the stages are expressions that must cut alike. No character is U+180E or newer than Unicode 14.
"""
import itertools
import json
import random
import sys
from pathlib import Path

from tokenizers import Regex, pre_tokenizers as pre

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import tokenizer_vectors  # noqa: E402

TEXTS, SEED = 120, 20240229
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
BYTE_NUMBERS = r"(bytes)[0-9\xb2\xb3\xb9\xbc-\xbe]+"        # sonde's word for Digits behind ByteLevel
HAN = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"
LATIN = ("A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373\u0376\u0377"
         "\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-\u0556"
         "\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1e00-\u1f15\u2c00-\u2c7b\uff21-\uff3a\uff41-\uff5a")
SIGNS = "!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002"
byte_level = pre.ByteLevel(add_prefix_space=False, use_regex=True)


def splits(*patterns):
    return pre.Sequence([pre.Split(Regex(p), "isolated") for p in patterns])


FAMILIES = {
    "gpt-2": ([GPT2], byte_level),
    "llama-3": ([WORDS % r"\p{N}{1,3}"], None),
    "qwen2": ([WORDS % r"\p{N}"], None),
    "starcoder": ([r"\p{N}", GPT2], pre.Sequence([pre.Digits(individual_digits=True), byte_level])),
    "falcon": ([r"[\p{P}\$\+<=>\^~\|`]+", GPT2, BYTE_NUMBERS, "[0-9][0-9][0-9]"],
               pre.Sequence([pre.Punctuation("contiguous"), byte_level, pre.Digits(individual_digits=False),
                             pre.Split(Regex("[0-9][0-9][0-9]"), "isolated")])),
    "deepseek-llm": (["[\r\n]", rf"\s?[{LATIN}]+", rf"\s?[{SIGNS}]+", r"\s+$", HAN, r"\p{N}+"], None),
    "deepseek-coder": (["[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", HAN, r"\p{N}"], None),
    "deepseek-v3": ([r"\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
                     r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"""
                     "|[^\r\n" r"\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+" "[\r\n]*"
                     r"|\s*" "[\r\n]+" r"|\s+(?!\S)|\s+"], None),
    "gpt-4o": ([r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
                r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
                r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"], None),
}
SPELLED = {"gpt-2", "starcoder", "falcon", "command-r"}
FAMILIES["command-r"] = FAMILIES["starcoder"]


def texts(rng):
    yield "Hello we've DON'T 1234567 12,345.67 \t\n\n \r\n  x=+1; 中文字 \u00a0a  こんにちは 한국어 don’t €5 a\u0301b "
    for _ in range(TEXTS):
        yield "".join(tokenizer_vectors.piece(rng) for _ in range(rng.randint(1, 8))).replace("\u180e", "")


def main():
    lines = []
    for name, (stages, library) in FAMILIES.items():
        lines.append(f"family {name}")
        lines += [f"stage {json.dumps(s, ensure_ascii=False)}" for s in stages]
        library = library or splits(*stages)
        for text in texts(random.Random(SEED)):
            pieces = library.pre_tokenize_str(text)
            sizes = [len(p) if name in SPELLED else len(p.encode()) for p, _ in pieces]     # the byte alphabet: one each
            ends = list(itertools.accumulate(sizes))
            assert not ends or ends[-1] == len(text.encode()), (name, text)
            lines.append(f"text {text.encode().hex()} {' '.join(map(str, ends))}")
    path = ROOT / "tests" / "truth" / "pretokenizers.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
