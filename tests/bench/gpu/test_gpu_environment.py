"""A machine that cannot compute what is asked is told in one line what it lacks."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from bench.gpu import environment
from bench.gpu.device import CPU, CUDA, Device
from bench.gpu.environment import Unfit
from bench.run import app


@pytest.fixture
def machine(monkeypatch):
    """Pretends to have a card, a PyTorch with CUDA, and an ONNX Runtime with it, as far as it is told."""

    def pretend(*, card=True, torch=True, built=True, ran=(CUDA,)):
        monkeypatch.setattr(environment, "card", lambda: {"name": "a card"} if card else {})
        monkeypatch.setattr(environment.torch.cuda, "is_available", lambda: torch)
        monkeypatch.setattr(environment.onnxruntime, "get_available_providers", lambda: [CUDA, CPU] if built else [CPU])
        monkeypatch.setattr(environment.onnxruntime, "preload_dlls", lambda: None)
        monkeypatch.setattr(environment, "providers", lambda _: list(ran))

    return pretend


@pytest.mark.parametrize(
    ("lacks", "told"),
    [
        ({"card": False}, "NVML finds no NVIDIA card: .*--device cpu --quick"),
        ({"torch": False}, "finds no CUDA: install"),
        ({"built": False}, "built without CUDA: install onnxruntime-gpu"),
        ({"ran": (CPU,)}, "computes on CPUExecutionProvider and not on the card: its CUDA or cuDNN"),
    ],
)
def test_what_is_missing_is_one_line_that_says_what_to_do(machine, lacks, told):
    machine(**lacks)
    with pytest.raises(Unfit, match=told) as error:
        environment.check(Device("cuda"))
    assert "\n" not in str(error.value)


def test_a_machine_that_has_everything_is_fit(machine):
    machine()
    environment.check(Device("cuda"))


def test_a_processor_needs_none_of_it(machine):
    machine(card=False, torch=False, built=False)
    environment.check(Device("cpu"))


def test_what_really_computes_is_known_from_a_profile():
    assert environment.providers(Device("cpu")) == [CPU]


def test_the_command_without_a_card_is_one_line(machine):
    machine(card=False)
    done = CliRunner().invoke(app, ["gpu"])
    assert done.exit_code == 1
    assert done.stderr.startswith("error: NVML finds no NVIDIA card")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("wrong", [["--device", "tpu"], ["--device", "cpu", "--only", "everything"]])
def test_a_wrong_argument_is_told_before_anything_is_done(wrong):
    done = CliRunner().invoke(app, ["gpu", *wrong])
    assert done.exit_code == 2


@pytest.mark.gpu
def test_this_card_computes():
    environment.check(Device("cuda"))
    assert environment.providers(Device("cuda")) == [CUDA]
