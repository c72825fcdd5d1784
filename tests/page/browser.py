"""Pages of a real gateway in a real Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
)
# What is heard and which words light up, as the browser itself is told.
OBSERVER = """
window.heard = { contexts: [], pieces: [], lit: [] };
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (when) {
  const samples = Array.from(this.buffer.getChannelData(0), (value) => Math.round(value * 32768));
  heard.pieces.push({ when, rate: this.buffer.sampleRate, samples });
  return start.call(this, when);
};
window.AudioContext = class extends AudioContext {
  constructor(options) {
    super(options);
    heard.contexts.push(this);
  }
};
document.addEventListener("DOMContentLoaded", () => {
  const look = (changes) => {
    for (const { target } of changes) {
      if (!target.hasAttribute("aria-current")) continue;
      const pending = document.getElementById("wav").disabled;
      heard.lit.push({ word: target.textContent, at: document.getElementById("seek").valueAsNumber, pending });
    }
  };
  const settings = { attributes: true, attributeFilter: ["aria-current"], subtree: true };
  new MutationObserver(look).observe(document.getElementById("captions"), settings);
});
"""


@contextmanager
def page_of(browser: Browser, url: str, **context: object) -> Iterator[Page]:
    """The page, with its voices read. The test fails if the browser or the page complained."""
    settings = {"locale": "zh-CN", "viewport": {"width": 1280, "height": 900}, **context}
    with browser.new_context(**settings) as opened:
        opened.add_init_script(OBSERVER)
        page = opened.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        # That an answer was not 200 is no fault of the page.
        page.on(
            "console",
            lambda line: (
                line.type in ("error", "warning")
                and not line.text.startswith("Failed to load resource")
                and complaints.append(line.text)
            ),
        )
        page.goto(url)
        yield page
        assert complaints == []


def speak(page: Page, text: str) -> list[dict]:
    """Have a text made to its end, and give the lines that the gateway answered."""
    page.fill("#text", text)
    with page.expect_response("**/v1/audio/captions") as waiting:
        page.click("#speak")
    lines = [json.loads(line) for line in waiting.value.text().splitlines()]
    page.wait_for_selector("#srt:enabled")
    return lines


def hear(page: Page, text: str) -> list[dict]:
    """The same, listened to until nothing more is heard."""
    lines = speak(page, text)
    page.wait_for_selector("#player[data-state=ended]")
    return lines


def ask_health(page: Page) -> None:
    """Have the page ask now how the service is, as when its tab comes to the front."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
