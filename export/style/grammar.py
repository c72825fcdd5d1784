"""Instructions whose effect is known, made from the lexicon.

Each clause is made by one of the functions below; an instruction is one to five clauses of which many say nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from export.style.attributes import Effect, Effects
from export.style.lexicon import NOUN_CLASSES, Degree, Lexicon, Word
from export.style.pieces import Piece, denied, framed, graded, marked, usual, with_degree

# Columns of the lexicon's fillers.
_LEADS, _SAYING, _TEXTS, _REMARKS, _SPEAKERS, _LINKS, _LOOKALIKES = range(7)
# By class of noun: the attribute, and two words that are opposites.
_OPPOSITES = (("S", "speed", ("快", "慢")), ("P", "pitch", ("高", "低")), ("V", "energy", ("大", "小")))

Maker = Callable[["Grammar"], Piece]


class Grammar:
    """Makes instructions; equal generators and `words` (neutral words of the language) make equal ones."""

    def __init__(self, lexicon: Lexicon, rng: Random, words: Sequence[str]) -> None:
        self.lexicon = lexicon
        self.rng = rng
        self.words = words

    def pick(self, column: int) -> str:
        """A filler of a column."""
        return self.rng.choice(self.lexicon.fillers[column])

    def frame(self, name: str) -> str:
        """A frame of a row."""
        return self.rng.choice(self.lexicon.frames[name])

    def maybe(self, text: str, chance: float = 0.5) -> str:
        """A text or nothing."""
        return text if self.rng.random() < chance else ""

    def grade(self, word: Word) -> Piece:
        """A word, perhaps under a degree word or a negation."""
        return graded(self.rng, self.lexicon, word)

    def scale(self, one: str) -> Word:
        """A word of degree that goes with a class of nouns; the short ones are the most usual."""
        words = self.lexicon.scales[one]
        return usual(self.rng, [word for word in words if len(word.text) == 1], words)

    def noun(self, one: str) -> str:
        """A noun of a class."""
        return self.rng.choice(self.lexicon.nouns[one])

    def filler(self) -> Piece:
        """Words that say nothing about the attributes, among them unknown characters."""
        parts = []
        for _ in range(self.rng.randint(1, 5)):
            kind = self.rng.random()
            if kind < 0.45:
                parts.append(self.rng.choice(self.words))
            elif kind < 0.52:
                parts.append("".join(chr(self.rng.randint(0x4E00, 0x9FA5)) for _ in range(self.rng.randint(1, 4))))
            elif kind < 0.55:
                parts.append("".join(self.rng.choice("abcdefghijklmnopqrstuvwxyz 0123456789") for _ in range(4)))
            else:
                parts.append(self.pick(self.rng.randrange(len(self.lexicon.fillers))))
        return Piece("".join(parts))

    def instruction(self) -> Piece:
        """One instruction."""
        piece = Piece(self.maybe(self.pick(_LEADS), 0.3))
        for number in range(self.rng.choice((1, 1, 1, 2, 2, 2, 3, 3, 4, 5))):
            if number:
                piece = piece + self.frame("separator")
            piece = piece + self.rng.choices(_MAKERS, _SHARES)[0](self)
        return piece + self.maybe(self.frame("finish"), 0.15)


def _named(g: Grammar) -> Piece:
    """A noun and its word: 语速要稍快, 极慢的语速, 快语速."""
    one = g.rng.choice(NOUN_CLASSES)
    noun, word = g.noun(one), g.scale(one)
    kind = g.rng.random()
    if kind < 0.55:
        return noun + g.frame("between") + g.grade(word)
    if kind < 0.85:
        return g.frame("having") + g.grade(word) + "的" + noun + g.frame("ending")
    return g.maybe("用") + marked(word.text, word.effects) + noun


def _basic(g: Grammar) -> Piece:
    """The plainest ones, which must be right above all: 语速不快, 音量很大."""
    one, _, words = g.rng.choice(_OPPOSITES)
    wanted = g.rng.choice(words)
    word = next(word for word in g.lexicon.scales[one] if word.text == wanted)
    return g.noun(one) + g.maybe(g.frame("between"), 0.3) + g.grade(word)


def _several(g: Grammar) -> Piece:
    """Two nouns with one word: 语速和音调都偏低. The word then speaks for both attributes."""
    first, second = g.rng.sample("SPV", 2)
    words = [{word.text: word for word in g.lexicon.scales[one]} for one in (first, second)]
    text = g.rng.choice(sorted(set(words[0]) & set(words[1])))
    both = Word(text, words[0][text].effects | words[1][text].effects)
    return g.noun(first) + g.frame("joint") + g.noun(second) + g.frame("all") + g.grade(both)


def _changed(g: Grammar) -> Piece:
    """A verb and its noun: 放慢语速, 把音量再提高一点, 不要提高音量."""
    one = g.rng.choice([one for one in NOUN_CLASSES if one in g.lexicon.verbs])
    noun, verb = g.noun(one), g.rng.choice(g.lexicon.verbs[one])
    kind = g.rng.random()
    if kind < 0.35:
        return g.grade(verb) + noun
    if kind < 0.65:
        return g.frame("taking") + noun + g.maybe("再", 0.2) + g.grade(verb) + g.frame("direction")
    after = g.rng.choice([degree for degree in g.lexicon.degrees if not degree.before])
    changed = with_degree(verb, after)
    return g.maybe("把") + noun + changed if kind < 0.85 else changed + noun


def _set(g: Grammar) -> Piece:
    """A noun and where to set it: 把语速调到最慢."""
    one = g.rng.choice("SPVA")
    degree = g.rng.choice([degree for degree in g.lexicon.degrees if degree.before and not degree.after])
    return g.frame("taking") + g.noun(one) + g.frame("setting") + with_degree(g.scale(one), degree)


def _plain(g: Grammar) -> Piece:
    """A word that needs no noun: 慢慢地说, 说得再快一点, 小声点."""
    piece = g.grade(g.scale("B"))
    kind = g.rng.random()
    if kind < 0.3:
        told = g.frame("how") + g.pick(_SAYING) + g.maybe(g.pick(_TEXTS))
        return g.maybe(g.pick(_LEADS), 0.3) + piece + told
    if kind < 0.6:
        return g.pick(_SAYING) + g.frame("said") + piece
    if kind < 0.8:
        return piece + "的" + g.frame("manner")
    return framed(g.frame("likeness"), piece) if kind < 0.9 else piece


def _numbered(g: Grammar) -> Piece:
    """A rate: 用1.5倍速朗读."""
    number, strength = g.rng.choice(g.lexicon.rates)
    return framed(g.frame("rate"), marked(number + g.frame("unit"), {"speed": Effect(strength)}))


def _neutral(g: Grammar) -> Piece:
    """An attribute that is to stay as it is: 语速适中."""
    one = g.rng.choice("SPVCB")
    word = g.rng.choice(g.lexicon.neutrals[one])
    piece = marked(word.text, word.effects)
    if one == "B":
        return piece + g.frame("how") + g.maybe(g.pick(_SAYING))
    if g.rng.random() < 0.7:
        return g.noun(one) + g.frame("between") + g.maybe("比较", 0.1) + piece
    return piece + g.maybe("的") + g.noun(one)


def _neither(g: Grammar) -> Piece:
    """Not one and not the other, which is neutral: 不要太快也不要太慢."""
    one, attribute, words = g.rng.choice(_OPPOSITES)
    effects: Effects = {attribute: Effect(0.0)}
    first, second = (marked(word, effects) for word in g.rng.sample(words, 2))
    return g.maybe(g.noun(one), 0.8) + framed(g.frame("neither"), first, second)


def _paired(g: Grammar) -> Piece:
    """Two words at once, which may contradict each other: 又快又响, 先快后慢, 不是慢而是快."""
    first, second = g.scale("B"), g.scale("B")
    wanted = marked(second.text, second.effects)
    if g.rng.random() < 0.75:
        return framed(g.frame("pair"), marked(first.text, first.effects), wanted)
    return framed(g.frame("refusal"), denied(first, -0.4), wanted)


def _mood(g: Grammar) -> Piece:
    """A mood or a timbre: 温柔地说, 带着愤怒的情绪, 不要太激动."""
    word = g.rng.choice(g.lexicon.moods)
    piece = marked(word.text, word.effects)
    kind = g.rng.random()
    if kind < 0.2:
        degree = g.rng.choice(g.lexicon.degrees)
        piece = with_degree(word, Degree(degree.before, degree.after, degree.factor**0.7))
    elif kind < 0.3:
        negation, factor = g.rng.choice([known for known in g.lexicon.negations if known[1] < -0.4])
        piece = negation + denied(word, factor)
    kind = g.rng.random()
    if kind < 0.25:
        return framed(g.frame("feeling"), piece)
    if kind < 0.5:
        return g.frame("having") + piece + "的" + g.frame("manner")
    if kind < 0.7:
        return piece + "地" + g.pick(_SAYING) + g.maybe(g.pick(_TEXTS), 0.3)
    if kind < 0.85:
        other = g.rng.choice(g.lexicon.moods)
        return piece + g.frame("along") + marked(other.text, other.effects)
    return piece


def _persona(g: Grammar) -> Piece:
    """Who speaks: 像老奶奶一样, 一位新闻播音员."""
    word = g.rng.choice(g.lexicon.personas)
    piece = marked(word.text, word.effects)
    if g.rng.random() < 0.25:
        mood = g.rng.choice(g.lexicon.moods)
        piece = marked(mood.text, mood.effects) + "的" + piece
    return framed(g.frame("likeness"), piece) + g.frame("telling")


def _stranger(g: Grammar) -> Piece:
    """A likeness to something that no table has, which says nothing."""
    return framed(g.frame("likeness"), g.filler())


def _lookalike(g: Grammar) -> Piece:
    """Words that share characters with those that mean something."""
    return Piece(g.maybe(g.pick(_LINKS)) + g.pick(_LOOKALIKES) + g.maybe(g.pick(_LOOKALIKES)))


def _remark(g: Grammar) -> Piece:
    """What instructions say of other things: 一个中年女性, 吐字清晰."""
    return Piece(g.maybe(g.pick(_SPEAKERS)) + g.pick(g.rng.choice((_REMARKS, _SPEAKERS, _TEXTS))))


_MAKERS: tuple[Maker, ...] = (
    _named, _changed, _plain, _mood, _persona, Grammar.filler, _lookalike, _remark, _stranger,
    _paired, _neutral, _neither, _several, _numbered, _set, _basic,
)  # fmt: skip
_SHARES = (20, 10, 16, 16, 11, 14, 8, 6, 6, 5, 9, 2, 3, 2, 2, 10)
