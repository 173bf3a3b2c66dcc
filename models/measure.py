"""Measure a trained folder on the held-out cases: `python models/measure.py DIR`.

The folder is opened with transformers (eager attention, float32); every case is
run alone, without padding.  Writes DIR/cases.json, the cases with the answers
transformers gave, for other programs to repeat, and DIR/results.json, the figures.
"""
import argparse
import dataclasses
import itertools
import json
import pathlib

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import grammar as g

CASE_SEED = 20240  # any number no training run uses as its seed
TIE = 1e-3  # a case whose best two logits are nearer than this is dropped
YEARS = [f"{y:02d}" for y in range(100)]
NUMBERS = [[one for one, _ in g.VERBS], [many for _, many in g.VERBS]]  # agreement: is.., are..
UNIFORM_RUN = 48  # longest period of repeated ids


@dataclasses.dataclass
class Task:
    """Marked sentences of one held-out kind; the marked words are the ones judged."""
    name: str
    title: str
    measures: list  # (measure, bar)
    texts: list  # marked strings, or lists of ids with the period of their repetition
    wrong: list = None  # one word a case, for logit_diff
    sets: list = None  # lists of words
    which: list = None  # one set number a case
    universe: list = None  # words among which `mass` counts the others


# ---- the held-out cases ----

def ioi_pairs(draw, subject, count):
    """Two trained names that never stood together; subject 1 is ABBA, 0 is BABA."""
    pairs = [p for p in itertools.permutations(g.IOI_NAMES, 2) if g.held_pair(*p)]
    texts, wrong = [], []
    for names in draw.random.sample(pairs, count):
        texts.append(draw.ioi_text(draw.frame(), names, subject))
        wrong.append(" " + names[subject])
    return texts, wrong


def ioi_new(draw, count):
    """One name or both never stood in the task."""
    texts = []
    for number in range(count):
        names = draw.random.sample(g.NEVER_IOI, 2)
        if number % 2:
            names[draw.random.randrange(2)] = draw.random.choice(g.IOI_NAMES)
        texts.append(draw.ioi_text(draw.frame(), names, draw.random.randrange(2)))
    return texts


def ioi_frames(draw, count):
    return [draw.ioi_text(draw.frame(held_out=True), draw.random.sample(g.IOI_NAMES, 2),
                          draw.random.randrange(2)) for _ in range(count)]


def greater_cases(draw, each):
    texts, which = [], []
    for number, start in enumerate(g.HELD_STARTS):
        for template in g.SPANS:
            for _ in range(each):
                texts.append(draw.greater_text(template, start, draw.random.randint(start + 1, 99)))
                which.append(number)
    return texts, which


def agreement_cases(draw, count):
    """Noun pairs never trained, the second noun of the other number."""
    pairs = [p for p in itertools.permutations(g.NOUNS, 2) if g.held_nouns(*p)]
    texts = [draw.agreement(attractor=True, nouns=draw.random.choice(pairs)) for _ in range(count)]
    many = {" are", " were", " have"}
    return texts, [int(g.pieces(t.split("*")[1])[0] in many) for t in texts]


def pronoun_cases(draw, each):
    combinations = [(name, which) for name in g.NAMES for which in range(len(g.PRONOUNS))
                    if g.held(5, "pronoun", name, g.PRONOUNS[which])]
    return [draw.pronoun(*combination) for combination in combinations for _ in range(each)]


def walk(draw, length):
    """Distinct words of which every two neighbours are held out as neighbours."""
    words = [draw.random.choice(g.LIST_WORDS)]
    while len(words) < length:
        after = [w for w in g.LIST_WORDS if w not in words and g.held_neighbours(words[-1], w)]
        words.append(draw.random.choice(after))
    return words


