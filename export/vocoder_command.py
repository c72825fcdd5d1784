"""`python -m export vocoder`: gives a voice another vocoder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from export.attach import Quality, attach
from export.specs import FLOATS
from export.terminal import PrecisionOption, one_line_errors, report
from export.vocoders.layouts import Layout, load_vocoder
from export.vocoders.statistics import read_statistics


def vocoder(
    layout: Annotated[Layout, typer.Argument(help="Whose files the checkpoint's are.")],
    checkpoint: Annotated[Path, typer.Option("--checkpoint", help="Folder of the vocoder, or its generator's file.")],
    voice: Annotated[str, typer.Option("--for", help="Name of the voice.")],
    quality: Annotated[Quality, typer.Option("--quality", help="What the voice is to use it for.")],
    repository: Annotated[Path, typer.Option("--repository", help="Triton model repository.")] = Path(
        "model_repository"
    ),
    precision: PrecisionOption = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the voice's vocoder of this quality.")] = False,
    voice_statistics: Annotated[
        Path | None,
        typer.Option("--voice-statistics", help="What the voice's mel is normalised by: .npz with mean and scale."),
    ] = None,
    same_normalisation: Annotated[
        bool,
        typer.Option("--same-normalisation", help="Voice and vocoder were trained on mels that were normalised alike."),
    ] = False,
) -> None:
    """Give a voice of the repository another vocoder."""
    with one_line_errors():
        statistics = None if voice_statistics is None else read_statistics(voice_statistics)
        report(f"reading {checkpoint}")
        loaded = load_vocoder(layout, checkpoint)
        model = attach(
            repository,
            voice,
            quality,
            loaded,
            report,
            replace=replace,
            statistics=statistics,
            same_normalisation=same_normalisation,
            precisions=precision or FLOATS,
        )
    typer.echo(f"voice {voice} has {model} for the quality {quality.value}")
