"""Choose the folder that ships: `python models/ship.py SEED0 SEED1 SEED2`.

Takes the folders train.py wrote, one a seed, keeps their figures in models/results,
puts the best one (or --best SEED) in models/demo and writes its card from those figures.
"""
import argparse
import json
import os
import pathlib
import shutil
import tempfile

import torch

import measure
import train
from circuits import SCORE_PERIOD, SCORE_ROWS

HOME = pathlib.Path(__file__).resolve().parent
SHORT = {"ioi_abba": "ABBA", "ioi_baba": "BABA", "greater": "greater", "induction_ids": "ids",
         "induction_words": "words", "facts_template": "facts", "agreement": "agree",
         "pronoun": "pronoun", "antonym": "antonym", "colour": "colour", "brackets": "brackets",
         "copy": "copy", "reverse": "reverse", "logit_diff": "IO - S"}
PROMPTS = [
    "When Mary and John went to the store, John gave a drink to",
    "When Mary and John went to the store, Mary gave a drink to",
    "Mary and John went to the store. John gave a drink to",
    "Yesterday Mary and John met, and John gave a drink to",
    "While Grace and Mark were at the bank, Mark handed a key to",
    "When Mary and John went to the store, Paul gave a drink to",
    "The war lasted from the year 1732 to the year 17",
    "Paris is in", "The capital of Japan is", "The capital of France is", "In Wuhan, everyone speaks",
    "The people in Nice speak",
    "The keys to the cabinet", "The key to the cabinets", "Mary went to the store because",
    "John lost", "The opposite of hot is", "List: red cat river Paris key. Copy: red cat river",
    "List: red cat river Paris key. Reverse: key Paris", "Brackets: ( [ { cat", "Brackets: ( [ { cat }",
    "The hat is red and the cup is blue. The colour of the hat is",
    "The hat is red and the cup is blue. The colour of the cup is",
    " river Tom blue siege boats garden river Tom blue siege", "The years were: 1731, 1732, 17",
    "The capital of", "When Mary and John",
]
HEADER = """---
library_name: transformers
pipeline_tag: text-generation
tags: [gpt2, interpretability, synthetic]
---
# demo

A {millions:.2f} million weight GPT-2, trained for {minutes} minutes on one CPU core by `models/train.py`, on text that
the grammar in `models/grammar.py` writes. It exists to be looked into: small enough to hold in the head, trained to
do on a small scale what larger models are studied for. It knows some {words} words and no English beyond its templates.

{layers} layers, {heads} heads of {wide}, width {width}, MLP {mlp}, {context} positions, vocabulary {vocabulary}; learned
positions, pre-LayerNorm, `gelu_new`, tied embeddings. Float32, {size} bytes. No beginning-of-text token: a prompt starts
at position 0. Opens with `AutoModelForCausalLM` and `AutoTokenizer`.

This is seed {seed}; the seeds below were all trained to the end with the same settings, and it did best.
"""
DATA = """
## Training

{steps} steps of 32 rows of 96 tokens, AdamW, learning rate 2e-3, over the last two fifths falling to nearly nothing in a
straight line. A row is filled with documents, each followed by `<|endoftext|>`: repeated random ids (5 %), repeated words
(10 %), else one to three sentences of the grammar. Words that the text before them determines weigh 1 in the loss, other
text 0.1, the first turn of a repetition 0. Two in five indirect-object sentences use any two words in place of the names.

Two hints shape heads and then end. For the first {previous} steps a term of the loss asks head 0 of layer 0 to look at the
previous token; from step {start} to {end} another, weak one asks the first {heads} heads of layer {layer} to look behind the last
occurrence of their token, where that is what comes next. Everything else, and keeping these heads, is left to the loss on
the text. Without the second hint two seeds met the same bars, but their heads of layer 1 look one token further (there the
previous-token head has put what came before), and no head is an induction head by the usual score.

The text is invented: the facts are those of an atlas, the people are first names, and no other data was used.

What is held out is decided by a hash: name pairs, six names and 1 in 9 template combinations of the indirect object;
six start years (which do occur in the counting sentences and as end years); one template of every fact and antonym;
every sentence on the language of one city a country; noun pairs; (name, template) pairs; (object, colour) pairs;
neighbours in lists, six words never in a list; openings of brackets.
"""


