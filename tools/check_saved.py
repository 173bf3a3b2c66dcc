"""Do transformers and llama.cpp open what `sonde convert` and `sonde quantize` write, and say what sonde says?

python tools/check_saved.py [--sonde build/release/sonde] [MODEL ..]

Each model is written as a Hugging Face folder and as GGUF (and packed as Q8_0 and Q4_0); transformers and llama.cpp
(llama-cpp-python, tools/llamacpp.sh builds it) open the files. Their logits of every position are compared with sonde's
on the same file, and their tokens of some texts. One line a check, `N passed, M failed` at the end.
"""
import argparse
import ctypes
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import safetensors.numpy

ROOT = pathlib.Path(__file__).resolve().parent.parent
STORIES = ROOT.parent / "shared" / "data" / "stories260k"
TEXTS = ["red cat river key red cat", "Once upon a time, there was a dog.", " two  spaces", "na\u00efve \u00e9t\u00e9", ""]
IDS = [1, 7, 3, 20, 11, 5]


class Checks:
    def __init__(self):
        self.passed = self.failed = 0

    def say(self, what, good, figure=""):
        self.passed += good
        self.failed += not good
        print(f"{'ok' if good else 'FAILED'}\t{what}\t{figure}", flush=True)


def run(sonde, *args):
    done = subprocess.run([sonde, *map(str, args)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"sonde {' '.join(map(str, args))}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


def sonde_logits(sonde, model, scratch):
    out = scratch / "trace.safetensors"
    run(sonde, "trace", "-m", model, "--tokens", ",".join(map(str, IDS)), "--sites", "logits", "--out", out, "--quiet")
    tensors = safetensors.numpy.load_file(out)
    return tensors[next(k for k in tensors if k not in ("tokens", "positions"))]


def sonde_tokens(sonde, model, text):
    data = json.loads(run(sonde, "tokens", "-m", model, "--json", "--bos", "no", "--", text)) if text else {"prompts": [{"tokens": []}]}
    return [t["id"] for t in data["prompts"][0]["tokens"]]


def of_transformers(folder):
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager",
                                                 experts_implementation="eager")
    with torch.no_grad():
        return model(torch.tensor([IDS])).logits[0].numpy()


class LlamaCpp:
    """The last word in logits of every position, float32 keys and values, no flash attention."""

    def __init__(self, path):
        import llama_cpp as c

        self.c = c
        c.llama_log_set(quiet, None)
        c.llama_backend_init()
        p = c.llama_model_default_params()
        p.use_extra_bufts = False                   # weights stay as they are stored, not repacked
        self.model = c.llama_model_load_from_file(str(path).encode(), p)
        if not self.model:
            raise SystemExit(f"llama.cpp does not open {path}")
        self.vocab = c.llama_model_get_vocab(self.model)

    def logits(self, yarn=None):
        c = self.c
        p = c.llama_context_default_params()
        if yarn:
            p.yarn_beta_fast, p.yarn_beta_slow = yarn
        p.n_ctx = p.n_batch = p.n_ubatch = 64
        p.type_k = p.type_v = 0
        p.flash_attn_type = 0
        context = c.llama_init_from_model(self.model, p)
        batch = c.llama_batch_init(len(IDS), 0, 1)
        batch.n_tokens = len(IDS)
        for i, token in enumerate(IDS):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0], batch.logits[i] = token, i, 1, 0, True
        assert c.llama_decode(context, batch) == 0
        n = c.llama_vocab_n_tokens(self.vocab)
        rows = [np.ctypeslib.as_array(c.llama_get_logits_ith(context, i), (n,)).copy() for i in range(len(IDS))]
        c.llama_batch_free(batch)
        c.llama_free(context)
        return np.stack(rows)

    def tokens(self, text):
        data = text.encode()
        room = (ctypes.c_int32 * 512)()
        n = self.c.llama_tokenize(self.vocab, data, len(data), room, 512, False, False)
        return list(room[:n])


@ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
def quiet(level, text, user):
    pass


def close(checks, what, got, want, limit):
    worst = float(np.max(np.abs(got - want))) / max(1.0, float(np.max(np.abs(want))))
    checks.say(what, got.shape == want.shape and worst <= limit, f"{worst:.2g}")


