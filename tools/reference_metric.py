"""Metrics of interface.md 4, in torch: double, from float32 logits, so that gradients flow."""
import math
import re

import torch


def functions(logits, tokens, unedited):
    """The names that a metric may use, over the logits [t, v] of a run."""
    wide = logits.double()
    log_probs = wide.log_softmax(-1)

    def of(table):
        """logit, prob, logprob: of a token, or of the unedited run's best at that position."""
        return lambda token, at=-1: table[at, unedited[at].argmax() if token == "argmax" else token]

    def entropy(at=-1):
        return -(log_probs[at].exp() * log_probs[at]).sum() / math.log(2)

    def divergence(other, at=-1):
        reference = other.double().log_softmax(-1)[at]
        return (reference.exp() * (reference - log_probs[at])).sum()

    def loss():
        return -log_probs[:-1].gather(1, torch.tensor(tokens)[1:, None]).mean()

    return {"logit": of(wide), "prob": of(log_probs.exp()), "logprob": of(log_probs), "entropy": entropy, "loss": loss,
            "kl": divergence, "A": unedited, "argmax": "argmax"}


def metric_of(text, tokens, unedited=None):
    """A function from logits to the metric's value. The text is our own, never a user's: eval is safe here."""
    python = re.sub(r"#(\d+)", r"\1", text)
    python = re.sub(r"\b(loss|entropy)\b(?!\()", r"\1()", python)
    return lambda logits: eval(python, {"__builtins__": {}}, functions(logits, tokens, unedited))
