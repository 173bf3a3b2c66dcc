"""Measure models/encoder on what was held out: `python models/measure_encoder.py DIR`.

The folder is opened with transformers twice, for masked words and as a classifier, its float16
weights widened to float32 (eager attention); every text is run alone.  Writes DIR/cases.json (some of
the cases, for other programs to repeat), the card, DIR/README.md, and the figures,
results/NAME.json beside DIR.
"""
import argparse
import json
import pathlib

import torch
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification, AutoTokenizer

import faults
import grammar as g
import measure
from ship import figures_file, table
from train_encoder import MASK, TASKS, encode, joined

CASE_SEED, KEPT, TIE = measure.CASE_SEED, 24, measure.TIE
NUMBERS = [["is", "was", "has"], ["are", "were", "have"]]
MASKED = ["The keys to the cabinet [MASK] old.", "The key to the cabinets [MASK] old.",
          "When Mary and John went to the store, John gave a drink to [MASK].",
          "When [MASK] and John went to the store, John gave a drink to Mary.",
          "The capital of [MASK] is Paris.", "In Wuhan, everyone speaks [MASK].",
          "Mary lost [MASK] ring.", "The opposite of hot is [MASK].",
          "The hat is red and the cup is blue. The colour of the hat is [MASK].",
          "The war lasted from the year 1732 to the year 17[MASK]."]
JUDGED = ["The keys to the cabinet are old.", "The keys to the cabinet is old.", "Mary lost her ring.",
          "Mary lost his ring.", "The capital of France is Paris.", "The capital of France is Rome.",
          "The opposite of hot is cold.", "The opposite of hot is wet.", "The hat is red."]


# ---- masked words ----

def masked_tasks():
    """(name, title, bar, marked texts, sets of right words or None, one set number a text)."""
    draw = g.Grammar(CASE_SEED)
    abba, _ = measure.ioi_pairs(draw, 1, 250)
    baba, _ = measure.ioi_pairs(draw, 0, 250)
    verbs, numbers = measure.agreement_cases(draw, 300)
    years, starts = measure.greater_cases(draw, 16)
    above = [[f"##{y:02d}" for y in range(start + 1, 100)] for start in g.HELD_STARTS]
    known = {why: [t for t, _, w in g.facts() if w == why] for why in ("template", "shared")}
    return [
        ("ioi_abba", "name, ABBA, held-out name pairs", .95, abba, None, None),
        ("ioi_baba", "name, BABA, held-out name pairs", .95, baba, None, None),
        ("ioi_names", "name, names never in the task", .95, measure.ioi_new(draw, 250), None, None),
        ("ioi_frames", "name, held-out template combinations", .95, measure.ioi_frames(draw, 200), None, None),
        ("ioi_first", "name, the first of the text, held-out name pairs", .95, [first_marked(t) for t in abba + baba], None, None),
        ("agreement", "verb by its subject over an attractor, held-out noun pairs", .95, verbs, NUMBERS, numbers),
        ("facts_template", "fact in a held-out template", .95, known["template"], None, None),
        ("facts_shared", "fact never stated, of a city whose country is known", .75, known["shared"], None, None),
        ("pronoun", "pronoun by name, held-out name and template", .95, measure.pronoun_cases(draw, 4), None, None),
        ("antonym", "antonym in a held-out template", .95, [t for t, out in g.antonyms() if out], None, None),
        ("colour", "colour, held-out object and colour", .95, [draw.colour(held_out=True) for _ in range(250)], None, None),
        ("greater", "later year, held-out start years", .95, years, above, starts),
    ]


def first_marked(text):
    """The sentence with its first doubled name marked in place of the last."""
    name = g.pieces(text.split("*")[1])[0].strip()
    plain = text.replace("*", "")
    at = plain.index(name)
    return plain[:at] + "*" + plain[at:]


@torch.no_grad()
def logits_of(model, ids, types):
    return model(input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([types])).logits[0]


