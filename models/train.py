"""Train the demo model: `python models/train.py [--seed N] [--out DIR]`.

Builds the tokenizer, trains a GPT-2-shaped transformer on the text of grammar.py
with plain torch on the CPU, writes a Hugging Face folder, then opens that folder
with transformers and measures it (measure.py).  The same seed on the same machine
and library versions gives the same weights.
"""
import argparse
import json
import math
import pathlib
import random
import time

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import nn

from grammar import CENTURIES, CAPITALISED, Grammar, pieces

EOT = "<|endoftext|>"
LAYERS, HEADS, WIDTH, CONTEXT, EPS = 4, 5, 160, 96, 1e-5
STEPS, ROWS, WARMUP, PEAK, HOLD, FLOOR = 4500, 32, 150, 2e-3, 0.6, 0.02
PREVIOUS_HINT, PREVIOUS_LAYER, PREVIOUS_STEPS = 0.5, 0, range(300)
INDUCTION_HINT, INDUCTION_LAYER, INDUCTION_STEPS, INDUCTION_HEADS = 0.1, 2, range(600, 2700), 2
TEXT_WEIGHT, TEXT_SHARE = 0.1, 1 / 3  # loss weight of words the grammar leaves open; how many count


# ---- tokenizer ----

def piece_counts():
    """Distinct pieces of the grammar's text with the counts that shape the merges.

    Centuries come first by far, so that ` 1732` is always ` 17` + `32`; a bare
    lower-case word is left out, as it could only begin a text.
    """
    grammar = Grammar(0)
    found = {" " + word for word in CAPITALISED} | set(CAPITALISED)
    for _, writer in grammar.tasks.values():
        for _ in range(6000):
            found.update(pieces(writer().replace("*", "")))
    counts = {}
    for piece in sorted(p for p in found if not p.strip().isdigit()):
        if piece[0] == " ":
            counts[piece] = 20
        elif piece[0].isupper() or not piece[0].isalnum():
            counts[piece] = 8
    counts.update({" " + c: 4000 for c in CENTURIES})
    counts.update({f"{y:02d}": 10 for y in range(100)})
    return counts


def build_tokenizer():
    """Byte-level BPE over the distinct pieces; every piece ends up as one token."""
    counts = piece_counts()
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=4000, min_frequency=2, special_tokens=[EOT],
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
                                  show_progress=False)
    tokenizer.train_from_iterator((p for p, n in counts.items() for _ in range(n)), trainer)
    for piece in counts:
        assert len(tokenizer.encode(piece).ids) == 1, piece
    for year in range(1100, 2000):
        assert tokenizer.encode(f" {year}").tokens == [f"Ġ{year // 100}", f"{year % 100:02d}"], year
    return tokenizer


class Encoder:
    """Turns marked strings into token ids and marks, with every piece looked up once."""

    def __init__(self, tokenizer):
        self.tokenizer, self.known = tokenizer, {}

    def piece(self, text):
        if text not in self.known:
            self.known[text] = self.tokenizer.encode(text).ids
        return self.known[text]

    def __call__(self, marked):
        ids, marks = [], []
        for number, segment in enumerate(marked.split("*")):
            for place, text in enumerate(pieces(segment)):
                found = self.piece(text)
                ids += found
                marks += [number > 0 and place == 0] + [False] * (len(found) - 1)
        return ids, marks


# ---- rows of documents ----

