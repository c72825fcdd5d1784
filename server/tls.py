"""Tries certificates out before a server is started with them: Triton takes a wrong one for a port in use."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from server.errors import BadRequest


@dataclass(frozen=True)
class KeyPair:
    """A certificate, which may be followed by those that lead to its CA, and its key; PEM files."""

    certificate: Path
    key: Path


def rehearse(server: KeyPair, client_ca: Path | None, client: KeyPair | None) -> str:
    """Has a client and a server shake hands in memory. Gives the name that the server's certificate is for.

    The client trusts the server's certificate itself. Raises ``BadRequest`` with the file that is to blame.
    """
    asking, serving = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    asking.check_hostname = False
    asking.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    _show(serving, server)
    _trust(asking, server.certificate)
    if client_ca is not None:
        serving.verify_mode = ssl.CERT_REQUIRED
        _trust(serving, client_ca)
    if client is not None:
        _show(asking, client)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = {
        asking.wrap_bio(back, there): f"the certificate {server.certificate} cannot serve",
        serving.wrap_bio(there, back, server_side=True): (
            f"the certificate {client.certificate if client else 'of a client'} is not accepted by {client_ca}"
        ),
    }
    _shake_hands(ends)
    return _name(next(iter(ends)).getpeercert() or {}, server.certificate)


def _show(context: ssl.SSLContext, pair: KeyPair) -> None:
    for file in (pair.certificate, pair.key):
        _check_readable(file)

    def refuse() -> str:
        raise BadRequest(f"the key {pair.key} is encrypted: Triton takes only keys without a password")

    try:
        context.load_cert_chain(pair.certificate, pair.key, password=refuse)
    except ssl.SSLError as error:
        reason = _reason(error)
        if reason.endswith("mismatch") or reason == "no certificate assigned":  # a key of another kind
            raise BadRequest(f"the key {pair.key} does not belong to the certificate {pair.certificate}") from None
        if "pem" in reason:
            raise BadRequest(f"{pair.certificate} and {pair.key} are no certificate and key in PEM format") from None
        raise BadRequest(f"the certificate {pair.certificate} cannot be used: {reason}") from None


def _trust(context: ssl.SSLContext, file: Path) -> None:
    _check_readable(file)
    try:
        context.load_verify_locations(file)
    except ssl.SSLError:
        raise BadRequest(f"{file} holds no certificate in PEM format") from None


def _check_readable(file: Path) -> None:
    try:
        with file.open("rb"):
            pass
    except OSError as error:
        raise BadRequest(f"{file} cannot be read: {error.strerror}") from None


def _shake_hands(ends: dict[ssl.SSLObject, str]) -> None:
    waiting = dict(ends)
    while waiting:
        for end, blame in list(waiting.items()):
            try:
                end.do_handshake()
                del waiting[end]
            except ssl.SSLWantReadError:
                continue  # the other end has the word
            except ssl.SSLCertVerificationError as error:
                raise BadRequest(f"{blame}: {error.verify_message}") from None
            except ssl.SSLError as error:
                raise BadRequest(f"{blame}: {_reason(error)}") from None


def _reason(error: ssl.SSLError) -> str:
    return str(error.reason or error).lower().replace("_", " ")


def _name(certificate: dict[str, Any], file: Path) -> str:
    """A name or an address that the certificate is for."""
    names = list(certificate.get("subjectAltName", ()))
    for kind in ("DNS", "IP Address"):
        for found, value in names:
            if found == kind:
                # gRPC compares addresses as they are usually written, which OpenSSL does not do with those of IPv6.
                return str(ip_address(value)) if kind == "IP Address" else value.replace("*", "launcher", 1)
    raise BadRequest(f"the certificate {file} names no host (no subject alternative name): clients would refuse it")
