"""Edits and plans of interface.md 4, applied to torch tensors: as much of the grammar as the captures use.

    op:site[index]=value      zero set scale add project mean patch freeze
    skip:.. swap:.. repeat:.. order:..

The edit is read from the very text that stands in the file, so text and numbers cannot part.
"""
import re

import torch

EDIT = re.compile(r"(?P<op>\w+):(?P<site>[\w.-]+)(?P<index>\[[^\]]*\])?(?:=(?P<value>.+))?")
RUN = r"\w+(?:\[[^\]]*\])?"
STACKS = "blocks|encoder|decoder"
PLANS = ("skip", "swap", "repeat", "order")


class Place:
    """An index: per axis a list of positions, and whether a single number dropped the axis."""

    def __init__(self, text, shape):
        parts = re.findall(r"\{[^}]*\}|[^,\[\]]+", text or "")
        parts += [":"] * (len(shape) - len(parts))
        self.lists, self.dropped = [], []
        for part, size in zip(parts, shape, strict=True):
            self.dropped.append(re.fullmatch(r"-?\d+", part) is not None)
            self.lists.append(self.positions(part, size))

    @staticmethod
    def positions(part, size):
        if part.startswith("{"):
            return [range(size)[int(n)] for n in part[1:-1].split(",")]
        if ":" in part:
            first, last = (int(n) if n else None for n in part.split(":"))
            return list(range(size)[slice(first, last)])
        return [range(size)[int(part)]]

    def flat(self, shape):
        """Where the places lie in a flattened tensor of that shape; axes that a number dropped are gone."""
        at = torch.arange(int(torch.tensor(shape).prod())).view(shape)
        for axis, positions in enumerate(self.lists):
            at = at.index_select(axis, torch.tensor(positions))
        return at.reshape([len(p) for p, gone in zip(self.lists, self.dropped) if not gone])

    def read(self, tensor):
        return tensor.reshape(-1)[self.flat(tensor.shape)]


class Sources:
    """What an edit may read: the unedited run A, the other runs, and the stored vectors, all without gradients."""

    def __init__(self, unedited=None, runs=None, values=None):
        self.unedited, self.runs, self.values = unedited or {}, runs or {}, values or []

    def value(self, text, name, place):
        """The tensor that a value of the grammar stands for."""
        if m := re.fullmatch(r"(-?\d[\d.]*(?:e-?\d+)?)\*(.+)", text):
            return float(m[1]) * self.value(m[2], name, place)
        if m := re.fullmatch(rf"\(({RUN})-({RUN})\)", text):
            return self.value(m[1], name, place) - self.value(m[2], name, place)
        if m := re.fullmatch(rf"avg\(({RUN}),({RUN})\)", text):
            return (self.value(m[1], name, place) + self.value(m[2], name, place)) / 2
        if m := re.fullmatch(r"value/(\d+)", text):
            return self.values[int(m[1])]
        if re.fullmatch(r"-?\d[\d.]*(?:e-?\d+)?", text):
            return torch.tensor(float(text))
        m = re.fullmatch(r"(\w+)(\[[^\]]*\])?", text)
        other = self.runs[m[1]][name]
        return (Place(m[2], other.shape) if m[2] else place).read(other)


class Edit:
    def __init__(self, text):
        m = EDIT.fullmatch(text)
        self.op, self.site, self.index, self.text = m["op"], m["site"], m["index"], m["value"]

    def matches(self, name):
        """Whole names, `blocks.A-B.` ranges, and layer sites of every layer; each execution of a repeated block."""
        plain = re.sub(r"^(blocks\.\d+)r\d+", r"\1", name)
        if m := re.match(rf"({STACKS})\.(\d+)-(\d+)\.(.*)", self.site):
            return any(plain == f"{m[1]}.{layer}.{m[4]}" for layer in range(int(m[2]), int(m[3]) + 1))
        in_every_layer = not re.match(rf"({STACKS})\.", self.site) and plain.endswith("." + self.site)
        return self.site in (plain, name) or (in_every_layer and re.match(rf"({STACKS})\.\d", plain) is not None)

    def new_values(self, old, name, place, sources):
        if self.op == "zero":
            return torch.zeros_like(old)
        if self.op == "freeze":
            return place.read(sources.unedited[name])
        if self.op == "mean":
            values = sources.unedited[name]
            return place.read(values.mean(0, keepdim=True).expand_as(values))
        given = sources.value(self.text, name, place)
        if self.op == "project":
            unit = given / given.norm()
            return old - (old * unit).sum(-1, keepdim=True) * unit
        return {"set": given, "patch": given, "scale": old * given, "add": old + given}[self.op].expand_as(old)

    def apply(self, tensor, name, sources):
        place = Place(self.index, tensor.shape)
        at = place.flat(tensor.shape).reshape(-1)
        new = self.new_values(place.read(tensor), name, place, sources).to(tensor.dtype)
        return tensor.reshape(-1).index_put((at,), new.reshape(-1)).view(tensor.shape)


class Plan:
    """Which blocks run in which order, as (layer, execution), and which parts of them are skipped."""

    def __init__(self, texts, layers):
        self.order = [(layer, 0) for layer in range(layers)]
        self.skipped = set()
        for text in texts:
            op, _, rest = text.partition(":")
            getattr(self, op)(rest)

    def skip(self, rest):
        m = re.fullmatch(r"blocks\.(\d+)(?:\.(attn|mlp))?", rest)
        if m[2]:
            self.skipped.add((int(m[1]), m[2]))
        else:
            self.order = [block for block in self.order if block[0] != int(m[1])]

    def swap(self, rest):
        a, b = (int(n) for n in re.fullmatch(r"blocks\.(\d+),blocks\.(\d+)", rest).groups())
        self.order = [({a: b, b: a}.get(layer, layer), turn) for layer, turn in self.order]

    def repeat(self, rest):
        """The range runs as a whole, N times: 0 1 0r1 1r1."""
        m = re.fullmatch(r"blocks\.(\d+)(?:-(\d+))?=(\d+)", rest)
        first, last, times = int(m[1]), int(m[2] or m[1]), int(m[3])
        inside = [block for block in self.order if first <= block[0] <= last]
        again = [(layer, turn) for turn in range(times) for layer, _ in inside]
        start = self.order.index(inside[0])
        self.order[start:start + len(inside)] = again

    def order_of(self, rest):
        self.order = []
        for part in rest.split(","):
            first, _, last = part.partition("-")
            self.order += [(layer, 0) for layer in range(int(first), int(last or first) + 1)]


def read_edits(texts, layers):
    """A list of edits (text) as (Plan, [Edit])."""
    plans = [t.replace("order:", "order_of:") for t in texts if t.split(":")[0] in PLANS]
    return Plan(plans, layers), [Edit(t) for t in texts if t.split(":")[0] not in PLANS]
