"""Rotary tables of transformers (inverse frequencies, cosines and sines at some positions of runs of some lengths), for
tests/test_rope.c.

    python tools/truth/rope.py       (torch, transformers)

Each run is a fresh model's: its tables remember earlier runs where they depend on the length.
"""
import json
from pathlib import Path

import torch
from transformers import Gemma3TextConfig, GPTNeoXConfig, LlamaConfig, Phi3Config, StableLmConfig
from transformers.models.gemma3.modeling_gemma3 import Gemma3RotaryEmbedding
from transformers.models.gpt_neox.modeling_gpt_neox import GPTNeoXRotaryEmbedding
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding
from transformers.models.phi3.modeling_phi3 import Phi3RotaryEmbedding
from transformers.models.stablelm.modeling_stablelm import StableLmRotaryEmbedding

ROOT = Path(__file__).resolve().parents[2]
LLAMA31 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
               original_max_position_embeddings=8192)
SHORT = [1.0, 1.02, 1.05, 1.1, 1.3, 1.7, 2.25, 3.0]
LONG = [1.0, 1.3, 2.1, 4.4, 9.75, 20.3, 33.0, 64.5]
PHI = dict(original_max_position_embeddings=64, max_position_embeddings=2048)
GPT_OSS = dict(rope_type="yarn", factor=32.0, beta_fast=32.0, beta_slow=1.0, truncate=False,
               original_max_position_embeddings=4096)
LLAMA = (LlamaConfig, LlamaRotaryEmbedding)
PART = (StableLmConfig, StableLmRotaryEmbedding)
# the class, the head's width, fields of config.json in the old spelling and the new one, and lengths of runs
CASES = [
    (LLAMA, 128, {}),
    (LLAMA, 8, dict(rope_theta=10000.0, rope_scaling=None)),
    (LLAMA, 128, dict(rope_theta=500000.0, max_position_embeddings=131072, rope_scaling=LLAMA31)),
    (LLAMA, 64, dict(rope_parameters=dict(LLAMA31, rope_theta=500000.0, factor=32.0), max_position_embeddings=131072)),
    (LLAMA, 64, dict(rope_theta=500000.0, max_position_embeddings=2048,
                     rope_scaling=dict(type="llama3", factor=2.5, low_freq_factor=1.5, high_freq_factor=3.0))),
    (LLAMA, 80, dict(rope_theta=1000000.0, rope_scaling=dict(type="linear", factor=4.0))),
    (LLAMA, 10, dict(rope_parameters=dict(rope_type="linear", rope_theta=100.0, factor=2.5), rope_theta=7.0)),
    (LLAMA, 64, dict(rope_theta=20000.0, rope_scaling={}, rope_parameters=dict(rope_type="default"))),
    (LLAMA, 64, dict(rope_theta=500000.0, max_position_embeddings=131072, original_max_position_embeddings=4096,
                     rope_scaling=LLAMA31)),
    # a share of the head, an odd one too
    (PART, 20, dict(partial_rotary_factor=0.4)),
    (PART, 14, dict(partial_rotary_factor=0.5, rope_theta=500.0)),
    (PART, 30, dict(rope_parameters=dict(rope_type="linear", rope_theta=300.0, factor=3.0, partial_rotary_factor=0.3))),
    ((GPTNeoXConfig, GPTNeoXRotaryEmbedding), 12, dict(rotary_pct=0.25)),
    # dynamic
    (LLAMA, 32, dict(max_position_embeddings=64, rope_scaling=dict(type="dynamic", factor=2.0)),
     (2, 63, 64, 65, 100, 4096, 100001)),
    (LLAMA, 10, dict(max_position_embeddings=48, rope_parameters=dict(rope_type="dynamic", rope_theta=500.0, factor=3)),
     (48, 49, 777)),
    (PART, 12, dict(max_position_embeddings=48, rope_parameters=dict(rope_type="dynamic", rope_theta=500.0, factor=1.7,
                                                                     partial_rotary_factor=0.6)), (48, 49, 777)),
    # yarn
    (LLAMA, 64, dict(max_position_embeddings=32768, rope_theta=1000000.0,
                     rope_scaling=dict(type="yarn", factor=4.0, original_max_position_embeddings=32768))),
    (LLAMA, 64, dict(max_position_embeddings=131072, rope_parameters=dict(GPT_OSS, rope_theta=150000.0))),
    (LLAMA, 32, dict(max_position_embeddings=4096, rope_parameters=dict(
        rope_type="yarn", factor=40, beta_fast=16, beta_slow=2, mscale=0.9, mscale_all_dim=0.6,
        original_max_position_embeddings=2048, rope_theta=10000.0))),
    (LLAMA, 16, dict(max_position_embeddings=512, rope_scaling=dict(rope_type="yarn", factor=None, attention_factor=0.75,
                                                                    original_max_position_embeddings=100))),
    (PART, 20, dict(max_position_embeddings=300, rope_scaling=dict(rope_type="yarn", factor=2.5, mscale=0.5),
                    partial_rotary_factor=0.6)),
    (LLAMA, 8, dict(max_position_embeddings=8, rope_theta=1e12, rope_scaling=dict(rope_type="yarn", factor=0.5))),
    # longrope
    ((Phi3Config, Phi3RotaryEmbedding), 16, dict(PHI, rope_scaling=dict(
        type="su", short_factor=SHORT, long_factor=LONG, original_max_position_embeddings=64)),
     (1, 64, 65, 2048, 100001)),
    (LLAMA, 16, dict(max_position_embeddings=4096, rope_theta=500.0, rope_scaling=dict(
        rope_type="longrope", factor=3.5, original_max_position_embeddings=100, short_factor=SHORT, long_factor=LONG)),
     (100, 101)),
    (PART, 20, dict(PHI, partial_rotary_factor=0.8, rope_scaling=dict(
        rope_type="longrope", attention_factor=1.25, original_max_position_embeddings=100, short_factor=SHORT,
        long_factor=LONG)), (64, 65)),
    (LLAMA, 16, dict(max_position_embeddings=32, rope_scaling=dict(rope_type="longrope", short_factor=SHORT,
                                                                   long_factor=LONG)), (32, 33)),
]
POSITIONS = [0, 1, 17, 511, 8191, 100000, 131071]
GEMMA3 = (Gemma3TextConfig, Gemma3RotaryEmbedding)
# one of several sets
PARTS = [
    (GEMMA3, 16, dict(rope_theta=5000.0, rope_local_base_freq=300.0, rope_scaling=dict(rope_type="linear", factor=8.0))),
    (GEMMA3, 16, dict(rope_parameters=dict(
        full_attention=dict(rope_type="yarn", factor=4.0, rope_theta=2000.0),
        sliding_attention=dict(rope_type="default", rope_theta=70.0)), max_position_embeddings=512)),
]


