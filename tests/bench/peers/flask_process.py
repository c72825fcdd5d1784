"""The two Flask applications, each in a process of its own: python -m bench.peers.flask_process KIND LAYOUT PLACES."""

from __future__ import annotations

import io
import logging
import sys
import wave
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from flask import Flask, Response, request
from werkzeug.serving import make_server

from bench.peers.batching import Batcher
from bench.peers.layout import Layout
from bench.peers.networks import TorchNetworks
from bench.peers.speech import Frontend, speak
from export.families.fastspeech2.checkpoint import SAMPLE_RATE

Speak = Callable[[str], bytes]


def per_request(frontend: Frontend, checkpoint: Path) -> Speak:
    """Loads the networks for each request and forgets them afterwards; the dictionaries of the front end stay."""
    return lambda text: speak(TorchNetworks(checkpoint), [frontend.read(text)])[0]


def batched(frontend: Frontend, checkpoint: Path) -> Speak:
    """Keeps the networks and computes batches of up to 4, which wait up to 0.5 s for company, two at once."""
    networks = TorchNetworks(checkpoint)

    def compute(texts: Sequence[str]) -> Sequence[bytes]:
        return speak(networks, [frontend.read(text) for text in texts])

    return Batcher(compute)


KINDS: dict[str, Callable[[Frontend, Path], Speak]] = {"per-request": per_request, "batched": batched}


def application(answer: Speak) -> Flask:
    """POST /speak: text in, a WAV file out."""
    app = Flask(__name__)

    @app.post("/speak")
    def spoken() -> Response:
        return Response(_wav(answer(request.get_data(as_text=True))), mimetype="audio/wav")

    return app


def _wav(pcm: bytes) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(SAMPLE_RATE)
        out.writeframes(pcm)
    return file.getvalue()


def main(kind: str, layout: Layout, repository: Path, checkpoint: Path) -> None:
    """Serve as `flask run` does, a thread for each request, and print the port when ready."""
    if layout.threads:
        torch.set_num_threads(layout.threads)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, application(KINDS[kind](Frontend(repository), checkpoint)), threaded=True)
    print(server.port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], Layout.load(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))