def measure_masked(model, tokenizer):
    entries = []
    for name, title, bar, texts, sets, which in masked_tasks():
        right, ties, cases = 0, 0, []
        sets = [tokenizer.convert_tokens_to_ids(words) for words in sets or []]
        for number, text in enumerate(texts):
            ids, types, (at,) = joined([encode(tokenizer.backend_tokenizer, text)], False)
            wanted, ids[at] = ids[at], MASK
            scores = logits_of(model, ids, types)[at]
            best = int(scores.argmax())
            good = sets[which[number]] if sets else [wanted]
            right += best in good
            case = {"t": ids, "at": at, "y": wanted, "p": best} | ({"set": which[number]} if sets else {})
            ties += keep(cases, case, scores, text)
        entries.append({"name": name, "title": title, "bar": bar, "value": round(right / len(texts), 4),
                        "of": len(texts), "near_ties": ties} | ({"sets": sets} if sets else {}) | {"cases": cases})
    return entries


def keep(cases, case, scores, text):
    """Whether the case is a near tie; else it is kept while there is room, the first three with more."""
    top = scores.topk(3)
    tie = float(top.values[0] - top.values[1]) < TIE
    if not tie and len(cases) < KEPT:
        cases.append(case)
        if len(cases) <= 3:
            case.update(text=text, top=top.indices.tolist(), logits=[round(v, 4) for v in top.values.tolist()])
    return tie


def colours_named(model, tokenizer):
    """How often the word told for a colour is one of the text's colours, and of how many."""
    texts = next(task[3] for task in masked_tasks() if task[0] == "colour")
    named = 0
    for text in texts:
        ids, types, (at,) = joined([encode(tokenizer.backend_tokenizer, text)], False)
        ids[at] = MASK
        best = tokenizer.convert_ids_to_tokens(int(logits_of(model, ids, types)[at].argmax()))
        named += best in g.COLOURS and best in [p.strip() for p in g.pieces(text.split("*")[0])]
    return named, len(texts)


# ---- the classifier ----

def judged_tasks():
    """(name, title, bar, [sentences, label])."""
    f = faults.Faults(CASE_SEED)
    draw = f.grammar
    judge = lambda kind, texts: [([text], label) for text, label in (f.judged(kind, t) for t in texts)]
    twice = lambda texts: [t for t in texts for _ in range(3)]
    agreement = measure.agreement_cases(draw, 300)[0]
    pronoun = measure.pronoun_cases(draw, 4)
    new = [f.new_word() for _ in range(300)]
    pairs = []
    for _ in range(200):
        kind, texts = f.random.choice([("number", agreement), ("gender", pronoun), ("fact", f.held_facts("template")),
                                       ("opposite", f.held_antonyms())])
        one, other = f.random.sample(texts, 2)
        text, label = f.judged(kind, one)
        both = [text, other.replace("*", "")]
        f.random.shuffle(both)
        pairs.append((both, label))
    return [
        ("judge_number", "agreement over an attractor, held-out noun pairs", .95, judge("number", agreement)),
        ("judge_gender", "pronoun, held-out name and template", .95, judge("gender", pronoun)),
        ("judge_fact", "fact in a held-out template", .95, judge("fact", twice(f.held_facts("template")))),
        ("judge_shared", "fact never stated, of a city whose country is known", .75, judge("fact", twice(f.held_facts("shared")))),
        ("judge_opposite", "opposites in a held-out template", .95, judge("opposite", twice(f.held_antonyms()))),
        ("judge_words", "a word that no judged sentence had", .95, [([t], label) for kind, m in new for t, label in [f.judged(kind, m)]]),
        ("judge_two", "two sentences as two segments, each held out", .95, pairs),
    ]


