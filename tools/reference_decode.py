"""What transformers' generate makes of an encoder-decoder: greedy ids, and the best of three beams."""
import json

import numpy as np
import torch

BEAMS, NEW, PENALTIES = 3, 9, ("0.7", "1.3")


def new_ids(case, sequence):
    """Behind the start token, and without the padding behind the end token."""
    ids, end = sequence[1:], case.model.generation_config.eos_token_id
    return ids[:ids.index(end) + 1] if end in ids else ids


def generated(case, **how):
    """Without a cache: transformers makes one of as many layers as the encoder has, too few for some of our decoders."""
    out = case.model.generate(torch.tensor([case.inputs["input_ids"]]), do_sample=False, output_logits=True, use_cache=False,
                              return_dict_in_generate=True, **how)
    return out, new_ids(case, out.sequences[0].tolist())


def write(case, kind, tensors, **about):
    """target: the start token alone, which is what generation starts from."""
    start = np.array([case.model.generation_config.decoder_start_token_id], dtype=np.int32)
    forced = case.model.generation_config.forced_bos_token_id
    case.write(kind, {"target": start, **tensors}, **({} if forced is None else {"forced_bos_token_id": forced}), **about)


def capture_greedy(case):
    """gaps: best logit minus second best at each id that was chosen; null where the id was forced."""
    out, ids = generated(case, max_new_tokens=NEW, num_beams=1)
    forced = case.model.generation_config.forced_bos_token_id
    gaps = []
    for number, (step, chosen) in enumerate(zip(out.logits, ids, strict=True)):
        best = step[0].topk(2).values
        is_forced = number == 0 and forced is not None
        assert is_forced or int(step[0].argmax()) == chosen
        gaps.append(None if is_forced else round(float(best[0] - best[1]), 6))
    write(case, "greedy", {"greedy": np.array(ids, dtype=np.int32)}, gaps=json.dumps(gaps), max_new_tokens=NEW,
          min_gap=f"{min(g for g in gaps if g is not None):.6f}")
    return ids


def capture_beams(case):
    """beams/PENALTY: the ids of the best beam; beams/PENALTY/score: its sum of logarithms over length^penalty; with
    `early` where the search ends as soon as there are as many ended beams as beams."""
    tensors, about = {"greedy": np.array(generated(case, max_new_tokens=NEW, num_beams=1)[1], dtype=np.int32)}, {}
    for penalty in PENALTIES:
        for early in (False, True):
            out, ids = generated(case, max_new_tokens=NEW, num_beams=BEAMS, length_penalty=float(penalty),
                                 early_stopping=early, output_scores=True, num_return_sequences=BEAMS)
            name = f"beams/{penalty}{'/early' if early else ''}"
            scores = out.sequences_scores.numpy()
            about[f"{name}/score_gap"] = f"{scores[0] - scores[1]:.6f}"
            tensors |= {name: np.array(ids, dtype=np.int32), f"{name}/score": scores[:1]}
    write(case, "beams", tensors, num_beams=BEAMS, max_new_tokens=NEW, **about)
    return {name: t.tolist() for name, t in tensors.items()} | about