class Rows:
    """Rows of CONTEXT + 1 tokens: whole documents one after another, the last one cut."""

    def __init__(self, tokenizer, seed):
        self.grammar, self.encode = Grammar(seed), Encoder(tokenizer)
        self.random = random.Random(seed + 1000003)
        self.vocabulary, self.eot = tokenizer.get_vocab_size(), tokenizer.token_to_id(EOT)

    def document(self):
        """Ids and loss weights: repeated ids (5 %), repeated words (10 %), else text."""
        draw = self.random.random()
        if draw < .05:
            return self.repeated_ids()
        if draw < .15:
            ids, marks = self.encode(self.grammar.words())
            return ids, [float(m) for m in marks]
        ids, marks = self.encode(self.grammar.text())
        return ids, [1.0 if m else TEXT_WEIGHT for m in marks]

    def repeated_ids(self):
        r = self.random
        length = r.randint(8, 96)
        period = r.randint(3, length // 2)
        turn = [r.randrange(self.vocabulary) for _ in range(period)]
        ids = (turn * (length // period + 1))[:length]
        return ids, [float(i > period) for i in range(length)]

    def row(self):
        ids, weights = [], []
        while len(ids) <= CONTEXT:
            more, weight = self.document()
            ids += more + [self.eot]
            weights += weight + [TEXT_WEIGHT]
        return ids[:CONTEXT + 1], [self.thinned(w) for w in weights[:CONTEXT + 1]]

    def thinned(self, weight):
        """Open words are judged one in three, at three times the weight: cheaper, the same mean."""
        if weight != TEXT_WEIGHT:
            return weight
        return TEXT_WEIGHT / TEXT_SHARE if self.random.random() < TEXT_SHARE else 0.0

    def batch(self):
        ids, weights = zip(*(self.row() for _ in range(ROWS)))
        return torch.tensor(ids), torch.tensor(weights)


# ---- the model, with the parameter names transformers uses ----

class Conv1D(nn.Module):
    """A linear map stored [in, out], as GPT-2 stores it."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x):
        return torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight).view(*x.shape[:-1], -1)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.c_attn, self.c_proj = Conv1D(WIDTH, 3 * WIDTH), Conv1D(WIDTH, WIDTH)

    def forward(self, x, want_pattern=False):
        rows, length, _ = x.shape
        q, k, v = (t.view(rows, length, HEADS, -1).transpose(1, 2)
                   for t in self.c_attn(x).split(WIDTH, dim=2))
        pattern = None
        if want_pattern:
            future = torch.ones(length, length, dtype=torch.bool).triu(1)
            scores = q @ k.transpose(2, 3) / math.sqrt(q.size(-1))
            pattern = scores.masked_fill(future, float("-inf")).softmax(-1)
            z = pattern @ v
        else:
            z = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(z.transpose(1, 2).reshape(rows, length, WIDTH)), pattern


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.c_fc, self.c_proj = Conv1D(WIDTH, 4 * WIDTH), Conv1D(4 * WIDTH, WIDTH)

    def forward(self, x):
        return self.c_proj(F.gelu(self.c_fc(x), approximate="tanh"))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1, self.attn = nn.LayerNorm(WIDTH, EPS), Attention()
        self.ln_2, self.mlp = nn.LayerNorm(WIDTH, EPS), MLP()

    def forward(self, x, want_pattern=False):
        out, pattern = self.attn(self.ln_1(x), want_pattern)
        x = x + out
        return x + self.mlp(self.ln_2(x)), pattern


class Transformer(nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocabulary, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.h = nn.ModuleList(Block() for _ in range(LAYERS))
        self.ln_f = nn.LayerNorm(WIDTH, EPS)


class GPT2(nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.transformer = Transformer(vocabulary)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                narrow = math.sqrt(2 * LAYERS) if name.endswith("c_proj.weight") else 1
                nn.init.normal_(p, std=0.05 / narrow)
        self.start_positions()

    def start_positions(self):
        """Positions begin as sinusoids with periods from 4 to 192 tokens."""
        half = WIDTH // 2
        frequency = 2 * math.pi / 4 * 48 ** (-torch.arange(half) / (half - 1))
        angle = torch.arange(CONTEXT)[:, None] * frequency[None]
        with torch.no_grad():
            self.transformer.wpe.weight.copy_(0.07 * torch.cat((angle.sin(), angle.cos()), 1))

    def forward(self, ids, look=()):
        """The last residual after the final norm, and the attention of the layers in `look`."""
        t = self.transformer
        x = t.wte(ids) + t.wpe.weight[:ids.size(1)]
        patterns = {}
        for number, block in enumerate(t.h):
            x, patterns[number] = block(x, number in look)
        return t.ln_f(x), patterns


# ---- training ----

def previous_hint(pattern):
    """How little head 0 looks at the previous token."""
    return -(pattern[:, 0].diagonal(offset=-1, dim1=1, dim2=2) + 1e-6).log().mean()


def induction_hint(pattern, ids, weights):
    """How little the first heads look behind the last occurrence of their token, where that is what comes next."""
    here, after = ids[:, :-1], ids[:, 1:]
    again = (here[:, :, None] == here[:, None]) & (after[:, :, None] == after[:, None]) & (weights[:, 1:, None] == 1)
    again = again.tril(-1)
    row, at = again.any(2).nonzero(as_tuple=True)
    last = (again[row, at] * torch.arange(here.size(1))).argmax(1)
    heads = [pattern[row, head, at, last + 1] for head in range(INDUCTION_HEADS)]
    return -(torch.stack(heads) + 1e-6).log().mean()


def batch_loss(model, ids, weights, step):
    """Weighted mean cross-entropy; where the weight is 0 nothing is unembedded.

    For some steps a head of layer 0 is asked to look at the previous token, for others two of layer 2 to be induction
    heads.
    """
    previous, induction = step in PREVIOUS_STEPS, step in INDUCTION_STEPS
    x, patterns = model(ids[:, :-1], [PREVIOUS_LAYER] * previous + [INDUCTION_LAYER] * induction)
    target, weight = ids[:, 1:].reshape(-1), weights[:, 1:].reshape(-1)
    keep = weight.nonzero().squeeze(1)
    target, weight = target[keep], weight[keep]
    logits = x.reshape(-1, WIDTH)[keep] @ model.transformer.wte.weight.T
    each = F.cross_entropy(logits, target, reduction="none")
    loss = (each * weight).sum() / weight.sum()
    if previous:
        loss = loss + PREVIOUS_HINT * previous_hint(patterns[PREVIOUS_LAYER])
    if induction:
        loss = loss + INDUCTION_HINT * induction_hint(patterns[INDUCTION_LAYER], ids, weights)
    return loss, each.detach()[weight == 1].mean().item()


def rate(step, steps, peak=PEAK, warmup=WARMUP):
    """Warm up, hold, then fall in a straight line over the last third or so."""
    if step < warmup:
        return peak * (step + 1) / warmup
    left = (steps - step) / (steps * (1 - HOLD))
    return peak * max(FLOOR, min(1.0, left))


def adamw(model):
    """Weights that are matrices decay, vectors do not."""
    matrices = [p for p in model.parameters() if p.dim() == 2]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    return torch.optim.AdamW([{"params": matrices, "weight_decay": 0.1},
                              {"params": vectors, "weight_decay": 0.0}],
                             lr=PEAK, betas=(0.9, 0.98), eps=1e-8)


def descend(model, optimizer, loss, at):
    """One step at the learning rate `at`."""
    for group in optimizer.param_groups:
        group["lr"] = at
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


def steady(threads):
    """The same seed then gives the same weights."""
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False


def train(tokenizer, seed, steps, every=0, out=None):
    """The whole run; with `every` the folder is also written now and then on the way."""
    torch.manual_seed(seed)
    model, rows = GPT2(tokenizer.get_vocab_size()), Rows(tokenizer, seed)
    optimizer = adamw(model)
    start, recent = time.time(), []
    for step in range(steps):
        loss, marked = batch_loss(model, *rows.batch(), step)
        descend(model, optimizer, loss, rate(step, steps))
        recent.append(marked)
        if (step + 1) % 50 == 0:
            mean = sum(recent) / len(recent)
            print(f"step {step + 1:5d}  marked {mean:.3f}  {time.time() - start:.0f} s", flush=True)
            recent.clear()
        if every and (step + 1) % every == 0:
            write_folder(model, tokenizer, out)
    return model


# ---- the folder ----

def write_tokenizer(tokenizer, out):
    tokenizer.save(str(out / "tokenizer.json"))
    tokenizer.model.save(str(out))  # vocab.json and merges.txt
    write_json(out / "tokenizer_config.json", {
        "tokenizer_class": "GPT2TokenizerFast", "model_max_length": CONTEXT, "add_prefix_space": False,
        "add_bos_token": False, "clean_up_tokenization_spaces": False,
        "bos_token": EOT, "eos_token": EOT, "unk_token": EOT})


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def write_folder(model, tokenizer, out):
    """A folder that AutoModelForCausalLM and AutoTokenizer open."""
    out.mkdir(parents=True, exist_ok=True)
    eot = tokenizer.token_to_id(EOT)
    write_tokenizer(tokenizer, out)
    write_json(out / "config.json", {
        "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "activation_function": "gelu_new",
        "vocab_size": tokenizer.get_vocab_size(), "n_positions": CONTEXT, "n_ctx": CONTEXT,
        "n_embd": WIDTH, "n_layer": LAYERS, "n_head": HEADS, "n_inner": None,
        "layer_norm_epsilon": EPS, "attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0,
        "initializer_range": 0.05, "tie_word_embeddings": True, "scale_attn_weights": True,
        "bos_token_id": eot, "eos_token_id": eot, "dtype": "float32", "use_cache": True})
    write_json(out / "generation_config.json",
               {"bos_token_id": eot, "eos_token_id": eot, "do_sample": False})
    weights = {name: p.detach().contiguous() for name, p in model.named_parameters()}
    save_file(weights, str(out / "model.safetensors"), metadata={"format": "pt"})
    (out / "model.safetensors").chmod(0o644)


def main():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=pathlib.Path, default=here / "demo")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--save-every", type=int, default=0, metavar="STEPS")
    options = parser.parse_args()
    steady(options.threads)
    tokenizer = build_tokenizer()
    print("vocabulary", tokenizer.get_vocab_size())
    start = time.time()
    model = train(tokenizer, options.seed, options.steps, options.save_every, options.out)
    seconds = round(time.time() - start)
    write_folder(model, tokenizer, options.out)
    import measure  # transformers is slow to import and training does not need it
    measure.write_report(options.out, {"seed": options.seed, "steps": options.steps,
                                       "threads": options.threads, "seconds": seconds})


if __name__ == "__main__":
    main()
