"""Golden files: what transformers computes, at every site of interface.md 3, for sonde to be compared with.

    python tools/reference.py                 makes everything in tests/golden anew
    python tools/reference.py --only three    one model (families: all of tests/golden/families)
    python tools/reference.py --prove         shows that typical mistakes break the tolerances
    python tools/reference.py --folder DIR --out FILE TEXT [PAIR] [--target TEXT]
                                              a capture of any folder of a known family, at all sites

Random models (RANDOM below) are made from seeds and lie in tests/golden/NAME/ as Hugging Face folders; the models of
models/ are taken as they are (SHIPPED). Every file is a trace of interface.md 6; what a file holds stands in
tests/golden/README.md. The environment: tools/venv.sh.
"""
import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from transformers import AutoTokenizer
from transformers.utils import logging

import reference_encoder_files as encoders
from reference_edits import Sources
from reference_families import make_run
from reference_family import DECODERS, capture_family
from reference_files import make_random, open_model, write_safetensors, write_trace
from reference_folder import capture_folder
from reference_metric import metric_of
from reference_sets import RANDOM, SHIPPED

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden"
STREAM = ("hook_resid_pre", "hook_resid_mid", "hook_embed")
HEAD_INPUTS = ("hook_q_input", "hook_k_input", "hook_v_input")


class Subject:
    """A model, its prompts (runs A, B, ..) and where its files go."""

    def __init__(self, name, folder, prompts, texts=None):
        self.name, self.folder, self.prompts, self.texts = name, folder, prompts, texts or {}
        self.out, self.model = GOLDEN / name, open_model(folder)
        self.weights = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()[:16]
        self.config = self.model.config
        self.unedited = {run: make_run(self.model, tokens).forward() for run, tokens in prompts.items()}

    def path(self, kind):
        return self.out / f"{kind}.safetensors"

    def about(self, run="A"):
        """What every file says: of which weights it is (retraining makes it stale), and the text if any."""
        return {"weights": self.weights} | ({"prompt": self.texts[run]} if run in self.texts else {})

    def sources(self, values):
        runs = {name: run.values() for name, run in self.unedited.items() if name != "A"}
        return Sources(self.unedited["A"].values(), runs, values)

    def metric(self, text):
        return metric_of(text, self.prompts["A"], self.unedited["A"].value("logits"))

    def run(self, texts=(), values=(), **flow):
        return make_run(self.model, self.prompts["A"], texts, self.sources(values), **flow).forward()


def kept(names, wanted):
    """The names that a list of endings selects; "*" is everything."""
    return [n for n in names if "*" in wanted or n.endswith(tuple(wanted))]


def capture_plain(subject, wanted=("*",)):
    run = subject.unedited["A"]
    tensors = {n: run.value(n) for n in kept(run.site, wanted)} | {"logits": run.value("logits")}
    write_trace(subject.path("plain"), subject.prompts["A"], tensors, subject.about())


def capture_batch(subject, wanted=("hook_resid_post", "attn.hook_z", "hook_attn_scores", "unembed.hook_out")):
    """Prompts of different lengths, each as if it were alone: 0/tokens, 0/SITE, 1/tokens, .."""
    tensors = {}
    for i, (name, run) in enumerate(subject.unedited.items()):
        tensors[f"{i}/tokens"] = np.array(subject.prompts[name], dtype=np.int32)
        tensors |= {f"{i}/{n}": run.value(n) for n in kept(run.site, wanted)}
    about = {"sonde": "reference", "seed": 0, "bos": "no", "weights": subject.weights}
    if subject.texts:
        about["prompt"] = "\n".join(subject.texts.values())
    write_safetensors(subject.path("batch"), tensors, about)


def gradients(subject, metric, texts=(), values=()):
    """Gradients at every site, after its edits, and the metric's value. The per-head inputs need a run of their own,
    in which the stream reaches the norm through them; with an edited ln1 they have no such norm and are left out."""
    function = subject.metric(metric)
    deep = subject.run(texts, values, deep=True)
    found = {n: g for n, g in deep.gradients(function).items() if not n.endswith(HEAD_INPUTS)}
    if not any(".ln1." in t for t in texts):
        others = subject.run(texts, values, split=True).gradients(function)
        for name in kept(found, STREAM):
            gap = (found[name] - others[name]).abs().max()
            assert gap <= 1e-5 * found[name].abs().max().clamp(min=1e-3), f"{name}: the two ways differ by {gap}"
        found |= {n: others[n] for n in kept(others, HEAD_INPUTS)}
    return found, function(deep.site["unembed.hook_out"]).item()


