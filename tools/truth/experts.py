"""Golden mixtures of experts under the names that transformers has for them in memory, for tests/test_save_families.c.

    python tools/truth/experts.py               writes tests/truth/experts/NAME.safetensors

The tensors are those of model.state_dict(): what torch.save(model.state_dict()) writes, and safetensors' save_model.
"""
import pathlib

import safetensors.torch
import torch
from transformers import AutoModelForCausalLM

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "tests/truth/experts"


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for name in ("mixtral", "qwen3_moe"):
        model = AutoModelForCausalLM.from_pretrained(ROOT / "tests/golden/families" / name, dtype=torch.float32)
        tensors = {key: value.detach().clone().contiguous() for key, value in model.state_dict().items()}
        assert any(key.endswith("mlp.experts.gate_up_proj") for key in tensors), name
        safetensors.torch.save_file(tensors, OUT / f"{name}.safetensors")


if __name__ == "__main__":
    main()
