"""The strings of tests/text_maker.h, made in Python: the same for the same seed and number."""
import json
from pathlib import Path

MASK = (1 << 64) - 1
PARTS = Path(__file__).resolve().parent.parent / "tests" / "golden" / "tokenizer" / "kinds" / "parts.json"
TIMES = [1, 1, 1, 2, 3, 5]


class Maker:
    def __init__(self, seed):
        self.seed = seed
        self.parts = json.loads(PARTS.read_text())
        self.state = 0

    def draw(self, n):
        """A number below n (splitmix64)."""
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
        return ((z ^ z >> 31) >> 32) % n

    def any(self, name):
        list_ = self.parts[name]
        return list_[self.draw(len(list_))]

    def character(self):
        first, last = self.any("ranges")
        return chr(first + self.draw(last - first + 1))

    def part(self):
        kind = self.draw(16)
        if kind < 4:
            return (" " if self.draw(2) else "") + self.any("words")
        if kind < 6:
            return self.any("spaces") * TIMES[self.draw(6)]
        if kind == 6:
            return "".join(chr(0x30 + self.draw(10)) for _ in range(1 + self.draw(6)))
        if kind == 7:
            return self.any("punctuation") * (1 + self.draw(2))
        if kind == 8:
            return "".join(self.character() for _ in range(1 + self.draw(4)))
        if kind == 9:
            return "aeok"[self.draw(4)] + "".join(self.any("marks") for _ in range(1 + self.draw(3)))
        if kind == 10:
            return self.any("emoji")
        if kind == 11:
            return self.any("special")
        if kind == 12:
            return chr(self.draw(0x20)) if self.draw(2) else chr(0x7F + self.draw(0x22))
        if kind == 13:
            return self.any("runs") * (1 + self.draw(60))
        if kind == 14:
            return "".join(chr(0x20 + self.draw(0x5F)) for _ in range(1 + self.draw(6)))
        return self.any("tricky")

    def string(self, i):
        self.state = (self.seed * 0xD1342543DE82EF95 + i) & MASK
        count = min(self.draw(14), self.draw(14))
        return "".join(self.part() for _ in range(count))
