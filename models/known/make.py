"""Write models/induction: an induction model whose every weight is set by hand.

`python models/known/make.py [--out DIR]`.  Two layers of attention, MLPs of zeros,
nothing trained.  The residual has three parts of equal norm, each of mean zero, so
that LayerNorm multiplies by a known constant:

    0 .. 31    code of the token here        (tied to the unembedding)
    32 .. 63   code of the token before      (written by head 0.0)
    64 .. 127  position, one-hot less its mean

Head 0.0 asks for position i-1 and copies the code it finds there into the second
part.  Head 1.0 asks for a key whose second part is the token here, that is, for the
token after an earlier occurrence, and writes four times that token's code into the
first part, where the unembedding reads it.  Heads 0.1 and 1.1 are zero: controls.
"""
import argparse
import json
import math
import pathlib
import random

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer

EOT = "<|endoftext|>"
WORDS = ("red blue green black white brown pink yellow key car boat dog cat tree road ship bell river "
         "king boy girl house chair flower horse bird wall tower hat cup map lamp coin pen box").split()
CODE, CONTEXT, HEADS, INNER, EPS = 32, 64, 2, 4, 1e-5
WIDTH, HEAD = 2 * CODE + CONTEXT, (2 * CODE + CONTEXT) // 2
HERE, BEFORE, PLACE = slice(0, CODE), slice(CODE, 2 * CODE), slice(2 * CODE, WIDTH)
GAP = 20.0  # by how much the wanted key's score beats every other
WRITE = 4.0  # how much louder head 1.0 writes than the embedding


# ---- token codes ----

def times(a, b):
    """Product in the field of 32 elements, polynomials modulo x^5 + x^2 + 1."""
    product = 0
    for bit in range(5):
        product ^= (a << bit) * (b >> bit & 1)
    for bit in range(8, 4, -1):
        product ^= (0b100101 << (bit - 5)) * (product >> bit & 1)
    return product


def trace(a):
    total = 0
    for _ in range(5):
        total, a = total ^ a, times(a, a)
    return total


def codes(count):
    """Signs (-1)^trace(a x + b x^3) over all x of the field, those of mean zero.

    Two different codes have an inner product of -8, 0 or 8; one with itself, 32.
    """
    rows = []
    for b in range(32):
        for a in range(32):
            row = [1 - 2 * trace(times(a, x) ^ times(b, times(x, times(x, x)))) for x in range(32)]
            if sum(row) == 0:
                rows.append(row)
    return torch.tensor(rows[:count], dtype=torch.float32)


# ---- weights ----

def blank(vocabulary):
    """A GPT-2 of zeros with LayerNorm gains of one."""
    w = {"transformer.wte.weight": torch.zeros(vocabulary, WIDTH),
         "transformer.wpe.weight": torch.zeros(CONTEXT, WIDTH)}
    shapes = {"attn.c_attn": (WIDTH, 3 * WIDTH), "attn.c_proj": (WIDTH, WIDTH),
              "mlp.c_fc": (WIDTH, INNER), "mlp.c_proj": (INNER, WIDTH)}
    for layer in (0, 1):
        for name, shape in shapes.items():
            w[f"transformer.h.{layer}.{name}.weight"] = torch.zeros(shape)
            w[f"transformer.h.{layer}.{name}.bias"] = torch.zeros(shape[1])
    for norm in ("h.0.ln_1", "h.0.ln_2", "h.1.ln_1", "h.1.ln_2", "ln_f"):
        w[f"transformer.{norm}.weight"] = torch.ones(WIDTH)
        w[f"transformer.{norm}.bias"] = torch.zeros(WIDTH)
    return w


def norm_gain(parts):
    """What LayerNorm multiplies by when `parts` parts of squared norm CODE are there."""
    return 1 / math.sqrt(parts * CODE / WIDTH + EPS)


def previous_token_head(w):
    """Head 0.0: query = position i-1, key = position, value = code here -> code before."""
    gain, tall = norm_gain(2), math.sqrt(CODE)  # `tall`: size of a one-hot position
    attn, proj = w["transformer.h.0.attn.c_attn.weight"], w["transformer.h.0.attn.c_proj.weight"]
    query, key, value = attn[:, :HEAD], attn[:, WIDTH:WIDTH + HEAD], attn[:, 2 * WIDTH:2 * WIDTH + HEAD]
    strength = math.sqrt(GAP * math.sqrt(HEAD)) / (gain * tall)
    query[PLACE] = strength * torch.eye(CONTEXT).roll(-1, 1)
    query[PLACE.start] = 0  # the first position has nothing before it
    key[PLACE] = strength * torch.eye(CONTEXT)
    value[HERE, :CODE] = torch.eye(CODE)
    proj[:CODE, BEFORE] = torch.eye(CODE) / gain


