"""Text as pinyin and back over HTTP, with the demo voice: what comes back is the text's own audio."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from gateway.process import Gateway

TEXT = "2024年我们5个人在重庆银行排队，小王去玩儿了；ChatGPT说：“一个不得了的老李好！”"


def post(gateway: Gateway, route: str, **body: Any) -> httpx.Response:
    return httpx.post(f"{gateway.url}{route}", json=body, timeout=60)


def spoken(gateway: Gateway, route: str, **body: Any) -> bytes:
    answer = post(gateway, route, response_format="wav", stream=False, **body)
    assert answer.status_code == 200, answer.text
    assert "x-tts-notices" not in answer.headers or "lexicon" in answer.headers["x-tts-notices"]
    return answer.content


def refusal(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 400
    return answer.json()["error"]


@pytest.fixture(scope="module")
def reading(gateway: Gateway) -> dict[str, Any]:
    answer = post(gateway, "/v1/phonemes", input=TEXT)
    assert answer.status_code == 200
    return answer.json()


def test_a_text_is_told_word_by_word(reading: dict[str, Any]) -> None:
    assert reading["alphabet"] == "pinyin"
    assert reading["voice"] == "demo"
    assert reading["phonemes"].startswith("er4 ling2 er4 si4 nian2 #1 wo3 men5 #1 wu3 #0 ge4")
    words = {word["text"]: word for word in reading["words"]}
    assert words["重庆"]["pinyin"] == "chong2 qing4"
    assert words["2024年"]["said"] == "二零二四年"
    assert words["玩儿"] | {"units": []} == {
        "text": "玩儿",
        "pinyin": "wanr2",
        "said": "玩儿",
        "units": [],
        "break": 0,
        "marks": "",
    }
    assert words["玩儿"]["units"] == ["^", "uan2", "er5"]
    assert [notice["text"] for notice in reading["notices"]] == ["ChatGPT"]


@pytest.mark.parametrize("form", ["phonemes", "words"])
def test_what_is_told_is_spoken_with_the_same_audio(gateway: Gateway, reading: dict[str, Any], form: str) -> None:
    assert spoken(gateway, "/v1/phonemes/speech", **{form: reading[form]}) == spoken(
        gateway, "/v1/audio/speech", input=TEXT
    )


def test_a_changed_word_changes_the_audio(gateway: Gateway) -> None:
    def words(pinyin: str) -> list[dict[str, str]]:
        return [{"text": "重庆", "pinyin": pinyin, "marks": "。"}]

    right = spoken(gateway, "/v1/phonemes/speech", words=words("chong2 qing4"))
    assert right == spoken(gateway, "/v1/audio/speech", input="重庆。")
    assert right != spoken(gateway, "/v1/phonemes/speech", words=words("zhong4 qing4"))


def test_words_of_a_dictionary_are_told_as_it_says(gateway: Gateway) -> None:
    answer = post(gateway, "/v1/phonemes", input="朝阳", dictionary={"朝阳": "zhao1 yang2"})
    assert answer.json()["phonemes"] == "zhao1 yang2"


def test_silences_come_back(gateway: Gateway) -> None:
    reading = post(gateway, "/v1/phonemes", input="你好[pause:300ms]再见").json()
    assert reading["phonemes"] == "ni2 hao3 #2 [pause:0.3s] zai4 jian4"
    assert spoken(gateway, "/v1/phonemes/speech", phonemes=reading["phonemes"]) == spoken(
        gateway, "/v1/audio/speech", input="你好[pause:300ms]再见"
    )


@pytest.mark.parametrize(
    ("body", "param", "said"),
    [
        ({"phonemes": "ni3 好"}, "phonemes", "'好' at character 5"),
        ({"phonemes": "chogn2 qing4"}, "phonemes", "'chogn2 qing4' must be pinyin"),
        ({"phonemes": "。"}, "phonemes", "no syllable"),
        ({"words": [{"text": "好", "pinyin": "hao"}]}, "phonemes", "'hao' must be pinyin"),
        ({"words": [{"text": "好", "break": 9}]}, "words.0.break", "less than or equal to 4"),
        ({"words": [{"text": "😀"}]}, "phonemes", "nothing to say"),
        ({"words": []}, "phonemes", "nothing to say"),
        ({}, None, "either phonemes or words"),
        ({"words": [{}] * 2001}, None, "more than 2000 words"),
        ({"phonemes": "ni3", "words": []}, None, "either phonemes or words"),
        ({"phonemes": "ni3", "input": "你"}, None, "no input"),
    ],
)
def test_what_is_no_pinyin_is_refused_before_any_audio(
    gateway: Gateway, body: dict[str, Any], param: str | None, said: str
) -> None:
    error = refusal(post(gateway, "/v1/phonemes/speech", **body))
    assert error["param"] == param
    assert said in error["message"]


def test_a_text_that_cannot_be_read_is_refused(gateway: Gateway) -> None:
    assert "nothing to say" in refusal(post(gateway, "/v1/phonemes", input="。"))["message"]
    assert "60000" in refusal(post(gateway, "/v1/phonemes", input="好" * 60_001))["message"]
    unknown = post(gateway, "/v1/phonemes", input="好", voice="nobody")
    assert (unknown.status_code, unknown.json()["error"]["param"]) == (404, "voice")
