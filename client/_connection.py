"""How a server is reached, as immutable values: its addresses, the encryption, the token."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from . import _address
from ._errors import InvalidRequest

DEFAULT_SERVER = "127.0.0.1:8001"
TOKEN_HEADER = "triton-grpc-protocol-tts-token"
"""The header in which Triton expects the token of the calls that it restricts."""


@dataclass(frozen=True)
class Tls:
    """Encryption, and who is trusted.

    Args:
        ca: certificates in PEM of those who may have signed the server's; ``None``: those that this machine trusts.
        certificate: the client's own in PEM, for a server that asks for one; with ``key``.
        key: the private key of ``certificate`` in PEM, without a password.
        name: the host's name that the server's certificate is for, where that is not the address.

    Raises:
        InvalidRequest: a certificate without its key, or the other way round.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise InvalidRequest("a client's certificate and its key go together: give both")
        if self.name is not None and not self.name.strip():
            raise InvalidRequest("the name in the server's certificate must not be empty")


@dataclass(frozen=True)
class Connection:
    """What ``Synthesizer`` is told about its servers; ``Synthesizer(**vars(connection))`` takes it.

    Args:
        server: as of ``Synthesizer``.
        tls: encryption; ``None`` for none.
        token: the server's, for what changes or lists models; it is sent with nothing else.

    Raises:
        InvalidRequest: one of them makes no sense.
    """

    server: str = DEFAULT_SERVER
    tls: Tls | None = None
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _address.parse(self.server)
        if self.token is not None and not (self.token and self.token.isascii() and self.token.isprintable()):
            raise InvalidRequest("the token must be one line of printable ASCII characters")


@dataclass(frozen=True)
class Certificates:
    """The content of a ``Tls``'s files. Roots of ``None``: those that gRPC brings along."""

    roots: bytes | None
    certificate: bytes | None
    key: bytes | None

    @classmethod
    def read(cls, tls: Tls) -> Certificates:
        """The files, seen to be what they should be: of a wrong one gRPC only says that it cannot connect.

        Raises:
            InvalidRequest: one cannot be read, is no PEM, or the key is not the certificate's.
        """
        roots = _system_roots() if tls.ca is None else _read("the CA's certificate", tls.ca)
        if tls.ca is not None:
            try:
                ssl.create_default_context().load_verify_locations(tls.ca)
            except (ssl.SSLError, OSError, ValueError) as error:
                raise InvalidRequest(f"{tls.ca}: the CA's certificate is not PEM ({_reason(error)})") from None
        if tls.certificate is None or tls.key is None:
            return cls(roots, None, None)
        certificate, key = _read("the certificate", tls.certificate), _read("the key", tls.key)
        try:
            # A password is never asked for: nobody may be there to give it.
            ssl.create_default_context().load_cert_chain(tls.certificate, tls.key, password="")
        except (ssl.SSLError, OSError, ValueError) as error:
            raise InvalidRequest(
                f"{tls.certificate} and {tls.key} must be a certificate and its own key in PEM, without a password "
                f"({_reason(error)})"
            ) from None
        return cls(roots, certificate, key)


def _read(what: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"{path}: {what} cannot be read ({_reason(error)})") from None


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or getattr(error, "strerror", None) or error)


def _system_roots() -> bytes | None:
    """What this machine trusts, which for gRPC is only what it was built with."""
    found = ssl.create_default_context().get_ca_certs(binary_form=True)
    return "".join(map(ssl.DER_cert_to_PEM_cert, found)).encode() or None
