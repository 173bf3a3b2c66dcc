"""The small tokenizers of the random encoders and encoder-decoders: tokenizer.json as the official libraries write it
for each family, and tokenizer_config.json; vocab.txt beside WordPiece."""
import json

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoTokenizer

PIECES = ("[PAD] [UNK] [CLS] [SEP] [MASK] the a cat dog bird man sees hears . ? who what red small old likes house river"
          " in on of , to and walk ##s ##ed ##ing ##er s e r d ##e ##r ##d ##t").split()
MERGES = [("h", "e"), ("Ġ", "t"), ("Ġt", "he"), ("Ġ", "c"), ("a", "t"), ("Ġc", "at"), ("Ġ", "s"), ("e", "e"),
          ("Ġs", "ee"), ("o", "u"), ("Ġ", "h"), ("T", "he"), ("Ġ", "d"), ("e", "d")]
UNIGRAM = ("▁ ▁the ▁cat ▁dog s ▁see ▁a ▁in ▁house e ▁red ed ing ▁walk . ▁river t o a n i r ▁is ▁by ▁man d g ▁bird h ▁t he"
           " c u ? er").split()


def special(text, **how):
    return AddedToken(text, special=True, normalized=False, **how)


def wordpiece():
    tokenizer = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(PIECES)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens([special(text) for text in PIECES[:5]])
    names = dict(pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]")
    return tokenizer, dict(do_lower_case=True, **names)


def bytes_of(bpe_first):
    """Byte-level BPE; the alphabet in the order of its code points, the merges, the mask last."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet(), key=ord)
    texts = [*bpe_first, *alphabet, *("".join(pair) for pair in MERGES), "<mask>"]
    tokenizer = Tokenizer(models.BPE({text: i for i, text in enumerate(texts)}, MERGES))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True,
                                                             add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([special(text) for text in bpe_first] + [special("<mask>", lstrip=True)])
    names = dict(bos_token="<s>", eos_token="</s>", cls_token="<s>", sep_token="</s>", unk_token="<unk>", pad_token="<pad>",
                 mask_token="<mask>")
    return tokenizer, dict(add_prefix_space=False, trim_offsets=True, **names)


def unigram():
    """Scores fall with the place in the list, so that the longest known pieces win."""
    control, extra = ["<pad>", "</s>", "<unk>"], ["<extra_id_1>", "<extra_id_0>"]
    vocab = [(text, 0.0) for text in control]
    vocab += [(text, -2.0 - 0.25 * i - 3.0 * (len(text) == 1)) for i, text in enumerate(UNIGRAM)]
    tokenizer = Tokenizer(models.Unigram([*vocab, *((text, 0.0) for text in extra)], unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>",
                                                             special_tokens=[("</s>", 1)])
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    tokenizer.add_special_tokens([special(text) for text in [*control, *extra]])
    return tokenizer, dict(eos_token="</s>", unk_token="<unk>", pad_token="<pad>", extra_ids=2,
                           additional_special_tokens=extra[::-1])


KINDS = {"bert": (wordpiece, "BertTokenizer"), "distilbert": (wordpiece, "DistilBertTokenizer"),
         "roberta": (lambda: bytes_of(["<s>", "<pad>", "</s>", "<unk>"]), "RobertaTokenizer"),
         "bart": (lambda: bytes_of(["<s>", "<pad>", "</s>", "<unk>"]), "BartTokenizer"), "t5": (unigram, "T5Tokenizer")}


def write_words(folder, family, longest):
    """Write the family's tokenizer into a folder; longest: the model's positions."""
    make, name = KINDS[family]
    tokenizer, fields = make()
    (folder / "tokenizer.json").write_text(tokenizer.to_str(pretty=False), encoding="utf-8")
    fields = {"tokenizer_class": name, "model_max_length": longest, "clean_up_tokenization_spaces": False} | fields
    (folder / "tokenizer_config.json").write_text(json.dumps(fields, indent=2) + "\n")
    if make is wordpiece:
        (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n")


def ids_of(folder, *texts, specials=True):
    """Ids and types of a text or a pair; the file alone and transformers' class agree on them."""
    file = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(*texts, add_special_tokens=specials)
    official = AutoTokenizer.from_pretrained(folder, local_files_only=True)(*texts, add_special_tokens=specials)
    assert file.ids == official["input_ids"], (file.ids, official["input_ids"])
    return file.ids, file.type_ids
