"""Logits and gradients of tests/golden/llama_grouped's weights under each scaling of rotary positions, by transformers in
runs shorter and longer than the original length, for tests/test_rope_length.c.

    python tools/truth/rope_models.py       (torch, transformers)
"""
import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "golden" / "llama_grouped"
SHORT, LONG = [1.0, 1.1, 1.3, 1.6, 2.0], [1.0, 2.0, 5.5, 12.0, 30.0]
CASES = [
    (dict(max_position_embeddings=12, rope_scaling=dict(type="dynamic", factor=4.0)), (5, 12, 13, 33)),
    (dict(max_position_embeddings=40, rope_scaling=dict(type="yarn", factor=4.0, original_max_position_embeddings=10)),
     (5, 33)),
    (dict(max_position_embeddings=40, rope_theta=500.0, rope_scaling=dict(
        type="yarn", factor=4.0, original_max_position_embeddings=10, beta_fast=4.0, beta_slow=0.5, truncate=False,
        attention_factor=0.8)), (33,)),
    (dict(max_position_embeddings=40, rope_scaling=dict(
        type="longrope", original_max_position_embeddings=12, short_factor=SHORT, long_factor=LONG)), (5, 12, 13, 33)),
]


def run(config, weights, n):
    torch.manual_seed(0)
    model = LlamaForCausalLM._from_config(config, attn_implementation="eager").eval()
    left = model.load_state_dict(weights, strict=False)
    assert not left.missing_keys and not left.unexpected_keys, left
    tokens = torch.tensor([[(i * 7 + i * i // 3 + 5) % config.vocab_size for i in range(n)]])
    stream = model.model.embed_tokens(tokens).detach().requires_grad_()
    logits = model(inputs_embeds=stream, use_cache=False).logits[0]
    logits[-1, 3].backward()
    rows = sorted({0, n // 2, n - 1})
    return dict(n=n, rows=rows, logits=[numbers(logits[r]) for r in rows], grad=[numbers(stream.grad[0, r]) for r in rows])


def numbers(row):
    return [float(f"{x:.9g}") for x in row.tolist()]


def main():
    torch.set_num_threads(1)
    weights = load_file(FOLDER / "model.safetensors")
    own = json.loads((FOLDER / "config.json").read_text())
    cases = []
    for fields, lengths in CASES:
        kept = {k: v for k, v in own.items() if k not in ("rope_parameters", *fields)}
        config = {**kept, **fields}
        runs = [run(LlamaConfig(**json.loads(json.dumps(config))), weights, n) for n in lengths]
        cases.append(dict(config=json.dumps(config), runs=runs))
    out = ROOT / "tests" / "truth" / "rope_models.json"
    out.write_text(json.dumps(dict(cases=cases), separators=(",", ":")))
    print(out, out.stat().st_size)


if __name__ == "__main__":
    main()