def induction_head(w):
    """Head 1.0: query = code here, key = code before, value = code here, written loudly.

    Position 0 could only attend to itself in head 0.0, so it claims to follow its own
    token; one more key channel, met by a constant query, takes it out.
    """
    gain = norm_gain(3)
    attn, bias = w["transformer.h.1.attn.c_attn.weight"], w["transformer.h.1.attn.c_attn.bias"]
    proj = w["transformer.h.1.attn.c_proj.weight"]
    query, key, value = attn[:, :HEAD], attn[:, WIDTH:WIDTH + HEAD], attn[:, 2 * WIDTH:2 * WIDTH + HEAD]
    strength = math.sqrt(GAP * math.sqrt(HEAD) / 24) / gain  # 24 = 32 - 8, the code's margin
    query[HERE, :CODE] = strength * torch.eye(CODE)
    key[BEFORE, :CODE] = strength * torch.eye(CODE)
    bias[CODE] = 1
    key[PLACE.start, CODE] = -3 * GAP * math.sqrt(HEAD) / (gain * math.sqrt(CODE))
    value[HERE, :CODE] = torch.eye(CODE)
    proj[:CODE, HERE] = torch.eye(CODE) * WRITE / gain


def build(vocabulary):
    w = blank(vocabulary)
    w["transformer.wte.weight"][:, HERE] = codes(vocabulary)
    position = torch.eye(CONTEXT) - 1 / CONTEXT
    w["transformer.wpe.weight"][:, PLACE] = position * math.sqrt(CODE / (1 - 1 / CONTEXT))
    previous_token_head(w)
    induction_head(w)
    return w


# ---- the folder ----

def build_tokenizer():
    """Byte-level BPE: the 256 bytes, one special token, a few words with their space."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=500, min_frequency=2, special_tokens=[EOT],
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
                                  show_progress=False)
    tokenizer.train_from_iterator((" " + word for word in WORDS for _ in range(20)), trainer)
    assert all(len(tokenizer.encode(" " + word).ids) == 1 for word in WORDS)
    return tokenizer


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n")


def write_folder(out):
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = build_tokenizer()
    vocabulary, eot = tokenizer.get_vocab_size(), tokenizer.token_to_id(EOT)
    tokenizer.save(str(out / "tokenizer.json"))
    tokenizer.model.save(str(out))  # vocab.json and merges.txt
    write_json(out / "tokenizer_config.json", {
        "tokenizer_class": "GPT2TokenizerFast", "model_max_length": CONTEXT, "add_prefix_space": False,
        "add_bos_token": False, "clean_up_tokenization_spaces": False,
        "bos_token": EOT, "eos_token": EOT, "unk_token": EOT})
    write_json(out / "config.json", {
        "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "activation_function": "gelu_new",
        "vocab_size": vocabulary, "n_positions": CONTEXT, "n_ctx": CONTEXT, "n_embd": WIDTH,
        "n_layer": 2, "n_head": HEADS, "n_inner": INNER, "layer_norm_epsilon": EPS,
        "attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0, "tie_word_embeddings": True,
        "scale_attn_weights": True, "bos_token_id": eot, "eos_token_id": eot, "dtype": "float32"})
    save_file(build(vocabulary), str(out / "model.safetensors"), metadata={"format": "pt"})
    (out / "model.safetensors").chmod(0o644)


# ---- does it do what it was built to do ----

def repeated_rows(vocabulary, count=200):
    """Turns of distinct random ids, written twice, of every period from 4 to 32."""
    r = random.Random(0)
    for number in range(count):
        period = 4 + number % 29
        yield r.sample(range(vocabulary), period) * 2, period


@torch.no_grad()
def measure(model, ablated=None):
    """Least and mean attention of both heads where it should be, and the accuracy."""
    handle = None
    if ablated is not None:
        def zero(_, args):
            z = args[0].clone()
            z[..., :HEAD] = 0
            return (z,)
        handle = model.transformer.h[ablated].attn.c_proj.register_forward_pre_hook(zero)
    previous, induction, right = [], [], []
    for ids, period in repeated_rows(model.config.vocab_size):
        out = model(torch.tensor([ids]), output_attentions=True)
        first, second = (a[0, 0] for a in out.attentions)
        previous += first.diagonal(offset=-1).tolist()
        rows = range(period, 2 * period)
        induction += [second[i, i - period + 1].item() for i in rows]
        best = out.logits[0].argmax(-1).tolist()
        right += [best[i] == ids[i + 1] for i in rows[:-1]]
    if handle:
        handle.remove()
    mean = lambda values: sum(values) / len(values)
    return {"previous": (min(previous), mean(previous)), "induction": (min(induction), mean(induction)),
            "accuracy": mean(right), "judged": len(right)}


CARD = """# induction

