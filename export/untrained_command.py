"""`python -m export untrained`: checkpoints to try sizes, speed and memory with."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from export.families.sambert.untrained import write_untrained as write_sambert
from export.families.sculptor.untrained import write_untrained as write_sculptor
from export.terminal import one_line_errors

app = typer.Typer(
    no_args_is_help=True,
    help="Write a checkpoint of a real one's size and layout with random weights: no speech, but its lengths.",
)

OutOption = Annotated[Path, typer.Option("--out", help="New folder for the checkpoint.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Of the random weights.")]
SmallOption = Annotated[bool, typer.Option("--small", help="Few channels and layers.")]


class Llama(str, Enum):
    """Sizes of LLaSA."""

    one = "1b"
    three = "3b"


@app.command()
def sambert(
    out: OutOption,
    sample_rate: Annotated[int, typer.Option("--sample-rate", help="8000, 16000, 24000 or 48000 Hz.")] = 16000,
    seed: SeedOption = 0,
    nsf: Annotated[bool, typer.Option("--nsf", help="The vocoder has a harmonic source.")] = False,
    se: Annotated[bool, typer.Option("--se", help="The voice is a speaker embedding, as of a recording.")] = False,
    causal: Annotated[bool, typer.Option("--causal/--not-causal", help="The vocoder's convolutions.")] = True,
    small: SmallOption = False,
) -> None:
    """Sambert-HifiGan, in ModelScope's layout."""
    with one_line_errors():
        write_sambert(out, sample_rate, seed=seed, nsf=nsf, se=se, causal=causal, size="small" if small else "full")
    typer.echo(f"an untrained sambert checkpoint is in {out}")


@app.command()
def sculptor(
    out: OutOption,
    seed: SeedOption = 0,
    llasa: Annotated[Llama, typer.Option("--llasa", help="Size of the language model that designs.")] = Llama.one,
    small: SmallOption = False,
) -> None:
    """Voice Sculptor: LLaSA, xcodec2 and CosyVoice2 in the layouts of their publishers."""
    with one_line_errors():
        write_sculptor(out, seed=seed, size="small" if small else "full", llama="1b" if llasa is Llama.one else "3b")
    typer.echo(f"an untrained sculptor checkpoint is in {out}")
