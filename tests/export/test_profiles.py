"""A profile's values have reasons, reach the configs, and start a real server."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest
import tritonclient.grpc as grpcclient
from google.protobuf import text_format
from settings import Settings
from tritonclient.grpc import model_config_pb2 as pb

from client import Synthesizer
from export import configs, profiles_page
from export.change import changing
from export.families.fastspeech2 import demo, stages
from export.profile_values import GIB, PLAIN, PROFILES
from export.profiles import Profile
from export.repository import checked_in_configs, put_configs, superfluous, voice_configs
from export.specs import Axis, DType, Precision, StageKind, StageSpec, TensorSpec, Warmup
from server import ServerOptions, TritonServer

EVERY = pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
SPEC = StageSpec(
    role="encoder",
    inputs=(TensorSpec("a", DType.FP32, (Axis("n", 1, 2, 3), 4)),),
    outputs=(TensorSpec("b", DType.INT32, (1,)),),
    warmups=(Warmup(1, {"n": 2}),),
)


def parse(text: str) -> pb.ModelConfig:
    return text_format.Parse(text, pb.ModelConfig())


def in_profile(model: str, profile: str) -> pb.ModelConfig:
    files = checked_in_configs()
    return parse(files.get(Path(model, "configs", f"{profile}.pbtxt"), files[Path(model, "config.pbtxt")]))


@EVERY
def test_every_value_has_a_reason(profile: Profile):
    described = [field.name for field in fields(Profile) if field.name not in ("name", "hardware", "why", "base")]
    assert set(profile.why) == set(described)
    assert all(reason.strip() for reason in profile.why.values())


def test_the_profiles_are_those_of_the_cards_that_are_served():
    assert set(PROFILES) == {"cpu", "amx", "rtx3090", "rtx3060", "a4000", "laptop3060", "l4", "h100"}
    assert all(name == profile.name for name, profile in PROFILES.items())


@pytest.mark.parametrize(("name", "most"), [("rtx3090", 6), ("rtx3060", 3), ("a4000", 4), ("laptop3060", 1)])
def test_no_card_works_on_more_requests_than_it_can(name, most):
    assert 1 <= PROFILES[name].max_in_flight <= most
    assert PROFILES[name].max_waiting > 0


def test_the_light_path_begins_below_three_gigabytes_and_smaller_work_above_four_fifths():
    for name in ("rtx3090", "rtx3060", "a4000", "l4"):
        assert PROFILES[name].light_free_bytes == 3 * GIB
        assert PROFILES[name].small_used_fraction == 0.8


@EVERY
def test_the_front_door_accepts_a_profiles_parameters(profile: Profile):
    settings = Settings.parse(profile.router_parameters())
    for name in profile.router_parameters():
        assert getattr(settings, name) == getattr(profile, name), name


@EVERY
def test_the_front_doors_config_has_the_profiles_parameters(profile: Profile):
    parameters = {name: value.string_value for name, value in in_profile("tts", profile.name).parameters.items()}
    assert profile.router_parameters().items() <= parameters.items()
    Settings.parse(parameters)


def test_every_setting_of_the_front_door_has_a_value_in_the_profiles():
    assert {field.name for field in fields(Settings)} - {"presets"} == set(PLAIN.router_parameters())


@EVERY
def test_an_ensembles_clauses_fit_into_a_batch_of_every_stage(profile: Profile):
    clauses = demo.voice("demo", 300).max_clauses
    assert all(profile.serving(kind).max_batch >= clauses for kind in StageKind)


@EVERY
def test_preferred_batches_are_possible_ones(profile: Profile):
    for kind in StageKind:
        serving = profile.serving(kind)
        assert all(1 < size <= serving.max_batch for size in serving.preferred)
        assert serving.instances >= 1


def test_nothing_waits_for_company_on_a_processor():
    assert [PLAIN.serving(kind).delay_us for kind in StageKind] == [0, 0, 0, 0]


@EVERY
def test_a_stage_is_served_as_its_profile_says(profile: Profile):
    config, serving = configs.stage("v", SPEC, profile), profile.encoder
    assert config.instance_group[0].count == serving.instances
    assert config.max_batch_size == serving.max_batch
    assert config.HasField("dynamic_batching") == profile.batching
    assert tuple(config.dynamic_batching.preferred_batch_size) == serving.preferred
    assert config.dynamic_batching.max_queue_delay_microseconds == serving.delay_us
    assert [warmup.batch_size for warmup in config.model_warmup] == [1, *serving.preferred]
    parameters = {name: value.string_value for name, value in config.parameters.items()}
    assert parameters == {"enable_mem_arena": "0", **profile.session}


def test_a_stage_of_small_batches_keeps_to_them():
    config = configs.stage("v", replace(SPEC, max_batch_size=8), PROFILES["h100"])
    assert config.max_batch_size == 8
    assert list(config.dynamic_batching.preferred_batch_size) == [8]


def test_the_precision_wanted_is_served_where_a_stage_has_it():
    both = replace(SPEC, precisions=(Precision.FP32, Precision.FP16))
    assert configs.stage("v", both, PROFILES["l4"]).default_model_filename == "model.fp16.onnx"
    assert configs.stage("v", both, PLAIN).default_model_filename == "model.onnx"
    assert configs.stage("v", SPEC, PROFILES["l4"]).default_model_filename == "model.onnx"


@pytest.mark.parametrize(("role", "kind"), [("decoder", StageKind.DECODER), ("hifigan", StageKind.VOCODER)])
def test_a_stages_kind_follows_from_its_role(role, kind):
    assert replace(SPEC, role=role).kind is kind


def test_a_voice_offers_only_the_qualities_that_the_profile_has():
    voice = replace(demo.voice("demo", 300), qualities={"high": "melgan", "balanced": "melgan"})
    specs = stages.specs(demo.ACOUSTIC_CONFIG, demo.VOCODER_CONFIG)
    steps = {spec.role: configs.Step.of(f"demo_{spec.role}", spec) for spec in specs}

    def offered(one, profile):
        config = configs.ensemble(one, steps, PROFILES[profile], is_default=True)
        return json.loads(config.parameters["qualities"].string_value)

    assert offered(voice, "h100") == ["high", "balanced"]
    assert offered(voice, "laptop3060") == ["balanced"]
    assert offered(replace(voice, qualities={"high": "melgan"}), "laptop3060") == ["high"]


def test_only_configs_that_differ_are_written_for_a_profile():
    files = checked_in_configs()
    for path, text in files.items():
        if path.parent.name == "configs":
            assert parse(text) != parse(files[Path(path.parts[0], "config.pbtxt")])
    for model in ("tts", "demo_encoder", "demo_decoder", "demo_melgan"):
        differing = {p.stem for p in files if p.parts[:2] == (model, "configs")}
        assert differing | {"amx"} == set(PROFILES) - {"cpu"}
        assert ("amx" in differing) == (model in ("tts", "demo_melgan"))


def test_a_voice_of_another_name_has_every_profile():
    files = voice_configs(demo.voice("anna", 300), stages.specs(demo.ACOUSTIC_CONFIG, demo.VOCODER_CONFIG))
    assert parse(files[Path("anna_decoder/configs/rtx3060.pbtxt")]).name == "anna_decoder"


def test_a_profile_that_is_no_more_leaves_no_config_behind(tmp_path):
    files = {Path("m/config.pbtxt"): "", Path("m/configs/new.pbtxt"): ""}
    for path in ("m/configs/old.pbtxt", "other/configs/old.pbtxt"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).touch()
    assert superfluous(tmp_path, files) == [Path("m/configs/old.pbtxt")]
    with changing(tmp_path) as change:
        put_configs(change, files)
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.pbtxt"))
    assert left == ["m/config.pbtxt", "m/configs/new.pbtxt", "other/configs/old.pbtxt"]


def test_no_superfluous_config_is_checked_in(repository):
    assert superfluous(repository, checked_in_configs()) == []


def test_the_page_about_the_profiles_is_in_step_with_them(repository):
    page = (repository.parent / "docs" / "profiles.md").read_text(encoding="utf-8")
    assert page == profiles_page.page(), "run: python -m export profiles > docs/profiles.md"


def test_on_a_processor_with_amx_the_vocoder_alone_is_in_bfloat16_and_warmed_up_at_every_window():
    files = checked_in_configs()
    accelerated = {
        path.parts[0] for path, text in files.items() if parse(text).optimization.execution_accelerators.ByteSize()
    }
    assert accelerated == {"demo_melgan"}
    config = parse(files[Path("demo_melgan/configs/amx.pbtxt")])
    step, longest = PROFILES["amx"].window_step, PROFILES["amx"].max_chunk_frames
    warmed = [sample.inputs["mel"].dims[0] for sample in config.model_warmup]
    assert warmed == list(range(warmed[0], warmed[-1] + 1, step))
    assert warmed[0] <= 2 * PROFILES["amx"].first_chunk_frames
    assert warmed[-1] >= longest + 2 * step


def test_the_profile_for_amx_starts_and_speaks_on_any_processor(repository):
    with TritonServer(ServerOptions(repository, profile="amx")) as server, Synthesizer(server.address.grpc) as client:
        heard = client.synthesize("你好。", quality="fast")
    assert heard.duration > 0.2
    assert heard.quality == "balanced"


def test_a_gpus_profile_starts_and_speaks_without_a_gpu(repository):
    with TritonServer(ServerOptions(repository, profile="a4000")) as server:
        address = server.address.grpc
        triton = grpcclient.InferenceServerClient(address)
        config = triton.get_model_config("demo_melgan").config
        front_door = triton.get_model_config("tts").config
        triton.close()
        with Synthesizer(address) as synthesizer:
            assert synthesizer.synthesize("你好。").duration > 0.2
    assert [group.count for group in config.instance_group] == [PROFILES["a4000"].vocoder.instances]
    assert front_door.parameters["max_in_flight"].string_value == "4"
