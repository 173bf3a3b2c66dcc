"""Active sentences and the passive ones that say the same, in the words of grammar.py.

`The old boys will see him at the park.` becomes `He will be seen by the old boys at the
park.`: the two phrases change places, a pronoun its case, the verb its form, the
auxiliary agrees with the other phrase, and the capital moves.  Every active sentence
has exactly one passive.

Some nouns and names are made up on the spot, so that a word which has no piece of its own
is carried over letter by letter.  What is held out is decided by a hash of the words
concerned, as in grammar.py.
"""
import random

from grammar import COLOURS, NAMES, NOUNS, OPPOSITE, PLACES, held, rarest

# base, past, participle, with -ing
VERBS = [tuple(row.split()) for row in (
    "see saw seen seeing", "take took taken taking", "find found found finding",
    "paint painted painted painting", "open opened opened opening", "close closed closed closing",
    "carry carried carried carrying", "clean cleaned cleaned cleaning", "hear heard heard hearing",
    "hold held held holding", "build built built building", "break broke broken breaking",
    "draw drew drawn drawing", "buy bought bought buying", "sell sold sold selling",
    "catch caught caught catching", "choose chose chosen choosing", "hide hid hidden hiding",
    "lose lost lost losing", "follow followed followed following", "push pushed pushed pushing",
    "watch watched watched watching", "know knew known knowing", "bring brought brought bringing")]
# as subject, as object, the forms of "be", "was" and "have" beside it
PRONOUNS = [tuple(row.split()) for row in (
    "I me am was have", "you you are were have", "he him is was has", "she her is was has",
    "it it is was has", "we us are were have", "they them are were have")]
ADJECTIVES = sorted(set(COLOURS) | set(OPPOSITE))
TIMES = ["today", "every day", "at night", "in the morning"]
NEAR = ["at", "near", "behind", "beside"]
TENSES = ["past", "present", "perfect", "progressive", "was progressive", "will", "can", "must",
          "not past", "not present", "not will"]
NEVER_AGENT = rarest(NOUNS, "never-agent", 3) + rarest(NAMES, "never-agent", 6)
NEVER_PATIENT = rarest([n for n in NOUNS + NAMES if n not in NEVER_AGENT], "never-patient", 9)

OTHERS = ("lemon apple lion queen spoon knife candle pilot sailor engine planet island orange carrot rabbit spider "
          "kettle jacket blanket guitar hammer Zoe Ivan Nadia Gustav Yuki Hiroshi Wendy Fiona Quentin Xavier").split()
STRANGE = 0.3  # share of the nouns and names that are made up
CONSONANTS, VOWELS = "bcdfghjklmnpqrstvwxyz", "aeiou"
ONSETS = list(CONSONANTS) + "bl br cl cr dr fl fr gl gr pl pr sk sl sn st sw th tr wh qu ch sh".split()
NUCLEI = list(VOWELS) * 3 + "ai ea ee oo ou".split()
CODAS = ["", ""] + "b d ck f g ft k l ll m mp n nd ng nk nt p r rd rk rn rt sk st t th x z y".split()


def third(base):
    """The present of he, she and it."""
    if base.endswith(("s", "sh", "ch", "se")):
        return base + ("s" if base.endswith("e") else "es")
    return base[:-1] + "ies" if base == "carry" else base + "s"


class Phrase:
    """Who acts or is acted on: its text in both cases, its auxiliaries, the word it is about."""

    def __init__(self, head, subject, obj, be, was, have):
        self.head, self.subject, self.object, self.be, self.was, self.have = head, subject, obj, be, was, have
        self.third = have == "has"


def pair_held(agent, patient):
    """Two words that never stand in these two roles of one sentence."""
    return held(8, "voice-pair", agent, patient)


def form_held(verb, tense):
    """A tense in which training never sees this verb; its form there stands in another tense too."""
    return tense not in ("past", "present", "perfect") and held(6, "voice-form", verb, tense)


def made_up_held(word):
    """A made-up word that training never makes up; a capital changes nothing."""
    return held(5, "made-up", word.lower())


def active(agent, verb, tense, patient):
    base, past, participle, ing = verb
    does = third(base) if agent.third else base
    do = "does" if agent.third else "do"
    middle = {"past": past, "present": does, "perfect": f"{agent.have} {participle}",
              "progressive": f"{agent.be} {ing}", "was progressive": f"{agent.was} {ing}",
              "will": f"will {base}", "can": f"can {base}", "must": f"must {base}",
              "not past": f"did not {base}", "not present": f"{do} not {base}",
              "not will": f"will not {base}"}[tense]
    return f"{agent.subject} {middle} {patient.object}"


def passive(agent, verb, tense, patient):
    p = patient
    middle = {"past": p.was, "present": p.be, "perfect": f"{p.have} been", "progressive": f"{p.be} being",
              "was progressive": f"{p.was} being", "will": "will be", "can": "can be", "must": "must be",
              "not past": f"{p.was} not", "not present": f"{p.be} not", "not will": "will not be"}[tense]
    return f"{p.subject} {middle} {verb[2]} by {agent.object}"


def sentence(words, first):
    """`words` with the time in front, where there is one, a capital and a full stop."""
    text = f"{first} {words}" if first else words
    return text[0].upper() + text[1:] + "."


