"""Pairs of texts with a word in common, for `sonde wic`: is the word used in the same way in both?

    python models/pairs.py models/demo        writes wic.jsonl into the folder, one pair a line

The word is an item in the second turn of a list, and the list is either copied or reversed there. What comes next depends
on which; the words around it do not tell, and neither does the position, since both kinds have the same lengths.
"""
import json
import pathlib
import random
import sys

import grammar

PAIRS, SEED = 600, 17
TURNS = ("Copy", "Reverse")


def text_with(draw, word, turn):
    """A list up to and with `word` in its second turn, never the first or the last there; the byte where the word begins."""
    length = draw.randint(4, 6)
    others = draw.sample([w for w in grammar.LIST_WORDS if w != word], length - 1)
    place = draw.randint(1, length - 2)
    second = others[:place] + [word] + others[place:]
    first = second if turn == "Copy" else second[::-1]
    text = f"List: {' '.join(first)}. {turn}: {' '.join(second[:place + 1])}"
    return text, len(text) - len(word)


def pairs():
    draw = random.Random(SEED)
    for i in range(PAIRS):
        word = draw.choice(grammar.LIST_WORDS)
        turns = TURNS[i // 2 % 2], TURNS[(i // 2 + i) % 2]          # every combination as often
        (a, at), (b, bt) = (text_with(draw, word, turn) for turn in turns)
        yield {"a": a, "b": b, "word": word, "a_start": at, "a_end": len(a), "b_start": bt, "b_end": len(b),
               "same": turns[0] == turns[1]}


def main():
    lines = [json.dumps(pair, separators=(",", ":")) for pair in pairs()]
    (pathlib.Path(sys.argv[1]) / "wic.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
