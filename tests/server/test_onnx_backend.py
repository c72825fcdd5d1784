"""The ONNX backend's checks, options and batching, without Triton."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
import pytest


@dataclass
class Node:
    name: str
    type: str
    shape: Sequence[int | str | None]


def entry(name: str, dims: Sequence[int], kind: str = "TYPE_FP32", **more: Any) -> dict[str, Any]:
    return {"name": name, "data_type": kind, "dims": list(dims), **more}


def config(inputs: list[Any], outputs: list[Any], batch: int = 8, **more: Any) -> dict[str, Any]:
    return {"max_batch_size": batch, "input": inputs, "output": outputs, **more}


X = Node("x", "tensor(float)", ["B", "T", 80])
Y = Node("y", "tensor(float)", ["B", "T"])


def test_a_config_that_fits_gives_the_signature(ort: Any) -> None:
    signature = ort.checks.check(config([entry("x", [-1, 80])], [entry("y", [-1])]), [X], [Y])
    assert signature.batching
    assert [(tensor.name, tensor.dims) for tensor in signature.inputs] == [("x", (-1, 80))]
    fixed = ort.checks.check(config([entry("x", [5, 80])], [entry("y", [5])]), [X], [Y])
    assert fixed.inputs[0].dims == (5, 80)  # the config may be narrower than the graph
    alone = ort.checks.check(config([entry("x", [1, -1, 80])], [entry("y", [1, -1])], batch=0), [X], [Y])
    assert not alone.batching


def test_an_output_may_be_left_out_and_an_undeclared_rank_is_taken(ort: Any) -> None:
    extra = Node("z", "tensor(float)", [])
    given = config([entry("x", [-1, 80])], [entry("z", [-1, -1])])
    assert [tensor.name for tensor in ort.checks.check(given, [X], [Y, extra]).outputs] == ["z"]


def test_a_reshaped_input_is_compared_by_its_new_shape(ort: Any) -> None:
    node = Node("x", "tensor(float)", ["B"])
    given = config([entry("x", [1], reshape={"shape": []})], [])
    assert ort.checks.check(given, [node], []).inputs[0].dims == ()


@pytest.mark.parametrize(
    ("inputs", "outputs", "batch", "message"),
    [
        ([], [], 8, 'the model needs the input "x", missing from the config'),
        (
            [entry("x", [-1, 80]), entry("w", [1])],
            [],
            8,
            'the config names the input "w", but the inputs .* are "x"',
        ),
        ([entry("x", [-1, 80])], [entry("z", [1])], 8, 'names the output "z", but the outputs .* are "y"'),
        (
            [entry("x", [-1, 80], "TYPE_FP16")],
            [],
            8,
            r'input "x" is TYPE_FP16 .* tensor\(float\) in the ONNX model',
        ),
        ([entry("x", [-1, 80], "TYPE_BF16")], [], 8, "TYPE_BF16 .* cannot carry"),
        (
            [entry("x", [80])],
            [],
            8,
            r"\[-1, 80\] in the config .* \[-1, -1, 80\] in the ONNX model: the ranks differ",
        ),
        ([entry("x", [-1, 81])], [], 8, "axis 2 differs"),
        ([entry("x", [-1, -1])], [], 8, "axis 2 differs"),
        ([entry("x", [-1, 80])], [], 0, "the ranks differ"),
        ([entry("x", [-1, 80], allow_ragged_batch=True)], [], 8, "pad it upstream"),
        ([entry("x", [-1, 80])], [entry("y", [-1], reshape={"shape": [1]})], 8, "reshape"),
    ],
)
def test_a_config_that_differs_is_refused_by_name(
    ort: Any, inputs: list[Any], outputs: list[Any], batch: int, message: str
) -> None:
    with pytest.raises(ort.checks.ConfigError, match=message):
        ort.checks.check(config(inputs, outputs, batch), [X], [Y])


def test_a_fixed_batch_axis_cannot_be_batched(ort: Any) -> None:
    with pytest.raises(ort.checks.ConfigError, match="batch axis of the ONNX model must be dynamic"):
        ort.checks.check(config([entry("x", [4])], []), [Node("x", "tensor(float)", [1, 4])], [])


def parameters(**values: str) -> dict[str, Any]:
    return {"parameters": {key.replace("__", "."): {"string_value": value} for key, value in values.items()}}


def test_session_options_follow_the_config(ort: Any) -> None:
    plain = ort.options.session_options({})
    assert plain.graph_optimization_level == onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    assert plain.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    given = parameters(
        intra_op_thread_count="3",
        inter_op_thread_count="2",
        execution_mode="1",
        enable_mem_arena="0",
        enable_mem_pattern="false",
        session__intra_op__allow_spinning="1",
    )
    options = ort.options.session_options({**given, "optimization": {"graph": {"level": -1}}})
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (3, 2)
    assert options.execution_mode == onnxruntime.ExecutionMode.ORT_PARALLEL
    assert not options.enable_cpu_mem_arena
    assert not options.enable_mem_pattern
    assert options.graph_optimization_level == onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "1"


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (3, 1), (16, 8)])
def test_a_stage_takes_half_of_the_cores(ort: Any, monkeypatch: pytest.MonkeyPatch, cores: int, threads: int) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(cores)))
    assert ort.options.session_options({}).intra_op_num_threads == threads


def test_arena_shrinkage_is_a_run_option(ort: Any) -> None:
    assert ort.options.run_options({}) is None
    options = ort.options.run_options(parameters(memory__enable_memory_arena_shrinkage="cpu:0"))
    assert options.get_run_config_entry("memory.enable_memory_arena_shrinkage") == "cpu:0"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (parameters(intra_op_thread_count="many"), '"intra_op_thread_count" is "many"'),
        (parameters(intra_op_thread_count="-1"), "at least 0"),
        (parameters(enable_mem_arena="2"), "must be 0 or 1"),
        ({"optimization": {"graph": {"level": 7}}}, "level 7 is unknown"),
    ],
)
def test_senseless_options_are_refused(ort: Any, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ort.checks.ConfigError, match=message):
        ort.options.session_options(given)


def accelerated(kind: str, name: str, **values: str) -> dict[str, Any]:
    return {"optimization": {"execution_accelerators": {kind: [{"name": name, "parameters": values}]}}}


ALL = (
    "TensorrtExecutionProvider",
    "CUDAExecutionProvider",
    "OpenVINOExecutionProvider",
    "CPUExecutionProvider",
)
GPU, CPU = "gpu_execution_accelerator", "cpu_execution_accelerator"


@pytest.mark.parametrize(
    ("given", "kind", "expected"),
    [
        ({}, "CPU", [("CPUExecutionProvider", {})]),
        (accelerated(GPU, "tensorrt"), "CPU", [("CPUExecutionProvider", {})]),
        (
            accelerated(CPU, "openvino"),
            "CPU",
            [("OpenVINOExecutionProvider", {}), ("CPUExecutionProvider", {})],
        ),
        ({}, "GPU", [("CUDAExecutionProvider", {"device_id": "1"}), ("CPUExecutionProvider", {})]),
        (
            {
                **accelerated(GPU, "cuda", cudnn_conv_use_max_workspace="0"),
                **parameters(arena_extend_strategy="1"),
            },
            "GPU",
            [
                (
                    "CUDAExecutionProvider",
                    {
                        "device_id": "1",
                        "arena_extend_strategy": "kSameAsRequested",
                        "cudnn_conv_use_max_workspace": "0",
                    },
                ),
                ("CPUExecutionProvider", {}),
            ],
        ),
        (
            accelerated(GPU, "tensorrt", precision_mode="FP16", max_workspace_size_bytes="9", trt_dla_core="1"),
            "GPU",
            [
                (
                    "TensorrtExecutionProvider",
                    {
                        "device_id": "1",
                        "trt_fp16_enable": "1",
                        "trt_max_workspace_size": "9",
                        "trt_dla_core": "1",
                    },
                ),
                ("CUDAExecutionProvider", {"device_id": "1"}),
                ("CPUExecutionProvider", {}),
            ],
        ),
    ],
)
def test_providers_follow_the_instance_and_the_accelerators(
    ort: Any, given: dict[str, Any], kind: str, expected: list[Any]
) -> None:
    assert ort.options.providers(given, kind, 1, ALL, pytest.fail) == expected


def test_a_gpu_without_cuda_in_onnxruntime_is_a_warning(ort: Any) -> None:
    warnings: list[str] = []
    assert ort.options.providers({}, "GPU", 0, ALL[3:], warnings.append) == [("CPUExecutionProvider", {})]
    assert "without CUDA" in warnings[0]


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        (accelerated(GPU, "warp"), "CPU", '"warp" is unknown: tensorrt, cuda'),
        (accelerated(CPU, "tensorrt"), "CPU", '"tensorrt" is unknown: openvino'),
        (accelerated(CPU, "openvino"), "CPU", "wants OpenVINOExecutionProvider, missing"),
        (accelerated(GPU, "tensorrt"), "GPU", "wants TensorrtExecutionProvider, missing"),
        (accelerated(GPU, "cuda"), "GPU", "wants CUDAExecutionProvider, missing"),
        (accelerated(GPU, "tensorrt", precision_mode="FP8"), "GPU", 'precision_mode "FP8" is unknown'),
        (accelerated(GPU, "tensorrt", wrong="1"), "GPU", '"wrong" of the tensorrt accelerator is unknown'),
        (parameters(cudnn_conv_algo_search="3"), "GPU", "use 0 to 2"),
    ],
)
def test_accelerators_that_cannot_be_had_are_refused(ort: Any, given: dict[str, Any], kind: str, message: str) -> None:
    with pytest.raises(ort.checks.ConfigError, match=message):
        ort.options.providers(given, kind, 0, ["CPUExecutionProvider"], lambda text: None)


class Doubler:
    """A session that doubles ``x`` into ``y`` and counts its runs; a 13 in a batch fails it."""

    def __init__(self) -> None:
        self.runs: list[tuple[tuple[int, ...], list[str]]] = []
        self.seen: list[Any] = []

    def run(self, output_names: Sequence[str], input_feed: dict[str, Any], run_options: Any = None) -> list[Any]:
        x = input_feed["x"]
        self.runs.append((x.shape, list(output_names)))
        self.seen.append(x)
        if (x == 13).any():
            raise RuntimeError("13 is\nout of range")
        return [{"y": x * 2, "n": x.sum(axis=-1, keepdims=True)}[name] for name in output_names]


@pytest.fixture
def doubler() -> Doubler:
    return Doubler()


@pytest.fixture
def runner(ort: Any, doubler: Doubler) -> Any:
    tensor = ort.checks.Tensor
    signature = ort.checks.Signature(
        True,
        (tensor("x", "TYPE_FP32", np.float32, (-1,)),),
        (tensor("y", "TYPE_FP32", np.float32, (-1,)), tensor("n", "TYPE_FP32", np.float32, (1,))),
    )
    return ort.batch.Runner(doubler, signature)


def rows(*values: float, width: int = 2) -> Any:
    return np.stack([np.full(width, value, np.float32) for value in values])


def test_one_run_answers_a_whole_batch(ort: Any, runner: Any, doubler: Doubler) -> None:
    jobs = [
        ort.batch.Job({"x": rows(1)}, ("y",)),
        ort.batch.Job({"x": rows(2, 3)}, ("n", "y")),
        ort.batch.Job({"x": rows(4)}, ("n",)),
    ]
    first, second, third = runner.answer(jobs)
    assert doubler.runs == [((4, 2), ["y", "n"])]
    assert set(first) == {"y"}
    assert first["y"].tolist() == [[2, 2]]
    assert second["y"].tolist() == [[4, 4], [6, 6]]
    assert second["n"].tolist() == [[4], [6]]
    assert set(third) == {"n"}
    assert third["n"].tolist() == [[8]]


def test_a_single_request_is_not_copied(ort: Any, runner: Any, doubler: Doubler) -> None:
    x = rows(1, 2)
    runner.answer([ort.batch.Job({"x": x}, ("y",))])
    assert doubler.seen[0] is x
    assert doubler.runs[0][1] == ["y"]


def test_a_request_that_does_not_fit_fails_alone(ort: Any, runner: Any, doubler: Doubler) -> None:
    results = runner.answer(
        [
            ort.batch.Job({"x": rows(1).astype(np.float64)}, ("y",)),
            ort.batch.Job({"x": rows(1)}, ("y",)),
            ort.batch.Job({"x": rows(1, width=3)}, ("y",)),
            ort.batch.Job({"x": rows(1)[0]}, ("y",)),
            ort.batch.Job({}, ("y",)),
            ort.batch.Job({"x": rows(1)}, ("z",)),
            ort.batch.Job({"x": rows(5)}, ("y",)),
        ]
    )
    assert [isinstance(result, ort.batch.Refused) for result in results] == [
        True,
        False,
        True,
        True,
        True,
        True,
        False,
    ]
    assert results[6]["y"].tolist() == [[10, 10]]
    assert len(doubler.runs) == 1
    told = [str(results[place]) for place in (0, 2, 3, 4, 5)]
    expected = ("float64", "must be equal", "has the shape [2]", "is missing", 'output "z"')
    assert all(word in text for word, text in zip(expected, told, strict=True)), told


def test_a_request_that_breaks_the_run_fails_alone(ort: Any, runner: Any, doubler: Doubler) -> None:
    jobs = [ort.batch.Job({"x": rows(value)}, ("y",)) for value in (1, 13, 2)]
    good, bad, fine = runner.answer(jobs)
    assert good["y"].tolist() == [[2, 2]]
    assert fine["y"].tolist() == [[4, 4]]
    assert isinstance(bad, ort.batch.Failed)
    assert str(bad) == "the ONNX model failed: 13 is out of range"
    assert len(doubler.runs) == 4


def test_an_output_of_another_size_is_an_error(ort: Any, runner: Any, doubler: Doubler) -> None:
    doubler.run = lambda output_names, input_feed, run_options=None: [np.zeros((3, 2), np.float32)]  # type: ignore
    (result,) = runner.answer([ort.batch.Job({"x": rows(1)}, ("y",))])
    assert 'output "y" has 3 rows for a batch of 1' in str(result)
    doubler.run = lambda output_names, input_feed, run_options=None: [np.zeros((1, 2, 2), np.float32)]  # type: ignore
    (result,) = runner.answer([ort.batch.Job({"x": rows(1)}, ("y",))])
    assert 'output "y" came out as [2, 2], the config says [-1]' in str(result)


def test_without_batching_every_request_runs_alone(ort: Any, doubler: Doubler) -> None:
    tensor = ort.checks.Tensor
    signature = ort.checks.Signature(
        False, (tensor("x", "TYPE_FP32", np.float32, (-1,)),), (tensor("y", "TYPE_FP32", np.float32, (-1,)),)
    )
    runner = ort.batch.Runner(doubler, signature)
    jobs = [ort.batch.Job({"x": np.ones(size, np.float32)}, ("y",)) for size in (2, 3)]
    assert [result["y"].shape for result in runner.answer(jobs)] == [(2,), (3,)]
    assert len(doubler.runs) == 2


def test_rows_of_the_inputs_must_agree(ort: Any, doubler: Doubler) -> None:
    tensor = ort.checks.Tensor
    inputs = tuple(tensor(name, "TYPE_FP32", np.float32, (2,)) for name in ("x", "w"))
    runner = ort.batch.Runner(doubler, ort.checks.Signature(True, inputs, ()))
    (result,) = runner.answer([ort.batch.Job({"x": rows(1, 2), "w": rows(1)}, ())])
    assert 'input "w" has 1 rows where the other inputs have 2' in str(result)
