"""Plans come into a repository whole, with configs for every model, and leave it when they no longer fit."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import tensorrt_rtx_bindings as trt
import tensorrt_rtx_libs
import typer
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st
from test_repository import bundle, write
from tritonclient.grpc import model_config_pb2 as pb

from export import configs
from export.change import changing
from export.engines import library
from export.engines.builder import BuildOptions
from export.engines.command import engines
from export.engines.shapes import graphs, optimisation_profiles
from export.engines.write import TIMING_CACHE, Workshop, write_engines
from export.errors import EngineError, ExportError
from export.families.fastspeech2 import demo, stages
from export.profile_values import PROFILES
from export.profiles import Serving
from export.repository import superfluous
from export.specs import Axis, StageSpec
from server.engines import library_version
from server.hardware import Gpu
from server.plans import Contents, Plan

pytestmark = pytest.mark.filterwarnings("ignore:.*Timing cache:DeprecationWarning")

H100, L4 = PROFILES["h100"], PROFILES["l4"]
CARD = Gpu("NVIDIA H100 80GB HBM3", 80 << 30, "GPU-1", "9.0", "580.65.06")
SPECS = {spec.role: spec for spec in stages.specs(demo.ACOUSTIC_CONFIG, demo.VOCODER_CONFIG)}
ROLES = ("melgan", "encoder", "decoder")


def build_plans(repository, *voices, profile=H100):
    told = []
    workshop = Workshop(trt, CARD, BuildOptions(level=0), repository / TIMING_CACHE)
    write_engines(repository, voices, profile, workshop, told.append)
    return told


def config(repository, model, name):
    return text_format.Parse((repository / model / "configs" / f"{name}.pbtxt").read_text(), pb.ModelConfig())


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A repository of a voice of three stages, in float32 and float16."""
    folder = tmp_path_factory.mktemp("exported")
    write(bundle(folder), folder / "repository")
    return folder


@pytest.fixture(scope="module")
def with_plans(tmp_path_factory, exported):
    """The same with plans of the voice."""
    folder = tmp_path_factory.mktemp("with_plans") / "exported"
    shutil.copytree(exported, folder)
    build_plans(folder / "repository", "anna")
    return folder


@pytest.fixture
def repository(tmp_path, exported):
    shutil.copytree(exported, tmp_path, dirs_exist_ok=True)
    return tmp_path / "repository"


@pytest.fixture
def planned(tmp_path, with_plans):
    shutil.copytree(with_plans, tmp_path, dirs_exist_ok=True)
    return tmp_path / "repository"


def test_a_voice_gets_plans_that_are_described_and_configs_that_serve_by_them(repository):
    told = build_plans(repository, "anna")
    for role in ROLES:
        folder = repository / f"anna_{role}" / "1"
        plan = Plan.read(folder / "plan.json")
        assert (plan.tensorrt, plan.gpu, plan.compute_capability) == (trt.__version__, CARD.name, "9.0")
        assert (plan.gpu_memory, plan.driver, plan.profile) == (CARD.memory, CARD.driver, "h100")
        assert plan.precision == "fp16"
        assert plan.onnx == Contents.of(folder / "model.fp16.onnx")
        assert plan.plan == Contents.of(folder / "model.plan")
        assert config(repository, f"anna_{role}", "h100_tensorrt").backend == "tensorrt"
    largest = [shapes["mel"]["max"] for shapes in Plan.read(repository / "anna_melgan" / "1" / "plan.json").shapes]
    assert largest == [[1, 1280, 2], [16, 1280, 2]]
    plain = (repository / "anna" / "config.pbtxt").read_text()
    assert (repository / "anna" / "configs" / "h100_tensorrt.pbtxt").read_text() == plain
    assert sum(line.startswith("built ") for line in told) == len(ROLES)
    assert (repository / TIMING_CACHE).is_file()


def test_a_voice_that_is_exported_again_keeps_the_plans_whose_graph_is_the_same(tmp_path, planned):
    melgan = planned / "anna_melgan" / "1"
    plan = json.loads((melgan / "plan.json").read_text())
    plan["onnx"]["sha256"] = "of another graph"
    (melgan / "plan.json").write_text(json.dumps(plan))
    before = names(planned)
    write(bundle(tmp_path), planned)
    assert set(before) - set(names(planned)) == {"anna_melgan/1/model.plan", "anna_melgan/1/plan.json"}
    assert config(planned, "anna_melgan", "h100_tensorrt") == config(planned, "anna_melgan", "h100")
    assert config(planned, "anna_encoder", "h100_tensorrt").backend == "tensorrt"


