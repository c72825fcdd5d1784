"""Connections that do no harm: silent ones, wrong ones, and clients that stop reading."""

from __future__ import annotations

import contextlib
import resource
import socket
from collections.abc import Iterator

import grpc
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

GARBAGE = (
    b"",
    b"PRI * HTTP/2.0\r\n\r\nSM",  # half of what an HTTP/2 connection begins with
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\x00\x00\x00\x00\x00\x00",  # a frame that is too long
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # the beginning of TLS
    bytes(range(256)),
)


@pytest.fixture
def many_files() -> Iterator[None]:
    """Room for a thousand sockets in this process, too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4096 if hard == resource.RLIM_INFINITY else min(hard, 4096)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
def test_a_thousand_connections_that_say_nothing_or_nonsense_do_no_harm(service, synthesizer):
    ports = [service.address.grpc_port] * 4 + [service.address.http_port, service.address.metrics_port]
    with contextlib.ExitStack() as stack:
        for number in range(1000):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", ports[number % 6]), timeout=20))
            with contextlib.suppress(OSError):  # refused in the middle of the nonsense
                connection.sendall(GARBAGE[number % 7 % len(GARBAGE)])
        assert synthesizer.synthesize("你好。").samples.size
    assert service.running


def test_a_client_that_stops_reading_holds_up_nobody_else(service, synthesizer):
    message = service_pb2.ModelInferRequest(model_name="tts")
    text = message.inputs.add(name="TEXT", datatype="BYTES", shape=[1])
    text.contents.bytes_contents.append("今天天气真好，我们去公园散步吧。".encode() * 20)
    with grpc.insecure_channel(service.address.grpc) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        streams = [stub.ModelStreamInfer(iter([message]), timeout=120) for _ in range(3)]
        for stream in streams:
            next(stream)  # it has begun, and is not read from any more
        for _ in range(3):
            assert synthesizer.synthesize("你好。").samples.size
        for stream in streams:
            stream.cancel()
    assert synthesizer.synthesize("你好。").samples.size
    assert service.running
