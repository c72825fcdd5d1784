"""From an instruction to a prompt: what the models are given, what is made of their answers, and what goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
from design_chain import Designer, Prompt
from design_errors import FailedDesignError
from design_features import prompt_mel, resampled
from design_prompt import Ids, Prompts
from design_request import Design
from design_settings import Arrays, Model, Settings

DESIGN = Design("一位老奶奶，用沙哑低沉的嗓音讲故事。", ("女性", "老年"), seed=5)
SAMPLES_PER_CODE = 320


def codes(count: int) -> Ids:
    return np.arange(count, dtype=np.int32)


class Models:
    """The checkpoint's own two graphs, and stand-ins for the codec and the language model.

    The codec's stand-in hums: a code is a pitch. `said` are the language model's answers, `calls` what it was given.
    """

    def __init__(self, checkpoint: Path) -> None:
        self.said: list[tuple[Ids, str]] = [(codes(40), ""), (codes(35), "stop")]
        self.calls: list[tuple[str, Arrays]] = []
        self.hear: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]] = lambda audio: audio
        self.changed: dict[str, npt.NDArray[Any]] = {}
        self.sessions = {
            role: onnxruntime.InferenceSession(str(checkpoint / name), providers=["CPUExecutionProvider"])
            for role, name in {"speech_tokenizer": "speech_tokenizer_v2.onnx", "campplus": "campplus.onnx"}.items()
        }

    def infer(self, model: Model, inputs: Arrays) -> list[npt.NDArray[Any]]:
        role = model.name.removeprefix("ming_")
        if role == "llasa" and "prompt" not in inputs:
            tokens, end = self.said.pop(0)
            return [tokens, np.array([end.encode()], dtype=np.object_)]
        self.calls.append((model.name, inputs))
        if role == "llasa":
            return [codes(0), np.array([b""], dtype=np.object_)]
        if role in self.changed:
            return [self.changed[role]]
        if role == "xcodec2":
            pitches = np.repeat(150.0 + inputs["codes"][0], SAMPLES_PER_CODE)
            audio = 0.3 * np.sin(2 * np.pi * np.cumsum(pitches) / 16000)
            return [self.hear(audio.astype(np.float32))[None]]
        return self.sessions[role].run(list(model.outputs), inputs)

    def given(self, role: str) -> Arrays:
        """What a model was last given."""
        return next(inputs for name, inputs in reversed(self.calls) if name == f"ming_{role}")


@pytest.fixture
def models(checkpoint: Path) -> Models:
    return Models(checkpoint)


@pytest.fixture
def designing(settings: Settings, prompts: Prompts, models: Models) -> Designer:
    return Designer(settings, prompts, models.infer)


def test_a_design_is_a_prompt_of_equal_lengths(designing: Designer, prompts: Prompts) -> None:
    prompt = designing.design(DESIGN)
    # 75 codes are a second and a half.
    assert prompt.speech_tokens.shape == (37,)
    assert prompt.speech_tokens.dtype == np.int32
    assert len(set(prompt.speech_tokens.tolist())) > 1
    assert prompt.prompt_mel.shape == (74, 80)
    assert prompt.prompt_mel.dtype == np.float32
    assert prompt.xvector.shape == (192,)
    assert prompt.xvector.dtype == np.float32
    assert prompt.prompt_text.tolist() == prompts.reference.tolist()


def test_the_language_model_gets_the_prompt_the_seed_and_a_bound(
    designing: Designer, models: Models, prompts: Prompts
) -> None:
    designing.design(DESIGN)
    given = models.given("llasa")
    assert given["prompt"].tolist() == prompts.llasa(DESIGN).tolist()
    assert given["seed"].tolist() == [5]
    # Two seconds.
    assert given["most"].tolist() == [100]
    assert {name for name, value in given.items() if value.dtype == np.int32} == {"prompt", "seed", "most", "every"}


def test_the_bound_leaves_room_for_the_prompt(settings: Settings, prompts: Prompts, models: Models) -> None:
    length = len(prompts.llasa(DESIGN))
    tight = replace(settings, codes=replace(settings.codes, context=length + 60))
    Designer(tight, prompts, models.infer).design(DESIGN)
    assert models.given("llasa")["most"].tolist() == [60]
    full = replace(settings, codes=replace(settings.codes, context=length + 5))
    with pytest.raises(FailedDesignError, match="ming_llasa has no room for speech after a prompt of"):
        Designer(full, prompts, models.infer).design(DESIGN)


def test_the_codec_gets_all_codes_in_order(designing: Designer, models: Models) -> None:
    designing.design(DESIGN)
    assert models.given("xcodec2")["codes"].tolist() == [[*range(40), *range(35)]]


def test_the_mel_is_of_the_clip_at_24_khz(designing: Designer, models: Models) -> None:
    prompt = designing.design(DESIGN)
    clip = models.infer(Model("ming_xcodec2", ("codes",), ("audio",)), models.given("xcodec2"))[0][0]
    expected = prompt_mel(resampled(clip, 16000, 24000), 24000)
    assert np.array_equal(prompt.prompt_mel, expected[:74])


def test_the_same_design_is_the_same_prompt(designing: Designer, models: Models) -> None:
    said = list(models.said)
    first = designing.design(DESIGN)
    models.said = said
    second = designing.design(DESIGN)
    for name in ("speech_tokens", "prompt_mel", "xvector", "prompt_text"):
        assert np.array_equal(getattr(first, name), getattr(second, name))


def test_a_codec_of_another_rate_is_resampled_for_every_model(
    settings: Settings, prompts: Prompts, models: Models
) -> None:
    other = replace(settings, rates=replace(settings.rates, codec=24000, campplus=8000))
    models.hear = lambda audio: resampled(audio, 16000, 24000)
    prompt = Designer(other, prompts, models.infer).design(DESIGN)
    assert prompt.prompt_mel.shape == (74, 80)
    assert models.given("speech_tokenizer")["feats"].shape == (1, 128, 150)
    assert models.given("campplus")["input"].shape == (1, 148, 80)


def test_speech_without_an_end_is_cut(designing: Designer, models: Models) -> None:
    models.said = [(np.zeros(100, dtype=np.int32), "length")]
    models.hear = lambda audio: np.tile(audio, 3)
    prompt = designing.design(DESIGN)
    assert len(prompt.speech_tokens) == 50


@pytest.mark.parametrize("said", [[], [0], [0] * 24])
def test_a_language_model_that_stops_at_once_is_told(designing: Designer, models: Models, said: list[int]) -> None:
    models.said = [(np.array(said, dtype=np.int32), "stop")]
    with pytest.raises(FailedDesignError) as failure:
        designing.design(DESIGN)
    assert str(failure.value) == (
        f"ming_llasa stopped after {len(said)} speech tokens, at least 25 are needed: "
        "ask with another seed or describe the voice in other words"
    )


@pytest.mark.parametrize("said", [[(codes(40), "abort")], [(codes(40), ""), (codes(0), "abort")]])
def test_speech_that_was_broken_off_is_no_design(
    designing: Designer, models: Models, said: list[tuple[Ids, str]]
) -> None:
    models.said = said
    with pytest.raises(FailedDesignError, match=r"ming_llasa was ended after \d+ speech tokens: ask again"):
        designing.design(DESIGN)


@pytest.mark.parametrize("samples", [0, 1, 7999])
def test_a_codec_that_makes_nothing_is_told(designing: Designer, models: Models, samples: int) -> None:
    models.hear = lambda audio: audio[:samples]
    with pytest.raises(FailedDesignError, match=r"ming_xcodec2 made 0\.\d+ s of speech, too little: ask with"):
        designing.design(DESIGN)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_samples_that_are_no_numbers_are_told(designing: Designer, models: Models, wrong: float) -> None:
    models.hear = lambda audio: np.where(np.arange(len(audio)) == 999, np.float32(wrong), audio)
    with pytest.raises(FailedDesignError, match="ming_xcodec2 made samples that are no numbers: serve it in float32"):
        designing.design(DESIGN)


def test_silence_is_still_a_prompt(designing: Designer, models: Models) -> None:
    models.hear = np.zeros_like
    prompt = designing.design(DESIGN)
    assert np.isfinite(prompt.prompt_mel).all()
    assert np.isfinite(prompt.xvector).all()


@pytest.mark.parametrize(
    ("role", "answer", "message"),
    [
        ("speech_tokenizer", np.zeros((1, 0), np.int32), "ming_speech_tokenizer heard no speech in the clip: ask with"),
        ("speech_tokenizer", np.array([[3, 6561]]), "ming_speech_tokenizer made tokens of another codebook"),
        ("speech_tokenizer", np.array([[3, -1]]), "ming_speech_tokenizer made tokens of another codebook"),
        ("campplus", np.full((1, 192), np.nan, np.float32), "ming_campplus made no vector of 192 numbers"),
        ("campplus", np.zeros((1, 512), np.float32), "ming_campplus made no vector of 192 numbers"),
    ],
)
def test_a_model_that_answers_nonsense_is_told(
    designing: Designer, models: Models, role: str, answer: npt.NDArray[Any], message: str
) -> None:
    models.changed[role] = answer
    with pytest.raises(FailedDesignError, match=message):
        designing.design(DESIGN)


def test_beside_a_refusal_is_nothing() -> None:
    prompt = Prompt.empty()
    assert prompt.speech_tokens.shape == prompt.prompt_text.shape == (0,)
    assert prompt.prompt_mel.shape == (0, 80)
    assert not prompt.xvector.any()
