"""A language model behind a real Triton: asked again and again by clients, and by other models."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as grpc
from language_models import CODES, FIRST, RAS, tiny, write_model
from tritonclient.utils import InferenceServerException

from server import ServerOptions, TritonServer
from server.errors import StartFailed

# A model that lets another one generate, on a thread of its own pool and in `execute` itself, as ours do.
CALLER = """
import time
from concurrent.futures import ThreadPoolExecutor
import numpy as np
import triton_python_backend_utils as pb

def call(**tensors):
    inputs = [pb.Tensor(name, value) for name, value in tensors.items()]
    answer = pb.InferenceRequest(model_name="lm", inputs=inputs, requested_output_names=["tokens", "end"]).exec()
    if answer.has_error():
        raise RuntimeError(answer.error().message())
    return [pb.get_output_tensor_by_name(answer, name).as_numpy() for name in ("tokens", "end")]

def generate(key, prompt):
    forty = np.array([40], np.int32)
    call(key=key, prompt=prompt, seed=np.array([3], np.int32), least=forty, most=forty)
    codes, end = [], b""
    while not end:
        tokens, (end,) = call(key=key)
        codes += tokens.tolist()
        time.sleep(0.002)
    return codes

class TritonPythonModel:
    def initialize(self, args):
        self.pool = ThreadPoolExecutor(4)

    def execute(self, requests):
        asked = [[pb.get_input_tensor_by_name(r, name).as_numpy()[0] for name in ("key", "prompt")] for r in requests]
        made = list(self.pool.map(lambda one: generate(one[0], one[1]), asked))
        return [pb.InferenceResponse([pb.Tensor("tokens", np.array([codes], np.int32))]) for codes in made]
