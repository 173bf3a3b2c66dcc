"""What `lens --text` should say of a few documents: states caught by hooks in transformers, float64, plain torch.

    python tools/truth/lens_text.py     writes tests/truth/lens_text.json
"""
import json
import pathlib

import torch
from transformers import AutoTokenizer, GPT2LMHeadModel

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = 6
K = 50


def states_of(model, ids):
    """[2 layers + 1, n, d]: before the first block, behind each attention, behind each block."""
    kept = {}
    hooks = []
    for i, block in enumerate(model.transformer.h):
        hooks.append(block.register_forward_pre_hook(lambda m, x, i=i: kept.__setitem__(("pre", i), x[0][0])))
        hooks.append(block.attn.register_forward_hook(lambda m, x, y, i=i: kept.__setitem__(("attn", i), y[0][0])))
        hooks.append(block.mlp.register_forward_hook(lambda m, x, y, i=i: kept.__setitem__(("mlp", i), y[0])))
    logits = model(torch.tensor([ids]), use_cache=False).logits[0]
    for h in hooks:
        h.remove()
    out = [kept["pre", 0]]
    for i in range(len(model.transformer.h)):
        mid = kept["pre", i] + kept["attn", i]
        out += [mid, mid + kept["mlp", i]]
    return torch.stack(out), logits


def figures(log_p, log_q, ids):
    """log_p of a state, log_q of the answer, [n - 1, v]."""
    p, q, target = log_p.exp(), log_q.exp(), torch.tensor(ids[1:])
    top = torch.topk(log_p, K).indices
    best = torch.topk(log_q, K).indices
    both = [len(set(a.tolist()) & set(b.tolist())) / K for a, b in zip(top, best)]
    return {
        "entropy_bits": (-(p * log_p).sum(-1) / torch.log(torch.tensor(2.0, dtype=torch.float64))).sum().item(),
        "kl_nats": (q * (log_q - log_p)).sum().item(),
        "kl_state_nats": (p * (log_p - log_q)).sum().item(),
        "overlap": sum(both),
        "same": (log_p.argmax(-1) == log_q.argmax(-1)).sum().item(),
        "accuracy": (log_p.argmax(-1) == target).sum().item(),
        "loss": -log_p[torch.arange(len(target)), target].sum().item(),
    }


@torch.no_grad()
def main():
    folder = ROOT / "models/demo"
    model = GPT2LMHeadModel.from_pretrained(folder, attn_implementation="eager").double().eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    out = []
    for text in (folder / "held-out.txt").read_text().split("\n")[:DOCUMENTS]:
        ids = tokenizer(text)["input_ids"]
        states, logits = states_of(model, ids)
        log_q = torch.log_softmax(logits[:-1], -1)
        rows = []
        for x in states:
            row = torch.log_softmax(model.lm_head(model.transformer.ln_f(x))[:-1], -1)
            rows.append({k: float(f"{v:.9g}") for k, v in figures(row, log_q, ids).items()})
        out.append({"tokens": len(ids), "states": rows})
    (ROOT / "tests/truth/lens_text.json").write_text(json.dumps(out, indent=0) + "\n")


if __name__ == "__main__":
    main()
