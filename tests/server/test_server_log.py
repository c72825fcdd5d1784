"""One line out of Triton's log, from lines that Triton has really written."""

from __future__ import annotations

from pathlib import Path

import pytest

from server import log

NOISE = """W1121 21:38:02.696291 8360 pinned_memory_manager.cc:273] "Unable to allocate pinned system memory, pinned \
memory pool will not be available: CUDA driver version is insufficient for CUDA runtime version"
E1121 21:38:02.696458 8360 server.cc:241] "CudaDriverHelper has not been initialized."
E1121 21:38:02.930486 8360 ensemble_scheduler.cc:1468] "unable to create stream for ens: CUDA driver version is \
insufficient for CUDA runtime version"
Error: Failed to initialize NVML
W1121 21:38:02.931752 8360 metrics.cc:798] "DCGM unable to start: DCGM initialization error"
"""


def error(source: str, message: str) -> str:
    return f'E1121 21:51:38.401613 11984 {source}] "{message}"\n'


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        ("", ""),
        (
            error(
                "model_lifecycle.cc:642",
                r"failed to load 'add' version 1: Internal: TritonModelException: input \"x\" differs\n\nAt:\n  "
                r"/b/onnxruntime/model.py(33): initialize\n",
            )
            + error(
                "model_repository_manager.cc:703",
                "Invalid argument: ensemble 'e' depends on 'add' which has no",
            ),
            'model add failed to load: input "x" differs',
        ),
        (
            error("model_lifecycle.cc:642", "failed to load 'a' version 1: Internal: ValueError: no")
            + error("model_lifecycle.cc:642", "failed to load 'b' version 2: Internal: ValueError: no"),
            "model a failed to load: ValueError: no (and 1 more: b)",
        ),
        (
            "[libprotobuf ERROR /tmp/x/text_format.cc:337] Error parsing text-format inference.ModelConfig: 3:14: "
            "Message type has no field.\n"
            + error(
                "model_repository_manager.cc:1460",
                "Poll failed for model directory 'add': failed to read text",
            ),
            "the config of model add is wrong: 3:14: Message type has no field.",
        ),
        (
            "I1121 21:55:03.974120 15028 pb_stub.cc:2105]  Failed to preinitialize Python stub: Python model file not "
            "found in '/r/tts/1/model.py'\n",
            "model tts failed to load: Python model file not found in '/r/tts/1/model.py'",
        ),
        (
            error(
                "main.cc:245",
                "failed to start GRPC service: Unavailable - Socket '127.0.0.1:35745' already in use ",
            ),
            "port 35745 for GRPC is already in use",
        ),
        (
            "/b/triton_python_backend_stub: error while loading shared libraries: libpython3.10.so.1.0: cannot open\n",
            "a shared library is missing on this machine: libpython3.10.so.1.0",
        ),
        (
            "tritonserver: /lib/libc.so.6: version `GLIBC_2.35' not found (required by tritonserver)\n",
            "a shared library is missing on this machine: GLIBC_2.35",
        ),
        ("tritonserver: unrecognized option '--nonsense'\nUsage:\n", "unrecognized option '--nonsense'"),
        (
            "error: creating server: Internal - failed to load all models\n",
            "error: creating server: Internal - failed to load all models",
        ),
        (error("main.cc:1", "Internal: something new"), "something new"),
    ],
)
def test_the_cause_is_one_line(lines: str, cause: str) -> None:
    assert log.cause(NOISE + lines) == cause


def test_a_lost_port_and_a_stuck_model_are_recognised() -> None:
    lost = error("main.cc:293", "failed to start Metrics service: Unavailable - Socket '[::1]:8002' already in use ")
    assert log.is_port_conflict(NOISE + lost)
    assert not log.is_port_conflict(NOISE)
    assert log.is_stuck("I1121 21:55:03.974120 15028 pb_stub.cc:2105]  Failed to preinitialize Python stub: why\n")
    assert not log.is_stuck(NOISE)


def test_only_what_matters_is_shown() -> None:
    lines = NOISE + error("model.cc:1", r"a \"b\"\nc") + 'I1121 21:38:02.69 8360 model.cc:2] "fine"\n'
    assert log.notable(lines) == ['error: a "b" c']


def test_a_follower_gives_whole_lines_once(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("old\n")
    follower = log.Follower(path, path.stat().st_size)
    assert follower.news() == ""
    with path.open("a") as stream:
        stream.write("one\ntw")
        stream.flush()
        assert follower.news() == "one\n"
        stream.write("o\n")
    assert follower.news() == "two\n"
    assert log.Follower(tmp_path / "none", 0).news() == ""


@pytest.mark.parametrize(
    ("code", "text"), [(-11, "ended by SIGSEGV"), (-99, "ended by signal 99"), (1, "exited with code 1")]
)
def test_an_exit_code_is_described(code: int, text: str) -> None:
    assert text in log.describe_exit(code)
