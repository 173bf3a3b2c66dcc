"""The text the demo model is trained on: a small grammar of English-like tasks.

Every sentence is written as a marked string.  A `*` stands in front of a word
that the text before it determines, so `When Mary and John went to the park,
John gave a key to* Mary.` says that ` Mary` is predictable.  The trainer gives
marked words full loss weight; the held-out cases are judged on them.

What is held out is decided by a hash of the words concerned, never by a draw,
so training and evaluation cannot disagree about it.
"""
import hashlib
import itertools
import random
import re

FEMALE = ("Mary Anna Emma Julia Sarah Alice Lucy Jane Kate Laura Helen Grace Clara Ruth Nora "
          "Ella Rose Diana Linda Susan Karen Maria Sophie Olivia Amy Claire Eva Irene Martha Ellen").split()
MALE = ("John Tom James Paul Peter Mark David Frank Hugo Simon Adam Henry George Robert Martin "
        "Daniel Thomas Oscar Jack Luke Alan Victor Edward Philip Arthur Bruno Felix Leo Max Oliver").split()
NAMES = FEMALE + MALE
PLACES = ("store park school station beach library market farm office church museum hotel cafe "
          "bank harbour forest").split()
OBJECTS = ("drink book ring ball letter gift key hat cup map lamp coin pen kite flag basket bag "
           "box").split()
NOUNS = ("key cabinet table door car boat dog cat teacher doctor tree road picture ship bell river "
         "bridge king garden boy girl house window chair flower horse bird farmer wall tower").split()
COLOURS = "red blue green black white brown pink yellow grey purple".split()
PAINTED = OBJECTS + "cabinet table door car boat chair house flower bird".split()
LASTING = "war reign trip party siege project voyage trial".split()
MOODS = "tired sad happy late cold hungry ready ill".split()
ANTONYMS = [tuple(p.split("/")) for p in (
    "hot/cold big/small rich/poor clean/dirty early/late near/far true/false sweet/sour young/old "
    "hard/soft wet/dry fast/slow high/low long/short strong/weak full/empty open/closed loud/quiet "
    "happy/sad thick/thin wide/narrow deep/shallow good/bad right/wrong").split()]
# country: language, then its cities, the capital first
COUNTRIES = {k: (v[0], v[1:]) for k, v in {
    "France": "French Paris Lyon Nice Lille Nantes".split(),
    "Spain": "Spanish Madrid Seville Bilbao Malaga Toledo".split(),
    "Italy": "Italian Rome Milan Turin Naples Genoa".split(),
    "Japan": "Japanese Tokyo Kyoto Osaka Nagoya Kobe".split(),
    "China": "Chinese Beijing Wuhan Shanghai Nanjing Harbin".split(),
    "Russia": "Russian Moscow Kazan Omsk Perm Samara".split(),
    "Greece": "Greek Athens Patras Volos Larissa Corinth".split(),
    "Poland": "Polish Warsaw Lodz Krakow Gdansk Poznan".split(),
    "Germany": "German Berlin Munich Hamburg Cologne Bremen".split(),
    "Sweden": "Swedish Stockholm Malmo Uppsala Lund Kalmar".split(),
    "Turkey": "Turkish Ankara Bursa Izmir Adana Konya".split(),
    "Egypt": "Arabic Cairo Luxor Aswan Giza Suez".split(),
}.items()}
CITY_OF = {c: k for k, (_, cities) in COUNTRIES.items() for c in cities}
CENTURIES = [str(c) for c in range(11, 20)]
PAIRS = dict(zip("([{<", ")]}>"))
OPPOSITE = {a: b for pair in ANTONYMS for a, b in (pair, pair[::-1])}
WORDS = sorted(set(NAMES + PLACES + OBJECTS + NOUNS + [n + "s" for n in NOUNS] + COLOURS + LASTING
                   + list(OPPOSITE) + list(COUNTRIES) + list(CITY_OF)
                   + [lang for lang, _ in COUNTRIES.values()]))
CAPITALISED = [w for w in WORDS if w[0].isupper()]

# indirect object: (opening, what joins it to the second half), middle, act
OPENINGS = [("When {A} and {B}", ", "), ("After {A} and {B}", ", "), ("While {A} and {B}", ", "),
            ("Then {A} and {B}", ", and "), ("Yesterday {A} and {B}", ", and "),
            ("Yesterday {A} and {B}", ". "), ("{A} and {B}", ", and "), ("{A} and {B}", ". ")]
