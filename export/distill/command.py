"""`scripts/distill_hifigan`: trains a HiFi-GAN for the demo voice on what the voice itself says."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Annotated

import torch
import typer

from export.distill.distillation import distill
from export.distill.settings import Limit, Settings
from export.families.fastspeech2 import demo
from export.terminal import one_line_errors, report

OUT = Path("checkpoints/demo_hifigan")
_USUAL = Settings()


def command(
    out: Annotated[Path, typer.Option("--out", help="Folder for the generator and for what it takes to resume.")] = OUT,
    checkpoint: Annotated[Path, typer.Option("--checkpoint", help="Folder of the demo voice.")] = demo.DIRECTORY,
    minutes: Annotated[float, typer.Option(min=0.01, help="Length of the whole run, resumed ones together.")] = 20.0,
    steps: Annotated[int | None, typer.Option(min=1, help="Most steps of the whole run; no bound by default.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in the folder.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the corpus and of the weights.")] = _USUAL.seed,
    sentences: Annotated[int, typer.Option(min=1, help="How many the voice speaks.")] = _USUAL.sentences,
    channels: Annotated[int, typer.Option(min=16, help="The generator's first.")] = _USUAL.channels,
    batch: Annotated[int, typer.Option(min=1, help="Segments in a step.")] = _USUAL.batch,
    learning_rate: Annotated[float, typer.Option(min=0.0, help="At the beginning.")] = _USUAL.learning_rate,
) -> None:
    """Train a HiFi-GAN generator for the demo voice, on the first GPU if there is one."""
    began = time.monotonic()
    settings = dataclasses.replace(
        _USUAL, seed=seed, sentences=sentences, channels=channels, batch=batch, learning_rate=learning_rate
    )
    limit = Limit(minutes) if steps is None else Limit(minutes, steps)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu":
        report("there is no GPU: on a CPU this is good for a try, a generator that speaks well takes days")
    with one_line_errors():
        found = distill(
            settings, limit, checkpoint, out, device, lambda: time.monotonic() - began, report, resume=resume
        )
    for name, value in found.items():
        typer.echo(f"{name}: {value:.4f}")
    typer.echo(
        "attach it to a copy of the repository, and judge it:\n"
        "  cp -r model_repository COPY\n"
        f"  .venv/bin/python -m export vocoder hifigan --checkpoint {out} --for demo --quality high "
        "--same-normalisation --repository COPY\n"
        "  scripts/quality --quality high --repository COPY"
    )