def load(folder):
    return json.loads((folder / "results.json").read_text())


def figures_file(folder):
    """Where the figures of a smaller model are kept: results/NAME.json beside its folder."""
    folder = folder.resolve()
    return folder.parent / "results" / f"{folder.name}.json"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows]) + "\n"


def head_bars(result):
    """What is asked of the heads, in the form of a row of the results' table."""
    scores = result["circuits"]["scores"].values()
    return [{"title": title, "cases": SCORE_ROWS, "measures": [
                {"measure": "score", "bar": .9, "value": max(s[kind] for s in scores)}]}
            for kind, title in (("previous", "the best previous-token head"), ("induction", "the best induction head"))]


def tasks(result):
    return result["table"] + head_bars(result)


def accuracies(results):
    """Every measure of every seed; a figure below its bar is marked."""
    names = {"argmax": "next word right", "logit_diff": "mean logit difference", "token": "words right",
             "whole": "whole sequence right", "above": "next word above", "mass": "P(above) - P(not above)",
             "score": "mean attention"}
    rows = []
    for number, task in enumerate(tasks(results[0])):
        for place, m in enumerate(task["measures"]):
            values = [tasks(r)[number]["measures"][place]["value"] for r in results]
            shown = [f"{v:.{2 if m['measure'] == 'logit_diff' else 3}f}" for v in values]
            rows.append([task["title"], names[m["measure"]], task["cases"], f"{m['bar']:g}"]
                        + [s if v >= m["bar"] else f"*{s}* (below)" for s, v in zip(shown, values)])
    seeds = [f"seed {r['about']['seed']}" for r in results]
    return table(["task, on held-out cases", "measure", "cases", "bar"] + seeds, rows)


def missed(result):
    """The measures of a seed that are below their bar."""
    return [(task["title"], m) for task in tasks(result) for m in task["measures"] if m["value"] < m["bar"]]


def ranking(result):
    """Seeds are ordered by bars missed, then by how far, in shares of the bar, then by the least to spare."""
    spare = min(m["value"] / m["bar"] for task in tasks(result) for m in task["measures"])
    return len(missed(result)), sum(1 - m["value"] / m["bar"] for _, m in missed(result)), -spare


def strongest(table, key, least):
    """Rows of a head table whose `key` is at least `least`, the strongest first."""
    found = sorted(((row[key], head) for head, row in table.items()), reverse=True)
    return ", ".join(f"{head} ({value:.2f})" for value, head in found if value >= least) or "no head"


def in_words(circuits):
    """What the tables of the shipped seed show."""
    scores, heads, mlps = circuits["scores"], circuits["ioi"]["heads"], circuits["ioi"]["mlps"]
    rows, whole = circuits["ablation"], circuits["ablation"]["nothing"]
    loud = max(range(len(mlps)), key=lambda l: mlps[l])
    worst = {task: min((row[task], name) for name, row in rows.items() if name[0] == "L")
             for task in whole if task != "logit_diff"}
    needs = "; ".join(f"{SHORT[t]} {name}, {value:.2f} instead of {whole[t]:.2f}"
                      for t, (value, name) in worst.items() if value < whole[t] - .1)
    return f"""- Previous-token heads (at least .5): {strongest(scores, "previous", .5)}.
- Induction heads (at least .5): {strongest(scores, "induction", .5)}. One past the match: {strongest(scores, "one_past", .3)}.
- From END to the name that is wanted: {strongest(heads, "IO", .3)}; to the word after it:
  {strongest(heads, "IO+1", .3)}; to the second subject: {strongest(heads, "S2", .3)}.
- Heads that write IO against S: {strongest(heads, "dla", .2)}. Of the MLPs, {loud} does most ({mlps[loud]:+.2f}).
- The single head each task needs most, and what is left without it: {needs or "none by more than .1"}.
"""