def measure_judged(model, tokenizer):
    entries = []
    for name, title, bar, texts in judged_tasks():
        right, ties, cases = 0, 0, []
        for sentences, label in texts:
            ids, types, _ = joined([encode(tokenizer.backend_tokenizer, s) for s in sentences], len(sentences) == 2)
            scores = logits_of(model, ids, types)
            best = int(scores.argmax())
            right += best == label
            case = {"t": ids} | ({"types": types} if len(sentences) == 2 else {}) | {"label": label, "p": best}
            ties += keep(cases, case, scores, sentences)
        entries.append({"name": name, "title": title, "bar": bar, "value": round(right / len(texts), 4),
                        "of": len(texts), "near_ties": ties, "cases": cases})
    return entries


# ---- reports ----

CARD = """---
library_name: transformers
pipeline_tag: fill-mask
tags: [bert, interpretability, synthetic]
---
# encoder

A BERT of {weights} weights with two heads, trained for {minutes} minutes on a busy CPU core by `models/train_encoder.py` on
text that the grammar in `models/grammar.py` writes. One head fills `[MASK]`; the other says what is wrong with a sentence:
{labels}. It exists to be looked into: what it knows is known, and so is which word decides.

{layers} layers, {heads} heads of {head}, width {width}, MLP {mlp}, {context} positions, vocabulary {vocabulary}, two segments, GELU, LayerNorm
after each sum, no dropout. Weights are stored in float16, {size} bytes; the figures below were measured on that file,
widened to float32. One folder serves both heads: `AutoModelForMaskedLM` (which leaves `bert.pooler` and `classifier`
aside) and `AutoModelForSequenceClassification` (which leaves `cls.predictions` aside); `id2label` names the labels.

The tokenizer is WordPiece behind BERT's normaliser (lower case): a word is one token, a year two, its century and
`##00` to `##99`. A word it does not know is `[UNK]`, which training shows it now and then.

## Training

{steps} steps, each on 48 masked texts and 32 judged ones, the two mean losses added; AdamW, learning rate 1e-3 after 500
steps of warm-up, over the last two fifths falling to nearly nothing in a straight line; seed {seed}. A text is one sentence
or two, and two are two segments half of the time. Masked texts are sentences
of the grammar in these shares: {tasks}.
Words that the others determine are masked half of the time and weigh 1, any other one time in
ten and weigh 0.2. In place of a masked word stands `[MASK]` (82 %), `[UNK]` (4 %), a random token (7 %), the word itself (7 %).

Judged texts are agreement, pronoun, fact and antonym sentences (`models/faults.py`), two in five of them faultless; in the
others the verb has the other number, the pronoun the other gender, the answer is that of another fact, the antonym another
word's. A second sentence, where there is one, is faultless.

Held out, by a hash of the words, from both heads, right and faulty alike: 1 in 8 name pairs, six names and 1 in 9 template
combinations of the indirect object; six start years; noun pairs; (name, template) pairs; one template of every fact and
antonym; every sentence on the language of one city a country; (object, colour) pairs. From the classifier alone: 16 words
that no judged sentence has ({never}). The text is invented; no other data was used.

## Accuracies

Masked words: one text at a time, one word masked, the best of the whole vocabulary (a verb of the right number for
agreement, any later year for years).

{masked}
Of the coloured objects, its best word is a colour that the text names in {named} of {colours} cases: whose colour it is, it has
not learned.

The classifier, of five labels (the commonest answer, `right`, would be right 0.4 of the time):

{judged}
Some answers, none chosen for being right:

{fills}
{judgements}
`cases.json` has the first {kept} cases of each row: ids `t` (and segments `types`), for masked words the place `at`, the id `y`
that was there and, where more than one answer is right, which of the task's `sets`; for the classifier the `label`; `p` is
the best answer of transformers. The first three have their `text` (a `*` before the masked word), the `top` three and their
`logits`. Cases whose best two logits come nearer than {tie} are left out.

It knows no English beyond these templates. What it says of other sentences means nothing, and it has never seen two faults at once.
"""


