"""Written numbers: dates, times, money, measures, telephone numbers and whatever else has digits."""

from __future__ import annotations

import re
from collections.abc import Callable

from .data_files import table, words
from .numerals import MAX_CARDINAL, cardinal, counting, digits, quantity
from .tokens import Reading

_NUM = r"\d+(?:,\d{3})*(?:\.\d+)?"
_TO = r"\s?[-~—]{1,2}\s?"
_UNITS = table("units.tsv")
_UNIT = "|".join(re.escape(u) for u in sorted(_UNITS, key=len, reverse=True) if u not in "%‰")
_CURRENCY = table("currencies.tsv")
_CURRENCY_SIGN = "|".join(re.escape(c) for c in sorted(_CURRENCY, key=len, reverse=True))
# What 2 is 两 before; 二 stays before 月, 日, 号, 楼 and the like.
_MEASURES = (
    "个只条张本件位名台部辆艘架间家座栋岁天周年次遍趟场种类样块元斤公克吨米里升倍杯瓶碗盘盒包袋箱桶份套双对副支枝根颗粒头匹群组队排"
    "列句段篇节步口人者国小秒毫厘英平立代轮点百千万亿伏瓦磅盎加海兆"
)
_ORDINAL_BEFORE = re.compile(r"(?:第|初|周|星期|礼拜|号|零下|之)$")
# After these a number is a name made of digits.
_LISTED_BEFORE = re.compile(rf"(?:{'|'.join(sorted(words('number_labels.txt')))})号?[是为]?[:：]?\s?$", re.IGNORECASE)
_SCORE_BEFORE = re.compile(r"(?:比分|比例|比率|配比|以|战胜|击败|战平|大胜|险胜|胜|负于|赢|输|平)\S{0,3}\s?$")
_CODE_BEFORE = re.compile(r"[A-Za-z]-?$")

Readings = list[Reading]
_Handler = Callable[[re.Match[str]], "Readings | None"]


def _say(text: str, spoken: str) -> Reading:
    return Reading(text, "number", spoken)


def _before(match: re.Match[str], width: int = 10) -> str:
    return match.string[max(0, match.start() - width) : match.start()]


def digit_groups(text: str, sizes: tuple[int, ...] = (), *, telephone: bool = True) -> Readings:
    """Digits one by one, in groups so that each is a word of its own."""
    out: Readings = []
    rest = text
    for size in sizes:
        out.append(_say(rest[:size], digits(rest[:size], telephone=telephone)))
        rest = rest[size:]
    while rest:
        # A last group of one digit would sound cut off.
        size = len(rest) if len(rest) <= 5 else 4
        out.append(_say(rest[:size], digits(rest[:size], telephone=telephone)))
        rest = rest[size:]
    return out


def is_day(month: str, day: str) -> bool:
    """Whether a month and a day of it may be meant."""
    return 1 <= int(month) <= 12 and 1 <= int(day) <= 31


def _date(m: re.Match[str]) -> Readings | None:
    year, sep, month, day = m["y"], m["sep"], m["m"], m["d"]
    if not is_day(month, day):
        return None
    return [
        _say(year + sep, digits(year) + "年"),
        _say(month + sep, cardinal(month) + "月"),
        _say(day, cardinal(day) + "日"),
    ]


def _year_month(m: re.Match[str]) -> Readings:
    return [_say(m["y"] + "-", digits(m["y"]) + "年"), _say(m["m"], cardinal(m["m"]) + "月")]


def _year_range(m: re.Match[str]) -> Readings | None:
    first, last, year = m["a"], m["b"], m["year"] or ""
    if not year and not 1800 <= int(first) < int(last) <= 2199:
        return None
    return [_say(first, digits(first)), _say(m["to"], "到"), _say(last + year, digits(last) + year)]


def _year(m: re.Match[str]) -> Readings | None:
    return None if m["y"] in ("1000", "3000", "5000") else [_say(m[0], digits(m["y"]) + "年")]


