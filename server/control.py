"""What a launcher asks of a running server beside speech: which models it has, to load and unload them, its counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from server.errors import ServerError
from server.options import ServerAddress

# The server is on this machine, whatever proxy the environment names; and a restarted one is another server, to which
# no connection of the old one leads.
CHANNEL = (("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1))


class ControlError(ServerError):
    """The server did not do what was asked, in one line."""


@dataclass(frozen=True)
class ModelState:
    """A line of the repository index. ``state`` is empty for a model that was never loaded."""

    name: str
    state: str
    reason: str = ""

    @property
    def ready(self) -> bool:
        return self.state == "READY"

    @property
    def changing(self) -> bool:
        return self.state in ("LOADING", "UNLOADING")


class Control:
    """The management calls, each with a time limit in seconds. Raises ``ControlError``."""

    def __init__(self, address: ServerAddress, limit: float = 5.0) -> None:
        self._address = address
        self._limit = limit

    def models(self) -> dict[str, ModelState]:
        """The repository index, by name."""
        index = self._call("RepositoryIndex", service_pb2.RepositoryIndexRequest())
        return {model.name: ModelState(model.name, model.state, model.reason) for model in index.models}

    def load(self, model: str, limit: float) -> None:
        """Loads a model and returns when it is ready."""
        self._call("RepositoryModelLoad", service_pb2.RepositoryModelLoadRequest(model_name=model), limit)

    def unload(self, model: str) -> None:
        """Asks for a model's end and returns at once: what it works on is finished first."""
        self._call("RepositoryModelUnload", service_pb2.RepositoryModelUnloadRequest(model_name=model))

    def reload(self, model: str, limit: float) -> None:
        """Unloads a model and loads it again, which gives it new processes."""
        self.unload(model)
        self.load(model, limit)

    def spoken(self, model: str) -> int:
        """How many requests a model has answered well since it was loaded; 0 when it is not."""
        try:
            answer = self._call("ModelStatistics", service_pb2.ModelStatisticsRequest(name=model))
        except ControlError:
            return 0
        return sum(int(version.inference_stats.success.count) for version in answer.model_stats)

    def _call(self, method: str, message: Any, limit: float | None = None) -> Any:
        with connected(self._address) as stub:
            try:
                metadata = self._address.access.metadata
                return getattr(stub, method)(message, timeout=limit or self._limit, metadata=metadata)
            except grpc.RpcError as error:
                raise ControlError(f"{method} failed: {' '.join(str(error.details()).split())}") from None


@contextmanager
def connected(address: ServerAddress) -> Iterator[Any]:
    """The server's gRPC methods, over a connection of their own."""
    with _channel(address) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


def _channel(address: ServerAddress) -> grpc.Channel:
    tls = address.access.tls
    if tls is None:
        return grpc.insecure_channel(address.grpc, options=CHANNEL)
    credentials = grpc.ssl_channel_credentials(tls.trusted, tls.key, tls.certificate)
    # The certificate is for the name that clients use, which seldom is the address that the launcher asks.
    named = (*CHANNEL, ("grpc.ssl_target_name_override", tls.name))
    return grpc.secure_channel(address.grpc, credentials, options=named)
