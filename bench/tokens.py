"""Megabytes a second of the tokenizer, one core: sonde (ids and the bytes of each token) beside tiktoken (ids) and the
`tokenizers` library (ids and offsets), in turn.

    python bench/tokens.py [--tool build/release/tokens] [--vocab ../shared/data/vocab] [--pairs 7] [--megabytes 5]

English is the running text of the manual pages of this machine, code is Python's library and C headers, in the order of
their names; --english and --code take other files. Shared machines are noisy: in each pair all run one after the other,
the median of a pair's ratio is what counts. The ids of all are compared first, and where each token begins with the
offsets of `tokenizers`. Needs the packages gguf, tiktoken, tokenizers (pip install).
"""
import argparse
import gzip
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tiktoken
import tokenizers

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
import tokenizer_json  # noqa: E402

VOCABULARIES = {"GPT-2": "ggml-vocab-gpt-2.gguf", "Llama-3": "ggml-vocab-llama-bpe.gguf"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default="build/release/tokens")
    parser.add_argument("--vocab", default="../shared/data/vocab")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--megabytes", type=float, default=5)
    parser.add_argument("--english")
    parser.add_argument("--code")
    parser.add_argument("--core", type=int, default=0)
    return parser.parse_args()


def manual(path):
    """The text of a page without its macros and fonts."""
    raw = gzip.open(path).read() if path.suffix == ".gz" else path.read_bytes()
    lines = [x for x in raw.decode("utf-8", "ignore").splitlines() if not x.startswith((".", "'"))]
    return re.sub(r"\\f[A-Z]|\\f\(..|\\&|\\[|/^]", "", "\n".join(lines)).replace("\\-", "-") + "\n"


def gather(paths, read, size):
    """The first `size` bytes of valid UTF-8 of the files."""
    out = bytearray()
    for path in paths:
        try:
            out += read(path).encode()
        except (OSError, UnicodeError):
            continue
        if len(out) >= size:
            break
    return bytes(out[:size]).decode("utf-8", "ignore")


def corpora(args):
    size = int(args.megabytes * 1e6)
    pages = [p for s in ("man7", "man1") for p in sorted(Path("/usr/share/man", s).glob("*")) if p.is_file()]
    english = [Path(args.english)] if args.english else pages
    plain = lambda p: p.read_text(encoding="utf-8")  # noqa: E731
    if args.code:
        code = gather([Path(args.code)], plain, size)
    else:
        code = gather(sorted(Path(os.__file__).parent.rglob("*.py")), plain, size // 2)
        code += gather(sorted(Path("/usr/include").glob("*.h")), plain, size - size // 2)
    return {"English": gather(english, plain if args.english else manual, size), "code": code}


def byte_alphabet():
    own = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    others = [b for b in range(256) if b not in own]
    return {chr(b): b for b in own} | {chr(256 + i): b for i, b in enumerate(others)}


def tiktoken_of(data):
    """The same vocabulary and pattern; a rank is an id, as merges of these vocabularies are in the order of ids."""
    alphabet = byte_alphabet()
    special = {a["content"] for a in data["added_tokens"]}
    ranks = {bytes(alphabet[c] for c in text): i for text, i in data["model"]["vocab"].items() if text not in special}
    pattern = data["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
    return tiktoken.Encoding("bench", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})


def compare(tool, folder, name, text, ours):
    """Stops where ids or offsets differ."""
    path = folder / "text"
    path.write_bytes(text.replace("\0", " ").encode())
    lines = subprocess.run([tool, folder / name / "tokenizer.json", path], check=True, capture_output=True,
                           text=True).stdout.split("\n-\n")[0].splitlines()
    rows = [tuple(map(int, x.split())) for x in lines]
    text = path.read_text(encoding="utf-8")
    ids = ours["tiktoken"].encode_ordinary(text)
    hf = ours["tokenizers"].encode(text)
    if [r[0] for r in rows] != ids or ids != hf.ids:
        sys.exit(f"{name}: ids differ")
    at = [0]
    for c in text:
        at.append(at[-1] + len(c.encode()))
    begins = {b: i for i, b in enumerate(at)}
    wrong = sum(r[1] in begins and begins[r[1]] != o[0] for r, o in zip(rows, hf.offsets))
    if wrong:
        sys.exit(f"{name}: {wrong} offsets differ")
    return len(ids)


def seconds(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def measure(args, folder, name, kind, text, ours):
    path = folder / f"{kind}.txt"
    path.write_bytes(text.encode())
    size = path.stat().st_size / 1e6
    command = ["taskset", "-c", str(args.core), args.tool, folder / name / "tokenizer.json", path, "2"]
    speeds = {"sonde": [], "tiktoken": [], "tokenizers": []}
    for _ in range(args.pairs):
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        speeds["sonde"].append(size / min(map(float, out)))
        for other, run in (("tiktoken", ours["tiktoken"].encode_ordinary), ("tokenizers", ours["tokenizers"].encode)):
            speeds[other].append(size / min(seconds(lambda: run(text)) for _ in range(2 if other == "tiktoken" else 1)))
    middle = {k: statistics.median(v) for k, v in speeds.items()}
    ratio = {k: statistics.median(a / b for a, b in zip(speeds["sonde"], v)) for k, v in speeds.items()}
    print(f"| {name} | {kind} | {middle['sonde']:.1f} | {middle['tiktoken']:.1f} | {middle['tokenizers']:.2f} "
          f"| {ratio['tiktoken']:.1f} | {ratio['tokenizers']:.0f} |", flush=True)


def main():
    args = arguments()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.sched_setaffinity(0, {args.core})
    texts = corpora(args)
    print("| vocabulary | text | sonde MB/s | tiktoken MB/s | tokenizers MB/s | sonde / tiktoken | sonde / tokenizers |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name, file in VOCABULARIES.items():
            data = tokenizer_json.tokenizer_of(Path(args.vocab) / file)
            data["added_tokens"] = [a for a in data["added_tokens"] if a["special"]]
            (folder / name).mkdir()
            (folder / name / "tokenizer.json").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
            ours = {"tiktoken": tiktoken_of(data), "tokenizers": tokenizers.Tokenizer.from_str(json.dumps(data))}
            ours["tokenizers"].encode_special_tokens = True
            for kind, text in texts.items():
                compare(args.tool, folder, name, text, ours)
                measure(args, folder, name, kind, text, ours)
        word = folder / "word.txt"
        word.write_bytes(bytes(97 + i * i * 7919 // 64 % 26 for i in range(1_000_000)))
        for name in VOCABULARIES:
            out = subprocess.run([args.tool, folder / name / "tokenizer.json", word, "3"], check=True,
                                 capture_output=True, text=True).stdout.split()
            print(f"\n{name}, one word of 1 MB: {statistics.median(map(float, out)):.2f} s")


if __name__ == "__main__":
    main()
