"""The style model of a voice: its config in every profile and its files."""

from __future__ import annotations

from pathlib import Path

import pytest
from design_settings import Settings

from export.bundle import Part
from export.families.sculptor.design import Designer
from export.profile_values import PROFILES


@pytest.mark.parametrize("profile", PROFILES)
def test_designs_are_batched_and_kept(designer: Designer, profile: str) -> None:
    config = designer.config("ming_style", PROFILES[profile])
    assert (config.name, config.backend, config.max_batch_size) == ("ming_style", "voice_design", 8)
    assert config.response_cache.enable
    assert config.HasField("dynamic_batching")
    assert [tensor.name for tensor in config.input] == ["instruction", "attributes", "seed"]
    assert {tensor.name: list(tensor.dims) for tensor in config.output} == {
        "speech_tokens": [-1],
        "prompt_mel": [-1, 80],
        "xvector": [192],
        "prompt_text": [-1],
        "problem": [1],
    }


def test_its_files(model_folder: Path) -> None:
    assert {path.name for path in model_folder.iterdir()} == {
        "design.json",
        "llasa_tokenizer.json",
        "text_tokenizer.json",
    }


def test_it_calls_the_voices_own_models(settings: Settings) -> None:
    models = (settings.llasa, settings.xcodec2, settings.speech_tokenizer, settings.campplus)
    assert [model.name for model in models] == [
        "ming_llasa",
        "ming_xcodec2",
        "ming_speech_tokenizer",
        "ming_campplus",
    ]
    assert settings.speech_tokenizer.inputs == ("feats", "feats_length")
    assert settings.campplus.outputs == ("output",)


def test_every_attribute_has_its_mark(settings: Settings, designer: Designer) -> None:
    assert settings.attributes == designer.design.attributes
    for table in settings.attributes.values():
        for value in table:
            assert settings.template.tags[value] == (designer.llasa.marks[f"<|{value}|>"],)


def test_it_can_be_had_in_any_precision(designer: Designer) -> None:
    parts: tuple[Part, ...] = (designer, designer.speech_tokenizer, designer.campplus)
    assert [part.role for part in parts] == ["style", "speech_tokenizer", "campplus"]
    assert all(part.only(()) is part for part in parts)
