"""How a response is read, and how responses make a speech."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from client_fakes import events, final_response, response, speech_chunk
from hypothesis import given, settings
from hypothesis import strategies as st

from client import Clause, Notice, Phone, Progress, ProtocolError, Word
from client._assemble import Assembly
from client._protocol import decode


def test_a_response_is_read_with_all_that_it_tells() -> None:
    chunk, last = decode(response(0.5))
    assert chunk is not None
    assert not last
    assert chunk.samples.dtype == np.int16
    assert chunk.samples.shape == (12000,)
    assert chunk.clauses == (Clause("今天，", 0.0, 1.0, (Word("今天", 0.1, 0.9, (Phone("j", 0.1, 0.2),)),)),)
    assert chunk.notices == (Notice("skipped", "😀", "😀 cannot be said: it was left out"),)
    assert (chunk.voice, chunk.quality, chunk.progress) == ("demo", "balanced", Progress(3, 3))


def test_the_last_response_may_be_empty_or_not() -> None:
    assert decode(final_response()) == (None, True)
    chunk, last = decode(response(final=True))
    assert chunk is not None
    assert last


def test_an_output_with_a_shape_but_no_bytes_is_noticed() -> None:
    message = response()
    message.infer_response.raw_output_contents[0] = b""
    with pytest.raises(ProtocolError, match="AUDIO of the server's answer must be INT16 of 48000 bytes"):
        decode(message)


def test_an_output_that_is_missing_is_noticed() -> None:
    message = response()
    message.infer_response.outputs[1].name = "RATE"
    with pytest.raises(ProtocolError, match="no output 'SAMPLE_RATE'"):
        decode(message)


def test_outputs_without_contents_are_noticed() -> None:
    message = response()
    del message.infer_response.raw_output_contents[:]
    with pytest.raises(ProtocolError, match="no contents"):
        decode(message)


@pytest.mark.parametrize("raw", [b"", b"\x05\x00\x00\x00ab", b"\x02\x00\x00\x00\xff\xfe"])
def test_events_that_are_no_string_are_noticed(raw: bytes) -> None:
    message = response()
    message.infer_response.raw_output_contents[2] = raw
    with pytest.raises(ProtocolError, match="EVENTS"):
        decode(message)


@pytest.mark.parametrize(
    "tree",
    [
        [],
        events(clauses=[{"text": "好"}]),
        events(clauses=[{"text": "好", "start": 1.0, "end": 0.5}]),
        events(clauses=[{"text": "好", "start": 0.0, "end": float("inf")}]),
        events(clauses=7),
        events(notices=["x"]),
        events(progress={"done": 1}),
        events(progress=3),
    ],
)
def test_events_that_make_no_sense_are_noticed(tree: Any) -> None:
    with pytest.raises(ProtocolError, match="EVENTS of the server's answer cannot be read"):
        decode(response(tree=tree))


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_no_bytes_in_events_raise_anything_else(raw: bytes) -> None:
    message = response()
    message.infer_response.raw_output_contents[2] = len(raw).to_bytes(4, "little") + raw
    with pytest.raises(ProtocolError):
        decode(message)


def test_chunks_make_a_speech_in_their_order() -> None:
    seen: list[Progress] = []
    assembly = Assembly(seen.append)
    assembly.add(speech_chunk(1.0, text="今天，", done=3))
    assembly.add(speech_chunk(0.5, text="明天。", start=1.0, done=6))
    speech = assembly.finish()
    assert speech.samples.dtype == np.int16
    assert speech.duration == 1.5
    assert [clause.text for clause in speech.clauses] == ["今天，", "明天。"]
    assert [word.text for word in speech.words] == ["今天", "明天"]
    assert len(speech.notices) == 1, "the same notice twice is one"
    assert seen == [Progress(3, 6), Progress(6, 6)]
    assert 0 < speech.first_audio <= speech.elapsed


def test_a_clause_that_comes_with_several_responses_is_one() -> None:
    assembly = Assembly()
    assembly.add(speech_chunk(0.5, text="今天，"))
    assembly.add(speech_chunk(1.0, text="今天，"))
    assert [(clause.text, clause.end) for clause in assembly.finish().clauses] == [("今天，", 1.0)]


def test_an_answer_without_audio_is_an_error() -> None:
    assembly = Assembly()
    assembly.add(speech_chunk(0.0))
    with pytest.raises(ProtocolError, match="without audio"):
        assembly.finish()


def test_a_sample_rate_that_changes_is_an_error() -> None:
    assembly = Assembly()
    assembly.add(speech_chunk())
    with pytest.raises(ProtocolError, match="changed the sample rate from 24000 to 16000"):
        assembly.add(speech_chunk(rate=16000))
