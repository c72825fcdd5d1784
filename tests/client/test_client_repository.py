"""Voices as the repository has them: their states, and how they are loaded and unloaded."""

from __future__ import annotations

import pytest
from client_fakes import DEMO, Call, Triton
from hypothesis import given
from hypothesis import strategies as st

from client import ModelState, Preset, ProtocolError, ServiceFailed, Voice, VoiceNotFound
from client._catalog import stages_in_index


def listed(call: Call, states: dict[str, str], reasons: dict[str, str] | None = None) -> list[tuple[str, str, str]]:
    """Name, state and reason of each voice of a server whose models are in these states."""
    with Triton() as triton:
        triton.models = {"tts": "READY", **states}
        triton.reasons = reasons or {}
        return [(voice.name, voice.state, voice.reason) for voice in call(triton.address, "voices")]


def test_a_voice_that_was_never_loaded_or_is_leaving_is_unloaded(call: Call) -> None:
    assert listed(call, {"ghost": "", "ghost_encoder": ""}) == [("ghost", "unloaded", "")]
    states = {"ghost": "UNAVAILABLE", "ghost_encoder": "UNLOADING"}
    assert listed(call, states, {"ghost": "unloaded"}) == [("ghost", "unloaded", "")]


def test_a_voice_with_a_model_on_its_way_is_loading(call: Call) -> None:
    assert listed(call, {"ghost": "", "ghost_encoder": "LOADING"}) == [("ghost", "loading", "")]


def test_a_broken_voice_says_which_model_is_broken_and_why(call: Call) -> None:
    states = {"ghost": "UNAVAILABLE", "ghost_encoder": "UNAVAILABLE", "ghost_melgan": "READY"}
    reasons = {"ghost": "a step is missing", "ghost_encoder": "Invalid\n argument: no file"}
    assert listed(call, states, reasons) == [("ghost", "broken", "ghost_encoder: Invalid argument: no file")]
    del reasons["ghost_encoder"]
    assert listed(call, states, reasons) == [("ghost", "broken", "ghost: a step is missing")]


def test_a_voice_that_speaks_without_one_of_its_stages_is_ready_and_says_so(call: Call) -> None:
    states = {"demo": "READY", "demo_encoder": "READY", "demo_hifigan": "UNAVAILABLE"}
    assert listed(call, states, {"demo_hifigan": "no file"}) == [("demo", "ready", "demo_hifigan: no file")]


def test_a_model_that_is_listed_in_two_versions_is_one_voice(call: Call) -> None:
    from client_fakes import FakeTransport

    from client import Synthesizer

    fake = FakeTransport()
    fake.index = [ModelState("demo", "UNAVAILABLE", "unloaded"), ModelState("demo", "READY")]
    with Synthesizer(transport=fake) as synthesizer:
        assert [voice.state for voice in synthesizer.voices()] == ["ready"]


def test_a_voice_is_loaded_as_a_whole(call: Call) -> None:
    with Triton() as triton:
        triton.configs["ghost"] = {**DEMO, "stages": '["encoder", "melgan"]', "style": "style"}
        voice: Voice = call(triton.address, "load", "ghost")
        assert (voice.name, voice.state) == ("ghost", "ready")
        assert triton.changes == ["+ghost", "+ghost_encoder", "+ghost_melgan", "+ghost_style"]


def test_a_voice_is_unloaded_and_what_it_shares_is_not(call: Call) -> None:
    with Triton() as triton:
        call(triton.address, "unload", "demo")
        assert triton.changes == ["-demo", "-demo_encoder", "-demo_melgan"]
        assert triton.models["tts"] == "READY"


def test_a_voice_that_is_half_loaded_is_unloaded_by_the_names_of_its_models(call: Call) -> None:
    with Triton() as triton:
        triton.models |= {"ghost_two": "READY", "ghost_two_encoder": "READY"}
        call(triton.address, "unload", "ghost")
        assert triton.changes == ["-ghost", "-ghost_encoder"]


@pytest.mark.parametrize("method", ["load", "unload"])
@pytest.mark.parametrize("name", ["nobody", "", "../demo", "demo_encoder", "x" * 500])
def test_what_is_no_voice_is_not_found_and_the_voices_are_listed(call: Call, method: str, name: str) -> None:
    with Triton() as triton:
        triton.models["demo_encoder"] = ""
        with pytest.raises(VoiceNotFound, match="voices there: demo, ghost"):
            call(triton.address, method, name)
        assert triton.changes == []


@pytest.mark.parametrize("method", ["load", "unload"])
@pytest.mark.parametrize("name", ["tts", "demo_encoder"])
def test_a_model_that_is_no_voice_is_refused(call: Call, method: str, name: str) -> None:
    with Triton() as triton:
        with pytest.raises(VoiceNotFound, match="is a model that voices share and no voice"):
            call(triton.address, method, name)
        assert triton.changes == []


def test_a_model_that_only_looks_like_a_voice_is_unloaded_again(call: Call) -> None:
    with Triton() as triton:
        triton.configs["ghost"] = {}
        with pytest.raises(VoiceNotFound):
            call(triton.address, "load", "ghost")
        assert triton.changes == ["+ghost", "-ghost"]


@pytest.mark.parametrize("method", ["load", "unload"])
def test_a_server_that_does_not_load_while_it_runs_is_one_clear_sentence(call: Call, method: str) -> None:
    with Triton() as triton:
        triton.managed = False
        with pytest.raises(ServiceFailed, match="start it with --model-control-mode=explicit"):
            call(triton.address, method, "demo")


def test_presets_are_read_from_the_front_door(call: Call) -> None:
    with Triton() as triton:
        assert call(triton.address, "styles") == (Preset("温柔", "用温柔的声音慢慢地说"),)
        triton.configs["tts"] = {}
        assert call(triton.address, "styles") == ()


@pytest.mark.parametrize("presets", ["{", "[1]", '[{"name": "x"}]', "3"])
def test_presets_that_make_no_sense_are_an_error(call: Call, presets: str) -> None:
    with Triton() as triton:
        triton.configs["tts"] = {"presets": presets}
        with pytest.raises(ProtocolError, match="presets cannot be read"):
            call(triton.address, "styles")


@given(st.lists(st.text("ab_", min_size=1, max_size=6), unique=True))
def test_no_model_belongs_to_two_voices(names: list[str]) -> None:
    models = {name: ModelState(name, "") for name in names}
    owned = [stage for name in names for stage in stages_in_index(name, models)]
    assert len(owned) == len(set(owned))