def capture_gradients(subject, metric, wanted=("*",), kind="grad"):
    found, value = gradients(subject, metric)
    tensors = {f"grad/{n}": found[n] for n in kept(found, wanted)}
    about = {"metric": metric, "metric_value": repr(value), **subject.about()}
    write_trace(subject.path(kind), subject.prompts["A"], tensors, about)


def stored_reads(subject, texts, names):
    """The tensors run/B/SITE that edits read: of every run named in a value, at the sites edited."""
    tensors = {}
    for text in texts:
        for other in subject.prompts:
            if other != "A" and any(f"{mark}{other}" in text for mark in "=(,-*"):
                edited = [n for n in names if n in subject.unedited[other].site]
                tensors |= {f"run/{other}/{n}": subject.unedited[other].value(n) for n in edited}
    return tensors


def vectors(kind, width):
    """The vectors an edit reads (value/0): none, or one, by the name of the file."""
    rng = np.random.default_rng(sum(kind.encode()))
    return [torch.tensor(rng.standard_normal(width), dtype=torch.float32)] if width else []


def capture_edit(subject, kind, texts, metric=None, vector=None, also=()):
    """An edited run: streams, the product with the vocabulary, the sites edited; with a metric, gradients too."""
    values = vectors(kind, vector)
    run = subject.run(texts, values)
    edited = [n for n in run.site if any(e.matches(n) for e in run.edits)]
    shown = edited + kept(run.site, ("hook_resid_post", "unembed.hook_out", *also))
    tensors = {n: run.value(n) for n in run.site if n in shown}
    about = {"edits": "\n".join(texts), **subject.about()}
    if metric:
        found, value = gradients(subject, metric, texts, values)
        wanted = edited + kept(found, (*STREAM, "attn.hook_z", "ln1.hook_scale", *also))
        tensors |= {f"grad/{n}": found[n] for n in found if n in wanted}
        about |= {"metric": metric, "metric_value": repr(value)}
    tensors |= stored_reads(subject, texts, edited)
    tensors |= {f"value/{i}": v for i, v in enumerate(values)}
    write_trace(subject.path(f"edit-{kind}"), subject.prompts["A"], tensors, about)


def write_greedy(subject, kind, run, steps, more=None, **about):
    """steps: the logits that each new id was chosen from. gaps: best logit minus second best."""
    gaps = [float(pair[0] - pair[1]) for pair in (step.topk(2).values for step in steps)]
    new = np.array([int(step.argmax()) for step in steps], dtype=np.int32)
    about |= {"gaps": json.dumps([round(g, 6) for g in gaps]), "min_gap": f"{min(gaps):.6f}", **subject.about(run)}
    write_trace(subject.path(kind), subject.prompts[run], {"greedy": new, **(more or {})}, about)


def capture_greedy(subject, count, run="A", past_end=False):
    """`greedy`: the new ids of the model's own generate; it stops behind its end token, or goes on past it."""
    tokens = subject.prompts[run]
    end = -1 if past_end else subject.config.eos_token_id
    out = subject.model.generate(torch.tensor([tokens]), max_new_tokens=count, do_sample=False, output_logits=True,
                                 return_dict_in_generate=True, pad_token_id=0, eos_token_id=end, use_cache=True)
    steps = [step[0] for step in out.logits]
    assert [int(step.argmax()) for step in steps] == out.sequences[0, len(tokens):].tolist()
    write_greedy(subject, "greedy-on" if past_end else "greedy", run, steps)


