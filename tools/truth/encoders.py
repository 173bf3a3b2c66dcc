"""What encoders answer, by transformers, tokenizers and torch: tests/truth/encoders.json for tests/test_method_encoders.c.

Of the golden models of tests/golden/families and of small templates of a post-processor:
pairs     ids and token types of one text and of two, with and without special tokens (tokenizers)
fill      logits and probabilities at every mask (ForMaskedLM)
classify  logits and probabilities of labels; of "is next" for a next sentence head
answer    probabilities of starts and ends, the best spans, and the answers that whole words make of them, as the question
          answering pipeline of transformers 4 chose them (the pipeline is gone from 5; --pipeline WHEEL runs its own functions
          beside ours on the same logits)
embed     pooled vectors by the recipe of sentence-transformers: rows of the last hidden state under the attention mask
"""
import argparse
import json
import zipfile
from pathlib import Path

import numpy as np
import tokenizers
import torch
import torch.nn.functional as F
import transformers

ROOT = Path(__file__).resolve().parents[2]
FAMILIES = ROOT / "tests/golden/families"
torch.set_num_threads(1)

PAIRS = [("the cat", "dogs hear"), ("Who hears?", "the dogs, cat"), ("a", ""), ("The [MASK] man", "the <mask> river\u00e9")]
# templates: pair in another order, odd types, one token twice, a pair that names only one text
TEMPLATES = [
    dict(single="[CLS]:2 $A:1 [SEP]:0", pair="[SEP]:3 $B:2 [CLS]:1 $A:0"),
    dict(single="$A:0", pair="$A:0 [SEP]:0 [SEP]:1 $B:1"),
    dict(single="[CLS] $A", pair="[CLS] $A $B:1 [SEP]:1"),
]


def bare(folder):
    return tokenizers.Tokenizer.from_file(str(FAMILIES / folder / "tokenizer.json"))


def pair_rows(tokenizer):
    rows = []
    for a, b in PAIRS:
        for pair in (None, b):
            for special in (True, False):
                e = tokenizer.encode(a, pair, add_special_tokens=special)
                rows.append(dict(a=a, b=pair, special=special, ids=e.ids, types=e.type_ids))
    return rows


def pairs():
    out = [dict(folder=name, rows=pair_rows(bare(name))) for name in ("bert_mlm", "roberta_mlm", "distilbert_mlm")]
    for template in TEMPLATES:
        t = bare("bert_mlm")
        t.post_processor = tokenizers.processors.TemplateProcessing(
            **template, special_tokens=[("[CLS]", t.token_to_id("[CLS]")), ("[SEP]", t.token_to_id("[SEP]"))])
        out.append(dict(json=t.to_str(), rows=pair_rows(t)))
    for kind in ("BertProcessing", "RobertaProcessing"):
        t = bare("bert_mlm")
        t.post_processor = getattr(tokenizers.processors, kind)(("[SEP]", 3), ("[CLS]", 2))
        out.append(dict(json=t.to_str(), rows=pair_rows(t)))
    return out


def shared():
    """The published vocabulary of BERT, which lies outside of the repository in three layouts."""
    t = tokenizers.Tokenizer.from_file(str(ROOT.parent / "shared/data/vocab/raw/minilm.tokenizer.json"))
    t.no_truncation()
    t.no_padding()
    return pair_rows(t)


def opened(folder, kind):
    model = getattr(transformers, kind).from_pretrained(FAMILIES / folder, attn_implementation="eager", dtype=torch.float32,
                                                        local_files_only=True)
    return model.eval()


def inputs(folder, model, a, b=None):
    e = bare(folder).encode(a, b)
    out = {"input_ids": torch.tensor([e.ids])}
    if getattr(model.config, "type_vocab_size", 0) > 1:
        out["token_type_ids"] = torch.tensor([e.type_ids])
    return e, out


def run(model, given):
    with torch.no_grad():
        return model(**given)


def numbers(t):
    return [float(x) for x in t.flatten()]


