"""Who may do what with a server: what protects it, and what whoever asks it must show."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from server import hosts, state, tls, tokens
from server.errors import BadRequest
from server.tls import KeyPair

# Everything but what a listener needs: health, metadata and inference. Whoever could register shared memory could map
# any region of this machine, the models' own among them.
PROTECTED = ("model-repository", "model-config", "shared-memory", "statistics", "trace", "logging")
TOKEN_KEY = "tts-token"
_METADATA = f"triton-grpc-protocol-{TOKEN_KEY}"


@dataclass(frozen=True)
class Security:
    """The files that protect a server.

    ``certificate`` and ``key`` give gRPC TLS; with ``client_ca`` clients must show a certificate of that CA, as the
    launcher does with ``client_certificate`` and ``client_key``. What is not speech needs the token of ``token_file``;
    beyond loopback there always is one.
    """

    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None
    token_file: Path | None = None


@dataclass(frozen=True)
class Tls:
    """What a connection to the server trusts and shows, in PEM, and the name that the server's certificate is for."""

    name: str
    trusted: bytes = field(repr=False)
    certificate: bytes | None = field(default=None, repr=False)
    key: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Access:
    """What a launcher needs to ask its server."""

    tls: Tls | None = None
    token: str = field(default="", repr=False)
    token_file: Path | None = None

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes with a gRPC call of the protected part."""
        return ((_METADATA, self.token),) if self.token else ()


def prepare(security: Security, host: str) -> Access:
    """Reads and tries the files, and makes the token that a server beyond loopback lacks. Raises ``BadRequest``."""
    if security.token_file is not None:
        file = security.token_file.absolute()
        return Access(_tls(security), tokens.read(file), file)
    if not hosts.is_loopback(host):
        file = state.folder() / "token"
        return Access(_tls(security), tokens.read_or_make(file), file)
    return Access(_tls(security))


def arguments(security: Security, access: Access) -> list[str]:
    """The part of a tritonserver's command line that protects it."""
    given = []
    if security.certificate is not None:
        given += ["--grpc-use-ssl=true", f"--grpc-server-cert={security.certificate.absolute()}"]
        given += [f"--grpc-server-key={security.key.absolute()}"] if security.key else []
    if security.client_ca is not None:
        given += ["--grpc-use-ssl-mutual=true", f"--grpc-root-cert={security.client_ca.absolute()}"]
    if access.token:
        rule = f"{','.join(PROTECTED)}:{TOKEN_KEY}={access.token}"
        given += [f"--grpc-restricted-protocol={rule}", f"--http-restricted-api={rule}"]
    return given


def _tls(security: Security) -> Tls | None:
    server = _pair(security.certificate, security.key, "--certificate", "--key")
    client = _pair(security.client_certificate, security.client_key, "--client-certificate", "--client-key")
    if server is None:
        if security.client_ca or client:
            raise BadRequest("clients can show certificates only with TLS: give --certificate and --key, too")
        return None
    if security.client_ca is None and client is not None:
        raise BadRequest("--client-certificate says nothing without --client-ca, which certificates are asked for by")
    if security.client_ca is not None and client is None:
        raise BadRequest(
            "with --client-ca this launcher must show a certificate, too: give --client-certificate and --client-key"
        )
    name = tls.rehearse(server, security.client_ca, client)
    trusted = server.certificate.read_bytes()
    if client is None:
        return Tls(name, trusted)
    return Tls(name, trusted, client.certificate.read_bytes(), client.key.read_bytes())


def _pair(certificate: Path | None, key: Path | None, *names: str) -> KeyPair | None:
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise BadRequest(f"{names[0]} and {names[1]} belong together: give both")
    return KeyPair(certificate, key)
