"""Makes and captures one of the random encoders and encoder-decoders (reference_encoder_sets.py)."""
import hashlib
import json
import tempfile
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.numpy import load_file

from reference_edits import Sources
from reference_encoders import row_of
from reference_files import write_safetensors, write_trace
from reference_metric import metric_of
from reference_towers import Tower
from reference_encoder_sets import MODELS

COMMON = dict(dtype="float32")


def weight(rng, name, shape, spread):
    """Norm weights 1 +- 0.3, biases +- 0.3, everything else normal; T5's table of biases wide enough to matter."""
    if name.endswith("bias"):
        return rng.uniform(-0.3, 0.3, shape)
    if "norm" in name.lower():
        return rng.uniform(0.7, 1.3, shape)
    return rng.standard_normal(shape) * (1.2 if "relative" in name else spread)


def saved_shapes(model):
    """The tensors that save_pretrained writes, by name, and their shapes."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return {name: value.shape for name, value in load_file(Path(folder) / "model.safetensors").items()}


def gamma(name):
    return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")


def bert_gamma(tensors, rng, config):
    """As sentence encoders were published: old norm names, and the buffer of position numbers."""
    positions = np.arange(config.max_position_embeddings, dtype=np.int64)[None]
    return {gamma(name): value for name, value in tensors.items()} | {"embeddings.position_ids": positions}


def bert_hub(tensors, rng, config):
    """As the published bert-base-uncased: old norm names, more heads than the class reads, the tied matrix twice."""
    d = config.hidden_size
    more = {"bert.pooler.dense.weight": (d, d), "bert.pooler.dense.bias": (d,), "cls.seq_relationship.weight": (2, d),
            "cls.seq_relationship.bias": (2,)}
    tied = tensors["bert.embeddings.word_embeddings.weight"]
    return ({gamma(name): value for name, value in tensors.items()} | {"cls.predictions.decoder.weight": tied}
            | {name: weight(rng, name, shape, 0.3).astype(np.float32) for name, shape in more.items()})


def t5_copies(tensors, rng, config):
    """As the published t5-small: copies of the table, the head's too, and a cross-attention's table that nobody reads."""
    stray = rng.standard_normal((config.relative_attention_num_buckets, config.num_heads)).astype(np.float32)
    copies = dict.fromkeys(("encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"),
                           tensors["shared.weight"])
    return tensors | copies | {"decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight": stray}


def bart_hub(tensors, rng, config):
    """As the published bart-base: no "model." in front, copies of the table, no final_logits_bias."""
    plain = {name.removeprefix("model."): value for name, value in tensors.items() if name != "final_logits_bias"}
    copies = dict.fromkeys(("encoder.embed_tokens.weight", "decoder.embed_tokens.weight"), plain["shared.weight"])
    return plain | copies


NAMES = dict(bert_gamma=bert_gamma, bert_hub=bert_hub, t5_copies=t5_copies, bart_hub=bart_hub)


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


def make(folder, spec):
    """Write the random model as a Hugging Face folder."""
    kind = getattr(transformers, spec["model"])
    config = kind.config_class(architectures=[spec["model"]], **COMMON, **spec["sizes"])
    rng, spread = np.random.default_rng(spec["seed"]), spec.get("spread", 0.35)
    shapes = saved_shapes(kind(config))
    if spec.get("untied"):
        shapes["lm_head.weight"] = (config.vocab_size, config.d_model)
    tensors = {name: weight(rng, name, shape, spread).astype(np.float32) for name, shape in sorted(shapes.items())}
    if "names" in spec:
        tensors = NAMES[spec["names"]](tensors, rng, config)
    folder.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(folder)
    if "config" in spec:
        path = folder / "config.json"
        fields = json.loads(path.read_text()) | spec["config"]
        write_json(path, {field: value for field, value in fields.items() if value is not None})
    if "generation" in spec:
        write_json(folder / "generation_config.json", spec["generation"])
    write_safetensors(folder / "model.safetensors", dict(sorted(tensors.items())), {"format": "pt"})


def open_class(folder):
    """The model of a folder, in the class that its config names."""
    kind = getattr(transformers, json.loads((folder / "config.json").read_text())["architectures"][0])
    model, info = kind.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32, local_files_only=True,
                                       output_loading_info=True)
    assert not info["mismatched_keys"] and set(info["missing_keys"]) <= {"final_logits_bias"}, info
    return model.eval()


class Case:
    """A model of the table, its prompt and where its files go."""

    def __init__(self, name, folder):
        self.name, self.folder, self.spec = name, folder, MODELS[name]
        self.model = open_class(folder)
        self.row, spec = row_of(self.model), self.spec
        self.inputs = {"input_ids": spec["prompt"]}
        self.extra = {}
        if "types" in spec:
            if self.model.config.model_type == "bert":
                self.inputs["token_type_ids"] = spec["types"]
                self.extra["token_types"] = np.array(spec["types"], dtype=np.int32)
        if "target" in spec:
            self.inputs["decoder_input_ids"] = spec["target"]
            self.extra["target"] = np.array(spec["target"], dtype=np.int32)
        weights = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()[:16]
        self.about = {"weights": weights, "answer": self.row["answers"]}
        self.unedited = self.run()

    def run(self, texts=(), **flow):
        sources = Sources(self.unedited.values()) if texts else None
        return Tower(self.model, self.row, self.inputs, texts, sources, **flow).forward()

    def metric(self, text):
        """Of masked LMs without a position: the first mask; loss is over the target's tokens."""
        ids = self.inputs.get("decoder_input_ids", self.inputs["input_ids"])
        if "(" in text and "," not in text and "MaskedLM" in self.spec["model"]:
            text = text.replace(")", f",{ids.index(4)})")
        return metric_of(text, ids, self.unedited.value("logits"))

    def write(self, kind, tensors, **about):
        write_trace(self.folder / f"{kind}.safetensors", self.inputs["input_ids"], {**self.extra, **tensors},
                    about | self.about)


