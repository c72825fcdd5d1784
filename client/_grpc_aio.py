"""The asynchronous twin of ``_grpc``, on ``grpc.aio``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
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
from ._spread_aio import AsyncSpreadTransport
from ._status import connect_timeout, failure, is_unreached
from ._timeouts import Deadline


def connect_async(connection: Connection) -> AsyncSpreadTransport:
    """The transport to a connection's servers, each by a channel of its own. Nothing is connected yet.

    Raises:
        InvalidRequest: certificates cannot be read.
    """
    channel = opener(connection)
    return AsyncSpreadTransport(connection.server, lambda server: AsyncGrpcTransport(channel(server)))


class AsyncGrpcTransport:
    """An ``AsyncTransport`` to one Triton server, for the event loop of its first call."""

    def __init__(self, channel: Channel) -> None:
        self._about = channel
        self._channel: Any = None
        self._reached = False

    async def synthesize(self, request: Request, deadline: Deadline) -> AsyncGenerator[Chunk, None]:
        """See ``AsyncTransport.synthesize``."""
        await self._connect(deadline)
        message = encode(request, deadline)
        stub = self._stub()
        call = stub.ModelStreamInfer(iter([message]), timeout=deadline.left())
        last = False
        try:
            # Read to the stream's own end: to cancel one that is about to end is what makes Triton 2.51 abort.
            async for response in call:
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

    async def models(self, deadline: Deadline) -> Sequence[ModelState]:
        """See ``AsyncTransport.models``."""
        index = await self._call("RepositoryIndex", service_pb2.RepositoryIndexRequest(), deadline)
        return [ModelState(model.name, model.state, model.reason, model.version) for model in index.models]

    async def parameters(self, model: str, deadline: Deadline) -> Mapping[str, str]:
        """See ``AsyncTransport.parameters``."""
        answer = await self._call("ModelConfig", service_pb2.ModelConfigRequest(name=model), deadline)
        return {key: value.string_value for key, value in answer.config.parameters.items()}

    async def load(self, model: str, deadline: Deadline) -> None:
        """See ``AsyncTransport.load``."""
        await self._call("RepositoryModelLoad", service_pb2.RepositoryModelLoadRequest(model_name=model), deadline)

    async def unload(self, model: str, deadline: Deadline) -> None:
        """See ``AsyncTransport.unload``."""
        await self._call("RepositoryModelUnload", service_pb2.RepositoryModelUnloadRequest(model_name=model), deadline)

    async def front_end(self, output: str, inputs: Mapping[str, str], deadline: Deadline) -> Sequence[str]:
        """See ``AsyncTransport.front_end``."""
        return _front_end.decode(output, await self._call("ModelInfer", _front_end.encode(output, inputs), deadline))

    async def version(self, deadline: Deadline) -> str:
        """See ``AsyncTransport.version``."""
        answer = await self._call("ServerMetadata", service_pb2.ServerMetadataRequest(), deadline)
        return f"{answer.name} {answer.version}"

    async def close(self) -> None:
        """Close the channel; streams that are still open are cancelled."""
        if self._channel is not None:
            await self._channel.close()

    def _stub(self) -> Any:
        if self._channel is None:  # here, because a channel binds to the running loop
            self._channel = self._about.open_async()
        return service_pb2_grpc.GRPCInferenceServiceStub(self._channel)

    async def _call(self, method: str, message: Any, deadline: Deadline) -> Any:
        await self._connect(deadline)
        try:
            metadata = self._about.metadata(method)
            return await getattr(self._stub(), method)(message, timeout=deadline.left(), metadata=metadata)
        except grpc.RpcError as error:
            raise self._failure(error, deadline) from None

    async def _connect(self, deadline: Deadline) -> None:
        """See once that a server is there, by a call of its own: it can give up earlier than a synthesis."""
        if self._reached:
            return
        limit = min(deadline.timeout.connect, deadline.left())
        try:
            await self._stub().ServerLive(service_pb2.ServerLiveRequest(), timeout=limit)
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