def _clock(m: re.Match[str]) -> Readings | None:
    spoken = None if _SCORE_BEFORE.search(_before(m)) else clock(m["h"], m["m"], m["s"], m["half"])
    return [_say(m[0], spoken)] if spoken else None


def clock(hour: str, minute: str, second: str | None, half: str | None) -> str | None:
    """A time of the day as it is said, or None when it is none; `half` starts with a or p, for am and pm."""
    if int(hour) > 24 or int(minute) > 59 or int(second or 0) > 59:
        return None
    part = {"a": "上午", "p": "下午" if int(hour) % 12 < 6 else "晚上", "": ""}[(half or "")[:1].lower()]
    spoken = part + counting(cardinal(hour)) + "点"
    if minute != "00" or second:
        spoken += _sixty(minute) + "分"
    if second:
        spoken += _sixty(second) + "秒"
    return spoken


def _sixty(text: str) -> str:
    return ("零" if text[0] == "0" and text != "00" else "") + cardinal(text)


def _ratio(m: re.Match[str]) -> Readings:
    return [_say(m[0], "比".join(quantity(part) for part in re.split("[:：]", m[0])))]


def _address(m: re.Match[str]) -> Readings | None:
    parts = m[0].split(".")
    if any(int(part) > 255 for part in parts):
        return None
    dots = ("", "点", "点", "点")
    return [_say(("." if i else "") + p, dots[i] + digits(p, telephone=True)) for i, p in enumerate(parts)]


def _version(m: re.Match[str]) -> Readings:
    parts = m[0].split(".")
    return [_say(("." if i else "") + p, ("点" if i else "") + cardinal(p)) for i, p in enumerate(parts)]


def _mobile(m: re.Match[str]) -> Readings:
    out = [_say("+86", "加八六")] if m["code"] else []
    return out + digit_groups(re.sub(r"\D", "", m["n"]), (3, 4))


def _landline(m: re.Match[str]) -> Readings:
    return [r for part in re.split(r"\D", m[0]) for r in digit_groups(part)]


def _percent(m: re.Match[str]) -> Readings:
    whole = "百分之" if m["sign"] == "%" else "千分之"
    if m["b"]:
        return [_say(m[0], f"{whole}{quantity(m['a'])}到{quantity(m['b'])}")]
    return [_say(m[0], whole + quantity(m["a"]))]


def _money(m: re.Match[str]) -> Readings:
    number = m["n"]
    if "." in number and not m["big"]:
        number = number.rstrip("0").rstrip(".")
    spoken = counting(quantity(number)) + (m["big"] or "")
    to = f"到{counting(quantity(m['b']))}" if m["b"] else ""
    return [_say(m[0], spoken + to + _CURRENCY[m["cur"]])]


def _fraction(m: re.Match[str]) -> Readings | None:
    if int(m["b"]) == 0:
        return None
    return [_say(m[0], f"{cardinal(m['b'])}分之{cardinal(m['a'])}")]


def _measure(m: re.Match[str]) -> Readings | None:
    if _CODE_BEFORE.search(_before(m)):
        return None
    unit = _UNITS[m["u"]]
    spoken = quantity(m["n"]) if unit in ("摄氏度", "华氏度", "度") else counting(quantity(m["n"]))
    return [_say(m[0], spoken + (m["big"] or "") + unit)]


def _power(m: re.Match[str]) -> Readings:
    return [_say(m[0], f"{quantity(m['a'])}的{quantity(m['b'])}次方")]


def _superscript(m: re.Match[str]) -> Readings:
    return [_say(m[0], quantity(m["a"]) + ("的平方" if m["b"] == "²" else "的立方"))]


def _scientific(m: re.Match[str]) -> Readings:
    return [_say(m[0], f"{quantity(m['a'])}乘十的{quantity(m['b'])}次方")]