def test_a_voice_that_is_exported_later_is_served_beside_the_plans(tmp_path, planned):
    write(bundle(tmp_path, "berta"), planned)
    for role in ROLES:
        assert config(planned, f"berta_{role}", "h100_tensorrt") == config(planned, f"berta_{role}", "h100")
    assert (planned / "berta" / "configs" / "h100_tensorrt.pbtxt").is_file()


def test_plans_for_another_profile_take_the_place_of_the_first(planned):
    told = build_plans(planned, "anna", profile=L4)
    assert {path.stem for path in planned.glob("*/configs/*_tensorrt.pbtxt")} == {"l4_tensorrt"}
    assert any(line.startswith("removed anna_melgan/configs/h100_tensorrt.pbtxt") for line in told)


def test_the_configs_for_plans_are_not_taken_for_superfluous_ones(planned):
    found = superfluous(planned, [Path("anna_melgan", "config.pbtxt")])
    assert {path.stem for path in found} == set(PROFILES) - {"cpu"}


def test_after_a_failure_the_repository_is_as_it_was_but_for_what_was_measured(repository):
    (repository / "anna_decoder" / "1" / "model.fp16.onnx").write_bytes(b"damaged")
    before = names(repository)
    with pytest.raises(EngineError, match="is missing or not what was exported: export the voice anna again"):
        build_plans(repository, "anna")
    assert names(repository) == sorted([*before, TIMING_CACHE])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "manifest.json").unlink(), "cannot be read .*: export the voice again"),
        (lambda folder: (folder / "manifest.json").write_text("{}"), "of another version: export the voice again"),
        (lambda folder: (folder / "model.fp16.onnx").unlink(), "or not what was exported: export the voice anna again"),
    ],
)
def test_a_voice_that_lacks_something_is_to_be_exported_again(repository, damage, message):
    damage(repository / "anna_melgan" / "1")
    before = names(repository)
    with pytest.raises(EngineError, match=message):
        build_plans(repository, "anna")
    assert names(repository) == before


def test_an_unknown_voice_is_refused_with_the_known_ones(repository):
    with pytest.raises(ExportError, match="has no voice 'bob': it has anna"):
        build_plans(repository, "bob")


def test_a_repository_that_is_changed_by_somebody_else_is_left_alone(repository):
    with changing(repository), pytest.raises(ExportError, match="by another process"):
        build_plans(repository, "anna")


@pytest.mark.parametrize("role", ["encoder", "decoder", "melgan"])
@pytest.mark.parametrize("profile", [p for p in PROFILES.values() if p.gpu], ids=lambda p: p.name)
def test_the_form_with_a_plan_differs_from_the_onnx_form_in_what_runs_it_only(profile, role):
    onnx, plan = (form("demo", SPECS[role], profile) for form in (configs.stage, configs.planned_stage))
    assert (plan.backend, plan.platform, plan.default_model_filename) == ("tensorrt", "tensorrt_plan", "model.plan")
    assert not plan.parameters
    assert [group.kind for group in plan.instance_group] == [pb.ModelInstanceGroup.KIND_GPU]
    assert list(plan.instance_group[0].profile) == ["0", "1"]
    assert plan.instance_group[0].count == onnx.instance_group[0].count
    assert plan.optimization.cuda.graphs
    same = ("name", "max_batch_size", "input", "output", "dynamic_batching", "model_warmup", "response_cache")
    assert all(getattr(plan, field) == getattr(onnx, field) for field in same)


def test_only_a_vocoder_computes_smaller_batches_in_a_graph_for_larger_ones():
    captured = {
        role: list(configs.planned_stage("demo", SPECS[role], H100).optimization.cuda.graph_spec)
        for role in ("encoder", "decoder", "melgan")
    }
    assert [(g.batch_size, g.graph_lower_bound.batch_size) for g in captured["melgan"][::6]] == [(1, 0), (4, 2), (8, 5)]
    assert [list(g.input["mel"].dim) for g in captured["melgan"][:3]] == [[64, 80], [128, 80], [192, 80]]
    assert {(g.batch_size, g.graph_lower_bound.batch_size) for g in captured["encoder"]} == {(1, 0), (8, 0), (16, 0)}
    assert {g.batch_size for g in captured["decoder"]} == {1}


