"""Truth for tests/test_method_attribute_encoders.c: captum's layer integrated gradients and layer conductance.

    python tools/truth/attribute_encoders.py        writes tests/truth/attribute_encoders.json

captum 0.9 on the tiny models of tests/golden/families (and models/demo) through transformers, eager attention, float64
from the float32 weights. x is what the model's embedding layer gives (encoders: behind its norm, at the embedding layer;
demo: the token embeddings); b is what it gives where every token but those of the tokenizer's frame is padding, positions
and types unchanged. Spans are the pair start <= end of at most 15 tokens of the last stretch between the frame's tokens whose
logits sum to the most. Histograms are numpy's, the entropy scipy's. Nothing here reads a number that sonde computed.
"""
import json
from pathlib import Path

import numpy
import torch
from captum.attr import LayerConductance, LayerIntegratedGradients
from scipy import stats
from transformers import (AutoModelForMaskedLM, AutoModelForQuestionAnswering, AutoModelForSequenceClassification,
                          AutoTokenizer, GPT2LMHeadModel)

ROOT = Path(__file__).resolve().parents[2]
STEPS, FEWER, BINS = 20, (1, 2, 8), 10
KINDS = {"class": AutoModelForSequenceClassification, "qa": AutoModelForQuestionAnswering, "mlm": AutoModelForMaskedLM}
QUESTION, SENTENCE, FILL = "who sees [SEP] the cat sees a dog", "the small dog hears a man.", "the cat [MASK] houses."
CASES = [
    dict(folder="bert_class", kind="class", text=SENTENCE), dict(folder="bert_class", kind="class", text=SENTENCE, label=0),
    dict(folder="distilbert_class", kind="class", text=SENTENCE), dict(folder="roberta_class", kind="class", text="The cat sees."),
    dict(folder="bert_qa", kind="qa", text=QUESTION), dict(folder="distilbert_qa", kind="qa", text=QUESTION),
    dict(folder="roberta_qa", kind="qa", text="The cat seed"),
    dict(folder="bert_qa", kind="qa", text="who sees", pair="the cat sees a dog"),
    dict(folder="bert_mlm", kind="mlm", text=FILL), dict(folder="distilbert_mlm", kind="mlm", text=FILL),
    dict(folder="roberta_mlm", kind="mlm", text="The cat <mask> the house."),
]


class Encoder:
    """One prompt in one model: its ids, its baseline's, and the answers as functions of ids or of embeddings."""

    def __init__(self, case):
        folder = ROOT / "tests/golden/families" / case["folder"]
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        model = KINDS[case["kind"]].from_pretrained(folder, attn_implementation="eager", dtype=torch.float32)
        self.model, self.kind = model.double().eval(), case["kind"]
        self.body = getattr(self.model, self.model.base_model_prefix)
        self.blocks = self.body.encoder.layer if hasattr(self.body, "encoder") else self.body.transformer.layer
        encoded = self.tokenizer(case["text"], case.get("pair"), return_tensors="pt")
        self.ids = encoded["input_ids"]
        self.types = encoded.get("token_type_ids", torch.zeros_like(self.ids))
        self.n = self.ids.shape[1]
        frame = set(self.tokenizer.build_inputs_with_special_tokens([])) if hasattr(
            self.tokenizer, "build_inputs_with_special_tokens") else set(self.tokenizer("")["input_ids"])
        self.frame = [int(i) in frame for i in self.ids[0]]
        assert self.frame[0] and self.frame[-1]
        pad = self.tokenizer.pad_token_id
        self.reference = torch.tensor([[int(i) if f else pad for i, f in zip(self.ids[0], self.frame)]])

    def embeddings(self, ids):
        return self.body.embeddings(ids, **self.places(ids))

    def places(self, ids):
        """Positions count on where padding stands."""
        if self.model.config.model_type == "distilbert":
            return {}
        first = self.model.config.pad_token_id + 1 if self.model.config.model_type == "roberta" else 0
        return dict(position_ids=torch.arange(first, first + self.n).expand(ids.shape), token_type_ids=self.types.expand(ids.shape))

    def run(self, ids):
        return self.model(ids, attention_mask=torch.ones_like(ids), **self.places(ids))

    def answer(self, ids, side=None, position=None):
        out = self.run(ids)
        if self.kind == "class":
            return out.logits
        return (out.start_logits, out.end_logits)[side] if self.kind == "qa" else out.logits[:, position]

    def of_embeddings(self, full, **which):
        """The same where the embedding layer gives `full`."""
        hook = self.body.embeddings.register_forward_hook(lambda m, i, o: full)
        try:
            return self.answer(self.ids.expand(full.shape[0], self.n), **which)
        finally:
            hook.remove()


def best_span(encoder, out):
    end = encoder.n
    while encoder.frame[end - 1]:
        end -= 1
    first = end - 1
    while not encoder.frame[first - 1]:
        first -= 1
    spans = [(float(out.start_logits[0, s] + out.end_logits[0, e]), s, e) for s in range(first, end)
             for e in range(s, min(end, s + 15))]
    return max(spans)[1:]


