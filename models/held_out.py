"""Documents that the demo model has not seen: sentences of its held-out cases, one after another behind an end-of-text
token as in training, until the context is full.

    python models/held_out.py models/demo        writes held-out.txt into the folder, one document a line
"""
import pathlib
import random
import sys

from transformers import AutoTokenizer

import measure

DOCUMENTS, SEED, EOT = 1000, 11, "<|endoftext|>"


def sentences(vocabulary):
    """Whole sentences of every held-out task; repeated random ids are no text and stay out."""
    tasks = measure.held_out_tasks(vocabulary)
    return [text.replace("*", "") for task in tasks for text in task.texts if isinstance(text, str)]


def documents(tokenizer, context):
    """Every sentence is used once before any is used again."""
    draw, waiting = random.Random(SEED), []
    pool = sentences(tokenizer.vocab_size)
    for _ in range(DOCUMENTS):
        text = ""
        while True:
            if not waiting:
                waiting = draw.sample(pool, len(pool))
            longer = text + (EOT if text else "") + waiting[-1]
            if len(tokenizer(longer, add_special_tokens=False)["input_ids"]) > context:
                break
            text = longer
            waiting.pop()
        yield text


def main():
    folder = pathlib.Path(sys.argv[1])
    tokenizer = AutoTokenizer.from_pretrained(folder)
    lines = list(documents(tokenizer, 96))
    assert not any("\n" in line for line in lines)
    (folder / "held-out.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
