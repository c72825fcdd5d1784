"""Who may ask: the tokens file, and the check of every request to ``/v1``."""

from __future__ import annotations

import hashlib
import hmac
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from server.errors import BadRequest

from .budget import Allowance, Budget
from .errors import GatewayError
from .metrics import GatewayMetrics

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

GUARDED = "/v1/"
_LIMITS = tuple(limit.name for limit in fields(Allowance))
_SECRET = re.compile(r"[!-~]+")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True)
class Caller:
    """Who asks, and what is left to him; ``name`` is empty where no tokens are asked for."""

    name: str = ""
    digest: bytes = field(default=b"", repr=False)
    budget: Budget = field(default_factory=lambda: Budget(Allowance()), compare=False)


class Access:
    """An ASGI middleware: what goes to ``/v1`` needs a token, if there are any."""

    def __init__(self, app: ASGIApp, callers: Sequence[Caller], metrics: GatewayMetrics) -> None:
        self._app = app
        self._callers = callers
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                scope.setdefault("state", {})["caller"] = self._caller(scope)
            except GatewayError as error:
                self._metrics.refused.labels(str(error.code)).inc()
                await error.response()(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _caller(self, scope: Scope) -> Caller:
        """
        Raises:
            GatewayError: he may not ask, or not now.
        """
        if not self._callers or not scope["path"].startswith(GUARDED):
            return Caller()
        scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise _unknown("send Authorization: Bearer and a token of this gateway")
        digest = hashlib.sha256(token.strip().encode("latin-1")).digest()
        # All are compared, so that the time tells nothing about which one.
        found = [caller for caller in self._callers if hmac.compare_digest(caller.digest, digest)]
        if not found:
            raise _unknown("this token is unknown to the gateway")
        found[0].budget.request()
        return found[0]


def caller_of(request: Request) -> Caller:
    """Who sent ``request``."""
    found: Caller = request.state.caller
    return found


Calling = Annotated[Caller, Depends(caller_of)]
"""The parameter of a route that is told who asks."""


def read_tokens(path: Path) -> list[Caller]:
    """Those of a tokens file, see docs/gateway.md.

    Raises:
        BadRequest: it cannot be read, or is wrong; the message says where, and never a token.
    """
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadRequest(f"cannot read the tokens in {path}: {error.strerror}") from None
    except ValueError as error:
        raise BadRequest(f"{path} is not TOML: {error}") from None
    tokens = content.get("tokens")
    if set(content) != {"tokens"} or not isinstance(tokens, dict) or not tokens:
        raise BadRequest(f"{path} must have tables [tokens.NAME], and nothing else")
    callers: dict[bytes, Caller] = {}
    for name, about in tokens.items():
        caller = _read(f"{path}: tokens.{name}", name, about)
        same = callers.setdefault(caller.digest, caller)
        if same is not caller:
            raise BadRequest(f"{path}: tokens.{name} is the same token as tokens.{same.name}")
    return list(callers.values())


def _read(where: str, name: str, about: Any) -> Caller:
    if not isinstance(about, dict):
        raise BadRequest(f"{where} must be a table")
    unknown = set(about) - {"secret", "sha256", *_LIMITS}
    if unknown:
        raise BadRequest(f"{where} has the unknown key {min(unknown)}: use secret or sha256, {', '.join(_LIMITS)}")
    limits = {limit: about[limit] for limit in _LIMITS if limit in about}
    for limit, value in limits.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise BadRequest(f"{where}.{limit} must be a whole number above 0")
    return Caller(name, _digest(where, about), Budget(Allowance(**limits)))


def _digest(where: str, about: Mapping[str, object]) -> bytes:
    secret, digest = about.get("secret"), about.get("sha256")
    if (secret is None) == (digest is None):
        raise BadRequest(f"{where} must have either secret or sha256")
    if digest is None:
        if not isinstance(secret, str) or _SECRET.fullmatch(secret) is None:
            raise BadRequest(f"{where}.secret must be printable ASCII characters without spaces")
        return hashlib.sha256(secret.encode()).digest()
    if not isinstance(digest, str) or _SHA256.fullmatch(digest) is None:
        raise BadRequest(f"{where}.sha256 must be 64 hexadecimal digits")
    return bytes.fromhex(digest)


def _unknown(message: str) -> GatewayError:
    return GatewayError(401, message, code="invalid_api_key", headers={"www-authenticate": "Bearer"})