def _english_ordinal(m: re.Match[str]) -> Readings:
    return [_say(m[0], "第" + cardinal(m["n"]))]


def _listed(m: re.Match[str]) -> Readings:
    return digit_groups(m[0])


def _code(m: re.Match[str]) -> Readings | None:
    """The number of a model, flight or plate, stuck to letters: B52, GPT-4, CA1234."""
    if not _CODE_BEFORE.search(_before(m)):
        return None
    number = m[0]
    if "." in number or (len(number) <= 2 and number[0] != "0") or re.fullmatch(r"[1-9]00", number):
        return [_say(number, quantity(number))]
    return digit_groups(number)


def _plain(m: re.Match[str]) -> Readings:
    number, text = m[0].replace(",", ""), m[0]
    before, after = _before(m), m.string[m.end() : m.end() + 4]
    whole, _, fraction = number.partition(".")
    if not fraction and _read_singly(whole, before, after, grouped="," in text):
        return digit_groups(text)
    if len(fraction) > 8:
        head = len(text) - len(fraction) + 4
        return [_say(text[:head], quantity(number[:head])), *digit_groups(text[head:], telephone=False)]
    spoken = quantity(number)
    in_range = re.match(rf"{_TO}\d+[{_MEASURES}]", m.string[m.end() : m.end() + 12])
    measured = after[:1] in tuple(_MEASURES) or in_range
    if spoken != "二" or (measured and not after.startswith("分之") and not _ORDINAL_BEFORE.search(before)):
        spoken = counting(spoken)
    return [_say(text, spoken)]


def _read_singly(whole: str, before: str, after: str, *, grouped: bool) -> bool:
    """Whether an integer is a name made of digits rather than a quantity."""
    if grouped:
        return False
    if len(whole) > MAX_CARDINAL or (len(whole) > 1 and whole[0] == "0"):
        return True
    if len(whole) >= 3 and _LISTED_BEFORE.search(before):
        return True
    if re.match(r"室|号房|房间|教室|宿舍|病房|包厢|路公交|路车|国道|次列车|航班|热线", after) and len(whole) >= 3:
        return True
    measured = bool(after) and (after[0] in _MEASURES or after[0] in "多余")
    return len(whole) >= 9 and not whole.endswith("0000") and not measured