"""
CALLER_CONFIG = """
max_batch_size: 4
dynamic_batching { max_queue_delay_microseconds: 100000 }
input [{ name: "key" data_type: TYPE_STRING dims: [1] }, { name: "prompt" data_type: TYPE_INT32 dims: [-1] }]
output [{ name: "tokens" data_type: TYPE_INT32 dims: [-1] }]
instance_group [{ count: 2 kind: KIND_CPU }]
"""


@pytest.fixture(scope="module")
def server(new_repository: Callable[[], Any]) -> Iterator[TritonServer]:
    repository = new_repository()
    write_model(tiny(RAS), repository.path, "lm", max_rows="4", patience_seconds="3")
    repository.python("caller", CALLER, CALLER_CONFIG)
    running = TritonServer(ServerOptions(repository.path), probe=lambda address: None).__enter__()
    try:
        yield running
    finally:
        running.kill()


@pytest.fixture(scope="module")
def client(server: TritonServer) -> Iterator[Any]:
    with grpc.InferenceServerClient(server.address.grpc) as opened:
        yield opened


def ask(client: Any, key: str, **numbers: Any) -> tuple[list[int], str]:
    inputs = [grpc.InferInput("key", [1], "BYTES")]
    inputs[0].set_data_from_numpy(np.array([key.encode()], dtype=np.object_))
    for name, value in numbers.items():
        array = np.array(value if isinstance(value, list) else [value], dtype=np.int32)
        inputs.append(grpc.InferInput(name, list(array.shape), "INT32"))
        inputs[-1].set_data_from_numpy(array)
    answer = client.infer("lm", inputs, client_timeout=20)
    return answer.as_numpy("tokens").tolist(), answer.as_numpy("end")[0].decode()


def generate(client: Any, key: str, prompt: list[int], **numbers: int) -> tuple[list[int], str, int]:
    """The codes, why there are no more, and how many answers brought them."""
    ask(client, key, prompt=prompt, **numbers)
    codes: list[int] = []
    answers = 0
    while True:
        fresh, end = ask(client, key)
        codes += fresh
        answers += bool(fresh)
        if end:
            return codes, end, answers
        time.sleep(0.002)


def counted(server: TritonServer) -> dict[str, float]:
    with urllib.request.urlopen(f"http://{server.address.metrics}/metrics", timeout=10) as page:
        lines = page.read().decode().splitlines()
    begin = "tts_language_model_"
    pairs = (line.removeprefix(begin).split("_total{") for line in lines if line.startswith(begin))
    return {name: float(rest.rpartition(" ")[2]) for name, rest in pairs}


def test_requests_share_steps_and_get_what_they_get_alone(client: Any, server: TritonServer) -> None:
    alone = generate(client, "alone", [1, 2, 3], seed=5, least=120, most=120)
    before = counted(server)

    def one(number: int) -> tuple[list[int], str, int]:
        prompt = [1, 2, 3] if number == 2 else [number + 1] * (number + 1)
        return generate(client, f"k{number}", prompt, seed=5, least=120, most=120)

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(one, range(8)))
    assert together[2][:2] == alone[:2]
    assert all((len(codes), end) == (120, "length") for codes, end, _ in together)
    assert len({tuple(codes) for codes, _, _ in together}) == 8
    # Codes came while others were still being computed.
    assert max(answers for _, _, answers in together) > 1
    after = counted(server)
    steps, codes = (after[name] - before[name] for name in ("steps", "codes"))
    assert codes == 8 * 120
    # Four rows at once: a half of what each alone would take at the very most.
    assert steps <= codes / 2


def test_an_abort_stops_the_computing(client: Any, server: TritonServer) -> None:
    before = counted(server)["codes"]
    ask(client, "long", prompt=[1], least=390, most=390)
    assert ask(client, "long", abort=1) == ([], "abort")
    generate(client, "after", [1], least=1, most=1)
    assert counted(server)["codes"] - before < 390
    with pytest.raises(InferenceServerException, match="NOT_FOUND: no generation has this key") as caught:
        ask(client, "long")
    assert "NOT_FOUND" in caught.value.status()


def test_a_generation_that_nobody_asks_for_any_more_is_dropped(client: Any) -> None:
    ask(client, "left", prompt=[1], least=300)
    time.sleep(3.5)
    with pytest.raises(InferenceServerException, match="NOT_FOUND"):
        ask(client, "left")


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"prompt": [FIRST + CODES + 1]}, "INVALID_ARGUMENT: prompt has the id 53: 0 to 52 exist"),
        ({"prompt": [1] * 400}, "INVALID_ARGUMENT: prompt has 400 ids"),
        ({"prompt": [1], "most": 0}, "INVALID_ARGUMENT: at least 0 and at most 0 codes"),
    ],
)
def test_a_wrong_request_is_an_invalid_argument(client: Any, numbers: dict[str, Any], message: str) -> None:
    with pytest.raises(InferenceServerException, match=message) as caught:
        ask(client, "wrong", **numbers)
    assert "INVALID_ARGUMENT" in caught.value.status()


def test_other_models_let_it_generate_from_their_threads(client: Any) -> None:
    alone = generate(client, "alone again", [4, 5], seed=3, least=40, most=40)[0]

    def call(number: int) -> list[int]:
        key, prompt = grpc.InferInput("key", [1, 1], "BYTES"), grpc.InferInput("prompt", [1, 2], "INT32")
        key.set_data_from_numpy(np.array([[f"called {number}".encode()]], dtype=np.object_))
        prompt.set_data_from_numpy(np.array([[4, 5]], dtype=np.int32))
        codes: list[int] = client.infer("caller", [key, prompt], client_timeout=30).as_numpy("tokens")[0].tolist()
        return codes

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(call, range(24))) == [alone] * 24


def test_an_unloaded_model_says_so_and_a_loaded_one_begins_anew(client: Any) -> None:
    ask(client, "lost", prompt=[1], least=390, most=390)
    client.unload_model("lm")
    deadline = time.monotonic() + 20
    while client.is_model_ready("lm") and time.monotonic() < deadline:
        time.sleep(0.05)
    with pytest.raises(InferenceServerException, match="lm"):
        ask(client, "lost")
    deadline = time.monotonic() + 20
    while True:
        try:
            client.load_model("lm")
            break
        except InferenceServerException:  # it is still being unloaded
            assert time.monotonic() < deadline
            time.sleep(0.1)
    with pytest.raises(InferenceServerException, match="NOT_FOUND"):
        ask(client, "lost")
    assert generate(client, "new", [1], least=5, most=5)[1] == "length"


def test_a_graph_that_its_config_does_not_describe_keeps_the_server_from_starting(
    new_repository: Callable[[], Any],
) -> None:
    repository = new_repository()
    folder = write_model(tiny(RAS), repository.path, "lm", layers="3")
    server = TritonServer(ServerOptions(repository.path), probe=lambda address: None)
    with pytest.raises(StartFailed, match=r'"(keys|values)" is .* in the ONNX model'):
        server.__enter__()
    (folder / "1" / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(StartFailed, match="corrupt or incomplete"):
        server.__enter__()
