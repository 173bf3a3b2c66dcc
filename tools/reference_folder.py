"""A capture of any Hugging Face folder whose family the reference knows, at all sites, as one trace: what
`sonde verify` and `sonde rebuild --against` compare with; nothing is downloaded."""
import numpy as np
from transformers import AutoTokenizer

from reference_encoder_files import open_class
from reference_encoders import ROWS, row_of
from reference_decoders import DecoderRun
from reference_families import RUNS
from reference_files import open_model, write_trace
from reference_towers import Tower

COPIES = ("hook_q_input", "hook_k_input", "hook_v_input")


def of_tower(folder, texts, target):
    """The run of an encoder or encoder-decoder, its tokens, and what the trace has beside them."""
    model, tokenizer = open_class(folder), AutoTokenizer.from_pretrained(folder, local_files_only=True)
    tokens = tokenizer(*texts)
    inputs, extra = {"input_ids": tokens["input_ids"]}, {}
    if len(texts) == 2 and "token_type_ids" in tokens:
        inputs["token_type_ids"] = tokens["token_type_ids"]
        extra["token_types"] = np.array(tokens["token_type_ids"], dtype=np.int32)
    if model.config.is_encoder_decoder:
        behind = tokenizer(target, add_special_tokens=False)["input_ids"] if target else []
        inputs["decoder_input_ids"] = [model.generation_config.decoder_start_token_id, *behind]
        extra["target"] = np.array(inputs["decoder_input_ids"], dtype=np.int32)
    row = row_of(model)
    run = Tower(model, row, inputs).forward()
    return run, inputs["input_ids"], extra, row["answers"] == "logits"


def capture_folder(folder, out, texts, target=None):
    """texts: the prompt, or a pair; target: the decoder's text, behind its start token."""
    config = (folder / "config.json").read_text()
    if any(f'"{name}"' in config for name in ROWS):
        run, tokens, extra, with_logits = of_tower(folder, texts, target)
    else:
        tokens = AutoTokenizer.from_pretrained(folder, local_files_only=True)(texts[0])["input_ids"]
        model = open_model(folder)
        run = RUNS.get(model.config.model_type, DecoderRun)(model, tokens).forward()
        extra, with_logits = {}, True
    sites = {name: run.value(name) for name in run.site if not name.endswith(COPIES)}
    about = {"prompt": texts[0], "bos": "auto", **({"pair": texts[1]} if len(texts) == 2 else {}),
             **({"target": target} if target else {})}
    write_trace(out, tokens, {**extra, **sites, **({"logits": run.value("logits")} if with_logits else {})}, about)
    print(f"{out}: {len(tokens)} tokens, {len(sites)} sites")
    return 0
