"""Train models/encoder: `python models/train_encoder.py [--seed N] [--out DIR]`.

A BERT of two heads on one body: masked words of the grammar's sentences, and a classifier that
says what is wrong with a sentence, if anything (faults.py).  Both are trained together with
transformers on the CPU, stored in float16, opened again and measured on what was held out
(measure_encoder.py).
"""
import argparse
import math
import os
import pathlib
import random
import time

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from torch import nn
from transformers import BertConfig, BertForMaskedLM, BertModel

from faults import LABELS, Faults
from grammar import CENTURIES, WORDS, Grammar, pieces
from train import adamw, descend, rate, steady, write_json

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PAD, UNK, CLS, SEP, MASK = range(5)
STEPS, ROWS, JUDGED_ROWS, PEAK, WARMUP = 9000, 48, 32, 1e-3, 500
SHAPE = {"hidden_size": 96, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 384,
         "max_position_embeddings": 64, "type_vocab_size": 2, "hidden_act": "gelu", "layer_norm_eps": 1e-12}
TASKS = {"ioi": .22, "greater": .06, "filler": .03, "facts": .27, "agreement": .12, "pronoun": .10,
         "antonym": .08, "colour": .10, "echo": .02}
MARKED_SHARE, OPEN_SHARE, OPEN_WEIGHT = 0.5, 0.1, 0.2  # which words are masked, and what the open ones weigh
PAIR = 0.5  # two sentences are two segments this often


# ---- tokenizer ----

def vocabulary():
    """Special tokens, signs, words in lower case, centuries, and years of a century as continuations."""
    grammar, found = Grammar(0), {w.lower() for w in WORDS}
    for task in TASKS:
        for _ in range(6000):
            found.update(p.strip().lower() for p in pieces(grammar.tasks[task][1]().replace("*", "")))
    signs = sorted(p for p in found if p and not p.isalnum())
    assert all(len(s) == 1 for s in signs), signs
    words = sorted(p for p in found if p.isalpha())
    return SPECIAL + signs + words + CENTURIES + [f"##{y:02d}" for y in range(100)]


def build_tokenizer():
    words = vocabulary()
    tokenizer = Tokenizer(models.WordPiece({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)])
    return tokenizer


def encode(tokenizer, marked):
    """Ids of a marked sentence, no special token, and the places of the marked words."""
    parts = marked.split("*")
    stars, length = [], 0
    for part in parts[:-1]:
        length += len(part)
        stars.append(length)
    found = tokenizer.encode("".join(parts), add_special_tokens=False)
    at = [next(i for i, (start, _) in enumerate(found.offsets) if start >= star) for star in stars]
    return found.ids, at


def joined(sentences, apart):
    """[CLS] and one segment, or two if `apart`: ids, types, marked places."""
    ids, types, marks = [CLS], [0], []
    for number, (more, at) in enumerate(sentences):
        segment = number if apart else 0
        marks += [len(ids) + i for i in at]
        end = [SEP] if apart or number == len(sentences) - 1 else []
        ids += more + end
        types += [segment] * len(more + end)
    return ids, types, marks


# ---- rows ----

class Rows:
    """Rows of both kinds, drawn 16 batches at a time and sorted by length: little padding."""

    def __init__(self, tokenizer, seed):
        self.tokenizer, self.grammar, self.faults = tokenizer, Grammar(seed), Faults(seed + 500009)
        self.random = random.Random(seed + 1000003)
        self.writers = [self.grammar.tasks[t][1] for t in TASKS]
        self.size, self.masked_ready, self.judged_ready = tokenizer.get_vocab_size(), [], []

    def masked_row(self):
        """Ids with some masked, types, the masked ids at their places (else -100), loss weights."""
        r = self.random
        count = r.choices((1, 2), (2, 1))[0]
        texts = [r.choices(self.writers, list(TASKS.values()))[0]() for _ in range(count)]
        ids, types, marks = joined([encode(self.tokenizer, t) for t in texts], count == 2 and r.random() < PAIR)
        open_places = [i for i, t in enumerate(ids) if t > MASK and i not in marks]
        chosen = [i for i in marks if r.random() < MARKED_SHARE] + [i for i in open_places if r.random() < OPEN_SHARE]
        chosen = chosen or [r.choice(marks or open_places)]
        target, weight, seen = [-100] * len(ids), [0.0] * len(ids), list(ids)
        for i in chosen:
            target[i], weight[i] = ids[i], 1.0 if i in marks else OPEN_WEIGHT
            seen[i] = self.blurred(ids[i])
        return seen, types, target, weight

    def blurred(self, token):
        """What stands where a token is to be told: mostly [MASK]."""
        draw = self.random.random()
        if draw < .82:
            return MASK
        if draw < .86:
            return UNK
        return self.random.randrange(len(SPECIAL), self.size) if draw < .93 else token

    def judged_row(self):
        texts, label = self.faults.text()
        apart = len(texts) == 2 and self.random.random() < PAIR
        ids, types, _ = joined([encode(self.tokenizer, t) for t in texts], apart)
        return ids, types, label

    def fill(self, draw, rows):
        made = sorted((draw() for _ in range(16 * rows)), key=lambda row: len(row[0]))
        batches = [made[i:i + rows] for i in range(0, len(made), rows)]
        self.random.shuffle(batches)
        return batches

    def masked(self):
        self.masked_ready = self.masked_ready or self.fill(self.masked_row, ROWS)
        seen, types, target, weight = zip(*self.masked_ready.pop())
        return padded(seen, PAD), padded(types, 0), padded(target, -100), padded(weight, 0.0)

    def judged(self):
        self.judged_ready = self.judged_ready or self.fill(self.judged_row, JUDGED_ROWS)
        ids, types, label = zip(*self.judged_ready.pop())
        return padded(ids, PAD), padded(types, 0), torch.tensor(label)