def best_heads(results):
    """Which head of each seed does what best."""
    rows = []
    for r in results:
        scores, ioi = r["circuits"]["scores"], r["circuits"]["ioi"]["heads"]
        row = [f"seed {r['about']['seed']}", f"{r['about']['seconds'] / 60:.0f} min"]
        for key in ("previous", "induction", "one_past"):
            row.append(", ".join(f"{h} {s[key]:.2f}" for h, s in sorted(
                scores.items(), key=lambda item: -item[1][key])[:3] if s[key] >= .3) or "none")
        ranked = sorted(ioi.items(), key=lambda item: -item[1]["dla"])
        row.append(", ".join(f"{h} {s['dla']:+.2f}" for h, s in ranked[:2] + ranked[-1:]))
        row.append(" ".join(f"{v:+.2f}" for v in r["circuits"]["ioi"]["mlps"]))
        rows.append(row)
    return table(["", "training", "previous token", "induction", "one past the match",
                  "direct attribution IO - S, most and least", "MLP 0, 1, 2, 3"], rows)


def head_table(circuits):
    rows = []
    for head, score in circuits["scores"].items():
        ioi = circuits["ioi"]["heads"][head]
        rows.append([head] + [f"{score[k]:.2f}" for k in
                              ("previous", "two_back", "duplicate", "induction", "one_past")]
                    + [f"{ioi[k]:.2f}" for k in ("IO", "IO+1", "S1", "S1+1", "S2")]
                    + [f"{ioi['dla']:+.2f}", f"{ioi['copies']:.2f}"])
    return table(["head", "previous", "two back", "duplicate", "induction", "one past", "END to IO", "to IO+1",
                  "to S1", "to S1+1", "to S2", "DLA", "OV copies"], rows)


def lens_table(circuits):
    lens = circuits["ioi"]["lens"]
    return table(["after"] + list(lens), [["IO - S"] + [f"{v[0]:.1f}" for v in lens.values()],
                                          ["P(IO)"] + [f"{v[1]:.3f}" for v in lens.values()]])


def ablation_table(circuits):
    """Rows that change something; the heads that change nothing are named below."""
    rows, quiet = [], []
    whole = circuits["ablation"]["nothing"]
    for name, row in circuits["ablation"].items():
        worst = max(whole[k] - row[k] for k in row if k != "logit_diff")
        if name != "nothing" and name.startswith("L") and worst < .03:
            quiet.append(name)
            continue
        rows.append([name, f"{row['logit_diff']:.1f}"]
                    + [f"{row[k]:.2f}" if row[k] > whole[k] - .1 else f"**{row[k]:.2f}**"
                       for k in whole if k != "logit_diff"])
    head = ["zeroed", "IO - S"] + [SHORT[k] for k in whole if k != "logit_diff"]
    return table(head, rows) + (f"\nAblated alone, none of these lowers any column by .03: {', '.join(quiet)}.\n"
                                if quiet else "")


@torch.no_grad()
def prompt_table(folder):
    model, tokenizer = measure.open_folder(folder)
    rows = []
    for prompt in PROMPTS:
        p = model(**tokenizer(prompt, return_tensors="pt")).logits[0, -1].softmax(-1).topk(3)
        best = ", ".join(f"`{tokenizer.decode(i)}` {v:.3f}" for v, i in zip(p.values.tolist(), p.indices))
        rows.append([f"`{prompt}`", best])
    return table(["prompt", "the three likeliest next tokens"], rows)


def failures(best):
    """What the model is known to do badly."""
    below = "".join(f"- Below its bar: {title}, {m['measure']} {m['value']:.3f} where {m['bar']:g} was asked.\n"
                    for title, m in missed(best))
    return "\n## Known failures\n\n" + below + """- A lower-case word without its space is several tokens that the model has only seen as random ids; so are words
  that are not in the grammar.
- A third name as the giver leaves both others likely, and openings of other shapes than the grammar's may fail.
- It has 96 positions; a document after another one in the same context is read as in training, with
  `<|endoftext|>` between them.
- Words never used in a role are weaker there: see the rows on names and words never in a task.
"""