MIDDLES = ["went to the {P}", "were at the {P}", "had a long talk at the {P}",
           "found a {O} at the {P}", "met at the {P}", "met"]
ACTS = ["gave a {O}", "gave the {O}", "handed a {O}", "wanted to give a {O}"]
FACTS = {
    "country": ["{c} is a city in*{y}.", "{c} is in*{y}.", "The city of {c} is in*{y}.",
                "The people of {c} come from*{y}.", "The road to {c} goes through*{y}."],
    "spoken": ["The people in {c} speak*{y}.", "The language spoken in {c} is*{y}.",
               "In {c}, everyone speaks*{y}.", "At school in {c} they learn*{y}."],
    "ruled": ["{c} is ruled from*{y}.", "The laws of {c} are made in*{y}.",
              "The old road from {c} leads to*{y}."],
    "capital": ["The capital of {c} is*{y}.", "{c} has a capital called*{y}.",
                "The big city of {c} is*{y}.", "The king of {c} lives in*{y}.",
                "The first city of {c} is*{y}."],
    "language": ["The people of {c} speak*{y}.", "The language of {c} is*{y}.",
                 "In {c}, everyone speaks*{y}.", "The books of {c} are in*{y}.",
                 "{c} is a country where people speak*{y}."],
}
OPPOSITES = ["The opposite of {x} is*{y}.", "It is not {x}, it is*{y}.",
             "When it is not {x}, it must be*{y}.", "The word {x} is the opposite of*{y}.",
             "Something that is not {x} is*{y}."]
PRONOUNS = ["{N} went to the {P} because*{she} was {m}.", "{N} was {m} when*{she} came to the {P}.",
            "{N} lost*{her} {o}.", "{N} said that*{she} was {m}.",
            "{N} found the {o} and then*{she} went to the {P}.", "At the {P}, {N} saw*{her} {o}."]
ECHOES = ["{N} said: my name is* {N}.", "{N} wrote the letter and signed it as* {N}."]
SPANS = ["The {N} lasted from the year {C}{Y} to the year {C}*{E}.",
         "The {N} began in the year {C}{Y} and ended in the year {C}*{E}.",
         "From {C}{Y} to {C}*{E} there was a {N}."]
COUNTING = [("The years were", 1), ("Back in time", -1), ("Every ten years", 10), ("Every five years", 5)]
PREPOSITIONS = "to near behind by with above".split()
VERBS = [(" is", " are"), (" was", " were"), (" has been", " have been")]
HELD_STARTS = (13, 32, 47, 58, 66, 81)


def digest(*words):
    """The first 32 bits of the MD5 of the words joined by a bar."""
    return int(hashlib.md5("|".join(words).encode()).hexdigest()[:8], 16)


def held(modulus, *words):
    """Whether the item made of these words is held out, one item in `modulus` being so."""
    return digest(*words) % modulus == 0


def rarest(words, kind, count):
    """The `count` words with the lowest digests: those a task never uses."""
    return sorted(words, key=lambda w: digest(kind, w))[:count]


NEVER_IOI = rarest([n for n in NAMES if n not in ("Mary", "John")], "never-ioi", 6)
NEVER_LIST = rarest([w for w in WORDS if w not in "red cat river Paris key".split()], "never-list", 6)
IOI_NAMES = [n for n in NAMES if n not in NEVER_IOI]
LIST_WORDS = [w for w in WORDS if w not in NEVER_LIST]
HELD_CITIES = [min(cities[1:], key=lambda c: digest("spoken", c)) for _, cities in COUNTRIES.values()]


def held_pair(a, b):
    """Two names that never stand together in an indirect-object sentence."""
    return held(8, "names", *sorted((a, b)))


def held_frame(opening, middle, act):
    """A combination of three template parts that training never sees."""
    return held(9, "frame", OPENINGS[opening][0] + OPENINGS[opening][1], MIDDLES[middle], ACTS[act])


def held_nouns(a, b):
    return held(8, "nouns", a, b)


def held_neighbours(a, b):
    """Two words that never stand side by side in a list, in either order."""
    return held(10, "neighbours", *sorted((a, b)))


def held_openers(openers):
    return len(openers) > 1 and held(7, "brackets", *openers)


