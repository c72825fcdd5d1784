"""A gRPC status as the exception that it means. Shared by both gRPC transports."""

from __future__ import annotations

import re

import grpc

from ._channel import Channel
from ._errors import (
    ConnectionLost,
    ConnectTimeout,
    DeadlineExceeded,
    InvalidRequest,
    NotAllowed,
    ServerUnreachable,
    ServiceFailed,
    ServiceUnavailable,
    SpeechError,
    VoiceNotFound,
)
from ._timeouts import Deadline

_UNRESOLVED = re.compile(r"DNS resolution|name resolution|resolv|Domain name not found", re.IGNORECASE)
_NOT_GRPC = re.compile(r"http1|http2|HTTP/[12]|SETTINGS frame", re.IGNORECASE)
_NOT_CONNECTED = re.compile(r"failed to connect|connection refused|unreachable|no route", re.IGNORECASE)
_RETRY_AFTER = re.compile(r"retry after ([0-9]+(?:\.[0-9]+)?) ?s")
_DEAD_STUB = re.compile(r"stub process .*is not healthy", re.IGNORECASE)
_STOPPING = re.compile(r"server not ready|server is stopping|stopped accepting new inference", re.IGNORECASE)
_UNMANAGED = "explicit model load / unload is not allowed"
_RESTRICTED = "This protocol is restricted"
_UNTRUSTED = re.compile(r"CERTIFICATE_VERIFY_FAILED|Custom verification check|Hostname Verification", re.IGNORECASE)
_HANDSHAKE = re.compile(r"handshake failed|SSL_ERROR", re.IGNORECASE)
_DROPPED = re.compile(r"failed to connect.*(socket closed|connection reset|recvmsg)", re.IGNORECASE | re.DOTALL)
_LOST = re.compile(
    r"socket closed|connection reset|broken pipe|goaway|transport|recvmsg|stream removed|ping timeout", re.IGNORECASE
)


def is_unreached(details: str) -> bool:
    """Whether a failed call never got through to a server."""
    return any(pattern.search(details) for pattern in (_UNRESOLVED, _NOT_GRPC, _NOT_CONNECTED))


def connect_timeout(server: str, deadline: Deadline) -> ConnectTimeout:
    """The error for an address where nothing answers."""
    return ConnectTimeout(
        f"nothing answers at {server} within {deadline.timeout.connect:g} s: check the address and the server"
    )


def failure(code: grpc.StatusCode, details: str | None, *, channel: Channel, deadline: Deadline) -> SpeechError:
    """The exception for a call through ``channel`` that ended with ``code``."""
    server = channel.server
    text = (details or "").strip() or "no reason given"
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return InvalidRequest(text)
    if code is not grpc.StatusCode.NOT_FOUND and _NOT_GRPC.search(text):
        return ServerUnreachable(f"{server} does not speak gRPC: give the server's gRPC port, usually 8001")
    if _UNMANAGED in text:
        return ServiceFailed(
            f"the server at {server} does not load voices while it runs: start it with --model-control-mode=explicit"
        )
    if _DEAD_STUB.search(text):
        kind = ServerUnreachable if "'tts_" in text else ServiceUnavailable
        return kind(f"a model of the server died and may be coming back, try again later: {text}")
    if _STOPPING.search(text):
        return ServerUnreachable(f"the server at {server} is stopping, try again later: {text}")
    if "unknown model: 'tts'" in text:
        return ServerUnreachable(f"the server at {server} has no model 'tts' ready: see its log")
    if code is grpc.StatusCode.NOT_FOUND:
        return VoiceNotFound(text)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        # gRPC's own words say nothing; the front door's say what the request was waiting for.
        reason = "" if text.lower() == "deadline exceeded" else f" ({text})"
        return DeadlineExceeded(f"{deadline.exceeded()}{reason}")
    if code is grpc.StatusCode.UNAVAILABLE:
        return _untrusted(text, channel) or _unavailable(text, server)
    if code is grpc.StatusCode.CANCELLED:
        return ServiceFailed(f"the server cancelled the request: {text}")
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return ServiceFailed(f"the server at {server} is not this service, or another version: {text}")
    return ServiceFailed(f"the server failed ({code.name}): {text}")


def _untrusted(text: str, channel: Channel) -> SpeechError | None:
    """The exception where it is a matter of trust or of encryption."""
    server, encrypted = channel.server, channel.credentials is not None
    if _RESTRICTED in text:
        wrong = "takes another token" if channel.token else "wants a token"
        return NotAllowed(f"the server at {server} {wrong} for this: give its own with --token-file (token=)")
    if _UNTRUSTED.search(text):
        return NotAllowed(
            f"the certificate of {server} is not trusted: give its CA with --ca, and with --tls-name the name that it "
            f"is for, where that is not the address ({_last(text)})"
        )
    if _HANDSHAKE.search(text):
        return NotAllowed(f"the server at {server} does not speak TLS as this client does: {_last(text)}")
    if _DROPPED.search(text):
        wanted = "another certificate of this client" if encrypted else "TLS (--tls, --ca)"
        return ServerUnreachable(f"the server at {server} ends connections at once: it may want {wanted}")
    return None


def _last(text: str) -> str:
    """The end of gRPC's report, which is about the cause."""
    return text.rpartition("last error: ")[2]


def _unavailable(text: str, server: str) -> ServiceUnavailable:
    if _UNRESOLVED.search(text):
        return ServerUnreachable(f"cannot find the host of {server}: check the address")
    if _NOT_CONNECTED.search(text):
        return ServerUnreachable(f"no gRPC server at {server}: start one, or give its gRPC port")
    if _LOST.search(text):
        return ConnectionLost(f"the connection to {server} was lost: try again ({text})")
    hint = _RETRY_AFTER.search(text)
    message = f"the server cannot answer now, try again later: {text}"
    return ServiceUnavailable(message, None if hint is None else float(hint[1]))