def new_words(draw):
    """A list at least half of whose words never stood in a list."""
    length = draw.random.randint(2, 6)
    new = draw.random.sample(g.NEVER_LIST, (length + 1) // 2)
    words = new + draw.random.sample(g.LIST_WORDS, length - len(new))
    draw.random.shuffle(words)
    return words


def bracket_cases(draw, count):
    openers = [o for n in range(2, 6) for o in itertools.product("([{<", repeat=n) if g.held_openers(o)]
    return [draw.brackets(list(draw.random.choice(openers))) for _ in range(count)]


def turns(draw, count):
    """Repeated words written twice."""
    return [g.repeated(draw.random.choices(g.WORDS, k=draw.random.randint(5, 24)))
            for _ in range(count)]


def id_turns(draw, vocabulary, count):
    """Random ids written twice, and the period."""
    rows = []
    for _ in range(count):
        period = draw.random.randint(8, UNIFORM_RUN)
        rows.append(([draw.random.randrange(vocabulary) for _ in range(period)] * 2, period))
    return rows


def held_out_tasks(vocabulary):
    draw = g.Grammar(CASE_SEED)
    abba, abba_wrong = ioi_pairs(draw, 1, 250)
    baba, baba_wrong = ioi_pairs(draw, 0, 250)
    years, starts = greater_cases(draw, 16)
    verbs, numbers = agreement_cases(draw, 300)
    above = [YEARS[start + 1:] for start in g.HELD_STARTS]
    known = {why: [t for t, _, w in g.facts() if w == why] for why in ("template", "shared")}
    lists = [walk(draw, draw.random.randint(2, 7)) for _ in range(200)]
    backward = [walk(draw, draw.random.randint(2, 6)) for _ in range(200)]
    argmax, whole = (lambda bar: [("argmax", bar)]), (lambda bar: [("whole", bar)])
    return [
        Task("ioi_abba", "indirect object, ABBA, held-out name pairs",
             [("argmax", .98), ("logit_diff", 10)], abba, wrong=abba_wrong),
        Task("ioi_baba", "indirect object, BABA, held-out name pairs",
             [("argmax", .98), ("logit_diff", 10)], baba, wrong=baba_wrong),
        Task("ioi_names", "indirect object, names never in the task", argmax(.98), ioi_new(draw, 250)),
        Task("ioi_frames", "indirect object, held-out template combinations", argmax(.98),
             ioi_frames(draw, 200)),
        Task("induction_words", "repeated words, no prefix", [("token", .98)], turns(draw, 150)),
        Task("induction_ids", "repeated random token ids", [("token", .97)],
             id_turns(draw, vocabulary, 120)),
        Task("greater", "greater-than year, held-out start years", [("above", .98), ("mass", .80)],
             years, sets=above, which=starts, universe=YEARS),
        Task("facts_template", "invented facts in a held-out template", argmax(.98), known["template"]),
        Task("facts_shared", "shared-entity facts in held-out combinations", argmax(.90), known["shared"]),
        Task("agreement", "agreement over an attractor, held-out noun pairs", argmax(.98), verbs,
             sets=NUMBERS, which=numbers),
        Task("pronoun", "pronoun by name, held-out name and template", argmax(.98),
             pronoun_cases(draw, 4)),
        Task("antonym", "antonyms in a held-out template", argmax(.97),
             [t for t, out in g.antonyms() if out]),
        Task("colour", "coloured objects, held-out object and colour", argmax(.97),
             [draw.colour(held_out=True) for _ in range(250)]),
        Task("copy", "copied list, held-out neighbours", whole(.98), [draw.copied(w) for w in lists]),
        Task("reverse", "reversed list, held-out neighbours", whole(.98),
             [draw.reversed(w) for w in backward]),
        Task("reverse_new", "reversed list, words never in a list", whole(.90),
             [draw.reversed(new_words(draw)) for _ in range(200)]),
        Task("brackets", "closing brackets, held-out openings", whole(.97), bracket_cases(draw, 200)),
    ]


# ---- running them ----

class Encoder:
    """Marked strings to ids and judged positions, by the tokenizer of the folder."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    def ids(self, text):
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def word(self, text):
        ids = self.ids(text)
        assert len(ids) == 1, text
        return ids[0]

    def case(self, text):
        """Ids up to the last judged word, and the positions that predict judged words."""
        if isinstance(text, tuple):
            ids, period = text
            return ids, list(range(period, len(ids) - 1))
        ids, at = [], []
        for number, segment in enumerate(text.split("*")):
            at += [len(ids) - 1] if number else []
            ids += self.ids(segment)
        assert ids == self.ids(text.replace("*", "")), text
        return ids[:at[-1] + 2], at


def task_cases(task, encoder):
    """Cases of a task in the form cases.json keeps them."""
    cases = []
    for number, text in enumerate(task.texts):
        ids, at = encoder.case(text)
        case = {"t": ids, "at": at}
        if task.wrong:
            case["wrong"] = encoder.word(task.wrong[number])
        if task.which:
            case["set"] = task.which[number]
        cases.append(case)
    return cases


@torch.no_grad()
def run_case(model, case):
    """Logits at the judged positions."""
    logits = model(torch.tensor([case["t"]])).logits[0].float()
    return logits[case["at"]]


def case_figures(case, logits, sets, universe):
    """What every measure needs of one case."""
    best = logits.argmax(-1).tolist()
    target = [case["t"][i + 1] for i in case["at"]]
    right = [b == t for b, t in zip(best, target)]
    figures = {"token": (sum(right), len(right)), "whole": (all(right), 1)}
    if "set" in case:
        inside = sets[case["set"]]
        right = [best[0] in inside]
        p = logits[0].double().softmax(-1)
        if universe:
            outside = [i for i in universe if i not in inside]
            figures["mass"] = (float(p[inside].sum() - p[outside].sum()), 1)
    figures["argmax"] = figures["above"] = (right[0], 1)
    if "wrong" in case:
        figures["logit_diff"] = (float(logits[0, target[0]] - logits[0, case["wrong"]]), 1)
    return best, figures


def measure_task(model, task, encoder):
    """The task's entry in cases.json, ties dropped, with the values reached."""
    entry = {"name": task.name, "title": task.title, "measures": []}
    sets = [[encoder.word(w) for w in group] if task.universe else
            [encoder.ids(w)[0] for w in group] for group in task.sets or []]
    universe = [encoder.word(w) for w in task.universe or []]
    kept, figures, dropped = [], [], 0
    for case in task_cases(task, encoder):
        logits = run_case(model, case)
        top = logits.topk(2, dim=-1).values
        if (top[:, 0] - top[:, 1]).min() < TIE:
            dropped += 1
            continue
        case["p"], found = case_figures(case, logits, sets, universe)
        kept.append(case)
        figures.append(found)
    for measure, bar in task.measures:
        total = sum(f[measure][0] for f in figures) / sum(f[measure][1] for f in figures)
        entry["measures"].append({"measure": measure, "bar": bar, "value": round(total, 6)})
    if sets:
        entry["sets"] = sets
    if universe:
        entry["universe"] = universe
    entry["dropped"] = dropped
    entry["cases"] = kept
    return entry


def open_folder(folder):
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager",
                                                 dtype=torch.float32).eval()
    return model, AutoTokenizer.from_pretrained(folder)