def targets(encoder, case):
    """What is explained: rows of (arguments of answer, target, what the test asks for)."""
    with torch.no_grad():
        out = encoder.run(encoder.ids)
    if case["kind"] == "class":
        label = case.get("label", int(out.logits[0].argmax()))
        return [({}, label, dict(label=label))]
    if case["kind"] == "qa":
        return [(dict(side=side), at, dict(side=side, position=at)) for side, at in enumerate(best_span(encoder, out))]
    position = encoder.ids[0].tolist().index(encoder.tokenizer.mask_token_id)
    token = int(out.logits[0, position].argmax())
    return [(dict(position=position), token, dict(position=position, token=token))]


def first(x):
    return x[0] if isinstance(x, tuple) else x


def numbers(x):
    return [float(f"{float(v):.7g}") for v in torch.as_tensor(x).reshape(-1)]


def integrated(encoder, layer, which, target, steps):
    method = LayerIntegratedGradients(lambda ids: encoder.answer(ids, **which), layer)
    out, delta = method.attribute(encoder.ids, baselines=encoder.reference, target=target, n_steps=steps,
                                  method="gausslegendre", return_convergence_delta=True)
    return first(out)[0].detach(), float(delta[0])


def conductance(forward, layer, x, b, target, steps):
    out = LayerConductance(forward, layer).attribute(x, baselines=b, target=target, n_steps=steps, method="gausslegendre")
    return first(out)[0].detach()


def histograms(values):
    """Counts and entropies of each layer's numbers, all with the same bins."""
    low, high = float(min(v.min() for v in values)), float(max(v.max() for v in values))
    edges = numpy.linspace(low, high, BINS + 1)
    for v in values:                    # a number at an edge would fall here or there by its rounding
        assert float(numpy.abs(v.numpy()[:, None] - edges[None, 1:-1]).min()) > 1e-6 * (high - low)
    counts = [numpy.histogram(v.numpy(), BINS, (low, high))[0] for v in values]
    return dict(low=low, high=high, counts=[c.tolist() for c in counts],
                entropy_bits=[float(stats.entropy(c / c.sum(), base=2)) for c in counts])


def layers(forward, blocks, x, b, target):
    values = [conductance(forward, block, x, b, target, STEPS) for block in blocks]
    scores = torch.stack([v.sum(1) for v in values])
    detail = int(scores.abs().sum(0).argmax())
    return dict(scores=[numbers(s) for s in scores], detail=detail, numbers=[numbers(v[detail]) for v in values],
                histogram=histograms([v[detail] for v in values]),
                sums={str(k): [float(conductance(forward, block, x, b, target, k).sum()) for block in blocks] for k in FEWER})


def attributed(encoder, which, target):
    """At the embedding layer, at the token table, and behind the first block."""
    embeddings = encoder.body.embeddings
    with torch.no_grad():
        x, b = encoder.embeddings(encoder.ids), encoder.embeddings(encoder.reference)
        ends = [float(encoder.answer(i, **which)[0, target]) for i in (encoder.ids, encoder.reference)]
    full, delta = integrated(encoder, embeddings, which, target, STEPS)
    scores = full.sum(1)
    top = torch.topk(scores, min(5, encoder.n)).indices.tolist()
    return dict(
        f=ends, embeddings=numbers(scores), delta=delta, share=numbers(scores / scores.norm()), top=top,
        words=numbers(integrated(encoder, embeddings.word_embeddings, which, target, STEPS)[0].sum(1)),
        block=numbers(integrated(encoder, encoder.blocks[0], which, target, STEPS)[0].sum(1)),
        sums={str(k): float(integrated(encoder, embeddings, which, target, k)[0].sum()) for k in FEWER},
        conductance=layers(lambda full: encoder.of_embeddings(full, **which), encoder.blocks, x, b, target))


def encoders():
    out = []
    for case in CASES:
        encoder = Encoder(case)
        rounds = [asked | attributed(encoder, which, target) for which, target, asked in targets(encoder, case)]
        out.append(case | dict(tokens=encoder.ids[0].tolist(), rounds=rounds))
    return out


def decoder():
    """demo: from zero embeddings to those of the prompt, the argmax of the last position."""
    text = "When Mary and John went to the store, John gave a drink to"
    model = GPT2LMHeadModel.from_pretrained(ROOT / "models/demo", attn_implementation="eager", dtype=torch.float32)
    model, ids = model.double().eval(), AutoTokenizer.from_pretrained(ROOT / "models/demo")(text)["input_ids"]
    x = model.transformer.wte(torch.tensor([ids])).detach()
    forward = lambda e: model(inputs_embeds=e).logits[:, -1]
    target = int(forward(x)[0].argmax())
    return dict(text=text, tokens=ids, token=target, conductance=layers(forward, model.transformer.h, x, torch.zeros_like(x), target))


def main():
    torch.set_num_threads(1)
    truth = dict(steps=STEPS, bins=BINS, encoders=encoders(), decoder=decoder())
    path = ROOT / "tests/truth/attribute_encoders.json"
    path.write_text(json.dumps(truth, separators=(",", ":")) + "\n")
    print(path.stat().st_size, "bytes")
    for case in truth["encoders"]:
        for r in case["rounds"]:
            print(case["folder"], {k: v for k, v in r.items() if k in ("label", "side", "position", "token", "f", "delta", "top")})


if __name__ == "__main__":
    main()
