"""Encryption, certificates and the token, by real handshakes; and the options of the command line for them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from client_fakes import Triton, failed

from client import AsyncSynthesizer, Connection, InvalidRequest, NotAllowed, ServerUnreachable, Synthesizer, Tls
from client.cli import main

TOKEN = "5a1c"
HEADER = "triton-grpc-protocol-tts-token"
MANAGEMENT = ("RepositoryIndex", "ModelConfig", "RepositoryModelLoad", "RepositoryModelUnload")


@dataclass(frozen=True)
class Files:
    """PEM files of a CA, a client that it signed, and both of somebody else."""

    ca: Path
    certificate: Path
    key: Path
    other_ca: Path
    other_certificate: Path
    other_key: Path


class Guard(grpc.ServerInterceptor):  # type: ignore[misc]
    """Refuses calls without the token in Triton's words, and remembers who showed it."""

    def __init__(self) -> None:
        self.token: str | None = None
        self.shown: list[str] = []

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        method = details.method.rpartition("/")[2]
        headers = dict(details.invocation_metadata)
        if HEADER in headers:
            self.shown.append(method)
        if self.token is None or method not in MANAGEMENT or headers.get(HEADER) == self.token:
            return continuation(details)

        def refuse(request: Any, context: Any) -> None:
            context.abort(grpc.StatusCode.UNAVAILABLE, f"This protocol is restricted, expecting header '{HEADER}'")

        return grpc.unary_unary_rpc_method_handler(refuse)


@dataclass(frozen=True)
class Secured:
    """A server with ports of three kinds."""

    triton: Triton
    guard: Guard
    files: Files
    plain: str
    tls: str
    mutual: str


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("pki")
    ca, other = trustme.CA(), trustme.CA()
    for authority, prefix in ((ca, ""), (other, "other_")):
        authority.cert_pem.write_to_path(str(folder / f"{prefix}ca.crt"))
        client = authority.issue_cert("client")
        client.cert_chain_pems[0].write_to_path(str(folder / f"{prefix}client.crt"))
        client.private_key_pem.write_to_path(str(folder / f"{prefix}client.key"))
    names = ("ca.crt", "client.crt", "client.key")
    files = Files(*(folder / f"{prefix}{name}" for prefix in ("", "other_") for name in names))
    own = ca.issue_cert("localhost")
    pair = [(own.private_key_pem.bytes(), b"".join(pem.bytes() for pem in own.cert_chain_pems))]
    guard = Guard()
    triton = Triton(interceptors=[guard])
    tls = triton.server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials(pair))
    wants = grpc.ssl_server_credentials(pair, ca.cert_pem.bytes(), require_client_auth=True)
    mutual = triton.server.add_secure_port("127.0.0.1:0", wants)
    with triton:
        yield Secured(triton, guard, files, triton.address, f"localhost:{tls}", f"localhost:{mutual}")


@pytest.fixture
def guard(secured: Secured) -> Iterator[Guard]:
    """Management takes the token, until the test is over."""
    secured.guard.token, secured.guard.shown = TOKEN, []
    yield secured.guard
    secured.guard.token = None


def speaks(server: str, tls: Tls | None) -> float:
    with Synthesizer(server, tls=tls, timeout=10) as synthesizer:
        return synthesizer.synthesize("好").duration


def test_a_server_is_spoken_to_encrypted(secured: Secured) -> None:
    assert speaks(secured.tls, Tls(secured.files.ca)) == 2.0


def test_the_asynchronous_client_encrypts_too(secured: Secured) -> None:
    files = secured.files

    async def run() -> float:
        tls = Tls(files.ca, files.certificate, files.key)
        async with AsyncSynthesizer(secured.mutual, tls=tls, timeout=10) as synthesizer:
            return (await synthesizer.synthesize("好")).duration

    assert asyncio.run(run()) == 2.0


def test_a_server_may_want_to_know_the_client(secured: Secured) -> None:
    files = secured.files
    assert speaks(secured.mutual, Tls(files.ca, files.certificate, files.key)) == 2.0
    for certificate, key in ((None, None), (files.other_certificate, files.other_key)):
        with pytest.raises(ServerUnreachable, match="may want another certificate of this client"):
            speaks(secured.mutual, Tls(files.ca, certificate, key))


def test_a_certificate_of_nobody_who_is_trusted_is_refused_at_once(secured: Secured) -> None:
    for tls in (Tls(secured.files.other_ca), Tls()):
        with pytest.raises(NotAllowed, match=r"the certificate of localhost:\d+ is not trusted: give its CA with --ca"):
            speaks(secured.tls, tls)


def test_a_certificate_for_another_name_is_refused_unless_that_is_expected(secured: Secured) -> None:
    address = secured.tls.replace("localhost", "127.0.0.1")
    with pytest.raises(NotAllowed, match="--tls-name"):
        speaks(address, Tls(secured.files.ca))
    assert speaks(address, Tls(secured.files.ca, name="localhost")) == 2.0


def test_behind_a_name_certificates_are_for_the_name(secured: Secured) -> None:
    assert speaks(f"dns:///{secured.tls}", Tls(secured.files.ca)) == 2.0


def test_this_machine_says_who_is_trusted_where_nobody_is_named(
    secured: Secured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(secured.files.ca))
    assert speaks(secured.tls, Tls()) == 2.0


