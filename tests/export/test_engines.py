"""TensorRT takes every stage's graphs with the shapes of its profiles: its parser and builder need no GPU."""

from __future__ import annotations

import io
import json

import onnx
import pytest
import tensorrt_rtx_bindings as trt
from onnx import TensorProto, helper

from export.bundle import Choice
from export.engines.builder import BuildOptions, build
from export.engines.progress import Progress
from export.engines.shapes import optimisation_profiles
from export.errors import EngineError
from export.families import sambert
from export.onnx_export import export_stage
from export.profile_values import PROFILES
from export.specs import FLOATS, Axis, DType, StageKind, StageSpec, TensorSpec

# TensorRT-RTX measures nothing while it builds and says so; the cache's methods are there and do nothing.
pytestmark = pytest.mark.filterwarnings("ignore:.*Timing cache:DeprecationWarning")

QUICK = BuildOptions(level=0)
H100 = PROFILES["h100"]


def built(path, spec, options=QUICK, cache=b""):
    shapes = optimisation_profiles(spec, H100.serving(spec.kind))
    return build(trt, path, shapes, options, cache, Progress(spec.role, io.StringIO()))


@pytest.fixture(scope="module")
def small(tmp_path_factory, data):
    """The stages of a small Sambert voice whose vocoder has a harmonic source, exported."""
    folder = tmp_path_factory.mktemp("small")
    stages = [
        s for s in sambert.bundle(data / "sambert" / "nsf16k", "small", Choice()).stages if s.spec.kind != "style"
    ]
    for stage in stages:
        export_stage(stage, folder / stage.spec.role)
    return {stage.spec.role: (stage.spec, folder / stage.spec.role) for stage in stages}


@pytest.mark.parametrize("precision", FLOATS)
@pytest.mark.parametrize("role", ["encoder", "decoder", "melgan"])
def test_a_stage_of_the_demo_voice_becomes_a_plan(repository, role, precision):
    folder = repository / f"demo_{role}" / "1"
    spec = StageSpec.from_dict(json.loads((folder / "manifest.json").read_text())["spec"])
    plan, _ = built(folder / spec.file_name(precision), spec)
    assert len(plan) > (folder / spec.file_name(precision)).stat().st_size / 2


@pytest.mark.parametrize("precision", FLOATS)
@pytest.mark.parametrize("role", ["encoder", "decoder", "hifigan"])
def test_a_stage_of_a_sambert_voice_becomes_a_plan_with_its_loops(small, role, precision):
    spec, folder = small[role]
    assert built(folder / spec.file_name(precision), spec)[0]


def test_what_tensorrt_does_not_take_is_one_line_with_the_node_and_the_reason(repository):
    folder = repository / "demo_fastmelgan" / "1"
    spec = StageSpec.from_dict(json.loads((folder / "manifest.json").read_text())["spec"])
    with pytest.raises(EngineError, match=r"TensorRT does not take model\.onnx: DequantizeLinear \S+: ") as caught:
        built(folder / "model.onnx", spec)
    assert "\n" not in str(caught.value)


def doubling(path):
    """A stage of one node, in milliseconds; and its specification."""
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "frames"]) for name in ("mel", "audio")]
    graph = helper.make_graph([helper.make_node("Add", ["mel", "mel"], ["audio"])], "doubling", value[:1], value[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    axis = Axis("frames", 16, 64, 128)
    return StageSpec("melgan", *((TensorSpec(name, DType.FP32, (axis,)),) for name in ("mel", "audio")))


def test_a_file_that_is_not_onnx_is_one_line(tmp_path):
    spec = doubling(tmp_path / "model.onnx")
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(EngineError, match=r"TensorRT does not take model\.onnx: "):
        built(tmp_path / "model.onnx", spec)


def test_the_timing_cache_goes_from_build_to_build_and_a_foreign_one_is_replaced(tmp_path):
    spec = doubling(tmp_path / "model.onnx")
    _, cache = built(tmp_path / "model.onnx", spec)
    assert cache
    assert built(tmp_path / "model.onnx", spec, cache=cache)[1]
    assert built(tmp_path / "model.onnx", spec, cache=b"of another TensorRT")[1]


def test_the_builders_options_reach_it(tmp_path):
    spec = doubling(tmp_path / "model.onnx")
    assert built(tmp_path / "model.onnx", spec, BuildOptions(level=5, workspace=1 << 30))[0]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_shown_on_a_terminal_only_and_leaves_no_line(tmp_path):
    spec = doubling(tmp_path / "model.onnx")
    shapes = optimisation_profiles(spec, H100.serving(StageKind.VOCODER))
    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        build(trt, tmp_path / "model.onnx", shapes, QUICK, b"", Progress("doubling", stream))
    assert "\rdoubling: " in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")
    assert file.getvalue() == ""


def test_a_cancelled_build_ends_without_a_plan(tmp_path):
    spec = doubling(tmp_path / "model.onnx")
    progress = Progress("doubling", io.StringIO())
    progress.cancelled = True
    with pytest.raises(EngineError):
        build(trt, tmp_path / "model.onnx", optimisation_profiles(spec, H100.vocoder), QUICK, b"", progress)
