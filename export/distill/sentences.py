"""Mandarin sentences without end, for a voice to say: their words are jieba's, their grammar is the list below.

They make little sense, but they sound as sentences do: statements, questions and lists of every length, with numbers,
dates, money, letters and polyphones. Every few sentences come syllables in tones that few words have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from random import Random

import jieba
from mandarin import Span
from mandarin.data_files import table, words
from mandarin.syllables import KNOWN

# Tags of jieba's dictionary, lengths in characters, and how often its corpus must have a word to be one that is said.
_WORDS: dict[str, tuple[tuple[str, ...], tuple[int, ...], int]] = {
    "noun": (("n",), (2, 3), 300),
    "act": (("v",), (2,), 300),
    "work": (("vn",), (2,), 200),
    "kind": (("a",), (2,), 300),
    "place": (("ns",), (2, 3), 300),
    "spot": (("s", "f"), (2, 3), 200),
    "time": (("t",), (2, 3), 100),
    "how": (("d",), (2,), 300),
    "saying": (("i",), (4,), 20),
    "look": (("z",), (2, 3, 4), 30),
}
_SENTENCES = (
    "{time}，{who}在{place}的{spot}{how}{act}了{number}{measure}{kind}的{noun}。",
    "{noun}和{noun}都{how}{act}，{saying}。",
    "{person}，请问{place}的{noun}{act}了吗？",
    "为什么{who}{how}{act}{noun}呢？",
    "{place}的{noun}有多{kind}？",
    "{noun}{look}，{noun}也{look}，{saying}！",
    "如果{noun}不{act}，{person}就要{act}{noun}了。",
    "虽然{noun}很{kind}，但是{who}没有{act}，因为{noun}太{kind}了。",
    "{person}把{noun}{act}到{spot}去了。",
    "{noun}被{who}{act}得{kind}极了！",
    "从{place}到{place}要{number}个小时，票价{money}元。",
    "{year}年{month}月{day}日，{place}举行了第{number}届{noun}{work}。",
    "会议在{hour}点{minute}分开始，{person}{how}{act}。",
    "电话是{phone}，请{how}{act}。",
    "{noun}的{work}增长了{money}%，比{time}多{number}{measure}。",
    "今天气温零下{day}到{number}度，{place}{kind}，{spot}{look}。",
    "{noun}、{noun}、{noun}和{noun}，一共{large}{measure}。",
    "“{saying}，”{who}说，“我{how}不{act}！”",
    "你{act}过{noun}没有？",
    "是{kind}的{noun}，还是{kind}的{noun}？",
    "{letters}公司的{noun}{how}{act}，型号是{letters}{number}。",
    "{reading}，{reading}，{reading}。",
    "{reading}的时候，{who}想起了{reading}。",
    "我们{how}{act}了{place}的{noun}，{noun}{act}着，{saying}，谁也没有{act}。",
    "{kind}！{kind}！",
    "{noun}儿{look}的，一点儿也不{kind}。",
    "{who}一边{act}，一边{how}{act}{noun}，{time}才{act}。",
    "{act}{noun}吧，{person}！",
    "{noun}。",
    "比例是{number}比{number}，也就是{number}分之{number}。",
)
_WHO = ("我", "你们", "他", "她", "大家", "孩子们", "奶奶", "邻居", "小姑娘", "老人", "叔叔", "姐姐", "客人", "爸爸")
# A drill comes after this many sentences, and has this many syllables before and after its comma.
_BETWEEN_DRILLS = 15
_HALF = 8


@dataclass(frozen=True)
class Sentence:
    """A text, and the readings that are given for parts of it."""

    text: str
    spans: tuple[Span, ...] = ()


def sentences(seed: int) -> Iterator[Sentence]:
    """Sentences without end, none of them twice, the same ones for the same seed.

    Among the first 2,100 is every syllable of the front end in every tone.
    """
    random = Random(seed)
    syllables = [f"{syllable}{tone}" for syllable in sorted(KNOWN) for tone in range(1, 6)]
    random.shuffle(syllables)
    slots = _Slots(random)
    said: set[str] = set()
    while True:
        for _ in range(_BETWEEN_DRILLS):
            text = random.choice(_SENTENCES).format_map(slots)
            if text not in said:
                said.add(text)
                yield Sentence(text)
        if syllables:
            drilled, syllables = syllables[: 2 * _HALF], syllables[2 * _HALF :]
            yield _drill(drilled)


def _drill(syllables: list[str]) -> Sentence:
    """Syllables in two halves, given as the reading of characters that stand for them."""
    halves = [half for half in (syllables[:_HALF], syllables[_HALF:]) if half]
    text, spans = "", []
    for half, mark in zip(halves, "，。", strict=False):
        spans.append(Span(len(text), len(text) + len(half), "pinyin", " ".join(half)))
        text += "字" * len(half) + mark
    return Sentence(text, tuple(spans))


class _Slots(Mapping[str, str]):
    """What a sentence's slots are filled with: each time something else."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._words = _words()

    def __getitem__(self, slot: str) -> str:
        random = self._random
        if slot in self._words:
            return random.choice(self._words[slot])
        if slot == "person":
            return self["surname"] + self["title"]
        if slot == "letters":
            return "".join(random.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=random.randint(1, 3)))
        if slot == "phone":
            return "1" + "".join(random.choices("0123456789", k=10))
        if slot == "money":
            return f"{random.randint(0, 9999) / 100:.2f}".rstrip("0").rstrip(".")
        low, high = _NUMBERS[slot]
        return str(random.randint(low, high))

    def __iter__(self) -> Iterator[str]:
        return iter((*self._words, "person", "letters", "phone", "money", *_NUMBERS))

    def __len__(self) -> int:
        return sum(1 for _ in self)


_NUMBERS = {
    "number": (1, 120),
    "large": (1000, 10_000_000),
    "year": (1900, 2049),
    "month": (1, 12),
    "day": (1, 28),
    "hour": (1, 23),
    "minute": (10, 59),
}


@cache
def _words() -> dict[str, tuple[str, ...]]:
    """The words for each slot, sorted."""
    found: dict[str, set[str]] = {slot: set() for slot in _WORDS}
    with jieba.Tokenizer().get_dict_file() as lines:
        for line in lines:
            word, count, tag = line.decode("utf-8").split()
            for slot, (tags, lengths, least) in _WORDS.items():
                if tag in tags and len(word) in lengths and int(count) >= least:
                    found[slot].add(word)
    found["measure"] = set(words("measures.txt"))
    found["surname"] = set(table("surnames.tsv"))
    found["title"] = set(words("titles.txt"))
    found["who"] = set(_WHO)
    found["reading"] = set(table("phrases.tsv"))
    return {slot: tuple(sorted(choices)) for slot, choices in found.items()}
