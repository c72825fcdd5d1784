"""The command line behind scripts/quality."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from client import SpeechError, Synthesizer
from server import ServerError, ServerOptions, TritonServer

from . import controls, natural
from .circumstances import circumstances, write_json
from .listeners import Recogniser

_HERE = Path(__file__).resolve().parent
_CHECKOUT = _HERE.parent.parent


def main(arguments: Sequence[str]) -> int:
    """0 when the promises are kept, 1 when not or when the service failed."""
    options = _parser().parse_args(arguments)
    _be_quiet()
    lines = options.sentences.read_text(encoding="utf-8").splitlines()
    texts = [line.strip() for line in lines if line.strip()]
    try:
        with _service(options.server, options.repository) as address:
            broken = _check(options, texts, address, arguments)
    except (SpeechError, ServerError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for sentence in broken:
        print(f"FAILED: {sentence}")
    return 1 if broken else 0


def _check(options: argparse.Namespace, texts: list[str], address: str, arguments: Sequence[str]) -> list[str]:
    _progress("loading Whisper")
    recogniser = Recogniser(_CHECKOUT / ".cache" / "quality")
    with Synthesizer(address) as synthesizer:
        first = synthesizer.synthesize(texts[0], quality=options.quality)
        about = circumstances(first.voice, first.quality, arguments)
        if options.controls:
            chosen = [text for text in texts if not any(map(str.isdigit, text))][: controls.SENTENCES]
            rows = controls.measure(chosen, synthesizer, recogniser, options.only, _progress)
            table, result = controls.report(rows), controls.as_json(rows)
            broken = controls.broken_promises(rows)
        else:
            judged = []
            for number, text in enumerate(texts, start=1):
                _progress(f"sentence {number} of {len(texts)}")
                judged.append(natural.judge(text, synthesizer.synthesize(text, quality=options.quality), recogniser))
            totals = natural.totals(judged)
            table, result = natural.report(judged, totals), natural.as_json(judged, totals)
            broken = natural.broken_promises(totals)
    _progress("")
    print(table)
    if options.json:
        write_json(options.json, {**about, **result})
    return broken


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/quality",
        description="Speaks sentences through the service and judges them with Whisper base and DNSMOS.",
        epilog="Exit status: 0 the promises are kept, 1 they are not or the service failed, 2 wrong usage.",
    )
    parser.add_argument("--controls", action="store_true", help="measure speed, pitch and energy instead")
    parser.add_argument("--only", choices=[one.name for one in controls.CONTROLS], help="this control alone")
    parser.add_argument(
        "--quality", choices=("high", "balanced", "fast"), help="the vocoder; of the natural voice alone"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there too")
    parser.add_argument("--server", metavar="HOST:PORT", help="a running server; without it, one is started")
    parser.add_argument(
        "--repository", type=Path, metavar="DIR", default=_CHECKOUT / "model_repository", help="what to start it on"
    )
    parser.add_argument(
        "--sentences", type=Path, metavar="FILE", default=_HERE / "sentences.txt", help="one sentence a line"
    )
    return parser


@contextmanager
def _service(address: str | None, repository: Path) -> Iterator[str]:
    if address is not None:
        yield address
        return
    _progress("starting a server")
    with TritonServer(ServerOptions(repository)) as server:
        yield server.address.grpc


def _progress(step: str) -> None:
    """The step on a terminal's last line, nothing elsewhere."""
    if sys.stderr.isatty():
        print(f"\r\033[K{step}", end="", file=sys.stderr, flush=True)


def _be_quiet() -> None:
    warnings.filterwarnings("ignore")
    logging.getLogger("faster_whisper").setLevel(logging.ERROR)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # everything is in packages
    os.environ.setdefault("TQDM_DISABLE", "1")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
