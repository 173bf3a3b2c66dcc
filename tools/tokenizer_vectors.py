"""Truth for the tokenizer: fuzzed strings with the ids that the `tokenizers` library gives.

    python tools/tokenizer_vectors.py              writes tests/golden/tokenizer/ (and demo/, if models/demo is there)

tests/golden/tokenizer/
    tokenizer.json, vocab.json, merges.txt,        a byte-level BPE trained here on TEXT below; the added tokens
    tokenizer_config.json                          have odd flags (lstrip, rstrip, single_word); the last three
                                                   files hold the same tokenizer in GPT-2's older layout
    vectors.bin                                    strings and ids as encode(text) gives them
    plain.bin                                      the same with encode_special_tokens: the texts of special tokens
                                                   are ordinary text (the added token that is not special, `kite`,
                                                   still is one token)
    demo/tokenizer.json, demo/vectors.bin          the same for a copy of the demo model's tokenizer

A .bin file is a row of records, little-endian: u16 bytes, UTF-8, u16 count, u16 ids[count].
No character is U+180E or newer than Unicode 14, the version that PCRE2 10.42 and Python 3.11 know.
"""
import argparse
import json
import random
import shutil
import struct
import unicodedata
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden" / "tokenizer"
SEED = 20240229
END = "<|endoftext|>"
ODD_TOKENS = [
    AddedToken("<mask>", lstrip=True, special=True, normalized=False),
    AddedToken("[END]", rstrip=True, special=True, normalized=False),
    AddedToken("kite", single_word=True, special=False, normalized=False),
]

TEXT = """When Mary and John went to the park, John gave a drink to Mary. The war lasted from the year 1732 to the year 1748.
The keys to the cabinet are old, and the teacher's dog is young. It's not hot, it's cold; they're late, we've been early, I'll go, she'd stay, I'm here.
The capital of France is Paris. The people in Kyoto speak Japanese. At school in Cairo they learn Arabic.
The hat is red and the cup is blue. The colour of the hat is red. List: red cat river. Copy: red cat river.
Brackets: ( [ { cat } ] ). The years were 1731, 1732, 1733. "Quoted," she said; 'single', he replied...
for (int i = 0; i < n; i++) { sum += x[i] * y[i]; }  // a line of code\n\treturn sum;\n
Le café était fermé à Noël; où est l'élève naïve? Die Straße über den Fluß ist schön. El niño come piñas mañana.
Москва и Киев города, в которых живут люди. Η Αθήνα είναι πόλη. השלום עליכם. مرحبا بالعالم. नमस्ते दुनिया. こんにちは世界、東京は大きい。 你好，世界。 안녕하세요 세계.
Emoji 😀 👍🏽 👩‍👩‍👧 ❤️ and arrows → ← ⇒, dashes – —, quotes “so” ‘so’, €100 £20 ½ ² ³ ™ ©.
A sonde is an instrument that is let down into what cannot be seen, and sends back what it meets there.
the the the and and of of to to in in is is was that it for on with as he his be at by had not are but from or have an they which one
numbers 0 1 2 3 10 20 42 99 100 128 256 512 1000 2024 3.14159 1,000,000
"""

WORDS = """Mary John Anna Tom the park station beach library drink book ring ball keys cabinet table France Paris
Kyoto Japanese hot cold red blue war year 1732 17 48 List Copy Reverse Brackets because she he gave went kite kites Kite mykite
don't I'll we've they're it's she'd I'm DON'T 'S 's 'll 've 're 'd 'm 't 'T 'Re x' ''s '''re""".split()
SPACES = [" ", " ", " ", "  ", "   ", "\t", "\n", "\n\n", "\r\n", "\v", "\f", "\u00a0", "\u3000", "\u2028", "\u2029",
          "\u0085", "\u2003", "\u202f", "\u1680", "\u200b", "\u200d", "\ufeff", "\x1c", "\x00"]
MARKS = ["\u0301", "\u0308", "\u0323", "\u20dd", "\u093e", "\u0e31", "\ufe0f", "\u0489", "\u05b0", "\u302a"]
ODD_TEXTS = [END, END, "<mask>", "[END]", "kite", "<|endoftext", "<mask", "[END", END + END, " <mask> ", " [END] "]
EMOJI = ["😀", "👍🏽", "👩‍👩‍👧", "❤️", "🇫🇷", "🏴", "🧪", "🫠"]
PUNCTUATION = list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") + [
    "...", "--", "«", "»", "“", "”", "’s", "’", "¿", "‽", "€", "±", "→"]
RANGES = [(0xa1, 0x17f), (0x180, 0x24f), (0x370, 0x3ff), (0x400, 0x4ff), (0x5d0, 0x5ea), (0x620, 0x64a), (0x660, 0x669),
          (0x904, 0x939), (0x966, 0x96f), (0xe01, 0xe2e), (0x10a0, 0x10ff), (0x1e00, 0x1eff), (0x2070, 0x209c),
          (0x2150, 0x218b), (0x2200, 0x22ff), (0x2460, 0x24ff), (0x3041, 0x30ff), (0x4e00, 0x9ffc), (0xac00, 0xd7a3),
          (0xff10, 0xff5a), (0x10330, 0x1034a), (0x10400, 0x1044f), (0x1d400, 0x1d7ff), (0x20000, 0x2a6dd),
          (0x1f300, 0x1f5ff), (0xe000, 0xe010), (0x1f130, 0x1f149)]


