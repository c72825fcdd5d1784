"""What the page sends, shows and does when it is used."""

from __future__ import annotations

import re
import time
import urllib.request

import pytest
from playwright.sync_api import expect

from page.browser import ask_health, hear, speak
from server.gateway.settings import Bounds

SHORT = "你好。"
# Half a minute of speech for each; the server needs seconds for all.
LONG = "从前有一座山，山上有一座庙，庙里住着一位老和尚，每天清晨他都会推开那扇旧木门，扫去台阶上的落叶。" * 20
MARKUP = '一<img src=x onerror="window.ran=1"><script>window.ran=1</script><b>二</b>'
PATIENCE = 30.0
# The order of what the Tab key reaches, before anything was spoken.
STOPS = (
    "language text weather news story speak voice balanced preset style speed pitch energy api",
    "language text weather news story speak settings",
)


def cancelled(service):
    """How many requests the server has ended because nobody listened any more."""
    with urllib.request.urlopen(f"http://{service.address.metrics}/metrics") as page:
        found = re.findall(r'^tts_re\w+_total\{[^}]*="cancelled"[^}]*\} (\S+)', page.read().decode(), re.M)
    return sum(map(float, found))


def sent(page):
    """What the page asks for when the text is spoken, and all of the answer."""
    with page.expect_request("**/v1/audio/captions") as asked:
        lines = speak(page, SHORT)
    return asked.value.post_data_json, lines


def test_style_and_sliders_are_sent_once_they_are_moved_and_answered(visit):
    page = visit()
    page.select_option("#preset", "电台主播")
    expect(page.locator("#style")).to_have_value("深夜电台主播，音调偏低，微哑，平静忧伤，语速较慢")
    page.focus("#speed")
    page.keyboard.press("ArrowRight")
    request, lines = sent(page)
    assert request == {"input": SHORT, "voice": "demo", "quality": "balanced", "style": "电台主播", "speed": 1.05}
    assert lines[-1]["type"] == "done"
    page.fill("#style", "激动，语速飞快")
    expect(page.locator("#preset option:checked")).to_have_text("自定义")
    page.click("[data-reset=speed]")
    request, faster = sent(page)
    assert request == {"input": SHORT, "voice": "demo", "quality": "balanced", "style": "激动，语速飞快"}
    assert faster[-1]["duration"] < lines[-1]["duration"]


def test_sliders_end_where_the_voice_does(visit):
    page = visit()
    assert [page.get_attribute("#speed", end) for end in ("min", "max")] == ["0.5", "1.75"]
    assert page.is_disabled("[name=quality][value=high]")
    assert not page.is_visible("#emotion")
    assert not page.is_visible("#design")


def test_html_in_a_text_is_shown_and_not_run(visit):
    page = visit()
    lines = speak(page, MARKUP)
    told = [notice["message"] for line in lines[:-1] for notice in line["notices"]]
    assert page.inner_text("#notices").count("\n") + 1 == len(told) > 0
    assert page.evaluate("window.ran") is None
    assert page.locator("main img, main script, main b").count() == 0
    assert "一" in page.inner_text("#captions")


def test_a_long_text_is_heard_before_it_is_made_and_escape_ends_it_on_the_server(visit, service):
    page = visit()
    before = cancelled(service)
    page.fill("#text", LONG)
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#captions [aria-current]")
    page.keyboard.press("Escape")
    expect(page.locator("#message")).to_have_text("已停止")
    assert page.evaluate("heard.lit[0].pending") is True
    assert page.is_disabled("#stop")
    assert page.is_disabled("#srt")
    # What had come is there to be kept.
    assert page.is_enabled("#wav")
    end = time.monotonic() + PATIENCE
    while cancelled(service) == before:
        assert time.monotonic() < end, "the server still speaks to nobody"
        time.sleep(0.1)


def test_everything_can_be_reached_by_the_keyboard_in_order(visit):
    page = visit()
    name = """() => {
      const { id, value, dataset, tagName, form, href } = document.activeElement;
      if (tagName === "SUMMARY") return "settings";
      return dataset.example ?? (href ? "api" : id || value);
    }"""
    stops = []
    for _ in STOPS[0].split():
        page.keyboard.press("Tab")
        stops.append(page.evaluate(name))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid" or stops[-1] == "balanced"  # which its label shows
    assert " ".join(stop for stop in stops if stop != "settings") in STOPS[0]