A GPT-2 of two attention layers whose every weight was set by `models/known/make.py`; nothing was
trained, and the MLPs are zeros. It is a model with a known answer: a tool that looks for circuits
should find exactly these.

| part of the residual | holds | written by |
|---|---|---|
| 0 to 31 | code of the token here; the tied unembedding reads it | `wte`, head 1.0 |
| 32 to 63 | code of the token before | head 0.0 |
| 64 to 127 | position, one-hot less its mean | `wpe` |

- **Head 0.0** attends to the previous token and copies its code into channels 32 to 63.
- **Head 1.0** attends to the token after the earlier occurrence of the token here, and writes that
  token's code, {write:g} times as loud as the embedding, into channels 0 to 31.
- **Heads 0.1 and 1.1** and both MLPs are zero. Such a head attends evenly and writes nothing.

All codes have mean zero and the same norm, so LayerNorm multiplies by a constant: 1/sqrt(1/2) before
layer 0 and 1/sqrt(3/4) before layer 1. Two different codes have an inner product of -8, 0 or 8, one
with itself 32. Position 0 has no token before it; head 1.0 is kept away from it by one key channel.

Measured with transformers on {rows} rows of distinct random ids written twice (periods 4 to 32):

| | attention of 0.0 to i-1, least | attention of 1.0 to the token after the first occurrence, least | next token right |
|---|---|---|---|
| nothing ablated | {a[previous][0]:.6f} | {a[induction][0]:.6f} | {a[accuracy]:.4f} of {a[judged]} |
| z of 0.0 set to 0 | | {b[induction][0]:.6f} (mean {b[induction][1]:.4f}) | {b[accuracy]:.4f} |
| z of 1.0 set to 0 | | {c[induction][0]:.6f} | {c[accuracy]:.4f} |

Vocabulary {vocabulary}: 256 bytes, `<|endoftext|>`, {words} words with their space (` red`, ` cat`, ` river`, ..)
and the pieces they are merged from. Context {context}. A prompt to try: ` red cat river key red cat`,
with the space in front; the next token is ` river`.

It knows nothing else. Where the token here did not occur before, head 1.0 finds no key that fits and
spreads over those that are least unlike; what it then says means nothing. Where it occurred more than
once, the head takes the mean of what followed. Made for float32; no data of any kind went into it.
"""


def main():
    home = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=home / "induction")
    out = parser.parse_args().out
    torch.set_num_threads(1)
    write_folder(out)
    model = AutoModelForCausalLM.from_pretrained(out, attn_implementation="eager", dtype=torch.float32)
    whole, no_previous, no_induction = (measure(model.eval(), a) for a in (None, 0, 1))
    assert whole["previous"][0] >= .99 and whole["induction"][0] >= .99 and whole["accuracy"] == 1
    assert max(no_previous["accuracy"], no_induction["accuracy"]) < .05
    tokenizer = AutoTokenizer.from_pretrained(out)
    ids = tokenizer(" red cat river key red cat", return_tensors="pt")["input_ids"]
    assert tokenizer.decode(model(ids).logits[0, -1].argmax()) == " river"
    (out / "README.md").write_text(CARD.format(
        a=whole, b=no_previous, c=no_induction, rows=200, vocabulary=model.config.vocab_size,
        words=len(WORDS), context=CONTEXT, write=WRITE))
    print(whole, no_previous, no_induction, sep="\n")


if __name__ == "__main__":
    main()
