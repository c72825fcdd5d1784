"""Finds or assembles a tritonserver, starts it, and knows when it really works."""

from server.errors import ServerError
from server.options import ServerAddress, ServerOptions
from server.security import Security
from server.triton import TritonServer

__all__ = ["Security", "ServerAddress", "ServerError", "ServerOptions", "TritonServer"]
