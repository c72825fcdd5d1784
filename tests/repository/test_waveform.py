"""Vocoder output becomes PCM of the right length, level and times."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from waveform import amplify, fade_out, finish, to_pcm


def timing(frames, pause=0.0, notices=(), lead=None, trail=None, marks=()):
    return json.dumps(
        {
            "text": "好",
            "pause": pause,
            "lead": lead,
            "trail": trail,
            "marks": [{"name": name, "time": time} for name, time in marks],
            "frames": frames,
            "sample_rate": 24000,
            "hop_length": 300,
            "voice": "demo",
            "notices": list(notices),
            "words": [
                {"text": "好", "start": 0.0, "end": 0.1, "phones": [{"phone": "ao3", "start": 0.05, "end": 0.1}]}
            ],
        }
    )


def test_each_clause_is_cut_to_its_frames_and_joined_with_the_pause_between():
    audio = np.full((2, 6000), 0.5, dtype=np.float32)
    pcm, rate, events = finish(audio, [timing(10, 0.1), timing(20, 0.4)], [0.0, 0.0])
    assert rate == 24000
    assert pcm.size == 3000 + 2400 + 6000
    assert (pcm[3000:5400] == 0).all()
    first, second = json.loads(events)["clauses"]
    assert (first["start"], first["end"]) == (0.0, 0.125)
    assert (second["start"], second["end"]) == (0.225, 0.475)
    assert second["words"][0]["start"] == 0.225
    assert second["words"][0]["phones"][0]["end"] == 0.325


def test_notices_of_all_clauses_are_told():
    notice = {"kind": "skipped", "text": "★", "message": "left out"}
    _, _, events = finish(np.zeros((1, 3000), dtype=np.float32), [timing(10, notices=[notice])], [0.0])
    assert json.loads(events)["notices"] == [notice]


@given(st.floats(-12, 12))
def test_gain_is_exact_where_nothing_is_loud(gain):
    audio = np.linspace(-0.1, 0.1, 100, dtype=np.float32)
    assert np.allclose(amplify(audio, gain), audio * 10 ** (gain / 20), rtol=1e-5)


@given(st.floats(-12, 12))
def test_what_is_too_loud_is_bent_in_order_and_never_reaches_full_scale(gain):
    audio = np.linspace(0, 1, 500, dtype=np.float32)
    loud = amplify(audio, gain)
    assert loud.max() <= 1.0
    assert (np.diff(loud) >= 0).all()


def test_amplify_leaves_its_input_alone():
    audio = np.full(4, 0.9, dtype=np.float32)
    amplify(audio, 0.0)
    assert (audio == np.float32(0.9)).all()


def test_pcm_spans_the_whole_range_without_wrapping():
    assert to_pcm(np.array([-2.0, -1.0, 0.0, 1.0, 2.0], dtype=np.float32)).tolist() == [-32767, -32767, 0, 32767, 32767]


def test_an_explicit_break_replaces_the_pause_before_it():
    audio = np.full((2, 6000), 0.5, dtype=np.float32)
    second = timing(20, lead={"seconds": 1.0, "marks": []})
    pcm, _, events = finish(audio, [timing(10, 0.4), second], [0.0, 0.0])
    assert pcm.size == 3000 + 24000 + 6000
    assert json.loads(events)["clauses"][1]["start"] == 1.125


def test_breaks_at_both_ends_are_heard():
    audio = np.full((1, 3000), 0.5, dtype=np.float32)
    alone = timing(10, 0.4, lead={"seconds": 0.5, "marks": []}, trail={"seconds": 0.25, "marks": []})
    pcm, _, events = finish(audio, [alone], [0.0])
    assert pcm.size == 12000 + 3000 + 6000
    assert (pcm[:12000] == 0).all()
    assert (pcm[-6000:] == 0).all()
    assert json.loads(events)["clauses"][0]["end"] == 0.625


def test_marks_are_told_from_the_start_of_the_audio_whether_in_speech_or_in_a_break():
    audio = np.full((2, 6000), 0.5, dtype=np.float32)
    second = timing(
        20,
        lead={"seconds": 1.0, "marks": [["b", 0.0], ["c", 0.5]]},
        marks=[("d", 0.1)],
        trail={"seconds": 0.5, "marks": [["e", 0.5]]},
    )
    _, _, events = finish(audio, [timing(10, 0.4, marks=[("a", 0.05)]), second], [0.0, 0.0])
    times = {mark["name"]: mark["time"] for mark in json.loads(events)["marks"]}
    assert times == {"a": 0.05, "b": 0.125, "c": 0.625, "d": 1.225, "e": 1.875}


def test_a_clause_ends_in_silence_and_a_piece_of_one_does_not():
    loud = np.full(24000, 0.5, dtype=np.float32)
    assert np.abs(fade_out(loud, 24000)[-1]) == 0.0
    assert (fade_out(loud, 24000)[:-120] == 0.5).all()
    assert loud[-1] == 0.5, "the input is left alone"