def test_a_word_can_be_chosen_by_the_keyboard_and_by_the_mouse(visit):
    page = visit()
    lines = hear(page, "今天天气真好，我们去公园散步吧。")
    words = [word for line in lines[:-1] for clause in line["clauses"] for word in clause["words"]]
    first = page.locator("#captions button").first
    first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.textContent").startswith(words[2]["text"])
    page.evaluate("heard.lit.length = 0; heard.pieces.length = 0")
    page.keyboard.press("Enter")
    page.wait_for_selector("#player[data-state=ended]")
    assert page.evaluate("heard.lit[0].word") == page.evaluate("document.activeElement.textContent")
    left = lines[-1]["duration"] - words[2]["start"]
    assert page.evaluate("heard.pieces.reduce((sum, piece) => sum + piece.samples.length, 0)") == round(24000 * left)
    page.locator("#captions button").last.click()
    expect(page.locator("#player")).to_have_attribute("data-state", "playing")


def test_a_phone_shows_it_all_without_scrolling_sideways(visit):
    page = visit(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True, reduced_motion="reduce")
    width = "document.documentElement.scrollWidth"
    assert not page.is_visible("#voice")
    page.click("#settings summary")
    assert page.is_visible("#voice")
    page.fill("#text", SHORT + "x" * 60)
    page.click("#speak")
    page.wait_for_selector("#captions [aria-current]")
    expect(page.locator("#player")).to_be_in_viewport()
    assert page.evaluate(width) == 360
    page.click("#language")
    assert page.evaluate(width) == 360


def test_both_languages_are_spoken_and_the_choice_is_remembered(visit):
    page = visit(locale="en-GB")
    expect(page.locator("#speak")).to_contain_text("Speak")
    assert page.title() == "Mandarin speech"
    page.click("#language")
    expect(page.locator("#speak")).to_contain_text("朗读")
    page.reload()
    expect(page.locator("#speak")).to_contain_text("朗读")
    assert page.get_attribute("html", "lang") == "zh-CN"


def test_what_goes_wrong_is_said_in_words(visit):
    page = visit()
    page.fill("#text", "  ")
    page.click("#speak")
    expect(page.locator("#error")).to_have_text("请先输入文字。")
    page.fill("#text", "长" * (Bounds().characters + 1))
    page.click("#speak")
    expect(page.locator("#error-title")).to_have_text("文本过长，请缩短后重试。")
    expect(page.locator("#error-detail")).to_contain_text(f"the most is {Bounds().characters}")
    page.context.set_offline(True)
    ask_health(page)
    expect(page.locator("#status-state")).to_have_text("无法连接")
    page.fill("#text", SHORT)
    page.click("#speak")
    expect(page.locator("#error")).to_contain_text("无法连接网关")
    page.context.set_offline(False)
    speak(page, SHORT)
    assert not page.is_visible("#error")


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ('{"type": "error", "error": {"message": "the vocoder died", "code": "server_failed"}}\n', "the vocoder died"),
        ("", "连接中断，音频不完整，请重试。"),
    ],
    ids=["failed", "cut off"],
)
def test_audio_that_ends_early_is_kept_and_said(visit, last, said):
    page = visit()
    audio = '{"type": "audio", "audio": "' + "AAAA" * 1600 + '", "sample_rate": 24000, "clauses": [], "notices": []}\n'
    page.route("**/v1/audio/captions", lambda route: route.fulfill(body=audio + last))
    page.click("#speak")
    expect(page.locator("#error")).to_contain_text(said)
    page.wait_for_selector("#player[data-state=ended]")
    assert page.is_enabled("#wav")
    assert page.is_disabled("#srt")


def test_the_strip_shows_how_the_service_is(visit):
    page = visit()
    expect(page.locator("#status-state")).to_have_text("服务正常")
    expect(page.locator("#status-queue")).to_have_text(re.compile(r"\d+ 进行 · \d+ 等待"))
    expect(page.locator("#status-memory")).to_have_text(re.compile(r"主机 \d+%"))
    expect(page.locator("#status-degradation")).to_have_text("无")


def test_a_service_in_need_is_seen_to_be(visit):
    page = visit(locale="en-GB")
    answer = {
        "healthy": True,
        "message": "every voice speaks",
        "queue": {"in_flight": 8, "waiting": 3, "oldest_wait": 4.2},
        "memory": {"host": 0.912, "gpu": 0.4},
        "degradation": {"step": 2, "name": "light"},
    }
    page.route("**/health", lambda route: route.fulfill(json=answer))
    ask_health(page)
    expect(page.locator("#status-state")).to_have_text("Degraded")
    expect(page.locator("#status-queue")).to_have_text("8 running · 3 waiting · longest 4 s")
    expect(page.locator("#status-memory")).to_have_text("host 91% · GPU 40%")
    expect(page.locator("#status-degradation")).to_have_text("fast quality only")
    answer |= {"healthy": False, "message": "demo: the vocoder is broken"}
    ask_health(page)
    expect(page.locator("#status-state")).to_have_text("Service failing")
    expect(page.locator("#status-reason")).to_have_text("demo: the vocoder is broken")
