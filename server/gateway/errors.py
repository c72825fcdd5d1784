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
from starlette.exceptions import HTTPException

from client import DeadlineExceeded, InvalidRequest, ServiceUnavailable, SpeechError, VoiceNotFound

AWAY_SECONDS = 2.0
"""When to ask again for a server that is away and did not say how long."""

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
        return GatewayError(400, message)
    if isinstance(error, ServiceUnavailable):
        if error.retry_after is not None:
            return GatewayError(
                429, message, kind="requests", code="rate_limit_exceeded", retry_after=error.retry_after
            )
        return GatewayError(503, message, code="server_unavailable", retry_after=AWAY_SECONDS)
    if isinstance(error, DeadlineExceeded):
        return GatewayError(504, message, code="deadline_exceeded")
    return GatewayError(500, message, code="server_failed")


def of_validation(errors: Sequence[Any]) -> GatewayError:
    """The first thing that is wrong with a body or a query, and where."""
    first = errors[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    message = str(first["msg"])
    if first["type"] == "json_invalid":
        return GatewayError(400, "the body is not JSON", code="invalid_json")
    return GatewayError(400, f"{where}: {message}" if where else message, param=where or None, code="invalid_value")


def handle_errors(app: FastAPI) -> None:
    """Have every failure of ``app`` answered in OpenAI's shape."""

    @app.exception_handler(GatewayError)
    async def gateway(request: Request, error: GatewayError) -> JSONResponse:
        return error.response()

    @app.exception_handler(SpeechError)
    async def speech(request: Request, error: SpeechError) -> JSONResponse:
        return of_speech(error).response()

    @app.exception_handler(RequestValidationError)
    async def validation(request: Request, error: RequestValidationError) -> JSONResponse:
        return of_validation(error.errors()).response()

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        return of_http(error, request.method).response()

    @app.exception_handler(Exception)
    async def defect(request: Request, error: Exception) -> JSONResponse:
        _log.error("defect of the gateway at %s", request.url.path)
        return GatewayError(500, "a defect of the gateway: see its log", code="gateway_failed").response()


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
