"""Train models/seq2seq: `python models/train_seq2seq.py [--seed N] [--out DIR]`.

A T5 of the first form (ReLU, tied head scaled by 1/sqrt(width)) learns to turn an active sentence
into the passive one, voice.py.  It is built and trained with transformers on the CPU, stored in
float16, opened again and measured on what was held out (measure_seq2seq.py).
"""
import argparse
import math
import os
import pathlib
import string
import time

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import T5Config, T5ForConditionalGeneration

import voice
from train import adamw, descend, rate, steady, write_json

PAD, EOS, UNK = "<pad>", "</s>", "<unk>"
STEPS, PAIRS, PEAK, WARMUP = 6000, 48, 2e-3, 300
SHAPE = {"d_model": 96, "d_kv": 24, "num_heads": 4, "d_ff": 256, "num_layers": 3, "num_decoder_layers": 3,
         "relative_attention_num_buckets": 32, "relative_attention_max_distance": 64}


# ---- tokenizer ----

def build_tokenizer():
    """Unigram pieces: every word whole with the mark of its space, the full stop, the mark alone, letters.

    The scores make the fewest pieces best: a word of the list is one, a plural its noun and an s,
    any other the longest word that it begins with, or the mark, and letters.
    """
    words = ["▁" + w for w in voice.vocabulary()]
    pieces = [(PAD, 0.0), (EOS, 0.0), (UNK, 0.0), ("▁", -8.0), (".", -4.0)] + [(w, -6.0) for w in words]
    pieces += [(letter, -9.0) for letter in string.ascii_letters]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=2, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.WhitespaceSplit(),
        pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True)])
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always", split=True)
    tokenizer.add_special_tokens([PAD, EOS, UNK])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {EOS}", pair=f"$A {EOS} $B {EOS}", special_tokens=[(EOS, 1)])
    for word in voice.vocabulary():
        assert tokenizer.encode(word + ".").tokens == ["▁" + word, ".", EOS], word
    return tokenizer


# ---- training ----

def padded(rows, fill):
    most = max(map(len, rows))
    return torch.tensor([r + [fill] * (most - len(r)) for r in rows])


class Batches:
    """Pairs of ids, drawn 16 batches at a time and sorted by length: little padding."""

    def __init__(self, tokenizer, seed):
        self.voice, self.tokenizer, self.ready = voice.Voice(seed), tokenizer, []

    def next(self):
        if not self.ready:
            texts = [self.voice.pair() for _ in range(16 * PAIRS)]
            sides = [[e.ids for e in self.tokenizer.encode_batch(list(side))] for side in zip(*texts)]
            pairs = sorted(zip(*sides), key=lambda p: len(p[0]))
            self.ready = [pairs[i:i + PAIRS] for i in range(0, len(pairs), PAIRS)]
            self.voice.random.shuffle(self.ready)
        source, target = zip(*self.ready.pop())
        source = padded(source, 0)
        return {"input_ids": source, "attention_mask": (source != 0).long(), "labels": padded(target, -100)}


def build_model(tokenizer):
    config = T5Config(vocab_size=tokenizer.get_vocab_size(), dropout_rate=0.0, feed_forward_proj="relu",
                      tie_word_embeddings=True, decoder_start_token_id=0, pad_token_id=0, eos_token_id=1, **SHAPE)
    model = T5ForConditionalGeneration(config)
    model.generation_config.decoder_start_token_id = 0
    return model


def train(tokenizer, seed, steps, out):
    torch.manual_seed(seed)
    model, batches = build_model(tokenizer).train(), Batches(tokenizer, seed)
    optimizer = adamw(model)
    start, recent = time.time(), []
    for step in range(steps):
        loss = model(**batches.next()).loss
        descend(model, optimizer, loss, rate(step, steps, PEAK, WARMUP))
        recent.append(loss.item())
        if (step + 1) % 50 == 0:
            print(f"step {step + 1:5d}  loss {sum(recent) / len(recent):.4f}  {time.time() - start:.0f} s", flush=True)
            recent.clear()
        if (step + 1) % 500 == 0 and step + 1 < steps:
            write_folder(model, tokenizer, out)
            print(f"  of 96 new pairs {quick(model, tokenizer):.3f} right", flush=True)
    return model.eval()


def quick(model, tokenizer):
    """A share to watch during training: greedy answers to new pairs of the training kind."""
    model.eval()
    draw = voice.Voice(77)
    source, target = zip(*(draw.pair() for _ in range(96)))
    ids = padded([tokenizer.encode(s).ids for s in source], 0)
    said = model.generate(input_ids=ids, attention_mask=(ids != 0).long(), max_new_tokens=48, do_sample=False)
    model.train()
    return sum(tokenizer.decode(s.tolist()) == t for s, t in zip(said, target)) / len(target)


# ---- the folder ----

def write_folder(model, tokenizer, out):
    """A folder that AutoModelForSeq2SeqLM and AutoTokenizer open; weights in float16."""
    out.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(out / "tokenizer.json"))
    special = {"eos_token": EOS, "unk_token": UNK, "pad_token": PAD}
    write_json(out / "special_tokens_map.json", special)
    write_json(out / "tokenizer_config.json", {
        "tokenizer_class": "T5Tokenizer", "extra_ids": 0, "model_max_length": 64,
        "clean_up_tokenization_spaces": False, **special})
    write_json(out / "config.json", {
        "architectures": ["T5ForConditionalGeneration"], "model_type": "t5", "is_encoder_decoder": True,
        "vocab_size": tokenizer.get_vocab_size(), **SHAPE, "feed_forward_proj": "relu", "dense_act_fn": "relu",
        "is_gated_act": False, "layer_norm_epsilon": 1e-6, "dropout_rate": 0.0, "initializer_factor": 1.0,
        "tie_word_embeddings": True, "decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1,
        "dtype": "float16", "use_cache": True})
    write_json(out / "generation_config.json", {"decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1,
                                                "max_new_tokens": 48, "do_sample": False})
    weights = {name: p.detach().half().contiguous() for name, p in model.named_parameters()}
    assert all(w.isfinite().all() for w in weights.values())
    save_file(weights, str(out / "model.safetensors"), metadata={"format": "pt"})
    (out / "model.safetensors").chmod(0o644)


def main():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=pathlib.Path, default=here / "seq2seq")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    steady(options.threads)
    tokenizer = build_tokenizer()
    start = time.time()
    model = train(tokenizer, options.seed, options.steps, options.out)
    write_folder(model, tokenizer, options.out)
    import measure_seq2seq
    measure_seq2seq.report(options.out, {"seed": options.seed, "steps": options.steps, "threads": options.threads,
                                         "minutes": math.ceil((time.time() - start) / 60)})


if __name__ == "__main__":
    main()
