"""LLaSA of 1B, which designs: a language model that needs three times the memory of all the others together."""

from __future__ import annotations

import shutil
from typing import Any

import psutil

from bench.sculptor import tokens
from bench.sculptor.setting import SculptorSetting
from bench.sculptor.voices import TAGS
from bench.setting import Section, Skipped
from export.families.sculptor import llasa
from export.families.sculptor.tokenizers import read_llama, speech_codes
from export.families.sculptor.untrained_language import Weights
from export.families.sculptor.untrained_llasa import write_llasa
from export.families.sculptor.untrained_sizes import llasa_sizes
from export.graph_files import save
from export.onnx_export import traced

# The module and a graph of it at the same time, each in float32, and what the exporter needs for a moment.
LEAST_GIB = 15.0
WORK = tokens.Work(32, 6, 2, (1, 4, 16))


def measure(setting: SculptorSetting) -> dict[str, Any]:
    """The section. Raises `Skipped` where memory is short."""
    if "full" not in setting.sizes:
        raise Skipped("only the small size was asked for")
    # The other modules of that size are gigabytes, too, and this section is the last that they are there for.
    setting.voices.pop("full", None)
    free = psutil.virtual_memory().available / 2**30
    if free < LEAST_GIB:
        raise Skipped(f"{free:.0f} GiB of memory are free, {LEAST_GIB:.0f} are needed")
    folder = setting.work / "llasa"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    setting.tell("exporting LLaSA of 1B")
    write_llasa(folder / "checkpoint", llasa_sizes("full", "1b"), Weights(0), TAGS)
    tokenizer = read_llama(folder / "checkpoint")
    part = llasa.part(folder / "checkpoint", speech_codes(tokenizer), tokenizer.rows).only(())
    shutil.rmtree(folder / "checkpoint")
    save(traced(part.stage), folder / "llasa_1b" / "1" / "model.onnx")
    about = {"size": "1b", "model": part.role}
    found = tokens.model(setting, part, folder / "llasa_1b" / "1", WORK)
    shutil.rmtree(folder)
    return {"threads": tokens.THREADS} | {name: [about | row for row in rows] for name, rows in found.items()}


SECTION = Section("llasa", "LLaSA of 1B", measure, tokens.show)
