"""Small vocabularies of every kind of tokenizer, trained here, and the parts that test strings are made of.

    python tools/tokenizer_kinds.py                writes tests/golden/tokenizer/kinds/

    spm_bpe.model      SentencePiece BPE with byte fallback, no normalisation, user defined pieces
    unigram.model      SentencePiece Unigram, nmt_nfkc, user defined pieces, no byte fallback
    wordpiece.txt      BERT's vocab.txt; lower case, accents stripped
    ranks.tiktoken     the byte-level BPE of tests/golden/tokenizer as tiktoken's text
    parts.json         words, spaces, marks.. and all ranges of code points assigned in Unicode 14, for the generator of
                       strings, which is tests/text_maker.h and tools/text_maker.py

Needs tokenizers, sentencepiece. What it trains on is models/demo/held-out.txt and the text of tokenizer_vectors.py.
"""
import base64
import io
import json
import sys
import unicodedata
from pathlib import Path

import sentencepiece
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

sys.path.insert(0, str(Path(__file__).resolve().parent))
from tokenizer_vectors import EMOJI, GOLDEN, MARKS, PUNCTUATION, ROOT, SPACES, TEXT, WORDS  # noqa: E402

KINDS = GOLDEN / "kinds"
USER_DEFINED = ["<tag>", "kite", "   "]
SPECIAL = ["<s>", "</s>", "<unk>", "<pad>", "[CLS]", "[SEP]", "[UNK]", "[MASK]", "[PAD]", "<|endoftext|>", "<mask>", "[END]",
           "<tag>", "kite", "<0x41>", "<0x0a>", "##", "##ing", "\u2581", "\u2581\u2581", "<|begin_of_text|>", "<|eot_id|>"]
TRICKY = list("ßẞİıǅǆﬁﬃ½¼Ⅷ²³ÅΩµſﬀ℃㍿㌔㈱①ⅷªºŉʼΐΰẖὒᾀ가각힣각ﾞﾟｶﾞＡａ１　«»…—–‘’“”„·•€£¥©®™°±×÷ヴゔはぱ々〆あいう漢字仮名"
              "語한글אבגابتक्षिกำเ้ໄ༄ကြាំᠠ") + ["é", "e\u0301", "\u1e9b\u0323", "\u0344", "\u0f73", "\u2126", "\u212b", "\u00ad", "\u200b",
              "\u200c", "\u200d", "\u200e", "\u2028", "\u2060", "\ufeff", "\ufffd", "\U000e0001", "\U0001f1eb\U0001f1f7",
              "\u0958", "\u1100\u1161\u11a8", "\uac00\u11a8", "\U0001d15e", "\u0b47\u0b56\u0b3e", "\U000110a5\U000110ba"]
RUNS = [" ", "a", "e", "aa", "ab", ".", "-", "=", "\n", "\t", "\u00a0", "\u3000", "\u2581", "1", "é", "\u0301", "漢", "😀", "the ",
        "\u200b", "\u200d", "_", "'", "ha"]


def training_text():
    held_out = (ROOT / "models" / "demo" / "held-out.txt").read_text(encoding="utf-8")
    return (held_out[:150000] + "\n" + TEXT * 20).split("\n")


def train_sentencepiece(name, **options):
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(training_text()), model_writer=out, num_threads=1, minloglevel=2, hard_vocab_limit=False,
        user_defined_symbols=USER_DEFINED, **options)
    (KINDS / name).write_bytes(out.getvalue())


def train_wordpiece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=800, min_frequency=1, show_progress=False,
                                        special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    tokenizer.train_from_iterator(training_text(), trainer)
    vocab = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    (KINDS / "wordpiece.txt").write_text("".join(text + "\n" for text, _ in vocab), encoding="utf-8")


def byte_alphabet():
    """{character: byte} of GPT-2's alphabet."""
    own = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    others = [b for b in range(256) if b not in own]
    return {chr(b): b for b in own} | {chr(0x100 + i): b for i, b in enumerate(others)}


def write_ranks():
    """Bytes first, then what the merges make, in their order."""
    model = json.loads((GOLDEN / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    alphabet = byte_alphabet()
    made = ["".join(m) if isinstance(m, list) else m.replace(" ", "") for m in model["merges"]]
    tokens = list(dict.fromkeys([bytes([b]) for b in range(256)] + [bytes(alphabet[c] for c in text) for text in made]))
    lines = [f"{base64.b64encode(token).decode()} {rank}\n" for rank, token in enumerate(tokens)]
    (KINDS / "ranks.tiktoken").write_text("".join(lines))


def assigned_ranges():
    """[first, last] of the runs of code points that are assigned in Unicode 14 and no surrogates."""
    ranges, start = [], None
    for c in range(0x110001):
        good = c < 0x110000 and unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co")
        if good and start is None:
            start = c
        if not good and start is not None:
            ranges.append([start, c - 1])
            start = None
    return ranges


def write_parts():
    parts = {"words": sorted(set(WORDS + "the quick brown foxes jumped overs lazy dogs naïve café Straße ÜBER Москва "
                                 "Ελλάδα שלום مرحبا नमस्ते こんにちは 世界 안녕 walking walked unbelievable re-doing U.S.A. e.g. "
                                 "http://x.org/a?b=c 3.14 1,000 x=y; don't".split())),
             "spaces": SPACES, "punctuation": PUNCTUATION, "marks": MARKS, "emoji": EMOJI, "special": SPECIAL,
             "tricky": TRICKY, "runs": RUNS, "ranges": assigned_ranges()}
    (KINDS / "parts.json").write_text(json.dumps(parts, ensure_ascii=True, separators=(",", ":")) + "\n")


def main():
    assert unicodedata.unidata_version == "14.0.0", f"Unicode {unicodedata.unidata_version}, expected 14.0.0"
    KINDS.mkdir(parents=True, exist_ok=True)
    train_sentencepiece("spm_bpe.model", model_type="bpe", vocab_size=800, byte_fallback=True, character_coverage=0.999,
                        normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True,
                        allow_whitespace_only_pieces=True)
    train_sentencepiece("unigram.model", model_type="unigram", vocab_size=700, character_coverage=0.999,
                        normalization_rule_name="nmt_nfkc", pad_id=3)
    train_wordpiece()
    write_ranks()
    write_parts()
    for path in sorted(KINDS.iterdir()):
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
