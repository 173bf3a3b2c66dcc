"""Compares sonde's tokenizers with the official libraries on many made-up strings.

    python tools/fuzz_tokenizers.py [--build build/release] [--n 20000] [--seed 1] [--decode] [KIND ..]
    python tools/fuzz_tokenizers.py --characters [KIND ..]     every code point, alone and inside a word
    python tools/fuzz_tokenizers.py --list

Strings are those of tests/text_maker.h (checked against tools/text_maker.py first). Ids must be equal. Spans must be equal
where the libraries define them as sonde does; see `same_span`. A difference is printed with the string; the exit status is 1.
With --characters the code points of tools/unicode_differences.txt may differ.
Needs tokenizers, sentencepiece, tiktoken, gguf, numpy.
"""
import argparse
import json
import struct
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path

import numpy as np
import sentencepiece
import tiktoken
import tiktoken.load
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

sys.path.insert(0, str(Path(__file__).resolve().parent))
from text_maker import Maker  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden" / "tokenizer"
KINDS = GOLDEN / "kinds"
SHARED = ROOT.parent / "shared" / "data"
DIFFERENCES = ROOT / "tools" / "unicode_differences.txt"
CHUNK = 20000
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
SPACE = "\u2581"


# The official side: each has encode(texts) -> [(ids, [(start, end) in characters])], and decode(ids).

class HuggingFace:
    def __init__(self, tokenizer, plain=False, spans=True):
        self.tokenizer = tokenizer
        self.spans = spans          # Precompiled gives offsets of the text it made, not of the one it got
        tokenizer.encode_special_tokens = plain
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.special = {i for i, t in tokenizer.get_added_tokens_decoder().items() if t.special}

    def encode(self, texts):
        return [(e.ids, e.offsets if self.spans else None) for e in self.tokenizer.encode_batch(texts, add_special_tokens=False)]

    def decode(self, ids):
        return self.tokenizer.decode(ids, skip_special_tokens=True)


class SentencePiece:
    def __init__(self, path):
        self.processor = sentencepiece.SentencePieceProcessor(model_file=str(path))

    def encode(self, texts):
        out = []
        for text in texts:
            pieces = self.processor.encode(text, return_type="proto").pieces
            out.append(([p.id for p in pieces], self.in_characters(text, pieces)))
        return out

    @staticmethod
    def in_characters(text, pieces):
        """Its spans count bytes."""
        place = np.concatenate(([0], np.cumsum([len(c.encode()) for c in text]))).tolist()
        at = {b: k for k, b in enumerate(place)}
        return [(at[p.begin], at[p.end]) for p in pieces]

    def decode(self, ids):
        return self.processor.decode(ids)


class TikToken:
    def __init__(self, path, special):
        ranks = tiktoken.load.load_tiktoken_bpe(str(path))
        self.encoding = tiktoken.Encoding("local", pat_str=LLAMA3, mergeable_ranks=ranks, special_tokens=special)

    def encode(self, texts):
        return [(self.encoding.encode_ordinary(text), None) for text in texts]

    def decode(self, ids):
        return self.encoding.decode(ids)


# Tokenizers made here, written to a temporary folder.

def sentencepiece_parts(path):
    """Texts, scores and types of a SentencePiece file."""
    p = sentencepiece.SentencePieceProcessor(model_file=str(path))
    n = p.get_piece_size()
    kind = [2 if p.is_unknown(i) else 3 if p.is_control(i) else 6 if p.is_byte(i) else 5 if p.is_unused(i) else 1
            for i in range(n)]
    from sentencepiece import sentencepiece_model_pb2
    proto = sentencepiece_model_pb2.ModelProto.FromString(Path(path).read_bytes())
    for i, piece in enumerate(proto.pieces):
        kind[i] = piece.type
    return [p.id_to_piece(i) for i in range(n)], [p.get_score(i) for i in range(n)], kind, proto


