"""What `eval` and `layers` should say of a few documents: transformers in float64, blocks put into other orders.

    python tools/truth/layers.py        writes tests/truth/layers.json
"""
import json
import pathlib

import torch
from transformers import AutoTokenizer, GPT2LMHeadModel

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = 6


def orders(layers):
    """Every change as the blocks that run."""
    plain = list(range(layers))
    swap = [plain[:i] + [i + 1, i] + plain[i + 2:] for i in range(layers - 1)]
    skip = [plain[:i] + plain[i + 1:] for i in range(layers)]
    repeat = [plain[:i] + [i, i] + plain[i + 1:] for i in range(layers)]
    return {"swap": swap, "skip": skip, "repeat": repeat, "order": [[3, 2, 1, 0]], "swap2": [[2, 3, 0, 1]], "skip2": [[2, 3], [0, 3], [0, 1]]}


@torch.no_grad()
def log_probs(model, blocks, order, ids):
    for place, block in enumerate(order):
        blocks[block].attn.layer_idx = place
    model.transformer.h = torch.nn.ModuleList([blocks[i] for i in order])
    model.config.num_hidden_layers = len(order)
    logits = model(torch.tensor([ids]), use_cache=False).logits[0, :-1]
    return torch.log_softmax(logits, -1)


def figures(before, after, ids):
    target = torch.tensor(ids[1:])
    p = after.exp()
    return {
        "kl": (before.exp() * (before - after)).sum(-1).mean().item(),
        "same": (before.argmax(-1) == after.argmax(-1)).double().mean().item(),
        "right": (after.argmax(-1) == target).double().mean().item(),
        "loss": -after[torch.arange(len(target)), target].mean().item(),
        "entropy": -(p * after).sum(-1).mean().item() / torch.log(torch.tensor(2.0)).item(),
    }


def main():
    folder = ROOT / "models/demo"
    model = GPT2LMHeadModel.from_pretrained(folder, attn_implementation="eager").double().eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    blocks = list(model.transformer.h)
    texts = (folder / "held-out.txt").read_text().split("\n")[:DOCUMENTS]
    plain = list(range(len(blocks)))
    out = []
    for text in texts:
        ids = tokenizer(text)["input_ids"]
        before = log_probs(model, blocks, plain, ids)
        row = {"tokens": len(ids), "model": figures(before, before, ids)}
        for name, list_of in orders(len(blocks)).items():
            row[name] = [figures(before, log_probs(model, blocks, o, ids), ids) for o in list_of]
        out.append(row)
    (ROOT / "tests/truth/layers.json").write_text(json.dumps(out, indent=0) + "\n")


if __name__ == "__main__":
    main()