def measure_folder(folder):
    model, tokenizer = open_folder(folder)
    encoder = Encoder(tokenizer)
    tasks = held_out_tasks(model.config.vocab_size)
    return model, encoder, [measure_task(model, task, encoder) for task in tasks]


def print_table(entries):
    for entry in entries:
        for m in entry["measures"]:
            verdict = "met" if m["value"] >= m["bar"] else "MISSED"
            print(f"{entry['title']:52s} {m['measure']:10s} {len(entry['cases']):4d} cases  "
                  f"{m['value']:8.4f}  bar {m['bar']:<5}  {verdict}", flush=True)


def write_report(folder, about):
    """cases.json and results.json of a trained folder."""
    import circuits
    folder = pathlib.Path(folder)
    model, encoder, entries = measure_folder(folder)
    print_table(entries)
    text = json.dumps({"tasks": entries}, separators=(",", ":"))
    (folder / "cases.json").write_text(text.replace('{"name"', '\n{"name"') + "\n")
    table = [{"name": e["name"], "title": e["title"], "cases": len(e["cases"]),
              "dropped": e["dropped"], "measures": e["measures"]} for e in entries]
    results = {"about": about, "table": table, "circuits": circuits.describe(model, encoder, entries)}
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--table", action="store_true", help="print the accuracies and write nothing")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.table:
        print_table(measure_folder(options.folder)[2])
        return
    old = options.folder / "results.json"
    about = json.loads(old.read_text())["about"] if old.exists() else {}
    write_report(options.folder, about)


if __name__ == "__main__":
    main()