def fill():
    cases = [("bert_mlm", "BertForMaskedLM", "the cat [MASK] [MASK] house ."), ("bert_mlm", "BertForMaskedLM", "[MASK]"),
             ("roberta_mlm", "RobertaForMaskedLM", "The cat <mask> the<mask> house"),
             ("distilbert_mlm", "DistilBertForMaskedLM", "a [MASK] walked"),
             ("bert_pretrain", "BertForPreTraining", "who [MASK]?")]
    out = []
    for folder, kind, text in cases:
        model = opened(folder, kind)
        e, given = inputs(folder, model, text)
        got = run(model, given)
        logits = getattr(got, "logits", None) if hasattr(got, "logits") else got.prediction_logits
        mask = bare(folder).token_to_id("[MASK]")
        mask = bare(folder).token_to_id("<mask>") if mask is None else mask
        at = [i for i, x in enumerate(e.ids) if x == mask]
        out.append(dict(folder=folder, text=text, positions=at,
                        masks=[dict(logits=numbers(logits[0, i]), probs=numbers(logits[0, i].softmax(-1))) for i in at]))
    return out


def classify():
    cases = [("bert_class", "BertForSequenceClassification", "Who hears?", "the dogs, cat"),
             ("bert_class", "BertForSequenceClassification", "the old man", None),
             ("roberta_class", "RobertaForSequenceClassification", "The cat seed", "the hou"),
             ("distilbert_class", "DistilBertForSequenceClassification", "Who hears?", "the dogs, cat"),
             ("bert_pretrain", "BertForPreTraining", "who hears?", "the dogs, cat")]
    out = []
    for folder, kind, a, b in cases:
        model = opened(folder, kind)
        got = run(model, inputs(folder, model, a, b)[1])
        logits = got.seq_relationship_logits if kind == "BertForPreTraining" else got.logits
        names = ["is_next", "not_next"] if kind == "BertForPreTraining" else [model.config.id2label[i] for i in range(logits.shape[1])]
        out.append(dict(folder=folder, a=a, b=b, labels=names, logits=numbers(logits), probs=numbers(logits.softmax(-1)),
                        sigmoid=numbers(logits.sigmoid())))
    return out


def spans_of(start, end, inside, longest, most):
    """Products of a start and an end not before it, both inside; the largest first."""
    found = [(start[i] * end[k], i, k) for i in range(len(start)) for k in range(i, min(len(start), i + longest))
             if inside[i] and inside[k]]
    return sorted(found, key=lambda x: (-x[0], x[1], x[2]))[:most]


def answers_of(e, spans, context, top):
    out = []
    for score, i, k in spans:
        first = e.word_to_chars(e.token_to_word(i), 1)[0]
        last = e.word_to_chars(e.token_to_word(k), 1)[1]
        text = context[first:last]
        same = next((x for x in out if x["answer"].lower() == text.lower()), None)
        if same:
            same["score"] += score
        else:
            out.append(dict(answer=text, score=score, start=len(context[:first].encode()), end=len(context[:last].encode())))
    return sorted(out, key=lambda x: -x["score"])[:top]


def probs(logits, counts):
    x = np.where(counts, logits.astype(np.float64), -np.inf)
    x = np.exp(x - x.max())
    return x / x.sum()


def answer(pipeline):
    cases = [("bert_qa", "BertForQuestionAnswering", "Who hears?", "the dogs, cat"),
             ("bert_qa", "BertForQuestionAnswering", "a man", "The old Dogs hear the dogs. the walks"),
             ("roberta_qa", "RobertaForQuestionAnswering", "The cat seed", "the hou the"),
             ("distilbert_qa", "DistilBertForQuestionAnswering", "Who hears?", "the dogs, cat")]
    out, top = [], 4
    for folder, kind, question, context in cases:
        model = opened(folder, kind)
        e, given = inputs(folder, model, question, context)
        got = run(model, given)
        logits = [x[0].numpy() for x in (got.start_logits, got.end_logits)]
        inside = np.array(e.sequence_ids, dtype=object) == 1
        counts = inside | (np.array(e.ids) == e.ids[0])
        start, end = (probs(x, counts) for x in logits)
        for longest in (15, 2):
            spans = spans_of(start, end, inside, longest, 2 * top + 10)
            row = dict(folder=folder, question=question, context=context, longest=longest,
                       spans=[dict(score=s, first=i, last=k) for s, i, k in spans[:top]],
                       answers=answers_of(e, spans, context, top))
            out.append(row)
            if pipeline:
                check_pipeline(pipeline, logits, inside, counts, longest, top, spans)
    return out