@settings(deadline=None)
@given(st.integers(1, 64), st.sets(st.integers(1, 64), max_size=3))
def test_every_captured_shape_and_every_batch_is_within_one_of_the_plans_profiles(largest, preferred):
    serving = Serving(1, largest, tuple(sorted(preferred)))
    for spec in SPECS.values():
        profiles = optimisation_profiles(spec, serving)
        assert [p[spec.inputs[0].name][bound][0] for p in profiles[:1] for bound in ("min", "max")] == [1, 1]
        assert profiles[-1][spec.inputs[0].name]["max"][0] == min(largest, spec.max_batch_size)
        for graph in graphs(spec, serving):
            shapes = {name: (graph.batch, *dims) for name, dims in graph.dims.items()}
            assert any(all(within(shapes[name], bounds) for name, bounds in p.items()) for p in profiles)


def within(shape, bounds):
    return all(low <= size <= high for low, size, high in zip(bounds["min"], shape, bounds["max"], strict=True))


@pytest.mark.parametrize("role", sorted(SPECS))
def test_a_specification_comes_back_from_its_manifest(role):
    assert StageSpec.from_dict(json.loads(json.dumps(SPECS[role].as_dict()))) == SPECS[role]
    assert all(isinstance(axis, Axis | int) for tensor in SPECS[role].inputs for axis in tensor.axes)


ALONE = """
import runpy, sys
for name in ("torch", "onnx", "onnxruntime", "onnxscript", "tensorrt", "tensorrt_bindings"):
    sys.modules[name] = None  # cannot be imported
sys.argv = ["export", *sys.argv[1:]]
runpy.run_module("export", run_name="__main__")
"""


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-c", ALONE, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_the_command_starts_without_pytorch_and_says_where_to_build_without_tensorrt(repository):
    assert "Build TensorRT plans" in run("engines", "--help").stdout
    result = run("engines", "anna", "--repository", repository)
    assert result.returncode == 1
    assert result.stderr.startswith("error: there is no TensorRT for Python here: build in the image that serves")
    assert len(result.stderr.splitlines()) == 1


def test_the_other_commands_say_that_they_need_pytorch():
    result = run("configs", "--check")
    assert result.returncode == 1
    assert re.fullmatch(r"error: \w+ is missing, without which there is only `engines`: .*\n", result.stderr)


def test_the_command_needs_a_gpu(repository, monkeypatch, capsys):
    monkeypatch.setattr(library, "load", lambda: trt)
    monkeypatch.setattr("server.hardware.detect", list)
    with pytest.raises(typer.Exit):
        engines(["anna"], repository)
    assert "error: no NVIDIA GPU was found" in capsys.readouterr().err


def test_the_command_is_for_one_kind_of_card(repository, monkeypatch, capsys):
    monkeypatch.setattr(library, "load", lambda: trt)
    monkeypatch.setattr("server.hardware.detect", lambda: [CARD, Gpu("NVIDIA L4", 24 << 30, "GPU-2", "8.9")])
    with pytest.raises(typer.Exit):
        engines(["anna"], repository)
    assert "here are NVIDIA H100 80GB HBM3 and NVIDIA L4" in capsys.readouterr().err


@pytest.mark.parametrize("profile", ["cpu", "amx", "toaster"])
def test_the_command_builds_for_a_gpus_profile(repository, monkeypatch, capsys, profile):
    monkeypatch.setattr(library, "load", lambda: trt)
    monkeypatch.setattr("server.hardware.detect", lambda: [CARD])
    with pytest.raises(typer.Exit):
        engines(["anna"], repository, profile)
    assert f"the profile '{profile}' is not a GPU's: choose one of rtx3090, " in capsys.readouterr().err


def test_the_command_builds_for_the_card_that_is_there(repository, monkeypatch, capsys):
    monkeypatch.setattr(library, "load", lambda: trt)
    monkeypatch.setattr("server.hardware.detect", lambda: [CARD])
    engines(["anna"], repository, level=0)
    assert capsys.readouterr().out.endswith("serve with --profile h100\n")
    assert Plan.read(repository / "anna_melgan" / "1" / "plan.json").profile == "h100"


def test_a_packages_version_is_told_as_its_library_tells_it():
    assert library.version(SimpleNamespace(__version__="10.14.1.48.post1")) == "10.14.1.48"
    assert library.version(trt) == library_version(
        str(next(Path(tensorrt_rtx_libs.__file__).parent.glob("libtensorrt_rtx.so.*")))
    )


def test_a_tensorrt_that_is_too_old_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", SimpleNamespace(__version__="10.11.0.33"))
    with pytest.raises(EngineError, match=r"TensorRT 10\.11\.0\.33 is too old: 10\.12 or later"):
        library.load()
