"""`python -m export untrained`: a checkpoint to try sizes, speed and memory with."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from export.families.sambert.untrained import write_untrained
from export.terminal import one_line_errors


class UntrainedFamily(str, Enum):
    """Families of which checkpoints can be made up."""

    sambert = "sambert"


def untrained(
    family: Annotated[UntrainedFamily, typer.Argument(help="Architecture of the checkpoint.")],
    out: Annotated[Path, typer.Option("--out", help="New folder for the checkpoint.")],
    sample_rate: Annotated[int, typer.Option("--sample-rate", help="8000, 16000, 24000 or 48000 Hz.")] = 16000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the random weights.")] = 0,
    nsf: Annotated[bool, typer.Option("--nsf", help="The vocoder has a harmonic source.")] = False,
    se: Annotated[bool, typer.Option("--se", help="The voice is a speaker embedding, as of a recording.")] = False,
    causal: Annotated[bool, typer.Option("--causal/--not-causal", help="The vocoder's convolutions.")] = True,
    small: Annotated[bool, typer.Option("--small", help="Few channels and layers.")] = False,
) -> None:
    """Write a checkpoint of a real one's size and layout with random weights: no speech, but its lengths."""
    with one_line_errors():
        write_untrained(out, sample_rate, seed=seed, nsf=nsf, se=se, causal=causal, size="small" if small else "full")
    typer.echo(f"an untrained {family.value} checkpoint is in {out}")