def capture_plain(case):
    tensors = case.unedited.values()
    if case.row["answers"] == "logits":
        tensors["logits"] = case.unedited.value("logits")
    case.write("plain", tensors)


def gradients(case, metric, texts=()):
    function = case.metric(metric)
    run = case.run(texts, deep=True)
    plain = case.run(texts) if texts else case.unedited
    gap = (run.answer - plain.answer).abs().max() / plain.answer.abs().max()
    assert gap < 1e-5, f"{case.name}: the deep run differs by {gap}"
    return run.gradients(function), repr(function(run.answer).item())


def capture_gradients(case, metric, kind="grad", wanted=("",)):
    found, value = gradients(case, metric)
    case.write(kind, {f"grad/{n}": g for n, g in found.items() if n.endswith(tuple(wanted))}, metric=metric,
               metric_value=value)


def capture_edit(case, kind, texts):
    """An edited run: the streams, the answer, the sites edited, and the gradients of these."""
    run = case.run(texts)
    found, value = gradients(case, case.spec["metric"], texts)
    edited = [n for n in run.site if any(e.matches(n) for e in run.edits)]
    ends = ("hook_resid_post", "hook_normalized_resid_post", *({case.row["answers"]} - {"logits"}))
    names = [n for n in run.site if n in edited or n.endswith(ends)]
    tensors = {n: run.value(n) for n in names}
    if case.row["answers"] == "logits":
        tensors["logits"] = run.value("logits")
    tensors |= {f"grad/{n}": found[n] for n in found if n in edited or n.endswith(("hook_embed", "hook_resid_pre"))}
    case.write(f"edit-{kind}", tensors, edits="\n".join(texts), metric=case.spec["metric"], metric_value=value)


def capture(name, folder):
    make(folder, MODELS[name])
    case = Case(name, folder)
    capture_plain(case)
    capture_gradients(case, case.spec["metric"])
    for number, metric in enumerate(case.spec.get("metrics", ())):
        capture_gradients(case, metric, f"grad-metric-{number}", ("hook_resid_pre", "hook_z"))
    for kind, edit in case.spec["edits"].items():
        capture_edit(case, kind, **edit)
    return case


def remake(name, folder):
    """Remove the folder's files and write them anew."""
    for old in folder.rglob("*.*"):
        if old.is_file():
            old.unlink()
    capture(name, folder)
    files = [f for f in folder.rglob("*") if f.is_file()]
    print(f"families/{name}: {len(files)} files, {sum(f.stat().st_size for f in files)} bytes")
    return 0
