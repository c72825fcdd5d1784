"""Time to first audio of the web page in Chromium, beside that of a gRPC client, with the same texts in turns."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from gateway.process import running
from page.browser import FLAGS
from playwright.sync_api import Browser, Page, sync_playwright

from bench.figures import Spread, ms, number, table
from bench.setting import Section, Setting, Skipped, speaker
from bench.texts import CLOSED_LOOP, prose
from bench.ways import listen

TEXTS = {
    "a sentence": CLOSED_LOOP,
    "a paragraph": tuple(prose(150, seed) for seed in range(8)),
}
PATIENCE = 120_000  # ms


@dataclass(frozen=True)
class Told:
    """What the page says of one text: seconds from the press to the sound, and of work for each second of audio.

    `gateway` is the seconds that the gateway took for the first audio.
    """

    first: float
    factor: float
    gateway: float


@dataclass(frozen=True)
class Row:
    """One kind of text on a page that is `new` for each, or the same for all; seconds to the first audio."""

    text: str
    new: bool
    page: Spread
    gateway: Spread
    grpc: Spread
    factor: Spread


def measure(setting: Setting) -> list[dict[str, Any]]:
    """Every kind of text, on new pages and on one that has spoken before."""
    path = shutil.which("chromium")
    if path is None:
        raise Skipped("chromium is missing: apt install chromium")
    runs = setting.pick(20, 2)
    rows = []
    with (
        setting.server() as server,
        speaker(server) as synthesizer,
        running("--server", server.address.grpc, "--metrics-server", server.address.metrics) as gateway,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        for name, texts in TEXTS.items():
            for text in texts:
                listen(synthesizer, text)
            for new in (True, False):
                setting.tell(f"{name}, {'new pages' if new else 'one page'}")
                told, grpc = [], []
                with _pages(browser, gateway.url, new=new) as page:
                    for turn in range(runs):
                        text = texts[turn % len(texts)]
                        grpc.append(listen(synthesizer, text).first)
                        told.append(_speak(next(page), text))
                rows.append(
                    Row(
                        name,
                        new,
                        Spread.of(each.first for each in told),
                        Spread.of(each.gateway for each in told),
                        Spread.of(grpc),
                        Spread.of(each.factor for each in told),
                    )
                )
        browser.close()
    return [asdict(row) for row in rows]


@contextmanager
def _pages(browser: Browser, url: str, *, new: bool) -> Iterator[Iterator[Page]]:
    """Pages that are ready to speak; one that is not new has spoken once."""
    with browser.new_context(locale="en-GB") as context:

        def opened() -> Page:
            page = context.new_page()
            page.goto(url)
            page.wait_for_selector("#voice option", state="attached")
            page.wait_for_selector("#status[data-state=healthy]")  # whose synthesis would be in the way
            return page

        def pages() -> Iterator[Page]:
            page = opened()
            if not new:
                _speak(page, CLOSED_LOOP[0])
            while True:
                yield page
                if new:
                    page.close()
                    page = opened()

        yield pages()


def _speak(page: Page, text: str) -> Told:
    page.fill("#text", text)
    with page.expect_response("**/v1/audio/captions", timeout=PATIENCE) as answer:
        page.keyboard.press("Control+Enter")
    done = json.loads(answer.value.text().splitlines()[-1])
    page.wait_for_selector("#srt:enabled", timeout=PATIENCE)
    first = page.inner_text("#first").removesuffix(" ms").replace(",", "")
    factor = page.inner_text("#factor")
    page.keyboard.press("Escape")
    return Told(float(first) / 1000, float(factor), done["first_audio"])


def show(rows: list[dict[str, Any]]) -> str:
    """Medians and 95th percentiles in milliseconds."""

    def both(spread: dict[str, Any]) -> str:
        return f"{ms(spread['p50'])}, {ms(spread['p95'])}"

    head = ("text", "page", "runs", "press to sound", "gateway", "gRPC client", "real-time factor")
    cells = [
        (
            row["text"],
            "new" if row["new"] else "the same",
            row["page"]["count"],
            both(row["page"]),
            both(row["gateway"]),
            both(row["grpc"]),
            number(row["factor"]["p50"]),
        )
        for row in rows
    ]
    return f"First audio: medians and P95 in ms.\n\n{table(head, cells)}"


COMMAND = "scripts/bench page"
SECTION = Section("page", "The web page in Chromium", measure, show)