def merges_of(texts, scores, kinds):
    """The pairs that make each piece, best score first; as transformers converts SentencePiece's BPE."""
    ids = {text: i for i, text in enumerate(texts)}
    out = []
    for i, text in enumerate(texts):
        if kinds[i] != 1:
            continue
        local = [(text[:k], text[k:]) for k in range(1, len(text)) if text[:k] in ids and text[k:] in ids]
        local.sort(key=lambda pair: (ids[pair[0]], ids[pair[1]]))
        out += [(scores[i], pair) for pair in local]
    out.sort(key=lambda item: -item[0])
    return [pair for _, pair in out]


def save(folder, name, tokenizer):
    path = folder / f"{name}.json"
    tokenizer.save(str(path))
    return Tokenizer.from_file(str(path)), [f"json={path}"]


def spm_bpe_json(folder, metaspace):
    texts, scores, kinds, _ = sentencepiece_parts(KINDS / "spm_bpe.model")
    model = models.BPE(vocab={t: i for i, t in enumerate(texts)}, merges=merges_of(texts, scores, kinds), unk_token="<unk>",
                       fuse_unk=True, byte_fallback=True)
    tokenizer = Tokenizer(model)
    if metaspace:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="first", split=False)
    else:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])
    tokenizer.decoder = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in ("<unk>", "<s>", "</s>")])
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=metaspace) for i, t in enumerate(texts) if kinds[i] == 4])
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A", None, [("<s>", 1)])
    return save(folder, f"spm_bpe_{int(metaspace)}", tokenizer)