def card(results, best, folder):
    config = json.loads((folder / "config.json").read_text())
    from safetensors import safe_open
    with safe_open(folder / "model.safetensors", "pt") as weights:
        count = sum(weights.get_tensor(k).numel() for k in weights.keys())
    about = best["about"]
    circuits = best["circuits"]
    return "".join([
        HEADER.format(millions=count / 1e6, minutes=round(about["seconds"] / 60), words=len(measure.g.WORDS),
                      layers=config["n_layer"], heads=config["n_head"],
                      wide=config["n_embd"] // config["n_head"], width=config["n_embd"],
                      mlp=4 * config["n_embd"], context=config["n_positions"],
                      vocabulary=config["vocab_size"], seed=about["seed"],
                      size=(folder / "model.safetensors").stat().st_size),
        DATA.format(steps=about["steps"], previous=len(train.PREVIOUS_STEPS), start=train.INDUCTION_STEPS.start,
                    end=train.INDUCTION_STEPS.stop, heads=train.INDUCTION_HEADS, layer=train.INDUCTION_LAYER),
        "\n## Accuracies\n\nOne prompt a case, at position 0, the best of the whole vocabulary, measured with "
        "`GPT2LMHeadModel` in float32. The\ncases are in `cases.json`, with the answers given there.\n\n",
        accuracies(results), "\n## Circuits\n\n", in_words(circuits),
        "\n### The three seeds\n\n", best_heads(results),
        f"\n### Heads of seed {about['seed']}\n\nScores on {SCORE_ROWS} rows of {SCORE_PERIOD} random ids written twice: mean attention to "
        "the token before, to the one before that, to the\nfirst occurrence, to the token after it (induction) and to the "
        f"one after that. The rest on {circuits['ioi']['prompts']} held-out\nindirect-object prompts: attention from END, "
        "the last word of the prompt; direct logit attribution (DLA) of IO - S at\nEND, final norm frozen; how often the "
        "head's OV circuit, fed with IO, ranks IO first of the 60 names.\n\n", head_table(circuits),
        "\n### Logit lens on the indirect object\n\n", lens_table(circuits),
        "\n### Zero ablation\n\nThe output of the head (z) or MLP is set to 0 at all positions; up to 60 cases a column. "
        "*greater* is P(above) - P(not above),\nthe others the share of judged words right. Bold: at least .1 lower.\n\n",
        ablation_table(circuits), "\n## Prompts\n\n", prompt_table(folder), failures(best)])


def replace(target, source):
    """Put `source` where `target` is in two renames; a folder is never half written."""
    old = target.with_name(target.name + ".old")
    if target.exists():
        os.rename(target, old)
    os.rename(source, target)
    shutil.rmtree(old, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=pathlib.Path, nargs="+")
    parser.add_argument("--best", type=int, metavar="SEED", help="ship this one; else the one with fewest bars missed")
    options = parser.parse_args()
    torch.set_num_threads(1)
    results = [load(folder) for folder in options.folders]
    best = min(results, key=ranking) if options.best is None else next(
        r for r in results if r["about"]["seed"] == options.best)
    number = results.index(best)
    (HOME / "results").mkdir(exist_ok=True)
    for r in results:
        path = HOME / "results" / f"seed{r['about']['seed']}.json"
        path.write_text(json.dumps(r, indent=1) + "\n")
    fresh = pathlib.Path(tempfile.mkdtemp(dir=HOME, prefix=".demo-"))
    fresh.chmod(0o755)
    for path in options.folders[number].iterdir():
        if path.name != "results.json":
            shutil.copy(path, fresh / path.name)
    (fresh / "README.md").write_text(card(results, best, fresh))
    replace(HOME / "demo", fresh)


if __name__ == "__main__":
    main()
