"""The page of a gateway that wants a token."""

from __future__ import annotations

import pytest
from gateway.process import running
from playwright.sync_api import expect

from page.browser import page_of, speak

SECRET = "open-sesame"
TEXT = "你好。"


@pytest.fixture(scope="module")
def guarded(service, tmp_path_factory):
    """A gateway that answers one caller alone."""
    tokens = tmp_path_factory.mktemp("tokens") / "tokens.toml"
    tokens.write_text(f'[tokens.reader]\nsecret = "{SECRET}"\n', encoding="utf-8")
    tokens.chmod(0o600)
    with running("--server", service.address.grpc, "--tokens", str(tokens)) as gateway:
        yield gateway


def test_the_token_is_asked_for_once_and_kept_in_the_tab(chromium, guarded):
    with page_of(chromium, guarded.url) as page:
        expect(page.locator("#token-reason")).to_have_text("此服务要求令牌，请向管理员索取。")
        page.keyboard.type("sesame")
        page.keyboard.press("Enter")
        expect(page.locator("#token-reason")).to_have_text("令牌未被接受，请检查后重新输入。")
        page.keyboard.type(SECRET)
        page.keyboard.press("Enter")
        page.wait_for_selector("#voice option", state="attached")
        assert speak(page, TEXT)[-1]["type"] == "done"
        page.reload()
        page.wait_for_selector("#voice option", state="attached")
        assert not page.is_visible("#token-dialog")
        assert page.evaluate("Object.values(localStorage)") == []
        assert page.evaluate("Object.values(sessionStorage)") == [SECRET]


def test_who_has_no_token_is_told_and_may_try_again(chromium, guarded):
    with page_of(chromium, guarded.url) as page:
        page.wait_for_selector("#token-dialog")
        page.keyboard.press("Escape")
        expect(page.locator("#error")).to_contain_text("需要有效的访问令牌。")
        page.fill("#text", TEXT)
        page.click("#speak")
        page.fill("#token", SECRET)
        page.keyboard.press("Enter")
        page.wait_for_selector("#player[data-state=ended]")
        assert not page.is_visible("#error")