_RULES: tuple[tuple[re.Pattern[str], _Handler], ...] = tuple(
    (re.compile(pattern, re.ASCII), handler)
    for pattern, handler in (
        (r"(?P<y>[12]\d{3})(?P<sep>[-/.])(?P<m>\d{1,2})(?P=sep)(?P<d>\d{1,2})(?![\d.])", _date),
        (r"(?P<y>(?:19|20)\d\d)-(?P<m>0[1-9]|1[0-2])(?![\d-])", _year_month),
        (rf"(?P<a>\d{{4}})(?P<to>{_TO}|至|到)(?P<b>\d{{4}})(?!\d)(?P<year>年)?", _year_range),
        (r"(?P<y>[12]\d{3})年(?!前|多|来|后)", _year),
        (r"(?P<y>[05-9]\d)年(?=\d{1,2}月|的|春|夏|秋|冬|初|底|末|出生|生|级|款)", _year),
        (r"(?P<code>\+86[- ]?)?(?P<n>1[3-9]\d([- ]?)\d{4}\3\d{4})(?!\d)", _mobile),
        (r"0\d{2,3}[- ]\d{3,4}[- ]?\d{4}(?!\d)", _landline),
        (r"[48]00(?:[- ]?\d{3}[- ]?\d{4}|-\d{4}-\d{3})(?!\d)", _landline),
        (
            r"(?P<h>\d{1,2})[:：](?P<m>\d\d)(?:[:：](?P<s>\d\d))?(?![\d:：])(?:\s?(?P<half>[aApP][mM])\b)?",
            _clock,
        ),
        (r"\d+(?:\.\d+)?(?:[:：]\d+(?:\.\d+)?)+", _ratio),
        (r"\d{1,3}(?:\.\d{1,3}){3}(?![\d.])", _address),
        (r"\d{1,4}(?:\.\d{1,6}){2,7}(?!\d)", _version),
        (rf"(?P<a>{_NUM})%?(?:{_TO}(?P<b>{_NUM}))?\s?(?P<sign>[%‰])", _percent),
        (rf"(?P<cur>{_CURRENCY_SIGN})\s?(?P<n>{_NUM})(?:{_TO}(?P<b>{_NUM}))?(?P<big>[百千万亿]+)?", _money),
        (
            rf"(?P<n>{_NUM})(?P<b>)(?P<big>[百千万亿]+)?\s?(?P<cur>RMB|CNY|USD|EUR|GBP|JPY|€)(?![A-Za-z])",
            _money,
        ),
        (r"(?P<a>\d{1,8})/(?P<b>\d{1,8})(?![\d/])", _fraction),
        (rf"(?P<n>{_NUM})(?P<big>[百千万亿]+)?\s?(?P<u>{_UNIT})(?![A-Za-z0-9²³])", _measure),
        (r"(?P<a>\d+(?:\.\d+)?)\^(?P<b>-?\d{1,4})(?!\d)", _power),
        (r"(?P<a>\d+(?:\.\d+)?)(?P<b>[²³])", _superscript),
        (r"(?P<a>\d(?:\.\d{1,12})?)[eE](?P<b>[+-]?\d{1,3})(?![\dA-Za-z])", _scientific),
        (r"(?P<n>\d{1,4})(?:st|nd|rd|th)(?![A-Za-z])", _english_ordinal),
        (r"\d{3,4}(?=[pP](?![A-Za-z]))", _listed),
        (r"\d+(?:\.\d+)?", _code),
        (_NUM, _plain),
    )
)
# A unit may stand between a number and its joiner, but neither punctuation nor a word that already joins.
_OPERAND_BEFORE = re.compile(r"(\d+(?:\.\d+)?)([^\d\s,，。;；:：、!！?？()（）到至和与或]{0,3})\s?$")
_LEADING_DOT = re.compile(r"\.\d+", re.ASCII)


def read_number(text: str, pos: int) -> tuple[Readings, int] | None:
    """The reading of a number (or price) that starts at `pos`, and where it ends; None when there is none."""
    for pattern, handler in _RULES:
        if match := pattern.match(text, pos):
            readings = handler(match)
            if readings is not None:
                return readings, match.end()
    if match := _LEADING_DOT.match(text, pos):
        return [_say(match[0], "零" + quantity(match[0])[1:])], match.end()
    return None


def signed(readings: Readings, sign: str, word: str) -> Readings:
    """The same with a sign in front of the first reading."""
    first = readings[0]
    return [Reading(sign + first.text, first.kind, word + first.spoken), *readings[1:]]


def joiner(text: str, pos: int) -> str:
    """How the dash or tilde between two numbers at `pos` is said: 到, 减, 比, or nothing."""
    left = _OPERAND_BEFORE.search(text[max(0, pos - 16) : pos])
    right = re.match(r"[-~—]{1,2}\s?-?[¥$€£]?(\d+(?:\.\d+)?)", text[pos : pos + 20])
    if left is None or right is None:
        return ""
    sides = text[max(0, pos - 24) : pos], text[pos : pos + 24]
    in_equation = re.search(r"[=+×÷*]\s?[\d.]+\s?$", sides[0]) or re.match(r"[-\d.\s]+[=+×÷*]", sides[1])
    if text[pos] == "-" and in_equation:
        return "减"
    clock = re.search(r"[:：]\d\d\s?$", sides[0])
    if clock or left[2].strip() or text[pos] != "-" or float(left[1]) < float(right[1]):
        return "到"
    return "比" if _SCORE_BEFORE.search(sides[0][: -len(left[0])]) else "减"