def unigram_json(folder):
    texts, scores, _, proto = sentencepiece_parts(KINDS / "unigram.model")
    tokenizer = Tokenizer(models.Unigram([(t, s) for t, s in zip(texts, scores)], unk_id=0, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence([
        normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap),
        normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement=SPACE, prepend_scheme="always")
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>", "<pad>"])
    return save(folder, "unigram", tokenizer)


def wordpiece_json(folder, **options):
    vocab = {t: i for i, t in enumerate((KINDS / "wordpiece.txt").read_text(encoding="utf-8").split("\n")[:-1])}
    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(**options)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", vocab["[SEP]"]), ("[CLS]", vocab["[CLS]"]))
    return save(folder, "wordpiece_" + "_".join(options), tokenizer)


def suffix_json(folder):
    """What CLIP and GPT-1 do: a mark at the end of each word."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,'!?-"
    texts = [*letters, *(c + "</w>" for c in letters), "th", "the</w>", "in", "ing</w>", "er</w>", "an", "and</w>", "<unk>"]
    merges = [("t", "h"), ("th", "e</w>"), ("i", "n"), ("in", "g</w>"), ("e", "r</w>"), ("a", "n"), ("an", "d</w>")]
    tokenizer = Tokenizer(models.BPE({t: i for i, t in enumerate(texts)}, merges, unk_token="<unk>",
                                     end_of_word_suffix="</w>", fuse_unk=False))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "),
                                                 normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"'s|'t|'re|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"), "removed", invert=True)])
    tokenizer.decoder = decoders.BPEDecoder("</w>")
    return save(folder, "suffix", tokenizer)


def prefix_json(folder):
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,'!?-"
    texts = [*letters, *("##" + c for c in letters), "th", "the", "##in", "##ing", "##er", "[UNK]"]
    merges = [("t", "##h"), ("th", "##e"), ("##i", "##n"), ("##in", "##g"), ("##e", "##r")]
    tokenizer = Tokenizer(models.BPE({t: i for i, t in enumerate(texts)}, merges, unk_token="[UNK]",
                                     continuing_subword_prefix="##", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(),
                                                 normalizers.Strip()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Digits(True)])
    tokenizer.decoder = decoders.WordPiece(cleanup=False)
    return save(folder, "prefix", tokenizer)


def words_json(folder, pre, form):
    words = [*"abcdefghijklmnopqrstuvwxyz", "the", "in", "cat", "war", "year", "1", "17", ".", ",", "!", "kite", "Mary", "[UNK]",
             "the ", " the", SPACE + "the", SPACE, "ab", "hahah", "aaaaa", "éé", "é", "e\u0301"]
    tokenizer = Tokenizer(models.WordLevel({t: i for i, t in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = form
    tokenizer.pre_tokenizer = pre
    return save(folder, f"words_{abs(hash((repr(pre), repr(form))))}", tokenizer)


def bytes_words_json(folder):
    """ByteLevel in front of a model that is no BPE."""
    tokenizer = Tokenizer(models.Unigram([("<unk>", 0.0), *((c, -5.0) for c in pre_tokenizers.ByteLevel.alphabet()),
                                          ("th", -6.0), ("\u0120the", -7.0), ("ing", -7.0)], unk_id=0))
    tokenizer.normalizer = normalizers.Nmt()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    return save(folder, "bytes_words", tokenizer)


def bytes_of_json(folder, name, form):
    """The ids are the bytes of the text that the normaliser gives."""
    tokenizer = Tokenizer(models.BPE({f"<0x{b:02X}>": b for b in range(256)}, [], byte_fallback=True))
    tokenizer.normalizer = form
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    return save(folder, "bytes_" + name, tokenizer)


def byte_normal_json(folder):
    tokenizer = Tokenizer.from_file(str(GOLDEN / "tokenizer.json"))
    tokenizer.normalizer = normalizers.ByteLevel()
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("\u0120?[a-zA-Z]+|[0-9]"), "isolated")
    return save(folder, "byte_normal", tokenizer)


def write_gguf(folder, name, model, texts, **more):
    import gguf
    path = folder / f"{name}.gguf"
    writer = gguf.GGUFWriter(str(path), more.pop("family", "llama"))
    writer.add_tokenizer_model(model)
    writer.add_token_list(texts)
    for key, value in more.items():
        getattr(writer, f"add_{key}")(value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return [f"gguf={path}"]


def gguf_spm(folder, name, model):
    texts, scores, kinds, proto = sentencepiece_parts(KINDS / name)
    more = {"token_scores": scores, "token_types": kinds, "unk_token_id": kinds.index(2)}
    if model == "t5":
        more["precompiled_charsmap"] = proto.normalizer_spec.precompiled_charsmap
        more["remove_extra_whitespaces"] = True
    return write_gguf(folder, name, model, texts, **more)


def gguf_bert(folder):
    texts = (KINDS / "wordpiece.txt").read_text(encoding="utf-8").split("\n")[:-1]
    kinds = [3 if t[0] == "[" and t[-1] == "]" and len(t) > 2 else 1 for t in texts]
    spelled = [t if k == 3 else t[2:] if t.startswith("##") else SPACE + t for t, k in zip(texts, kinds)]
    return write_gguf(folder, "bert", "bert", spelled, family="bert", token_types=kinds, unk_token_id=texts.index("[UNK]"),
                      sep_token_id=texts.index("[SEP]"), bos_token_id=texts.index("[CLS]"))


def gguf_gpt2(folder):
    model = json.loads((GOLDEN / "tokenizer.json").read_text(encoding="utf-8"))
    texts = [t for t, _ in sorted(model["model"]["vocab"].items(), key=lambda item: item[1])]
    merges = [m if isinstance(m, str) else " ".join(m) for m in model["model"]["merges"]]
    return write_gguf(folder, "gpt2", "gpt2", texts, tokenizer_pre="gpt-2", token_merges=merges)


def llama2c_bin(folder):
    """karpathy's layout; only where pieces 0..258 are unknown, bos, eos and the bytes."""
    texts, scores, kinds, _ = sentencepiece_parts(KINDS / "plain_bpe.model")
    raw = [t.replace(SPACE, " ").encode() for t in texts]
    raw[1], raw[2] = b"\n<s>\n", b"\n</s>\n"
    path = folder / "tokenizer.bin"
    path.write_bytes(struct.pack("<I", max(map(len, raw)))
                     + b"".join(struct.pack("<fI", s, len(t)) + t for s, t in zip(scores, raw)))
    return [f"bin={path}"]


def config(folder, name, **values):
    path = folder / f"{name}_config.json"
    path.write_text(json.dumps(values))
    return f"config={path}"


def byte_level(plain=False):
    return HuggingFace(Tokenizer.from_file(str(GOLDEN / "tokenizer.json")), plain)


def byte_level_alone():
    """Without added tokens."""
    parts = json.loads((GOLDEN / "tokenizer.json").read_text(encoding="utf-8"))
    parts["added_tokens"] = []
    return HuggingFace(Tokenizer.from_str(json.dumps(parts)))


def hf(made, plain=False, spans=True):
    return HuggingFace(made[0], plain, spans), made[1] + (["plain"] if plain else [])


def tiktoken_kind(folder, path, more):
    return TikToken(path, {"<|begin_of_text|>": 10 ** 6}), [f"model={path}", "plain", *more]


def written(folder, build, name, args, plain):
    """What tokenizer_write_json makes of another file, in the library."""
    path = folder / f"written_{name}.json"
    path.write_bytes(subprocess.run([build / "tests" / "tokens", *args, "json_out"], capture_output=True, check=True).stdout)
    return HuggingFace(Tokenizer.from_file(str(path)), plain, spans=False), [*args, *(["plain"] if plain else [])]


def written_kinds(folder, build):
    small = {
        "spm-bpe": lambda: [f"model={KINDS}/spm_bpe.model"], "unigram": lambda: [f"model={KINDS}/unigram.model"],
        "wordpiece": lambda: [f"vocab_txt={KINDS}/wordpiece.txt"], "bpe-gguf": lambda: gguf_gpt2(folder),
        "tiktoken": lambda: [f"model={KINDS}/ranks.tiktoken", config(folder, "llama", tokenizer_class="LlamaTokenizer")],
        "wordpiece-gguf": lambda: gguf_bert(folder), "spm-bpe-gguf": lambda: gguf_spm(folder, "spm_bpe.model", "llama"),
    }
    raw = SHARED / "vocab" / "raw"
    if raw.exists():
        small["llama2"] = lambda: [f"model={raw}/llama2.tokenizer.model"]
        small["llama2-gguf"] = lambda: [f"gguf={SHARED}/vocab/ggml-vocab-llama-spm.gguf"]
        small["phi-3-gguf"] = lambda: [f"gguf={SHARED}/vocab/ggml-vocab-phi-3.gguf"]
        small["falcon-gguf"] = lambda: [f"gguf={SHARED}/vocab/ggml-vocab-falcon.gguf"]
        small["llama3"] = lambda: [f"model={raw}/llama3.tokenizer.model"]
        small["albert"] = lambda: [f"model={raw}/unigram-albert.spm.model"]
        small["tok512"] = lambda: [f"bin={SHARED}/stories260k/tok512.bin"]
    kinds = {}
    for name, args in small.items():
        for plain in (False, True):
            label = f"written-{name}" + ("-plain" if plain else "")
            kinds[label] = lambda name=name, args=args, plain=plain: written(folder, build, name, args(), plain)
    return kinds


def small_kinds(folder):
    """name: a function that gives the official side and the arguments of the driver."""
    older = [f"vocab={GOLDEN}/vocab.json", f"merges={GOLDEN}/merges.txt", f"config={GOLDEN}/tokenizer_config.json"]
    stripped = {"lowercase": False, "strip_accents": True, "handle_chinese_chars": False}
    pre, norm = pre_tokenizers, normalizers
    words = {
        "words-punctuation": (pre.Sequence([pre.WhitespaceSplit(), pre.Punctuation("contiguous")]), norm.NFC()),
        "words-previous": (pre.Punctuation("merged_with_previous"), norm.NFKC()),
        "words-next": (pre.Split(Regex(r"\s+"), "merged_with_next"), norm.NFD()),
        "words-delimiter": (pre.CharDelimiterSplit("e"), norm.NFKC()),
        "words-length": (pre.FixedLength(5), norm.StripAccents()),
        "words-inverted": (pre.Split(Regex(r"[a-z]+"), "merged_with_previous", invert=True), norm.NFKD()),
        "words-digits": (pre.Sequence([pre.Digits(False), pre.Metaspace(prepend_scheme="first")]), norm.Nmt()),
        "words-bert": (pre.BertPreTokenizer(), norm.Lowercase()),
    }
    kinds = {
        "bpe-json": lambda: (byte_level(), [f"json={GOLDEN}/tokenizer.json"]),
        "bpe-plain": lambda: (byte_level(True), [f"json={GOLDEN}/tokenizer.json", "plain"]),
        "bpe-older": lambda: (byte_level(), older),
        "bpe-gguf": lambda: (byte_level_alone(), gguf_gpt2(folder) + ["plain"]),
        "spm-bpe": lambda: (SentencePiece(KINDS / "spm_bpe.model"), [f"model={KINDS}/spm_bpe.model", "plain"]),
        "spm-bpe-gguf": lambda: (SentencePiece(KINDS / "spm_bpe.model"), gguf_spm(folder, "spm_bpe.model", "llama") + ["plain"]),
        "spm-bpe-json": lambda: hf(spm_bpe_json(folder, False)),
        "spm-bpe-metaspace": lambda: hf(spm_bpe_json(folder, True)),
        "unigram": lambda: (SentencePiece(KINDS / "unigram.model"), [f"model={KINDS}/unigram.model", "plain"]),
        "unigram-gguf": lambda: (SentencePiece(KINDS / "unigram.model"), gguf_spm(folder, "unigram.model", "t5") + ["plain"]),
        "unigram-json": lambda: hf(unigram_json(folder), spans=False),
        "wordpiece-json": lambda: hf(wordpiece_json(folder)),
        "wordpiece-plain": lambda: hf(wordpiece_json(folder), True),
        "wordpiece-cased": lambda: hf(wordpiece_json(folder, **stripped)),
        "wordpiece-txt": lambda: (hf(wordpiece_json(folder))[0], [f"vocab_txt={KINDS}/wordpiece.txt"]),
        "wordpiece-txt-cased": lambda: (hf(wordpiece_json(folder, **stripped))[0],
                                        [f"vocab_txt={KINDS}/wordpiece.txt",
                                         config(folder, "cased", do_lower_case=False, strip_accents=True,
                                                tokenize_chinese_chars=False)]),
        "wordpiece-gguf": lambda: (hf(wordpiece_json(folder), True)[0], gguf_bert(folder) + ["plain"]),
        "tiktoken": lambda: tiktoken_kind(folder, KINDS / "ranks.tiktoken",
                                          [config(folder, "llama", tokenizer_class="LlamaTokenizer")]),
        "suffix": lambda: hf(suffix_json(folder)),
        "prefix": lambda: hf(prefix_json(folder)),
        "bytes-unigram": lambda: hf(bytes_words_json(folder)),
        "bytes-normal": lambda: hf(byte_normal_json(folder)),
    }
    charsmap = sentencepiece_parts(KINDS / "unigram.model")[3].normalizer_spec.precompiled_charsmap
    forms = {
        "nfc": norm.NFC(), "nfd": norm.NFD(), "nfkc": norm.NFKC(), "nfkd": norm.NFKD(), "lower": norm.Lowercase(),
        "strip": norm.Strip(), "accents": norm.Sequence([norm.NFD(), norm.StripAccents()]), "nmt": norm.Nmt(),
        "bert": norm.BertNormalizer(), "bert-cased": norm.BertNormalizer(lowercase=False),
        "precompiled": norm.Precompiled(charsmap), "prepend": norm.Sequence([norm.Prepend("xy"), norm.Replace("x", "")]),
        "replace": norm.Sequence([norm.Replace(Regex(r"\s*\d|$"), "<>"), norm.Replace("''", '"')]),
    }
    for name, form in forms.items():
        kinds["bytes-" + name] = lambda name=name, form=form: hf(bytes_of_json(folder, name, form), spans=False)
    for name, (cut, form) in words.items():
        kinds[name] = lambda cut=cut, form=form: hf(words_json(folder, cut, form))
    return kinds


def large_kinds(folder):
    """The vocabularies of ../shared/data, where they are there."""
    raw = SHARED / "vocab" / "raw"
    if not raw.exists():
        return {}
    return {
        "llama2": lambda: (SentencePiece(raw / "llama2.tokenizer.model"), [f"model={raw}/llama2.tokenizer.model", "plain"]),
        "albert": lambda: (SentencePiece(raw / "unigram-albert.spm.model"), [f"model={raw}/unigram-albert.spm.model", "plain"]),
        "unigram-1k": lambda: (SentencePiece(raw / "unigram-1k.spm.model"), [f"model={raw}/unigram-1k.spm.model", "plain"]),
        "minilm": lambda: (HuggingFace(Tokenizer.from_file(str(raw / "minilm.tokenizer.json"))),
                           [f"json={raw}/minilm.tokenizer.json"]),
        "llama3": lambda: tiktoken_kind(folder, raw / "llama3.tokenizer.model", []),
    }


# The comparison.

def run(build, args, records):
    done = subprocess.run([build / "tests" / "token_driver", "bare", *args], input=records, capture_output=True)
    if done.returncode:
        sys.exit(done.stderr.decode())
    return done.stdout


def sonde_encode(build, args, data):
    """[(ids, [(start, end) in bytes]) or None] of texts as bytes."""
    out = run(build, args, b"".join(struct.pack("<I", len(t)) + t for t in data))
    numbers, at, result = np.frombuffer(out, dtype="<i4").tolist(), 0, []
    for _ in data:
        n = numbers[at]
        at += 1
        if n < 0:
            result.append(None)
            continue
        part = numbers[at:at + 3 * n]
        result.append((part[0::3], list(zip(part[1::3], part[2::3]))))
        at += 3 * n
    return result


def character_of_byte(text):
    return [k for k, c in enumerate(text) for _ in c.encode()] + [len(text)]


def same_span(first, ours, theirs, loose):
    """A span of sonde in characters against that of a library. Equal; or sonde's is empty or ends inside a character, which
    a library counts whole for every token that has a part of it; or sonde's reaches over characters that the normaliser
    dropped (they have no token), which a library leaves out. `loose`: normal forms join characters, and the two count
    them differently; the spans must overlap."""
    start, end = ours
    if start == end:
        return True
    a, b = first[start], first[end - 1] + 1
    if loose:
        return a < theirs[1] and theirs[0] < b
    if theirs[0] == theirs[1]:      # SentencePiece: inside a user defined piece with spaces, which is one character to it
        return theirs[0] <= a
    if 0 <= a - theirs[0] <= 6 and 0 <= b - theirs[1] <= 6:     # or inside what its charsmap put in: the last part has it all
        return True
    return (a, b) == theirs or (theirs[0] >= a and theirs[1] <= b) or (theirs[0] <= a and theirs[1] >= b)


def report(name, text, ours, theirs):
    print(f"{name}: {text!r}\n    sonde   {ours}\n    library {theirs}")


def compare(name, official, build, args, texts, shown=5):
    data = [t.encode() for t in texts]
    ids = spans = strict = total = 0
    for text, ours, theirs in zip(texts, sonde_encode(build, args, data), official.encode(texts)):
        if ours is None or ours[0] != theirs[0]:
            ids += 1
            if ids <= shown:
                report(name, text, ours and ours[0], theirs[0])
        elif theirs[1] is not None:
            first, loose = character_of_byte(text), name.startswith("words")
            bad = [i for i, pair in enumerate(zip(ours[1], theirs[1])) if not same_span(first, *pair, loose)]
            spans += bool(bad)
            if bad and spans <= shown:
                i = bad[0]
                report(name + " span", text, (i, ours[0][i], ours[1][i]), theirs[1][i])
    return ids, spans


def compare_decoding(name, official, build, args, count, seed):
    """Ids as a model could give them: random ones, and those of texts."""
    maker = Maker(seed)
    texts = [maker.string(i) for i in range(count)]
    lists = [ids for ids, _ in official.encode(texts)]
    records = b"".join(struct.pack(f"<I{len(ids)}i", len(ids), *ids) for ids in lists)
    out, at, bad = run(build, [*args, "decode"], records), 0, 0
    for ids in lists:
        n = struct.unpack_from("<i", out, at)[0]
        ours = out[at + 4:at + 4 + n].decode(errors="replace")
        at += 4 + n
        theirs = official.decode(ids)
        theirs = theirs.replace(" \u2047 ", "") if isinstance(official, SentencePiece) else theirs       # unknown pieces
        if ours != theirs and "\ufffd" not in ours + theirs:
            bad += 1
            if bad <= 3:
                report(name + " decoding", ids, repr(ours), repr(theirs))
    return bad


def read_records(data):
    at, texts = 0, []
    while at < len(data):
        n = struct.unpack_from("<i", data, at)[0]
        texts.append(data[at + 4:at + 4 + n].decode())
        at += 4 + n
    return texts


def made_strings(build, seed, first, n):
    args = [build / "tests" / "token_driver", "strings", str(seed), str(first), str(n)]
    return read_records(subprocess.run(args, capture_output=True, check=True).stdout)


def check_makers(build, seed):
    maker = Maker(seed)
    assert made_strings(build, seed, 0, 2000) == [maker.string(i) for i in range(2000)], "the two generators differ"


def known_differences():
    """{code point} of lines "FIRST[..LAST] reason"."""
    known = set()
    for line in DIFFERENCES.read_text().splitlines() if DIFFERENCES.exists() else []:
        if line and not line.startswith("#"):
            first, _, last = line.split()[0].partition("..")
            known.update(range(int(first, 16), int(last or first, 16) + 1))
    return known


def compare_characters(name, official, build, args):
    known, differ, unlisted = known_differences(), [], []
    characters = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    for at in range(0, len(characters), CHUNK):
        part = characters[at:at + CHUNK]
        texts = [s for c in part for s in (chr(c), f"a{chr(c)}b{chr(c)} {chr(c)}")]
        ours, theirs = sonde_encode(build, args, [t.encode() for t in texts]), official.encode(texts)
        for k, c in enumerate(part):
            if any(ours[i] is None or ours[i][0] != theirs[i][0] for i in (2 * k, 2 * k + 1)):
                differ.append(c)
    unlisted = [c for c in differ if c not in known]
    print(f"{name}: {len(differ)} code points differ, {len(unlisted)} of them not listed")
    for c in unlisted[:40]:
        print(f"    {c:04X} {unicodedata.category(chr(c))} {unicodedata.name(chr(c), '')}")
    return len(unlisted), differ


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release")
    parser.add_argument("--n", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--decode", action="store_true")
    parser.add_argument("--characters", action="store_true")
    parser.add_argument("--list", action="store_true")
    args = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        kinds = small_kinds(Path(folder)) | large_kinds(Path(folder)) | written_kinds(Path(folder), args.build)
        if args.list:
            print("\n".join(kinds))
            return
        check_makers(args.build, args.seed)
        for name in args.kinds or kinds:
            official, driver = kinds[name]()
            if args.characters:
                failed += compare_characters(name, official, args.build, driver)[0]
                continue
            ids = spans = 0
            for first in range(0, args.n, CHUNK):
                texts = made_strings(args.build, args.seed, first, min(CHUNK, args.n - first))
                a, b = compare(name, official, args.build, driver, texts, 5 if ids + spans == 0 else 0)
                ids, spans = ids + a, spans + b
            decoded = compare_decoding(name, official, args.build, driver, 5000, args.seed) if args.decode else 0
            failed += ids + spans + decoded
            print(f"{name}: {args.n} strings, {ids} with other ids, {spans} with other spans"
                  + (f", {decoded} of 5000 decoded otherwise" if args.decode else ""), flush=True)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