def check(checks, sonde, name, model, more, scratch):
    folder, gguf = scratch / "hf", scratch / "model.gguf"
    run(sonde, "convert", model, folder, *more, "--quiet")
    run(sonde, "convert", model, gguf, *more, "--quiet")
    ours = sonde_logits(sonde, folder, scratch)
    close(checks, f"{name}: transformers, logits", of_transformers(folder), ours, 1e-5)
    other = LlamaCpp(gguf)
    close(checks, f"{name}: llama.cpp, logits", other.logits(), sonde_logits(sonde, gguf, scratch), 2e-3)
    if (folder / "tokenizer.json").exists():
        import tokenizers

        library = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        for text in TEXTS:
            want = sonde_tokens(sonde, gguf, text)
            checks.say(f"{name}: tokenizers, {text!r}", library.encode(text, add_special_tokens=False).ids == want)
            checks.say(f"{name}: llama.cpp, {text!r}", other.tokens(text) == want, "" if other.tokens(text) == want else f"{other.tokens(text)} {want}")
    for kind in ("Q8_0", "Q4_0"):
        packed = scratch / f"{kind}.gguf"
        run(sonde, "quantize", model, packed, kind, *more, "--quiet")
        # its activations are rounded to 8 bits against packed weights, ours are not
        close(checks, f"{name}: llama.cpp, {kind}", LlamaCpp(packed).logits(), sonde_logits(sonde, packed, scratch), 0.1)


# Golden models whose config GGUF can say, or can with these fields; llama.cpp sees all positions where a window is not its own.
FAMILIES = ROOT / "tests" / "golden" / "families"
ALL, SIX = {"sliding_window": None}, {"query_pre_attn_scalar": 6}
CHANGED = {
    "bloom": {}, "falcon": {}, "falcon_shared": {}, "gemma": {}, "gemma2": SIX, "gemma3": SIX, "gpt_neox": {}, "llama_yarn": {},
    "gpt_oss": {"swiglu_limit": 7.0, "rope_parameters": {"rope_type": "default", "rope_theta": 150.0}}, "mistral": ALL,
    "mixtral": ALL, "olmo": {}, "phi": {}, "phi3": ALL, "qwen2": {"use_sliding_window": False, "layer_types": None},
    "stablelm": {}, "starcoder2": ALL,
    # llama.cpp has no such biases, heads of norms, or tied unembeddings
    "falcon_new": {}, "gemma3_published": SIX, "olmo2": {}, "olmoe": {},
    "qwen3": {"use_sliding_window": False, "layer_types": None}, "stablelm_parallel": {"hidden_act": "silu"},
    "gpt_neox_sequential": {"hidden_act": "gelu"},
}
# what `sonde convert` says to give llama.cpp, which does not read the file's
YARN = {"llama_yarn": (1.0, 0.1)}
ONLY_LLAMA_CPP = {"phi3"}          # whose padding token is none of so few
ONLY_TRANSFORMERS = {"falcon_new", "gemma3_published", "olmo2", "olmoe", "qwen3", "stablelm_parallel", "gpt_neox_sequential"}


def check_family(checks, sonde, name, changed, scratch):
    """transformers on the folder that comes back from GGUF, llama.cpp on the GGUF file."""
    source, gguf, back = scratch / "source", scratch / "model.gguf", scratch / "back"
    source.mkdir()
    config = json.loads((FAMILIES / name / "config.json").read_text())
    (source / "config.json").write_text(json.dumps({**config, **changed}))
    (source / "model.safetensors").write_bytes((FAMILIES / name / "model.safetensors").read_bytes())
    run(sonde, "convert", source, gguf, "--quiet")
    run(sonde, "convert", gguf, back, "--quiet")
    ours = sonde_logits(sonde, source, scratch)
    if name not in ONLY_LLAMA_CPP:
        close(checks, f"{name}: transformers, logits of what came back", of_transformers(back), ours, 1e-5)
    if name not in ONLY_TRANSFORMERS:
        close(checks, f"{name}: llama.cpp, logits", LlamaCpp(gguf).logits(YARN.get(name)), ours, 2e-3)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--sonde", default=str(ROOT / "build" / "release" / "sonde"))
    args = args.parse_args()
    checks = Checks()
    models = [("demo", "demo", []), ("induction", ROOT / "models" / "induction", []),
              ("llama_grouped", ROOT / "tests" / "golden" / "llama_grouped", []),
              ("llama_biased", ROOT / "tests" / "golden" / "llama_biased", [])]
    if STORIES.exists():
        models += [("stories", STORIES / "hf", ["--tokenizer", STORIES / "tok512.bin"]),
                   ("stories mp2", STORIES / "meta-mp2", ["--tokenizer", STORIES / "tok512.bin"]),
                   ("stories GGUF", STORIES / "gguf" / "stories260K-F32.gguf", [])]
    for name, model, more in models:
        with tempfile.TemporaryDirectory() as scratch:
            check(checks, args.sonde, name, model, more, pathlib.Path(scratch))
    for name, changed in CHANGED.items():
        with tempfile.TemporaryDirectory() as scratch:
            check_family(checks, args.sonde, name, changed, pathlib.Path(scratch))
    print(f"{checks.passed} passed, {checks.failed} failed")
    sys.exit(checks.failed > 0)


if __name__ == "__main__":
    main()
