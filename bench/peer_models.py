"""Models with random weights, for bench/peers.py: GPT-2 124M and a 1.1B Llama shape (TinyLlama's), as Hugging Face folders
written here and GGUF files written by `sonde convert` and `sonde quantize`. What is there already is kept.

Matrices are normal with standard deviation 0.02, norms 1; so nothing of the speed is missing, and every answer is noise.
The tokenizer is byte-level BPE of the right size with merges drawn at random, since opening one is part of what is timed.
"""
import json
import os
import shutil
import subprocess
from pathlib import Path

SHAPES = {
    "gpt2": {
        "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "activation_function": "gelu_new", "n_ctx": 1024,
        "n_positions": 1024, "n_embd": 768, "n_head": 12, "n_layer": 12, "layer_norm_epsilon": 1e-5, "vocab_size": 50257,
        "tie_word_embeddings": True, "bos_token_id": 50256, "eos_token_id": 50256,
    },
    "llama11": {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "max_position_embeddings": 2048,
        "hidden_size": 2048, "num_attention_heads": 32, "num_key_value_heads": 4, "num_hidden_layers": 22,
        "intermediate_size": 5632, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "vocab_size": 32000,
        "tie_word_embeddings": False, "attention_bias": False, "mlp_bias": False, "bos_token_id": 31999,
        "eos_token_id": 31999,
    },
}
# Name: the folder or file it is made of, the type `sonde quantize` packs (None: `sonde convert`).
FILES = {
    "gpt2-f32.gguf": ("gpt2-f32", None), "gpt2-f16.gguf": ("gpt2-f32", "F16"), "llama11-f16.gguf": ("llama11-f16", None),
    "llama11-q8_0.gguf": ("llama11-f16", "Q8_0"), "llama11-q4_0.gguf": ("llama11-f16", "Q4_0"),
    "llama11-q4_k_m.gguf": ("llama11-f16", "Q4_K_M"),
}


def gpt2_tensors(c):
    d, f = c["n_embd"], 4 * c["n_embd"]
    yield "transformer.wte.weight", (c["vocab_size"], d)
    yield "transformer.wpe.weight", (c["n_positions"], d)
    for i in range(c["n_layer"]):
        at = f"transformer.h.{i}."
        for name, shape in (("attn.c_attn", (d, 3 * d)), ("attn.c_proj", (d, d)),
                            ("mlp.c_fc", (d, f)), ("mlp.c_proj", (f, d))):
            yield at + name + ".weight", shape
            yield at + name + ".bias", shape[1:]
        for name in ("ln_1", "ln_2"):
            yield at + name + ".weight", (d,)
            yield at + name + ".bias", (d,)
    yield "transformer.ln_f.weight", (d,)
    yield "transformer.ln_f.bias", (d,)


def llama_tensors(c):
    d, f = c["hidden_size"], c["intermediate_size"]
    kv = d // c["num_attention_heads"] * c["num_key_value_heads"]
    yield "model.embed_tokens.weight", (c["vocab_size"], d)
    for i in range(c["num_hidden_layers"]):
        at = f"model.layers.{i}."
        for name, n in (("q", d), ("k", kv), ("v", kv), ("o", d)):
            yield f"{at}self_attn.{name}_proj.weight", (n, d)
        for name, shape in (("gate", (f, d)), ("up", (f, d)), ("down", (d, f))):
            yield f"{at}mlp.{name}_proj.weight", shape
        yield at + "input_layernorm.weight", (d,)
        yield at + "post_attention_layernorm.weight", (d,)
    yield "model.norm.weight", (d,)
    yield "lm_head.weight", (c["vocab_size"], d)


def drawn(name, shape, dtype, random):
    import numpy
    if len(shape) == 1:
        return numpy.full(shape, 0 if name.endswith("bias") else 1, dtype)
    return (random.standard_normal(shape, numpy.float32) * numpy.float32(0.02)).astype(dtype)


def byte_letters():
    """GPT-2's letter for each byte."""
    own = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    others = [b for b in range(256) if b not in own]
    return [chr(b) if b in own else chr(256 + others.index(b)) for b in range(256)]


def write_tokenizer(folder, size):
    """Byte-level BPE of `size` tokens: each merge joins two tokens drawn from those before it."""
    import numpy
    random = numpy.random.default_rng(1)
    tokens = byte_letters()
    known, merges = set(tokens), []
    while len(tokens) < size - 1:
        left, right = (tokens[int(i)] for i in (random.random(2) ** 2 * len(tokens)))
        if len(left + right) <= 12 and left + right not in known:
            known.add(left + right)
            tokens.append(left + right)
            merges.append([left, right])
    end = {"id": size - 1, "content": "<|endoftext|>", "single_word": False, "lstrip": False, "rstrip": False,
           "normalized": False, "special": True}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    data = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [end], "normalizer": None,
            "pre_tokenizer": level, "post_processor": None, "decoder": level,
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
                      "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False,
                      "vocab": {t: i for i, t in enumerate(tokens + [end["content"]])}, "merges": merges}}
    (folder / "tokenizer.json").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "GPT2Tokenizer", "bos_token": end["content"], "eos_token": end["content"]}))


def write_folder(models, name, say):
    import numpy
    from safetensors.numpy import save_file
    shape, dtype = name.rsplit("-", 1)
    config = SHAPES[shape] | {"dtype": "float32" if dtype == "f32" else "float16"}
    made = models / (name + ".part")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    say(f"{name}: drawing weights")
    random = numpy.random.default_rng(0)
    kind = numpy.float32 if dtype == "f32" else numpy.float16
    tensors = (gpt2_tensors if shape == "gpt2" else llama_tensors)(config)
    save_file({n: drawn(n, s, kind, random) for n, s in tensors}, made / "model.safetensors", metadata={"format": "pt"})
    (made / "config.json").write_text(json.dumps(config, indent=1))
    write_tokenizer(made, config["vocab_size"])
    os.rename(made, models / name)


def make(models, sonde, name, say):
    """The path of a model of FILES or of a folder of theirs, made where it is missing."""
    models = Path(models)
    path = models / name
    if path.exists():
        return path
    if name not in FILES:
        write_folder(models, name, say)
        return path
    source, kind = FILES[name]
    make(models, sonde, source, say)
    part = models / ("part-" + name)
    part.unlink(missing_ok=True)
    say(f"{name}: writing")
    command = [sonde, "convert", models / source, part] if kind is None else [sonde, "quantize", models / source, part, kind]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    os.rename(part, path)
    return path