def check_pipeline(functions, logits, inside, counts, longest, top, spans):
    """The same spans by the pipeline's own function."""
    s, e, score, _ = functions["select_starts_ends"](*(x[None] for x in logits), (~counts).astype(int)[None],
                                                     np.ones(len(counts), dtype=int)[None], top_k=2 * top + 10, max_answer_len=longest)
    mine = [(i, k) for _, i, k in spans]
    theirs = [(int(i), int(k)) for i, k in zip(s, e) if inside[i] and inside[k]]
    most = max(abs(x - y[0]) for x, y in zip(score, spans))
    assert mine[:len(theirs)] == theirs and most < 1e-6, (mine, theirs, most)
    print(f"pipeline: {len(theirs)} spans alike, scores within {most:.1e}")


def pooled(h, mode):
    """h [n, d]: every position counts."""
    n = h.shape[0]
    return {"cls": h[0], "last": h[-1], "max": h.max(0).values, "mean": h.sum(0) / n, "mean_sqrt_len": h.sum(0) / n ** 0.5,
            "weighted_mean": (h * torch.arange(1, n + 1)[:, None]).sum(0) / (n * (n + 1) / 2)}[mode]


MODES = ("mean", "cls", "max", "mean_sqrt_len", "weighted_mean", "last")


def embed():
    texts = ["The old man likes rivers", "the cat", "a dog walks in the river and hears the small red bird ."]
    model, out = opened("bert_sentence", "BertModel"), []
    for text in texts:
        tokenizer = bare("bert_sentence")
        tokenizer.enable_truncation(12)
        e = tokenizer.encode(text)
        got = run(model, {"input_ids": torch.tensor([e.ids]), "token_type_ids": torch.tensor([e.type_ids])})
        h = got.last_hidden_state[0]
        out.append(dict(text=text, tokens=len(e.ids), full=len(bare("bert_sentence").encode(text).ids),
                        pooler=numbers(got.pooler_output), sentence=numbers(F.normalize(pooled(h, "mean"), dim=0)),
                        **{mode: numbers(pooled(h, mode)) for mode in MODES}))
    ids = [5, 17, 3, 22, 9]
    decoder = transformers.AutoModel.from_pretrained(FAMILIES / "phi", attn_implementation="eager", dtype=torch.float32).eval()
    h = run(decoder, {"input_ids": torch.tensor([ids])}).last_hidden_state[0]
    return dict(texts=out, decoder=dict(folder="phi", ids=ids, mean=numbers(pooled(h, "mean")), last=numbers(pooled(h, "last"))))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pipeline", help="a wheel of transformers 4, whose own functions choose the spans too")
    wheel, functions = parser.parse_args().pipeline, {}
    if wheel:
        source = zipfile.ZipFile(wheel).read("transformers/pipelines/question_answering.py").decode()
        start = source.index("def decode_spans")
        exec(source[start:source.index("\nclass ", start)], {"np": np}, functions)
        functions["select_starts_ends"].__globals__.update(functions)
    value = dict(pairs=pairs(), shared=shared(), fill=fill(), classify=classify(), answer=answer(functions), embed=embed())
    short = json.loads(json.dumps(value), parse_float=lambda x: round(float(x), 9))
    path = ROOT / "tests/truth/encoders.json"
    path.write_text(json.dumps(short, separators=(",", ":"), ensure_ascii=False) + "\n")
    print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
