"""Activations of the demo model by torch hooks in float64, for tests/test_method_activations.c.

    python tools/truth/activations.py       (torch, transformers)
"""
from pathlib import Path
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = Path(__file__).resolve().parents[2]
PROMPT = "When Mary and John went to the store, John gave a drink to"


def run(model, ids, edited):
    """Values by kind, a list with an entry for each layer: [position, number]."""
    kept = {"resid_post": [], "mlp_post": [], "z": [], "embed": []}
    heads = model.config.n_head

    def z(layer):
        def hook(_, args):
            x = args[0].clone().view(*args[0].shape[:2], heads, -1)
            if edited and layer == 2:
                x[:, :, 1] = 0
            kept["z"].append(x[0, :, 2])
            return (x.view(args[0].shape),)
        return hook

    handles = [model.transformer.wte.register_forward_hook(lambda m, a, o: kept["embed"].append(o[0]))]
    for i, block in enumerate(model.transformer.h):
        handles.append(block.attn.c_proj.register_forward_pre_hook(z(i)))
        handles.append(block.mlp.act.register_forward_hook(lambda m, a, o: kept["mlp_post"].append(o[0])))
        handles.append(block.register_forward_hook(
            lambda m, a, o: kept["resid_post"].append((o[0] if isinstance(o, tuple) else o)[0])))
    with torch.no_grad():
        model(ids)
    for h in handles:
        h.remove()
    return kept


def main():
    model = AutoModelForCausalLM.from_pretrained(ROOT / "models/demo", attn_implementation="eager", dtype=torch.float64).eval()
    ids = AutoTokenizer.from_pretrained(ROOT / "models/demo")(PROMPT, return_tensors="pt").input_ids
    out = {}
    for edited in (False, True):
        for kind, layers in run(model, ids, edited).items():
            name, x = kind + (".edited" if edited else ""), torch.stack(layers)
            out[name + ".mean"] = x.mean(-1)
            out[name + ".norm"] = x.norm(dim=-1)
            out[name + ".max"] = x.max(-1).values
            out[name + ".share_above_0"] = (x > 0).double().mean(-1)
            top = x[:, -1].abs().topk(5, dim=-1).indices
            out[name + ".top"], out[name + ".top_values"] = top, x[:, -1].gather(-1, top)
            if kind == "mlp_post":
                out[name + ".unit"] = x[3, :, 17]
    with open(ROOT / "tests/truth/activations.txt", "w") as file:
        for name, values in out.items():
            file.write(name + "".join(f" {float(v):.9g}" for v in values.flatten()) + "\n")


if __name__ == "__main__":
    main()
