"""One Chromium, and pages of the real gateway in it that may not complain of anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from gateway.conftest import gateway
from gateway.process import Gateway
from playwright.sync_api import Browser, Page, sync_playwright
from programs import needed

from page.browser import FLAGS, page_of

__all__ = ["gateway"]


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """A real browser without a window. While it is there, no other event loop can run in this thread."""
    path = needed("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser, gateway: Gateway) -> Iterator[Callable[..., Page]]:
    """Opens the page of the shared gateway in a browser of these settings; its voices are there."""
    opened = []

    def open_page(**context: object) -> Page:
        manager = page_of(chromium, gateway.url, **context)
        page = manager.__enter__()
        opened.append(manager)
        page.wait_for_selector("#voice option", state="attached")
        return page

    yield open_page
    for manager in opened:
        manager.__exit__(None, None, None)
