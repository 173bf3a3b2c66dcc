"""Sentences of grammar.py with at most one thing wrong, and what that is.

Four kinds of sentence have a word that the others determine: the verb by its subject, the
pronoun by the name, the answer of a fact, the other half of a pair of opposites.  In a faulty
one that word is another of its kind.  What grammar.py holds out is held out here, right or
faulty, and some words stand in no sentence that is judged in training.
"""
from grammar import CITY_OF, COUNTRIES, NAMES, NOUNS, OPPOSITE, VERBS, Grammar, antonyms, facts, pieces, rarest

LABELS = ["right", "number", "gender", "fact", "opposite"]
KINDS = {"number": .28, "gender": .20, "fact": .32, "opposite": .20}
RIGHT, TWO = 0.4, 0.3  # shares of faultless sentences, and of texts that have a second, faultless one
NEVER_JUDGED = rarest(NOUNS, "never-judged", 4) + rarest(NAMES, "never-judged", 6) + \
    rarest([c for c, k in CITY_OF.items() if c != COUNTRIES[k][1][0]], "never-judged", 6)
NEVER_SET = frozenset(NEVER_JUDGED) | {n + "s" for n in NEVER_JUDGED if n in NOUNS}
OTHER_PRONOUN = {" she": " he", " he": " she", " her": " his", " his": " her"}
OTHER_NUMBER = {a: b for pair in VERBS for a, b in (pair, pair[::-1])}
ANSWERS = [list(COUNTRIES), [cities[0] for _, cities in COUNTRIES.values()],
           [language for language, _ in COUNTRIES.values()]]


def unjudged(text):
    """Whether a word stands in the text that no judged text of training has."""
    return not NEVER_SET.isdisjoint(p.strip() for p in pieces(text.replace("*", "")))


def faulty(random, kind, marked):
    """The marked sentence with its marked word made wrong."""
    before, after = marked.split("*")
    if kind == "number":
        verb = next(v for v in OTHER_NUMBER if after.startswith(v + " "))
        return before + OTHER_NUMBER[verb] + after[len(verb):]
    word, rest = pieces(after)[0], after[len(pieces(after)[0]):]
    if kind == "gender":
        return before + OTHER_PRONOUN[word] + rest
    if kind == "fact":
        pool = next(a for a in ANSWERS if word[1:] in a)
        return before + " " + random.choice([w for w in pool if w != word[1:]]) + rest
    said = [p.strip() for p in pieces(before)]
    return before + " " + random.choice([w for w in OPPOSITE if w != word[1:] and w not in said]) + rest


class Faults:
    """Draws judged texts: one sentence or two, and the label of what is wrong."""

    def __init__(self, seed):
        self.grammar = Grammar(seed)
        self.random = self.grammar.random
        self.writers = {"number": self.grammar.agreement, "gender": self.grammar.pronoun,
                        "fact": self.grammar.fact, "opposite": self.grammar.antonym}

    def marked(self, kind):
        """A sentence of the kind that training may judge, still marked."""
        while True:
            text = self.writers[kind]()
            if not unjudged(text):
                return text

    def kind(self):
        return self.random.choices(list(KINDS), KINDS.values())[0]

    def judged(self, kind, marked):
        """The marked sentence, faulty or not, and its label."""
        if self.random.random() < RIGHT:
            return marked.replace("*", ""), 0
        return faulty(self.random, kind, marked), LABELS.index(kind)

    def text(self):
        """One or two sentences, a list, and the label; the faulty one comes first or second."""
        kind = self.kind()
        text, label = self.judged(kind, self.marked(kind))
        if self.random.random() >= TWO:
            return [text], label
        both = [text, self.marked(self.kind()).replace("*", "")]
        self.random.shuffle(both)
        return both, label

    # ---- what is held out ----

    def held_facts(self, why):
        return [text for text, _, reason in facts() if reason == why]

    def held_antonyms(self):
        return [text for text, out in antonyms() if out]

    def new_word(self):
        """A sentence with a word that training never judges: its kind, marked."""
        while True:
            kind = self.random.choice(["number", "gender", "fact"])
            text = self.writers[kind]()
            if unjudged(text):
                return kind, text