def unicode_character(rng):
    """One character of a random range, assigned in Unicode 14."""
    while True:
        c = chr(rng.randint(*rng.choice(RANGES)))
        if unicodedata.category(c) not in ("Cn", "Cs"):
            return c


def piece(rng):
    kind = rng.random()
    if kind < 0.30:
        return rng.choice(["", " ", " "]) + rng.choice(WORDS)
    if kind < 0.45:
        return rng.choice(SPACES) * rng.choice([1, 1, 1, 2, 3, 5])
    if kind < 0.55:
        return "".join(rng.choice("0123456789") for _ in range(rng.randint(1, 5)))
    if kind < 0.67:
        return rng.choice(PUNCTUATION) * rng.choice([1, 1, 1, 2])
    if kind < 0.77:
        return "".join(chr(rng.randint(0x20, 0x7e)) for _ in range(rng.randint(1, 6)))
    if kind < 0.87:
        return "".join(unicode_character(rng) for _ in range(rng.randint(1, 3)))
    if kind < 0.91:
        return rng.choice("aeoéक") + rng.choice(MARKS) * rng.choice([1, 1, 2])
    if kind < 0.94:
        return rng.choice(EMOJI)
    if kind < 0.98:
        return rng.choice(ODD_TEXTS)
    return chr(rng.randint(0, 0x1f)) + chr(rng.randint(0x7f, 0xa0))


def strings(rng, count, longest):
    """`count` strings of at most `longest` characters, short ones more often."""
    yield ""
    for text in SPACES + MARKS + ODD_TEXTS + EMOJI + PUNCTUATION:
        yield text
    for _ in range(count - 1 - len(SPACES + MARKS + ODD_TEXTS + EMOJI + PUNCTUATION)):
        length = min(rng.randint(0, longest) for _ in range(3))
        text = ""
        while len(text) < length:
            text += piece(rng)
        yield text[:length] if rng.random() < 0.8 else text[:longest]


def train():
    """A byte-level BPE of 600 tokens, and the odd added tokens behind it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=600, min_frequency=1, special_tokens=[END], show_progress=False,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator(TEXT.split("\n"), trainer)
    tokenizer.add_tokens(ODD_TOKENS)
    return tokenizer


def save_older_layout(tokenizer, folder):
    """vocab.json and merges.txt as GPT-2 had them; the added tokens stand in tokenizer_config.json."""
    model = json.loads(tokenizer.to_str())["model"]
    vocab = dict(sorted(model["vocab"].items(), key=lambda item: item[1]))
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False), encoding="utf-8")
    merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
    added = json.loads(tokenizer.to_str())["added_tokens"]
    config = {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": False, "bos_token": END, "eos_token": END,
              "unk_token": END, "added_tokens_decoder": {str(t["id"]): {k: v for k, v in t.items() if k != "id"} for t in added}}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def record(text, ids):
    data = text.encode("utf-8")
    return struct.pack("<H", len(data)) + data + struct.pack(f"<H{len(ids)}H", len(ids), *ids)


def write_vectors(path, tokenizer, texts):
    path.write_bytes(b"".join(record(t, tokenizer.encode(t).ids) for t in texts))
    print(f"{path.relative_to(ROOT)}: {len(texts)} strings, {path.stat().st_size} bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", type=Path, default=ROOT / "models" / "demo" / "tokenizer.json")
    args = parser.parse_args()
    assert unicodedata.unidata_version == "14.0.0", f"Unicode {unicodedata.unidata_version}, expected 14.0.0"

    GOLDEN.mkdir(parents=True, exist_ok=True)
    train().save(str(GOLDEN / "tokenizer.json"))
    tokenizer = Tokenizer.from_file(str(GOLDEN / "tokenizer.json"))
    save_older_layout(tokenizer, GOLDEN)
    write_vectors(GOLDEN / "vectors.bin", tokenizer, list(strings(random.Random(SEED), 13000, 60)))
    tokenizer.encode_special_tokens = True
    write_vectors(GOLDEN / "plain.bin", tokenizer, list(strings(random.Random(SEED + 1), 2000, 30)))

    if args.demo.exists():
        (GOLDEN / "demo").mkdir(exist_ok=True)
        shutil.copyfile(args.demo, GOLDEN / "demo" / "tokenizer.json")
        demo = Tokenizer.from_file(str(GOLDEN / "demo" / "tokenizer.json"))
        write_vectors(GOLDEN / "demo" / "vectors.bin", demo, list(strings(random.Random(SEED + 2), 5000, 40)))


if __name__ == "__main__":
    main()
