"""What a request did, in OpenTelemetry's terms: one span for it and one for each call of a stage.

Triton traces calls between models by itself when it is given the trace of the request that makes them. But 2.51 frees
the trace of a request whose responses come later as soon as `execute` has returned, and dies at the first call after
that. So the front door keeps spans of its own, as children of Triton's.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from request import Arrays
from stages import Models

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})")
_SAMPLED = 1


@dataclass(frozen=True)
class Context:
    """Where a span belongs: ids of its trace and of its parent, in hexadecimal digits."""

    trace: str
    span: str

    @classmethod
    def read(cls, propagated: str | None) -> Context | None:
        """What Triton's `InferenceTrace.get_context` gives, a JSON object; None for a request that is not traced."""
        try:
            found = _TRACEPARENT.fullmatch(json.loads(propagated or "{}")["traceparent"])
        except (ValueError, KeyError, TypeError):
            return None
        if found is None or not int(found["flags"], 16) & _SAMPLED:
            return None
        return cls(found["trace"], found["span"])


@dataclass(frozen=True)
class Span:
    """Something that took time, from `start` to `end` in ns since 1970; `error` is empty when it went well."""

    context: Context
    span: str
    name: str
    start: int
    end: int
    error: str = ""
    attributes: dict[str, str] = field(default_factory=dict)


class Trace:
    """The spans of one request, given to `export` as they end. Thread-safe."""

    def __init__(self, context: Context, export: Callable[[Span], None]) -> None:
        self._context = context
        self._own = Context(context.trace, secrets.token_hex(8))
        self._export = export
        self._begin = time.time_ns()

    def started(self) -> None:
        """The request's turn has come."""
        self._export(Span(self._own, secrets.token_hex(8), "waiting", self._begin, time.time_ns()))

    def ended(self, outcome: str, message: str) -> None:
        """The request has ended; `outcome` is "ok" or gRPC's name of its status."""
        error = "" if outcome == "ok" else message or outcome
        given: dict[str, str] = {"tts.outcome": outcome.lower()}
        self._export(Span(self._context, self._own.span, "request", self._begin, time.time_ns(), error, given))

    @contextmanager
    def call(self, model: str) -> Iterator[None]:
        """A call of a model, while this is open."""
        begin, error = time.time_ns(), ""
        try:
            yield
        except BaseException as raised:
            error = str(raised) or type(raised).__name__
            raise
        finally:
            given: dict[str, str] = {"triton.model_name": model}
            self._export(Span(self._own, secrets.token_hex(8), model, begin, time.time_ns(), error, given))


class TracedModels:
    """Calls `models`, each call a span of `trace`."""

    def __init__(self, models: Models, trace: Trace) -> None:
        self._models = models
        self._trace = trace

    def __call__(self, model: str, inputs: Arrays, outputs: tuple[str, ...]) -> Arrays:
        """One inference."""
        with self._trace.call(model):
            return self._models(model, inputs, outputs)

    def dismiss(self, model: str, inputs: Arrays, outputs: tuple[str, ...]) -> None:
        """One inference that only ends something, also for a request that is over."""
        self._models.dismiss(model, inputs, outputs)

    def check(self) -> None:
        """Raises when the request is to end."""
        self._models.check()