def capture_edited_greedy(subject, count, texts, vector=None):
    """Greedy under edits whose indices mean the same at every length: each step is a run of all tokens so far."""
    values, tokens, steps = vectors("greedy", vector), list(subject.prompts["A"]), []
    for _ in range(count):
        run = make_run(subject.model, tokens, texts, subject.sources(values)).forward()
        steps.append(run.value("logits")[-1])
        tokens.append(int(steps[-1].argmax()))
    stored = {f"value/{i}": v for i, v in enumerate(values)}
    write_greedy(subject, "greedy-edited", "A", steps, stored, edits="\n".join(texts))


def capture(subject, spec):
    capture_plain(subject, spec.get("plain", ("*",)))
    capture_gradients(subject, spec["metric"], spec.get("grad", ("*",)))
    for number, metric in enumerate(spec.get("metrics", ())):
        capture_gradients(subject, metric, ("hook_resid_pre", "hook_z"), f"grad-metric-{number}")
    for kind, edit in spec["edits"].items():
        capture_edit(subject, kind, **edit)
    capture_greedy(subject, spec.get("greedy", 20), spec.get("greedy_run", "A"))
    if spec.get("greedy_on"):
        capture_greedy(subject, spec.get("greedy", 20), spec.get("greedy_run", "A"), past_end=True)
    if "greedy_edited" in spec:
        capture_edited_greedy(subject, 20, **spec["greedy_edited"])
    capture_batch(subject, *spec.get("batch", ()))


def subject_of(name):
    """The subject and its spec; random models are written first, shipped ones are taken as they are."""
    if name in RANDOM:
        spec, folder = RANDOM[name], GOLDEN / name
        make_random(folder, spec)
        rng = np.random.default_rng(spec["seed"] + 1)
        prompts = {run: rng.integers(0, spec["sizes"]["vocab_size"], n).tolist() for run, n in spec["prompts"].items()}
        return Subject(name, folder, prompts), spec
    spec, folder = SHIPPED[name], ROOT / "models" / name
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    prompts = {run: tokenizer(text)["input_ids"] for run, text in spec["prompts"].items()}
    answer, wrong = (tokenizer(text)["input_ids"] for text in spec["answers"])
    assert len(answer) == len(wrong) == 1, f"{spec['answers']}: expected one token each"
    metric = f"logit(#{answer[0]})-logit(#{wrong[0]})"
    return Subject(name, folder, prompts, spec["prompts"]), {**spec, "metric": metric}


def present(name):
    """Random models always are; of a shipped one the card is written last."""
    return name in RANDOM or (ROOT / "models" / name / "README.md").exists()


def told(name, folder):
    files = list(folder.glob("*.safetensors"))
    print(f"{name}: {len(files)} files, {sum(f.stat().st_size for f in files)} bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAME", choices=["families", *RANDOM, *SHIPPED, *DECODERS, *encoders.MODELS])
    parser.add_argument("--prove", action="store_true")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--target", help="what a decoder is given behind its start token")
    parser.add_argument("texts", nargs="*", metavar="TEXT")
    args = parser.parse_args()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    if args.folder:
        if not args.out or not 1 <= len(args.texts) <= 2:
            parser.error("--folder needs --out FILE and a text, or a pair of texts")
        return capture_folder(args.folder, args.out, args.texts, args.target)
    names = [args.only] if args.only else [*RANDOM, *SHIPPED, "families"]
    decoders = [n for n in DECODERS if "families" in names or n in names]
    towers = [n for n in encoders.MODELS if "families" in names or n in names]
    names = [n for n in names if n not in (*DECODERS, *encoders.MODELS, "families")]
    for name in [n for n in names if not present(n)]:
        print(f"{name}: models/{name} is not there or has no card; its golden files are left as they are")
    names = [n for n in names if present(n)]
    if args.prove:
        from reference_prove import prove
        from reference_prove_encoders import prove_encoders
        from reference_prove_families import prove_families
        good = prove_encoders(towers)
        return max(prove(names) if names else 0, prove_families(decoders) if decoders else 0, 0 if good else 1)
    for name in names:
        subject, spec = subject_of(name)
        for old in subject.out.glob("*.safetensors"):
            if old.name != "model.safetensors":
                old.unlink()
        capture(subject, spec)
        told(name, subject.out)
    for name in decoders:
        told(name, capture_family(name))
    for name in towers:
        told(name, encoders.remake(name, GOLDEN / "families" / name))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
