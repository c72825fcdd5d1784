"""A text is spoken by the page in a real browser, through the real gateway and the real server."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from page.browser import hear, page_of

TEXT = "今天天气真好，我们去公园散步吧。"
FILES = ("wav", "mp3", "srt")
# Share of a picture's points that must differ from its first.
DRAWN = 0.02
_PIXELS = """
(canvas) => {
  const points = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
  return points.filter((point) => point !== points[0]).length / points.length;
}
"""


@dataclass(frozen=True)
class Spoken:
    """What the page did with one text."""

    request: dict
    lines: list[dict]
    heard: dict
    clock: float
    shown: dict[str, str]
    drawn: dict[str, float]
    files: dict[str, Path]

    @property
    def done(self):
        return self.lines[-1]

    @property
    def samples(self):
        """The samples that came over the network."""
        return np.concatenate([np.frombuffer(base64.b64decode(line["audio"]), "<i2") for line in self.lines[:-1]])


@pytest.fixture(scope="module")
def spoken(chromium, gateway, tmp_path_factory):
    """The text spoken once, looked at in all respects."""
    folder = tmp_path_factory.mktemp("files")
    with page_of(chromium, gateway.url) as page:
        page.wait_for_selector("#voice option", state="attached")
        with page.expect_request("**/v1/audio/captions") as asked:
            lines = hear(page, TEXT)
        files = {}
        for ending in FILES:
            with page.expect_download() as waiting:
                page.click(f"#{ending}")
            files[ending] = folder / waiting.value.suggested_filename
            waiting.value.save_as(files[ending])
        page.wait_for_timeout(100)  # for the last picture
        yield Spoken(
            request=asked.value.post_data_json,
            lines=lines,
            heard=page.evaluate("({ pieces: heard.pieces, lit: heard.lit, contexts: heard.contexts.length })"),
            clock=page.evaluate("heard.contexts[0].currentTime"),
            shown={id: page.inner_text(f"#{id}") for id in ("message", "first", "factor", "length", "answered")},
            drawn={id: page.eval_on_selector(f"#{id}", _PIXELS) for id in ("waveform", "mel")},
            files=files,
        )


def test_all_samples_are_played_as_they_came(spoken):
    played = np.concatenate([piece["samples"] for piece in spoken.heard["pieces"]])
    np.testing.assert_array_equal(played, spoken.samples)
    assert len(played) == round(spoken.done["duration"] * 24000)


def test_the_audio_runs_at_the_voices_rate_without_gaps(spoken):
    pieces = spoken.heard["pieces"]
    assert spoken.heard["contexts"] == 1
    assert {piece["rate"] for piece in pieces} == {24000}
    ends = [piece["when"] + len(piece["samples"]) / 24000 for piece in pieces]
    # A server that is slower than speech makes pauses, which begin anew.
    gaps = np.subtract([piece["when"] for piece in pieces[1:]], ends[:-1])
    assert all(abs(gap) < 1e-9 or gap > 0.01 for gap in gaps)
    assert spoken.clock >= ends[-1]


def test_words_light_up_in_order_and_not_before_they_are_said(spoken):
    words = [word for line in spoken.lines[:-1] for clause in line["clauses"] for word in clause["words"]]
    lit = spoken.heard["lit"]
    places = [TEXT.index(each["word"]) for each in lit]
    assert places == sorted(places)
    assert lit[-1]["word"].rstrip("。") == words[-1]["text"]
    starts = {word["text"]: word["start"] for word in words}
    for each in lit:
        assert each["at"] >= starts[each["word"].rstrip("，。")] - 0.011  # the position is shown in hundredths


def test_waveform_and_spectrogram_are_drawn(spoken):
    assert spoken.drawn["waveform"] > DRAWN
    assert spoken.drawn["mel"] > DRAWN


def test_the_figures_are_told(spoken):
    assert spoken.shown["message"].startswith("完成")
    assert spoken.shown["first"].endswith("毫秒")
    assert float(spoken.shown["factor"]) > 0
    assert spoken.shown["length"] == f"{spoken.done['duration']:.1f} 秒"
    assert spoken.shown["answered"] == "demo · 平衡"


def test_what_was_left_alone_is_left_to_the_service(spoken):
    assert spoken.request == {"input": TEXT, "voice": "demo", "quality": "balanced"}


def test_the_wav_file_is_what_was_heard(spoken):
    samples, rate = soundfile.read(spoken.files["wav"], dtype="int16")
    assert rate == 24000
    np.testing.assert_array_equal(samples, spoken.samples)


def test_the_mp3_file_lasts_as_long(spoken):
    with av.open(io.BytesIO(spoken.files["mp3"].read_bytes())) as container:
        assert container.streams.audio[0].codec.name.startswith("mp3")
        length = sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))
    assert length == pytest.approx(spoken.done["duration"], abs=0.15)


def test_the_subtitles_are_the_servers(spoken):
    text = spoken.files["srt"].read_text("utf-8")
    assert text == spoken.done["srt"]
    assert "00:00:00" in text
    assert TEXT[:4] in text


def test_files_are_named_after_the_text(spoken):
    assert [spoken.files[ending].name for ending in FILES] == [
        f"今天天气真好 我们去公园散步吧.{ending}" for ending in FILES
    ]
