"""Words, ids and merges of RevLLM's default text with GPT-2's vocabulary, ids and places of the tutorial's sentence, and the
part of that vocabulary which is needed for them (its own ids, its merges in their own order), for tests/test_method_tokens.c.

    python tools/truth/gpt2_words.py ggml-vocab-gpt-2.gguf      (tokenizers)
"""
import json, struct, sys
from pathlib import Path
from tokenizers import Tokenizer, models, pre_tokenizers

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = "Open-source LLMs rock."  # features.md 3.1
TEXT = "Hello hello Hello, hello.Hello.  Hello. hellohello helloHello HelloHelloHello"


def metadata(path):
    """The key-value part of a GGUF file."""
    raw, at, out = path.read_bytes(), 24, {}
    plain = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}

    def text():
        nonlocal at
        n, = struct.unpack_from("<Q", raw, at)
        at += 8 + n
        return raw[at - n:at].decode()

    def value(kind):
        nonlocal at
        if kind == 8:
            return text()
        if kind == 9:
            inner, n = struct.unpack_from("<IQ", raw, at)
            at += 12
            return [value(inner) for _ in range(n)]
        x, = struct.unpack_from("<" + plain[kind], raw, at)
        at += struct.calcsize(plain[kind])
        return x

    for _ in range(struct.unpack_from("<Q", raw, 16)[0]):
        key = text()
        kind, = struct.unpack_from("<I", raw, at)
        at += 4
        out[key] = value(kind)
    return out


def steps(word, rank):
    """Plain byte pair encoding: the best pair, leftmost first, until none is left."""
    parts, out = list(word), []
    while True:
        pairs = [(rank[p], i) for i, p in enumerate(zip(parts, parts[1:])) if p in rank]
        if not pairs:
            return parts, out
        r, i = min(pairs)
        out.append((parts[i], parts[i + 1], r))
        parts[i:i + 2] = [parts[i] + parts[i + 1]]


def main():
    meta = metadata(Path(sys.argv[1]))
    tokens = meta["tokenizer.ggml.tokens"]
    vocab = {t: i for i, t in enumerate(tokens)}
    merges = [tuple(m.split(" ")) for m in meta["tokenizer.ggml.merges"]]
    rank = {m: i for i, m in enumerate(merges)}
    library = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    cut = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.pre_tokenizer = cut
    words = cut.pre_tokenize_str(TEXT)
    ids = library.encode(TEXT).ids
    lines, all_ids, used = [], [], set()
    for i, (word, (start, end)) in enumerate(words):
        parts, made = steps(word, rank)
        all_ids += [vocab[p] for p in parts]
        used |= {r for _, _, r in made}
        lines.append(f"word.{i} {start} {end} " + " ".join(str(vocab[p]) for p in parts))
        if made:
            lines.append(f"merges.{i} " + " ".join(f"{vocab[a]} {vocab[b]} {r}" for a, b, r in made))
    assert ids == all_ids and len(words) == 14
    sentence = library.encode(TUTORIAL)
    assert sentence.ids == [11505, 12, 10459, 27140, 10128, 3881, 13]
    lines += ["tutorial " + " ".join(f"{i} {a} {b}" for i, (a, b) in zip(sentence.ids, sentence.offsets))]
    words += cut.pre_tokenize_str(TUTORIAL)
    # every merge whose result lies in a word: no other can ever be made in these words
    kept = [m for m in merges if any("".join(m) in w for w, _ in words)]
    # all 256 bytes have tokens, or the text could be read differently
    small = {t: i for t, i in vocab.items() if len(t) == 1 or t == "<|endoftext|>" or any("".join(m) == t for m in kept)}
    folder = ROOT / "tests/truth/gpt2"
    folder.mkdir(exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(small, ensure_ascii=False, separators=(",", ":")))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in kept))
    # ranks count in the whole list: here in the kept one
    place = {r: i for i, r in enumerate(rank[m] for m in kept)}
    lines = [line if not line.startswith("merges") else
             " ".join(str(place[int(x)]) if k and k % 3 == 0 else x for k, x in enumerate(line.split())) for line in lines]
    (folder / "words.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
