"""What every state of a decoder behind an encoder would answer, by transformers: tests/truth/two_stacks.json for
tests/test_method_two_stacks.c.

Of the golden models t5, t5_gated, bart, bart_scaled and their own prompts and targets (plain.safetensors): the decoder's
hidden states as transformers gives them, a state a layer (0: what the first layer reads), through the model's own last norm
and unembedding:
T5    decoder.final_layer_norm, times d_model ** -0.5 where the config says so, lm_head. The last hidden state that
      transformers gives has the norm in it; the one used here is caught in front of it.
BART  lm_head and final_logits_bias; norms stand behind the sums, so the states are the stream as it goes on.
For every state and target position: logits of every 7th token, the most probable token, its logit.
"""
import argparse
import json
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parents[2]
FAMILIES = ROOT / "tests/golden/families"
FOLDERS = ["t5", "t5_gated", "bart", "bart_scaled"]
STEP = 7
torch.set_num_threads(1)


def states_and_read(model, tokens, target):
    """Hidden states [layers + 1, t, d], and what turns one into logits."""
    caught = []
    if model.config.model_type == "t5":
        norm = model.decoder.final_layer_norm
        hook = norm.register_forward_pre_hook(lambda _, args: caught.append(args[0]))
        scale = model.config.d_model ** -0.5 if model.config.scale_decoder_outputs else 1.0
        read = lambda x: model.lm_head(norm(x) * scale)
    else:
        hook = None
        read = lambda x: model.lm_head(x) + model.final_logits_bias
    out = model(input_ids=tokens, decoder_input_ids=target, output_hidden_states=True)
    if hook:
        hook.remove()
    states = list(out.decoder_hidden_states)
    if caught:
        states[-1] = caught[0]
    return states, read, out.logits


def lens(folder):
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(FAMILIES / folder, dtype=torch.float32,
                                                               attn_implementation="eager").eval()
    plain = load_file(FAMILIES / folder / "plain.safetensors")
    tokens, target = (plain[k].long()[None] for k in ("tokens", "target"))
    with torch.no_grad():
        states, read, logits = states_and_read(model, tokens, target)
        said = [read(x)[0] for x in states]
    worst = (said[-1] - logits[0]).abs().max().item()
    assert worst < 1e-5, (folder, worst)
    rows = []
    for layer, x in enumerate(said):
        for position in range(x.shape[0]):
            best = int(x[position].argmax())
            rows.append(dict(layer=layer, position=position, best=best, logit=round(float(x[position, best]), 7),
                             logits=[round(float(v), 6) for v in x[position, ::STEP]]))
    return dict(folder=folder, tokens=tokens[0].tolist(), target=target[0].tolist(), step=STEP, rows=rows)


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    out = dict(transformers=transformers.__version__, torch=torch.__version__, lens=[lens(f) for f in FOLDERS])
    path = ROOT / "tests/truth/two_stacks.json"
    path.write_text(json.dumps(out, separators=(",", ":")) + "\n")
    print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
