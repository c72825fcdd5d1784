"""ONNX models behind a real Triton, through the backend that stands in for the container's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as grpc
from tritonclient.utils import InferenceServerException

from server import ServerOptions, TritonServer

BATCHED = "dynamic_batching { max_queue_delay_microseconds: 200000 preferred_batch_size: [8] }\n"
WARM_UP = (
    'model_warmup [{ name: "warm" batch_size: 1 '
    'inputs { key: "x" value { data_type: TYPE_FP32 dims: [4] zero_data: true } } }]\n'
)
OPTIONS = (
    'parameters { key: "intra_op_thread_count" value { string_value: "1" } }\n'
    'parameters { key: "memory.enable_memory_arena_shrinkage" value { string_value: "cpu:0" } }\n'
    "optimization { graph { level: 1 } "
    'execution_accelerators { gpu_execution_accelerator [{ name: "cuda" }] } }\n'
)
OPENVINO = 'optimization { execution_accelerators { cpu_execution_accelerator [{ name: "openvino" }] } }\n'
ALONE = (
    "max_batch_size: 0\n"
    'input [{ name: "x" data_type: TYPE_FP32 dims: [-1, 2] }]\n'
    'output [{ name: "y" data_type: TYPE_FP32 dims: [-1, 2] }]\n'
    "instance_group [{ count: 1 kind: KIND_CPU }]\n"
)


@pytest.fixture(scope="module")
def client(new_repository: Callable[[], Any]) -> Iterator[Any]:
    repository = new_repository()
    repository.onnx("batched", extra=BATCHED + WARM_UP + OPTIONS)
    repository.onnx(
        "both",
        nodes=[("Add", ("x", "x"), ("y",)), ("Neg", ("x",), ("z",))],
        outputs={"y": ("FP32", ["B", "N"]), "z": ("FP32", ["B", "N"])},
    )
    repository.onnx(
        "gather",
        nodes=[("GatherElements", ("table", "index"), ("y",), {"axis": 1})],
        inputs={"table": ("FP32", ["B", 4]), "index": ("INT64", ["B", 1])},
        outputs={"y": ("FP32", ["B", 1])},
        extra=BATCHED,
    )
    repository.onnx("half", inputs={"x": ("FP16", ["B", 3])}, outputs={"y": ("FP16", ["B", 3])})
    repository.onnx(
        "words",
        nodes=[("Identity", ("x",), ("y",))],
        inputs={"x": ("STRING", ["B", "N"])},
        outputs={"y": ("STRING", ["B", "N"])},
    )
    repository.onnx("alone", config=ALONE)
    repository.onnx("openvino", extra=OPENVINO)
    server = TritonServer(ServerOptions(repository.path, log_verbose=1)).__enter__()
    try:
        with grpc.InferenceServerClient(server.address.grpc) as opened:
            opened.log_text = server.log_text
            yield opened
    finally:
        server.kill()


def tensor(name: str, value: Any, kind: str = "FP32") -> Any:
    made = grpc.InferInput(name, list(value.shape), kind)
    made.set_data_from_numpy(value)
    return made


def infer(client: Any, model: str, *inputs: Any, outputs: list[str] | None = None) -> Any:
    wanted = None if outputs is None else [grpc.InferRequestedOutput(name) for name in outputs]
    return client.infer(model, list(inputs), outputs=wanted, client_timeout=20)


def counts(client: Any, model: str) -> tuple[int, int]:
    (stats,) = client.get_inference_statistics(model).model_stats
    return stats.inference_count, stats.execution_count


def test_equal_requests_share_executions_and_get_their_own_answers(client: Any) -> None:
    inferences, executions = counts(client, "batched")
    with ThreadPoolExecutor(8) as pool:
        results = list(
            pool.map(lambda n: infer(client, "batched", tensor("x", np.full((1, 4), n, np.float32))), range(8))
        )
    assert [result.as_numpy("y").tolist() for result in results] == [[[2.0 * n] * 4] for n in range(8)]
    after = counts(client, "batched")
    assert after[0] - inferences == 8
    assert after[1] - executions < 8


def test_unequal_requests_do_not_share(client: Any) -> None:
    executions = counts(client, "batched")[1]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: infer(client, "batched", tensor("x", np.ones((1, n), np.float32))), (1, 2, 3, 5)))
    assert counts(client, "batched")[1] - executions == 4


def test_a_request_of_several_rows_is_answered_whole(client: Any) -> None:
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert np.array_equal(infer(client, "batched", tensor("x", x)).as_numpy("y"), x * 2)


def test_openvino_answers_where_the_config_asks_for_it(client: Any) -> None:
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert np.array_equal(infer(client, "openvino", tensor("x", x)).as_numpy("y"), x * 2)


def test_the_warm_up_ran_before_the_first_request(client: Any) -> None:
    assert "warm" in client.log_text()


def test_only_the_outputs_asked_for_are_given(client: Any) -> None:
    x = np.ones((1, 2), np.float32)
    only = infer(client, "both", tensor("x", x), outputs=["z"])
    assert only.as_numpy("y") is None
    assert only.as_numpy("z").tolist() == [[-1, -1]]
    assert infer(client, "both", tensor("x", x)).as_numpy("y").tolist() == [[2, 2]]


def test_half_precision_text_and_unbatched_models_work(client: Any) -> None:
    half = infer(client, "half", tensor("x", np.ones((2, 3), np.float16), "FP16")).as_numpy("y")
    assert half.dtype == np.float16
    assert half.tolist() == [[2] * 3] * 2
    words = np.array([["今天".encode(), b""], [b"a", b"\xc3\xa9"]], dtype=object)
    assert np.array_equal(infer(client, "words", tensor("x", words, "BYTES")).as_numpy("y"), words)
    alone = np.ones((5, 2), np.float32)
    assert np.array_equal(infer(client, "alone", tensor("x", alone)).as_numpy("y"), alone * 2)


def test_one_bad_request_does_not_fail_the_batch(client: Any) -> None:
    table = np.array([[10, 11, 12, 13]], np.float32)

    def look_up(index: int) -> Any:
        try:
            value = tensor("index", np.array([[index]], np.int64), "INT64")
            return infer(client, "gather", tensor("table", table), value).as_numpy("y").item()
        except InferenceServerException as error:
            return error

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(look_up, (0, 1, 99, 3)))
    assert [results[0], results[1], results[3]] == [10, 11, 13]
    assert "INTERNAL" in results[2].status()
    assert "the ONNX model failed" in results[2].message()


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        (np.ones((1, 3), np.float32), "FP32", "data-type"),
        (np.ones((1, 4), np.float16), "FP16", r"shape"),
        (np.ones((9, 3), np.float16), "FP16", "batch-size"),
    ],
)
def test_a_wrong_type_shape_or_batch_is_an_invalid_argument(client: Any, value: Any, kind: str, message: str) -> None:
    with pytest.raises(InferenceServerException, match=message) as caught:
        infer(client, "half", tensor("x", value, kind))
    assert "INVALID_ARGUMENT" in caught.value.status()