def padded(rows, fill):
    most = max(map(len, rows))
    return torch.tensor([list(r) + [fill] * (most - len(r)) for r in rows])


# ---- the model ----

def config_of(tokenizer):
    return BertConfig(vocab_size=tokenizer.get_vocab_size(), hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
                      initializer_range=0.05, num_labels=len(LABELS), **SHAPE)


def build_model(tokenizer):
    """BertForMaskedLM with the pooler and the classifier of BertForSequenceClassification."""
    config = config_of(tokenizer)
    model = BertForMaskedLM(config)
    model.bert = BertModel(config, add_pooling_layer=True)
    model.classifier = nn.Linear(config.hidden_size, len(LABELS))
    nn.init.normal_(model.classifier.weight, std=config.initializer_range)
    nn.init.zeros_(model.classifier.bias)
    model.tie_weights()
    assert model.cls.predictions.decoder.weight is model.bert.embeddings.word_embeddings.weight
    return model


def masked_loss(model, ids, types, target, weight):
    out = model.bert(input_ids=ids, attention_mask=(ids != PAD).long(), token_type_ids=types)
    at = target != -100
    each = F.cross_entropy(model.cls(out.last_hidden_state[at]), target[at], reduction="none")
    weight = weight[at]
    return (each * weight).sum() / weight.sum(), each.detach()[weight == 1].mean().item()


def judged_loss(model, ids, types, label):
    out = model.bert(input_ids=ids, attention_mask=(ids != PAD).long(), token_type_ids=types)
    scores = model.classifier(out.pooler_output)
    return F.cross_entropy(scores, label), (scores.argmax(-1) == label).float().mean().item()


def train(tokenizer, seed, steps, out):
    torch.manual_seed(seed)
    model, rows = build_model(tokenizer).train(), Rows(tokenizer, seed)
    optimizer = adamw(model)
    start, recent = time.time(), []
    for step in range(steps):
        masked, marked = masked_loss(model, *rows.masked())
        judged, right = judged_loss(model, *rows.judged())
        descend(model, optimizer, masked + judged, rate(step, steps, PEAK, WARMUP))
        recent.append((masked.item(), marked, judged.item(), right))
        if (step + 1) % 100 == 0:
            mean = [sum(column) / len(recent) for column in zip(*recent)]
            print(f"step {step + 1:5d}  masked {mean[0]:.3f}  marked {mean[1]:.3f}  judged {mean[2]:.3f}  "
                  f"right {mean[3]:.3f}  {time.time() - start:.0f} s", flush=True)
            recent.clear()
        if (step + 1) % 1000 == 0 and step + 1 < steps:
            write_folder(model, tokenizer, out)
    return model.eval()


# ---- the folder ----

def write_folder(model, tokenizer, out):
    """A folder that BertForMaskedLM, BertForSequenceClassification and AutoTokenizer open; weights in float16."""
    out.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(out / "tokenizer.json"))
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    (out / "vocab.txt").write_text("".join(word + "\n" for word, _ in vocabulary))
    special = {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]",
               "mask_token": "[MASK]"}
    write_json(out / "special_tokens_map.json", special)
    write_json(out / "tokenizer_config.json", {
        "tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": SHAPE["max_position_embeddings"],
        "clean_up_tokenization_spaces": False, "tokenize_chinese_chars": True, "strip_accents": None, **special})
    write_json(out / "config.json", {
        "architectures": ["BertForMaskedLM", "BertForSequenceClassification"], "model_type": "bert", "vocab_size": tokenizer.get_vocab_size(), **SHAPE,
        "position_embedding_type": "absolute", "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
        "classifier_dropout": None, "initializer_range": 0.05, "pad_token_id": PAD, "tie_word_embeddings": True,
        "id2label": {str(i): label for i, label in enumerate(LABELS)},
        "label2id": {label: i for i, label in enumerate(LABELS)},
        "dtype": "float16"})
    weights = {name: p.detach().half().contiguous() for name, p in model.named_parameters()}
    assert all(w.isfinite().all() for w in weights.values())
    save_file(weights, str(out / "model.safetensors"), metadata={"format": "pt"})
    (out / "model.safetensors").chmod(0o644)


def main():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=pathlib.Path, default=here / "encoder")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    steady(options.threads)
    tokenizer = build_tokenizer()
    print("vocabulary", tokenizer.get_vocab_size())
    start = time.time()
    model = train(tokenizer, options.seed, options.steps, options.out)
    write_folder(model, tokenizer, options.out)
    import measure_encoder
    measure_encoder.report(options.out, {"seed": options.seed, "steps": options.steps, "threads": options.threads,
                                         "minutes": math.ceil((time.time() - start) / 60)})


if __name__ == "__main__":
    main()
