"""The transport over a gRPC channel.

It uses the protobuf stubs of ``tritonclient`` and not its ``InferenceServerClient``, which allows one stream
per client and answers through callbacks on a thread; here each request has a stream of its own, a plain
iterator.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from . import _front_end
from ._channel import Channel, opener
from ._connection import Connection
from ._errors import ProtocolError
from ._models import Chunk, ModelState
from ._protocol import StreamError, decode, encode
from ._request import Request
from ._spread import SpreadTransport
from ._status import connect_timeout, failure, is_unreached
from ._timeouts import Deadline


def connect(connection: Connection) -> SpreadTransport:
    """The transport to a connection's servers, each by a channel of its own. Nothing is connected yet.

    Raises:
        InvalidRequest: certificates cannot be read.
    """
    channel = opener(connection)
    return SpreadTransport(connection.server, lambda server: GrpcTransport(channel(server)))


class GrpcTransport:
    """A ``Transport`` to one Triton server. Safe to use from several threads."""

    def __init__(self, channel: Channel) -> None:
        self._about = channel
        self._channel = channel.open()
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._reached = False

    def synthesize(self, request: Request, deadline: Deadline) -> Generator[Chunk, None, None]:
        """See ``Transport.synthesize``."""
        self._connect(deadline)
        message = encode(request, deadline)
        call = self._stub.ModelStreamInfer(iter([message]), timeout=deadline.left())
        last = False
        try:
            # Read to the stream's own end: to cancel one that is about to end is what makes Triton 2.51 abort.
            for response in call:
                if not last:
                    chunk, last = decode(response)
                    if chunk is not None:
                        yield chunk
        except StreamError as error:
            raise self._failure(error, deadline) from None
        except grpc.RpcError as error:
            if not last:
                raise self._failure(error, deadline) from None
        finally:
            call.cancel()
        if not last:
            raise ProtocolError("the server ended its answer before the last response: try again")

    def models(self, deadline: Deadline) -> Sequence[ModelState]:
        """See ``Transport.models``."""
        index = self._call("RepositoryIndex", service_pb2.RepositoryIndexRequest(), deadline)
        return [ModelState(model.name, model.state, model.reason, model.version) for model in index.models]

    def parameters(self, model: str, deadline: Deadline) -> Mapping[str, str]:
        """See ``Transport.parameters``."""
        answer = self._call("ModelConfig", service_pb2.ModelConfigRequest(name=model), deadline)
        return {key: value.string_value for key, value in answer.config.parameters.items()}

    def load(self, model: str, deadline: Deadline) -> None:
        """See ``Transport.load``."""
        self._call("RepositoryModelLoad", service_pb2.RepositoryModelLoadRequest(model_name=model), deadline)

    def unload(self, model: str, deadline: Deadline) -> None:
        """See ``Transport.unload``."""
        self._call("RepositoryModelUnload", service_pb2.RepositoryModelUnloadRequest(model_name=model), deadline)

    def front_end(self, output: str, inputs: Mapping[str, str], deadline: Deadline) -> Sequence[str]:
        """See ``Transport.front_end``."""
        return _front_end.decode(output, self._call("ModelInfer", _front_end.encode(output, inputs), deadline))

    def version(self, deadline: Deadline) -> str:
        """See ``Transport.version``."""
        answer = self._call("ServerMetadata", service_pb2.ServerMetadataRequest(), deadline)
        return f"{answer.name} {answer.version}"

    def close(self) -> None:
        """Close the channel; streams that are still open are cancelled."""
        self._channel.close()

    def _call(self, method: str, message: Any, deadline: Deadline) -> Any:
        self._connect(deadline)
        try:
            metadata = self._about.metadata(method)
            return getattr(self._stub, method)(message, timeout=deadline.left(), metadata=metadata)
        except grpc.RpcError as error:
            raise self._failure(error, deadline) from None

    def _connect(self, deadline: Deadline) -> None:
        """See once that a server is there, by a call of its own: it can give up earlier than a synthesis."""
        if self._reached:
            return
        limit = min(deadline.timeout.connect, deadline.left())
        try:
            self._stub.ServerLive(service_pb2.ServerLiveRequest(), timeout=limit)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED and deadline.remaining() > 0:
                raise connect_timeout(self._about.server, deadline) from None
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED or is_unreached(error.details() or ""):
                raise self._failure(error, deadline) from None
        self._reached = True

    def _failure(self, error: Any, deadline: Deadline) -> Exception:
        if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
            self._reached = False
        return failure(error.code(), error.details(), channel=self._about, deadline=deadline)
