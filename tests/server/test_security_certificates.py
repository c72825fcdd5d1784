"""Certificates: those that a server is started with, and those that scripts/certificates makes."""

from __future__ import annotations

import datetime
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

import grpc
import pytest
import trustme

from server import certificates, cli, security
from server.control import Control, ControlError
from server.errors import BadRequest, ServerError
from server.options import ServerAddress
from server.security import Security

NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of scripts/certificates."""
    folder = tmp_path_factory.mktemp("certificates")
    certificates.make(folder, ("speech.example",))
    return folder


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    return trustme.CA()


def pair(folder: Path, leaf: trustme.LeafCert) -> Security:
    folder.mkdir(exist_ok=True)
    (folder / "a.crt").write_bytes(b"".join(part.bytes() for part in leaf.cert_chain_pems))
    leaf.private_key_pem.write_to_path(folder / "a.key")
    return Security(folder / "a.crt", folder / "a.key")


class Listening:
    """A gRPC server without methods that shows a certificate, and how a launcher asks it."""

    def __init__(self, shown: Security) -> None:
        assert shown.certificate is not None
        assert shown.key is not None
        self._server = grpc.server(ThreadPoolExecutor(1))
        credentials = grpc.ssl_server_credentials([(shown.key.read_bytes(), shown.certificate.read_bytes())])
        port = self._server.add_secure_port("127.0.0.1:0", credentials)
        self.address = ServerAddress("127.0.0.1", port, 0, 0, access=security.prepare(shown, "127.0.0.1"))

    def __enter__(self) -> Listening:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(0).wait()


@pytest.mark.parametrize("name", ["speech.example", "*.speech.example", "192.0.2.7", "2001:db8::7"])
def test_the_launcher_trusts_its_own_certificate_whatever_it_is_for(tmp_path: Path, ca: trustme.CA, name: str) -> None:
    shown = pair(tmp_path, ca.create_child_ca().issue_cert(name))
    # What no such server has is the method: the connection stands.
    with Listening(shown) as server, pytest.raises(ControlError, match="Method not found"):
        Control(server.address).models()


def test_the_launcher_asks_no_server_with_another_certificate(tmp_path: Path, ca: trustme.CA) -> None:
    own = security.prepare(pair(tmp_path / "own", ca.issue_cert("speech.example")), "127.0.0.1")
    other = pair(tmp_path / "other", trustme.CA().issue_cert("speech.example"))
    with Listening(other) as server, pytest.raises(ControlError, match="CERTIFICATE_VERIFY_FAILED"):
        Control(ServerAddress("127.0.0.1", server.address.grpc_port, 0, 0, access=own)).models()


def test_mutual_tls_is_on_the_command_line(made: Path) -> None:
    given = Security(
        made / "server.crt", made / "server.key", made / "ca.crt", made / "client.crt", made / "client.key"
    )
    assert security.arguments(given, security.prepare(given, "127.0.0.1")) == [
        "--grpc-use-ssl=true",
        f"--grpc-server-cert={made}/server.crt",
        f"--grpc-server-key={made}/server.key",
        "--grpc-use-ssl-mutual=true",
        f"--grpc-root-cert={made}/ca.crt",
    ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"certificate": "server.crt"}, "--certificate and --key belong together: give both"),
        ({"client_ca": "ca.crt"}, "only with TLS: give --certificate and --key, too"),
        ({"certificate": "server.crt", "key": "server.key", "client_ca": "ca.crt"}, "give --client-certificate and"),
        (
            {
                "certificate": "server.crt",
                "key": "server.key",
                "client_certificate": "client.crt",
                "client_key": "client.key",
            },
            "--client-certificate says nothing without --client-ca",
        ),
        ({"certificate": "server.crt", "key": "client.key"}, "client.key does not belong to the certificate"),
        ({"certificate": "server.crt", "key": "nothing.key"}, "nothing.key cannot be read: No such file"),
        ({"certificate": "server.key", "key": "server.key"}, "are no certificate and key in PEM format"),
    ],
)
def test_files_that_do_not_go_together_are_told(made: Path, given: dict[str, str], message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        security.prepare(Security(**{name: made / file for name, file in given.items()}), "127.0.0.1")


@pytest.mark.parametrize(
    ("validity", "message"),
    [
        ({"not_before": NOW - 2 * DAY, "not_after": NOW - DAY}, r"a\.crt cannot serve: certificate has expired"),
        ({"not_before": NOW + DAY}, r"a\.crt cannot serve: certificate is not yet valid"),
    ],
)
def test_a_certificate_that_is_not_valid_today_is_told(
    tmp_path: Path, ca: trustme.CA, validity: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadRequest, match=message):
        security.prepare(pair(tmp_path, ca.issue_cert("speech.example", **validity)), "127.0.0.1")


def test_a_certificate_that_names_no_host_is_told(tmp_path: Path, ca: trustme.CA) -> None:
    with pytest.raises(BadRequest, match="names no host"):
        security.prepare(pair(tmp_path, ca.issue_cert(common_name="speech.example")), "127.0.0.1")


def test_a_launcher_whose_certificate_its_own_server_would_refuse_is_told(
    made: Path, tmp_path: Path, ca: trustme.CA
) -> None:
    other = pair(tmp_path, ca.issue_cert("launcher"))
    given = Security(made / "server.crt", made / "server.key", made / "ca.crt", other.certificate, other.key)
    with pytest.raises(BadRequest, match=r"a\.crt is not accepted by .*ca\.crt: unable to get local issuer"):
        security.prepare(given, "127.0.0.1")


def test_an_encrypted_key_is_told_and_no_password_asked_for(made: Path, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key((made / "server.key").read_bytes(), None)
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"password"),
        )
    )
    with pytest.raises(BadRequest, match=r"locked\.key is encrypted: Triton takes only keys without a password"):
        security.prepare(Security(made / "server.crt", locked), "127.0.0.1")


def test_the_made_files_serve_and_are_accepted_and_the_keys_are_the_owners_alone(made: Path) -> None:
    given = Security(
        made / "server.crt", made / "server.key", made / "ca.crt", made / "client.crt", made / "client.key"
    )
    assert security.prepare(given, "127.0.0.1").tls is not None
    assert sorted(file.name for file in made.iterdir()) == sorted(certificates.FILES)
    assert {stat.S_IMODE(file.stat().st_mode) for file in made.glob("*.key")} == {0o600}


def test_files_that_are_there_are_replaced_only_when_told_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["certificates", str(tmp_path), "--host", "speech.example"]) == 0
    assert "localhost, 127.0.0.1, ::1, speech.example, valid for 365 days" in capsys.readouterr().out
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert cli.run(["certificates", str(tmp_path)]) == 2
    assert "holds ca.crt, server.crt, server.key, client.crt, client.key already: --force" in capsys.readouterr().err
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    assert cli.run(["certificates", str(tmp_path), "--force"]) == 0
    assert all((tmp_path / name).read_bytes() != before[name] for name in certificates.FILES)


def test_certificates_that_cannot_be_made_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadRequest, match="one of a b is no host"):
        certificates.make(tmp_path / "new", ("a b",))
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").touch()
    with pytest.raises(ServerError, match="file cannot be written"):
        certificates.make(tmp_path / "file")
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(ServerError, match="pip install trustme"):
        certificates.make(tmp_path / "new")
