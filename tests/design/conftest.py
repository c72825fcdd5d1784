"""A designed voice's tokenizers and graphs of the real kinds, small, and the style model exported from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from design_prompt import Prompts
from design_settings import FILE_NAME, Settings

from export.change import Change
from export.families.sculptor.description import ATTRIBUTES
from export.families.sculptor.design import Designer, SpeechBounds
from export.families.sculptor.foreign import campplus, speech_tokenizer
from export.families.sculptor.tokenizers import read_llama, read_qwen
from export.families.sculptor.untrained_foreign import write_campplus, write_speech_tokenizer
from export.families.sculptor.untrained_language import Weights
from export.families.sculptor.untrained_text import write_llasa_tokenizer, write_text_tokenizer
from export.voice import Design

CODES = 40
TOKENS = 6561


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder `llasa`, a folder `blank` and the two graphs, as they come with checkpoints."""
    folder = tmp_path_factory.mktemp("checkpoint")
    for name in ("llasa", "blank"):
        (folder / name).mkdir()
    tags = [value for table in ATTRIBUTES.values() for value in table]
    write_llasa_tokenizer(folder / "llasa" / "tokenizer.json", vocabulary=800, codes=CODES, tags=tags)
    write_text_tokenizer(folder / "blank", vocabulary=700)
    write_speech_tokenizer(folder / "speech_tokenizer_v2.onnx", Weights(3))
    write_campplus(folder / "campplus.onnx", Weights(4))
    return folder


@pytest.fixture(scope="session")
def designer(checkpoint: Path) -> Designer:
    """The style part of a voice whose designs are between half a second and two seconds long."""
    return Designer(
        llasa=read_llama(checkpoint / "llasa"),
        text=read_qwen(checkpoint / "blank"),
        speech_tokenizer=speech_tokenizer(checkpoint / "speech_tokenizer_v2.onnx", TOKENS),
        campplus=campplus(checkpoint / "campplus.onnx", 192),
        design=Design(ATTRIBUTES, {"happy": "开心"}, "年轻女性", 200),
        speech_tokens=TOKENS,
        bounds=SpeechBounds(least_seconds=0.5, most_seconds=2.0),
    )


@pytest.fixture(scope="session")
def model_folder(designer: Designer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the model `ming_style` is served from."""
    repository = tmp_path_factory.mktemp("repository")
    designer.put(Change(repository, repository), "ming_style", lambda line: None)
    return repository / "ming_style" / "1"


@pytest.fixture(scope="session")
def settings(model_folder: Path) -> Settings:
    return Settings.read(model_folder / FILE_NAME)


@pytest.fixture(scope="session")
def prompts(settings: Settings, model_folder: Path) -> Prompts:
    return Prompts(settings, model_folder)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)
