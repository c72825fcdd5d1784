"""Plans are served where every one of them fits, and else ONNX, with one line that says why and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorrt_rtx_libs
import tritonclient.http as httpclient
from conftest import Repository
from test_server_command import FREE, command

from server import engines, hardware
from server import repository as models
from server.hardware import Gpu
from server.plans import Contents, Plan

CARD = Gpu("NVIDIA H100 80GB HBM3", 80 << 30, "GPU-1", "9.0", "580.65.06")
VERSION = "10.13.3.9"


class Planned:
    """A repository of the voice "anna", whose vocoder has a plan for the profile "h100"."""

    def __init__(self, repository: Repository, folder: Path) -> None:
        self.path = repository.path
        self.vocoder = repository.onnx("anna_melgan") / "1"
        self.shared = repository.onnx("aligner")
        (self.path / "anna").mkdir()
        (self.path / "anna" / "voice.json").write_text("{}")
        self.backends = folder / "backends"
        (self.backends / "tensorrt").mkdir(parents=True)
        (self.vocoder / "model.plan").write_bytes(b"a plan")
        for model in (self.vocoder.parent, self.shared):
            (model / "configs").mkdir()
            for name in ("h100", "h100_tensorrt"):
                (model / "configs" / f"{name}.pbtxt").write_text((model / "config.pbtxt").read_text())
        self.describe()

    def describe(self, **changes: Any) -> None:
        onnx, plan = (Contents.of(self.vocoder / name) for name in ("model.onnx", "model.plan"))
        known: dict[str, Any] = {
            "tensorrt": VERSION,
            "gpu": CARD.name,
            "compute_capability": CARD.compute_capability,
            "gpu_memory": CARD.memory,
            "driver": CARD.driver,
            "profile": "h100",
            "precision": "fp32",
            "onnx": onnx,
            "plan": plan,
            "shapes": (),
            "build_seconds": 1.0,
        }
        (self.vocoder / "plan.json").write_text(Plan(**(known | changes)).text())

    def choose(
        self, name: str | None = "h100", cards: tuple[Gpu, ...] = (CARD,), version: Any = VERSION
    ) -> engines.Form:
        return engines.choose(self.path, name, self.backends, lambda: cards, {"libnvinfer.so.10": version}.get)


@pytest.fixture
def planned(repository: Repository, tmp_path: Path) -> Planned:
    return Planned(repository, tmp_path)


def test_plans_that_fit_are_served(planned: Planned) -> None:
    assert planned.choose() == engines.Form("h100_tensorrt", "TensorRT")


def test_without_configs_for_plans_nothing_changes_and_nothing_is_told(repository: Repository, tmp_path: Path) -> None:
    repository.onnx("anna_melgan")
    assert engines.choose(repository.path, "h100", tmp_path) == engines.Form("h100")
    assert engines.choose(repository.path, None, tmp_path) == engines.Form(None)


def test_the_plain_profile_is_served_as_it_is(planned: Planned) -> None:
    assert planned.choose(None) == engines.Form(None)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:4])


def swap_for_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


MISFITS: dict[str, tuple[Callable[[Planned], Any], str]] = {
    "another TensorRT": (
        lambda it: it.describe(tensorrt="10.12.0.36"),
        f"anna_melgan was built by TensorRT 10.12.0.36, here is {VERSION}",
    ),
    "a later TensorRT": (
        lambda it: it.describe(tensorrt="11.0.0.114"),
        "anna_melgan was built by TensorRT 11.0.0.114, here is another one or none",
    ),
    "another GPU": (
        lambda it: it.describe(gpu="NVIDIA L4", compute_capability="8.9"),
        "anna_melgan was built for NVIDIA L4 (8.9), here is NVIDIA H100 80GB HBM3 (9.0)",
    ),
    "another profile": (lambda it: it.describe(profile="l4"), "anna_melgan has a plan for the profile l4"),
    "another graph": (
        lambda it: (it.vocoder / "model.onnx").write_bytes(b"exported again"),
        "anna_melgan has another model.onnx than when its plan was built",
    ),
    "a damaged plan": (
        lambda it: truncate(it.vocoder / "model.plan"),
        "anna_melgan has another model.plan than when its plan was built",
    ),
    "no plan": (lambda it: (it.vocoder / "model.plan").unlink(), "anna_melgan lacks model.plan"),
    "no graph": (lambda it: (it.vocoder / "model.onnx").unlink(), "anna_melgan lacks model.onnx"),
    "half a description": (
        lambda it: truncate(it.vocoder / "plan.json"),
        "anna_melgan has a plan of which nothing is known",
    ),
    "another description": (
        lambda it: (it.vocoder / "plan.json").write_text("[1]"),
        "anna_melgan has a plan of which nothing is known",
    ),
    "a description of numbers": (
        lambda it: it.describe(tensorrt=10),
        "anna_melgan has a plan of which nothing is known",
    ),
    "a config that is a folder": (
        lambda it: swap_for_a_folder(it.vocoder.parent / "configs" / "h100_tensorrt.pbtxt"),
        "anna_melgan has no h100_tensorrt.pbtxt",
    ),
    "a description that is a folder": (
        lambda it: swap_for_a_folder(it.vocoder / "plan.json"),
        "anna_melgan has a plan of which nothing is known",
    ),
    "a config without a plan": (
        lambda it: (
            (it.vocoder / "plan.json").unlink(),
            (it.vocoder.parent / "configs" / "h100_tensorrt.pbtxt").write_text('backend: "tensorrt"'),
        ),
        "anna_melgan has a plan of which nothing is known",
    ),
    "a model without a config": (
        lambda it: (it.shared / "configs" / "h100_tensorrt.pbtxt").unlink(),
        "aligner has no h100_tensorrt.pbtxt",
    ),
    "no backend": (lambda it: (it.backends / "tensorrt").rmdir(), "this tritonserver has no TensorRT backend"),
}


@pytest.mark.parametrize(("spoil", "difference"), MISFITS.values(), ids=MISFITS)
def test_a_difference_is_told_in_one_line_with_the_command_that_mends_it(
    planned: Planned, spoil: Callable[[Planned], Any], difference: str
) -> None:
    spoil(planned)
    form = planned.choose()
    assert (form.config_name, form.engines) == ("h100", "ONNX")
    assert form.warning.startswith(f"the TensorRT plans are not used: {difference}")
    assert form.warning.endswith(f"python -m export engines anna --profile h100 --repository {planned.path}")
    assert "\n" not in form.warning


def test_plans_for_another_profile_are_told_of(planned: Planned) -> None:
    form = planned.choose("l4")
    assert form.config_name == "l4"
    assert "they are for the profile h100" in form.warning


def test_every_card_must_be_the_one_that_plans_were_built_for(planned: Planned) -> None:
    other = Gpu("NVIDIA L4", 24 << 30, "GPU-2", "8.9", CARD.driver)
    assert "here is NVIDIA L4 (8.9)" in planned.choose(cards=(CARD, other)).warning
    assert "no NVIDIA GPU was found" in planned.choose(cards=()).warning


def test_the_version_of_a_library_is_read_from_itself() -> None:
    (library,) = Path(tensorrt_rtx_libs.__file__).parent.glob("libtensorrt_rtx.so.*")
    assert engines.library_version(str(library)) == "1.7.1.116"
    assert engines.library_version("libnvinfer.so.0") is None
    assert engines.library_version("libc.so.6") is None


def test_configs_for_plans_are_no_profiles(planned: Planned) -> None:
    assert models.profiles(planned.path) == ("cpu", "h100")


def test_a_cards_compute_capability_and_driver_are_known_where_there_is_one() -> None:
    assert all(re.fullmatch(r"\d+\.\d+", gpu.compute_capability) and gpu.driver for gpu in hardware.detect())


def test_a_server_whose_plans_do_not_fit_serves_onnx_and_says_so_once(planned: Planned, tmp_path: Path) -> None:
    arguments = ("serve", "--repository", str(planned.path), "--profile", "h100", *FREE)
    (planned.path / "anna" / "voice.json").unlink()  # a voice would have to speak
    (planned.path / "anna").rmdir()
    with command(tmp_path, *arguments) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = [process.stdout.readline() for _ in range(3)]
        assert lines[0].startswith("starting on ")
        assert lines[1] == "engines: ONNX\n"
        assert "ready after" in lines[2]
        warning = process.stderr.readline()
        assert warning.startswith("warning: the TensorRT plans are not used: this tritonserver has no TensorRT backend")
        address = re.search(r"http (\S+),", lines[2])
        assert address is not None
        client = httpclient.InferenceServerClient(address[1])
        assert client.is_model_ready("anna_melgan")
        assert client.get_model_config("anna_melgan")["backend"] == "onnxruntime"
        client.close()
