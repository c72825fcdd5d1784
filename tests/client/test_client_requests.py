"""What a request may be, and how it looks on the wire."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client import BOUNDS, MAX_SEED, MAX_STYLE, Connection, Deadline, DeadlineExceeded, InvalidRequest, Request, Timeout
from client._channel import opener
from client._protocol import encode


@pytest.mark.parametrize("text", ["", "  \n\t", None, 7, b"bytes", "\ud800"])
def test_a_text_that_is_empty_or_no_unicode_string_is_refused(text: Any) -> None:
    with pytest.raises(InvalidRequest, match="text must"):
        Request.checked(text)


@pytest.mark.parametrize("name", sorted(BOUNDS))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "1", True, 1e9, -1e9, [1.0]])
def test_a_control_that_is_no_number_in_its_bounds_is_refused_by_name(name: str, value: Any) -> None:
    low, high = BOUNDS[name]
    with pytest.raises(InvalidRequest, match=f"^{name} must be a number between {low} and {high}, got "):
        Request.checked("好", **{name: value})


def test_the_sentence_about_a_wrong_control_says_what_was_given() -> None:
    with pytest.raises(InvalidRequest) as caught:
        Request.checked("好", speed=math.nan)
    assert str(caught.value) == "speed must be a number between 0.5 and 2.0, got nan"


@settings(deadline=None)
@given(speed=st.floats(0.5, 2.0), pitch=st.floats(-12, 12), energy=st.integers(-12, 12))
def test_every_control_in_its_bounds_is_taken_as_it_is(speed: float, pitch: float, energy: int) -> None:
    request = Request.checked("好", speed=speed, pitch=pitch, energy=energy)
    assert (request.speed, request.pitch, request.energy) == (speed, pitch, energy)


def test_numbers_of_other_types_are_taken() -> None:
    request = Request.checked("好", speed=np.float32(1.5), pitch=Fraction(1, 2), energy=3)  # type: ignore[arg-type]
    assert (request.speed, request.pitch, request.energy) == (1.5, 0.5, 3.0)


@pytest.mark.parametrize(("given_name", "sent"), [("高保真", "high"), ("平衡", "balanced"), ("fast", "fast")])
def test_a_quality_has_an_english_and_a_chinese_name(given_name: str, sent: str) -> None:
    assert Request.checked("好", quality=given_name).quality == sent


@pytest.mark.parametrize("quality", ["best", "", 3])
def test_an_unknown_quality_is_refused_with_the_known_ones(quality: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"high .高保真., balanced .平衡., fast .快速."):
        Request.checked("好", quality=quality)


@pytest.mark.parametrize("name", ["voice", "speaker", "emotion"])
def test_an_empty_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"{name} must not be empty"):
        Request.checked("好", **{name: " "})  # type: ignore[arg-type]


def test_only_what_was_asked_for_is_sent() -> None:
    message = encode(Request("好"), Deadline(Timeout(5)))
    assert [tensor.name for tensor in message.inputs] == ["TEXT"]
    assert message.raw_input_contents[0] == b"\x03\x00\x00\x00\xe5\xa5\xbd"
    assert message.model_name == "tts"
    assert message.parameters["triton_enable_empty_final_response"].bool_param


def test_everything_that_was_asked_for_is_sent_with_its_type() -> None:
    words = {"重庆": "chong2 qing4"}
    attributes = {"gender": "女性", "speed": "语速很慢"}
    request = Request("好", "demo", "fast", "a", "happy", "温柔", words, 1.5, -2.0, 3.0, attributes, MAX_SEED)
    message = encode(request, Deadline(Timeout(5)))
    sent = {tensor.name: (tensor.datatype, list(tensor.shape)) for tensor in message.inputs}
    names = ("TEXT", "VOICE", "QUALITY", "SPEAKER", "EMOTION", "STYLE", "DICTIONARY", "ATTRIBUTES")
    strings = dict.fromkeys(names, ("BYTES", [1]))
    numbers = dict.fromkeys(("SPEED", "PITCH", "ENERGY"), ("FP32", [1]))
    assert sent == strings | numbers | {"SEED": ("INT32", [1])}
    raw = dict(zip((tensor.name for tensor in message.inputs), message.raw_input_contents, strict=True))
    assert np.frombuffer(raw["SPEED"], "<f4") == [1.5]
    assert np.frombuffer(raw["PITCH"], "<f4") == [-2.0]
    assert json.loads(raw["DICTIONARY"][4:]) == words
    assert json.loads(raw["ATTRIBUTES"][4:]) == attributes
    assert np.frombuffer(raw["SEED"], "<i4") == [MAX_SEED]


@pytest.mark.parametrize(("seconds", "low", "high"), [(5, 4e6, 5e6), (1e300, 9e12, 1e13), (1e-9, 1, 1)])
def test_what_is_left_of_the_deadline_is_sent_in_microseconds(seconds: float, low: float, high: float) -> None:
    deadline = Deadline(Timeout(seconds))
    try:
        message = encode(Request("好"), deadline)
    except DeadlineExceeded:
        assert seconds < 1, "a deadline that short may be over already"
    else:
        assert low <= message.parameters["timeout"].int64_param <= high


@pytest.mark.parametrize("style", ["", " ", "x" * (MAX_STYLE + 1), 3])
def test_a_style_that_is_empty_too_long_or_no_string_is_refused(style: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"^style "):
        Request.checked("好", style=style)
    assert Request.checked("好", style="轻" * MAX_STYLE).style


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["重庆"], "dictionary must map words to readings, got list"),
        ({"": "x"}, "a word of the dictionary must not be empty"),
        ({3: "x"}, "a word of the dictionary must be a string"),
        ({"重庆": ""}, 'the reading of "重庆" in the dictionary must not be empty'),
        ({"重庆": None}, 'the reading of "重庆" in the dictionary must be a string'),
    ],
)
def test_a_dictionary_that_does_not_map_words_to_readings_is_refused(words: Any, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        Request.checked("好", dictionary=words)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ("gender=女性", "attributes must map names to values, got str"),
        ({"": "女性"}, "the name of an attribute must not be empty"),
        ({"gender": ["女性"]}, 'the attribute "gender" must be a string, got list'),
        ({"gender": " "}, 'the attribute "gender" must not be empty'),
    ],
)
def test_attributes_that_do_not_map_names_to_values_are_refused(attributes: Any, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        Request.checked("好", attributes=attributes)


@pytest.mark.parametrize("seed", [-1, MAX_SEED + 1, 1.0, "7", True, 10**400])
def test_a_seed_that_is_no_whole_number_in_its_bounds_is_refused(seed: Any) -> None:
    with pytest.raises(InvalidRequest, match=f"^seed must be a whole number between 0 and {MAX_SEED}, got .{{1,40}}$"):
        Request.checked("好", seed=seed)
    assert Request.checked("好", seed=np.int64(7)).seed == 7  # type: ignore[arg-type]


def test_an_empty_mapping_is_not_sent() -> None:
    request = Request.checked("好", dictionary={}, attributes={})
    assert (request.dictionary, request.attributes) == (None, None)


@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf, "5", True])
def test_a_timeout_is_a_positive_number_of_seconds(seconds: Any) -> None:
    with pytest.raises(InvalidRequest, match="total timeout must be a number of seconds above 0"):
        Timeout(seconds)
    with pytest.raises(InvalidRequest, match="connect timeout"):
        Timeout(connect=seconds)


@pytest.mark.parametrize(
    "server",
    ["", "localhost", "localhost:", ":8001", "http://localhost:8001", "h:0", "h:65536", "a b:1", 8001],
)
def test_an_address_is_host_and_port(server: Any) -> None:
    with pytest.raises(InvalidRequest, match="server must be HOST:PORT"):
        Connection(server)


@pytest.mark.parametrize("server", ["127.0.0.1:8001", "localhost:1", "[::1]:8001"])
def test_a_proxy_is_not_asked_for_this_machine(server: str) -> None:
    channel = opener(Connection(server))
    assert ("grpc.enable_http_proxy", 0) in channel(server).options
    assert ("grpc.enable_http_proxy", 0) not in channel("tts.example.org:8001").options
