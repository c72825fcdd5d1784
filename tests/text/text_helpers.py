"""Shared by the tests of the text front end."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mandarin import Analysis, Frontend, Word
from mandarin.syllables import KNOWN
from mandarin.units_baker import split_syllable
from speaking import Ask, Speaking

from export.families.sambert.symbols import MANDARIN, tables

BREAKS = ("sil", "#0", "#1", "#2", "#3", "eos", "er5")


def table(name: str) -> list[tuple[str, str]]:
    """Rows of a file beside the tests; # starts a comment line."""
    lines = (Path(__file__).parent / name).read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines if line and not line.startswith("#"))
    return [(text, expected) for text, expected in rows]


def symbols() -> dict[str, dict[str, int]]:
    """All symbols of the Baker family, in some order of their own."""
    parts = [split_syllable(s) for s in KNOWN]
    names = {i for i, _ in parts} | {f"{f}{t}" for _, f in parts for t in range(1, 6)} | set(BREAKS)
    return {"phone": {name: number for number, name in enumerate(sorted(names))}}


def sambert_symbols() -> dict[str, dict[str, int]]:
    """The symbols of a Sambert voice with the speakers of the reference checkpoints."""
    return tables({**MANDARIN, "speaker_category": ("F7", "F74", "FBYN", "FRXL", "M7", "xiaoyu")}, {})


def voice_json(name: str, **changes: Any) -> dict[str, Any]:
    """What the exporter writes of a voice: here one of the demo voice's family, unless changed."""
    described = {
        "name": name,
        "family": "fastspeech2",
        "sample_rate": 24000,
        "hop_length": 300,
        "speakers": [],
        "emotions": [],
        "qualities": {"balanced": "melgan"},
        "stages": ["style", "encoder", "decoder", "melgan"],
        "style": "style",
        "style_controls": ["speed", "pitch", "contour", "energy"],
        "limits": {"speed": [0.5, 1.75], "pitch": [-4.0, 3.5], "contour": [0.4, 2.5], "energy": [-6.0, 6.0]},
        "max_clauses": 8,
        "max_units": 100,
        "unit_bucket": 16,
        "frame_bucket": 64,
        "frame_step": 1,
        "frame_lead": 24,
        "frame_tail": 24,
        "symbols": symbols(),
    }
    return described | changes


def sambert_json(name: str, **changes: Any) -> dict[str, Any]:
    """The same of a Sambert voice."""
    described = {
        "family": "sambert",
        "sample_rate": 16000,
        "hop_length": 200,
        "speakers": ["F7", "F74"],
        "emotions": ["neutral", "angry", "disgust", "fear", "happy", "sad", "surprise", "hate"],
        "frame_bucket": 48,
        "frame_step": 3,
        "frame_lead": 30,
        "symbols": sambert_symbols(),
    }
    return voice_json(name, **described | changes)


def sculptor_json(name: str, **changes: Any) -> dict[str, Any]:
    """The same of a voice that is designed in words and reads text."""
    described = {
        "family": "sculptor",
        "hop_length": 480,
        "emotions": ["neutral", "happy", "sad"],
        "qualities": {"high": "hift"},
        "stages": ["style", "lm", "flow", "hift"],
        "style_controls": [],
        "limits": {"speed": [0.5, 2.0], "pitch": [0.0, 0.0], "contour": [1.0, 1.0], "energy": [-6.0, 6.0]},
        "frame_bucket": 32,
        "symbols": {},
        "generation": {"lm": "lm", "flow": "flow", "sos": 4000, "task": 4001},
        "design": {"attributes": {"gender": ["男性", "女性"]}, "instruction": "一位女性"},
    }
    return voice_json(name, **described | changes)


def shelve(folder: Path, *described: Mapping[str, Any]) -> Path:
    """A model repository of voices that have nothing but their file."""
    for voice in described:
        (folder / voice["name"]).mkdir()
        (folder / voice["name"] / "voice.json").write_text(json.dumps(voice), encoding="utf-8")
    return folder


def cost(words: Sequence[Word]) -> int:
    return 3 * sum(len(w.syllables) for w in words) + sum(s.erhua for w in words for s in w.syllables) + 2


def analyze(frontend: Frontend, text: str, max_units: int = 100) -> Analysis:
    return frontend.analyze(text, unit_count=cost, max_units=max_units)


def reading(frontend: Frontend, text: str) -> str:
    clauses = analyze(frontend, text).clauses
    return " ".join(str(s) for c in clauses for w in c.words for s in w.syllables)


def blocks(speaking: Speaking, text: str, dictionary: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """The plan of a text."""
    asked = Ask(text, dictionary=json.dumps(dictionary) if dictionary else "")
    return [json.loads(block) for block in speaking.plan(asked)]


def clauses(speaking: Speaking, text: str, dictionary: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """What the text front end says of each clause, block by block, as the router gets it."""
    made = []
    for block in blocks(speaking, text, dictionary):
        if "silence" not in block:
            made += [json.loads(clause) for clause in speaking.block(json.dumps(block), None).clauses]
    return made


def words(speaking: Speaking, text: str, dictionary: Mapping[str, str] | None = None) -> list[str]:
    """The words that the events will show."""
    return [word for clause in clauses(speaking, text, dictionary) for word, _, _ in clause["words"]]


def sound(speaking: Speaking, text: str, dictionary: Mapping[str, str] | None = None) -> str:
    """The phones of a text, without breaks."""
    phones = [phone for clause in clauses(speaking, text, dictionary) for phone in clause["phones"]]
    return " ".join(phone for phone in phones if phone and not phone.startswith("#") and phone != "eos")


def notices(speaking: Speaking, text: str, dictionary: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
    """Kinds and subjects of what is told."""
    made = clauses(speaking, text, dictionary)
    return [(notice["kind"], notice["text"]) for clause in made for notice in clause["notices"]]
