"""Finds or assembles a tritonserver, starts it on loopback, and knows when it really works."""

from server.errors import ServerError
from server.options import ServerAddress, ServerOptions
from server.triton import TritonServer

__all__ = ["ServerAddress", "ServerError", "ServerOptions", "TritonServer"]
