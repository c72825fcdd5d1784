"""The page of a server with two voices, one of which is designed and loaded when it is asked for."""

from __future__ import annotations

import shutil

import pytest
from gateway.process import running
from playwright.sync_api import expect
from service.own_server import Copy

from page.browser import page_of, speak
from server import ServerOptions, TritonServer

SHARED = ("tts", "text_frontend", "aligner", "postprocess")
TEXT = "你好。"


@pytest.fixture(scope="module")
def two_voices(repository, sculptor, tmp_path_factory):
    """A gateway in front of a server that has `demo` and `lily`, of which it has loaded what it began with: `demo`."""
    copy = Copy(repository, tmp_path_factory.mktemp("voices") / "repository")
    for model in sculptor.repository.glob("lily*"):
        shutil.copytree(model, copy.folder / model.name)
    options = ServerOptions(copy.folder, control="explicit", load=SHARED)
    with TritonServer(options) as server, running("--server", server.address.grpc) as gateway:
        yield gateway


def test_a_designed_voice_is_chosen_shaped_and_left_again(chromium, two_voices):
    with page_of(chromium, two_voices.url) as page:
        page.wait_for_selector("#voice option", state="attached")
        assert page.locator("#voice option").all_inner_texts() == ["demo", "lily（首次使用时加载）"]
        page.select_option("#voice", "lily")
        assert not page.is_visible("#design")
        speak(page, TEXT)

        # It is loaded now, and says what it can do.
        page.wait_for_selector("#design")
        assert page.input_value("#voice") == "lily"
        assert not page.is_visible("#pitch-field")
        page.select_option("#attribute-gender", "女性")
        page.select_option("#emotion", "happy")
        page.fill("#seed", "7")
        with page.expect_request("**/v1/audio/captions") as asked:
            lines = speak(page, TEXT)
        wanted = {"voice": "lily", "quality": "high", "emotion": "happy", "attributes": {"gender": "女性"}, "seed": 7}
        assert asked.value.post_data_json == {"input": TEXT, **wanted}
        assert lines[-1]["voice"] == "lily"
        # It does not know its words' times: the clause stands for them.
        assert page.locator("#captions button").all_inner_texts() == [TEXT]

        page.select_option("#voice", "demo")
        assert not page.is_visible("#design")
        expect(page.locator("[name=quality]:checked")).to_have_value("balanced")
        with page.expect_request("**/v1/audio/captions") as asked:
            lines = speak(page, TEXT)
        assert asked.value.post_data_json == {"input": TEXT, "voice": "demo", "quality": "balanced"}
        assert lines[-1]["voice"] == "demo"
