"""What a stage keeps after its largest request."""

from __future__ import annotations

import time

import numpy as np
import psutil
import tritonclient.grpc as grpcclient

from server import TritonServer

# The most that the ensemble sends at once, and the bytes that may stay of the 700 MiB that it takes.
CLAUSES, FRAMES = 8, 704
KEPT = 96 << 20


def private_bytes(server: TritonServer, model: str) -> int:
    """Memory that the stub of a model has for itself."""
    children = psutil.Process(server.pid).children(recursive=True)
    (stub,) = (child for child in children if any(word.endswith(f"{model}_0_0") for word in child.cmdline()))
    return int(stub.memory_full_info().uss)


def speak(triton: grpcclient.InferenceServerClient, batch: int, frames: int) -> None:
    mel = np.random.default_rng(0).standard_normal((batch, frames, 80)).astype(np.float32)
    tensor = grpcclient.InferInput("mel", list(mel.shape), "FP32")
    tensor.set_data_from_numpy(mel)
    assert triton.infer("demo_melgan", [tensor]).as_numpy("audio").shape == (batch, 300 * frames)


def test_a_vocoder_gives_the_memory_of_its_largest_request_back(service):
    with grpcclient.InferenceServerClient(service.address.grpc) as triton:
        speak(triton, 1, 256)
        before = private_bytes(service, "demo_melgan")
        speak(triton, CLAUSES, FRAMES)
    deadline = time.monotonic() + 60.0
    while (after := private_bytes(service, "demo_melgan")) > before + KEPT and time.monotonic() < deadline:
        time.sleep(0.2)
    assert after <= before + KEPT
