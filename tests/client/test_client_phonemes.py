"""How a text is read, through the client and on its command line, with the demo voice."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest
from client_fakes import failed

from client import AsyncSynthesizer, InvalidRequest, Synthesizer, VoiceNotFound, as_ssml, parse_phonemes
from client.cli import main

TEXT = "重庆银行3月5日开门，玩儿去吧！"
PINYIN = "chong2 qing4 #1 yin2 hang2 #1 san1 #0 yue4 #1 wu3 #0 ri4 #1 kai1 men2， wanr2 #1 qu4 #0 ba5！"


@pytest.fixture(scope="module")
def synthesizer(service):
    with Synthesizer(service.address.grpc) as made:
        yield made


def test_the_samples_of_a_text_come_back_from_its_reading(synthesizer):
    samples = synthesizer.synthesize(TEXT).samples
    reading = synthesizer.phonemes(TEXT)
    assert np.array_equal(synthesizer.synthesize(reading.ssml).samples, samples)
    assert np.array_equal(synthesizer.synthesize(as_ssml(parse_phonemes(reading.phonemes))).samples, samples)


def test_a_text_of_several_blocks_is_read_to_its_end(synthesizer):
    reading = synthesizer.phonemes("今天天气真好。" * 120 + "再见")
    assert len(reading.words) == 4 * 120 + 1
    assert reading.words[-1].pinyin == "zai4 jian4"


def test_the_asynchronous_client_reads_the_same(synthesizer, service):
    async def read():
        async with AsyncSynthesizer(service.address.grpc) as made:
            return await made.phonemes(TEXT, voice="demo")

    assert asyncio.run(read()) == synthesizer.phonemes(TEXT)


def test_a_dictionary_is_heeded(synthesizer):
    assert synthesizer.phonemes("朝阳", dictionary={"朝阳": "zhao1 yang2"}).phonemes == "zhao1 yang2"


def test_what_is_wrong_is_refused(synthesizer):
    with pytest.raises(InvalidRequest, match="nothing to say"):
        synthesizer.phonemes("。")
    with pytest.raises(InvalidRequest, match="close <speak>"):
        synthesizer.phonemes("<speak>你")
    with pytest.raises(VoiceNotFound, match="demo"):
        synthesizer.phonemes("你", voice="nobody")


def test_the_command_prints_one_line_of_pinyin(service, capsys):
    assert main(["phonemes", TEXT, "--server", service.address.grpc]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == (f"{PINYIN}\n", "")


def test_the_command_prints_json(service, capsys):
    assert main(["phonemes", "你好😀", "--json", "--server", service.address.grpc]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["phonemes"] == "ni2 hao3"
    assert found["words"][0]["units"] == ["n", "i2", "h", "ao3"]
    assert found["notices"][0]["text"] == "😀"


def test_the_command_ends_with_2_when_the_voice_is_not_there(service, capsys):
    assert main(["phonemes", "你好", "--voice", "nobody", "--server", service.address.grpc]) == 2
    assert "voices here: demo" in failed(capsys)
