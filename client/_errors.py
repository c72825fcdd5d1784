"""The exceptions of the client. Each message is one line that says what to do.

SpeechError
├── InvalidRequest            the request is wrong: change it, a retry will not help
│   ├── VoiceNotFound         no such voice (or model) on this server
│   └── NotAllowed            the token or a certificate is missing or wrong
├── ServiceError              the request may be right, the service did not fulfil it
│   ├── ServiceUnavailable    no server there, or it cannot answer now: a later retry may
│   │   └── ServerUnreachable no connection to a server, or no front door there
│   │       ├── ConnectTimeout    nothing answered at the address within the connect timeout
│   │       └── ConnectionLost    the connection broke while an answer was waited for
│   ├── DeadlineExceeded      no complete answer within the total timeout
│   ├── ServiceFailed         a defect of the service
│   └── ProtocolError         the answer is not what the front door promises
└── OutputError               the result cannot be written where it was asked for
    └── DiskFull              there is no room left for it
"""

from __future__ import annotations

import errno


class SpeechError(Exception):
    """Base of every error that this package raises on purpose."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class InvalidRequest(SpeechError):
    """The request is wrong (gRPC INVALID_ARGUMENT, or found before anything was sent)."""


class VoiceNotFound(InvalidRequest):
    """The server has no such voice (gRPC NOT_FOUND). The message lists the voices it has."""


class NotAllowed(InvalidRequest):
    """Server and client do not trust each other: a token or a certificate is missing or wrong. Others are needed."""


class ServiceError(SpeechError):
    """The service did not fulfil a request that may be right."""


class ServiceUnavailable(ServiceError):
    """No server at the address, or it cannot answer now (gRPC UNAVAILABLE): a retry may help.

    ``retry_after`` is after how many seconds the server asks to be tried again; ``None``: it did not say.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ServerUnreachable(ServiceUnavailable):
    """There is no connection to a server at the address, or nothing answers for it there."""


class ConnectTimeout(ServerUnreachable):
    """Nothing answered at the address within ``Timeout.connect`` seconds."""


class ConnectionLost(ServerUnreachable):
    """The connection broke while an answer was waited for: the server may have died."""


class DeadlineExceeded(ServiceError):
    """The answer was not complete within ``Timeout.total`` seconds. The server was told to stop."""


class ServiceFailed(ServiceError):
    """A defect of the service (gRPC INTERNAL and every other status)."""


class ProtocolError(ServiceError):
    """The answer has missing, truncated or contradictory parts."""


class OutputError(SpeechError):
    """A file cannot be written: its directory, its ending or its permissions are wrong."""


class DiskFull(OutputError):
    """There is no room left for a file. Nothing half-written stays behind."""

    ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
