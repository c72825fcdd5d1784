"""One sentence for each checkpoint of a designed voice that is none; nothing in it is run or instantiated."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from export.bundle import Choice
from export.errors import CheckpointError
from export.families import sculptor
from export.families.sculptor.cosyvoice_config import CosyVoiceConfig
from export.families.sculptor.untrained_language import Weights
from export.families.sculptor.untrained_modules import flow_weights, hift_weights

COSYVOICE, LLASA, XCODEC2 = "CosyVoice2-0.5B", "VoiceSculptor-VD", "xcodec2"
PICKLES = [f"{COSYVOICE}/{name}.pt" for name in ("llm", "flow", "hift")]
SAFETENSORS = [f"{LLASA}/model.safetensors", f"{XCODEC2}/model.safetensors"]
GRAPHS = [f"{COSYVOICE}/campplus.onnx", f"{COSYVOICE}/speech_tokenizer_v2.onnx"]
YAML = f"{COSYVOICE}/cosyvoice2.yaml"


@pytest.fixture
def checkpoint(spoilable: Path) -> Path:
    return spoilable


def change(path: Path, edit: Callable[[Any], None]) -> None:
    """Edit a state dict or a config in place."""
    if path.suffix == ".pt":
        content = torch.load(path, weights_only=True)
        edit(content)
        torch.save(content, path)
    elif path.suffix == ".safetensors":
        content = safetensors.torch.load_file(path)
        edit(content)
        safetensors.torch.save_file({name: value.contiguous() for name, value in content.items()}, path)
    else:
        content = json.loads(path.read_text())
        edit(content)
        path.write_text(json.dumps(content))


def refused(checkpoint: Path, said: str) -> None:
    with pytest.raises(CheckpointError, match=said) as caught:
        sculptor.bundle(checkpoint, "lily", Choice())
    assert "\n" not in str(caught.value)


class Evil:
    """Unpickled, it makes a folder."""

    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.made),)


@pytest.mark.parametrize("file", [*PICKLES, *SAFETENSORS, *GRAPHS])
def test_a_file_that_is_cut_short_is_to_be_fetched_again(checkpoint: Path, file: str) -> None:
    path = checkpoint / file
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refused(checkpoint, rf"{path.name} is damaged, cut short or no .*; fetch it again")


@pytest.mark.parametrize("file", PICKLES)
def test_a_pickle_that_would_run_code_is_not_loaded(checkpoint: Path, tmp_path: Path, file: str) -> None:
    made = tmp_path / "made"
    torch.save({"weight": Evil(made)}, checkpoint / file)
    refused(checkpoint, r"holds the Python object (posix|nt|os)\.mkdir, which could run code")
    assert not made.exists()


def test_what_a_config_wants_called_is_not_called(checkpoint: Path, tmp_path: Path) -> None:
    made = tmp_path / "made"
    path = checkpoint / YAML
    path.write_text(f"wanted: !apply:os.mkdir ['{made}']\n{path.read_text()}")
    assert sculptor.bundle(checkpoint, "lily", Choice()).voice.sample_rate == 24000
    assert not made.exists()


def test_a_config_that_names_python_objects_is_refused(checkpoint: Path) -> None:
    path = checkpoint / YAML
    path.write_text(path.read_text() + "evil: !!python/object/apply:os.system ['true']\n")
    refused(checkpoint, r"Python object os\.system, which could run code")


@pytest.mark.parametrize("file", [*PICKLES, *SAFETENSORS])
def test_a_weight_that_is_not_a_number_is_told(checkpoint: Path, file: str) -> None:
    def spoil(state: Any) -> None:
        name = next(name for name in state if name.startswith(("llm_decoder", "generator", "model", "encoder", "m_")))
        state[name].view(-1)[0] = torch.nan

    change(checkpoint / file, spoil)
    refused(checkpoint, "holds NaN or infinite values")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        (PICKLES[0], "speech_embedding.weight"),
        (PICKLES[1], "decoder.estimator.final_proj.weight"),
        (PICKLES[2], "conv_pre.bias"),
        (SAFETENSORS[0], "model.layers.1.mlp.up_proj.weight"),
        (SAFETENSORS[1], "generator.head.out.weight"),
    ],
)
def test_tensors_that_are_missing_unexpected_or_of_another_shape_are_named(
    checkpoint: Path, file: str, name: str
) -> None:
    whole = (checkpoint / file).read_bytes()
    change(checkpoint / file, lambda state: state.pop(name))
    refused(checkpoint, rf"missing: {name}")
    (checkpoint / file).write_bytes(whole)
    change(checkpoint / file, lambda state: state.update({name: state[name][:-1].clone()}))
    refused(checkpoint, rf"of another shape: {name} |{name} has")
    (checkpoint / file).write_bytes(whole)
    before, _, last = name.rpartition(".")
    change(checkpoint / file, lambda state: state.update({f"{before}.more.{last}": torch.zeros(2)}))
    refused(checkpoint, rf"unexpected: {before}\.more\.{last}")


def test_the_encoder_half_of_xcodec2_is_not_read(checkpoint: Path) -> None:
    change(checkpoint / SAFETENSORS[1], lambda state: state.update({"semantic_model.layer.weight": torch.zeros(3, 3)}))
    assert sculptor.bundle(checkpoint, "lily", Choice()).voice.family == "sculptor"


def test_a_flow_of_other_tokens_than_the_language_models_does_not_belong_to_it(checkpoint: Path) -> None:
    path = checkpoint / YAML
    path.write_text(path.read_text().replace("    vocab_size: 6561", "    vocab_size: 4096"))
    config = CosyVoiceConfig.read(path)
    torch.save(flow_weights(config.flow, Weights(0)), path.with_name("flow.pt"))
    refused(checkpoint, "writes 6561, the flow reads 4096")


def test_a_vocoder_of_another_hop_does_not_belong_to_the_flow(checkpoint: Path) -> None:
    path = checkpoint / YAML
    path.write_text(path.read_text().replace("upsample_rates: [8, 5, 3]", "upsample_rates: [8, 5, 5]"))
    config = CosyVoiceConfig.read(path)
    torch.save(hift_weights(config.hift, Weights(0)), path.with_name("hift.pt"))
    refused(checkpoint, "the flow means 480, the vocoder makes 800")


def test_parts_of_other_sample_rates_are_not_mixed(checkpoint: Path) -> None:
    path = checkpoint / YAML
    whole = path.read_text()
    path.write_text(whole.replace("sample_rate: 24000", "sample_rate: 22050"))
    refused(checkpoint, "sample_rate is 22050, not 24000")
    path.write_text(whole)
    dimensions = {"hidden_dim": 64, "depth": 1, "heads": 1, "vq_dim": 64, "hop_length": 320, "levels": [4] * 8}
    (checkpoint / XCODEC2 / "dims.json").write_text(json.dumps(dimensions | {"sample_rate": 24000}))
    refused(checkpoint, "sample_rate is 24000, not 16000")


def test_a_language_model_of_another_width_than_its_config_is_told(checkpoint: Path) -> None:
    change(checkpoint / COSYVOICE / "CosyVoice-BlankEN" / "config.json", lambda config: config.update(hidden_size=32))
    refused(checkpoint, "32")


def test_a_llasa_without_its_marks_is_none(checkpoint: Path) -> None:
    def forget(tokenizer: Any) -> None:
        tokenizer["added_tokens"] = [
            token for token in tokenizer["added_tokens"] if token["content"] != "<|SPEECH_GENERATION_START|>"
        ]

    change(checkpoint / LLASA / "tokenizer.json", forget)
    refused(checkpoint, r"has no <\|SPEECH_GENERATION_START\|>")


def test_a_voice_of_a_folder_that_has_one_is_not_asked_for_by_name(small_sculptor: Path) -> None:
    with pytest.raises(CheckpointError, match="leave --from-voice out"):
        sculptor.bundle(small_sculptor, "lily", Choice(voice="lily"))


def test_emotions_are_those_of_the_tags(small_sculptor: Path) -> None:
    assert sculptor.bundle(small_sculptor, "lily", Choice()).voice.emotions[:2] == ("neutral", "happy")
    chosen = sculptor.bundle(small_sculptor, "lily", Choice(emotions=("neutral", "sad"))).voice
    assert chosen.emotions == ("neutral", "sad")
    with pytest.raises(CheckpointError, match=r"knows no emotion furious: .*neutral, happy"):
        sculptor.bundle(small_sculptor, "lily", Choice(emotions=("furious",)))