def rounded(tensor):
    return [float(f"{x:.9g}") for x in tensor.tolist()]


def run(made, width, fields, length, part=None):
    config = made[0](**json.loads(json.dumps(dict(fields, head_dim=width, hidden_size=4 * width, num_attention_heads=4))))
    rotary = made[1](config)
    positions = [p for p in POSITIONS if p < length - 1] + [length - 1]
    cos, sin = rotary(torch.zeros(1), torch.tensor([positions]), *([part] if part else []))
    inverse = getattr(rotary, f"{part}_inv_freq") if part else rotary.inv_freq
    half = len(inverse)
    return dict(length=length, positions=positions, inverse=rounded(inverse), cos=[rounded(x[:half]) for x in cos[0]],
                sin=[rounded(x[:half]) for x in sin[0]])


def case(made, width, fields, lengths=(131072,), part=None):
    return dict(width=width, config=fields, runs=[run(made, width, fields, n, part) for n in lengths],
                older=made[0] is Phi3Config, share=0.25 if made[0] is GPTNeoXConfig else 0, part=part)


def main():
    out = ROOT / "tests" / "truth" / "rope.json"
    cases = [case(*c) for c in CASES]
    cases += [case(*c, part=p) for c in PARTS for p in ("full_attention", "sliding_attention")]
    out.write_text(json.dumps(dict(cases=cases), separators=(",", ":")))
    print(out, out.stat().st_size)


if __name__ == "__main__":
    main()