class Voice:
    """Draws pairs of an active sentence and its passive."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def made_up(self, held_out=False):
        """A word of syllables, of any letters, or of a known word and a syllable; a capital for a name.

        It never ends in s: that is the mark of the plural.
        """
        r = self.random
        while True:
            draw, coda = r.random(), r.choice(CODAS)
            if draw < .3:
                word = "".join(r.choice(VOWELS if r.random() < .4 else CONSONANTS) for _ in range(r.randint(3, 7)))
            elif draw < .45:
                word = r.choice(KNOWN) + r.choice(NUCLEI if draw < .38 else ONSETS) + coda
            else:
                word = "".join(r.choice(ONSETS) + r.choice(NUCLEI) for _ in range(r.choice((1, 2, 2, 2, 3))))
                word = word[r.choice((0, 0, 0, 1)):] + coda
            if draw > .8 and len(word) > 3:  # a letter twice in a row, as in kettle
                at = r.randrange(1, len(word) - 1)
                word = word[:at] + word[at] + word[at:]
            taken = word in KNOWN_SET or made_up_held(word) != held_out
            if 3 <= len(word) <= 9 and word[-1] != "s" and not taken:
                return word.capitalize() if r.random() < .4 else word

    def phrase(self, head=None):
        """A pronoun, a name, or a noun with an article and perhaps an adjective."""
        r = self.random
        draw = r.random()
        if head is None and draw < .12:
            row = r.choice(PRONOUNS)
            return Phrase(row[0], *row)
        if head is None and r.random() < STRANGE:
            head = self.made_up()
        head = head or r.choice(NAMES if draw < .40 else NOUNS)
        if head[0].isupper():
            return Phrase(head, head, head, "is", "was", "has")
        many = r.random() < .5
        before = r.choice(ADJECTIVES) + " " if r.random() < .4 else ""
        article = "the"
        if not many and r.random() < .4:
            article = "an" if (before or head)[0] in "aeiou" else "a"
        text = f"{article} {before}{head}{'s' if many else ''}"
        return Phrase(head, text, text, *(("are", "were", "have") if many else ("is", "was", "has")))

    def pair(self, agent=None, patient=None, verb=None, tense=None):
        """A pair of training; where a word or form is given, one that is held out in nothing else."""
        r = self.random
        while True:
            one, other = self.phrase(agent), self.phrase(patient)
            which, when = verb or r.choice(VERBS), tense or r.choice(TENSES)
            if one.head == other.head or (not agent and one.head in NEVER_AGENT):
                continue
            if (not patient and other.head in NEVER_PATIENT) or (not tense and form_held(which[0], when)):
                continue
            if not (agent or patient) and pair_held(one.head, other.head):
                continue
            return self.texts(one, which, when, other)

    def texts(self, one, verb, tense, other):
        r = self.random
        place = f" {r.choice(NEAR)} the {r.choice(PLACES)}" if r.random() < .4 else ""
        first = r.choice(TIMES) if r.random() < .3 else ""
        return (sentence(active(one, verb, tense, other) + place, first),
                sentence(passive(one, verb, tense, other) + place, first))

    # ---- what is held out, one kind each ----

    def held_pair(self):
        """Two known words in a pair of roles that training never has."""
        r = self.random
        while True:
            agent, patient = r.sample(NOUNS + NAMES, 2)
            if agent not in NEVER_AGENT and patient not in NEVER_PATIENT and pair_held(agent, patient):
                return self.pair(agent=agent, patient=patient)

    def held_form(self):
        """A verb in a tense that training never has it in."""
        r = self.random
        while True:
            verb, tense = r.choice(VERBS), r.choice(TENSES)
            if form_held(verb[0], tense):
                return self.pair(verb=verb, tense=tense)

    def new_agent(self):
        """Someone who never acts in training."""
        return self.pair(agent=self.random.choice(NEVER_AGENT))

    def new_patient(self):
        """Someone who is never acted on in training."""
        return self.pair(patient=self.random.choice(NEVER_PATIENT))

    def new_word(self):
        """One made-up word, or two, that training never makes up."""
        r = self.random
        one, other = self.made_up(held_out=True), self.made_up(held_out=True)
        return self.pair(agent=one if r.random() < .6 else None, patient=other) if r.random() < .5 else self.pair(agent=one)

    def other_word(self):
        """English words that the vocabulary lacks."""
        one, other = self.random.sample(OTHERS, 2)
        return self.pair(agent=one) if self.random.random() < .5 else self.pair(patient=other)


def vocabulary():
    """Every word that a sentence can hold, as it is written, capitals included; a plural is its noun and an s."""
    words = set(ADJECTIVES) | set(PLACES) | set(NAMES) | set(NOUNS)
    words |= {form for verb in VERBS for form in verb} | {third(verb[0]) for verb in VERBS}
    words |= {word for row in PRONOUNS for word in row} | {"him", "her", "us", "me", "them"}
    words |= {w for t in TIMES for w in t.split()} | set(NEAR)
    words |= set("the a an by be been being will can must did do does not".split())
    starts = {w for row in PRONOUNS for w in row[:1]} | {t.split()[0] for t in TIMES} | {"the", "a", "an"}
    return sorted(words | {w.capitalize() for w in starts})


KNOWN = [w for w in vocabulary() if w.islower() and len(w) < 6]
KNOWN_SET = frozenset(w.lower() for w in vocabulary() + OTHERS)
