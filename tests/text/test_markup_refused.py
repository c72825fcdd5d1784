"""Markup that is wrong, or hostile, is refused with one line that says where and what to do."""

from __future__ import annotations

import pytest
from markup import MarkupError
from speaking import Ask, Speaking
from voice_file import UnknownVoiceError

LAUGHS = """<?xml version="1.0"?>
<!DOCTYPE speak [<!ENTITY a "哈哈"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>
<speak>&c;</speak>"""


@pytest.mark.parametrize(
    ("text", "place", "advice"),
    [
        ("<speak>你好", "line 1, column 10", "close <speak>"),
        ("<speak>\n你<b>好</speak>", "line 2, column 8", "close each element"),
        ("  \n <speak>1 < 2</speak>", "line 2, column 12", "&lt;"),
        (" <speak>你&</speak>", "line 1, column 11", "&amp;"),
        ("<speak>&nbsp;</speak>", "line 1, column 8", "only &amp;"),
        ("<speak>你好</speak>再见", "line 1, column 18", "end the text"),
        ('<speak>\n\n <break time="2"/></speak>', "line 3, column 2", "500ms"),
        ('<speak><break time="11s"/></speak>', "line 1, column 8", "write several"),
        ('<speak><break strength="huge"/></speak>', "line 1, column 8", "x-strong"),
        ("<speak><mark/>好</speak>", "line 1, column 8", '<mark name="…">'),
        ("<speak><sub>好</sub></speak>", "line 1, column 8", "alias"),
        ('<speak><sub alias="x">好<break/></sub></speak>', "line 1, column 24", "only hold text"),
        ('<speak><phoneme ph="chogn2">重</phoneme></speak>', "line 1, column 8", "chong2 qing4"),
        ('<speak><prosody rate="quick">好</prosody></speak>', "line 1, column 8", "x-fast"),
        ('<speak><prosody rate="0%">好</prosody></speak>', "line 1, column 8", "percentage"),
        ('<speak><prosody pitch="up">好</prosody></speak>', "line 1, column 8", "+2st"),
        ('<speak><prosody pitch="-100%">好</prosody></speak>', "line 1, column 8", "+2st"),
        ('<speak><prosody range="1.5">好</prosody></speak>', "line 1, column 8", "+20%"),
        ('<speak><prosody volume="louder">好</prosody></speak>', "line 1, column 8", "-3dB"),
        ("<speak><say-as>好</say-as></speak>", "line 1, column 8", "interpret-as"),
        ('<speak><break time="&#10;\u4e00"/></speak>', "line 1, column 8", "0.5s"),
        ("<speak><emotion>好</emotion></speak>", "line 1, column 8", "category"),
        ('<speak><emotion name="sad" intensity="very">好</emotion></speak>', "line 1, column 8", "from 0 to 2"),
        ('<speak><emotion name="sad" intensity="nan">好</emotion></speak>', "line 1, column 8", "from 0 to 2"),
        (LAUGHS, "line 2, column 17", "<!DOCTYPE"),
        ("<!DOCTYPE speak SYSTEM 'file:///etc/passwd'><speak>好</speak>", "line 1, column 44", "<!DOCTYPE"),
        ("<speak><?php x ?>好</speak>", "line 1, column 8", "<?php"),
        ("<speak>" + "<p>" * 40 + "好" + "</p>" * 40 + "</speak>", "line 1, column 101", "nest them less"),
        ("<speak>" + "<s/>" * 6000 + "好</speak>", "line 1, column 20004", "in parts"),
        ("<speak>\x07</speak>", "line 1, column 8", "write & as"),
        ("<speak>\ud800</speak>", "line 1, column 8", "write & as"),
    ],
)
def test_wrong_ssml_is_refused_with_its_place(speaking: Speaking, text: str, place: str, advice: str) -> None:
    with pytest.raises(MarkupError) as caught:
        speaking.plan(Ask(text))
    message = str(caught.value)
    assert message.startswith(f"SSML {place}: ")
    assert advice in message
    assert "\n" not in message
    assert len(message) < 300


def test_an_unknown_voice_in_the_text_is_not_found(speaking: Speaking) -> None:
    with pytest.raises(UnknownVoiceError, match="'nobody'; voices here: demo"):
        speaking.plan(Ask('<speak>好<voice name="nobody">好</voice></speak>'))


def test_breaks_have_a_bound_each_and_together(speaking: Speaking) -> None:
    with pytest.raises(MarkupError, match=r"\[pause:10.5s\] is longer than 10 s"):
        speaking.plan(Ask("好[pause:10.5s]"))
    assert speaking.plan(Ask("好" + "[pause:10s]" * 60))
    with pytest.raises(MarkupError, match="longer than 600 s"):
        speaking.plan(Ask("好" + "[pause:10s]" * 61))


def test_breaks_without_words_are_nothing_to_say(speaking: Speaking) -> None:
    for text in ("[pause:1s]", "<speak/>", "<speak><break/></speak>", '<speak>。<mark name="a"/> </speak>'):
        with pytest.raises(ValueError, match="nothing to say"):
            speaking.plan(Ask(text))
