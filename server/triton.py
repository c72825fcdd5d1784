"""Starts a tritonserver, waits until it really works, and stops it without leaving anything."""

from __future__ import annotations

import atexit
import os
import signal
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from server import engines, find, hosts, log, ports, repository, security
from server.assemble import assemble
from server.control import Control, ControlError
from server.drain import drain
from server.errors import NotReady, PortRace, ServerDied, ServerError, StartFailed
from server.frontdoor import FRONT_DOOR
from server.guard import sweep
from server.masking import mask
from server.options import ALL, ServerAddress, ServerOptions, command_line, listening, process_environment
from server.probe import Probe, is_alive, synthesize
from server.process import GuardedProcess, Job
from server.unserved import unserved

ATTEMPTS = 3  # at ports of our own choosing
PORTS_PATIENCE = 5.0  # seconds for the ports of a process that has just ended


class TritonServer:
    """One server process. ``with TritonServer(options) as server`` gives one that answers requests.

    A small guard process owns the server, so nothing is left even when this process is killed.
    """

    def __init__(self, options: ServerOptions, probe: Probe = synthesize, ready_timeout: float = 300.0) -> None:
        self.options = options
        self.probe = probe
        self.ready_timeout = ready_timeout
        self.log_path: Path | None = None
        self.identity = ""
        self.unserved: tuple[str, ...] = ()  # what a tolerant server could not load, a line each
        self.form = engines.Form(None)  # whether TensorRT plans or ONNX files are served
        self.token_masked = True  # False while others on this machine can read it in the list of processes
        self._address: ServerAddress | None = None
        self._ports: ports.Ports | None = None
        self._process: GuardedProcess | None = None
        self._work: Path | None = None
        self._log_start = self._log_ready = 0
        self._owner = 0
        self._ready = False
        self._hurried = False
        self._lock = threading.Lock()

    @property
    def address(self) -> ServerAddress:
        if self._address is None:
            raise ServerError("the server has not been started")
        return self._address

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def shm_prefix(self) -> str:
        """How the names of its shared memory regions in /dev/shm begin."""
        return f"{self.identity}-"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> TritonServer:
        """Starts the process and returns before it is ready. Raises what can be known at once."""
        if self._process is not None:
            raise ServerError("the server is already started")
        options = self.options
        repository.models(options.repository)
        requested = {"grpc": options.grpc_port, "http": options.http_port, "metrics": options.metrics_port}
        self._launch(lambda: ports.allocate(listening(options), requested), keep_ports=False)
        return self

    def restart(self) -> None:
        """Ends the process at once, if it is still there, and starts another at the same ports, as ``start`` does.

        May be tried again after it has failed.
        """
        held = self._ports
        if held is None:
            raise ServerError("the server has not been started")
        self._end(kill=True, keep_ports=True)
        ports.await_free(listening(self.options), held, PORTS_PATIENCE)
        self._launch(lambda: held, keep_ports=True)

    def _launch(self, allocate: Callable[[], ports.Ports], keep_ports: bool) -> None:
        options = self.options
        access = security.prepare(options.security, options.host)
        config_name = repository.config_name(options.repository, options.profile)
        installation = find.find(options.tritonserver)
        self.form = engines.choose(options.repository, config_name, installation.root / "backends")
        self._ports = allocated = allocate()
        self._owner = os.getpid()
        atexit.register(self.stop)
        try:
            work = self._work = Path(tempfile.mkdtemp(prefix="tts-server-"))
            assembly = assemble(installation, work / "backends") if installation.from_wheel else None
            self.identity = f"tts-{os.getpid()}-{uuid.uuid4().hex[:8]}"
            self._process = GuardedProcess(
                Job(
                    command_line(
                        options, installation, assembly, allocated, self.form.config_name, self.identity, access
                    ),
                    process_environment(options, assembly, allocated, access),
                    self._open_log(work),
                    log.FINISHED,
                    options.exit_timeout + 2.0,
                    self.shm_prefix,
                    [work],
                )
            )
        except BaseException:
            self._end(kill=True, keep_ports=keep_ports)
            raise
        self._address = ServerAddress(
            hosts.reachable(options.host),
            allocated.grpc,
            allocated.http,
            allocated.metrics,
            hosts.reachable(options.metrics_host),
            access,
        )
        self.token_masked = not access.token

    def wait_ready(self, timeout: float | None = None) -> None:
        """Returns when the server is ready and the probe succeeds; raises at once when it dies."""
        seconds = self.ready_timeout if timeout is None else timeout
        deadline = time.monotonic() + seconds
        while not is_alive(self.address, self.identity):
            self.check()
            text = self.log_text()
            if text:  # it has read its arguments
                self._mask_token()
            if log.is_stuck(text):
                raise StartFailed(f"the server did not start: {log.cause(text)}", self.log_tail())
            if time.monotonic() > deadline:
                cause = log.cause(text) or "its log does not tell why"
                raise NotReady(f"the server was not ready within {seconds:.0f} s: {cause}", self.log_tail())
            time.sleep(0.05)
        self._mask_token()
        self._check_ports()
        self._check_models()
        try:
            self.probe(self.address)
        except ServerError as error:
            self.check()
            if self.unserved:  # nothing speaks because something did not load, and its reason tells more
                raise StartFailed(f"the server did not start: {self._why_unserved()}", self.log_tail()) from error
            error.detail = error.detail or self.log_tail()
            raise
        self._log_ready = log.size(self.log_path)
        self._ready = True

    def check(self) -> None:
        """Raises with the cause when the process has ended."""
        if self._process is None:
            raise ServerError("the server is not running")
        code = self._process.poll()
        if code is None:
            return
        text = self.log_text()
        if self._ready:
            # Who is killed from outside has no time to log why: what it logged last is another matter.
            logged = "" if code == -signal.SIGKILL else log.cause(log.read(self.log_path, self._log_ready))
            cause = logged or log.describe_exit(code)
            raise ServerDied(f"the server ended by itself: {cause}", self.log_tail())
        cause = log.cause(text) or log.describe_exit(code)
        kind = PortRace if log.is_port_conflict(text) else StartFailed
        raise kind(f"the server did not start: {cause}", self.log_tail())

    def stop(self) -> None:
        """Lets requests in flight finish, ends all processes, removes what they left. May be repeated."""
        self._end(kill=False)

    def kill(self) -> None:
        """Ends the process at once, and cleans up as ``stop`` does."""
        self._end(kill=True)

    def hurry(self) -> None:
        """Makes a ``stop`` that is under way end the process at once. May be called from a signal handler."""
        self._hurried = True
        process = self._process
        if process is not None:
            process.hurry()

    def log_text(self) -> str:
        """What this server has logged, while the log is there."""
        return log.read(self.log_path, self._log_start)

    def log_tail(self, lines: int = 30) -> str:
        """The last lines of that."""
        return "\n".join(self.log_text().splitlines()[-lines:])

    def __enter__(self) -> TritonServer:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self.start()
                self.wait_ready()
                return self
            except PortRace:
                chosen = self._ports is not None and bool(self._ports.chosen)
                self.kill()
                if attempt == ATTEMPTS or not chosen:
                    raise
            except BaseException:
                self.kill()
                raise
        raise AssertionError("unreachable")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _mask_token(self) -> None:
        if not self.token_masked and self._process is not None:
            self.token_masked = mask(self._process.pid, self.address.access.token)

    def _check_models(self) -> None:
        """A tolerant server starts whatever it could load; without a front door or any model it serves nobody."""
        if not self.options.tolerant:
            return
        held = repository.models(self.options.repository)
        try:
            states = Control(self.address).models()
        except ControlError as error:
            raise NotReady(f"the server does not answer: {error}", self.log_tail()) from None
        chosen = self.options.control == "explicit" and self.options.load != ALL
        expected = self.options.load if chosen else held
        voices = repository.voices(self.options.repository)
        self.unserved = tuple(unserved(expected, states, self.log_text(), voices))
        needed = states.get(FRONT_DOOR) if FRONT_DOOR in held else None
        if not any(state.ready for state in states.values()) or (needed is not None and not needed.ready):
            raise StartFailed(f"the server did not start: {self._why_unserved()}", self.log_tail())

    def _why_unserved(self) -> str:
        return log.cause(self.log_text()) or "; ".join(self.unserved) or "no model is loaded"

    def _drain(self) -> bool:
        """Lets the requests in flight end; whether the server can then end by itself."""
        if self.options.control != "explicit" or not self._ready or not self.running:
            return True
        doors = [FRONT_DOOR, *repository.voices(self.options.repository)]
        return drain(self.address, doors, self.options.exit_timeout, lambda: self.running and not self._hurried)

    def _check_ports(self) -> None:
        """A server that lost its metrics port goes on without it: this waits until the log tells."""
        deadline = time.monotonic() + 2
        while True:
            text = self.log_text()
            if log.is_port_conflict(text):
                raise PortRace(f"the server did not start: {log.cause(text)}", self.log_tail())
            if log.METRICS_STARTED in text or time.monotonic() > deadline:
                return
            time.sleep(0.02)

    def _open_log(self, work: Path) -> Path:
        path = (self.options.log_file or work / "triton.log").absolute()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        except OSError as error:
            raise ServerError(f"the log file {path} cannot be written: {error.strerror}") from None
        self._log_start = path.stat().st_size
        self.log_path = path
        return path

    def _end(self, kill: bool, keep_ports: bool = False) -> None:
        if self._owner != os.getpid():  # a forked copy of this object, or never started
            return
        with self._lock:
            if self._process is not None:
                kill = kill or not self._drain()
                self._process.end(kill, patience=10.0 if kill else self.options.exit_timeout + 15.0)
                self._process = None
            if self._work is not None:
                sweep(None, "", [str(self._work)])
                self._work = None
            if self._ports is not None and not keep_ports:
                self._ports.release()
                self._ports = None
            self._ready = self._hurried = False
            atexit.unregister(self.stop)
