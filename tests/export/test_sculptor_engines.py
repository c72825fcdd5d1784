"""TensorRT takes the graphs of a designed voice's stages; the voice's other models do not stand in the way of plans."""

from __future__ import annotations

import io
import json
import shutil

import pytest
import tensorrt_rtx_bindings as trt

from export.engines.builder import BuildOptions, build
from export.engines.progress import Progress
from export.engines.shapes import optimisation_profiles
from export.engines.write import TIMING_CACHE, Workshop, write_engines
from export.profile_values import PROFILES
from export.specs import Precision, StageSpec
from server.hardware import Gpu

# TensorRT-RTX measures nothing while it builds and says so; the cache's methods are there and do nothing.
pytestmark = pytest.mark.filterwarnings("ignore:.*Timing cache:DeprecationWarning")

H100 = PROFILES["h100"]
CARD = Gpu("NVIDIA H100 80GB HBM3", 80 << 30, "GPU-1", "9.0", "580.65.06")
STAGES = ("flow", "hift", "xcodec2")


@pytest.mark.parametrize("role", STAGES)
def test_a_stage_of_a_designed_voice_becomes_a_plan(sculptor, role):
    folder = sculptor.repository / f"lily_{role}" / "1"
    spec = StageSpec.from_dict(json.loads((folder / "manifest.json").read_text())["spec"])
    shapes = optimisation_profiles(spec, H100.serving(spec.kind))
    progress = Progress(role, io.StringIO())
    assert build(trt, folder / spec.file_name(Precision.FP32), shapes, BuildOptions(level=0), b"", progress)[0]


def test_plans_in_float16_are_those_of_its_stages_and_the_rest_is_served_as_before(sculptor, tmp_path):
    repository = shutil.copytree(sculptor.repository, tmp_path / "repository")
    told: list[str] = []
    workshop = Workshop(trt, CARD, BuildOptions(level=0), repository / TIMING_CACHE)
    write_engines(repository, ["lily"], H100, workshop, told.append)
    planned = {path.parent.parent.name for path in repository.glob("*/1/model.plan")}
    assert planned == {f"lily_{role}" for role in STAGES}
    for part in ("lm", "llasa", "style", "campplus", "speech_tokenizer"):
        assert any(line.startswith(f"lily_{part} stays as it is") for line in told)
        model = repository / f"lily_{part}"
        plain = next(path for path in (model / "configs" / "h100.pbtxt", model / "config.pbtxt") if path.is_file())
        assert (model / "configs" / "h100_tensorrt.pbtxt").read_text() == plain.read_text()