def test_one_side_that_does_not_encrypt_is_told(secured: Secured) -> None:
    with pytest.raises(ServerUnreachable, match=r"ends connections at once: it may want TLS \(--tls, --ca\)"):
        speaks(secured.tls, None)
    with pytest.raises(NotAllowed, match="does not speak TLS as this client does"):
        speaks(secured.plain.replace("127.0.0.1", "localhost"), Tls(secured.files.ca))


def test_only_what_a_server_may_restrict_carries_the_token(secured: Secured, guard: Guard) -> None:
    with Synthesizer(secured.plain, token=TOKEN, timeout=10) as synthesizer:
        assert synthesizer.health().healthy
        synthesizer.load("ghost")
        synthesizer.unload("ghost")
    assert set(guard.shown) == set(MANAGEMENT)
    assert all(HEADER not in headers for headers in secured.triton.headers)


@pytest.mark.parametrize(("token", "told"), [(None, "wants a token"), ("guessed", "takes another token")])
def test_without_the_right_token_nothing_is_managed_and_all_is_spoken(
    secured: Secured, guard: Guard, token: str | None, told: str
) -> None:
    with Synthesizer(secured.plain, token=token, timeout=10) as synthesizer:
        with pytest.raises(NotAllowed, match=rf"{told} for this: give its own with --token-file"):
            synthesizer.voices()
        assert synthesizer.synthesize("好").duration == 2.0


def test_a_token_is_not_shown_by_accident() -> None:
    assert TOKEN not in repr(Connection(token=TOKEN))


@pytest.mark.parametrize("token", ["", "ü", "a\nb", "\x00", "a\r"])
def test_a_token_that_no_header_holds_is_refused(token: str) -> None:
    with pytest.raises(InvalidRequest, match="the token must be"):
        Connection(token=token)


@pytest.mark.parametrize("missing", ["certificate", "key"])
def test_a_certificate_and_its_key_go_together(secured: Secured, missing: str) -> None:
    given = {"certificate": secured.files.certificate, "key": secured.files.key, missing: None}
    with pytest.raises(InvalidRequest, match="go together"):
        Tls(**given)


def test_files_are_read_and_understood_before_anything_is_sent(secured: Secured, tmp_path: Path) -> None:
    files = secured.files
    text = tmp_path / "text.pem"
    text.write_text("no certificate", "utf-8")
    wrong = {
        "cannot be read": (Tls(tmp_path / "none.crt"), Tls(files.ca, tmp_path / "none.crt", files.key)),
        "is not PEM": (Tls(text), Tls(files.key)),
        "a certificate and its own key": (
            Tls(files.ca, text, files.key),
            Tls(files.ca, files.certificate, text),
            Tls(files.ca, files.certificate, files.other_key),
        ),
    }
    for message, connections in wrong.items():
        for tls in connections:
            with pytest.raises(InvalidRequest, match=message):
                Synthesizer("localhost:1", tls=tls)


COMMANDS = (
    ("synth", "好", "-o", "out.wav"),
    ("stream", "好", "-o", "out.wav"),
    ("batch", "texts.txt", "-d", "out"),
    ("voices",),
    ("styles",),
    ("load", "demo"),
    ("unload", "demo"),
    ("health",),
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRPC_VERBOSITY", "NONE")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts.txt").write_text("好\n", "utf-8")
    (tmp_path / "token").write_text(f"{TOKEN}\n", "utf-8")
    return tmp_path


@pytest.mark.usefixtures("folder", "guard")
@pytest.mark.parametrize("command", COMMANDS, ids=[command[0] for command in COMMANDS])
def test_every_command_reaches_a_server_with_everything(secured: Secured, command: tuple[str, ...]) -> None:
    files = secured.files
    pki = ("--ca", str(files.ca), "--certificate", str(files.certificate), "--key", str(files.key))
    address = secured.mutual.replace("localhost", "127.0.0.1")
    secured.triton.models["demo"] = "READY"
    arguments = (*command, "--server", address, *pki, "--tls-name", "localhost", "--token-file", "token")
    assert main(arguments) == 0


@pytest.mark.usefixtures("folder", "guard")
def test_the_token_may_be_in_the_environment(secured: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTS_TOKEN", TOKEN)
    assert main(["voices", "--server", secured.plain]) == 0


@pytest.mark.usefixtures("folder", "guard")
def test_the_command_encrypts_with_what_this_machine_trusts(secured: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(secured.files.ca))
    assert main(["synth", "好", "-o", "out.wav", "--server", secured.tls, "--tls"]) == 0


@pytest.mark.usefixtures("folder", "guard")
def test_the_command_takes_several_servers(secured: Secured) -> None:
    with Triton() as other:
        servers = f"{secured.plain},{other.address}"
        assert main(["batch", "texts.txt", "-d", "out", "--server", servers, "--token-file", "token"]) == 0


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--token-file", "none"), "none: the token cannot be read (No such file or directory)"),
        (("--token-file", os.devnull), "the token must be one line of printable ASCII characters"),
        (("--key", "token"), "a client's certificate and its key go together: give both"),
        (("--ca", "none"), "none: the CA's certificate cannot be read (No such file or directory)"),
        (("--tls-name", " "), "the name in the server's certificate must not be empty"),
        ((), "wants a token for this: give its own with --token-file (token=)"),
    ],
)
def test_options_that_do_not_fit_end_the_command_with_2(
    secured: Secured, guard: Guard, arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["voices", "--server", secured.plain, *arguments]) == 2
    assert message in failed(capsys)
