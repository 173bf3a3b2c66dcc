"""The captures of one tiny model of a family: tests/golden/families/NAME (tests/golden/README.md says what lies there)."""
import hashlib
import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM

from reference_decoder_sets import DECODERS
from reference_decoders import DecoderRun, forget_lengths
from reference_edits import Sources
from reference_files import write_safetensors, write_trace
from reference_metric import metric_of

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "golden" / "families"
METRIC = "logit(#7)-logit(#30)"
STREAMS = ("hook_resid_pre", "hook_resid_mid", "hook_resid_post", "hook_embed")


def random_weight(rng, name, shape, spread, around):
    """Norm weights 1 +- 0.3 (0 +- 0.3 where a norm adds the 1), biases +- 0.3, everything else normal."""
    if name.endswith("bias"):
        return rng.uniform(-0.3, 0.3, shape)
    if len(shape) == 1 and "sinks" not in name:
        return rng.uniform(around - 0.3, around + 0.3, shape)
    return rng.standard_normal(shape) * spread


def make_model(name, spec):
    """Write a random model as a Hugging Face folder, by the names that save_pretrained gives; always the same bytes."""
    family, folder = spec.get("family", name), FOLDER / name
    config = AutoConfig.for_model(family, bos_token_id=0, eos_token_id=0, dtype="float32",
                                  **{k: v for k, v in spec["sizes"].items() if v is not None})
    model = AutoModelForCausalLM.from_config(config)
    rng = np.random.default_rng(sum(name.encode()) + 1000 * spec.get("seed", 0))
    for weight, value in sorted(model.named_parameters()):
        around = 0 if family.startswith("gemma") else 1
        made = random_weight(rng, weight, tuple(value.shape), spec.get("spread", 0.35), around)
        value.data = torch.tensor(made, dtype=torch.float32)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        model.save_pretrained(place, save_original_format=spec.get("original", True))
        tensors = load_file(Path(place) / "model.safetensors")
        published = spec.get("published", {})
        fields = {k: v for k, v in json.loads((Path(place) / "config.json").read_text()).items() if k not in published}
    text = json.dumps(fields | {k: v for k, v in published.items() if v is not None}, indent=1, sort_keys=True)
    (folder / "config.json").write_text(text + "\n")
    write_safetensors(folder / "model.safetensors", dict(sorted(tensors.items())), {"format": "pt"})
    return folder


class Family:
    """A model of the table, its prompts, and its captures."""

    def __init__(self, name):
        self.spec = DECODERS[name]
        self.folder = make_model(name, self.spec)
        self.model, self.default = self.open(), self.open(attention="sdpa") if "falcon" in name else None
        self.weights = hashlib.sha256((self.folder / "model.safetensors").read_bytes()).hexdigest()[:16]
        rng = np.random.default_rng(sum(name.encode()) + 1)
        self.tokens = rng.integers(1, self.model.config.vocab_size, self.spec.get("tokens", 7)).tolist()
        self.unedited = DecoderRun(self.model, self.tokens).forward()
        self.metric = metric_of(METRIC, self.tokens, self.unedited.value("logits"))

    def open(self, dtype=torch.float32, attention="eager", **changed):
        model = AutoModelForCausalLM.from_pretrained(self.folder, attn_implementation=attention, dtype=dtype,
                                                     local_files_only=True, **changed)
        if model._can_set_experts_implementation():
            model.set_experts_implementation("eager")
        return model.eval()

    def truth(self):
        return {**self.unedited.values(), "logits": self.unedited.value("logits")}

    def answer(self, tokens):
        """The logits of the model as users run it, without any hook."""
        model = self.model if self.model.config.model_type != "falcon" else self.default
        forget_lengths(model)
        with torch.no_grad():
            return model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0]

    def write(self, kind, tensors, tokens=None, **about):
        write_trace(self.folder / f"{kind}.safetensors", tokens or self.tokens, tensors, {**about, "weights": self.weights})

    def plain(self, kind="plain", tokens=None):
        """Every site; the logits where they are not the product with the vocabulary; another prompt in a file of its own."""
        run = DecoderRun(self.model, tokens).forward() if tokens else self.unedited
        logits = run.value("logits")
        real = self.answer(run.tokens)
        assert (real - logits).abs().max() <= 2e-6 * real.abs().max(), "the hooks have changed the run"
        more = {} if torch.equal(logits, run.value("unembed.hook_out")) else {"logits": logits}
        self.write(kind, run.values() | more, tokens)

    def grad(self):
        run = DecoderRun(self.model, self.tokens, deep=True).forward()
        found = run.gradients(self.metric)
        value = self.metric(run.logits).item()
        self.write("grad", {f"grad/{n}": g for n, g in found.items()}, metric=METRIC, metric_value=repr(value))

    def edit(self, kind, texts):
        """The sites edited and the streams, and gradients there."""
        values = [torch.tensor(v, dtype=torch.float32) for v in self.spec.get("values", {}).get(kind, ())]
        run = DecoderRun(self.model, self.tokens, texts, Sources(self.unedited.values(), values=values)).forward()
        for e in run.edits:
            assert any(e.matches(n) for n in run.site), f"{e.op}:{e.site} names no site"
        shown = [n for n in run.site if run.edited(n) or n.endswith(("hook_resid_post", "unembed.hook_out"))]
        found = run.gradients(self.metric)
        wanted = [n for n in found if run.edited(n) or n.endswith(STREAMS)]
        stored = {f"value/{i}": v for i, v in enumerate(values)}
        self.write(f"edit-{kind}", {n: run.value(n) for n in shown} | {f"grad/{n}": found[n] for n in wanted} | stored,
                   edits="\n".join(texts), metric=METRIC, metric_value=repr(self.metric(run.logits).item()))

    def greedy(self, count, prompt, kind="greedy"):
        """Each id from a run over all tokens so far: a cache is no part of what the ids mean."""
        tokens, gaps = list(prompt), []
        for _ in range(count):
            step = self.answer(tokens)[-1]
            first, second = step.topk(2).values.tolist()
            gaps.append(round(first - second, 6))
            tokens.append(int(step.argmax()))
            if tokens[-1] == self.model.config.eos_token_id:
                break
        new = np.array(tokens[len(prompt):], dtype=np.int32)
        self.write(kind, {"greedy": new}, prompt, gaps=json.dumps(gaps), min_gap=f"{min(gaps):.6f}")


def capture_family(name):
    family = Family(name)
    for old in family.folder.glob("*.safetensors"):
        if old.name != "model.safetensors":
            old.unlink()
    family.plain()
    for kind, count in family.spec.get("also", {}).items():
        family.plain(f"plain-{kind}", family.tokens[:count])
        family.greedy(6, family.tokens[:count], f"greedy-{kind}")
    family.grad()
    for kind, texts in family.spec["edits"].items():
        family.edit(kind, texts)
    family.greedy(6, family.tokens)
    return family.folder
