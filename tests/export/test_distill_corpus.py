"""What the demo voice is asked to say for a generator to learn from."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import pytest
import torch
from mandarin.syllables import KNOWN

from export.distill.clips import Clips
from export.distill.corpus import Utterance, utterances
from export.distill.sentences import Sentence, sentences
from export.distill.teacher import Teacher
from export.errors import ExportError
from export.families.fastspeech2 import demo
from export.families.fastspeech2.checkpoint import load

VOICE = demo.voice("demo", 300)
ENOUGH = 2100


@pytest.fixture(scope="module")
def many() -> list[Sentence]:
    return list(islice(sentences(0), ENOUGH))


@pytest.fixture(scope="module")
def symbols(checkpoint: Path) -> dict[str, int]:
    content = json.loads((checkpoint / "baker_mapper.json").read_text(encoding="utf-8"))
    return dict(content["symbol_to_id"])


@pytest.fixture(scope="module")
def clauses(many: list[Sentence], symbols: dict[str, int]) -> list[Utterance]:
    """All drills, and some sentences between them."""
    chosen = [sentence for number, sentence in enumerate(many) if sentence.spans or number < 100]
    made = utterances(chosen, 7, symbols, VOICE.limits, VOICE.max_units)
    return [clause for each in made for clause in each]


def test_a_seed_makes_the_same_sentences_each_time_and_none_twice(many: list[Sentence]) -> None:
    assert list(islice(sentences(0), 300)) == many[:300]
    assert list(islice(sentences(1), 300)) != many[:300]
    assert len(set(many)) == ENOUGH


def test_every_syllable_is_drilled_in_every_tone(many: list[Sentence]) -> None:
    drilled = [reading for sentence in many for span in sentence.spans for reading in span.value.split()]
    assert sorted(drilled) == sorted(f"{syllable}{tone}" for syllable in KNOWN for tone in range(1, 6))


def test_the_voice_says_every_symbol_that_it_has(clauses: list[Utterance], symbols: dict[str, int]) -> None:
    said = {number for clause in clauses for number in clause.units.tolist()}
    # Padding, and a break that the front end writes as another.
    assert {symbol for symbol, number in symbols.items() if number not in said} == {"pad", "#2"}
    assert max(len(clause.units) for clause in clauses) <= VOICE.max_units


def test_half_of_it_is_said_as_the_voice_speaks_and_the_rest_within_its_limits(clauses: list[Utterance]) -> None:
    natural = [clause for clause in clauses if (clause.speed, clause.pitch, clause.contour) == (1.0, 0.0, 1.0)]
    assert 0.4 < len(natural) / len(clauses) < 0.6
    limits = VOICE.limits
    for clause in clauses:
        assert limits.speed.low <= clause.speed <= limits.speed.high
        assert limits.pitch.low <= clause.pitch <= limits.pitch.high
        assert limits.contour.low <= clause.contour <= limits.contour.high


def test_the_teacher_says_the_same_in_a_batch_as_alone(checkpoint: Path, clauses: list[Utterance]) -> None:
    teacher = Teacher(load(checkpoint), torch.device("cpu"))
    short = sorted(clauses, key=lambda clause: len(clause.units) / clause.speed)[:2]
    both = teacher.speak(short)
    assert len(both.audio) == 300 * len(both.mel)
    for index, clause in enumerate(short):
        alone = teacher.speak([clause])
        mel, audio = both.of(index)
        assert mel.shape == (1, len(alone.mel), 80)
        torch.testing.assert_close(mel[0], alone.mel.float(), atol=4e-3, rtol=0)
        torch.testing.assert_close(audio[0], alone.audio, atol=1e-4, rtol=0)
        assert audio.abs().max() > 0.05


def test_segments_lie_in_one_utterance_each_and_belong_to_their_mels() -> None:
    lengths = torch.tensor([3, 9, 2, 6])
    frames = torch.arange(20.0)
    clips = Clips(frames[:, None].half(), frames.repeat_interleave(4), lengths, 4)
    mel, audio = clips.segments(200, 4, seed=5)
    assert mel.shape == (200, 4, 1)
    torch.testing.assert_close(audio, mel[..., 0].repeat_interleave(4, 1))
    # An utterance of 9 frames has 6 places for a segment, one of 6 has 3.
    assert set(mel[:, 0, 0].int().tolist()) == {*range(3, 9), *range(14, 17)}
    torch.testing.assert_close(mel, clips.segments(200, 4, seed=5)[0])
    with pytest.raises(ExportError, match="no utterance has 10 frames"):
        clips.segments(1, 10, seed=0)
