"""Rotary tables of transformers (inverse frequencies, cosines and sines at some positions), for tests/test_rope.c.

    python tools/truth/rope.py       (torch, transformers)
"""
import json
from pathlib import Path

import torch
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

ROOT = Path(__file__).resolve().parents[2]
LLAMA31 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
               original_max_position_embeddings=8192)
# fields of config.json beside the head's width, in the old spelling and the new one
CASES = [
    (128, {}),
    (8, dict(rope_theta=10000.0, rope_scaling=None)),
    (128, dict(rope_theta=500000.0, max_position_embeddings=131072, rope_scaling=LLAMA31)),
    (64, dict(rope_parameters=dict(LLAMA31, rope_theta=500000.0, factor=32.0), max_position_embeddings=131072)),
    (64, dict(rope_theta=500000.0, max_position_embeddings=2048,
              rope_scaling=dict(type="llama3", factor=2.5, low_freq_factor=1.5, high_freq_factor=3.0))),
    (80, dict(rope_theta=1000000.0, rope_scaling=dict(type="linear", factor=4.0))),
    (10, dict(rope_parameters=dict(rope_type="linear", rope_theta=100.0, factor=2.5), rope_theta=7.0)),
    (64, dict(rope_theta=20000.0, rope_scaling={}, rope_parameters=dict(rope_type="default"))),
    (64, dict(rope_theta=500000.0, max_position_embeddings=131072, original_max_position_embeddings=4096,
              rope_scaling=LLAMA31)),
]
POSITIONS = [0, 1, 17, 511, 8191, 131071]


def case(width, fields):
    config = LlamaConfig(**json.loads(json.dumps(dict(fields, head_dim=width))))
    rotary = LlamaRotaryEmbedding(config)
    cos, sin = rotary(torch.zeros(1), torch.tensor([POSITIONS]))
    return dict(width=width, config=fields, inverse=rotary.inv_freq.tolist(), cos=cos[0, :, :width // 2].tolist(),
                sin=sin[0, :, :width // 2].tolist())


def main():
    out = ROOT / "tests" / "truth" / "rope.json"
    cases = [case(*c) for c in CASES]
    out.write_text(json.dumps(dict(positions=POSITIONS, cases=cases), separators=(",", ":")))
    print(out, out.stat().st_size)


if __name__ == "__main__":
    main()
