"""Makes and captures one of the random encoders and encoder-decoders (reference_encoder_sets.py)."""
import hashlib
import json
import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import transformers
from safetensors.numpy import load_file

from reference_edits import Sources
from reference_encoders import row_of
from reference_files import write_safetensors, write_trace
from reference_metric import metric_of
from reference_decode import capture_beams, capture_greedy
from reference_encoder_sets import MODELS
from reference_towers import Tower
from reference_words import ids_of, write_words

COMMON = dict(dtype="float32")
WIDE = {"relative": 1.2, "decoder.embed_positions": 1.0, "shared": 0.8}


def weight(rng, name, shape, spread):
    """Norm weights 1 +- 0.3, biases +- 0.3, everything else normal, WIDE ones so that they matter."""
    if name.endswith("bias"):
        return rng.uniform(-0.3, 0.3, shape) * (6 if name == "final_logits_bias" else 1)
    if "norm" in name.lower():
        return rng.uniform(0.7, 1.3, shape)
    return rng.standard_normal(shape) * next((wide for part, wide in WIDE.items() if part in name), spread)


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
    write_words(folder, config.model_type, getattr(config, "max_position_embeddings", 24))
    if spec.get("sentence"):
        write_sentence(folder, spec["sentence"], config.hidden_size)
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
        tokens, types = ids_of(folder, *spec["text"])
        self.inputs, self.extra = {"input_ids": tokens}, {}
        if len(spec["text"]) == 2 and self.model.config.model_type == "bert":
            self.inputs["token_type_ids"] = types
            self.extra["token_types"] = np.array(types, dtype=np.int32)
        if "target" in spec:
            target = spec["start"] + ids_of(folder, spec["target"], specials=False)[0]
            self.inputs["decoder_input_ids"] = target
            self.extra["target"] = np.array(target, dtype=np.int32)
        weights = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()[:16]
        texts = dict(zip(("prompt", "pair"), spec["text"]))
        if len(spec.get("start", ())) == 1:
            texts["target"] = spec["target"]
        self.about = {"weights": weights, "answer": self.row["answers"], "bos": "auto", **texts}
        self.unedited = self.run()
        with torch.no_grad():
            alone = self.row["answer"](self.model(**{k: torch.tensor([v]) for k, v in self.inputs.items()}))
        assert torch.equal(alone, self.unedited.answer), "the hooks have changed the run"
        self.masked = "unembed.hook_out" in self.unedited.site and "target" not in spec
        if self.masked:
            self.mask = tokens.index({"roberta": 274}.get(self.model.config.model_type, 4))

    def run(self, texts=(), **flow):
        sources = Sources(self.unedited.values()) if texts else None
        return Tower(self.model, self.row, self.inputs, texts, sources, **flow).forward()

    def metric(self, text):
        """Of masked LMs without a position: the first mask. loss is over the decoder's tokens."""
        ids = self.inputs.get("decoder_input_ids", self.inputs["input_ids"])
        if self.masked and "," not in text:
            text = text.replace(")", f",{self.mask})")
        return metric_of(text, ids, self.unedited.value("logits"))

    def write(self, kind, tensors, **about):
        write_trace(self.folder / f"{kind}.safetensors", self.inputs["input_ids"], {**self.extra, **tensors},
                    about | self.about)

    def spelled(self, metric):
        """The metric's text with the mask's position in it."""
        return metric.replace("{mask}", str(self.mask)) if self.masked else metric


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
    run, metric = case.run(texts), case.spelled(case.spec["metric"])
    for e in run.edits:
        assert any(e.matches(n) for n in run.site), f"{e.op}:{e.site} names no site"
    found, value = gradients(case, metric, texts)
    edited = [n for n in run.site if any(e.matches(n) for e in run.edits)]
    ends = ("hook_resid_post", "hook_normalized_resid_post", *({case.row["answers"]} - {"logits"}))
    names = [n for n in run.site if n in edited or n.endswith(ends)]
    tensors = {n: run.value(n) for n in names}
    if case.row["answers"] == "logits":
        tensors["logits"] = run.value("logits")
    tensors |= {f"grad/{n}": found[n] for n in found if n in edited or n.endswith(("hook_embed", "hook_resid_pre"))}
    case.write(f"edit-{kind}", tensors, edits="\n".join(texts), metric=metric, metric_value=value)


def capture_sentences(case, spec):
    """The recipe of sentence-transformers, stage by stage: i/tokens, cut to max_seq_length (the frame stays); i/pooled/mean,
    i/pooled/cls, i/pooled/max: of the last block's rows; i/embedding: mean, divided by its length, as modules.json says."""
    tensors = {}
    for i, text in enumerate(spec["texts"]):
        ids, _ = ids_of(case.folder, text)
        ids = ids[:spec["longest"] - 1] + ids[-1:] if len(ids) > spec["longest"] else ids
        with torch.no_grad():
            rows = case.model(torch.tensor([ids])).last_hidden_state[0]
        pooled = dict(mean=rows.mean(0), cls=rows[0], max=rows.max(0).values)
        tensors |= {f"{i}/tokens": np.array(ids, dtype=np.int32), f"{i}/embedding": F.normalize(pooled["mean"], dim=-1)}
        tensors |= {f"{i}/pooled/{kind}": value for kind, value in pooled.items()}
    write_safetensors(case.folder / "sentences.safetensors", tensors,
                      {"sonde": "reference", **case.about, "prompt": "\n".join(spec["texts"])})


def write_sentence(folder, spec, width):
    """The files that make a folder a sentence-transformers one."""
    modules = [("", "models.Transformer"), ("1_Pooling", "models.Pooling"), ("2_Normalize", "models.Normalize")]
    write_json(folder / "modules.json", [dict(idx=i, name=str(i), path=path, type=f"sentence_transformers.{kind}")
                                         for i, (path, kind) in enumerate(modules)])
    (folder / "1_Pooling").mkdir(exist_ok=True)
    write_json(folder / "1_Pooling" / "config.json", dict(
        word_embedding_dimension=width, pooling_mode_cls_token=False, pooling_mode_mean_tokens=True,
        pooling_mode_max_tokens=False, pooling_mode_mean_sqrt_len_tokens=False))
    write_json(folder / "sentence_bert_config.json", dict(max_seq_length=spec["longest"], do_lower_case=False))


def capture(name, folder):
    make(folder, MODELS[name])
    case = Case(name, folder)
    capture_plain(case)
    capture_gradients(case, case.spelled(case.spec["metric"]))
    for number, metric in enumerate(case.spec.get("metrics", ())):
        capture_gradients(case, metric, f"grad-metric-{number}", ("hook_resid_pre", "hook_z"))
    for kind, edit in case.spec["edits"].items():
        capture_edit(case, kind, **edit)
    if case.spec.get("sentence"):
        capture_sentences(case, case.spec["sentence"])
    if "target" in case.spec:
        capture_greedy(case)
        capture_beams(case)
    return case


def remake(name, folder):
    """Remove the folder's files and write them anew."""
    for old in folder.rglob("*.*"):
        if old.is_file():
            old.unlink()
    capture(name, folder)
    return folder