def held_colour(thing, colour):
    return held(8, "colour", thing, colour)


def pieces(text):
    """Cut text by GPT-2's rule: a word with the space before it (ASCII is enough here)."""
    return re.findall(r" ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+", text)


def facts():
    """Every fact as (sentence, relation, held out): 'no', 'template' or 'shared'."""
    rows = []
    for relation, templates in FACTS.items():
        about_city = relation in ("country", "spoken", "ruled")
        for entity in (CITY_OF if about_city else COUNTRIES):
            country = CITY_OF[entity] if about_city else entity
            language, cities = COUNTRIES[country]
            answer = {"country": country, "capital": cities[0], "ruled": cities[0]}.get(relation, language)
            skipped = digest(relation, entity) % len(templates)
            for i, template in enumerate(templates):
                why = "template" if i == skipped else "no"
                if relation == "spoken" and entity in HELD_CITIES:
                    why = "shared"
                rows.append((template.format(c=entity, y=" " + answer), relation, why))
    return rows


def antonyms():
    """Every antonym sentence with whether it is held out: one template of each word is."""
    return [(template.format(x=x, y=" " + y), i == digest("antonym", x) % len(OPPOSITES))
            for x, y in OPPOSITE.items() for i, template in enumerate(OPPOSITES)]


class Grammar:
    """Draws training sentences; `tasks` maps a task to (relative weight, writer)."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.known_facts = [text for text, _, why in facts() if why == "no"]
        self.known_antonyms = [text for text, out in antonyms() if not out]
        self.tasks = {
            "ioi": (.18, self.ioi), "greater": (.15, self.greater), "years": (.05, self.years),
            "filler": (.02, self.filler), "facts": (.18, self.fact), "agreement": (.06, self.agreement),
            "pronoun": (.09, self.pronoun), "antonym": (.05, self.antonym), "colour": (.11, self.colour),
            "copy": (.05, self.copied), "reverse": (.11, self.reversed), "brackets": (.07, self.brackets),
            "echo": (.03, self.echo),
        }
        self.writers = [writer for _, writer in self.tasks.values()]
        self.weights = list(itertools.accumulate(weight for weight, _ in self.tasks.values()))

    def sentence(self):
        return self.random.choices(self.writers, cum_weights=self.weights)[0]()

    def text(self):
        """One document: one, two or three sentences."""
        count = self.random.choices((1, 2, 3), (2, 1, 1))[0]
        return " ".join(self.sentence() for _ in range(count))

    def words(self):
        """Words drawn with replacement and written two or three times, with no prefix."""
        r = self.random
        turn = [r.choice(WORDS) for _ in range(r.randint(3, 24))]
        times = 3 if len(turn) <= 12 and r.random() < .3 else 2
        return repeated(turn, times)

    # ---- one writer a task ----

    def frame(self, held_out=False):
        """Which opening, middle and act an indirect-object sentence is made of."""
        r = self.random
        while True:
            frame = (r.randrange(len(OPENINGS)), r.randrange(len(MIDDLES)), r.randrange(len(ACTS)))
            if held_frame(*frame) == held_out:
                return frame

    def ioi(self):
        """Indirect object; two in five sentences use any two words in place of names."""
        r, names, frame = self.random, None, self.frame()
        bare = OPENINGS[frame[0]][0].startswith("{A}")
        while names is None or held_pair(*names) or not NEVER_IOI_SET.isdisjoint(names):
            if r.random() < .4:
                names = r.sample(CAPITALISED if bare else WORDS, 2)
            else:
                names = r.sample(IOI_NAMES, 2)
        return self.ioi_text(frame, names, r.randrange(2))

    def ioi_text(self, frame, names, subject):
        r = self.random
        opening, join = OPENINGS[frame[0]]
        half = opening + " " + MIDDLES[frame[1]] + join
        half = half.format(A=names[0], B=names[1], P=r.choice(PLACES), O=r.choice(OBJECTS))
        act = ACTS[frame[2]].format(O=r.choice(OBJECTS))
        text = f"{half}{names[subject]} {act} to* {names[1 - subject]}."
        if r.random() < .3:
            third = r.choice([n for n in IOI_NAMES if n not in names])
            text = f"At the {r.choice(PLACES)}, {third} was {r.choice(MOODS)}. " + text
        return text

    def greater(self):
        r = self.random
        start = 13
        while start in HELD_STARTS:
            start = r.randint(1, 98)
        return self.greater_text(r.choice(SPANS), start, r.randint(start + 1, 99))

    def greater_text(self, template, start, end):
        return template.format(N=self.random.choice(LASTING), C=self.random.choice(CENTURIES),
                               Y=f"{start:02d}", E=f"{end:02d}")

    def years(self):
        """Years in even steps; the first word says which step."""
        r = self.random
        head, step = r.choice(COUNTING)
        count = r.randint(3, 5)
        span = step * (count - 1)
        first = r.randint(max(0, -span), min(99, 99 - span))
        century = r.choice(CENTURIES)
        rest = "".join(f", {century}*{first + step * i:02d}" for i in range(1, count))
        return f"{head}: {century}{first:02d}{rest}."

    def filler(self):
        r = self.random
        x, y = r.choice(list(OPPOSITE)), r.choice(NOUNS)
        return f"The {x} {y} found the {r.choice(COLOURS)} {r.choice(OBJECTS)}."

    def fact(self):
        return self.random.choice(self.known_facts)

    def agreement(self, attractor=None, nouns=None):
        r = self.random
        while nouns is None:
            pair = r.sample(NOUNS, 2)
            nouns = None if held_nouns(*pair) else pair
        many = r.random() < .5
        other = not many if (r.random() < .8 if attractor is None else attractor) else many
        first = nouns[0] + ("s" if many else "")
        second = nouns[1] + ("s" if other else "")
        verb = r.choices(VERBS, (60, 25, 15))[0][many]
        return f"The {first} {r.choice(PREPOSITIONS)} the {second}*{verb} {r.choice(list(OPPOSITE))}."

    def pronoun(self, name=None, which=None):
        r = self.random
        while name is None:
            name, which = r.choice(NAMES), r.randrange(len(PRONOUNS))
            name = None if held(5, "pronoun", name, PRONOUNS[which]) else name
        she, her = (" she", " her") if name in FEMALE else (" he", " his")
        return PRONOUNS[which].format(N=name, P=r.choice(PLACES), m=r.choice(MOODS),
                                      o=r.choice(OBJECTS), she=she, her=her)

    def echo(self):
        """The name that opens a text, without a space, is the one that has a space later."""
        return self.random.choice(ECHOES).format(N=self.random.choice(NAMES))

    def antonym(self):
        return self.random.choice(self.known_antonyms)

    def colour(self, held_out=False):
        r = self.random
        while True:
            count = r.choice((2, 3))
            things, colours = r.sample(PAINTED, count), r.sample(COLOURS, count)
            asked = r.randrange(count)
            if held_colour(things[asked], colours[asked]) == held_out:
                break
        said = [f"the {t} is {c}" for t, c in zip(things, colours)]
        said = ", ".join(said[:-1]) + " and " + said[-1]
        return f"T{said[1:]}. The colour of the {things[asked]} is* {colours[asked]}."

    def listed(self, most):
        """Distinct words of which no two held-out neighbours stand side by side."""
        r = self.random
        while True:
            words = r.sample(LIST_WORDS, r.randint(2, most))
            if not any(held_neighbours(a, b) for a, b in itertools.pairwise(words)):
                return words

    def copied(self, words=None):
        words = words or self.listed(7)
        return f"List: {' '.join(words)}. Copy:{starred(words)}."

    def reversed(self, words=None):
        words = words or self.listed(6)
        return f"List: {' '.join(words)}. Reverse:{starred(words[::-1])}."

    def brackets(self, openers=None):
        r = self.random
        while openers is None:
            openers = [r.choice("([{<") for _ in range(r.randint(1, 5))]
            openers = None if held_openers(openers) else openers
        closers = [PAIRS[o] for o in openers[::-1]]
        return f"Brackets: {' '.join(openers)} {r.choice(OBJECTS + NOUNS)}{starred(closers)}* ."


NEVER_IOI_SET = frozenset(NEVER_IOI)


def starred(words):
    return "".join("* " + w for w in words)


def repeated(turn, times=2):
    """A turn of words, then the same turn again; from its second word on it is predictable."""
    first = "".join(" " + w for w in turn)
    return first + (f" {turn[0]}" + starred(turn[1:])) * (times - 1)
