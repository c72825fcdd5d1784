"""Errors as OpenAI's clients know them: ``{"error": {"message", "type", "param", "code"}}``."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from client import DeadlineExceeded, InvalidRequest, ServiceUnavailable, SpeechError, VoiceNotFound

from .candid import Overloaded
from .metrics import GatewayMetrics

AWAY_SECONDS = 2.0
"""When to ask again for a server that is away and did not say how long."""


class ErrorDetail(BaseModel):
    """What went wrong: a line for people, a kind, the field that is wrong, and a word for programs."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """The body of every answer that is an error."""

    error: ErrorDetail


_MEANINGS = {
    400: "The request is wrong.",
    401: "The token is missing or unknown.",
    404: "There is no such voice or model.",
    408: "The body took too long to come.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    429: "Too much at once: again after Retry-After.",
    500: "A defect.",
    503: "The server is away: again after Retry-After.",
    504: "No complete answer within the timeout.",
}
DOCUMENTED: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody, "description": meaning} for status, meaning in _MEANINGS.items()
}
"""What a route that asks the server may answer in place of a result."""

_FIELDS = {"text": "input"} | {
    name: name for name in ("quality", "speaker", "emotion", "style", "speed", "pitch", "energy", "attributes", "seed")
}
"""Words with which messages about a field begin, and the field."""

_log = logging.getLogger(__name__)


class GatewayError(Exception):
    """What is answered in place of the result.

    Args:
        status: of the answer.
        message: one line that says what to do.
        kind: OpenAI's ``type``; None: what fits the status.
        param: the field of the request that is wrong.
        code: OpenAI's ``code``, a word for programs.
        retry_after: seconds until a retry may help.
        headers: more headers of the answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str | None = None,
        param: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind or ("server_error" if status >= 500 else "invalid_request_error")
        self.param = param
        self.code = code
        self.retry_after = retry_after
        self.headers = dict(headers or {})

    def body(self) -> dict[str, dict[str, str | None]]:
        """The answer, also as an event of a stream that has begun."""
        return {"error": {"message": str(self), "type": self.kind, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        """The answer as a whole response."""
        headers = dict(self.headers)
        if self.retry_after is not None:
            headers["retry-after"] = str(max(1, math.ceil(self.retry_after)))
        return JSONResponse(self.body(), self.status, headers)


def of_speech(error: SpeechError) -> GatewayError:
    """What the client of the service raised, as an answer."""
    message = str(error)
    if isinstance(error, VoiceNotFound):
        return GatewayError(404, message, param="voice", code="voice_not_found")
    if isinstance(error, InvalidRequest):
        return GatewayError(400, message, param=_FIELDS.get(message.partition(" ")[0]), code="invalid_value")
    if isinstance(error, Overloaded):
        return GatewayError(429, message, kind="requests", code="overloaded", retry_after=error.retry_after)
    if isinstance(error, ServiceUnavailable):
        return GatewayError(503, message, code="server_unavailable", retry_after=AWAY_SECONDS)
    if isinstance(error, DeadlineExceeded):
        return GatewayError(504, message, code="deadline_exceeded")
    return GatewayError(500, message, code="server_failed")


def of_validation(errors: Sequence[Any]) -> GatewayError:
    """The first thing that is wrong with a body or a query, and where."""
    first = errors[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    message = str(first["msg"]).removeprefix("Value error, ")  # what pydantic puts before our own words
    if first["type"] == "json_invalid":
        return GatewayError(400, "the body is not JSON", code="invalid_json")
    return GatewayError(400, f"{where}: {message}" if where else message, param=where or None, code="invalid_value")


def handle_errors(app: FastAPI, metrics: GatewayMetrics) -> None:
    """Have every failure of ``app`` answered in OpenAI's shape."""

    def answer(error: GatewayError) -> JSONResponse:
        if error.retry_after is not None:
            metrics.refused.labels(str(error.code)).inc()
        return error.response()

    @app.exception_handler(GatewayError)
    async def gateway(request: Request, error: GatewayError) -> JSONResponse:
        return answer(error)

    @app.exception_handler(SpeechError)
    async def speech(request: Request, error: SpeechError) -> JSONResponse:
        return answer(of_speech(error))

    @app.exception_handler(RequestValidationError)
    async def validation(request: Request, error: RequestValidationError) -> JSONResponse:
        if not _is_json(request.headers.get("content-type", "")):
            return GatewayError(415, "send the body as Content-Type: application/json", code="not_json").response()
        return of_validation(error.errors()).response()

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        return of_http(error, request.method).response()

    @app.exception_handler(Exception)
    async def defect(request: Request, error: Exception) -> JSONResponse:
        _log.error("defect of the gateway at %s", request.url.path)
        return GatewayError(500, "a defect of the gateway: see its log", code="gateway_failed").response()


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def of_http(error: HTTPException, method: str) -> GatewayError:
    """What the framework refused."""
    if error.status_code == 404:
        return GatewayError(404, "there is no such route: see /docs", code="unknown_url")
    if error.status_code == 405:
        return GatewayError(
            405, f"this route does not take {method}: see /docs", code="method_not_allowed", headers=error.headers
        )
    if error.status_code == 400:
        return GatewayError(400, "the body is not JSON in UTF-8", code="invalid_json")
    return GatewayError(error.status_code, str(error.detail) or HTTPStatus(error.status_code).phrase)
