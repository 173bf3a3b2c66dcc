"""What `norms` should say of a few documents: writes and streams caught by hooks in transformers, float64.

    python tools/truth/norms.py         writes tests/truth/norms.json
"""
import json
import pathlib

import torch
from transformers import AutoTokenizer, GPT2LMHeadModel

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = 6


def writes_of(model, ids):
    kept = {}
    hooks = []
    for i, block in enumerate(model.transformer.h):
        hooks.append(block.register_forward_pre_hook(lambda m, x, i=i: kept.__setitem__(("pre", i), x[0][0])))
        hooks.append(block.attn.register_forward_hook(lambda m, x, y, i=i: kept.__setitem__(("attn", i), y[0][0])))
        hooks.append(block.mlp.register_forward_hook(lambda m, x, y, i=i: kept.__setitem__(("mlp", i), y[0])))
    model(torch.tensor([ids]), use_cache=False)
    for h in hooks:
        h.remove()
    return kept


@torch.no_grad()
def main():
    folder = ROOT / "models/demo"
    model = GPT2LMHeadModel.from_pretrained(folder, attn_implementation="eager").double().eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    out = []
    for text in (folder / "held-out.txt").read_text().split("\n")[:DOCUMENTS]:
        ids = tokenizer(text)["input_ids"]
        kept = writes_of(model, ids)
        rows = []
        for i in range(model.config.n_layer):
            pre, attn, mlp = kept["pre", i], kept["attn", i], kept["mlp", i]
            mid = pre + attn
            values = {
                "pre_norm": pre.norm(dim=-1), "post_norm": (mid + mlp).norm(dim=-1), "attn_norm": attn.norm(dim=-1),
                "mlp_norm": mlp.norm(dim=-1), "attn_ratio": attn.norm(dim=-1) / pre.norm(dim=-1),
                "mlp_ratio": mlp.norm(dim=-1) / mid.norm(dim=-1),
                "attn_cosine": torch.cosine_similarity(attn, pre, -1, 1e-300), "mlp_cosine": torch.cosine_similarity(mlp, mid, -1, 1e-300),
            }
            rows.append({k: [float(f"{v.sum().item():.9g}"), float(f"{v[1:].sum().item():.9g}")] for k, v in values.items()})
        out.append({"tokens": len(ids), "layers": rows})
    (ROOT / "tests/truth/norms.json").write_text(json.dumps(out, indent=0) + "\n")


if __name__ == "__main__":
    main()