def rows_of(entries):
    return table(["held out", "cases", "bar", "right"],
                 [[e["title"], e["of"], e["bar"], f"{e['value']:.3f}" + ("" if e["value"] >= e["bar"] else " (below)")]
                  for e in entries])


def filled(model, tokenizer, text):
    found = tokenizer(text)
    p = logits_of(model, found["input_ids"], found["token_type_ids"])[found["input_ids"].index(MASK)].softmax(-1).topk(3)
    return ", ".join(f"{tokenizer.convert_ids_to_tokens(i)} {v:.3f}" for i, v in zip(p.indices.tolist(), p.values.tolist()))


def judgement(model, tokenizer, text):
    found = tokenizer(text)
    p = logits_of(model, found["input_ids"], found["token_type_ids"]).softmax(-1).topk(2)
    return ", ".join(f"{model.config.id2label[i]} {v:.3f}" for i, v in zip(p.indices.tolist(), p.values.tolist()))


def card(folder, filler, judge, tokenizer, entries, about):
    c = judge.config
    both = {n: p.numel() for m in (filler, judge) for n, p in m.named_parameters()}
    return CARD.format(
        weights=f"{sum(both.values()):,}", minutes=about["minutes"], steps=about["steps"], seed=about["seed"],
        labels=", ".join(f"`{c.id2label[i]}`" for i in range(c.num_labels)), layers=c.num_hidden_layers,
        heads=c.num_attention_heads, head=c.hidden_size // c.num_attention_heads, width=c.hidden_size,
        mlp=c.intermediate_size, context=c.max_position_embeddings, vocabulary=c.vocab_size,
        size=(folder / "model.safetensors").stat().st_size, tasks=", ".join(f"{t} {w:g}" for t, w in TASKS.items()),
        named=entries[2][0], colours=entries[2][1], never=", ".join(faults.NEVER_JUDGED), masked=rows_of(entries[0]), judged=rows_of(entries[1]),
        fills=table(["text", "best three"], [[t, filled(filler, tokenizer, t)] for t in MASKED]),
        judgements=table(["text", "best two"], [[t, judgement(judge, tokenizer, t)] for t in JUDGED]),
        kept=KEPT, tie=TIE)


def report(folder, about):
    """Measure, print, and write results.json, cases.json and the card."""
    folder = pathlib.Path(folder)
    opened = {"attn_implementation": "eager", "dtype": torch.float32}
    filler = AutoModelForMaskedLM.from_pretrained(folder, **opened).eval()
    judge = AutoModelForSequenceClassification.from_pretrained(folder, **opened).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    entries = measure_masked(filler, tokenizer), measure_judged(judge, tokenizer), colours_named(filler, tokenizer)
    for e in entries[0] + entries[1]:
        print(f"{e['title']:60s} {e['of']:4d}  {e['value']:.4f}  bar {e['bar']}  "
              f"{'met' if e['value'] >= e['bar'] else 'MISSED'}", flush=True)
    kept = {k: [{f: e[f] for f in ("name", "title", "bar", "value", "of", "sets", "cases") if f in e} for e in side]
            for k, side in zip(("masked", "judged"), entries)}
    text = json.dumps({"labels": faults.LABELS, **kept}, separators=(",", ":"))
    (folder / "cases.json").write_text(text.replace('{"name"', '\n{"name"') + "\n")
    figures = [{k: e[k] for k in ("name", "title", "bar", "value", "of", "near_ties")} for e in entries[0] + entries[1]]
    figures_file(folder).parent.mkdir(exist_ok=True)
    figures_file(folder).write_text(json.dumps({"about": about, "table": figures}, indent=1) + "\n")
    (folder / "README.md").write_text(card(folder, filler, judge, tokenizer, entries, about))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    report(options.folder, json.loads(figures_file(options.folder).read_text())["about"])


if __name__ == "__main__":
    main()
