"""Readings of characters that stand alone as a word and depend on their neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .data_files import table, words
from .results import Syllable
from .segment import Segmenter
from .tokens import Token

NUMERALS = frozenset("零〇一二两三四五六七八九十百千万亿几数")
_DEMONSTRATIVES = frozenset("这那哪每某各")
_PRONOUNS = frozenset("我你您他她它咱谁")
_NOT_A_COUNT = frozenset(("万一", "统一", "唯一", "之一", "专一"))
_SURNAMES = table("surnames.tsv")
_TITLES = words("titles.txt")
# Surnames that are hardly anything else before a title, as in 单老师.
_TITLED = frozenset("单任曾仇解查盖朴翟缪宁燕纪覃")
# Characters whose usual reading alone is not the dictionary's first choice.
_FIXED = table("lone.tsv")
_MODAL_SUBJECTS = words("modal_subjects.txt")


@dataclass(frozen=True)
class Context:
    """A one-character token and what stands around it."""

    tokens: Sequence[Token]
    index: int
    words: Segmenter

    @property
    def char(self) -> str:
        """The character itself."""
        return self.tokens[self.index].spoken

    def word(self, offset: int) -> str:
        """The spoken form of a neighbouring token, or an empty string."""
        place = self.index + offset
        return self.tokens[place].spoken if 0 <= place < len(self.tokens) else ""

    def before(self, chars: str) -> bool:
        """Whether the next word starts with one of these characters."""
        following = self.word(1)
        return following != "" and following[0] in chars

    def after(self, chars: str) -> bool:
        """Whether the word before ends with one of these characters."""
        previous = self.word(-1)
        return previous != "" and previous[-1] in chars

    def last(self) -> bool:
        """Whether nothing follows."""
        return self.index == len(self.tokens) - 1

    def after_number(self) -> bool:
        """Whether a numeral or demonstrative stands just before: the character is then a measure word."""
        before = self.word(-1)
        if not before or before in _NOT_A_COUNT:
            return False
        if self.tokens[self.index - 1].kind == "number":
            return True
        return before[-1] in NUMERALS or before[-1] in _DEMONSTRATIVES or before == "第"

    def verb(self, offset: int) -> bool:
        """Whether the neighbour is chiefly a verb."""
        return self.words.is_verb(self.word(offset))

    def adjective(self, offset: int) -> bool:
        """Whether the neighbour is chiefly an adjective or adverb."""
        return self.words.is_adjective(self.word(offset))


def _de_complement(c: Context) -> str:
    """得: after a verb or adjective it marks a complement; before a verb it is "must"."""
    before, after = c.word(-1), c.word(1)
    if not after:
        return "de5" if c.verb(-1) or c.adjective(-1) else "de2"
    subject = not before or before[-1] in _PRONOUNS or before in _MODAL_SUBJECTS
    if subject or c.after("们都还也就总又必非可才且"):
        action = c.verb(1) or c.before("去来做走把让给有多先好再快赶按跟在用找看问回想要听学靠小加花另吃早向从")
        if action or not before:
            return "dei3"
    if (after[0] in NUMERALS and not c.adjective(-1)) or c.before("奖分病票冠第"):
        return "de2"
    return "de5"


def _de_adverb(c: Context) -> str:
    """地: after an adverb or doubled adjective and before a verb it is a particle."""
    before = c.word(-1)
    if len(before) < 2 or c.last():
        return "di4"
    if before[-1] == before[-2] or len(before) >= 4 or c.adjective(-1):
        return "de5"
    return "de5" if c.verb(1) and not c.after("个块片这那此") else "di4"


def _zhe(c: Context) -> str:
    return "zhe5" if c.word(-1) else "zhao2"


def _le(c: Context) -> str:
    unable = c.after("不") or c.word(-1) == "得"
    return "liao3" if unable and not c.before("的吗啊") else "le5"


def _huan(c: Context) -> str:
    """还: "return" before what can be given back, otherwise "still"."""
    if c.last() or c.before("钱书款债账贷给了清"):
        return "huan2"
    to_whom = c.word(1) in ("你", "我", "他", "她", "人")
    return "huan2" if to_whom and c.word(2)[:1] in tuple("钱书一公清的自") else "hai2"


def _zhong_kind(c: Context) -> str:
    """种: a kind after a numeral, "plant" after a subject or before its object."""
    if c.after_number() or c.last():
        return "zhong3"
    if c.before("了着过上下在满的树花草菜地田粮果瓜豆麦棉茶庄稻玉蔬水小"):
        return "zhong3" if c.after("品树菜") else "zhong4"
    return "zhong4" if c.after("们我他她里来会要民人") else "zhong3"


def _shu(c: Context) -> str:
    """数 as a verb: before or after a particle, or doubled."""
    verb = c.before("了着过一到完不得起出清钱他你我数星羊") or c.after("了一来请去会数我你")
    return "shu3" if verb else "shu4"


def _hang(c: Context) -> str:
    line = c.after_number() and not c.before("人动")
    return "hang2" if line or c.word(-1) in ("各", "本", "该", "分", "同", "总") else "xing2"


def _zhi(c: Context) -> str:
    only = c.after("这那") and c.verb(1)
    return "zhi1" if c.after_number() and not only else "zhi3"


def _wei(c: Context) -> str:
    """为: "is, becomes" after a verb or between names and numbers; otherwise "for"."""
    if c.last():
        return "wei2" if c.word(-1) else "wei4"
    if c.tokens[c.index + 1].kind == "number" or c.before("零一二两三四五六七八九十主例准先界伴王本荣"):
        return "wei2"
    becoming = c.verb(-1) or c.after("度率值量数长高宽名额温价")
    return "wei2" if becoming and c.word(1)[0] not in _PRONOUNS else "wei4"


def _zhang(c: Context) -> str:
    """长: "grow" before its result, otherwise "long"."""
    described = c.after_number() or c.word(-1) in ("很", "太", "好", "更", "最", "多", "不")
    return "zhang3" if c.before("大高得出了成满在着胖什个势草毛芽") and not described else "chang2"


def _chong(c: Context) -> str:
    again = c.verb(1) and len(c.word(1)) == 1 and not c.word(-1)
    return "chong2" if c.after_number() or again else "zhong4"


def _liang(c: Context) -> str:
    return "liang2" if c.before("了一量体血身着得出腰个") else "liang4"


def _jiao(c: Context) -> str:
    """觉: sleep, as a noun."""
    return "jiao4" if c.after_number() or c.after("睡个了场好一") else "jue2"


def _gan(c: Context) -> str:
    dry = c.after("很太不晒擦吹晾烘更好最口") or c.before("巴的柴毛草")
    return "gan1" if dry else "gan4"


def _bei(c: Context) -> str:
    return "bei1" if c.before("着起上包个一了他她你我孩") else "bei4"


def _zhong_hit(c: Context) -> str:
    hit = c.before("了奖过彩枪头") and (c.verb(-1) or not c.word(-1) or c.after("我他她你们又没"))
    result = c.verb(-1) and len(c.word(-1)) == 1 and c.last()
    return "zhong4" if hit or result else "zhong1"


def _sheng(c: Context) -> str:
    return "cheng2" if c.before("饭汤了一满水碗菜") else "sheng4"


def _dang(c: Context) -> str:
    return "dang4" if c.before("作成做真晚") else "dang1"


def _he(c: Context) -> str:
    return "hu2" if c.word(1) == "了" and not c.word(2) else "he2"


def _zhuan(c: Context) -> str:
    return "zhuan4" if c.last() or c.before("了着一来个圈起得") else "zhuan3"


def _kan(c: Context) -> str:
    return "kan1" if c.word(1) in ("孩子", "门", "家", "店", "摊", "大门") else "kan4"


def _dou(c: Context) -> str:
    return "du1" if c.last() and c.word(-1) in ("古", "旧", "新", "定", "陪") else "dou1"


_RULES: dict[str, Callable[[Context], str]] = {
    "得": _de_complement,
    "地": _de_adverb,
    "着": _zhe,
    "了": _le,
    "还": _huan,
    "种": _zhong_kind,
    "数": _shu,
    "行": _hang,
    "只": _zhi,
    "为": _wei,
    "长": _zhang,
    "重": _chong,
    "量": _liang,
    "觉": _jiao,
    "干": _gan,
    "背": _bei,
    "中": _zhong_hit,
    "盛": _sheng,
    "当": _dang,
    "和": _he,
    "转": _zhuan,
    "看": _kan,
    "都": _dou,
}


def _surname(c: Context) -> str | None:
    """The reading as a family name, after 姓 or before a title."""
    if c.char not in _SURNAMES:
        return None
    if c.after("姓") or (c.word(1) in _TITLES and c.char in _TITLED):
        return _SURNAMES[c.char]
    return None


def lone_character(context: Context) -> Syllable | None:
    """The reading of a one-character token, or None when the dictionary's first choice will do."""
    sound = _surname(context)
    if sound is None and (rule := _RULES.get(context.char)):
        sound = rule(context)
    if sound is None:
        sound = _FIXED.get(context.char)
    return None if sound is None else Syllable(sound[:-1], int(sound[-1]))
