"""Files of the reference: traces in sonde's format (safetensors, interface.md 6), and random models.

The writer is our own because the official one puts the metadata in an order that differs from run to run.
"""
import json
import struct

import numpy as np
import torch
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig

TYPES = {np.dtype("float32"): "F32", np.dtype("int32"): "I32", np.dtype("int64"): "I64"}


def write_safetensors(path, tensors, metadata):
    """Write arrays by name, in the order given; the data starts at a multiple of eight."""
    header, at, data = {"__metadata__": {k: str(v) for k, v in metadata.items()}}, 0, []
    for name, tensor in tensors.items():
        array = np.ascontiguousarray(tensor.detach().numpy() if isinstance(tensor, torch.Tensor) else tensor)
        raw = array.astype(array.dtype.newbyteorder("<")).tobytes()
        header[name] = {"dtype": TYPES[array.dtype], "shape": list(array.shape), "data_offsets": [at, at + len(raw)]}
        at += len(raw)
        data.append(raw)
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data))


def write_trace(path, tokens, tensors, metadata):
    """A trace: the tokens, then one tensor per site; metadata has at least what interface.md 6 asks for."""
    everything = {"tokens": np.array(tokens, dtype=np.int32), **tensors}
    write_safetensors(path, everything, {"sonde": "reference", "seed": 0, "bos": "no", **metadata})


def random_weight(rng, name, shape, spread):
    """Norm weights 1 +- 0.3, biases (and norm biases) +- 0.3, everything else normal."""
    if name.endswith("bias"):
        return rng.uniform(-0.3, 0.3, shape)
    if ".ln_" in name or "norm." in name:
        return rng.uniform(0.7, 1.3, shape)
    return rng.standard_normal(shape) * spread


def config_of(family, sizes):
    common = dict(bos_token_id=0, eos_token_id=0, dtype="float32")
    if family == "llama":
        return LlamaConfig(architectures=["LlamaForCausalLM"], **common, **sizes)
    return GPT2Config(embd_pdrop=0.0, attn_pdrop=0.0, resid_pdrop=0.0, architectures=["GPT2LMHeadModel"], **common,
                      **sizes)


def make_random(folder, spec):
    """Write a random model as a Hugging Face folder. hub_names: as in the published gpt2, the names have no
    "transformer." in front and every layer has its causal mask as a tensor."""
    config, hub_names = config_of(spec.get("family", "gpt2"), spec["sizes"]), spec.get("hub_names", False)
    rng = np.random.default_rng(spec["seed"])
    tensors = {}
    for name, value in AutoModelForCausalLM.from_config(config).state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        weight = random_weight(rng, name, tuple(value.shape), spec["spread"]).astype(np.float32)
        tensors[name.removeprefix("transformer.") if hub_names else name] = weight
    if hub_names:
        n = config.n_positions
        mask = np.tril(np.ones((1, 1, n, n), dtype=np.float32))
        tensors |= {f"h.{layer}.attn.bias": mask for layer in range(config.n_layer)}
    folder.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(folder)
    write_safetensors(folder / "model.safetensors", dict(sorted(tensors.items())), {"format": "pt"})


def open_model(folder, dtype=torch.float32):
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=dtype, local_files_only=True)
    return model.eval()
